package cache

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
	"time"
)

// Who waited while another asks, for what turns out not to be for both, would have waited in
// vain, and know that the other asked: so it does not wait.
func TestStrangersDoNotWaitInVain(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		a := th.visit("a", "")
		first := th.call()
		time.Sleep(time.Second)
		b := th.visit("b", "")
		second := th.call()
		second.respond("Cache-Control: no-store", 1)
		go second.answerBody("b")
		th.expectAll(b, "b")
		first.respond("Cache-Control: no-store", 1)
		go first.answerBody("a")
		th.expectAll(a, "a")
	})
}

// Its own requests wait for one another, whoever else is asking.
func TestOwnRequestsFollowBesideStrangers(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		a := th.visit("a", "")
		first := th.call()
		b := th.visit("b", "")
		second := th.call()
		again := th.visit("b", "")
		th.quiet()
		for _, cl := range []*call{second, first} {
			cl.respond(storableFields, 3)
			go cl.answerBody("all")
		}
		for _, v := range []*visit{a, b, again} {
			th.expectAll(v, "all")
		}
	})
}

// Nor do those wait for one another, whatever is stored by now, that came when the last answer
// could not be: each would be seen to take its own time.
func TestOwnRequestsDoNotFollowWhatCouldNotBeStored(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		for _, said := range [][2]string{{"c", "Cache-Control: no-store"}, {"a", storableFields}} {
			v := th.visit(said[0], "")
			go th.call().answer(said[1], "all")
			th.expectAll(v, "all")
		}
		first := th.visit("c", "")
		second := th.visit("c", "")
		for _, v := range []*visit{first, second} {
			go th.call().answer(storableFields, "all")
			th.expectAll(v, "all")
		}
		th.quiet()
	})
}

// What another fetches is no reason to leave a client with its stale copy.
func TestAnothersFetchIsNoRefresh(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		const fields = "Cache-Control: max-age=20, stale-while-revalidate=600"
		load := func(client, body string) {
			t.Helper()
			v := th.visit(client, "")
			go th.call().answer(fields, body)
			th.expectAll(v, body)
		}
		load("a", "old")
		time.Sleep(time.Minute)
		b := th.visit("b", "")
		others := th.call()
		a := th.visit("a", "")
		th.expectAll(a, "old")
		go th.call().answer(fields, "new")
		time.Sleep(time.Second)
		a = th.visit("a", "")
		th.expectAll(a, "new")
		go others.answer(fields, "new")
		th.expectAll(b, "new")
		th.quiet()
	})
}

// Two who fetch the same at the same time have it from then on, each from its own fetch;
// but not who begins anew meanwhile.
func TestForgottenWhileAnotherFetches(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		a, b := th.visit("a", ""), th.visit("b", "")
		for range 2 {
			cl := th.call()
			cl.respond(storableFields, 3)
			time.AfterFunc(time.Second, func() { cl.answerBody("all") })
		}
		th.quiet()
		th.c.Forget("a")
		for _, v := range []*visit{a, b} {
			th.expectAll(v, "all")
		}
		time.Sleep(maxSampleAge + time.Second) // how long the origin takes is not known any more
		for _, client := range []string{"b", "a"} {
			v := th.visit(client, "")
			if client == "a" {
				go th.call().answer(storableFields, "all")
			}
			th.expectAll(v, "all")
			th.quiet()
		}
	})
}

// Nor does a tag bring back who began anew.
func TestTagsAreNewForWhoBeginsAnew(t *testing.T) {
	for name, o := range map[string]Options{"disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, o)
			tag := func() string {
				resp, _ := s.step(0, step{as: "a", do: "GET /x", give: "200\nCache-Control: no-store\nETag: \"1\"\n\na", want: "200"})
				return resp.Header.Get("ETag")
			}
			before := tag()
			s.c.Forget("a")
			if after := tag(); after == before {
				t.Errorf("%s before and after", before)
			}
			// A write that has the old one is understood, whoever else begins anew.
			for range 3 {
				s.c.Forget("b")
			}
			s.run(step{as: "b", do: "PUT /x\nIf-Match: " + before + "\n\nx", give: "204", sent: "If-Match: \"1\"", want: "204"})
		})
	}
}

