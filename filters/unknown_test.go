package filters

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestUnknownFields(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy UnknownPolicy
		kind   Kind
		host   string
		field  string
		passes bool
	}{
		{"a script may send what it likes", UnknownPass, Fetch, "a.example", "X-Acme-Mode", true},
		{"a browser sends nothing like it for a page", UnknownPass, Document, "a.example", "X-Acme-Mode", false},
		{"nor for an image", UnknownPass, Image, "a.example", "X-Acme-Mode", false},
		{"nor for a WebSocket", UnknownPass, WebSocket, "a.example", "X-Acme-Mode", false},
		{"frameworks fetch pages with known fields", UnknownPass, Document, "a.example", "Turbo-Frame", true},
		{"drop keeps registered fields", UnknownDrop, Fetch, "a.example", "Content-Type", true},
		{"drop keeps fields of WebDAV", UnknownDrop, Fetch, "a.example", "If-Schedule-Tag-Match", true},
		{"drop keeps what the issue of idempotency needs", UnknownDrop, Fetch, "a.example", "Idempotency-Key", true},
		{"nor a registered field that browsers have no use for", UnknownPass, Document, "a.example", "Slug", false},
		{"nor a field of content that asking has not", UnknownPass, Document, "a.example", "Content-Acme", false},
		{"a script may send registered fields", UnknownPass, Fetch, "a.example", "Soapaction", true},
		{"drop removes what is not registered", UnknownDrop, Fetch, "a.example", "X-Csrf-Token", false},
		{"drop removes content fields that are not registered", UnknownDrop, Fetch, "a.example", "Content-Acme", false},
		{"drop removes vendors' fields", UnknownDrop, Fetch, "a.example", "X-Amz-Date", false},
		{"drop removes response fields", UnknownDrop, Fetch, "a.example", "Etag", false},
		{"the list allows", UnknownDrop, Fetch, "a.example", "X-Listed", true},
		{"the list allows whatever the kind", UnknownPass, Document, "a.example", "X-Listed", true},
		{"the list allows names that tell", UnknownPass, Fetch, "a.example", "X-Listed-User-Id", true},
		{"a name of strange characters", UnknownPass, Fetch, "a.example", "X-A!b", false},
		{"a name that ends in a mark", UnknownPass, Fetch, "a.example", "Cookie_", false},
		{"a name of digits", UnknownPass, Fetch, "a.example", "12", false},
		{"a name of tilde", UnknownPass, Fetch, "a.example", "~", false},
		{"a name longer than any in use", UnknownPass, Fetch, "a.example", "X-" + strings.Repeat("Abc-", 20), false},
		{"a Sec field no rule knows", UnknownPass, Fetch, "a.example", "Sec-Acme", false},
		{"what Emacs tells every server", UnknownPass, Fetch, "a.example", "Extension", false},
		{"Twitch needs its Client-Id", UnknownPass, Fetch, "gql.twitch.tv", "Client-Id", true},
		{"others do not", UnknownPass, Fetch, "twitch.tv.example", "Client-Id", false},
		{"the store of snaps asks which package is wanted", UnknownPass, Fetch, "api.snapcraft.io", "Snap-Device-Architecture", true},
		{"and takes one series", UnknownPass, Fetch, "api.snapcraft.io", "Snap-Device-Series", false},
		{"Plex signs in nobody without", UnknownPass, Fetch, "plex.tv", "X-Plex-Client-Identifier", true},
		{"others learn of no player", UnknownPass, Fetch, "a.example", "X-Plex-Client-Identifier", false},
		{"nor does Ring", UnknownPass, Fetch, "oauth.ring.com", "Hardware_id", true},
		{"or without the second proof", UnknownPass, Fetch, "oauth.ring.com", "2fa-Code", true},
		{"Expo updates no app without", UnknownPass, Fetch, "u.expo.dev", "Expo-Platform", true},
		{"hardware is nobody else's business", UnknownPass, Fetch, "a.example", "Hardware_id", false},
		{"a second proof is one at Fastly, too", UnknownPass, Fetch, "api.fastly.com", "Fastly-Otp", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := scriptRequest(test.field, "abc")
			if test.field == "Content-Type" {
				m = scriptRequest(test.field, "text/plain")
			}
			m.Visit.Kind = test.kind
			m.Request.URL.Host = test.host
			apply(fieldFilters(test.policy, "x-listed", "x-listed-user-id"), m, nil)
			if got := m.Request.Header[test.field] != nil; got != test.passes {
				t.Errorf("passes: %v, want %v", got, test.passes)
			}
		})
	}
}

