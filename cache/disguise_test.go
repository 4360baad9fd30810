package cache

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	disguised = Options{Sharing: Disguised}
	apart     = Options{Sharing: PerClient}
)

// Each client of a disguised entry sees what it would see with a cache of its own.
func TestDisguise(t *testing.T) {
	const give = "200\nCache-Control: max-age=60, s-maxage=600\nDate: @-1s\n\na"
	const tagged, part = "200\nCache-Control: max-age=60\nETag: \"1\"", "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes "
	first := step{as: "a", give: give, want: "200\nDate: @0s\nCache-Control: max-age=30, s-maxage=570\n!Age\n!Cache-Status\n\na"}
	// The origin is asked by a newcomer while its present speed is not
	// known; what it says is not used.
	pretended := step{as: "b", give: strings.Replace(give, "\n\na", "\n\nA", 1), want: first.want}
	play(t, disguised, map[string][]step{
		"a second use is a hit, and its Age is since the first": {first,
			{after: 10 * time.Second, as: "a", want: "200\nAge: 10\nDate: @-10s\nCache-Control: max-age=30, s-maxage=570\n\na"}},
		"another's first use looks the same": {first, after(10*time.Second, pretended),
			{after: 5 * time.Second, as: "b", want: "200\nAge: 5\nDate: @-5s\n\na"},
			{as: "a", want: "200\nAge: 15\n\na"}},
		"what it was told ends before the origin's date": {first, after(28*time.Second, pretended),
			{after: 29 * time.Second, as: "b", want: "200\nAge: 29\n\na"},
			{after: 2 * time.Second, as: "b", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n!Age\n\nb"}},
		"after half the lifetime nobody new gets it": {first,
			{after: 31 * time.Second, as: "b", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"},
			{as: "b", want: "200\n\nb"}},
		"Expires is told in the same way": {
			{as: "a", give: "200\nExpires: @100s\nDate: @0s\n\na", want: "200\nExpires: @50s\nDate: @0s\n\na"},
			{after: 7 * time.Second, as: "b", give: "200\nExpires: @100s\nDate: @0s\n\na", want: "200\nExpires: @50s\nDate: @0s\n\na"}},
		"an origin's Age goes on": {
			{as: "a", give: "200\nCache-Control: max-age=100\nAge: 20\n\na", want: "200\nCache-Control: max-age=40\n!Age\n\na"},
			{after: 10 * time.Second, as: "b", give: "200\nCache-Control: max-age=100\nAge: 30\n\na", want: "200\nCache-Control: max-age=35\n!Age\n\na"}},
		"by the nearest second": {
			{as: "a", give: "200\nCache-Control: max-age=100\nAge: 20\n\na", want: "200\nCache-Control: max-age=40\n!Age\n\na"},
			{after: 9600 * time.Millisecond, as: "b", give: "200\nCache-Control: max-age=100\nAge: 30\n\na", want: "200\nCache-Control: max-age=35\n!Age\n\na"}},
		"without a lifetime it is used for as long as what is fetched now": {
			{as: "a", give: "200\nLast-Modified: @-5000s\n\na"},
			{after: 200 * time.Second, as: "b", give: "200\nLast-Modified: @-5200s\n\na", want: "200\n!Age\n\na"},
			{after: 259 * time.Second, as: "b", want: "200\nAge: 259\n\na"},
			{after: time.Second, as: "b", give: "200\nLast-Modified: @-5460s\n\nb", want: "200\n\nb"}},
		"an Expires that stays does not tell when it was told": {
			{as: "a", give: "200\nCache-Control: max-age=600\nExpires: @100000s\n\na", want: "200\nExpires: @300s\n\na"},
			{after: 10 * time.Second, as: "b", give: "200\nCache-Control: max-age=600\nExpires: @99990s\n\na", want: "200\nExpires: @300s\n\na"}},
		"nor does a lifetime that runs down": {
			{as: "a", give: "200\nCache-Control: max-age=599\n\na", want: "200\nCache-Control: max-age=299\n\na"},
			{after: 10 * time.Second, as: "b", give: "200\nCache-Control: max-age=589\n\na", want: "200\nCache-Control: max-age=294\n\na"}},
		"what the origin does not say any more is not given": {first,
			{as: "b", give: "404\nCache-Control: max-age=60\n\ngone", want: "404\nCache-Control: max-age=30\n\ngone"},
			{after: time.Second, as: "b", want: "404\nAge: 1\n\ngone"},
			{as: "a", want: "200\nAge: 1\n\na"},
			{as: "c", give: "404\nCache-Control: max-age=60\n\nGone", want: "404\nCache-Control: max-age=30\n\ngone"}},
		"what a client has stands in for a failure, whatever another has": {
			{as: "a", give: "200\nCache-Control: max-age=60, stale-if-error=600\n\nold"},
			{after: time.Minute, as: "b", give: "200\nCache-Control: max-age=60, stale-if-error=600\n\nnew"},
			{as: "a", give: "503\n\ndown", want: "200\nAge: 60\n\nold"},
			{as: "a", give: "error", want: "200\nAge: 60\n\nold"}},
		"a reload by one does not reach the other": {first, pretended,
			{as: "b", do: "GET /\nCache-Control: no-cache", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"},
			{as: "b", want: "200\n\nb"},
			{after: 5 * time.Second, as: "a", want: "200\nAge: 5\n\na"}},
		"nor does a write": {first, pretended,
			{as: "b", do: "POST /\n\nx", give: "204"},
			{as: "a", want: "200\n\na"},
			{as: "b", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"},
			{as: "a", want: "200\n\na"}},
		"after a write nobody new gets the old": {first,
			{as: "a", do: "POST /\n\nx", give: "204"},
			{as: "b", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"}},
		"only-if-cached tells of one's own": {first,
			{as: "b", do: "GET /\nCache-Control: only-if-cached", want: "504\n\n"},
			{as: "a", do: "GET /\nCache-Control: only-if-cached", want: "200\n\na"}},
		"a part, by another, is the origin's": {first,
			{as: "b", do: "GET /\nRange: bytes=0-0", give: "206\nContent-Range: bytes 0-0/1\n\na", want: "206\n\na"},
			{as: "a", do: "GET /\nRange: bytes=0-0", want: "206\n\na"}},
		"HEAD, by another, is the origin's": {first,
			{as: "b", do: "HEAD /", give: "200\nX: y", want: "200\nX: y"},
			{as: "a", do: "HEAD /", want: "200\n!X"}},
		"that a HEAD shows something new does not reach the other": {first, pretended,
			{as: "b", do: "HEAD /\nCache-Control: no-cache", give: "200\nETag: \"2\"", want: "200"},
			{as: "b", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"},
			{as: "a", want: "200\n\na"}},
		"an error that the newcomer's fetch meets is passed on": {first,
			{as: "b", give: "error", want: "error"},
			{as: "b", give: "503\n\ndown", want: "503\n\ndown"}},
		"cookies are never set for another": {
			{as: "a", give: "200\nCache-Control: public, max-age=60\nSet-Cookie: x=y\n\na", want: "200\nSet-Cookie: x=y\n\na"},
			{as: "b", give: "200\n\nb", want: "200\n\nb"}},
		"what cookies bought is their owner's": {
			{as: "a", do: "GET /\nCookie: x=y", give: "200\nCache-Control: max-age=60\nETag: \"1\"\n\na", want: "200\nETag: \"1\"\nCache-Control: max-age=60\n\na"},
			{as: "a", do: "GET /\nCookie: x=y", want: "200\nAge: 0\nETag: \"1\"\n\na"},
			{as: "b", do: "GET /\nCookie: x=y", give: "200\n\nb", want: "200\n\nb"}},
		"a part does not bring what another has of the rest": {
			{as: "a", give: tagged + "\n\n0123456789", want: "200\n\n0123456789"},
			{as: "b", do: "GET /\nRange: bytes=0-1", give: part + "0-1/10\n\n01", want: "206\n\n01"},
			{as: "b", do: "GET /\nRange: bytes=2-3", give: part + "2-3/10\n\n23", want: "206\n\n23"},
			{as: "b", do: "GET /\nRange: bytes=0-3", want: "206\n\n0123"},
			{as: "c", do: "GET /\nRange: bytes=4-5", give: part + "4-5/10\n\n45", want: "206\n\n45"},
			{as: "b", do: "GET /\nRange: bytes=4-5", give: part + "4-5/10\n\n45", want: "206\n\n45"},
			{as: "b", give: tagged + "\n\n0123456789", want: "200\n!Age\n\n0123456789"},
			{as: "a", want: "200\nAge: 0\n\n0123456789"}},
		"an Expires in the past does not tell when that was": {
			{as: "a", give: "200\nCache-Control: max-age=60\nExpires: @0s\n\na", want: "200\nExpires: 0\n\na"},
			{after: 7 * time.Second, as: "b", give: "200\nCache-Control: max-age=60\nExpires: @0s\n\na", want: "200\nExpires: 0\n\na"}},
		"what credentials bought is not another's for must-revalidate": {
			{as: "a", do: "GET /\nAuthorization: Bearer a", give: "200\nCache-Control: max-age=60, must-revalidate\n\na"},
			{as: "b", do: "GET /\nAuthorization: Bearer b", give: "200\nCache-Control: max-age=60, must-revalidate\n\nb", want: "200\n\nb"},
			{as: "a", proof: true, do: "GET /x", give: "200\nCache-Control: max-age=60, must-revalidate\n\na"},
			{as: "b", proof: true, do: "GET /x", give: "200\nCache-Control: max-age=60, must-revalidate\n\nb", want: "200\n\nb"}},
		"another site is another cache": {first, {as: "a", site: "b", give: "200\n\nb", want: "200\n\nb"}},
		"pages of whose sites nobody knows have none": {first,
			{as: "a", adrift: true, give: "200\nCache-Control: max-age=60\n\nb", want: "200\n!Age\n\nb"},
			{as: "a", adrift: true, give: "200\nCache-Control: max-age=60\n\nc", want: "200\n!Age\n\nc"},
			{as: "a", want: "200\n\na"}},
	})
}

// With enough fetches of late the origin is not asked: the wait is drawn.
func TestPretendedWait(t *testing.T) {
	s := newScene(t, disguised)
	s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		s.clock.advance(100 * time.Millisecond)
		return s.origin(r)
	}))
	s.letBodiesCome()
	const give = "200\nCache-Control: max-age=600\n\na"
	for i := range 6 {
		s.run(step{as: "a", do: fmt.Sprintf("GET /%d", i), give: give})
	}
	begun := s.clock.Now()
	s.run(step{as: "b", do: "GET /3", want: "200\n!Age\n\na"})
	if took := s.clock.Now().Sub(begun); took < 90*time.Millisecond || took > 128*time.Millisecond {
		t.Errorf("a first use took %v, the origin takes 100ms", took)
	}
	begun = s.clock.Now()
	s.run(step{as: "b", do: "GET /3", want: "200\nAge: 0\n\na"})
	if took := s.clock.Now().Sub(begun); took != 0 {
		t.Errorf("a second use took %v", took)
	}
	s.run(step{after: hour / 10, as: "b", do: "GET /4", give: give, want: "200\n!Age\n\na"})
}

// What the origin was just seen not to say any more, or may say otherwise each second, is
// asked about though it is known how long that takes.
func TestWhatMayNotBeSoIsAskedAbout(t *testing.T) {
	const runsDown = "200\nCache-Control: max-age=599\n\nb"
	s := newScene(t, disguised)
	s.letBodiesCome()
	s.run(step{as: "a", do: "GET /gone", give: "200\nCache-Control: max-age=600\n\na"},
		step{as: "a", do: "GET /left", give: runsDown},
		step{after: 3 * time.Second, as: "b", do: "GET /gone", give: "404\n\ngone", want: "404\n\ngone"})
	for i := range minSamples {
		s.run(step{as: "a", do: fmt.Sprintf("GET /%d", i), give: "200\nCache-Control: max-age=600\n\na"})
	}
	s.run(step{as: "b", do: "GET /0", want: "200\n\na"},
		step{as: "b", do: "GET /gone", give: "404\n\ngone", want: "404\n\ngone"},
		step{as: "b", do: "GET /left", give: runsDown, want: "200\n\nb"})
}

// RFC 9110 §13 with validators of the cache's own.
func TestOwnValidators(t *testing.T) {
	for name, o := range map[string]Options{"disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, o)
			const give = "200\nCache-Control: max-age=60\nETag: \"origin\"\nLast-Modified: @-1h\n\na"
			tag := func(as string) string {
				resp, _ := s.step(0, step{as: as, give: give, want: "200"})
				return resp.Header.Get("ETag")
			}
			a, b := tag("a"), tag("b")
			if a != b || strings.Contains(a, "origin") || !strings.HasPrefix(a, `"`) {
				t.Fatalf("tags %s, %s", a, b) // one of a client's own would be its name
			}
			resp, _ := s.step(0, step{as: "a", site: "site", give: give, want: "200"})
			other := resp.Header.Get("ETag")
			if other == a {
				t.Fatalf("tag %s on behalf of two sites", a)
			}
			s.run(
				step{as: "a", do: "GET /\nIf-None-Match: " + a, want: "304\nETag: " + a},
				step{as: "a", do: "GET /\nIf-None-Match: " + other, want: "200\n\na"},
				step{as: "a", do: "GET /\nRange: bytes=0-0\nIf-Range: " + a, want: "206\n\na"},
				step{as: "a", do: "GET /\nIf-None-Match: \"origin\"", want: "200\n\na"},
				// With nothing stored the origin still does not learn of them.
				step{as: "a", do: "GET /x\nIf-None-Match: " + a + "\nIf-Modified-Since: @0s", give: "200\n\nx",
					sent: "!If-None-Match\n!If-Modified-Since", want: "200\n\nx"},
				step{as: "a", do: "GET /y\nIf-None-Match: " + a, give: "200\nETag: \"origin\"\n\ny",
					sent: "!If-None-Match", want: "200\n\ny"},
				// A copy is good even if the store has lost it.
				step{do: "DELETE /", as: "a", give: "204"},
				step{as: "a", do: "GET /\nIf-None-Match: " + a, give: give, sent: "!If-None-Match", want: "304\nETag: " + a},
				// Writes carry what the origin understands.
				step{as: "a", do: "PUT /\nIf-Match: " + a + "\n\nx", give: "412", sent: "If-Match: \"origin\"", want: "412"},
				step{as: "b", do: "PUT /\nIf-Match: " + other + "\n\nx", give: "412", sent: "If-Match: " + other, want: "412"},
				step{as: "a", do: "PUT /\nIf-Unmodified-Since: @0s\n\nx", give: "412", sent: "If-Unmodified-Since: @0s", want: "412"},
				step{as: "a", do: "PUT /\nIf: (Not <urn:uuid:1> [" + a + "] [W/\"2\"])\n\nx", give: "412",
					sent: "If: (Not <urn:uuid:1> [\"origin\"] [W/\"2\"])", want: "412"},
				step{as: "a", do: "MOVE /x\nIf: </> (<urn:uuid:1>) ([" + a + "]) </y> ([" + a + "])", give: "412",
					sent: "If: </> (<urn:uuid:1>) ([\"origin\"]) </y> ([" + a + "])", want: "412"},
				step{as: "a", do: "LOCK /\nIf: <//other.example/> ([" + a + "])", give: "412", sent: "If: <//other.example/> ([" + a + "])", want: "412"},
				// What answers them is whoever puts together the parts of an upload to repeat.
				step{as: "a", do: "PUT /part\n\nx", give: "200\nETag: \"origin\"", want: "200\nETag: \"origin\""},
				step{as: "a", do: "GET /part\nIf-None-Match: \"origin\"", give: "200\n\nx", sent: "!If-None-Match", want: "200\n\nx"},
				// So do requests of whom the site knows anyway.
				step{as: "a", do: "GET /z\nCookie: x=y\nIf-None-Match: \"1\"", give: "304", sent: "If-None-Match: \"1\"", want: "304"},
			)
		})
	}
}

// A range is resumed without telling the origin which copy the client has.
func TestResume(t *testing.T) {
	s := newScene(t, disguised)
	const part = "206\nETag: \"1\"\nContent-Range: bytes 4-7/8\n\nrest"
	resp, _ := s.step(0, step{as: "a", give: "200\nETag: \"1\"\n\nhalfrest"})
	tag := resp.Header.Get("ETag")
	resume := "GET /\nRange: bytes=4-\nIf-Range: " + tag
	s.run(
		step{as: "a", do: resume, give: part, sent: "Range: bytes=4-\n!If-Range", want: "206\nETag: " + tag + "\n\nrest"},
		// Something else by now: the second request is for all of it.
		step{as: "a", do: resume, give: strings.Replace(part, `"1"`, `"2"`, 1), want: "206"},
	)
	if got := s.asked[len(s.asked)-1].Header; len(s.asked) != 2 || got.Get("Range") != "" {
		t.Errorf("%d requests, the last with %v", len(s.asked), got)
	}
}

// A part that comes without Date has that of when it came (RFC 9110 §6.6.1), and is the rest of
// what was last changed before.
func TestResumeByDateFromAnOriginWithoutClock(t *testing.T) {
	const modified = "Wed, 28 Feb 2024 12:00:00 GMT"
	for _, o := range []Options{disguised, apart} {
		s := newScene(t, o)
		s.run(step{as: "a", do: "GET /\nRange: bytes=4-\nIf-Range: " + modified,
			give: "206\nLast-Modified: " + modified + "\nContent-Range: bytes 4-7/8\n\nrest", want: "206\n\nrest"})
		if len(s.asked) != 1 {
			t.Errorf("%d requests, the last with %v", len(s.asked), s.asked[len(s.asked)-1].Header)
		}
	}
}

// Who has all of it and asks for the rest is told so, unless there is something else by now.
func TestResumeAtTheEnd(t *testing.T) {
	for _, o := range []Options{disguised, apart} {
		s := newScene(t, o)
		tag, body := "\"1\"", "halfrest"
		s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Range") != "" {
				return parseResponse(fmt.Sprintf("416\nContent-Range: bytes */%d\n\nno", len(body)), r), nil
			}
			return parseResponse("200\nETag: "+tag+"\n\n"+body, r), nil
		}))
		get := func(fields string) *http.Response {
			resp, err := s.rt.RoundTrip(s.request(step{as: "a", do: "GET /" + fields}))
			if err != nil {
				t.Fatal(err)
			}
			drain(resp.Body, 100)
			return resp
		}
		resume := "\nRange: bytes=8-\nIf-Range: " + get("").Header.Get("ETag")
		if got := get(resume); got.StatusCode != 416 || got.Header.Get("Content-Range") != "bytes */8" || got.ContentLength != 0 {
			t.Errorf("%d %v", got.StatusCode, got.Header)
		}
		tag, body = "\"2\"", "another"
		if got := get(resume); got.StatusCode != 200 || got.ContentLength != 7 {
			t.Errorf("%d %v", got.StatusCode, got.Header)
		}
	}
}

