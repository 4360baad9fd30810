package cache

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A policy is how an origin answers for one resource at present.
type policy struct {
	fields   string // one a line, dates as a step writes them
	tag      string // before the entity tag: "", W/, or "none"
	modified bool   // it has a Last-Modified
	vary     bool   // by Foo
	status   int
}

func drawPolicy(r *rand.Rand) policy {
	return policy{
		fields: "Cache-Control: " + one(r, "max-age=20", "max-age=60", "max-age=5", "max-age=0", "no-cache, max-age=20", "no-store", "private, max-age=60",
			"public, max-age=20", "s-maxage=30, max-age=5", "max-age=10, stale-while-revalidate=20", "max-age=10, stale-if-error=30", "max-age=20, must-revalidate",
			"max-age=20, immutable", "x", "public", "max-age=\"20\"", "max-age=20, max-age=1", "must-understand, no-store, max-age=20") +
			one(r, "", "", "\nExpires: @30s", "\nExpires: @-10s") + one(r, "\nDate: @0s", "\nDate: @-4s", "\nDate: @15s", "\nDate: @-50s", "") +
			one(r, "", "", "\nAge: 3", "\nAge: abc", "\nAge: 7, 100") + one(r, "", "", "", "\nSet-Cookie: a=b"),
		tag: one(r, "", "", "W/", "none"), modified: r.IntN(2) == 0, vary: r.IntN(3) == 0,
		status: one(r, 200, 200, 200, 200, 404, 301, 203, 410, 299, 416, 429),
	}
}

// A modelled origin numbers what it says, in the field N, and remembers it.
type modelled struct {
	s       *scene
	policy  policy
	version int
	changed time.Time
	failing bool
	said    []utterance
}

// An utterance is one thing that it said.
type utterance struct {
	at      time.Time
	request http.Header
	header  http.Header
	policy  policy
	version int
}

func (o *modelled) content(p policy, version int, request http.Header) string {
	foo := ""
	if p.vary {
		foo = request.Get("Foo")
	}
	return strings.Repeat(fmt.Sprintf("[version %d for %q]", version, foo), 1+version%3)
}

func (o *modelled) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.failing {
		return nil, errOrigin
	}
	if r.Method == http.MethodPut {
		return parseResponse("204", r), nil
	}
	body := o.content(o.policy, o.version, r.Header)
	resp := parseResponse(o.s.dated(strconv.Itoa(o.policy.status)+"\n"+o.policy.fields+"\n\n"+body), r)
	h := resp.Header
	h.Set("N", strconv.Itoa(len(o.said)))
	if o.policy.tag != "none" {
		h.Set("Etag", o.policy.tag+fmt.Sprintf("\"%x\"", body))
	}
	if o.policy.modified {
		h.Set("Last-Modified", formatDate(o.changed))
	}
	if o.policy.vary {
		h.Set("Vary", "Foo")
	}
	o.said = append(o.said, utterance{o.s.clock.Now(), r.Header.Clone(), h.Clone(), o.policy, o.version})
	c := conditionsOf(r.Header, o.s.clock.Now())
	switch ranges, ok := parseRanges(r.Header.Get("Range")); {
	case o.policy.status != 200:
	case c.set && (len(c.tags) > 0 || o.policy.modified) && c.notModified(h, o.s.clock.Now()):
		return notModified(resp), nil
	case ok && r.Method == http.MethodGet && rangeStands(r.Header.Get("If-Range"), h, o.s.clock.Now()):
		if from, to, ok := ranges[0].within(int64(len(body))); ok {
			h.Set("Content-Range", contentRange{from, to - 1, int64(len(body))}.String())
			resp.StatusCode, resp.Status, resp.ContentLength = 206, "206 Part", to-from
			resp.Body = io.NopCloser(strings.NewReader(body[from:to]))
		}
	}
	return resp, nil
}

// lifetime is RFC 9111 §4.2.1 once more, for what an utterance said.
func (u *utterance) lifetime() (life, age time.Duration) {
	d, date, dated := parseDirectives(u.header["Cache-Control"]), u.at, false
	if t, ok := parseDate(u.header.Get("Date"), u.at); ok {
		date, dated = t, true
	}
	expires, hasExpires := parseDate(u.header.Get("Expires"), u.at)
	modified, hasModified := parseDate(u.header.Get("Last-Modified"), u.at)
	switch {
	case d.sMaxAge != absent:
		life = d.sMaxAge.duration()
	case d.maxAge != absent:
		life = d.maxAge.duration()
	case hasExpires:
		life = max(0, expires.Sub(date))
	case hasModified && (d.public || heuristicallyCacheable(u.policy.status)):
		life = max(0, date.Sub(modified)/10)
	}
	if dated {
		age = max(0, u.at.Sub(date).Truncate(time.Second)) // the rest of a second is not age
	}
	return life, max(age, ageValue(u.header))
}