// Kits of apps ask for images as browsers do, and prove who asks.
func TestProgramsProveThemselvesWhateverTheyLoad(t *testing.T) {
	for agent, passes := range map[string]bool{"Photos/2 CFNetwork/1494 Darwin/23": true, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": false} {
		h := http.Header{"User-Agent": {agent}, "Accept": {"image/*,*/*;q=0.8"}, "X-Acme-Token": {"0a1b2c3d4e5f"}, "X-Acme-Mode": {"fast"}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://photos.example/1", h))
		if (h["X-Acme-Token"] != nil) != passes || h["X-Acme-Mode"] != nil {
			t.Errorf("%s: left %v", agent, h)
		}
	}
}

// Whose an answer is, can be told in a field of which no cache knows.
func TestAnswersToOtherCredentialsArePersonal(t *testing.T) {
	for field, want := range map[string]bool{
		"X-Auth-Token: alice": true, "Private-Token: glpat-3f2b8c1e": true, "X-Metabase-Session: 8e03978e-40d5-43dd": true,
		"X-Tenant-Id: 4711-0815": true, "X-Requested-With: XMLHttpRequest": false, "Hx-Target: list": false, "X-Api-Version: 2": false,
		"X-User-Id: 4711":         false, // does not pass
		"Authorization: Bearer a": false, "Cookie: a=b": false, "Range: bytes=0-1": false, "Accept: application/json": false,
	} {
		name, value, _ := strings.Cut(field, ": ")
		s := newSet(t, Options{})
		m := s.Read(newRequest(t, "GET", "https://api.example/", http.Header{name: {value}}), netip.Addr{})
		s.Request(m, nil)
		if m.Visit.Personal != want {
			t.Errorf("%s: personal %v", field, !want)
		}
	}
}

func TestOneOfEachSingletonPasses(t *testing.T) {
	m := scriptRequest("Authorization", "Bearer a", "Authorization", "canary", "Content-Type", "text/plain", "Content-Type", "canary",
		"If-None-Match", `"a"`, "If-None-Match", `"b"`)
	clean(m)
	want := http.Header{"Authorization": {"Bearer a"}, "Content-Type": {"text/plain"}, "If-None-Match": {`"a"`, `"b"`}}
	if !maps.EqualFunc(m.Request.Header, want, slices.Equal) {
		t.Errorf("got %v", m.Request.Header)
	}
}

func TestWhatHopByHopLeavesStays(t *testing.T) {
	m := scriptRequest("Te", "trailers", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Key", "k")
	m.Visit.Kind = WebSocket
	if log := clean(m); len(m.Request.Header) != 4 || len(log) != 0 {
		t.Errorf("left: %v, changed: %v", m.Request.Header, log)
	}
}

func TestRequestedWithSaysScriptOrNothing(t *testing.T) {
	for value, passes := range map[string]bool{"XMLHttpRequest": true, "fetch": true, "com.example.app": false, "xmlhttprequest ": false, "XMLHttpRequest, canary": false, "": false} {
		m := scriptRequest("X-Requested-With", value)
		clean(m)
		if got := len(m.Request.Header) == 1; got != passes {
			t.Errorf("%q passes: %v", value, got)
		}
	}
}

// Qualys asks for the field, whatever it says; what a program says there is its name.
func TestProgramsThatProveThemselvesSayThatAScriptAsks(t *testing.T) {
	for fields, want := range map[string]string{"X-Requested-With: Qualys Postman|Authorization: Basic YTpi": "XMLHttpRequest", "X-Requested-With: curl|Cookie: a=b": "",
		"X-Requested-With: com.example.app|Authorization: Basic YTpi|User-Agent: Mozilla/5.0 (Linux; Android 10; K)": ""} {
		h := http.Header{}
		for field := range strings.SplitSeq(fields, "|") {
			name, value, _ := strings.Cut(field, ": ")
			h[name] = []string{value}
		}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://api.example/", h))
		if got := h.Get("X-Requested-With"); got != want {
			t.Errorf("%s: %q", fields, got)
		}
	}
}

// A WebView adds its app's package name even if the page's script set the field.
func TestScriptsWordStandsBesideAnApps(t *testing.T) {
	for _, lines := range [][]string{{"XMLHttpRequest", "com.example.app"}, {"com.example.app", "XMLHttpRequest"}, {"com.example.app", "XMLHttpRequest, XMLHttpRequest"}} {
		m := scriptRequest("X-Requested-With", lines[0], "X-Requested-With", lines[1])
		clean(m)
		if got := m.Request.Header["X-Requested-With"]; !slices.Equal(got, []string{"XMLHttpRequest"}) {
			t.Errorf("%q became %q", lines, got)
		}
	}
}

func TestFieldsOfChangesGoFromRequestsThatChangeNothing(t *testing.T) {
	for name, value := range map[string]string{
		"Destination": "http://origin.example/b", "If": "(<opaquelocktoken:1>)", "Lock-Token": "<opaquelocktoken:1>", "Overwrite": "F",
		"Timeout": "Infinite", "Slug": "canary", "Topic": "canary", "Link": "</a>; rel=type", "Position": "first", "Repeatability-Request-Id": "canary",
	} {
		for method, passes := range map[string]bool{"GET": false, "HEAD": false, "PUT": true, "LOCK": true, "COPY": true} {
			m := scriptRequest(name, value)
			m.Request.Method, m.Request.ContentLength = method, 0
			if !safe(method) {
				m.Request.ContentLength = 5
			}
			if clean(m); (m.Request.Header[name] != nil) != passes {
				t.Errorf("%s %s: passes %v", method, name, !passes)
			}
		}
	}
}

func TestLastEventIDGoesWithEventsAlone(t *testing.T) {
	for accept, passes := range map[string]bool{"text/event-stream": true, "*/*": false, "application/json, Text/Event-Stream": true} {
		m := scriptRequest("Accept", accept, "Last-Event-Id", "42")
		if clean(m); (m.Request.Header["Last-Event-Id"] != nil) != passes {
			t.Errorf("Accept: %s: passes %v", accept, !passes)
		}
	}
}

func TestKnownValuesAreRebuilt(t *testing.T) {
	for _, test := range []struct{ name, sent, got string }{
		{"Cache-Control", "no-cache", "no-cache"},
		{"Cache-Control", "max-age=0", "max-age=0"},
		{"Cache-Control", "canary", ""},
		{"Cache-Control", "canary=1, No-Cache , max-age=0", "no-cache, max-age=0"},
		{"Cache-Control", "max-age=007, NO-STORE", "no-store, max-age=7"},
		{"Cache-Control", `max-age="60"`, "max-age=60"},
		{"Cache-Control", `x="a, no-store, b", no-transform`, "no-transform"},
		{"Cache-Control", `x="a\", no-store, b", no-transform`, "no-transform"},
		{"Cache-Control", "max-age=1, max-age=2", "max-age=1"},
		{"Cache-Control", "max-stale, min-fresh=20,only-if-cached", "only-if-cached, max-stale, min-fresh=20"},
		{"Cache-Control", "max-stale=, max-age, min-fresh=-1, no-store=canary", "no-store"},
		{"Cache-Control", "max-age=424242", "max-age=421200"}, {"Cache-Control", "max-age=59, min-fresh=119, max-stale=13371", "max-age=59, max-stale=10800, min-fresh=60"},
		{"Cache-Control", "max-age=99999999999999999999999", "max-age=31536000"},
		{"Cache-Control", "stale-if-error=60, stale-while-revalidate=60, s-maxage=60, private", "stale-if-error=60"},
		{"Pragma", "no-cache", "no-cache"}, {"Pragma", "No-Cache, canary", "no-cache"}, {"Pragma", "canary=no-cache", ""},
		{"Expect", "100-Continue", "100-continue"}, {"Expect", "100-continue;canary", ""}, {"Expect", "200-ok", ""},
		{"Range", "bytes=0-1,5-", "bytes=0-1,5-"}, {"Range", "canary=0-1", ""}, {"Range", "bytes=canary", ""}, {"Range", "bytes", ""},
		{"Range", "id ]8e03978e-40d5..; max=200", "id ]8e03978e-40d5..; max=200"}, {"Range", "name ..; order=desc", "name ..; order=desc"}, {"Range", "canary ..; max=1", ""},
		{"Range", "0-24", "0-24"}, {"Range", "items=0-24", "items=0-24"}, {"Range", "bytes=1", ""},
		{"Range", "bytes=-500", "bytes=-500"}, {"Range", "bytes=0-0, 099-1000", "bytes=0-0, 099-1000"}, {"Range", "192-0-2-7", ""}, {"Range", "bytes=0-1,192", ""}, {"Range", "bytes=9-8", ""}, {"Range", "bytes=--1", ""}, {"Range", "bytes=1 2-3", ""},
		{"Prefer", "wait=010, return=Minimal; canary=1, canary, timezone=Europe/Berlin, wait=7", "return=minimal, wait=10"},
		{"Prefer", `return=representation; include="http://www.w3.org/ns/ldp#PreferMinimalContainer http://canary.example/"; canary=1`, `return=representation; include="http://www.w3.org/ns/ldp#PreferMinimalContainer"`},
		{"Prefer", "return=canary", ""}, {"Prefer", "respond-async", "respond-async"}, {"Prefer", "count=exact, resolution=merge-duplicates", "resolution=merge-duplicates, count=exact"},
		{"Max-Forwards", "10", ""}, {"Date", "Sat, 29 Oct 1994 19:43:31 GMT", ""},
		{"Prefer", `odata.include-annotations="DISPLAY.*, *,*,display.*,canary"`, `odata.include-annotations="*,display.*"`},
		{"Prefer", `return=representation; include="http://www.w3.org/ns/ldp#PreferCanary http://www.w3.org/ns/ldp#PreferMembership http://www.w3.org/ns/ldp#PreferContainment http://www.w3.org/ns/ldp#PreferMembership"`,
			`return=representation; include="http://www.w3.org/ns/ldp#PreferContainment http://www.w3.org/ns/ldp#PreferMembership"`},
		{"Want-Repr-Digest", "sha=1, sha=2, sha=7, md5=1, md5=3", "sha=1, md5=1"},
		{"Want-Repr-Digest", "SHA-256=10, canary=3, md5=11, sha-512=3", "sha-256=10, sha-512=3"}, {"Want-Digest", "SHA-256;q=0.3, sha;q=canary, md5", "sha-256;q=0.3, md5"},
		{"Prefer", `odata.include-annotations="odata.community.display.v1.FORMATTEDVALUE,*,7f3a.*"`, `odata.include-annotations="*,OData.Community.Display.V1.FormattedValue"`},
		{"Prefer", `odata.include-annotations="7f3a"`, ""}, {"Prefer", `outlook.timezone="America/Denver", IdType="ImmutableId"`, "idtype=ImmutableId"},
		{"Sec-Purpose", "prefetch", "prefetch"}, {"Sec-Purpose", "prefetch;prerender", "prefetch"}, {"Sec-Purpose", "canary", ""},
	} {
		m := scriptRequest(test.name, test.sent)
		log := clean(m)
		if got := m.Request.Header.Get(test.name); got != test.got {
			t.Errorf("%s: %s became %q, want %q", test.name, test.sent, got, test.got)
		}
		if (test.sent != test.got) != (len(log) == 1) {
			t.Errorf("%s: %s: logged %v", test.name, test.sent, log)
		}
	}
}

func TestPagesElsewhereStayUnnamed(t *testing.T) {
	for value, passes := range map[string]bool{
		"http://origin.example/list?page=2": true, "https://www.origin.example/": true, "https://else.example": true,
		"https://else.example/read/canary": false, "HTTP://else.example/": false, "httpd/2.4": true,
		"file:///home/canary/a.html": false,
	} {
		m := scriptRequest("Hx-Current-Url", value)
		if clean(m); (m.Request.Header["Hx-Current-Url"] != nil) != passes {
			t.Errorf("%s: passes %v", value, !passes)
		}
		m = scriptRequest("Content-Location", value)
		m.Request.Method = http.MethodPut
		if clean(m); (m.Request.Header["Content-Location"] != nil) != passes {
			t.Errorf("Content-Location: %s: passes %v", value, !passes)
		}
	}
}

func TestMaxForwardsMattersToOptionsAlone(t *testing.T) {
	m := scriptRequest("Max-Forwards", "0010")
	m.Request.Method = http.MethodOptions
	clean(m)
	if got := m.Request.Header.Get("Max-Forwards"); got != "10" {
		t.Errorf("got %q", got)
	}
}

func TestDateStaysWhereItIsSigned(t *testing.T) {
	const date = "Sat, 29 Oct 1994 19:43:31 GMT"
	m := scriptRequest("Date", date, "Signature", `keyId="k",headers="date"`) // ActivityPub's
	if clean(m); m.Request.Header.Get("Date") != date {
		t.Error("a Signature: Date goes")
	}
	for authorization, stays := range map[string]bool{"AWS AKIA:sig": true, `Signature keyId="k",headers="date"`: true, "Basic YTpi": false, "Bearer t": false,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("DIWJ8X6AEYOR5OMC6TQ1:"+strings.Repeat("a1ce9ca75f", 4))): true} {
		m := scriptRequest("Date", date, "Authorization", authorization)
		clean(m)
		if got := m.Request.Header.Get("Date") == date; got != stays {
			t.Errorf("%s: Date stays: %v", authorization, got)
		}
	}
}

// randomMessage draws a request from the tables, from made-up names, and from
// values that the rules know.
func randomMessage(rng *rand.Rand, known []string) *Message {
	values := []string{"canary", "192.0.2.7", "no-cache, canary", "close, x-a, te", "gzip, trailers", "websocket", "bytes=0-1", "MTkyLjAuMi43",
		"upgrade", "return=minimal", "a, b", "", "XMLHttpRequest", "alice@example.org", "100-continue", "12345678901234"}
	m := scriptRequest()
	m.Visit.Kind = []Kind{Fetch, Document, Image, WebSocket}[rng.IntN(4)]
	for range rng.IntN(12) {
		name := known[rng.IntN(len(known))]
		switch rng.IntN(6) {
		case 0:
			name = strings.ReplaceAll(name, "-", "_")
		case 1:
			name = strings.ToLower(name)
		case 2:
			name = fmt.Sprintf("X-%c%s", 'A'+rune(rng.IntN(26)), name)
		}
		m.Request.Header[name] = append(m.Request.Header[name], values[rng.IntN(len(values))])
	}
	return m
}

func TestASecondTimeNothingChanges(t *testing.T) {
	var known []string
	for name := range names.exact {
		known = append(known, name)
	}
	slices.Sort(known)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		m := randomMessage(rng, known)
		sent := maps.Clone(m.Request.Header)
		for _, f := range fieldFilters(UnknownPolicy(rng.IntN(3)), "x-a") {
			f.Apply(m, nil)
			once := maps.Clone(m.Request.Header)
			if log := f.Apply(m, nil); len(log) > 0 || !maps.EqualFunc(once, m.Request.Header, slices.Equal) {
				t.Fatalf("%T: %v, sent %v, changes a second time: %v", f, once, sent, log)
			}
		}
	}
}