// TestNoCookiesMakeAClientAnother: what a client sends cannot be read as part of its name.
func TestNoCookiesMakeAClientAnother(t *testing.T) {
	seen := map[string]string{}
	for _, who := range [][]string{{"192.0.2.1", "1a=b"}, {"192.0.2.11", "a=b"}, {"192.0.2.11a=b"}, {"192.0.2.1", "1a", "=b"}, {"192.0.2.1", "1a=", "b"}} {
		key := perCredentials(who[0], http.Header{"Cookie": who[1:]})
		if other, taken := seen[key]; taken {
			t.Errorf("%q has the key of %s", who, other)
		}
		seen[key] = strings.Join(who, ", ")
	}
}

// A client of its own partition gets nothing of others, and nothing when its
// name changes.
func TestPerClient(t *testing.T) {
	const give = "200\nCache-Control: max-age=60\nETag: \"1\"\n\na"
	play(t, apart, map[string][]step{
		"nothing is shared":    {{as: "a", give: give}, {as: "b", give: give, want: "200\n!Age\n\na"}},
		"a second use":         {{as: "a", give: give}, {after: 50 * time.Second, as: "a", want: "200\nAge: 50\n\na"}},
		"a write is one's own": {{as: "a", give: give}, {as: "b", do: "POST /\n\nx", give: "204"}, {as: "a", want: "200\n\na"}},
		"the entry does not tell the origin who asks": {{as: "a", give: give},
			{after: hour, as: "a", give: give, sent: "!If-None-Match\n!If-Modified-Since", want: "200\n\na"}},
		"unless it knows": {
			{as: "a", do: "GET /\nCookie: x=y", give: give},
			{after: hour, as: "a", do: "GET /\nCookie: x=y", give: "304", sent: "If-None-Match: \"1\"", want: "200\n\na"}},
	})
	s := newScene(t, apart)
	s.run(step{as: "a", give: give}, step{as: "b", give: give})
	s.c.Forget("a")
	s.run(step{as: "b", want: "200\n\na"}, step{as: "a", give: give, want: "200\n\na"})
}

