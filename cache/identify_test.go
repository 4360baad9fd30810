package cache

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A marker is an origin that writes another identifier into every answer,
// wherever a client may keep it.
type marker struct {
	clock      *clock
	serial     int
	validators map[string]bool // what came back with requests, by path
}

func (m *marker) RoundTrip(r *http.Request) (*http.Response, error) {
	m.serial++
	h := r.Header
	if v := h.Get("If-None-Match") + h.Get("If-Modified-Since") + h.Get("If-Range"); v != "" {
		m.validators[r.URL.Path+" "+v] = true
	}
	var give string
	switch r.URL.Path {
	case "/redirect":
		give = "301\nCache-Control: max-age=31536000\nLocation: /to/%[1]d"
	case "/forever":
		give = "308\nLocation: /to/%[1]d"
	case "/private":
		give = "301\nCache-Control: private, max-age=31536000\nLocation: /to/%[1]d"
	case "/script":
		give = "200\nCache-Control: max-age=31536000\nETag: \"s%[1]d\"\n\nid=%[1]d"
	case "/page":
		give = "200\nCache-Control: max-age=10\nETag: \"p%[1]d\"\n\nx"
	case "/dated":
		give = "200\nCache-Control: max-age=10\nLast-Modified: %[2]s\n\nx"
	}
	give = strings.ReplaceAll(give, "%[1]d", fmt.Sprint(m.serial))
	give = strings.ReplaceAll(give, "%[2]s", formatDate(m.clock.Now().Add(-time.Duration(m.serial)*time.Hour)))
	return parseResponse(give, r), nil
}

// A browser is a client with a cache of its own.
type browser struct {
	client string
	cache  map[string]*http.Response
}

// get fetches a path, as browsers do, and returns what the site's own script
// or the next request would tell of it.
func (b *browser) get(t *testing.T, rt http.RoundTripper, path string) string {
	t.Helper()
	old := b.cache[path]
	if old != nil && permanent(old.StatusCode) && !strings.Contains(old.Header.Get("Cache-Control"), "no-cache") {
		return old.Header.Get("Location")
	}
	ctx := WithVisitor(t.Context(), Visitor{Client: b.client, Site: "site"})
	r, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if old != nil && old.Header.Get("ETag") != "" {
		r.Header.Set("If-None-Match", old.Header.Get("ETag"))
	} else if old != nil && old.Header.Get("Last-Modified") != "" {
		r.Header.Set("If-Modified-Since", old.Header.Get("Last-Modified"))
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusNotModified {
		b.cache[path] = resp
	}
	return resp.Header.Get("Location") + resp.Header.Get("ETag") + string(body) // a script can read them all
}

// Of 64 clients who come back, in another order, an origin recognises none:
// the validators it gets are the same for all, and so is the content that
// lasts from one visit to the next.
func TestOriginRecognisesNobody(t *testing.T) {
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprintf("browser's cache kept: %v", kept), func(t *testing.T) {
			clk := newClock()
			c := New(Options{Now: clk.Now})
			c.sleep = clk.sleep
			defer c.Close()
			m := &marker{clock: clk}
			rt := c.Transport(m)
			browsers := make([]*browser, 64)
			told := make([][2][]string, 64)
			for visit := range 2 {
				m.validators = map[string]bool{}
				for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(64 * 2) {
					if i %= 64; len(told[i][visit]) > 0 {
						continue
					}
					if browsers[i] == nil || !kept {
						browsers[i] = &browser{fmt.Sprint(i), map[string]*http.Response{}}
					}
					for _, path := range []string{"/page", "/dated", "/script", "/redirect", "/forever", "/private"} {
						told[i][visit] = append(told[i][visit], path+" "+browsers[i].get(t, rt, path))
					}
					c.settled()
				}
				clk.advance(time.Minute)
				if n := len(m.validators); visit == 0 && n > 0 || n > 2 {
					t.Errorf("visit %d: validators %v", visit, m.validators)
				}
			}
			kinds := map[string]int{}
			for _, visits := range told {
				lasting := slices.DeleteFunc(visits[0], func(s string) bool { return !slices.Contains(visits[1], s) })
				kinds[strings.Join(lasting, ",")]++
			}
			if len(kinds) != 1 {
				t.Errorf("%d kinds of clients: %v", len(kinds), kinds)
			}
		})
	}
}