func TestChangesHoldNoValue(t *testing.T) {
	m := scriptRequest("X-Forwarded-For", "canary", "From", "canary", "X-Note", "canary@example.org", "Cache-Control", "canary", "Connection", "canary", "Canary2", "a@b.example")
	m.Request.URL, _ = url.Parse("http://canary:canary@origin.example/?utm_source=canary&fbclid=canary#canary")
	for _, c := range clean(m) {
		if c.Field != "Canary2" && strings.Contains(c.Field+c.Why, "canary") {
			t.Errorf("%v", c)
		}
	}
}

func FuzzRebuild(f *testing.F) {
	for _, v := range []string{`max-age=1, no-cache`, `x="a\"`, `return=minimal;a`, "bytes=0-1", "sha-256=3", ",,,", `"`} {
		f.Add(v)
	}
	words := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' })
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"Cache-Control", "Pragma", "Expect", "Prefer", "Range", "Want-Repr-Digest", "Want-Digest", "Sec-Purpose"} {
			m := scriptRequest()
			once := rebuild(m, name, []string{value})
			if twice := rebuild(m, name, []string{once}); once != "" && twice != once {
				t.Errorf("%s: %q became %q, then %q", name, value, once, twice)
			}
			if strings.ContainsAny(once, "\r\n\x00") {
				t.Errorf("%s: %q became %q", name, value, once)
			}
			// What comes out is made of words of a closed list and of numbers.
			for _, w := range words(once) {
				if strings.Trim(w, "0123456789") != "" && len(w) > 20 {
					t.Errorf("%s: %q holds %q", name, once, w)
				}
			}
		}
	})
}

