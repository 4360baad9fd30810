package cache

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"max-age=60", `no-cache="a, b", private=c`, `x="\"`, "max-age=99999999999999999999", "max-age\t =60", ",,=,\"", "MAX-stale, Min-Fresh=1"} {
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		d := parseDirectives([]string{a, b})
		for _, s := range []seconds{d.maxAge, d.sMaxAge, d.minFresh, d.maxStale, d.staleWhile, d.staleIfError} {
			if s < absent || s > maxSeconds {
				t.Errorf("%d seconds of %q, %q", s, a, b)
			}
		}
		// Told lifetimes are never longer than the origin's.
		if told := parseDirectives([]string{shortenLifetimes(a, 10)}); told.maxAge > max(0, parseDirectives([]string{a}).maxAge-10) {
			t.Errorf("%q is told as %d", a, told.maxAge)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0", "Thu, 31 Apr 2050 02:01:18 GMT"} {
		f.Add(s)
	}
	now := newClock().Now()
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseDate(s, now)
		want, err := http.ParseTime(s)
		if !ok {
			// Whatever is in the one form that is to be sent must be read.
			if err == nil && want.Format(http.TimeFormat) == s && want.Year() <= 9999 {
				t.Errorf("%q is refused", s)
			}
			return
		}
		if got.Location() != time.UTC || got.Year() < 0 || got.Year() > 10000 {
			t.Errorf("%q is %v", s, got)
		}
		if again, ok := parseDate(formatDate(got), now); ok && !again.Equal(got) {
			t.Errorf("%q is %v and %v", s, got, again)
		}
	})
}

func FuzzVaryKey(f *testing.F) {
	f.Add("Accept-Encoding", "gzip, br;q=0.5", "BR; q=0.50,gzip")
	f.Add("Foo", "1, \"2,3\"", "1,\"2,3\"")
	f.Add("Foo", "\"1 , "+strings.Repeat("2", 507), "") // a quoted string that never ends, as long as is looked at
	f.Fuzz(func(t *testing.T, name, a, b string) {
		vary, ok := varyNames([]string{name})
		names := slices.Collect(vary.names())
		if !ok || len(names) == 0 || len(a) > maxNormalised-2 { // which is compared as it was sent
			return
		}
		key := func(lines ...string) string { return varyKey(vary, http.Header{names[0]: lines}) }
		if key(a) != key(" "+a+"\t") {
			t.Errorf("whitespace around %q counts", a)
		}
		if varyKey(vary, http.Header{}) == key(a) {
			t.Errorf("%q matches an absent field", a)
		}
		if key(a) == key(b) && len(names) == 1 {
			// What matches has the same letters, in some order.
			if letters(a) != letters(b) && !strings.HasPrefix(names[0], "Accept-") {
				t.Errorf("%q matches %q", a, b)
			}
		}
	})
}

// letters returns s without what normalising may remove.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t,", r) {
			return -1
		}
		return r
	}, s)
}