// judgeReuse returns what is wrong with giving r what the origin said before, or "".
func (o *modelled) judgeReuse(u utterance, r *http.Request, resp *http.Response) string {
	d, asks := parseDirectives(u.header["Cache-Control"]), parseDirectives(r.Header["Cache-Control"])
	life, age := u.lifetime()
	age += o.s.clock.Now().Sub(u.at)
	over := age - life
	strict := d.mustRevalidate || d.sMaxAge != absent
	mayBeStale := over <= max(asks.maxStale, 0).duration() || over <= max(d.staleWhile, 0).duration() && asks.maxAge == absent ||
		o.failing && (over <= max(d.staleIfError, asks.staleIfError, 0).duration() || over <= offline)
	forAll := d.public || d.sMaxAge != absent
	switch {
	case d.noStore && !d.mustUnderstand, d.private, ofOneRequest(u.policy.status):
		return "was not to be stored"
	case d.noCache, asks.noCache, asks.noStore:
		return "was to be asked about"
	case over >= 0 && (strict || !mayBeStale):
		return fmt.Sprintf("is stale: %v old, of %v", age, life)
	case asks.maxAge != absent && age > asks.maxAge.duration() && !(d.immutable && over < 0), asks.minFresh != absent && -over < asks.minFresh.duration():
		return "is older than asked for"
	case u.request.Get("Authorization") != "" && !forAll && !d.mustRevalidate, u.request.Get("Cookie") != "" && !forAll && r.Header.Get("Cookie") == "":
		return "is another's"
	case resp.Header.Get("Age") != formatInt(int64(age/time.Second)):
		return fmt.Sprintf("is %v old", age)
	case len(resp.Header["Set-Cookie"]) > 0:
		return "sets a cookie"
	}
	return ""
}

// judge returns what is wrong with an answer; heard is how much the origin had said before
// the request, and written before the last write.
func (o *modelled) judge(heard, written int, r *http.Request, resp *http.Response, body string) string {
	n, err := strconv.Atoi(resp.Header.Get("N"))
	if err != nil {
		return "nobody said"
	}
	u := o.said[n]
	if n < heard {
		if wrong := o.judgeReuse(u, r, resp); wrong != "" {
			return fmt.Sprintf("%s, of %+v", wrong, u)
		}
		if n < written {
			return "is from before a write"
		}
	}
	want := o.content(u.policy, u.version, r.Header)
	if where, ok := parseContentRange(resp.Header.Get("Content-Range")); ok && where.total == int64(len(want)) {
		want = want[where.first : where.last+1]
	}
	hasBody := r.Method == http.MethodGet && resp.StatusCode != http.StatusNotModified && resp.StatusCode != http.StatusRequestedRangeNotSatisfiable
	if hasBody && body != want {
		return fmt.Sprintf("has another body than %q", want)
	}
	return ""
}

func drawRequest(r *rand.Rand) string {
	do := one(r, "GET /", "GET /", "GET /", "GET /", "HEAD /", "PUT /")
	for _, field := range []string{"Foo: " + one(r, "1", "2"), "Cookie: x=1", "Authorization: Basic eA==", "If-None-Match: \"x\"", "If-Modified-Since: @-5s",
		"Range: bytes=" + one(r, "0-5", "3-9", "6-", "-4", "500-"), "Cache-Control: " + one(r, "no-cache", "max-age=0", "max-age=6", "max-stale=9", "min-fresh=4", "no-store")} {
		if r.IntN(6) == 0 && !strings.HasPrefix(do, "PUT") {
			do += "\n" + field
		}
	}
	return do
}

// change has the origin have something else, and perhaps answer in another way.
func (o *modelled) change(r *rand.Rand) {
	o.s.clock.advance(2 * time.Second)
	o.version, o.changed = o.version+1, o.s.clock.Now().Truncate(time.Second)
	o.s.clock.advance(2 * time.Second)
	if r.IntN(2) == 0 {
		o.policy = drawPolicy(r)
	}
}

// A response that is used again is one that RFC 9111 lets be used: of drawn origins that
// change and fail, and drawn requests.
func TestReuseIsAsTheModelHasIt(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := newScene(t, shared)
		o := &modelled{s: s, policy: drawPolicy(r), changed: s.clock.Now().Add(-1000 * time.Second)}
		s.rt = s.c.Transport(o)
		written := 0
		for range 60 {
			s.clock.advance(time.Duration(r.IntN(4)) * 1500 * time.Millisecond)
			if r.IntN(10) == 0 {
				o.change(r)
			}
			do := drawRequest(r)
			request, heard := s.request(step{do: do}), len(o.said)
			o.failing = r.IntN(15) == 0
			resp, err := s.rt.RoundTrip(request)
			switch {
			case err != nil && o.failing:
				continue
			case err != nil:
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			s.c.settled()
			if request.Method == http.MethodPut {
				written = len(o.said)
			} else if wrong := o.judge(heard, written, request, resp, string(body)); wrong != "" {
				t.Fatalf("%d: %q is answered by\n%d %v %q\nwhich %s", seed, do, resp.StatusCode, resp.Header, body, wrong)
			}
		}
		s.c.Close()
	}
}