func BenchmarkTypicalRequest(b *testing.B) {
	header := http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en-US,en;q=0.5"}, "Accept-Encoding": {"gzip, deflate, br, zstd"}, "Cookie": {"a=b; c=d"},
		"Referer": {"http://origin.example/"}, "Upgrade-Insecure-Requests": {"1"}, "Dnt": {"1"}, "Sec-Gpc": {"1"},
		"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}, "Priority": {"u=0, i"},
	}
	m := scriptRequest()
	m.Request.URL, _ = url.Parse("http://origin.example/search?q=a+b&page=2&sort=price")
	m.Request.Header = header
	m.Visit.Kind = Document
	list := fieldFilters(UnknownPass)
	log := make([]Change, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		apply(list, m, log[:0])
	}
	if len(header) != 13 {
		b.Errorf("left: %v", header)
	}
}

// What a GET brings is stored as that of its URL: no field makes another method of it.
func TestSafeMethodsMeanThemselves(t *testing.T) {
	for _, name := range []string{"X-Http-Method", "X-Http-Method-Override", "X-Method-Override"} {
		for method, passes := range map[string]bool{http.MethodGet: false, http.MethodHead: false, http.MethodPost: true} {
			m := scriptRequest(name, "DELETE")
			m.Request.Method = method
			if clean(m); (m.Request.Header[name] != nil) != passes {
				t.Errorf("%s of %s: passes %t", name, method, !passes)
			}
		}
	}
}