// What is fresh for so short that half of it is nothing serves its first client
// for all its time, and nobody else.
func TestBriefResponses(t *testing.T) {
	const one = "200\nCache-Control: max-age=1\nETag: \"1\"\nDate: @0s\n\n"
	const old = "200\nCache-Control: max-age=60\nAge: 59\nDate: @-59s\n\n"
	const dated = "200\nCache-Control: max-age=60\nDate: @-59s\n\n"
	play(t, disguised, map[string][]step{
		"own second use": {{as: "a", give: one + "a", want: "200\nCache-Control: max-age=1\n\na"},
			{as: "a", after: 900 * time.Millisecond, want: "200\nAge: 0\n\na"},
			{as: "a", after: 100 * time.Millisecond, give: one + "a", sent: "!If-None-Match", want: "200\n\na"},
			{as: "a", after: time.Second, give: "304\nDate: @0s", sent: "If-None-Match: \"1\"", want: "200\n\na"},
			{as: "a", after: 900 * time.Millisecond, want: "200\n\na"}},
		"another's first use": {{as: "a", give: one + "a", want: "200\n\na"},
			{as: "b", give: one + "b", want: "200\n\nb"},
			{as: "b", want: "200\n\nb"}, {as: "a", want: "200\n\na"}},
		"old on arrival, by Age": {{as: "a", give: old + "a", want: "200\nCache-Control: max-age=1\n!Age\nDate: @0s\n\na"},
			{as: "a", after: 900 * time.Millisecond, want: "200\n\na"},
			{as: "a", after: 100 * time.Millisecond, give: old + "b", want: "200\n\nb"}},
		"old on arrival, by Date": {{as: "a", give: dated + "a", want: "200\nCache-Control: max-age=1\nDate: @0s\n\na"},
			{as: "a", after: 900 * time.Millisecond, want: "200\n\na"},
			{as: "a", after: 100 * time.Millisecond, give: dated + "b", want: "200\n\nb"}},
		"stale on arrival by Date, whatever its Age": {
			{as: "a", give: "200\nCache-Control: max-age=60\nAge: 10\nDate: @-61s\nETag: \"1\"\n\na", want: "200\nCache-Control: max-age=0\n\na"},
			{as: "a", give: "200\n\nb", want: "200\n\nb"}},
		"stale on arrival for longer than it may be": {
			{as: "a", give: "200\nCache-Control: max-age=10, stale-while-revalidate=20\nDate: @-50s\n\na", want: "200\n\na"},
			{as: "a", after: time.Second, give: "200\n\nb", want: "200\n\nb"}},
		"stale on arrival": {{as: "a", give: "200\nCache-Control: max-age=60\nAge: 61\nETag: \"1\"\n\na", want: "200\nCache-Control: max-age=0\n\na"},
			{as: "a", give: "200\nCache-Control: max-age=60\nAge: 61\nETag: \"1\"\n\na", want: "200\n\na"},
			{as: "a", give: "304", want: "200\n\na"}},
	})
}

