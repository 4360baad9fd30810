package egress

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestSilentServersArePassedOver while another answers, and asked again now and then.
func TestSilentServersArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n systemServers
		want := func(what, server string, most time.Duration, asked bool) {
			t.Helper()
			if m, ok := n.ask(server); m != most || ok != asked {
				t.Errorf("%s: %s is asked: %t, for %v", what, server, ok, m)
			}
		}
		// fails lets a server be silent about a question.
		fails := func(server string) {
			asked := time.Now()
			time.Sleep(5 * time.Second)
			n.silent(server, asked)
		}
		answers := func(server string) {
			time.Sleep(time.Millisecond)
			n.answered(server, true)
		}
		fails("first")
		want("alone", "first", 0, true)
		answers("second")
		want("while another answers", "first", 0, false)
		want("while the first is silent", "second", 0, true)

		time.Sleep(passedOver)
		want("after a while", "first", againWaited, true)
		want("at the same time", "first", 0, false)
		n.silent("first", time.Now())
		time.Sleep(passedOver)
		want("silent again, after a while", "first", againWaited, true)
		answers("first")
		want("when it is back", "first", 0, true)

		asked := time.Now()
		time.Sleep(time.Second)
		answers("first")
		time.Sleep(4 * time.Second)
		n.silent("first", asked)
		answers("second")
		want("silent about one name", "first", 0, true)

		fails("first")
		answers("second")
		want("silent once more", "first", 0, false)
		fails("second")
		want("with the other", "first", 0, true)
		want("with the first", "second", 0, true)
	})
}

// TestServersThatCannotBeAskedStandForNoOther: those of a network that was left, and those
// that refuse.
func TestServersThatCannotBeAskedStandForNoOther(t *testing.T) {
	list := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(list, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n := systemServers{list: list}
	asked := func(what string, want bool) {
		t.Helper()
		if most, ok := n.ask("home"); most != 0 || ok != want {
			t.Errorf("%s: asked: %t, for %v", what, ok, most)
		}
	}
	n.silent("home", time.Now())
	n.answered("refusing", false)
	asked("beside one that refuses", true)
	n.answered("elsewhere", true)
	asked("beside one that answers", false)
	if err := os.Chtimes(list, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	asked("back in its network", true)
	n.silent("home", time.Now())
	n.answered("elsewhere", true)
	asked("beside one that answers, once more", false)
}