// What a person filled in comes with its type, and without what only scripts add.
func TestFormsHoldTheirTypeAlone(t *testing.T) {
	for _, media := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
			"Content-Type": {media}, "If-Match": {`"v7"`}, "X-Api-Key": {"a1"}, "X-Acme-Mode": {"fast"}}
		r := newRequest(t, "POST", "http://site.example/a", h)
		r.ContentLength = 5
		scrubbed(t, newSet(t, Options{}), r)
		if !strings.HasPrefix(h.Get("Content-Type"), media[:9]) || h["If-Match"] != nil || h["X-Api-Key"] != nil || h["X-Acme-Mode"] != nil {
			t.Errorf("%s: left %v", media, h)
		}
	}
}

// GET alone asks for a part (RFC 9110 §14.2).
func TestRangesGoFromFormsAndPreflights(t *testing.T) {
	for method, fields := range map[string]http.Header{
		"POST":    {"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Content-Type": {"application/x-www-form-urlencoded"}},
		"OPTIONS": {"Accept": {"*/*"}, "Access-Control-Request-Method": {"PUT"}, "Origin": {"https://other.example"}},
		"GET":     {"Accept": {"*/*"}},
	} {
		fields["User-Agent"], fields["Range"] = []string{"Mozilla/5.0 (X11; Linux x86_64)"}, []string{"bytes=1337-4242"}
		r := newRequest(t, method, "http://site.example/a", fields)
		if method == "POST" {
			r.ContentLength = 3
		}
		scrubbed(t, newSet(t, Options{}), r)
		if passes := fields["Range"] != nil; passes != (method == "GET") {
			t.Errorf("%s: passes %t", method, passes)
		}
	}
}