// Who dropped a response while its own request for it was under way, by an unsafe
// request or because its identity rotated, does not find it again.
func TestDroppedDuringAnInquiryIsDropped(t *testing.T) {
	for _, drops := range []string{"POST", "rotation"} {
		for _, who := range []string{"asks", "joins", "waits"} {
			t.Run(drops+" of who "+who, func(t *testing.T) {
				stage(t, Options{}, func(th *theatre) {
					answer := func(body string) {
						cl := th.call()
						cl.respond(storableFields, 4)
						cl.answerBody(body)
					}
					x := th.visit("x", "")
					time.Sleep(time.Second)
					answer("body")
					th.expectAll(x, "body")
					if who == "waits" { // for a time that is drawn
						for range minSamples {
							th.c.model.record("http://origin.example", anew, time.Second, time.Now(), habit{})
						}
					} else {
						time.Sleep(time.Second)
					}
					const client = "a"
					a := th.visit(client, "")
					if who == "joins" {
						a = th.visit(client, "")
					}
					if drops == "rotation" {
						th.c.Forget(client)
					} else {
						ctx := WithVisitor(th.t.Context(), Visitor{Client: client})
						r, err := http.NewRequestWithContext(ctx, "POST", "http://origin.example/", nil)
						if err != nil {
							t.Fatal(err)
						}
						var inquiry *call
						if who != "waits" {
							inquiry = th.call()
						}
						go th.rt.RoundTrip(r)
						post := th.call()
						post.respond("", 0)
						post.body.Close()
						if inquiry != nil {
							th.origin.calls <- inquiry
						}
						synctest.Wait()
					}
					if who != "waits" {
						answer("body")
					}
					th.expectAll(a, "body")
					time.Sleep(10 * time.Second)
					again := th.visit(client, "")
					answer("BODY")
					<-again.done
					io.Copy(io.Discard, again.resp.Body)
					th.quiet()
				})
			})
		}
	}
}

