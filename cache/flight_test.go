package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A call is one request at a slow origin: the test writes the answer.
type call struct {
	r    *http.Request
	head chan *http.Response // what to answer; nil fails
	body *io.PipeWriter
}

// respond sends the head of an answer whose body is written to cl.body.
func (cl *call) respond(header string, length int64) {
	pr, pw := io.Pipe()
	cl.body = pw
	resp := parseResponse("200\n"+header, cl.r)
	resp.Body, resp.ContentLength = pr, length
	context.AfterFunc(cl.r.Context(), func() { pw.CloseWithError(cl.r.Context().Err()) })
	cl.head <- resp
}

// A slowOrigin hands every request to the test.
type slowOrigin struct{ calls chan *call }

func (o *slowOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	cl := &call{r: r, head: make(chan *http.Response, 1)}
	o.calls <- cl
	select {
	case resp := <-cl.head:
		if resp == nil {
			return nil, errOrigin
		}
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// A visit is a client's request under way.
type visit struct {
	resp *http.Response
	err  error
	done chan struct{}
	stop context.CancelFunc
}

type theatre struct {
	t      *testing.T
	c      *Cache
	origin *slowOrigin
	rt     http.RoundTripper
}

// stage runs f with a cache and an origin in a bubble in which time passes
// only when everybody waits.
func stage(t *testing.T, o Options, f func(*theatre)) {
	synctest.Test(t, func(t *testing.T) {
		th := &theatre{t: t, c: New(o), origin: &slowOrigin{calls: make(chan *call, 100)}}
		th.rt = th.c.Transport(th.origin)
		f(th)
		th.c.Close()
	})
}

func (th *theatre) visit(client, fields string) *visit {
	ctx, cancel := context.WithCancel(th.t.Context())
	return th.visitWith(WithVisitor(ctx, Visitor{Client: client}), cancel, fields)
}

func (th *theatre) visitWith(ctx context.Context, cancel context.CancelFunc, fields string) *visit {
	v := &visit{done: make(chan struct{}), stop: cancel}
	r, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example/", nil)
	if err != nil {
		th.t.Fatal(err)
	}
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	go func() {
		defer close(v.done)
		v.resp, v.err = th.rt.RoundTrip(r)
	}()
	synctest.Wait()
	return v
}

// call returns the next request at the origin.
func (th *theatre) call() *call {
	th.t.Helper()
	synctest.Wait()
	select {
	case cl := <-th.origin.calls:
		return cl
	default:
		th.t.Fatal("the origin was not asked")
		return nil
	}
}

func (th *theatre) quiet() {
	th.t.Helper()
	synctest.Wait()
	if n := len(th.origin.calls); n > 0 {
		th.t.Fatalf("the origin was asked %d times", n)
	}
}

func (th *theatre) expect(v *visit, want string) {
	th.t.Helper()
	<-v.done
	if v.err != nil {
		th.t.Fatal(v.err)
	}
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(v.resp.Body, buf); err != nil || string(buf) != want {
		th.t.Fatalf("read %q, %v; want %q", buf, err, want)
	}
}

func (th *theatre) end(v *visit) {
	th.t.Helper()
	rest, err := io.ReadAll(v.resp.Body)
	v.resp.Body.Close()
	if err != nil || len(rest) > 0 {
		th.t.Fatalf("at the end: %q, %v", rest, err)
	}
	synctest.Wait()
}

const storableFields = "Cache-Control: max-age=60"

func TestFollowersGetBytesAsTheyCome(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		follower := th.visit("b", "")
		cl := th.call()
		th.quiet()
		cl.respond(storableFields, -1)
		io.WriteString(cl.body, "one")
		th.expect(leader, "one")
		th.expect(follower, "one")
		late := th.visit("c", "")
		th.expect(late, "one")
		io.WriteString(cl.body, "two")
		th.expect(late, "two")
		cl.body.Close()
		th.expect(leader, "two")
		th.end(leader)
		th.expect(follower, "two")
		th.end(follower)
		th.end(late)
		th.quiet()
		if got := th.c.Stats(); got.Collapsed != 2 || got.Misses != 1 || got.Stored != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestFollowersSurviveTheLeader(t *testing.T) {
	for name, when := range map[string]bool{"before the head": false, "after it": true} {
		t.Run(name, func(t *testing.T) {
			stage(t, shared, func(th *theatre) {
				leader := th.visit("a", "")
				follower := th.visit("b", "")
				cl := th.call()
				if when {
					cl.respond(storableFields, -1)
					<-leader.done
					leader.stop()
					leader.resp.Body.Close()
				} else {
					leader.stop()
					<-leader.done
					if !errors.Is(leader.err, context.Canceled) {
						t.Errorf("the leader got %v", leader.err)
					}
					cl.respond(storableFields, -1)
				}
				io.WriteString(cl.body, "all")
				cl.body.Close()
				th.expect(follower, "all")
				th.end(follower)
			})
		})
	}
}

func TestFetchStopsWhenNobodyWaits(t *testing.T) {
	for _, header := range []string{"", "Cache-Control: no-store", storableFields} {
		stage(t, shared, func(th *theatre) {
			leader := th.visit("a", "")
			cl := th.call()
			if header != "" {
				cl.respond(header, -1) // without a length there is no end in sight
				<-leader.done
				leader.resp.Body.Close()
			}
			leader.stop()
			synctest.Wait()
			if cl.r.Context().Err() == nil {
				t.Errorf("%q: the fetch goes on", header)
			}
		})
	}
}

func TestStorableFetchIsFinishedForTheStore(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, 3)
		<-leader.done
		leader.stop()
		leader.resp.Body.Close()
		io.WriteString(cl.body, "all")
		cl.body.Close()
		v := th.visit("b", "")
		th.expect(v, "all")
		th.end(v)
		th.quiet()
	})
}

