package cache

import (
	"net/http"
	"testing"
	"time"
)

// What is easily missed in RFC 9111 §3.2, §4.3.3, §4.3.4, §5.2, and RFC 5861 §4.
func TestEasilyMissed(t *testing.T) {
	play(t, shared, map[string][]step{
		"a 304 that names other selecting fields": {
			{do: "GET /\nFoo: 1", give: "200\nCache-Control: max-age=60\nETag: \"1\"\n\na", want: "200\n\na"},
			{after: 2 * minute, do: "GET /\nFoo: 1", give: "304\nETag: \"1\"\nVary: Foo", want: "200\nVary: Foo\n\na"},
			{do: "GET /\nFoo: 1", want: "200\n\na"},
			{do: "GET /\nFoo: 2", give: "200\nCache-Control: max-age=60\nVary: Foo\n\nb", want: "200\n\nb"},
			{do: "GET /\nFoo: 1", want: "200\n\na"},
		},
		"a 304 that can select nothing again": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{after: 2 * minute, give: "304\nETag: \"1\"\nVary: *", want: "200\nVary: *\n\na"},
			{give: "200\n\nb", want: "200\n\nb"},
		},
		"a 304 that was last changed at another time": {
			given("Cache-Control: max-age=60\nLast-Modified: @-1h"),
			{after: 2 * minute, give: "304\nLast-Modified: @-2h", want: "304"}, // and again without a condition, which this origin answers alike
		},
		"a 304 with a tag for what has none": {
			given("Cache-Control: max-age=60\nLast-Modified: @-1h"),
			{after: 2 * minute, give: "304\nETag: \"1\"", want: "304"}, // and again without a condition
			{give: "200\n\nb", sent: "!If-Modified-Since", want: "200\n\nb"},
		},
		"a 304 with a tag for what has none, and the date": { // nginx of before 1.7.3, of what it compresses on the fly
			{give: "200\nCache-Control: max-age=60\nLast-Modified: Wed, 28 Feb 2024 12:00:00 GMT\n\na"},
			{after: 2 * minute, give: "304\nETag: \"1\"\nLast-Modified: Wed, 28 Feb 2024 12:00:00 GMT", want: "200\n\na"},
			again,
		},
		"what one field of is private, where a 304 does not say so again": {
			given("Cache-Control: max-age=60, private=\"Foo\"\nETag: \"1\"\nFoo: 1"),
			{after: 2 * minute, give: "304\nETag: \"1\"\nFoo: 2", want: "200\n\na"},
			{want: "200\n!Foo\n\na"},
		},
		"what one field of is private by a 304": {
			given("Cache-Control: max-age=60\nETag: \"1\"\nFoo: 1"),
			{after: 2 * minute, give: "304\nETag: \"1\"\nCache-Control: max-age=60, private=\"Foo\"", want: "200\n\na"},
			{want: "200\n!Foo\n\na"},
		},
		"two dates are no condition": {
			given("Cache-Control: max-age=60\nLast-Modified: @-1h"),
			{do: "GET /\nIf-Modified-Since: @0s\nIf-Modified-Since: @-2h", want: "200\n\na"},
		},
		"that there is no such range is for nobody else": {
			given("Cache-Control: max-age=60\nExpires: @60s"),
			{do: "GET /\nRange: bytes=5-", want: "416\nCache-Control: no-store\n!Expires\nContent-Range: bytes */1\n\n"},
		},
		"a client's own condition where the stored validator was sent": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{after: 2 * minute, do: "GET /\nIf-None-Match: \"2\"", sent: "If-None-Match: \"1\"",
				give: "200\nCache-Control: max-age=60\nETag: \"2\"\n\nb", want: "304\nETag: \"2\"\n\n"},
			{want: "200\nETag: \"2\"\n\nb"},
		},
		"a client's own condition where the rest of a part was asked for": {
			{do: "GET /\nRange: bytes=0-4", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-4/10\n\n01234"},
			{do: "GET /\nIf-None-Match: \"1\"", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 5-9/10\n\n56789",
				sent: "Range: bytes=5-\nIf-Range: \"1\"\n!If-None-Match", want: "304\nETag: \"1\"\n\n"},
			{want: "200\n\n0123456789"},
		},
		"the rest of a part without a date": {
			{do: "GET /\nRange: bytes=0-4", give: "206\nCache-Control: max-age=60\nDate: @0s\nETag: \"1\"\nContent-Range: bytes 0-4/10\n\n01234"},
			{after: 50 * time.Second, give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 5-9/10\n\n56789", want: "200\nDate: @0s\n\n0123456789"},
			{after: 50 * time.Second, want: "200\nAge: 50\n\n0123456789"},
		},
		"min-fresh of an origin that cannot be reached": {
			given("Cache-Control: max-age=60, stale-if-error=600"),
			{after: 2 * minute, do: "GET /\nCache-Control: min-fresh=1", give: "error", want: "error"},
		},
		"a client's own condition where a part is stored": {
			{do: "GET /\nRange: bytes=0-4", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-4/10\n\n01234"},
			{do: "GET /\nRange: bytes=0-4\nIf-None-Match: \"1\"", want: "304\n!Content-Range\n\n"},
		},
		"a range of nothing": {
			{give: "200\nCache-Control: max-age=60\n\n", want: "200"},
			{do: "GET /\nRange: bytes=0-", want: "200\n!Content-Range\n\n"},
			{do: "GET /\nRange: bytes=-5", want: "200\n\n"},
		},
		"a 304 with a strong tag for what has a weak one": { // nginx, of what it compresses on the fly
			given("Cache-Control: max-age=60\nETag: W/\"1\""),
			{after: 2 * minute, give: "304\nETag: \"1\"\nA: 2", sent: "If-None-Match: W/\"1\"", want: "200\nETag: W/\"1\"\nA: 2\n\na"},
			{do: "GET /\nRange: bytes=0-0\nIf-Range: \"1\"", want: "200\n\na"},
		},
		"what was one's own is for all by now": {
			{do: "GET /\nCookie: a=b", give: "200\nCache-Control: max-age=60\n\na", want: "200\n\na"},
			{after: time.Second, do: "GET /\nCookie: a=b\nCache-Control: no-cache", give: "200\nCache-Control: public, max-age=60\n\nb", want: "200\n\nb"},
			{do: "GET /\nCookie: a=b", want: "200\n\nb"},
		},
		"only-if-cached of what is not": {
			{do: "GET /\nCache-Control: only-if-cached", want: "504\nProxy-Status: guise;error=proxy_internal_response\nCache-Control: no-store\n\n"}},
		"only-if-cached and no-store": {
			{do: "GET /\nCache-Control: only-if-cached, no-store", want: "504"}},
		"only-if-cached and a range of another unit": {
			{do: "GET /\nCache-Control: only-if-cached\nRange: lines=1-2", want: "504"}},
		"stale-if-error is about 500, 502, 503 and 504": {
			given("Cache-Control: max-age=60, stale-if-error=7200"),
			{after: hour, give: "501\n\nno", want: "501\n\nno"},
			{give: "502\n\nno", want: "200\n\na"},
			{give: "504\n\nno", want: "200\n\na"},
			{give: "500\n\nno", want: "200\n\na"},
			{give: "507\n\nno", want: "507\n\nno"}},
		"a failure that may be stored leaves what stands in for it": {
			given("Cache-Control: max-age=60, stale-if-error=7200"),
			{after: hour, give: "503\nCache-Control: max-age=600\n\nno", want: "200\n\na"},
			{after: minute, give: "503\nCache-Control: max-age=600\n\nno", want: "200\n\na"},
			{after: 2 * hour, give: "503\nCache-Control: max-age=600\n\nno", want: "503\n\nno"},
			{want: "503\n\nno"}},
		"a quoted string without an end hides nothing": {
			{give: "200\nCache-Control: max-age=60, foo=\"bar, no-store\n\na", want: "200\n\na"},
			{give: "200\n\nb", want: "200\n\nb"}},
		"private with half a quoted string": {
			{give: "200\nCache-Control: max-age=60, private=\"foo\n\na", want: "200\n\na"},
			{give: "200\n\nb", want: "200\n\nb"}},
		"no-cache with names that are none": {
			{give: "200\nCache-Control: max-age=60, no-cache=\"foo bar\"\nETag: \"1\"\n\na", want: "200\n\na"},
			{give: "304", want: "200\n\na"}},
	})
}

// A part that freshens the whole says no more about caching than it says (RFC 9111 §3.4).
func TestPartKeepsWhatTheWholeSaid(t *testing.T) {
	const stored = "Cache-Control: max-age=60, must-revalidate\nETag: \"1\""
	part := step{do: "GET /\nRange: bytes=0-0\nCache-Control: no-cache",
		give: "206\nETag: \"1\"\nContent-Range: bytes 0-0/1\n\na", want: "206\n\na"}
	play(t, shared, map[string][]step{
		"its lifetime":   {given(stored), part, again},
		"its strictness": {given(stored), part, {after: hour, do: "GET /\nCache-Control: max-stale", give: "304", want: "200\n\na"}},
		"unless it does": {given(stored), {do: part.do, give: "206\nCache-Control: max-age=0\nETag: \"1\"\nContent-Range: bytes 0-0/1\n\na"},
			{do: "GET /", give: "304", want: "200\n\na"}},
	})
}

// What a status answers that was not the target is no answer to others (RFC 6585 §3 to
// §6; RFC 9110 §15.5), whatever its lifetime.
func TestAnswersToOneRequestAreNobodyElses(t *testing.T) {
	for _, o := range []Options{shared, disguised, apart} {
		table := map[string][]step{
			"a range behind the end": {
				{as: "a", do: "GET /\nRange: bytes=99-", give: "416\nCache-Control: max-age=60\nContent-Range: bytes */1\n\nno", want: "416"},
				{as: "a", give: "200\nCache-Control: max-age=60\n\na", want: "200\n\na"}},
			"credentials that were missing": {
				{as: "a", give: "401\nCache-Control: max-age=60\n\nwho?", want: "401"},
				{as: "a", do: "GET /\nAuthorization: Basic eA==", give: "200\n\na", want: "200\n\na"}},
		}
		for _, status := range []string{"407", "412", "416", "417", "421", "425", "428", "429", "431", "511"} {
			table[status] = []step{{as: "a", give: status + "\nCache-Control: public, max-age=60\n\nno", want: status}, {as: "a", give: "200\n\na", want: "200\n\na"}}
		}
		play(t, o, table)
	}
}

// RFC 9211 §2: what the cache says that it did.
func TestCacheStatus(t *testing.T) {
	const give = "200\nCache-Control: max-age=60\nETag: \"1\"\n\na"
	status := func(s step, what string) step { s.want = "200\nCache-Status: guise; " + what; return s }
	play(t, shared, map[string][]step{
		"new":       {status(step{give: give}, "fwd=miss"), status(step{}, "hit")},
		"stale":     {given("Cache-Control: max-age=60\nETag: \"1\""), status(step{after: hour, give: "304"}, "fwd=stale; fwd-status=304")},
		"changed":   {given("Cache-Control: max-age=60\nETag: \"1\""), status(step{after: hour, give: give}, "fwd=stale")},
		"on demand": {given("Cache-Control: max-age=60\nETag: \"1\""), status(step{do: "GET /\nCache-Control: no-cache", give: "304"}, "fwd=request; fwd-status=304")},
		"the rest": {
			{do: "GET /\nRange: bytes=0-0", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-0/2\n\na"},
			status(step{give: "206\nETag: \"1\"\nContent-Range: bytes 1-1/2\n\nb"}, "fwd=partial")},
		"by another cache": {{give: "200\nCache-Control: max-age=60\nCache-Status: other; hit\n\na", want: "200\nCache-Status: other; hit, guise; fwd=miss"}},
	})
}

// How old a stale response is counts when it is given out: an origin may take its time to fail.
func TestSlowFailure(t *testing.T) {
	for takes, want := range map[time.Duration]string{30 * time.Second: "200\nAge: 105\n\na", 50 * time.Second: "503\n\nno"} {
		s := newScene(t, shared)
		s.run(given("Cache-Control: max-age=60, stale-if-error=60"))
		s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			s.clock.advance(takes)
			return s.origin(r)
		}))
		s.run(step{after: 75 * time.Second, give: "503\n\nno", want: want})
	}
}

// What was dropped while it was asked about does not stand in for an answer that fails: who
// wrote would be given what is from before (RFC 9111 §4.4).
func TestWhatWasDroppedStandsInForNothing(t *testing.T) {
	for _, o := range []Options{shared, disguised, apart} {
		for _, fails := range []string{"error", "503"} {
			s := newScene(t, o)
			s.run(step{as: "a", give: "200\nCache-Control: max-age=60, stale-if-error=7200\n\nold"})
			s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPut {
					return parseResponse("204", r), nil
				}
				if _, err := s.rt.RoundTrip(s.request(step{as: "a", do: "PUT /\n\nx"})); err != nil {
					t.Error(err)
				}
				return s.origin(r)
			}))
			s.clock.advance(hour)
			s.give = fails
			resp, err := s.rt.RoundTrip(s.request(step{as: "a"}))
			if fails == "error" && err == nil || fails == "503" && (err != nil || resp.StatusCode != 503) {
				t.Errorf("mode %d, %s: %+v, %v", o.Sharing, fails, resp, err)
			}
		}
	}
}