// Who comes while another asks about a copy of its own, which stands, does not take
// part in that: what it waits for is the whole.
func TestWholeDoesNotComeAtThePaceOfAValidation(t *testing.T) {
	stage(t, Options{}, func(th *theatre) {
		const fields = "Cache-Control: max-age=20\nETag: \"1\""
		answer := func() {
			cl := th.call()
			cl.answer(fields, "body")
		}
		v := th.visit("b", "")
		answer()
		th.expectAll(v, "body")
		v = th.visit("b", "Cache-Control: no-cache") // its tag is not b's alone
		answer()
		th.expectAll(v, "body")
		time.Sleep(6 * time.Second)
		v = th.visit("x", "Cache-Control: no-cache")
		answer()
		th.expectAll(v, "body")
		time.Sleep(6 * time.Second)
		b := th.visit("b", "") // has an old one
		c := th.visit("c", "") // has none
		asked, whole := th.call(), th.call()
		if asked.r.Header.Get("If-None-Match") == "" {
			asked, whole = whole, asked
		}
		if asked.r.Header.Get("If-None-Match") == "" || whole.r.Header.Get("If-None-Match") != "" {
			t.Fatalf("asked: %v and %v", asked.r.Header, whole.r.Header)
		}
		asked.head <- parseResponse("304\nETag: \"1\"", asked.r)
		th.expect(b, "body")
		select {
		case <-c.done:
			t.Error("it was answered when the other's copy was found to stand")
		default:
		}
		whole.respond(fields, 4)
		io.WriteString(whole.body, "bo")
		<-c.done
		time.Sleep(time.Second)
		th.expect(c, "bo")
		whole.answerBody("dy")
		th.expectAll(c, "dy")
		io.Copy(io.Discard, b.resp.Body)
	})
}

