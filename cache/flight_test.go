package cache

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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
		th.expectAll(leader, "two")
		th.expectAll(follower, "two")
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
				cl.answerBody("all")
				th.expectAll(follower, "all")
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
		cl.answerBody("all")
		v := th.visit("b", "")
		th.expectAll(v, "all")
		th.quiet()
	})
}

func TestFetchLandsBetweenLookupAndDeparture(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://origin.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		asked, _ := th.c.ask(r, th.c.options.Load())
		q := &asked
		found := th.c.find(q)
		first := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, 3)
		go cl.answerBody("all")
		th.expectAll(first, "all")
		synctest.Wait()
		resp, err := th.rt.(*transport).fetch(q, found)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
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

// Nor does one go on, with its memory and its connection, that turns out not to be stored
// for want of room.
func TestFetchOfNobodyEndsWhereThereIsNoRoom(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, 1<<20)
		<-leader.done
		leader.resp.Body.Close()
		synctest.Wait()
		const others = 1 << 40
		th.c.store.inflight.Add(others)
		go cl.body.Write(make([]byte, 1<<19))
		synctest.Wait()
		if cl.r.Context().Err() == nil {
			t.Error("the fetch goes on")
		}
		if left := th.c.store.inflight.Add(-others); left != 0 {
			t.Errorf("%d bytes are held", left)
		}
	})
}

// Who joins a fetch whose client has left gets all of it, however long that takes.
func TestWhoJoinsAnOrphanIsNotCutOff(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		leader := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, 6)
		io.WriteString(cl.body, "abc")
		<-leader.done
		leader.resp.Body.Close()
		synctest.Wait()
		follower := th.visit("b", "")
		synctest.Wait()
		time.Sleep(orphanTime + time.Second) // the bubble's time
		go cl.answerBody("def")
		th.expectAll(follower, "abcdef")
		th.quiet()
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
					go cl.answerBody(foo)
				}
				th.expectAll(b, "2")
				th.expectAll(c, "3")
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
		synctest.Wait() // the half is in the store
		leader.resp.Body.Close()
		v := th.visit("b", "")
		cl = th.call()
		if got := cl.r.Header.Get("Range"); got != "bytes=4-" {
			t.Fatalf("Range: %s", got)
		}
		resp := parseResponse("206\n"+storableFields+"\nETag: \"1\"\nContent-Range: bytes 4-7/8\n\nrest", cl.r)
		cl.head <- resp
		th.expectAll(v, "halfrest")
	})
}