func TestStorableFetchIsNotFinishedForever(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, 3)
		<-leader.done
		leader.resp.Body.Close()
		time.Sleep(orphanTime + time.Second) // the bubble's time
		synctest.Wait()
		if cl.r.Context().Err() == nil {
			t.Error("the fetch goes on")
		}
	})
}

func TestFollowersFetchThemselves(t *testing.T) {
	for name, head := range map[string]string{"after a failure": "", "after no-store": "Cache-Control: no-store",
		"after Vary": storableFields + "\nVary: Foo"} {
		t.Run(name, func(t *testing.T) {
			stage(t, shared, func(th *theatre) {
				leader := th.visit("a", "Foo: 1")
				b, c := th.visit("b", "Foo: 2"), th.visit("c", "Foo: 3")
				cl := th.call()
				th.quiet()
				if head == "" {
					cl.head <- nil
				} else {
					cl.respond(head, -1)
					cl.body.Close()
				}
				<-leader.done
				if head != "" {
					leader.resp.Body.Close()
				}
				for range 2 {
					cl := th.call()
					cl.respond("Cache-Control: no-store", -1)
					foo := cl.r.Header.Get("Foo")
					go func() {
						io.WriteString(cl.body, foo)
						cl.body.Close()
					}()
				}
				th.expect(b, "2")
				th.end(b)
				th.expect(c, "3")
				th.end(c)
			})
		})
	}
}

func TestTruncationReachesEveryReader(t *testing.T) {
	broken := errors.New("unexpected end")
	stage(t, shared, func(th *theatre) {
		leader, follower := th.visit("a", ""), th.visit("b", "")
		cl := th.call()
		cl.respond(storableFields, 10)
		io.WriteString(cl.body, "half")
		cl.body.CloseWithError(broken)
		for _, v := range []*visit{leader, follower} {
			th.expect(v, "half")
			if _, err := io.ReadAll(v.resp.Body); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			v.resp.Body.Close()
		}
		th.visit("a", "")
		th.call().head <- nil // it was not stored
	})
}

func TestTruncatedBodyIsCompleted(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields+"\nETag: \"1\"", 8)
		io.WriteString(cl.body, "half")
		cl.body.CloseWithError(io.ErrUnexpectedEOF)
		th.expect(leader, "half")
		leader.resp.Body.Close()
		v := th.visit("b", "")
		cl = th.call()
		if got := cl.r.Header.Get("Range"); got != "bytes=4-" {
			t.Fatalf("Range: %s", got)
		}
		resp := parseResponse("206\n"+storableFields+"\nETag: \"1\"\nContent-Range: bytes 4-7/8\n\nrest", cl.r)
		cl.head <- resp
		th.expect(v, "halfrest")
		th.end(v)
	})
}

