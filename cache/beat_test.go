package cache

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Beats come soon after what they pass on, and never before it.
func TestBeatsFollowClosely(t *testing.T) {
	for d := time.Duration(0); d < 2*time.Minute; d += 1 + d/50 {
		b := beat(d)
		if wait := b - d; wait < margin || wait > 2*firstBeat+d/4 || beat(b-margin) != b {
			t.Fatalf("what came after %v goes on after %v", d, b)
		}
	}
}

// A careful writer would hold a buffer while it reads, and counts those who do.
type careful struct {
	strings.Builder
	holding int
}

func (c *careful) ReadFrom(r io.Reader) (int64, error) {
	c.holding++
	defer func() { c.holding-- }()
	return io.Copy(&c.Builder, r)
}

// Who copies a body in beats holds nothing while the next bytes have not come.
func TestNothingIsHeldBetweenBeats(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		v := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, -1)
		<-v.done
		var got careful
		copied := make(chan error, 1)
		go func() {
			_, err := io.Copy(&got, v.resp.Body)
			copied <- err
		}()
		for _, piece := range []string{"one", " and", " all"} {
			before := got.String()
			io.WriteString(cl.body, piece)
			time.Sleep(lastBeat)
			synctest.Wait()
			if got.holding > 0 || got.String() != before+piece {
				t.Errorf("%d buffers held; got %q after %q", got.holding, got.String(), piece)
			}
		}
		cl.body.Close()
		if err := <-copied; err != nil {
			t.Error(err)
		}
		v.resp.Body.Close()
	})
}

// A first use of what is stored is awake before each beat, as a fetch is that bytes have woken:
// how late a machine wakes depends on how long it was asleep. What there is to do for its head
// it does then, as a fetch does.
func TestFirstUsesWakeBeforeTheirBeats(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		th.c.model.float = func() float64 { return 0.5 }
		const head, tail = 5300 * time.Microsecond, 11100 * time.Microsecond
		load := func(client string) {
			v := th.visit(client, "")
			time.Sleep(head)
			for range len(th.origin.calls) {
				cl := th.call()
				cl.respond(storableFields, 3)
				time.AfterFunc(tail, func() { cl.answerBody("all") })
			}
			th.expectAll(v, "all")
		}
		load("a")
		for range maxSamples / 2 {
			th.c.model.record("http://origin.example", anew, head, time.Now(), habit{})
			th.c.model.recordBody("http://origin.example", timing{head: head, tail: tail, size: 3, at: time.Now()}, habit{})
		}
		var woken []time.Duration
		begun := time.Now()
		th.c.sleep = func(ctx context.Context, d time.Duration) error {
			if woke := len(woken) > 0; woke != (th.c.Stats().Pretended == 1) {
				t.Errorf("its head is made before it is awake, or only at its beat: %d before wait %d", th.c.Stats().Pretended, len(woken))
			}
			defer func() { woken = append(woken, time.Since(begun).Round(time.Microsecond)) }()
			return sleepTimer(ctx, d)
		}
		load("b")
		if want := []time.Duration{head, beat(head), head + tail, beat(head + tail)}; !slices.Equal(woken, want) {
			t.Errorf("awake after %v, want %v", woken, want)
		}
	})
}

// A hurried origin sends bodies in pieces, each within a fraction of a beat.
func hurried(pieces, size int) http.RoundTripper {
	r := rand.New(rand.NewPCG(1, 2))
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		time.Sleep(time.Duration(50+r.IntN(300)) * time.Microsecond)
		resp := parseResponse("200\nCache-Control: max-age=60\nKeep-Alive: timeout=5\nUpgrade: h2c\nETag: \"1\"", req)
		resp.ContentLength = -1
		pr, pw := io.Pipe()
		resp.Body = pr
		go func() {
			for range pieces {
				time.Sleep(time.Duration(r.IntN(50)) * time.Microsecond)
				pw.Write(make([]byte, size/pieces))
			}
			pw.Close()
		}()
		return resp, nil
	})
}

// sightOf is all that a client sees of a response, to the microsecond.
func sightOf(t *testing.T, rt http.RoundTripper, client, path string) string {
	t.Helper()
	ctx := WithVisitor(t.Context(), Visitor{Client: client})
	r, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	fmt.Fprint(&s, resp.StatusCode, slices.Sorted(maps.Keys(resp.Header)), resp.Header["Cache-Control"])
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		fmt.Fprintf(&s, " %d after %v", n, time.Since(begun))
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	resp.Body.Close()
	return s.String()
}