// What one protocol asks of each of its requests tells of a client in any other.
func TestFieldsOfAProtocolGoFromOthers(t *testing.T) {
	for media, passes := range map[string]bool{"application/mapi-http": true, "Application/MAPI-HTTP": true, "application/json": false, "": false} {
		for _, name := range []string{"X-Requestid", "X-Clientinfo", "X-Clientapplication"} {
			m := scriptRequest(name, "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:1", "Content-Type", media)
			m.Request.Method, m.Request.ContentLength = "POST", 5
			if clean(m); (m.Request.Header[name] != nil) != passes {
				t.Errorf("%s with %q: passes %t", name, media, !passes)
			}
			m = scriptRequest(name, "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:1", "Content-Type", media)
			if clean(m); m.Request.Header[name] != nil {
				t.Errorf("%s with %q: passes without content", name, media)
			}
		}
	}
}

// Servers give out a worker to nobody who does not ask for one, and for a page that a
// worker completes only what it lacks.
func TestBrowsersSayWhatTheirServiceWorkersNeed(t *testing.T) {
	const script, preload = "Service-Worker: script", "Service-Worker-Navigation-Preload: true"
	for _, policy := range []UnknownPolicy{UnknownPass, UnknownDrop} {
		for _, test := range []struct {
			dest, field, accept string
			passes              bool
		}{
			{"serviceworker", script, "*/*", true}, {"", script, "*/*", true}, {"image", script, "*/*", false}, {"document", script, "*/*", false},
			{"document", preload, "text/html,application/xhtml+xml,*/*;q=0.8", true}, {"", preload, "text/html,application/xhtml+xml,*/*;q=0.8", true},
			{"iframe", preload, "*/*", true}, {"image", preload, "*/*", false}, {"serviceworker", preload, "*/*", false},
		} {
			name, value, _ := strings.Cut(test.field, ": ")
			h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Accept": {test.accept}, name: {value}, "Referer": {"https://site.example/"}}
			if test.dest != "" {
				h["Sec-Fetch-Dest"] = []string{test.dest}
			}
			scrubbed(t, newSet(t, Options{Unknown: policy}), newRequest(t, "GET", "https://site.example/sw", h))
			if (h[name] != nil) != test.passes {
				t.Errorf("policy %d, %s for %q: passes %t", policy, test.field, test.dest, !test.passes)
			}
			if test.passes && name == "Service-Worker" && h.Get("Sec-Fetch-Dest") != "serviceworker" {
				t.Errorf("%q with Sec-Fetch-Dest %q is for %q", test.field, test.dest, h.Get("Sec-Fetch-Dest"))
			}
		}
	}
}