func TestSlowFollowerHoldsNobodyUp(t *testing.T) {
	const limit = 1 << 20
	stage(t, Options{Sharing: Shared, Object: limit}, func(th *theatre) {
		leader, slow := th.visit("a", ""), th.visit("b", "")
		cl := th.call()
		cl.respond(storableFields, -1)
		<-leader.done
		<-slow.done // it reads from the start on: afterwards that may be gone
		block := strings.Repeat("x", 64<<10)
		go func() {
			for range 64 {
				io.WriteString(cl.body, block)
			}
			cl.body.Close()
		}()
		th.expect(slow, "x")
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

// visitTogether returns one who asks, another who joins, and what both ask for, of which
// the head is there.
func (th *theatre) visitTogether() (leader, follower *visit, cl *call) {
	leader, follower = th.visit("a", ""), th.visit("b", "")
	cl = th.call()
	cl.respond(storableFields, -1)
	<-leader.done
	<-follower.done
	return leader, follower, cl
}

// Nor does a fast one have a slow leader lose the body: it would not have but for the follower.
func TestFastFollowerCutsNobody(t *testing.T) {
	const limit, blocks = 1 << 20, 64
	stage(t, Options{Sharing: Shared, Object: limit}, func(th *theatre) {
		leader, fast, cl := th.visitTogether()
		block := strings.Repeat("x", 64<<10)
		go func() {
			for range blocks {
				io.WriteString(cl.body, block)
			}
			cl.body.Close()
		}()
		followed := make(chan error)
		go func() {
			n, err := io.Copy(io.Discard, fast.resp.Body)
			if n != int64(blocks*len(block)) {
				t.Errorf("follower: %d bytes", n)
			}
			followed <- err
		}()
		for range blocks {
			time.Sleep(time.Second) // the bubble's time
			th.expect(leader, block)
			if held := th.c.Stats().FlightSize; held > 3*limit/2 {
				t.Fatalf("%d bytes are held", held)
			}
		}
		th.end(leader)
		if err := <-followed; err != nil {
			t.Errorf("follower: %v", err)
		}
		fast.resp.Body.Close()
		synctest.Wait()
	})
}

// But for one who does not read at all, whom others wait for only so long.
func TestStalledLeaderHoldsNobodyUpForLong(t *testing.T) {
	const limit, blocks = 1 << 20, 64
	stage(t, Options{Sharing: Shared, Object: limit}, func(th *theatre) {
		leader, fast, cl := th.visitTogether()
		go func() {
			for range blocks {
				io.WriteString(cl.body, strings.Repeat("x", 64<<10))
			}
			cl.body.Close()
		}()
		begun := time.Now()
		n, err := io.Copy(io.Discard, fast.resp.Body)
		if n != blocks*64<<10 || err != nil || time.Since(begun) > 2*leaderTime {
			t.Errorf("follower: %d bytes, %v, after %v", n, err, time.Since(begun))
		}
		if _, err := io.Copy(io.Discard, leader.resp.Body); !errors.Is(err, errLagged) {
			t.Errorf("leader: %v", err)
		}
		leader.resp.Body.Close()
		fast.resp.Body.Close()
		synctest.Wait()
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

// TestForgettingReachesFlights: what a client fetched before it began anew is nothing
// that its next visit finds.
func TestForgettingReachesFlights(t *testing.T) {
	stage(t, Options{Sharing: PerClient}, func(th *theatre) {
		before := th.visit("a", "")
		cl := th.call()
		cl.respond(storableFields, -1)
		<-before.done
		th.c.Forget("a")
		cl.body.Close()
		th.end(before)
		th.visit("a", "")
		th.call().head <- nil
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

// Of what has no length nobody knows before its end that it is empty. A client who is
// answered from the store learns it no sooner, and keeps it like one who fetched it.
func TestEmptyBodiesOfUnknownLengthEndLikeOthers(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		for _, client := range []string{"a", "b"} {
			v := th.visit(client, "")
			cl := th.call() // of b an inquiry
			cl.respond(storableFields, -1)
			<-v.done
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				io.Copy(io.Discard, v.resp.Body)
				v.resp.Body.Close()
			}()
			synctest.Wait()
			select {
			case <-ended:
				t.Errorf("%s: the body ended before the origin's", client)
			default:
			}
			cl.body.Close()
			<-ended
			synctest.Wait()
			again := th.visit(client, "")
			th.quiet()
			th.end(again)
		}
	})
}

// What comes with an interim response is for nobody else, though the client that it was for
// has gone: another one would miss it.
func TestInterimResponseThatNobodyGot(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		ctx, cancel := context.WithCancel(WithVisitor(th.t.Context(), Visitor{Client: "a"}))
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil }})
		leader := th.visitWith(ctx, cancel, "")
		cl := th.call()
		again := th.visit("a", "")
		th.quiet()
		leader.stop()
		<-leader.done
		httptrace.ContextClientTrace(cl.r.Context()).Got1xxResponse(103, nil)
		cl.answer(storableFields, "all")
		th.expectAll(again, "all")
		other := th.visit("b", "")
		cl = th.call()
		cl.answer(storableFields, "new")
		th.expectAll(other, "new")
	})
}

// answerWithTrailer gives body, and behind it trailer, of which Sum was announced.
func (cl *call) answerWithTrailer(body string, trailer http.Header) {
	pr, pw := io.Pipe()
	resp := parseResponse("200\n"+storableFields, cl.r)
	resp.Body, resp.ContentLength = pr, -1
	resp.Trailer = http.Header{"Sum": nil}
	cl.head <- resp
	go func() {
		io.WriteString(pw, body)
		maps.Copy(resp.Trailer, trailer)
		pw.Close()
	}()
}

func TestTrailers(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		first := th.visit("a", "")
		cl := th.call()
		cl.answerWithTrailer("all", http.Header{"Sum": {"6"}})
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

// Who is given later what a trailer says of the time sees by it that somebody asked then.
func TestTrailersThatTellTheTimeAreNotShared(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		for _, body := range []string{"a's", "b's"} {
			v := th.visit(body[:1], "")
			th.call().answerWithTrailer(body, http.Header{"Sum": {time.Now().UTC().Format(time.RFC3339)}})
			th.expectAll(v, body)
		}
		again := th.visit("a", "")
		th.expectAll(again, "a's")
	})
}