// Whoever asks otherwise than who fetched a response does not get it: what the origin
// makes of the difference would tell that it is another's, or be the other's making.
func TestAnotherQuestionIsAnsweredByTheOrigin(t *testing.T) {
	const give = "200\nCache-Control: public, max-age=60\n\n"
	for name, fields := range map[string][2]string{
		"a cookie":                   {"Cookie: a=b", ""},
		"credentials":                {"Authorization: Basic eA==", ""},
		"an origin":                  {"", "Origin: http://origin.example"},
		"another origin":             {"Origin: http://a.example", "Origin: http://b.example"},
		"what a script wants":        {"Accept: */*", "Accept: application/json"},
		"a field of the application": {"HX-Request: true", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, disguised)
			one, other := "GET /\n"+fields[0], "GET /\n"+fields[1]
			s.run(
				step{as: "a", do: one, give: give + "one", want: "200\n\none"},
				step{after: 3 * time.Second, as: "b", do: other, give: give + "other", want: "200\n\nother"},
				step{after: 3 * time.Second, as: "c", do: other, give: give + "OTHER", want: "200\n\nother"},
				step{after: time.Second, as: "a", do: one, want: "200\n\none"},
				step{as: "b", do: other, want: "200\n\nother"})
		})
	}
	s := newScene(t, disguised)
	const script = "GET /\nAccept: application/json"
	s.run(
		step{as: "a", give: give + "page", want: "200\n\npage"},
		step{after: 3 * time.Second, as: "b", do: script, give: give + "data", want: "200\n\ndata"},
		// Both are there, each for who asks like this.
		step{after: 3 * time.Second, as: "c", give: give + "PAGE", want: "200\n\npage"},
		step{after: 3 * time.Second, as: "d", do: script, give: give + "DATA", want: "200\n\ndata"},
		// Nobody is given what is older than what it has seen.
		step{after: 3 * time.Second, as: "e", do: "GET /\nCache-Control: no-cache", give: give + "new", want: "200\n\nnew"},
		step{after: 31 * time.Second, as: "e", do: script, give: give + "newer", want: "200\n\nnewer"})
	// Values that only tell who asks make no difference.
	newScene(t, disguised).run(
		step{as: "a", do: "GET /\nCookie: a=1", give: give + "a", want: "200\n\na"},
		step{as: "b", do: "GET /\nCookie: a=2", give: give + "b", want: "200\n\na"})
}