// That somebody wrote is not seen by who was fetching.
func TestAnothersWriteDuringAFetch(t *testing.T) {
	for _, sharing := range []Sharing{Disguised, PerClient} {
		stage(t, Options{Sharing: sharing}, func(th *theatre) {
			a := th.visit("a", "")
			cl := th.call()
			cl.respond(storableFields, 3)
			<-a.done
			r, err := http.NewRequestWithContext(WithVisitor(th.t.Context(), Visitor{Client: "b"}), "POST", "http://origin.example/", nil)
			if err != nil {
				t.Fatal(err)
			}
			go th.rt.RoundTrip(r)
			post := th.call()
			post.head <- parseResponse("204", post.r)
			th.quiet()
			go cl.answerBody("old")
			th.expectAll(a, "old")
			again := th.visit("a", "")
			th.expectAll(again, "old")
			th.quiet()
			for _, client := range []string{"b", "c"} { // who wrote, and who comes new
				v := th.visit(client, "Cache-Control: max-age=100") // which is pretended for nobody
				go th.call().answer(storableFields, "new")
				th.expectAll(v, "new")
				th.quiet()
			}
		})
	}
}

// A request of before the mode changed finds nothing of what was stored since, and leaves
// nothing there: both go by the rules of another mode.
func TestSharingChangesDuringARequest(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		r, err := http.NewRequestWithContext(th.t.Context(), "GET", "http://origin.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		asked, _ := th.c.ask(r, th.c.options.Load())
		q := &asked
		th.c.SetOptions(disguised)
		v := th.visit("b", "")
		go th.call().answer(storableFields, "b")
		th.expectAll(v, "b")
		found := th.c.find(q)
		if found.e != nil {
			t.Errorf("found %+v", found)
		}
		go func() { (<-th.origin.calls).answer(storableFields, "a") }()
		resp, err := th.rt.(*transport).fetch(q, found)
		if err != nil {
			t.Fatal(err)
		}
		drain(resp.Body, 10)
		th.quiet()
		if got := th.c.Stats().Stored; got != 1 {
			t.Errorf("stored %d", got)
		}
	})
}

// What a first use cannot show a second time is given to nobody else, who would see by it
// that there was one: an interim response, whether its client waited for it or not.
func TestWhatWasUniqueIsNotShared(t *testing.T) {
	interim := func(cl *call) { httptrace.ContextClientTrace(cl.r.Context()).Got1xxResponse(103, nil) }
	for name, shows := range map[string]func(cl *call, first *visit){
		"an interim response": func(cl *call, _ *visit) { interim(cl) },
		"one that came when its client had gone": func(cl *call, first *visit) {
			first.stop()
			<-first.done
			interim(cl)
		},
	} {
		t.Run(name, func(t *testing.T) {
			stage(t, disguised, func(th *theatre) {
				visit := func(client string) *visit {
					ctx, cancel := context.WithCancel(WithVisitor(th.t.Context(), Visitor{Client: client}))
					return th.visitWith(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
						Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil }}), cancel, "")
				}
				first, again := visit("a"), visit("a")
				cl := th.call()
				shows(cl, first)
				resp := parseResponse("200\n"+storableFields+"\n\nold", cl.r)
				cl.head <- resp
				th.expectAll(again, "old")
				if first.resp != nil {
					th.expectAll(first, "old")
				}
				other := visit("b")
				go th.call().answer(storableFields, "new")
				th.expectAll(other, "new")
				own := visit("a")
				th.expectAll(own, "old")
				th.quiet()
			})
		})
	}
}
