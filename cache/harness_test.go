package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// sleep takes no time but the clock's.
func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.advance(max(0, d))
	return ctx.Err()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// WithVisitor returns a context whose requests are made for v.
func WithVisitor(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(ctx, visitorKey{}, &v)
}

// A step is a request to the cache, what the origin answers, and what is to
// come out. Messages are written as on the wire, with bare line feeds; "@5s"
// in one is the date 5 s from now.
type step struct {
	after  time.Duration // since the step before
	as     string        // client; "" is one as well
	site   string
	part   bool   // a part of a page
	adrift bool   // nobody knows what page makes it
	proof  bool   // its client proves who it is in a field of which the cache knows nothing
	do     string // "METHOD /path", then fields; "" is "GET /"
	give   string // "STATUS", fields, empty line, body; "" means that the origin must not be asked
	sent   string // fields the origin must get; "!Name" must not come
	want   string // like give: status, fields that must be there ("!Name": must not), body; "" is anything
}

// A scene is a cache, its clock and its origin.
type scene struct {
	t     *testing.T
	c     *Cache
	clock *clock
	rt    http.RoundTripper

	mu    sync.Mutex
	give  string
	asked []*http.Request
}

var errOrigin = errors.New("connection refused")

func newScene(t *testing.T, o Options) *scene {
	s := &scene{t: t, clock: newClock()}
	o.Now = s.clock.Now
	s.c = New(o)
	s.c.sleep = s.clock.sleep
	s.rt = s.c.Transport(roundTripper(s.origin))
	t.Cleanup(func() { s.c.Close() })
	return s
}

func (s *scene) origin(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r)
	if s.give == "" {
		return nil, errors.New("the origin was asked")
	}
	if s.give == "error" {
		return nil, errOrigin
	}
	return parseResponse(s.dated(s.give), r), nil
}

var dates = regexp.MustCompile(`@(-?[0-9a-z]+)`)

// dated replaces "@5s" by the date 5 s from now.
func (s *scene) dated(text string) string {
	return dates.ReplaceAllStringFunc(text, func(m string) string {
		d, err := time.ParseDuration(m[1:])
		if err != nil {
			return m
		}
		return formatDate(s.clock.Now().Add(d))
	})
}

func splitMessage(text string) (first string, fields []string, body string, hasBody bool) {
	head, body, hasBody := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	for _, line := range lines[1:] {
		if line = strings.TrimSpace(line); line != "" {
			fields = append(fields, line)
		}
	}
	return strings.TrimSpace(lines[0]), fields, body, hasBody
}

func parseResponse(text string, r *http.Request) *http.Response {
	first, fields, body, _ := splitMessage(text)
	status, err := strconv.Atoi(first)
	if err != nil {
		panic("bad status in " + text)
	}
	resp := &http.Response{
		StatusCode: status, Status: first + " Whatever", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: r, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		resp.Header.Add(name, strings.TrimSpace(value))
	}
	if r.Method == http.MethodHead || status == http.StatusNotModified {
		resp.Body = http.NoBody
	}
	if n := resp.Header.Get("Content-Length"); n != "" {
		resp.ContentLength, _ = strconv.ParseInt(n, 10, 64)
	}
	return resp
}

func (s *scene) request(st step) *http.Request {
	do := st.do
	if do == "" || strings.HasPrefix(do, "\n") {
		do = "GET /" + do
	}
	first, fields, body, hasBody := splitMessage(do)
	method, path, _ := strings.Cut(first, " ")
	ctx := WithVisitor(s.t.Context(), Visitor{Client: st.as, Site: st.site, Part: st.part, Adrift: st.adrift, Personal: st.proof})
	var payload io.Reader
	if hasBody {
		payload = strings.NewReader(body)
	}
	uri := path
	if strings.HasPrefix(path, "/") {
		uri = "http://origin.example" + path
	}
	r, err := http.NewRequestWithContext(ctx, method, uri, payload)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(s.dated(f), ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r
}

// run plays the steps.
func (s *scene) run(steps ...step) {
	s.t.Helper()
	for i, st := range steps {
		s.step(i+1, st)
	}
}

func (s *scene) step(n int, st step) (*http.Response, []byte) {
	s.t.Helper()
	s.clock.advance(st.after)
	s.mu.Lock()
	s.give, s.asked = st.give, nil
	s.mu.Unlock()
	resp, err := s.rt.RoundTrip(s.request(st))
	if st.want == "error" {
		if !errors.Is(err, errOrigin) {
			s.t.Fatalf("step %d: got %v, want the origin's error", n, err)
		}
		return nil, nil
	}
	if err != nil {
		s.t.Fatalf("step %d: %v", n, err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		s.t.Fatalf("step %d: body: %v", n, err)
	}
	s.c.settled()
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	if st.give == "" && len(asked) > 0 {
		s.t.Fatalf("step %d: the origin was asked", n)
	}
	if st.give != "" && len(asked) == 0 {
		s.t.Fatalf("step %d: the origin was not asked; got %d %v", n, resp.StatusCode, resp.Header)
	}
	if len(asked) > 0 {
		s.check(n, "the origin got", st.sent, asked[0].Header)
	}
	s.compare(n, st.want, resp, body)
	return resp, body
}

// settled waits for the cache's own fetches. Tests that hold a flight open do
// not call it.
func (c *Cache) settled() { c.fetches.Wait() }

// letBodiesCome has the clock go on for whoever waits only once all bodies are there: one
// that comes meanwhile would count as a slow one.
func (s *scene) letBodiesCome() {
	s.c.sleep = func(ctx context.Context, d time.Duration) error {
		s.c.settled()
		return s.clock.sleep(ctx, d)
	}
}

func (s *scene) check(n int, what, fields string, h http.Header) {
	s.t.Helper()
	for line := range strings.SplitSeq(fields, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if name, absent := strings.CutPrefix(line, "!"); absent {
			if got, ok := h[http.CanonicalHeaderKey(name)]; ok {
				s.t.Errorf("step %d: %s %s: %q, want none", n, what, name, got)
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		if got := strings.Join(h.Values(name), ", "); got != strings.TrimSpace(s.dated(value)) {
			s.t.Errorf("step %d: %s %s: %q, want %q", n, what, name, got, strings.TrimSpace(s.dated(value)))
		}
	}
}

func (s *scene) compare(n int, want string, resp *http.Response, body []byte) {
	s.t.Helper()
	if want == "" {
		return
	}
	first, fields, text, hasBody := splitMessage(want)
	if got := strconv.Itoa(resp.StatusCode); got != first {
		s.t.Errorf("step %d: status %s, want %s; header %v", n, got, first, resp.Header)
	}
	s.check(n, "the client got", strings.Join(fields, "\n"), resp.Header)
	if hasBody && !bytes.Equal(body, []byte(text)) {
		s.t.Errorf("step %d: body %q, want %q", n, body, text)
	}
	if resp.ContentLength >= 0 && resp.Request.Method != http.MethodHead && resp.ContentLength != int64(len(body)) {
		s.t.Errorf("step %d: ContentLength %d of %d bytes", n, resp.ContentLength, len(body))
	}
}

// play runs a table of scenes in one mode.
func play(t *testing.T, o Options, table map[string][]step) {
	for name, steps := range table {
		t.Run(name, func(t *testing.T) { newScene(t, o).run(steps...) })
	}
}
