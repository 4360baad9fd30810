package cache

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Ten thousand variants of one URL neither fill the memory nor slow the others down.
func TestManyVariants(t *testing.T) {
	s := newScene(t, Options{Sharing: Shared, Memory: 8 << 20})
	for i := range 10000 {
		s.run(step{do: fmt.Sprintf("GET /\nFoo: %d", i), give: "200\nCache-Control: max-age=60\nVary: Foo\n\na"})
	}
	s.run(step{do: "GET /\nFoo: 9999", want: "200\n\na"})
	if got := len(s.c.store.index[key{url: "http://origin.example/"}].entries); got > maxVariants {
		t.Errorf("%d variants are held", got)
	}
}

// What is looked for while all others wait takes no long time, whatever a client sends that
// the origin says to heed: a list is not read again for each variant, nor from each of its
// members on.
func TestLargeSelectingFieldsHoldNobodyUp(t *testing.T) {
	for _, size := range []int{maxNormalised, 60 << 10} {
		list := strings.Repeat("a,", size/2)
		variants := &resource{}
		for i := range maxVariants {
			e := &entry{}
			e.varyBy("Foo", http.Header{"Foo": {list[2:] + fmt.Sprint(i, ",")}})
			variants.entries = append(variants.entries, e)
		}
		request := http.Header{"Foo": {list}}
		if n := testing.AllocsPerRun(1, func() { selected(variants, request, whole) }); n > 5*maxVariants {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
	n := 0
	for range items([]string{strings.Repeat(`"\",`, 1000)}) {
		n++
	}
	if n > 200 {
		t.Errorf("the end of a quoted string was looked for %d times", n)
	}
}

// Whether a field holds the time is found out without a date made of each place among its
// digits: of what a 304 says, while all others wait.
func TestLongFieldsAreSearchedForTimesSoon(t *testing.T) {
	made := time.Date(2026, 11, 27, 14, 0, 0, 0, time.UTC)
	for _, filling := range []string{"1", "01", "1127", "11:22"} {
		text := strings.Repeat(filling, (64<<10)/len(filling))
		if n := testing.AllocsPerRun(1, func() { holdsDate(text, made, true) }); n > 100 {
			t.Errorf("%q: %v allocations", filling, n)
		}
	}
}

func TestHostileHeaders(t *testing.T) {
	play(t, shared, map[string][]step{
		"1 MiB of directives": {
			given("Cache-Control: " + strings.Repeat("x=\",\", ", 1<<17) + "max-age=60"), again},
		"1 MiB of Vary": {
			given("Cache-Control: max-age=60\nVary: " + strings.Repeat("a", 1<<10) + strings.Repeat(", b", 1<<18)), again},
		"too many selecting fields": {given("Cache-Control: max-age=60\nVary: " + manyNames(1000)), miss},
		"all duplicates": {
			given(strings.Repeat("Cache-Control: max-age=60\nExpires: 0\nAge: 1\nDate: @0s\nVary: a\nETag: \"1\"\n", 500) + "X: y"),
			{after: 10 * time.Second, want: "200\n\na"}},
		"an unclosed quote":             {given("Cache-Control: max-age=60, x=\"no-store"), again},
		"a private list without an end": {given("Cache-Control: max-age=60, private=\""), miss}, // may be private as a whole
		"a huge Age of a huge lifetime": {
			given("Cache-Control: max-age=999999999999\nAge: 2147483647"), {after: 100 * hour, give: "200\n\nb", want: "200\n\nb"}},
		"a year of 9999":            {given("Date: @0s\nExpires: Fri, 31 Dec 9999 23:59:59 GMT"), after(1000*hour, again)},
		"a Date at the end of time": {given("Cache-Control: max-age=60\nDate: Fri, 31 Dec 9999 23:59:59 GMT"), again},
		"a Date at its beginning":   {given("Cache-Control: max-age=60\nDate: Sat, 01 Jan 0000 00:00:00 GMT"), miss},
	})
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d,", i)
	}
	return b.String()
}

// A body that is not as long as its Content-Length is not stored, whatever
// the transport below lets through.
func TestLyingLength(t *testing.T) {
	for _, length := range []string{"0", "1", "5", "99999999999"} {
		s := newScene(t, shared)
		s.run(
			step{give: "200\nCache-Control: max-age=60\nContent-Length: " + length + "\n\nabc"},
			step{give: "200\n\nb", want: "200\n\nb"},
		)
	}
}

// Purging, by URL and host, and a smaller budget.
func TestPurge(t *testing.T) {
	const give = "200\nCache-Control: max-age=60\n\na"
	s := newScene(t, shared)
	held := func() int { return s.c.Stats().Resources }
	fill := func() {
		s.c.PurgeAll()
		for _, uri := range []string{"http://a.example/1", "http://a.example:81/2", "https://b.example/1"} {
			s.run(step{do: "GET " + uri, give: give})
		}
		s.run(step{do: "GET http://a.example/1", site: "other", give: give})
		if held() != 4 {
			t.Fatalf("%d are stored", held())
		}
	}
	fill()
	if s.c.PurgeURL("http://A.example:80/1#x"); held() != 2 {
		t.Errorf("by URL: %d left", held())
	}
	fill()
	if s.c.PurgeHost("A.example"); held() != 1 {
		t.Errorf("by host: %d left", held())
	}
	fill()
	if s.c.PurgeAll(); held() != 0 || s.c.Stats().Bytes != 0 {
		t.Errorf("all: %d left", held())
	}
	fill()
	s.c.SetOptions(Options{Sharing: Shared, Memory: 1, Now: s.clock.Now})
	if held() != 0 {
		t.Errorf("%d left in 1 byte", held())
	}
	s.c.SetOptions(Options{Sharing: Shared, Now: s.clock.Now})
	fill()
	s.c.SetOptions(Options{Sharing: PerClient, Now: s.clock.Now})
	if held() != 0 {
		t.Errorf("%d left of another mode", held())
	}
}

// What a large store has used up of its maps takes nothing from a smaller one.
func TestSmallerMemoryStoresOn(t *testing.T) {
	const small = 512 << 10
	s := newScene(t, Options{Sharing: Shared, Memory: 8 << 20})
	for i := range 2 * small / slotOverhead {
		s.run(step{do: fmt.Sprintf("GET /%d", i), give: "200\nCache-Control: max-age=60\n\na"})
	}
	s.c.SetOptions(Options{Sharing: Shared, Memory: small, Now: s.clock.Now})
	if got := s.c.Stats(); got.Bytes < small/2 || got.Bytes > small {
		t.Errorf("%d bytes are left", got.Bytes)
	}
	s.run(step{do: "GET /new", give: "200\nCache-Control: max-age=60\n\na"}, step{do: "GET /new", want: "200\n\na"})
}

// The memory may change while requests come: the race detector looks on.
func TestMemoryChangesWhileRequestsCome(t *testing.T) {
	s := newScene(t, Options{Sharing: Shared})
	s.give = "200\nCache-Control: max-age=60\n\na"
	var group sync.WaitGroup
	for client := range 8 {
		group.Go(func() {
			for i := range 100 {
				if client == 0 {
					s.c.SetOptions(Options{Sharing: Shared, Memory: int64(1+i%2) << 20, Now: s.clock.Now})
				}
				resp, err := s.rt.RoundTrip(s.request(step{do: fmt.Sprintf("GET /%d/%d", client, i)}))
				if err != nil {
					t.Error(err)
					return
				}
				drain(resp.Body, 10)
			}
		})
	}
	group.Wait()
	s.c.settled()
}

// Where memory runs short, what was used least goes first, and the rest stays.
func TestRelieve(t *testing.T) {
	s := newScene(t, Options{Sharing: Shared, Memory: 8 << 20})
	body := strings.Repeat("a", 64<<10)
	for i := range 64 {
		s.run(step{do: fmt.Sprintf("GET /%d", i), give: "200\nCache-Control: max-age=60\n\n" + body})
	}
	wanted := step{do: "GET /0", want: "200\n\n" + body}
	s.run(wanted)
	before := s.c.Stats().Bytes
	if s.c.Relieve(before/4+1) || s.c.Stats().Bytes != before {
		t.Error("too little was given up")
	}
	if !s.c.Relieve(before / 4) {
		t.Error("nothing was given up")
	}
	if after := s.c.Stats().Bytes; after > before/4*3 || after < before/2 {
		t.Errorf("of %d bytes %d are left", before, after)
	}
	s.run(wanted)
	for i := 0; s.c.Relieve(64 << 10); i++ {
		if i > 20 {
			t.Fatal("it never ends")
		}
	}
	s.run(step{do: "GET /new", give: "200\nCache-Control: max-age=60\n\na"}, step{do: "GET /new", want: "200\n\na"})
	// What is on its way could not be given up: hardly anything is taken in for now.
	large := "200\nCache-Control: max-age=60\n\n" + strings.Repeat("a", 1<<20)
	s.run(step{do: "GET /large", give: large}, step{do: "GET /large", give: large})
	past := time.Now().Add(-tightFor)
	s.c.tight.Store(&past)
	s.run(step{do: "GET /large", give: large}, step{do: "GET /large", want: "200\n\n" + strings.Repeat("a", 1<<20)})
}

// A store that was small counts as one that was made large.
func TestLargerMemoryCountsMore(t *testing.T) {
	s := newScene(t, Options{Memory: -1})
	s.c.SetOptions(Options{Memory: 64 << 20, Now: s.clock.Now})
	if got, want := len(s.c.store.counts.rows[0]), len(newStore(64 << 20).counts.rows[0]); got != want {
		t.Errorf("room to count %d keys, want %d", got, want)
	}
}

// Negative memory stores nothing, and everything passes.
func TestNoMemory(t *testing.T) {
	s := newScene(t, Options{Memory: -1})
	s.run(given("Cache-Control: max-age=60"), miss)
	if got := s.c.Stats(); got.Bytes != 0 || got.Resources != 0 {
		t.Errorf("%+v", got)
	}
}

// What is larger than the limit passes whole and is not stored.
func TestObjectLimit(t *testing.T) {
	for name, length := range map[string]string{"announced": "", "not announced": "\nContent-Length: -1"} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, Options{Sharing: Shared, Object: 10})
			s.run(
				step{give: "200\nCache-Control: max-age=60" + length + "\n\n0123456789", want: "200\n\n0123456789"},
				step{want: "200\n\n0123456789"},
				step{do: "GET /x", give: "200\nCache-Control: max-age=60" + length + "\n\n0123456789a", want: "200\n\n0123456789a"},
				step{do: "GET /x", give: "200\n\nb", want: "200\n\nb"},
			)
		})
	}
}