// Parts of one representation, in any order, only ever give out its bytes.
func FuzzRanges(f *testing.F) {
	f.Add("bytes=0-4", []byte{0, 3, 5, 2, 1, 9})
	f.Add("bytes=-3", []byte{9, 9, 0, 20})
	whole := []byte("0123456789abcdefghijklmnopqrstuv")
	f.Fuzz(func(t *testing.T, spec string, cuts []byte) {
		ranges, ok := parseRanges(spec)
		if !ok {
			return
		}
		r := ranges[0]
		var p *partial
		for len(cuts) >= 2 {
			from := int(cuts[0]) % len(whole)
			to := min(from+1+int(cuts[1])%8, len(whole))
			cuts = cuts[2:]
			next := &partial{total: int64(len(whole)), spans: []span{{int64(from), whole[from:to:to]}}}
			if p == nil {
				p = next
			} else if p, ok = combine(p, next); !ok {
				t.Fatal("parts of the same do not combine")
			}
		}
		if p == nil {
			return
		}
		for i, s := range p.spans {
			if i > 0 && p.spans[i-1].to() >= s.from || !bytes.Equal(s.data, whole[s.from:s.to()]) {
				t.Fatalf("spans %v", p.spans)
			}
		}
		if data, from, ok := p.cut(r); ok {
			wantFrom, wantTo, _ := r.within(int64(len(whole)))
			if from != wantFrom || !bytes.Equal(data, whole[wantFrom:wantTo]) {
				t.Errorf("%q gives %q from %d", spec, data, from)
			}
		}
		if data, ok := p.whole(); ok && !bytes.Equal(data, whole) {
			t.Errorf("the whole is %q", data)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-4/10")
	f.Add("bytes 99999999999999999999-99999999999999999999/*")
	f.Add("bytes 9999999999999999999999999-99999999999999999999/*")
	f.Fuzz(func(t *testing.T, field string) {
		r, ok := parseContentRange(field)
		if ok && (r.first < 0 || r.last < r.first || r.total >= 0 && r.last >= r.total) {
			t.Errorf("%q is %+v", field, r)
		}
		if ok {
			if again, ok := parseContentRange(r.String()); !ok || again != r {
				t.Errorf("%q is %+v and %+v", field, r, again)
			}
		}
	})
}

// Whatever the interleaving of requests, changes, purges and writes: a body
// is one that the origin had at that URL, whole or the part that was asked
// for, no older than the directives allow.
func FuzzInterleaving(f *testing.F) {
	f.Add([]byte("abcdefghijklmnop"), uint8(0))
	f.Add([]byte{0, 9, 33, 120, 7, 0, 66, 200, 12, 90, 4, 4, 4, 255}, uint8(1))
	f.Fuzz(interleave)
}

func interleave(t *testing.T, script []byte, mode uint8) {
	if len(script) > 200 {
		return
	}
	s := newScene(t, Options{Sharing: Sharing(mode % 3), Memory: 20 << 10, Object: 2 << 10})
	origin := &versioned{clock: s.clock, changed: map[string]time.Time{}, version: map[string]int{}}
	s.rt = s.c.Transport(origin)
	for i, b := range script {
		path := "/" + strconv.Itoa(int(b>>2)%4)
		client := strconv.Itoa(i % 3)
		switch b % 8 {
		case 0:
			s.clock.advance(time.Duration(b) * time.Second / 4)
		case 1:
			origin.change(path)
		case 2:
			s.c.PurgeURL("http://origin.example" + path)
		case 3:
			origin.change(path)
			origin.check(t, s, client, "PUT "+path, "")
		case 4:
			origin.check(t, s, client, "GET "+path, fmt.Sprintf("bytes=%d-%d", b%50, b%50+b%7))
		case 5:
			origin.check(t, s, client, "HEAD "+path, "")
		default:
			origin.check(t, s, client, "GET "+path, "")
		}
		if got := s.c.Stats(); got.Bytes > 20<<10 || got.FlightSize != 0 {
			t.Fatalf("%+v", got)
		}
		s.c.idle(t)
	}
}

// A versioned origin has numbered versions of each path.
type versioned struct {
	clock   *clock
	version map[string]int
	changed map[string]time.Time
}

const versionedLife = 60 * time.Second

func (o *versioned) change(path string) {
	o.version[path]++
	o.changed[path] = o.clock.Now()
}

func versionedBody(path string, version int) string {
	return strings.Repeat(fmt.Sprintf("%s@%d;", path, version), 10+version%300)
}

func (o *versioned) RoundTrip(r *http.Request) (*http.Response, error) {
	version := o.version[r.URL.Path]
	body := versionedBody(r.URL.Path, version)
	tag := fmt.Sprintf("\"%d\"", version)
	head := "\nCache-Control: max-age=60\nETag: " + tag + "\nContent-Length: "
	if r.Method == http.MethodPut {
		return parseResponse("204", r), nil
	}
	if r.Header.Get("If-None-Match") == tag {
		return parseResponse("304"+head+"0", r), nil
	}
	if specs, ok := parseRanges(r.Header.Get("Range")); ok && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == tag) {
		if from, to, ok := specs[0].within(int64(len(body))); ok {
			where := contentRange{from, to - 1, int64(len(body))}
			return parseResponse("206"+head+formatInt(to-from)+"\nContent-Range: "+where.String()+"\n\n"+body[from:to], r), nil
		}
	}
	return parseResponse("200"+head+strconv.Itoa(len(body))+"\n\n"+body, r), nil
}

// check makes a request and compares what comes with what the origin has or had.
func (o *versioned) check(t *testing.T, s *scene, client, do, spec string) {
	t.Helper()
	if spec != "" {
		do += "\nRange: " + spec
	}
	r := s.request(step{as: client, do: do})
	resp, err := s.rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	s.c.settled()
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != http.MethodGet {
		if len(body) > 0 {
			t.Fatalf("%s has a body", r.Method)
		}
		return
	}
	now := o.version[r.URL.Path]
	oldest := now
	if s.clock.Now().Sub(o.changed[r.URL.Path]) < versionedLife {
		oldest = 0 // the one before may still be fresh, and so on back
	}
	for version := now; version >= oldest; version-- {
		want := versionedBody(r.URL.Path, version)
		if resp.StatusCode == http.StatusPartialContent {
			where, ok := parseContentRange(resp.Header.Get("Content-Range"))
			if !ok || where.total != int64(len(want)) {
				continue
			}
			want = want[where.first : where.last+1]
		}
		if string(body) == want {
			return
		}
	}
	t.Fatalf("%s %s: %d %v gives %q, version %d", do, spec, resp.StatusCode, resp.Header, body, now)
}