// A trailer that nobody announced is not announced to who asks later either, who would
// see by it that somebody had asked before.
func TestTrailersAreAnnouncedToAllOrNobody(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		first := th.visit("a", "")
		cl := th.call()
		cl.answerWithTrailer("all", http.Header{"Sum": {"6"}, "More": {"7"}})
		watch := func(v *visit) {
			th.expect(v, "all")
			if _, ok := v.resp.Trailer["Sum"]; !ok || len(v.resp.Trailer) != 1 {
				t.Errorf("announced %v", v.resp.Trailer)
			}
			th.end(v)
			if v.resp.Trailer.Get("Sum") != "6" || v.resp.Trailer.Get("More") != "7" || len(v.resp.Trailer) != 2 {
				t.Errorf("came %v", v.resp.Trailer)
			}
		}
		watch(first)
		watch(th.visit("a", ""))
		other := th.visit("b", "") // an inquiry
		cl = th.call()
		cl.respond(storableFields, -1)
		cl.answerBody("all")
		watch(other)
	})
}

// So it is if what was announced does not come, as where a filter keeps it back.
func TestTrailersThatDoNotComeAreAnnouncedToAll(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		watch := func(v *visit) {
			t.Helper()
			th.expect(v, "all")
			if _, ok := v.resp.Trailer["Sum"]; !ok || len(v.resp.Trailer) != 1 {
				t.Errorf("announced %v", v.resp.Trailer)
			}
			th.end(v)
			if got := v.resp.Trailer["Sum"]; len(got) > 0 {
				t.Errorf("came %v", got)
			}
		}
		for _, client := range []string{"a", "b"} {
			v := th.visit(client, "")
			cl := th.call()
			pr, pw := io.Pipe()
			resp := parseResponse("200\n"+storableFields, cl.r)
			resp.Body, resp.ContentLength, resp.Trailer = pr, -1, http.Header{"Sum": nil}
			cl.head <- resp
			go func() {
				io.WriteString(pw, "all")
				delete(resp.Trailer, "Sum")
				pw.Close()
			}()
			watch(v)
			watch(th.visit(client, ""))
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

// TestCloseBesideRequests: requests may still be made while the cache closes, and each
// gets a whole answer or an error.
func TestCloseBesideRequests(t *testing.T) {
	for range 50 {
		c := New(shared)
		rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			return parseResponse("200\nCache-Control: max-age=60\n\nwhole", r), nil
		}))
		var clients sync.WaitGroup
		for i := range 4 {
			clients.Go(func() {
				r, _ := http.NewRequest("GET", "http://origin.example/"+strconv.Itoa(i), nil)
				resp, err := rt.RoundTrip(r)
				if err != nil {
					return
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); err == nil && string(got) != "whole" {
					t.Errorf("got %q", got)
				}
			})
		}
		c.Close()
		clients.Wait()
	}
}

// In Disguised a client's next request follows as much later as it came, with a header
// that looks like the first's.
func TestOwnRequestsFollowLater(t *testing.T) {
	stage(t, Options{}, func(th *theatre) {
		th.c.model.float = func() float64 { return 0 }
		begun := time.Now()
		leader := th.visit("a", "")
		time.Sleep(100 * time.Millisecond)
		same := th.visit("a", "")
		time.Sleep(400 * time.Millisecond)
		cl := th.call()
		th.quiet()
		cl.respond(storableFields+"\nSet-Foo: bar", -1)
		expectAt := func(v *visit, text string, want time.Duration) {
			t.Helper()
			th.expect(v, text)
			if got := time.Since(begun); got != want {
				t.Errorf("%q after %v, want %v", text, got, want)
			}
		}
		const later = 100 * time.Millisecond
		one := beat(500 * time.Millisecond)
		io.WriteString(cl.body, "one")
		expectAt(leader, "one", one)
		expectAt(same, "one", one+later)
		two := beat(one + later)
		io.WriteString(cl.body, "two")
		expectAt(leader, "two", two)
		expectAt(same, "two", two+later)
		cl.body.Close()
		for _, v := range []*visit{leader, same} {
			th.end(v)
			if got := len(v.resp.Header); got != len(leader.resp.Header) || v.resp.Header.Get("Age") != "" {
				t.Errorf("header %v", v.resp.Header)
			}
		}
		if got := time.Since(begun); got != beat(two+later)+later {
			t.Errorf("the end came after %v", got)
		}
	})
}