// Nor are parts of it, which would be put together.
func TestObjectLimitOfParts(t *testing.T) {
	part := func(where, give string) step {
		return step{do: "GET /\nRange: bytes=" + where, give: give, want: "206"}
	}
	for total, stored := range map[string]bool{"10": true, "11": false, "*": true} {
		s := newScene(t, Options{Sharing: Shared, Object: 10})
		give := "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 5-9/" + total + "\n\n56789"
		s.run(part("5-9", give))
		if stored {
			give = ""
		}
		s.run(part("5-9", give))
	}
	s := newScene(t, Options{Sharing: Shared, Object: 10})
	const give = "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 8-10/*\n\n89a"
	s.run(part("8-10", give), part("8-10", give))
}

// An error below is the caller's error, and a body that breaks off breaks off.
func TestErrorsPass(t *testing.T) {
	c := New(shared)
	defer c.Close()
	broken := errors.New("reset")
	rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		resp := parseResponse("200\nCache-Control: no-store", r)
		resp.Body, resp.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("ab"), failing{broken})), 10
		return resp, nil
	}))
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://origin.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "ab" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", b, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A purge reaches what is stored for each site, client, variant and set of cookies, and
// what is on its way: nobody is given afterwards what was asked for before.
func TestPurgeReachesAll(t *testing.T) {
	const uri = "http://origin.example/"
	purges := map[string]func(*Cache){
		"URL":  func(c *Cache) { c.PurgeURL(uri) },
		"host": func(c *Cache) { c.PurgeHost("origin.example") },
		"all":  (*Cache).PurgeAll,
	}
	for name, purge := range purges {
		for _, sharing := range []Sharing{Shared, Disguised, PerClient} {
			t.Run(fmt.Sprint(name, sharing), func(t *testing.T) {
				s := newScene(t, Options{Sharing: sharing})
				fill := func(give string) {
					for _, as := range []string{"a", "b"} {
						for _, site := range []string{"", "site"} {
							for _, fields := range []string{"Accept-Language: en", "Accept-Language: de", "Cookie: a=b"} {
								s.step(0, step{as: as, site: site, do: "GET /\n" + fields + "\nCache-Control: no-cache", give: give})
							}
						}
					}
				}
				const give = "200\nCache-Control: max-age=60\nVary: Accept-Language\n\na"
				fill(give)
				if s.c.Stats().Resources == 0 {
					t.Fatal("nothing was stored")
				}
				purge(s.c)
				if st := s.c.Stats(); st.Resources != 0 || st.Bytes != 0 {
					t.Errorf("left: %+v", st)
				}
				stage(t, Options{Sharing: sharing}, func(th *theatre) {
					a := th.visit("a", "")
					cl := th.call()
					cl.respond(storableFields, 4)
					th.expect(a, "")
					purge(th.c)
					cl.answerBody("body")
					th.expectAll(a, "body")
					if n := th.c.Stats().Resources; n != 0 {
						t.Errorf("%d stored of what was on its way", n)
					}
					again := th.visit("a", "")
					cl = th.call()
					cl.answer(storableFields, "BODY")
					th.expectAll(again, "BODY")
				})
			})
		}
	}
	s := newScene(t, shared)
	s.mu.Lock()
	s.give = "200\nCache-Control: max-age=60\nContent-Location: /\n\na"
	s.mu.Unlock()
	resp, err := s.rt.RoundTrip(s.request(step{do: "POST /\n\nbody"}))
	if err != nil {
		t.Fatal(err)
	}
	s.c.PurgeAll()
	drain(resp.Body, 100)
	if n := s.c.Stats().Resources; n != 0 {
		t.Errorf("%d stored of what a POST said before", n)
	}
}

// Bodies that are kept of answers to POST count as those on their way into the store do.
func TestKeptBodiesAreCounted(t *testing.T) {
	s := newScene(t, Options{Sharing: Shared, Memory: 1 << 20}) // half of it may be on its way
	s.give = "200\nCache-Control: max-age=60\nContent-Location: /\n\n" + strings.Repeat("a", 300<<10)
	post := func() *http.Response {
		resp, err := s.rt.RoundTrip(s.request(step{do: "POST /\n\nbody"}))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	first, second := post(), post()
	if got := s.c.Stats().FlightSize; got != 300<<10 {
		t.Errorf("%d bytes on their way, want those of one", got)
	}
	io.Copy(io.Discard, second.Body)
	if got := s.c.Stats().Stored; got != 0 {
		t.Errorf("stored %d, though there was no room on the way", got)
	}
	first.Body.Close()
	third := post()
	io.Copy(io.Discard, third.Body)
	third.Body.Close()
	if got := s.c.Stats(); got.FlightSize != 0 || got.Stored != 1 {
		t.Errorf("%+v", got)
	}
}
