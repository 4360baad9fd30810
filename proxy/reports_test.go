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
		json    = "Content-Type: application/json"
		browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
		firefox = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
	)
	var options Options
	proxy := serveProxy(t, func(o *Options) { options = *o })
	for _, c := range []struct {
		path   string
		fields []string
		sent   bool
	}{
		{"/report", []string{browser, csp}, false},
		{"/report", []string{browser, reports + "; charset=utf-8"}, false},
		{"/report", []string{browser, reports, "Sec-Fetch-Dest: report"}, false},
		{"/report", []string{browser, "Content-Type: application/expect-ct-report+json", "Sec-Fetch-Dest: report"}, false},
		{"/report", []string{browser, json}, true},
		{"/report", []string{browser, csp, "Sec-Fetch-Dest: empty"}, true},                                                             // a script's
		{"/report", []string{firefox, reports, "Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin"}, false}, // as 153 does
		{"/report", []string{"User-Agent: curl/8.5.0", csp}, true},
		{"/.well-known/private-click-measurement/report-attribution/", []string{browser, json}, false},
		{"/.well-known/attribution-reporting/debug/report-event-attribution", []string{browser, json, "Sec-Fetch-Dest: empty"}, false},
		{"/.well-known/private-aggregation/report-shared-storage", []string{browser, json}, false},
		{"/.well-known/private-click-measurement/report-attribution/", []string{"User-Agent: curl/8.5.0", json}, true},
		{"/.well-known/webfinger", []string{browser, json}, true},
	} {
		o := serveOrigin(t, answer(hello))
		url := "http://" + o.address + c.path
		resp, _ := send(t, proxy, "POST", url, `{"user_agent":"canary"}`, c.fields...)
		if want := map[bool]int{true: 200, false: 410}[c.sent]; resp.StatusCode != want || (o.saw() != "") != c.sent {
			t.Errorf("%s %q: %d, the origin saw %q", c.path, c.fields, resp.StatusCode, o.saw())
		}
		head := "POST " + url + " HTTP/1.1\r\nHost: " + o.address + "\r\n" + strings.Join(c.fields, "\r\n") + "\r\n"
		if told := explained(t, options, head); (told.Blocked == "") != c.sent {
			t.Errorf("%s %q: explained as %q", c.path, c.fields, told.Blocked)
		}
	}
}