func TestSlowFollowerHoldsNobodyUp(t *testing.T) {
	const limit = 1 << 20
	stage(t, Options{Sharing: Shared, Object: limit}, func(th *theatre) {
		leader, slow := th.visit("a", ""), th.visit("b", "")
		cl := th.call()
		cl.respond(storableFields, -1)
		block := strings.Repeat("x", 64<<10)
		go func() {
			for range 64 {
				io.WriteString(cl.body, block)
			}
			cl.body.Close()
		}()
		th.expect(slow, "x")
		<-leader.done
		n, err := io.Copy(io.Discard, leader.resp.Body)
		leader.resp.Body.Close()
		if n != 64*64<<10 || err != nil {
			t.Errorf("leader: %d bytes, %v", n, err)
		}
		if _, err := io.Copy(io.Discard, slow.resp.Body); !errors.Is(err, errLagged) {
			t.Errorf("follower: %v", err)
		}
		slow.resp.Body.Close()
		synctest.Wait()
		if got := th.c.Stats(); got.Resources != 0 || got.FlightSize != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestLargeBodyIsNotReadAhead(t *testing.T) {
	const limit = 1 << 20
	stage(t, Options{Sharing: Shared, Object: limit}, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, -1)
		written := 0
		go func() {
			for {
				n, err := io.WriteString(cl.body, strings.Repeat("x", 32<<10))
				if written += n; err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		if written > limit+ahead+128<<10 {
			t.Errorf("%d bytes were read for a leader who reads none", written)
		}
		<-leader.done
		leader.resp.Body.Close()
	})
}

func TestInvalidationReachesFlights(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, -1)
		<-leader.done
		go func() {
			r, _ := http.NewRequestWithContext(th.t.Context(), "POST", "http://origin.example/", strings.NewReader("x"))
			resp, err := th.rt.RoundTrip(r)
			if err == nil {
				resp.Body.Close()
			}
		}()
		post := th.call()
		post.head <- parseResponse("204", post.r)
		synctest.Wait()
		cl.body.Close()
		th.end(leader)
		th.visit("a", "")
		th.call().head <- nil // what was on its way may be from before the POST
	})
}

func TestInterimResponsesReachTheLeaderWhileItWaits(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		got := 0
		ctx, cancel := context.WithCancel(th.t.Context())
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { got += code; return nil },
		})
		v := th.visitWith(ctx, cancel, "")
		cl := th.call()
		trace := httptrace.ContextClientTrace(cl.r.Context())
		trace.Got1xxResponse(103, nil)
		if got != 103 {
			t.Errorf("before: %d", got)
		}
		cl.respond(storableFields, -1)
		<-v.done
		trace.Got1xxResponse(103, nil)
		if got != 103 {
			t.Errorf("after the end: %d", got)
		}
		cl.body.Close()
		th.end(v)
		// It is not stored: a hit has none.
		v = th.visitWith(ctx, cancel, "")
		th.end(v)
		if got != 103 {
			t.Errorf("on a hit: %d", got)
		}
	})
}

func TestTrailers(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		first := th.visit("a", "")
		cl := th.call()
		pr, pw := io.Pipe()
		resp := parseResponse("200\n"+storableFields, cl.r)
		resp.Body, resp.ContentLength = pr, -1
		resp.Trailer = http.Header{"Sum": nil}
		cl.head <- resp
		go func() {
			io.WriteString(pw, "all")
			resp.Trailer["Sum"] = []string{"6"}
			pw.Close()
		}()
		for _, v := range []*visit{first, nil} {
			if v == nil {
				v = th.visit("b", "")
			}
			th.expect(v, "all")
			if _, ok := v.resp.Trailer["Sum"]; !ok {
				t.Error("the trailer was not announced")
			}
			th.end(v)
			if got := v.resp.Trailer.Get("Sum"); got != "6" {
				t.Errorf("trailer %q", got)
			}
			if v.resp.Header.Get("Sum") != "" {
				t.Error("the trailer became a header field")
			}
		}
	})
}

func TestCloseEndsFetches(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		v := th.visit("a", "")
		cl := th.call()
		th.c.Close()
		<-v.done
		if v.err == nil || cl.r.Context().Err() == nil {
			t.Errorf("got %v", v.err)
		}
	})
}
