package proxy

import (
	"strings"
	"testing"
)

// TestBrowsersReportNothing: what a browser kept to report before guise saw its pages
// names it, and pages in full.
func TestBrowsersReportNothing(t *testing.T) {
	const (
		csp     = "Content-Type: application/csp-report"
		reports = "Content-Type: application/reports+json"
		browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
	)
	var options Options
	proxy := serveProxy(t, func(o *Options) { options = *o })
	for _, c := range []struct {
		fields []string
		sent   bool
	}{
		{[]string{browser, csp}, false},
		{[]string{browser, reports + "; charset=utf-8"}, false},
		{[]string{browser, reports, "Sec-Fetch-Dest: report"}, false},
		{[]string{browser, "Content-Type: application/expect-ct-report+json", "Sec-Fetch-Dest: report"}, false},
		{[]string{browser, "Content-Type: application/json"}, true},
		{[]string{browser, csp, "Sec-Fetch-Dest: empty"}, true}, // a script's
		{[]string{"User-Agent: curl/8.5.0", csp}, true},
	} {
		o := serveOrigin(t, answer(hello))
		url := "http://" + o.address + "/report"
		resp, _ := send(t, proxy, "POST", url, `{"user_agent":"canary"}`, c.fields...)
		if want := map[bool]int{true: 200, false: 410}[c.sent]; resp.StatusCode != want || (o.saw() != "") != c.sent {
			t.Errorf("%q: %d, the origin saw %q", c.fields, resp.StatusCode, o.saw())
		}
		head := "POST " + url + " HTTP/1.1\r\nHost: " + o.address + "\r\n" + strings.Join(c.fields, "\r\n") + "\r\n"
		if told := explained(t, options, head); (told.Blocked == "") != c.sent {
			t.Errorf("%q: explained as %q", c.fields, told.Blocked)
		}
	}
}