// What a site had each client fetch for itself, by a reload or with a cookie that all have, is no
// number that is read after the browser's data is cleared.
func TestNobodyIsKnownByWhatOnlyItFetched(t *testing.T) {
	lives := func(id string) string {
		return "200\nCache-Control: max-age=31536000, stale-if-error=31536000\nETag: \"" + id + "\"\n\nid=" + id
	}
	for name, write := range map[string]string{"by a reload": "GET /\nCache-Control: no-cache", "with a cookie": "GET /\nCookie: a=1"} {
		t.Run(name, func(t *testing.T) {
			read := strings.TrimSuffix(write, "\nCache-Control: no-cache")
			s := newScene(t, disguised)
			s.run(
				step{as: "a", do: write, give: lives("1"), want: "200\n\nid=1"},
				step{as: "b", do: write, give: lives("2"), want: "200\n\nid=2"},
				step{as: "c", do: write, give: lives("3"), want: "200\n\nid=3"},
				step{as: "a", after: time.Minute, do: read, want: "200\n\nid=1"}, // a visit goes on
			)
			if name == "by a reload" {
				for _, client := range []string{"b", "a", "c"} { // the origin is asked for its time
					s.run(step{as: client, after: ownFor, do: read, give: lives("4"), sent: "!If-None-Match", want: "200\n\nid=3"})
				}
				return
			}
			s.run(
				step{as: "b", after: ownFor, do: read, give: "503\n\nfails", sent: "!If-None-Match", want: "503\n\nfails"},
				step{as: "a", do: read, give: lives("4"), sent: "!If-None-Match", want: "200\n\nid=4"},
			)
		})
	}
}

// What differs between two clients while it should not have changed is
// counted, and with Distrust not used across clients.
func TestDifferingContent(t *testing.T) {
	const one = "200\nCache-Control: max-age=86400\nETag: \"1\"\n\nid=1"
	two := strings.ReplaceAll(one, "1", "2")
	two = strings.Replace(two, "86400", "86400", 1)
	for _, distrust := range []bool{false, true} {
		s := newScene(t, Options{Distrust: distrust})
		want := "200\n\nid=1"
		if distrust {
			want = "200\n\nid=2"
		}
		s.run(step{as: "a", give: one}, step{as: "b", give: two, want: want})
		if got := s.c.Stats().Differing; got != 1 {
			t.Errorf("distrust %v: %d differences counted", distrust, got)
		}
		// A part of it is no other content.
		s = newScene(t, Options{Distrust: distrust})
		s.run(step{as: "a", give: one}, step{as: "b", do: "GET /\nRange: bytes=0-1",
			give: "206\nCache-Control: max-age=86400\nETag: \"1\"\nContent-Range: bytes 0-1/4\n\nid", want: "206\n\nid"})
		if got := s.c.Stats().Differing; got != 0 {
			t.Errorf("distrust %v: a part counts as %d differences", distrust, got)
		}
	}
}

// Of the validators it gave, an origin gets those of the latest response alone: an
// older one is kept for a few, and would be their name.
func TestOnlyTheLatestValidatorGoesBack(t *testing.T) {
	s := newScene(t, disguised)
	s.run(
		step{as: "a", give: "200\nCache-Control: max-age=100\nETag: \"1\"\n\na", want: "200\n\na"},
		step{as: "b", after: 10 * time.Second, do: "GET /\nCache-Control: no-cache", give: "200\nCache-Control: max-age=100\nETag: \"2\"\n\nb", want: "200\n\nb"},
		step{as: "a", after: 30 * time.Second, want: "200\n\na"},
		step{as: "a", after: 21 * time.Second, give: "200\nCache-Control: max-age=100\nETag: \"3\"\n\nc", sent: "!If-None-Match", want: "200\n\nc"},
		// It is another's latest now, and may be asked about once it came again.
		step{as: "a", after: 51 * time.Second, give: "200\nCache-Control: max-age=100\nETag: \"3\"\n\nc", sent: "!If-None-Match", want: "200\n\nc"},
		step{as: "a", after: 51 * time.Second, give: "304\nETag: \"3\"", sent: "If-None-Match: \"3\"", want: "200\n\nc"},
	)
	// Nor does it get an older one behind the back of who is given a stale copy.
	s = newScene(t, disguised)
	s.run(
		step{as: "a", give: "200\nCache-Control: max-age=100, stale-while-revalidate=100\nETag: \"1\"\n\na", want: "200\n\na"},
		step{as: "b", after: 10 * time.Second, do: "GET /\nCache-Control: no-cache", give: "200\nCache-Control: max-age=100\nETag: \"2\"\n\nb", want: "200\n\nb"},
		step{as: "a", after: 51 * time.Second, give: "200\nETag: \"3\"\n\nc", sent: "!If-None-Match", want: "200\n\na"},
	)
	// The same of a copy that an unsafe request of another's made doubtful.
	s = newScene(t, disguised)
	s.run(
		step{as: "a", give: "200\nCache-Control: max-age=100, stale-if-error=100\nETag: \"1\"\n\na", want: "200\n\na"},
		step{as: "b", do: "POST /\n\nx", give: "200\n\nok"},
		step{as: "a", after: 51 * time.Second, give: "503\n\n", sent: "!If-None-Match", want: "200\n\na"},
	)
}

