package gate

import (
	"net"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

// TestPressureComesAndGoes: short above a threshold, enough below a lower one.
func TestPressureComesAndGoes(t *testing.T) {
	var memory, descriptors atomic.Int64
	p := Watch(PressureOptions{
		Every:       time.Hour, // the test looks itself
		Memory:      func() (int64, int64) { return memory.Load(), 100 },
		Descriptors: func() (int64, int64) { return descriptors.Load(), 1000 },
	})
	defer p.Close()
	for i, c := range []struct {
		memory, descriptors int64
		short               bool
	}{
		{0, 0, false}, {90, 0, false}, {91, 0, true}, {86, 0, true}, {84, 0, false}, {86, 0, false},
		{0, 901, true}, {91, 0, true}, {0, 851, true}, {0, 849, false},
	} {
		memory.Store(c.memory)
		descriptors.Store(c.descriptors)
		p.look()
		if p.Short() != c.short {
			t.Errorf("step %d: short is %t", i, p.Short())
		}
	}
	var none *Pressure
	if none.Short() {
		t.Error("nothing is short of something")
	}
	none.Close()
}

// TestWhatCanBeGivenUpGoesFirst: before anybody is refused, and no more of it than
// makes room.
func TestWhatCanBeGivenUpGoesFirst(t *testing.T) {
	used := map[string]int64{"memory": 84, "descriptors": 84}
	spare := map[string]int64{"memory": 20, "descriptors": 20}
	p := Watch(PressureOptions{
		Every:       time.Hour, // the test looks itself
		Memory:      func() (int64, int64) { return used["memory"], 100 },
		Descriptors: func() (int64, int64) { return used["descriptors"], 100 },
	})
	defer p.Close()
	giveUp := func(what string) func() bool {
		return func() bool {
			if spare[what] == 0 {
				return false
			}
			used[what] -= 10
			spare[what] -= 10
			return true
		}
	}
	tooMany := int64(-1)
	p.RelievedBy(Relief{
		Clients: func(most int64) { tooMany = most },
		Memory: func(worth int64) bool {
			if worth != 100/worthCollecting {
				t.Errorf("%d of 100 bytes are worth it", worth)
			}
			return giveUp("memory")()
		},
		Descriptors: giveUp("descriptors"),
	})
	for what := range used {
		for i, c := range []struct {
			used, spare, left int64
			short, room       bool
		}{
			{84, 20, 84, false, true}, // not before there is need
			{91, 20, 81, false, true},
			{99, 20, 89, false, true}, // what does not make room at once, at the next look
			{99, 10, 89, false, true},
			{91, 0, 91, true, false},
			{84, 0, 84, false, true},
		} {
			used[what], spare[what], tooMany = c.used, c.spare, -1
			p.look()
			if want := c.left - 85; what == "descriptors" && want > 0 && tooMany != want || (what != "descriptors" || want <= 0) && tooMany != -1 {
				t.Errorf("%s, step %d: %d connections too many", what, i, tooMany)
			}
			if p.Short() != c.short || used[what] != c.left || p.Take() != c.room {
				t.Errorf("%s, step %d: %d are left, short is %t", what, i, used[what], p.Short())
			}
		}
	}
	var none *Pressure
	none.RelievedBy(Relief{})
}

// TestClientsThatGiveWayMakeRoom: as many as are asked to are enough, whatever the limit is.
func TestClientsThatGiveWayMakeRoom(t *testing.T) {
	for limit := int64(1); limit <= 2000; limit++ {
		open := int64(0)
		p := Watch(PressureOptions{
			Every:       time.Hour, // the test looks itself
			Memory:      func() (int64, int64) { return 0, 0 },
			Descriptors: func() (int64, int64) { return open, limit },
		})
		p.RelievedBy(Relief{
			Descriptors: func() bool { return false },
			Clients:     func(most int64) { open -= most },
		})
		open = limit
		p.look()
		p.look()
		if p.Short() {
			t.Errorf("with %d of %d open, they run short", open, limit)
		}
		p.Close()
	}
}

// TestDescriptorsRunShortBetweenLooks: those that are taken count at once.
func TestDescriptorsRunShortBetweenLooks(t *testing.T) {
	p := Watch(PressureOptions{
		Every:       time.Hour,
		Memory:      func() (int64, int64) { return 0, 0 },
		Descriptors: func() (int64, int64) { return 80, 100 },
	})
	defer p.Close()
	for i := range 10 {
		if !p.Take() {
			t.Fatalf("no room for descriptor %d of 100", 80+i)
		}
	}
	if p.Take() {
		t.Error("there is room for more than nine tenths")
	}
	p.Give()
	if !p.Take() || p.Take() {
		t.Error("one that was given back does not make room for one")
	}
	var none *Pressure
	if none.Give(); !none.Take() {
		t.Error("nothing is short of something")
	}
}

// TestRequestsFindMemoryForWhatTheyWillHold: thousands can begin before any of it shows.
func TestRequestsFindMemoryForWhatTheyWillHold(t *testing.T) {
	var memory atomic.Int64
	p := Watch(PressureOptions{
		Every:       time.Hour, // the test looks itself
		Memory:      func() (int64, int64) { return memory.Load(), 100 * requestNeeds },
		Descriptors: func() (int64, int64) { return 0, 0 },
	})
	defer p.Close()
	running := 0
	for _, c := range []struct{ used, want int }{{60, 30}, {40, 50}, {70, 50}, {89, 50}, {95, 50}} {
		memory.Store(int64(c.used) * requestNeeds)
		p.look()
		for p.Begin() {
			running++
		}
		if running != c.want {
			t.Errorf("with %d of 100 in use, %d run", c.used, running)
		}
	}
	memory.Store(89 * requestNeeds)
	for ; running > 0; running-- {
		p.End()
		if p.Begin() {
			t.Errorf("%d run, and more is used than at the start", running)
		}
	}
	memory.Store(84 * requestNeeds)
	p.look()
	if !p.Begin() {
		t.Error("memory that is free again is of no use")
	}
}

func TestNoLimitIsNoPressure(t *testing.T) {
	p := Watch(PressureOptions{
		Memory:      func() (int64, int64) { return 1 << 40, 0 },
		Descriptors: func() (int64, int64) { return 5, 0 },
	})
	defer p.Close()
	if p.Short() {
		t.Error("without a limit there is pressure")
	}
}

func TestProcessIsMeasured(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("measured on Linux")
	}
	before, limit := descriptorsInUse()
	if before < 3 || limit < before {
		t.Fatalf("%d descriptors of %d", before, limit)
	}
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if after, _ := descriptorsInUse(); after < before+10 {
		t.Errorf("10 listeners make %d descriptors %d", before, after)
	}
	held := make([]byte, 64<<20)
	for i := range held {
		held[i] = 1
	}
	runtime.GC()
	liveMemory := func() int64 {
		live, _ := heldMemory()
		return live
	}
	with := liveMemory()
	runtime.KeepAlive(held)
	held = nil
	runtime.GC()
	if freed := with - liveMemory(); freed < 60<<20 {
		t.Errorf("64 MiB that nobody holds any more count for %d", freed)
	}
}

// TestMemoryLimitFollows: if there is a cgroup limit, the runtime knows it.
func TestMemoryLimitFollows(t *testing.T) {
	_, limit := cgroupMemory()
	if limit == 0 || memoryLimitIsSet() {
		t.Skip("no cgroup limit here")
	}
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	Watch(PressureOptions{Follow: true}).Close()
	if got := debug.SetMemoryLimit(-1); got != limit/10*9 {
		t.Errorf("limit is %d, the cgroup's %d", got, limit)
	}
}
