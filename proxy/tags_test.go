package proxy

import (
	"net/http"
	"testing"

	"guise/cache"
)

// TestOwnTagsFollowNobodyAcrossSites: a tracker's script on two sites reads two tags of
// one response, and a third after its visitor began anew; a program that asks in
// several ways for one thing is shown one.
func TestOwnTagsFollowNobodyAcrossSites(t *testing.T) {
	o := serveOrigin(t, answer("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nAccess-Control-Expose-Headers: ETag\r\nContent-Length: 2\r\n\r\nok"))
	p, proxy := newProxy(t, nil)
	tag := func(fields ...string) string {
		t.Helper()
		resp, _ := get(t, proxy, "http://"+o.address+"/", fields...)
		if resp.Header.Get("ETag") == "" || p.current.Load().options.Cache.Sharing != cache.Disguised {
			t.Fatalf("%d, %v", resp.StatusCode, resp.Header)
		}
		return resp.Header.Get("ETag")
	}
	browser := func(site string) []string {
		return []string{"User-Agent: Mozilla/5.0", "Accept: */*", "Origin: http://" + site, "Referer: http://" + site + "/"}
	}
	shop, bank, program := tag(browser("shop.example")...), tag(browser("bank.example")...), tag()
	if shop == bank || shop == program || bank == program {
		t.Errorf("the sites see %s, %s and %s", shop, bank, program)
	}
	if again := tag("Accept: application/json"); again != program {
		t.Errorf("a program is shown %s and %s", program, again)
	}
	resp, err := http.Post("http://"+proxy+"/forget", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if anew := tag(); anew == program {
		t.Errorf("who begins anew is shown %s again", anew)
	}
}