// Nor does it wait for the other's fetch.
func TestAnotherQuestionDoesNotWait(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		a, b := th.visit("a", "Accept: */*"), th.visit("b", "Accept: text/html")
		first, second := th.call(), th.call()
		second.answer(storableFields, "b")
		th.expectAll(b, "b")
		first.answer(storableFields, "a")
		th.expectAll(a, "a")
	})
}

// What a client has of a response is as it left it, whatever others fetch meanwhile and
// however long ago it was told that it is fresh: by what it finds it would see that they did.
func TestOthersFetchesLeaveWhatAClientHas(t *testing.T) {
	const checked = "200\nCache-Control: no-cache\nETag: \"1\"\n\na"
	const brief = "200\nCache-Control: max-age=20, stale-while-revalidate=600\n\n"
	other := step{as: "x", do: "GET /\nCache-Control: no-cache", give: checked, want: "200\n\na"}
	play(t, disguised, map[string][]step{
		"its validator": {{as: "b", give: checked}, {as: "b", give: checked}, other,
			{as: "b", give: "304", sent: "If-None-Match: \"1\"", want: "200\n\na"}},
		"that its validator came twice": {{as: "b", give: checked}, other, {as: "b", give: checked, sent: "!If-None-Match"}, other,
			{as: "b", give: "304", sent: "If-None-Match: \"1\"", want: "200\n\na"}},
		"its validator after another's write": {{as: "b", give: checked}, {as: "b", give: checked}, {as: "x", do: "PUT /\n\nx", give: "204"},
			{as: "b", give: "304", sent: "If-None-Match: \"1\"", want: "200\n\na"}},
		"what is stale": {{as: "b", give: brief + "a"},
			{after: time.Minute, as: "x", give: brief + "b", want: "200\n\nb"},
			{as: "b", do: "GET /\nCache-Control: max-stale", want: "200\nAge: 60\n\na"}},
		"what is stale while it is refreshed": {{as: "b", give: brief + "a"},
			{after: time.Minute, as: "x", give: brief + "b", want: "200\n\nb"},
			{as: "b", give: brief + "c", want: "200\nAge: 60\n\na"}},
		"a whole beside a part": {{as: "b", give: "200\nCache-Control: max-age=60\nETag: W/\"1\"\n\n0123456789"},
			{as: "b", do: "GET /\nRange: bytes=0-1\nCache-Control: no-cache", give: "206\nCache-Control: max-age=60\nETag: W/\"1\"\nContent-Range: bytes 0-1/10\n\n01"},
			{as: "x", give: brief + "b"}, {as: "b", want: "200\nAge: 0\n\n0123456789"}},
	})
}

