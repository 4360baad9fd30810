package cache

import (
	"testing"
	"time"
)

// A page that is loaded anew while it loads is the new one afterwards, though the old one
// comes to its end later.
func TestOlderAnswerDoesNotReplaceNewer(t *testing.T) {
	for name, o := range map[string]Options{"shared": shared, "disguised": disguised, "per client": apart} {
		for _, leaves := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				stage(t, o, func(th *theatre) {
					first := th.visit("a", "")
					old := th.call()
					old.respond(storableFields, 3)
					<-first.done
					if leaves {
						first.stop()
						first.resp.Body.Close()
					}
					time.Sleep(time.Second)
					reload := th.visit("a", "Cache-Control: no-cache")
					th.call().answer(storableFields, "new")
					th.expectAll(reload, "new")
					go old.answerBody("old")
					if !leaves {
						th.expectAll(first, "old")
					}
					th.quiet()
					again := th.visit("a", "")
					th.expectAll(again, "new")
					th.quiet()
				})
			})
		}
	}
}

// In Disguised that is so for who loaded it anew; another has what it asked for.
func TestOlderAnswerIsWhatItsClientHas(t *testing.T) {
	stage(t, disguised, func(th *theatre) {
		first := th.visit("a", "")
		old := th.call()
		old.respond(storableFields, 3)
		<-first.done
		time.Sleep(time.Second)
		reload := th.visit("b", "Cache-Control: no-cache")
		th.call().answer(storableFields, "new")
		th.expectAll(reload, "new")
		go old.answerBody("old")
		th.expectAll(first, "old")
		for _, client := range []string{"a", "b", "c"} {
			again := th.visit(client, "")
			if client == "c" { // who is told nothing of the old one
				go th.call().answer(storableFields, "NEW")
			}
			th.expectAll(again, map[string]string{"a": "old", "b": "new", "c": "new"}[client])
			th.quiet()
		}
	})
}
