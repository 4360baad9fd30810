package judge

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
		{name: "A third-party image that sets a cookie", section: returning, build: func(d *draft) {
			d.ask(chrome, anImage)
			d.resource = "answer"
			d.set("Sec-Fetch-Site", "cross-site")
			d.set("Referer", "http://news.example/")
			d.plantAnswer("Set-Cookie", "uid=%s; Path=/; Max-Age=63072000")
		}},
	}
}
