package gate

import (
	"bytes"
	"container/heap"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// TestWhatAllTogetherMayNotCostsNobody: a client whose request, or tunnel, is refused
// for what others do has spent nothing of its own.
func TestWhatAllTogetherMayNotCostsNobody(t *testing.T) {
	c := newClock()
	g := mustNew(t, Options{Client: Limits{Requests: 1, Burst: 3, Tunnels: 9, TunnelRate: 1}, Total: Limits{Connections: 1, Tunnels: 1}, Now: c.now})
	other, err := g.Begin(entrant("192.0.2.2"))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := g.Begin(entrant("192.0.2.1")); over(t, err) != "all connections" {
			t.Fatalf("all together: %v", err)
		}
	}
	if err := other.Tunnel(); err != nil {
		t.Fatal(err)
	}
	u, err := g.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatalf("of its own it has %v", err)
	}
	for range 10 {
		if err := u.Tunnel(); over(t, err) != "all tunnels" {
			t.Fatalf("all together: %v", err)
		}
	}
	other.End()
	if err := u.Tunnel(); err != nil {
		t.Errorf("of its own it has %v", err)
	}
	u.End()
}

// TestVolumesOfYesterdayAreNotHandedOver: they would count as today's.
func TestVolumesOfYesterdayAreNotHandedOver(t *testing.T) {
	c := newClock()
	o := Options{Client: Limits{Daily: 1000}, Total: Limits{Daily: 1000}, Now: c.now}
	before := mustNew(t, o)
	u, err := before.Begin(entrant("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	u.Up(t.Context(), 1000)
	u.End()
	c.advance(day)
	var volumes bytes.Buffer
	if err := before.SaveVolumes(&volumes); err != nil {
		t.Fatal(err)
	}
	after := mustNew(t, o)
	if err := after.LoadVolumes(&volumes); err != nil {
		t.Fatal(err)
	}
	if u, err := after.Begin(entrant("192.0.2.1")); err != nil {
		t.Errorf("a day later: %v", err)
	} else {
		u.End()
	}
}

// TestLargePiecesAreNotPassedOver: whoever had the least is served, whatever the size
// of what waits; by size, small pieces without end would come before a large one.
func TestLargePiecesAreNotPassedOver(t *testing.T) {
	var q pieces
	for i := range 20 {
		heap.Push(&q, &piece{start: float64(1000 * i), n: 1000})
	}
	heap.Push(&q, &piece{start: 5500, n: 60_000})
	for turn := range 7 {
		if p := heap.Pop(&q).(*piece); p.n == 60_000 {
			if turn != 6 {
				t.Errorf("the large piece is served in turn %d", turn)
			}
			return
		}
	}
	t.Error("the large piece was passed over")
}

// TestNothingBehind72BytesIsAPassword: bcrypt would leave it out of account.
func TestNothingBehind72BytesIsAPassword(t *testing.T) {
	path, password := filepath.Join(t.TempDir(), "users"), strings.Repeat("p", maxPassword)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "ann:"+string(hash)+"\n")
	g := mustNew(t, Options{Authentication: Basic, Users: path})
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", password+"x")); err != ErrCredentials {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := g.Enter(t.Context(), here, nil, basic("ann", password)); err != nil {
		t.Error(err)
	}
}

// TestFilesAreReadAgain that were written again within their stamp's grain, or while the
// clock was set back: what was revoked must not enter for that.
func TestFilesAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	c := newClock()
	put := func(content string, at time.Time) {
		write(t, path, content)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put("one", c.now())
	w, err := newWatchedFile(path, c.now, func(data []byte) (string, error) { return string(data), nil })
	if err != nil {
		t.Fatal(err)
	}
	put("two", c.now())
	c.advance(lookAgain)
	if got := w.get(); got != "two" {
		t.Errorf("written again at the same time, of the same size: still %s", got)
	}
	c.advance(-time.Hour)
	put("six", c.now())
	if got := w.get(); got != "six" {
		t.Errorf("with a clock that was set back: still %s", got)
	}
}
