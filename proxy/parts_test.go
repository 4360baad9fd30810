package proxy

import (
	"strings"
	"testing"
)

// A redirect that another client got, by a request that looks the same but for what it tells
// guise alone of its purpose, is as if it was fetched: less is taken from where it leads a
// part of a page.
func TestPartsShareWithPartsAlone(t *testing.T) {
	const leads = "https://www.facebook.com/?fref=ts"
	o := serveOrigin(t, answer("HTTP/1.1 301 Moved Permanently\r\nCache-Control: max-age=3600\r\nContent-Length: 0\r\nLocation: "+leads+"\r\n\r\n"))
	fields := []string{"Accept: image/avif,image/webp,*/*", "Referer: http://" + o.address + "/"}
	const part = "Sec-Fetch-Dest: image"
	for _, asPart := range []bool{true, false} {
		mine, others := fields, append(fields[:2:2], part)
		if asPart {
			mine, others = others, mine
		}
		proxy := serveProxy(t, nil)
		look := func(path string) string {
			got := asCanary(t, proxy, "GET http://"+o.address+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+strings.Join(mine, "\r\n")+"\r\n\r\n")
			_, location, _ := strings.Cut(got, "\r\nLocation: ")
			location, _, _ = strings.Cut(location, "\r\n")
			return location
		}
		get(t, proxy, "http://"+o.address+"/visited", others...)
		if visited, other := look("/visited"), look("/other"); visited != other || other == "" || asPart != (other == leads) {
			t.Errorf("as a part %t: where others were it leads to %q, elsewhere to %q", asPart, visited, other)
		}
	}
}