// A leader who has gone leaves nothing open at the origin, though others wait.
func TestUnwantedResponseIsLetGo(t *testing.T) {
	for name, o := range map[string]Options{"shared": shared, "disguised": {}} {
		t.Run(name, func(t *testing.T) {
			stage(t, o, func(th *theatre) {
				leader := th.visit("a", "")
				cl := th.call()
				follower := th.visit("a", "")
				th.quiet()
				leader.stop()
				synctest.Wait()
				cl.respond("Cache-Control: no-store", -1)
				own := th.call()
				synctest.Wait()
				if cl.r.Context().Err() == nil {
					t.Error("nobody reads the response, and it is not closed")
				}
				own.respond("Cache-Control: no-store", 3)
				go func() {
					own.body.Write([]byte("own"))
					own.body.Close()
				}()
				th.expectAll(follower, "own")
				cl.body.CloseWithError(errOrigin)
			})
		})
	}
}

// However many are answered stale meanwhile, one asks the origin.
func TestRefreshIsMadeOnce(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		const fields = "Cache-Control: max-age=60, stale-while-revalidate=600\nETag: \"1\""
		v := th.visit("a", "")
		cl := th.call()
		cl.answer(fields, "a")
		th.expectAll(v, "a")
		time.Sleep(2 * time.Minute) // the bubble's time
		for range 3 {
			v := th.visit("b", "")
			th.expectAll(v, "a")
		}
		cl = th.call()
		th.quiet()
		cl.answer(fields, "b")
		synctest.Wait()
		v = th.visit("b", "")
		th.expectAll(v, "b")
		th.quiet()
	})
}

// Who is to wait for nobody's fetch does not wait for an inquiry either: it may
// have come out of that one.
func TestAloneWaitsForNoInquiry(t *testing.T) {
	stage(t, Options{}, func(th *theatre) {
		alone := func(client string) *visit {
			ctx, cancel := context.WithCancel(th.t.Context())
			return th.visitWith(WithVisitor(ctx, Visitor{Client: client, Alone: true}), cancel, "")
		}
		answer := func(v *visit, cl *call) {
			t.Helper()
			cl.respond(storableFields, 1)
			go cl.answerBody("a")
			th.expectAll(v, "a")
		}
		answer(alone("a"), th.call())
		time.Sleep(maxSampleAge + time.Second) // how long the origin takes is not known any more
		b, c := alone("b"), alone("c")
		first := th.call()
		answer(c, th.call())
		answer(b, first)
		th.quiet()
	})
}

// A fetch under way answers others for as long as what it brings may be used again
// (RFC 9111 §4): not if that is to be asked about each time, and not if it is stale.
func TestFollowersGetNothingStale(t *testing.T) {
	for name, c := range map[string]struct {
		o      Options
		fields string
		wait   time.Duration
		as     string
	}{
		"no-cache":                       {shared, "Cache-Control: no-cache\nETag: \"1\"", 0, "b"},
		"no lifetime":                    {shared, "ETag: \"1\"", 0, "b"},
		"after its time":                 {shared, "Cache-Control: max-age=10", 11 * time.Second, "b"},
		"no-cache, by the same client":   {disguised, "Cache-Control: no-cache\nETag: \"1\"", 0, "a"},
		"after its time, disguised":      {disguised, "Cache-Control: max-age=10", 11 * time.Second, "b"},
		"after half its time, disguised": {disguised, "Cache-Control: max-age=10", 6 * time.Second, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			stage(t, c.o, func(th *theatre) {
				leader := th.visit("a", "")
				first := th.call()
				first.respond(c.fields, -1)
				th.quiet()
				time.Sleep(c.wait) // the bubble's time
				late := th.visit(c.as, "")
				second := th.call()
				go second.answer("Cache-Control: no-store", "new")
				th.expectAll(late, "new")
				go first.answerBody("old")
				th.expectAll(leader, "old")
			})
		})
	}
}

// A fetch under way answers others like what is stored: they are told how old it is by
// then (RFC 9111 §4).
func TestWhoJoinsIsToldTheAge(t *testing.T) {
	for _, o := range []Options{shared, apart} {
		stage(t, o, func(th *theatre) {
			leader := th.visit("a", "")
			cl := th.call()
			waiting := th.visit("a", "")
			cl.respond(storableFields+"\nAge: 30", -1)
			<-leader.done
			time.Sleep(3 * time.Second) // the bubble's time
			late := th.visit("a", "")
			go cl.answerBody("all")
			for v, age := range map[*visit]string{leader: "30", waiting: "30", late: "33"} {
				th.expectAll(v, "all")
				if got := v.resp.Header.Get("Age"); got != age {
					t.Errorf("Age %q, want %s", got, age)
				}
			}
		})
	}
}

