package judge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

var (
	firefox = visitor{browser: &browsers[0], language: "nb-NO"}
	chrome  = visitor{browser: &browsers[1], language: "de-DE"}
	safari  = visitor{browser: &browsers[3], agent: 1, language: "en-GB"}
)

// batch is how many identifying fields go into one request: few enough to
// stay below any proxy's limit.
const batch = 32

// plantedProbes put identifying things where they do not belong.
func plantedProbes() []probe {
	var out []probe
	for _, k := range []kind{aDocument, aFetch} {
		for from := 0; from < len(identifying); from += batch {
			fields := identifying[from:min(from+batch, len(identifying))]
			out = append(out, probe{
				name:    fmt.Sprintf("Identifying fields, %s to %s, with a request for %s", fields[0].name, fields[len(fields)-1].name, k.a()),
				section: planted,
				build: func(d *draft) {
					d.ask(chrome, k)
					for _, n := range fields {
						d.plantField(n)
					}
				},
			})
		}
	}
	for _, p := range []struct {
		name  string
		build func(*draft)
	}{
		{"Made-up fields with a document", plantMadeUp},
		{"Made-up values in fields that every browser sends", plantValues},
		{"Hop-by-hop fields, and those that Connection names", plantHopByHop},
		{"A third-party image with cookie and referrer", plantThirdParty},
		{"A link from another site with tracking parameters", plantTracking},
		{"User name in the URL, another host in Host", plantAuthority},
		{"Validators from an earlier visit", plantValidators},
		{"The client's own address in fields of a script", plantOwnAddress},
		{"Fields on nobody's list, with a script's request", plantUnlisted},
		{"Identifying fields with an upload", func(d *draft) { d.askUpload(); d.body = chunk("hello") + "0\r\n\r\n"; d.plantSome() }},
		{"Identifying fields with a CORS preflight", func(d *draft) { d.askPermission(); d.plantSome() }},
		{"Identifying fields with a WebSocket handshake", plantSocket},
		{"Identifying fields from a client of HTTP/1.0", plantOldVersion},
		{"Fields that come twice", plantDuplicates},
		{"Chunk extensions of an upload", plantChunks},
		{"Trailers of an upload", plantTrailers},
	} {
		out = append(out, probe{name: p.name, section: planted, build: p.build, check: reached})
	}
	return out
}

// reached checks that the request arrived and was answered with success of some
// kind: otherwise it would prove nothing that nothing leaked.
func reached(t *trial) error {
	_, err := t.arrived()
	return all(err, t.answered(http.StatusOK, http.StatusNoContent, http.StatusPartialContent, http.StatusSwitchingProtocols))
}

func plantMadeUp(d *draft) {
	d.ask(firefox, aDocument)
	for _, name := range []string{"X-Zq-Label", "Uid", "x_shadow_id", "X.Dotted", "x!uid~", "Sec-Household", "X-Very-Ordinary",
		"If-Person", "Accept-Person"} {
		d.add(name, d.mark(name, Identity))
	}
	d.add("X-"+d.mark("a field's own name", Identity), "1")
}