// A script adds no field to a beacon, nor to any request without CORS: what is there
// was put in on the way.
func TestNothingIsAddedToWhatIsAskedWithoutCORS(t *testing.T) {
	for _, test := range []struct {
		method, mode, agent string
		passes              bool
	}{
		{"POST", "no-cors", "Mozilla/5.0", false}, {"GET", "no-cors", "Mozilla/5.0", false}, {"POST", "cors", "Mozilla/5.0", true},
		{"PUT", "no-cors", "Mozilla/5.0", true}, {"POST", "no-cors", "node", true}, {"POST", "", "Mozilla/5.0", true},
	} {
		h := http.Header{"User-Agent": {test.agent}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {test.mode}, "X-Acme-Mode": {"fast"},
			"X-Acme-Token": {"3f2b8c1e5d7a"}, "Content-Type": {"text/plain;charset=UTF-8"}, "Origin": {"https://www.site.example"}}
		r := newRequest(t, test.method, "https://www.site.example/b", h)
		if test.method != "GET" {
			r.ContentLength = 1
		}
		scrubbed(t, newSet(t, Options{}), r)
		if got := h["X-Acme-Mode"] != nil && h["X-Acme-Token"] != nil; got != test.passes || !got && (h["X-Acme-Mode"] != nil || h["X-Acme-Token"] != nil) {
			t.Errorf("%s in mode %q of %q: left %v", test.method, test.mode, test.agent, h)
		}
		if test.method != "GET" && h.Get("Content-Type") != "text/plain;charset=UTF-8" {
			t.Errorf("%s: Content-Type became %q", test.method, h["Content-Type"])
		}
	}
}

// Who may act for others would act for themselves without the field that says so, and
// whoever proves nothing acts for nobody. No browser adds one.
func TestWhoActsForAnotherSaysSoBesideAProof(t *testing.T) {
	for _, name := range []string{"Sudo", "X-Redmine-Switch-User", "On-Behalf-Of", "X-On-Behalf-Of", "Assume-User", "Es-Security-Runas-User", "X-Impersonate", "X-Run-As"} {
		for _, test := range []struct {
			proof, agent, accept string
			passes               bool
		}{
			{"Authorization", "curl/8.5", "*/*", true}, {"X-Api-Key", "curl/8.5", "*/*", true}, {"X-Acme-Mode", "curl/8.5", "*/*", false},
			{"Cookie", "curl/8.5", "*/*", false}, {"Authorization", "Mozilla/5.0", "text/html,application/xhtml+xml,*/*;q=0.8", false},
		} {
			h := http.Header{"User-Agent": {test.agent}, "Accept": {test.accept}, test.proof: {"abc"}, name: {"ann"}}
			s := newSet(t, Options{})
			m := s.Read(newRequest(t, "GET", "https://api.example/", h), netip.Addr{})
			s.Request(m, nil)
			if (h[name] != nil) != test.passes || test.passes && !m.Visit.Personal {
				t.Errorf("%s beside %s of %s: left %v, personal %v", name, test.proof, test.agent, h, m.Visit.Personal)
			}
		}
	}
}