// What many clients have at their own times is held once if it is the same.
func TestOneBodyIsHeldOnce(t *testing.T) {
	s := newScene(t, disguised)
	give := "200\nCache-Control: max-age=60\n\n" + strings.Repeat("x", 100<<10)
	for i := range 10 {
		s.run(step{after: time.Minute, as: fmt.Sprint(i), give: give})
	}
	if got := s.c.Stats().Bytes; got > 200<<10 {
		t.Errorf("%d bytes", got)
	}
	s.run(step{as: "x", do: "PUT /\n\nx", give: "204"}, step{as: "x", give: "200\nCache-Control: max-age=60\n\nnew"})
	s.c.PurgeAll()
	if got := s.c.Stats(); got.Bytes != 0 || got.Lingering != 0 {
		t.Errorf("%+v", got)
	}
}

// What everybody has a newer version of does not stay.
func TestVersionsDoNotPileUp(t *testing.T) {
	s := newScene(t, disguised)
	for i := range 30 {
		give := fmt.Sprintf("200\nCache-Control: max-age=60\n\n%d", i)
		want := fmt.Sprintf("200\n\n%d", i)
		s.run(step{after: 40 * time.Second, as: "x", do: "GET /\nCache-Control: no-cache", give: give, want: want},
			step{after: 3 * time.Second, as: "a", give: give, want: want}, step{after: 3 * time.Second, as: "b", give: give, want: want})
	}
	if got := len(s.c.store.index[key{url: "http://origin.example/"}].entries); got > maxVersions+1 {
		t.Errorf("%d versions are held", got)
	}
}
