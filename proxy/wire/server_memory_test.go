//go:build !race

package wire

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// An idle connection holds its goroutine and little else.
func TestIdleConnectionIsSmall(t *testing.T) {
	const n = 1000
	addr := startServer(t, echo, nil)
	conns := make([]net.Conn, n)
	buf := make([]byte, 4096)
	before := memoryInUse()
	for i := range conns {
		nc := dial(t, addr)
		io.WriteString(nc, "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if _, err := nc.Read(buf); err != nil {
			t.Fatal(err)
		}
		conns[i] = nc
	}
	each := (memoryInUse() - before) / n
	t.Logf("%d bytes each, both ends", each)
	if each > 8<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	}
}

// memoryInUse returns the bytes of live objects and stacks.
func memoryInUse() int64 {
	for range 3 {
		runtime.GC() // stacks shrink by half at a time, pools empty after two
		time.Sleep(time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
