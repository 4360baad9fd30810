package judge

import (
	"context"
	"net/http"
)

// returningProbes have the origin answer with things that make a browser
// betray itself, now or later.
func returningProbes() []probe {
	return []probe{
		{name: "An answer full of ways around the proxy", section: returning, build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "answer"
			for _, a := range []Field{
				{"Alt-Svc", `h3="%s.example:443"; ma=86400`}, {"NEL", `{"report_to":"%s","max_age":86400}`},
				{"Report-To", `{"group":"g","max_age":86400,"endpoints":[{"url":"https://%s.example/r"}]}`},
				{"Reporting-Endpoints", `g="https://%s.example/r"`}, {"Expect-CT", `max-age=1, report-uri="https://%s.example/"`},
				{"Accept-CH", "Sec-CH-UA-Model, Sec-CH-%s"}, {"Critical-CH", "Sec-CH-%s"},
				{"Refresh", "5; url=http://%s.example/"}, {"Via", "1.1 %s"}, {"X-Cache", "HIT from %s"},
				{"Server-Timing", `cdn;desc="%s"`}, {"X-Client-IP", "%s"}, {"X-Request-ID", "%s"}, {"traceresponse", "00-%s-01"},
				{"Content-Security-Policy", "default-src 'self'; report-uri https://%s.example/r"},
				{"Content-Security-Policy-Report-Only", "default-src 'self'; report-to %s"},
				{"Proxy-Authenticate", `Basic realm="%s"`}, {"Set-Cookie2", "uid=%s"},
			} {
				d.plantAnswer(a.Name, a.Value)
			}
		}},
		{name: "An answer full of marks that a browser keeps", section: returning, build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "answer"
			for _, a := range []Field{
				{"Public-Key-Pins", `pin-sha256="%s"; max-age=86400`}, {"Use-As-Dictionary", `match="/*", id="%s"`},
				{"Attribution-Reporting-Register-Source", `{"source_event_id":"%s"}`}, {"Shared-Storage-Write", `set;key="uid";value="%s"`},
				{"Sec-Private-State-Token", "%s"}, {"Critical-Origin-Trial", "%s"}, {"Clear-Site-Data", `"%s"`}, {"Refresh", "5; url=///%s.example/"},
				{"Cross-Origin-Opener-Policy", `same-origin; report-to="%s"`}, {"Document-Policy-Report-Only", `*;report-to="%s"`},
			} {
				d.plantAnswer(a.Name, a.Value)
			}
		}},
		{name: "Marks before an answer and behind it", section: returning, build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "edges"
			d.add("TE", "trailers")
			for _, a := range []Field{{"Alt-Svc", `h3="%s.example:443"`}, {"NEL", `{"report_to":"%s"}`}, {"Set-Cookie", "uid=%s; Max-Age=86400"},
				{"X-Client-IP", "%s"}, {"Accept-CH", "Sec-CH-%s"}} {
				d.plantAnswer(a.Name, a.Value)
			}
		}},
		{name: "A second visit, with the tag and the date that the first was given", section: returning, build: func(d *draft) {
			d.ask(chrome, anImage)
			d.resource = "answer"
			when := d.pastDate()
			d.answer = []Field{{"ETag", `"` + d.mark("ETag of an earlier visit", Identity) + `"`}, {"Last-Modified", when}, {"Cache-Control", "no-cache"}}
			d.plants = append(d.plants, plant{"Last-Modified of an earlier visit", when, Identity})
		}, send: func(ctx context.Context, c client, t *trial) (err error) {
			if t.got, err = c.exchange(ctx, t.draft.method, t.sent); err != nil {
				return err
			}
			for _, f := range []Field{{"If-None-Match", t.got.head.Get("ETag")}, {"If-Modified-Since", t.got.head.Get("Last-Modified")}} {
				if f.Value != "" {
					t.draft.add(f.Name, f.Value)
				}
			}
			t.sent = t.draft.bytes()
			t.got, err = c.exchange(ctx, t.draft.method, t.sent)
			return err
		}, check: func(t *trial) error {
			return all(want(len(t.seen) > 0, "it did not arrive"), t.answered(http.StatusOK, http.StatusNotModified))
		}},
		{name: "A third-party image that sets a cookie", section: returning, build: func(d *draft) {
			d.ask(chrome, anImage)
			d.resource = "answer"
			d.set("Sec-Fetch-Site", "cross-site")
			d.set("Referer", "http://news.example/")
			d.plantAnswer("Set-Cookie", "uid=%s; Path=/; Max-Age=63072000")
		}},
	}
}