// Nor does it recognise a client by the part that it has, such as of a response that
// broke off.
func TestNoPartTellsWhoHasIt(t *testing.T) {
	s := newScene(t, apart)
	s.run(
		step{as: "a", do: "GET /\nRange: bytes=0-1", give: "206\nCache-Control: max-age=100\nETag: \"a\"\nContent-Range: bytes 0-1/4\n\nab", want: "206"},
		step{as: "a", give: "200\nCache-Control: max-age=100\nETag: \"b\"\n\nabcd", sent: "!If-Range\n!Range", want: "200\n\nabcd"},
	)
}

// Nor is a client recognised that comes back before anybody else has come: what may
// be one visitor's goes back to nobody.
func TestOriginRecognisesNobodyWhoComesBackAlone(t *testing.T) {
	for _, lifetime := range []string{"no-cache", "max-age=1", "max-age=10", "max-age=600"} {
		clk := newClock()
		c := New(Options{Now: clk.Now})
		c.sleep = clk.sleep
		serial := 0
		rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			serial++
			if v := r.Header.Get("If-None-Match") + r.Header.Get("If-Modified-Since"); v != "" {
				t.Errorf("%s: the origin got %s", lifetime, v)
			}
			return parseResponse(fmt.Sprintf("200\nCache-Control: %s\nETag: \"%d\"\nLast-Modified: %s\n\nx", lifetime, serial,
				formatDate(clk.Now().Add(-time.Duration(serial)*time.Hour))), r), nil
		}))
		for i := range 64 {
			for range 3 {
				b := &browser{fmt.Sprint(i), map[string]*http.Response{}}
				b.get(t, rt, "/page")
				c.settled()
				clk.advance(15 * time.Minute)
			}
		}
		c.Close()
	}
}

// TestOwnReloadsAreNoDifference: what one client got twice, the second time anew, says
// nothing of what others get.
func TestOwnReloadsAreNoDifference(t *testing.T) {
	s := newScene(t, Options{Sharing: Disguised, Distrust: true})
	const lives = "200\nCache-Control: max-age=86400\n\n"
	s.run(
		step{as: "a", give: lives + "old", want: "200\n\nold"},
		step{as: "a", do: "GET /\nCache-Control: no-cache", give: lives + "new", want: "200\n\nnew"})
	if n := s.c.Stats().Differing; n != 0 {
		t.Errorf("%d differences are counted", n)
	}
	// The origin is asked for the time that it takes alone.
	s.run(step{as: "b", give: lives + "other", want: "200\n\nnew"})
}

// Nor does it with a cookie or credentials, such as a script's: they may be the same for all, and new
// ones would be tied to the visit before, whose data the browser has forgotten.
func TestWhatIsKnownTakesNoStoredValidatorAlong(t *testing.T) {
	const none = "!If-None-Match\n!If-Modified-Since\n!If-Range"
	for name, o := range map[string]Options{"disguised": disguised, "per-client": apart} {
		for _, control := range []string{"no-cache", "max-age=10", "public, max-age=10", "public, no-cache"} {
			for _, before := range []string{"", "\nCookie: a=1"} {
				t.Run(name+", "+control+before, func(t *testing.T) {
					s := newScene(t, o)
					give := "200\nCache-Control: " + control + "\nETag: \"1\"\nLast-Modified: @-240h\n\nwhole"
					s.run(
						step{as: "a", do: "GET /" + before, give: give, want: "200\n\nwhole"},
						step{as: "a", after: 20 * time.Second, do: "GET /\nCookie: b=2", give: give, sent: none, want: "200\n\nwhole"},
						step{as: "a", after: 20 * time.Second, do: "GET /\nCookie: b=3", give: give, sent: none, want: "200\n\nwhole"},
						step{as: "a", after: 20 * time.Second, do: "GET /\nAuthorization: Bearer all", give: give, sent: none, want: "200\n\nwhole"},
					)
				})
			}
		}
	}
	// Nor a part that broke off.
	s := newScene(t, apart)
	s.run(
		step{as: "a", do: "GET /\nRange: bytes=0-1", give: "206\nCache-Control: max-age=100\nETag: \"a\"\nContent-Range: bytes 0-1/4\n\nab", want: "206"},
		step{as: "a", do: "GET /\nCookie: a=1", give: "200\nCache-Control: max-age=100\nETag: \"b\"\n\nabcd", sent: none + "\n!Range", want: "200\n\nabcd"},
	)
}