// When a fetch fails for which many wait, one of them asks in its place. They wait no third
// time, nor a second one after they waited for long.
func TestOneAsksInThePlaceOfAFailedFetch(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		fails int // fetches, one after the other
		asked int // after them
	}{"once": {0, 1, 1}, "twice": {0, 2, 4}, "late": {patience + time.Second, 1, 5}} {
		t.Run(name, func(t *testing.T) {
			stage(t, shared, func(th *theatre) {
				var waiting []*visit
				for range 6 {
					waiting = append(waiting, th.visit("a", ""))
				}
				for range c.fails {
					failing := th.call()
					th.quiet()
					time.Sleep(c.takes) // the bubble's time
					failing.head <- nil
				}
				var asking []*call
				for range c.asked {
					asking = append(asking, th.call())
				}
				for _, one := range asking { // all of them, or who comes last has what is stored by then
					go one.answer(storableFields, "all")
				}
				th.quiet()
				failed := 0
				for _, v := range waiting {
					if <-v.done; v.err != nil {
						failed++
						continue
					}
					th.expectAll(v, "all")
				}
				if failed != c.fails {
					t.Errorf("%d failed", failed)
				}
			})
		})
	}
}

// TestWhoJoinsWaitsNoLongerThanAlone: a fetch whose time is over is over for who came with it,
// and who came later may ask for as long as it has left.
func TestWhoJoinsWaitsNoLongerThanAlone(t *testing.T) {
	for name, c := range map[string]struct {
		hang   int // fetches
		failed int // of four clients'
	}{"all the time": {10, 4}, "once": {1, 2}} {
		for _, o := range []Options{shared, disguised} {
			t.Run(name, func(t *testing.T) {
				stage(t, o, func(th *theatre) {
					asked := make(chan bool, 10)
					th.rt = th.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
						if asked <- true; len(asked) > c.hang {
							return parseResponse("200\n"+storableFields+"\n\na", r), nil
						}
						select {
						case <-time.After(time.Minute):
							return nil, os.ErrDeadlineExceeded
						case <-r.Context().Done():
							return nil, r.Context().Err()
						}
					}))
					took := make(chan time.Duration, 4)
					var visits []*visit
					for _, after := range []time.Duration{0, 0, 20 * time.Second, 20 * time.Second} {
						time.Sleep(after) // the bubble's time
						v, begun := th.visit("a", ""), time.Now()
						go func() { <-v.done; took <- time.Since(begun) }()
						visits = append(visits, v)
					}
					failed := 0
					for _, v := range visits {
						if d := <-took; d > time.Minute {
							t.Errorf("one waited for %v", d)
						}
						if <-v.done; v.err != nil {
							failed++
							if !errors.Is(v.err, os.ErrDeadlineExceeded) {
								t.Error(v.err)
							}
						} else {
							th.expectAll(v, "a")
						}
					}
					if failed != c.failed || len(asked) > 3 { // where one was answered, the last may have that
						t.Errorf("%d failed, and the origin was asked %d times", failed, len(asked))
					}
				})
			})
		}
	}
}

// What of a body of unknown length comes once nobody wants it any more is not stored, though
// it was all here by then: who leaves a fetch that only seems to be made has nothing of it.
func TestTheRestOfAFetchThatEndedIsNotStored(t *testing.T) {
	rest, asked := make(chan struct{}), 0
	c := New(disguised)
	defer c.Close()
	rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		resp := parseResponse("200\n"+storableFields, r)
		pr, pw := io.Pipe() // which does not heed the end of the request
		resp.Body, resp.ContentLength = pr, -1
		go func() {
			io.WriteString(pw, "bo")
			<-rest
			io.WriteString(pw, "dy")
			pw.Close()
		}()
		return resp, nil
	}))
	for i := range 2 {
		r, err := http.NewRequestWithContext(WithVisitor(t.Context(), Visitor{Client: "a"}), "GET", "http://origin.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			io.ReadFull(resp.Body, make([]byte, 2))
			resp.Body.Close()
			close(rest)
			c.settled()
		}
		drain(resp.Body, 10)
	}
	if asked != 2 {
		t.Errorf("the origin was asked %d times", asked)
	}
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