func plantValues(d *draft) {
	d.ask(chrome, aDocument)
	for _, p := range []struct{ name, format string }{
		{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Bar/%s"},
		{"Accept", "text/html;u=%s,application/xhtml+xml,*/*;q=0.8"},
		{"Accept-Encoding", "gzip, deflate, br, x-%s"},
		{"Accept-Language", "nb-NO,nb;q=0.9,x-%s;q=0.1"},
		{"Accept-Charset", "utf-8, x-%s;q=0.5"},
		{"Cache-Control", `max-age=0, uid="%s"`},
		{"Pragma", "uid=%s"},
		{"Priority", "u=0, i, uid=%s"},
		{"sec-ch-ua", `"Chromium";v="156", "%s";v="156"`},
		{"sec-ch-ua-platform", `"%s"`},
		{"DNT", "%s"},
		{"Sec-GPC", "%s"},
		{"Upgrade-Insecure-Requests", "%s"},
		{"Sec-Fetch-User", "?1;uid=%s"},
		{"Save-Data", "on;uid=%s"},
		{"Prefer", "uid=%s"},
		{"Want-Digest", "%s;q=1"},
		{"Want-Repr-Digest", "%s=1"},
		{"Max-Forwards", "%s"},
		{"Range", "%s=0-1"},
		{"Device-Memory", "%s"},
		{"Downlink", "%s"},
	} {
		d.set(p.name, fmt.Sprintf(p.format, d.mark(p.name, Identity)))
	}
}

func plantHopByHop(d *draft) {
	d.ask(chrome, aDocument)
	d.drop("Connection")
	named := "X-" + d.mark("a name in Connection", Identity)
	d.add("Connection", "keep-alive, "+named)
	d.add(named, d.mark("a field that Connection names", Identity))
	d.add("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+d.seeds.id())))
	d.plants = append(d.plants, plant{"Proxy-Authorization", d.fields[len(d.fields)-1].Value[len("Basic "):], Identity})
	for _, p := range []struct{ name, format string }{
		{"Proxy-Connection", "keep-alive, %s"}, {"Keep-Alive", "timeout=5, uid=%s"}, {"TE", "trailers, x-%s"},
		{"Proxy-Features", "%s"}, {"Proxy-Instruction", "%s"}, {"HTTP2-Settings", "%s"},
	} {
		d.add(p.name, fmt.Sprintf(p.format, d.mark(p.name, Identity)))
	}
}

func plantThirdParty(d *draft) {
	d.ask(safari, anImage)
	d.set("Sec-Fetch-Site", "cross-site")
	d.set("Referer", "http://news.example/story/"+d.mark("the path of Referer", Identity)+"?u=1")
	d.add("Cookie", "uid="+d.mark("a third-party cookie", Identity))
	d.add("Cookie2", `$Version="1"; uid=`+d.mark("Cookie2", Identity))
}

func plantTracking(d *draft) {
	d.ask(chrome, aDocument)
	d.set("Sec-Fetch-Site", "cross-site")
	d.add("Referer", "http://search.example/?q="+d.mark("the query of Referer", Identity))
	d.suffix = "?q=shoes"
	for _, name := range []string{"utm_source", "utm_campaign", "utm_id", "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid",
		"mc_eid", "yclid", "_hsenc", "mkt_tok", "igshid", "twclid", "ttclid", "li_fat_id", "vero_id", "oly_enc_id"} {
		d.suffix += "&" + name + "=" + d.mark("the parameter "+name, Identity)
	}
}

func plantAuthority(d *draft) {
	d.ask(firefox, aDocument)
	d.userinfo = d.mark("the user name of the URL", Identity) + ":secret@"
	d.set("Host", d.mark("a Host that the URL contradicts", Identity)+".example")
}

func plantValidators(d *draft) {
	d.ask(chrome, anImage)
	d.add("If-None-Match", `"`+d.mark("If-None-Match", Identity)+`"`)
	when := d.pastDate()
	d.add("If-Modified-Since", when)
	d.plants = append(d.plants, plant{"If-Modified-Since", when, Identity})
}

// pastDate draws a date to the second: one of so many that it identifies.
func (d *draft) pastDate() string {
	return time.Unix(1_000_000_000+d.seeds.rng.Int64N(500_000_000), 0).UTC().Format(http.TimeFormat)
}

func plantOwnAddress(d *draft) {
	d.ask(chrome, aFetch)
	if !d.own.IsValid() {
		return
	}
	for i, spelling := range spellings(d.own) {
		name := fmt.Sprintf("X-Panel-%c", 'A'+i)
		d.add(name, fmt.Sprintf(`{"at":"%s"}`, spelling))
		d.plants = append(d.plants, plant{name + " (" + spelling + ")", spelling, Route})
	}
}

// plantUnlisted uses names that no vendor has taken, made of words that
// say what they hold, or nothing.
func plantUnlisted(d *draft) {
	d.ask(chrome, aFetch)
	for _, n := range []named{
		{"X-Acme-Client-IP", anID, Route}, {"Wan-Addr", anID, Route}, {"remote_host", anID, Route}, {"X-Geo-City", anID, Route},
		{"Edge-Visitor-Country", anID, Route}, {"X-Subscriber-Number", aPhone, Identity}, {"Handset-Serial", anID, Identity},
		{"My-Device-Id", aUUID, Identity}, {"X-Visitor-Fingerprint", aHex, Identity}, {"Acme-Trace-Id", aHex, Identity},
		{"X-SpanId", aHex, Identity}, {"X-Panel-Mail", aMail, Identity}, {"X-Panel-Hardware", aMAC, Identity},
		{"X-Panel-Place", aPlace, Route}, {"X-Panel-Other", anAddress6, Route},
		// Names that say nothing, and values that name somebody.
		{"X-Panel-Mode", aUUID, Identity}, {"Debug", anID, Identity}, {"Pink-Pony", aHex, Identity},
		{"X-Panel-Version", aHex, Identity}, {"Panel", aDictionary, Identity},
	} {
		d.plantField(n)
	}
}

// plantSome adds every sixth of the identifying fields.
func (d *draft) plantSome() {
	for i := 0; i < len(identifying); i += 6 {
		d.plantField(identifying[i])
	}
}

func plantSocket(d *draft) {
	d.askSocket()
	d.plantSome()
	d.add("Sec-WebSocket-Extensions", "permessage-deflate; uid="+d.mark("Sec-WebSocket-Extensions", Identity))
	key := base64.StdEncoding.EncodeToString([]byte(d.seeds.id())) // of 16 bytes, as it must be
	d.set("Sec-WebSocket-Key", key)
	d.plants = append(d.plants, plant{"Sec-WebSocket-Key", key, Identity})
}

func plantOldVersion(d *draft) {
	d.ask(firefox, aDocument)
	d.plantSome()
	d.raw = []byte(strings.Replace(string(request(d.method, d.target(), d.fields, "")), " HTTP/1.1\r\n", " HTTP/1.0\r\n", 1))
}

func plantDuplicates(d *draft) {
	d.ask(firefox, aDocument)
	for _, name := range []string{"User-Agent", "Accept", "Accept-Language", "Upgrade-Insecure-Requests", "X-Forwarded-For", "x-forwarded-for"} {
		d.add(name, d.mark("a second "+name, Identity))
	}
}

// askSocket begins a WebSocket handshake (RFC 6455 §4.1).
func (d *draft) askSocket() {
	d.ask(chrome, aFetch)
	d.resource = "socket"
	d.drop("Connection")
	for _, f := range []Field{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Origin", d.site()},
		{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}} {
		d.add(f.Name, f.Value)
	}
}

// askPermission begins a CORS preflight, as the Fetch standard has it.
func (d *draft) askPermission() {
	d.ask(chrome, aFetch)
	d.method, d.resource = http.MethodOptions, "cors"
	d.set("Sec-Fetch-Site", "cross-site")
	d.drop("Referer")
	d.add("Origin", "http://shop.example")
	d.add("Access-Control-Request-Method", "PUT")
	d.add("Access-Control-Request-Headers", "content-type,x-csrf-token")
}

func (d *draft) askUpload() {
	d.ask(firefox, aFetch)
	d.method, d.resource = http.MethodPost, "upload"
	d.add("Content-Type", "application/octet-stream")
	d.add("Transfer-Encoding", "chunked")
}

func plantChunks(d *draft) {
	d.askUpload()
	d.body = "5;uid=" + d.mark("a chunk extension", Identity) + "\r\nhello\r\n0;" + d.mark("the last chunk's extension", Identity) + "\r\n\r\n"
}

func plantTrailers(d *draft) {
	d.askUpload()
	d.add("Trailer", "X-Uid")
	d.body = chunk("hello") + "0\r\nX-Uid: " + d.mark("a trailer", Identity) +
		"\r\nX-Forwarded-For: " + d.mark("X-Forwarded-For as a trailer", Route) + "\r\n\r\n"
}

// malformedProbes are requests that a proxy may refuse. If it sends them
// on, what they hide must not arrive.
func malformedProbes() []probe {
	var out []probe
	for _, m := range []struct{ name, lines string }{
		{"A folded field", "X-Folded: a\r\n %s\r\n"},
		{"A space before the colon", "X-Forwarded-For : %s\r\n"},
		{"Lines that end with a bare LF", "X-Forwarded-For: %s\n"},
		{"A bare CR inside a value", "X-Harmless: a\rX-Forwarded-For: %s\r\n"},
		{"Bytes beyond ASCII", "X-Forwarded-For: \xe9%s\r\n"},
		{"A NUL in a value", "X-Harmless: \x00%s\r\n"},
		{"A second Host", "Host: %s.example\r\n"},
		{"A field without a name", ": %s\r\n"},
		{"A line without a colon", "%s\r\n"},
	} {
		out = append(out, probe{name: m.name, section: malformed, refusable: true, build: func(d *draft) {
			d.ask(chrome, aDocument)
			whole := string(request(d.method, d.target(), d.fields, ""))
			d.raw = []byte(strings.TrimSuffix(whole, "\r\n") + fmt.Sprintf(m.lines, d.mark(strings.ToLower(m.name[:1])+m.name[1:], Identity)) + "\r\n")
		}})
	}
	return append(out, probe{name: "A fragment in the target", section: malformed, refusable: true, build: func(d *draft) {
		d.ask(chrome, aDocument)
		d.suffix = "#" + d.mark("the fragment", Identity)
	}})
}

// ordinaryProbes are what browsers send every day, with the identifying
// things that come along by themselves.
func ordinaryProbes() []probe {
	var out []probe
	for _, o := range []struct {
		v visitor
		k kind
	}{
		{firefox, aDocument}, {chrome, aDocument}, {safari, aDocument}, {chrome, anImage}, {firefox, aStyle},
		{safari, aScript}, {firefox, aFont}, {safari, aMedia}, {chrome, aFetch},
	} {
		out = append(out, probe{name: o.v.browser.name + " asks for " + o.k.a(), section: ordinary, build: func(d *draft) {
			d.ask(o.v, o.k)
			if o.k != aDocument {
				d.set("Referer", d.site()+"/diary/"+d.mark("the path of Referer", Identity))
			}
			d.add("X-Forwarded-For", d.seeds.address())
			d.plants = append(d.plants, plant{"X-Forwarded-For", d.fields[len(d.fields)-1].Value, Route})
			d.add("Via", "1.1 "+d.mark("Via", Route)+".lan (home router)")
		}})
	}
	return out
}