// Of an origin that answers within a beat, a first use of what another has
// fetched looks exactly like a fetch: fields, times, and in which pieces a body comes.
func TestFirstUseOfAFastOriginIsLikeAFetch(t *testing.T) {
	for _, size := range []int{10, 3000, 60000} {
		synctest.Test(t, func(t *testing.T) {
			c := New(Options{})
			c.sleep = sleepTimer // the bubble's clock
			rt := c.Transport(hurried(5, size))
			for i := range 2 * minSamples {
				sightOf(t, rt, "a", fmt.Sprint("/", i))
			}
			want := sightOf(t, rt, "b", "/new")
			got := sightOf(t, rt, "b", "/0")
			if c.Stats().Pretended != 1 || got != want {
				t.Errorf("%+v\na fetch looks like  %s\na first use is like %s", c.Stats(), want, got)
			}
			c.Close()
		})
	}
}

// A client's second request for what it is being given joins the first, whether
// that is a fetch or only seems to be one: neither is answered before its time.
func TestOwnRequestIsJoined(t *testing.T) {
	for _, pause := range []time.Duration{100 * time.Millisecond, 550 * time.Millisecond, 900 * time.Millisecond} {
		stage(t, Options{}, func(th *theatre) {
			th.c.model.float = func() float64 { return 0.5 }
			look := func(path string, fetched bool) string {
				get := func() *visit {
					ctx := WithVisitor(th.t.Context(), Visitor{Client: "b"})
					return th.visitTo(ctx, func() {}, path, "")
				}
				begun := time.Now()
				first := get()
				if fetched {
					go func() {
						cl := th.call()
						time.Sleep(500 * time.Millisecond)
						cl.respond(storableFields, -1)
						time.Sleep(500 * time.Millisecond)
						cl.answerBody("body")
					}()
				}
				time.Sleep(pause)
				second := get()
				var s strings.Builder
				for _, v := range []*visit{first, second} {
					<-v.done
					fmt.Fprint(&s, time.Since(begun), v.resp.Header["Age"], " ")
				}
				for _, v := range []*visit{first, second} {
					body, _ := io.ReadAll(v.resp.Body)
					fmt.Fprint(&s, string(body), time.Since(begun).Round(time.Millisecond), " ")
					v.resp.Body.Close()
				}
				th.quiet()
				return s.String()
			}
			want := look("/a", true)
			// The same times, as of another client's fetch.
			e := th.c.store.index[key{url: "http://origin.example/a"}].entries[0]
			th.c.store.unview(e, "b")
			for range minSamples {
				th.c.model.record("http://origin.example", anew, 500*time.Millisecond, time.Now(), habit{})
				th.c.model.recordBody("http://origin.example", timing{tail: 500 * time.Millisecond, size: 4, at: time.Now()}, habit{})
			}
			if got := look("/a", false); got != want {
				th.t.Errorf("after %v: a fetch is like %s\na pretence like %s", pause, want, got)
			}
		})
	}
}

// A request with cookies or credentials gets in disguise only what its own
// fetch would have left for everybody: anything else looks different.
func TestKnownClientsShareOnlyWhatIsForAll(t *testing.T) {
	const give = "200\nCache-Control: max-age=60\nETag: \"1\"\n\na"
	const forAll = "200\nCache-Control: public, max-age=60\nETag: \"1\"\n\na"
	for _, field := range []string{"Cookie: a=b", "Authorization: Basic YTpi"} {
		play(t, disguised, map[string][]step{
			field: {{as: "a", give: give, want: "200\n\na"},
				{as: "b", do: "GET /\n" + field, give: give, want: "200\n\na"}},
			field + ", public": {{as: "a", give: forAll, want: "200\n\na"},
				{as: "b", do: "GET /\n" + field, give: strings.Replace(forAll, "\n\na", "\n\nb", 1), want: "200\n\na"}},
			field + ", an error": {{as: "a", do: "GET /\n" + field, give: strings.Replace(forAll, "200", "400", 1), want: "400\n\na"},
				{as: "b", do: "GET /\n" + field, give: "400\nCache-Control: public, max-age=60\nETag: \"1\"\n\nb", want: "400\n\nb"}},
			field + ", with a condition": {{as: "a", give: forAll, want: "200\n\na"},
				{as: "b", do: "GET /\nIf-None-Match: *\n" + field, give: "304\nX: y", want: "304\nX: y"}},
		})
	}
}

// Who joined an inquiry that fails asks for itself.
func TestFailedInquiryReleasesWhoJoined(t *testing.T) {
	stage(t, Options{}, func(th *theatre) {
		a := th.visit("a", "")
		cl := th.call()
		cl.answer(storableFields, "body")
		th.expectAll(a, "body")
		time.Sleep(time.Second)

		b, c := th.visit("b", ""), th.visit("b", "")
		failing := th.call()
		th.quiet()
		failing.head <- nil
		<-b.done
		if b.err == nil {
			t.Error("the failure was hidden from who asked")
		}
		cl = th.call()
		cl.answer(storableFields, "BODY")
		th.expect(c, "body") // the stored one: all get the same
		th.end(c)
	})
}
