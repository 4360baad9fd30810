package cache

import (
	"context"
	"testing"
)

// TestNothingIsStoredOfWhatIsRenewed: requests that are on their way when a cache is renewed
// are answered, and what they bring is for nobody else. So it is of those who had waited for
// another's fetch, and ask by themselves after that.
func TestNothingIsStoredOfWhatIsRenewed(t *testing.T) {
	for name, o := range map[string]Options{"shared": shared, "disguised": disguised, "per client": {Sharing: PerClient}} {
		t.Run(name, func(t *testing.T) {
			stage(t, o, func(th *theatre) {
				leader := th.visit("a", "")
				first := th.call()
				follower := th.visit("a", "")
				th.quiet()
				th.rt = th.c.Transport(th.origin)
				th.c.Renew(th.rt)
				give := func(cl *call, fields, body string) { // who asked reads as it comes
					cl.respond(fields, int64(len(body)))
					go cl.answerBody(body)
				}
				give(first, "Cache-Control: no-store", "first")
				th.expectAll(leader, "first")
				give(th.call(), storableFields, "second")
				th.expectAll(follower, "second")

				later := th.visit("a", "") // of the new one
				give(th.call(), storableFields, "third")
				th.expectAll(later, "third")
				th.expectAll(th.visit("a", ""), "third")
				th.quiet()
			})
		})
	}
}

// Nor is the answer to a POST that would be that of a GET.
func TestNoPostIsStoredOfWhatIsRenewed(t *testing.T) {
	stage(t, shared, func(th *theatre) {
		th.c.Renew(th.c.Transport(th.origin))
		ctx, cancel := context.WithCancel(th.t.Context())
		v := th.visitTo(WithVisitor(ctx, Visitor{Client: "a"}), cancel, "POST /", "")
		cl := th.call()
		cl.respond(storableFields+"\nContent-Location: /", 4)
		go cl.answerBody("body")
		th.expectAll(v, "body")
		w := th.visit("a", "")
		cl = th.call()
		cl.respond(storableFields, 4)
		go cl.answerBody("page")
		th.expectAll(w, "page")
	})
}
