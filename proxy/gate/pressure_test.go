package gate

import (
	"net"
	"os"
	"path/filepath"
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
	with := liveMemory()
	runtime.KeepAlive(held)
	held = nil
	runtime.GC()
	if freed := with - liveMemory(); freed < 60<<20 {
		t.Errorf("64 MiB that nobody holds any more count for %d", freed)
	}
}

// TestSmallestLimitAboveCounts: a cgroup is bound by those it is in.
func TestSmallestLimitAboveCounts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("cgroups are Linux's")
	}
	root := t.TempDir()
	for path, content := range map[string]string{
		"a/memory.max": "1000000\n", "a/memory.current": "500000\n", "a/memory.stat": "anon 1\ninactive_file 100000\n",
		"a/b/memory.max": "max\n", "a/b/memory.current": "7\n",
		"a/c/memory.max": "400000\n", "a/c/memory.current": "8\n",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, file, content)
	}
	for path, want := range map[string][2]int64{"/a/b": {400000, 1000000}, "/a/c": {8, 400000}, "/": {0, 0}, "/none/../..": {0, 0}} {
		if used, limit := cgroupV2(root, path); used != want[0] || limit != want[1] {
			t.Errorf("%s: %d of %d, want %v", path, used, limit, want)
		}
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
