package proxy

import (
	"io"
	"math"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"guise/proxy/gate"
)

// closed reports whether the other side of a pipe has closed it by now.
func closed(t *testing.T, client net.Conn) bool {
	t.Helper()
	client.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := client.Read(make([]byte, 1))
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}

// TestWhoKeepsComingIsKeptWaiting: for a moment each, and only so many.
func TestWhoKeepsComingIsKeptWaiting(t *testing.T) { synctest.Test(t, keptWaiting) } // in the bubble's time

func keptWaiting(t *testing.T) {
	var d doorkeeper
	come := func() net.Conn {
		client, server := net.Pipe()
		d.keep(server)
		return client
	}
	first := come()
	time.Sleep(keptTime / 2)
	second := come()
	if closed(t, first) || closed(t, second) {
		t.Fatal("one is cut at once")
	}
	time.Sleep(keptTime/2 + time.Millisecond)
	if !closed(t, first) || closed(t, second) {
		t.Error("the first is still kept, or the second no more")
	}
	time.Sleep(keptTime / 2)
	if !closed(t, second) {
		t.Error("the second is still kept")
	}

	var clients []net.Conn
	for range keptAtOnce {
		clients = append(clients, come())
	}
	if closed(t, clients[keptAtOnce-1]) {
		t.Errorf("no %d are kept", keptAtOnce)
	}
	if !closed(t, come()) {
		t.Errorf("more than %d are kept", keptAtOnce)
	}
	d.wait()
	for i, client := range clients {
		if !closed(t, client) {
			t.Fatalf("%d is kept by one who has gone home", i)
		}
	}
	if !closed(t, come()) {
		t.Error("one is kept after the end")
	}
}

// TestFewAreAnsweredWhileDescriptorsAreShort: answers hold what running work needs.
func TestFewAreAnsweredWhileDescriptorsAreShort(t *testing.T) {
	for name, c := range map[string]struct {
		used, talking int64
		answered      bool
	}{
		"room":               {0, awayShort, true},
		"short":              {100, awayShort - 1, true},
		"short, and some":    {100, awayShort, false},
		"room, and too many": {0, awayAtOnce, false},
	} {
		short := gate.Watch(gate.PressureOptions{
			Descriptors: func() (used, limit int64) { return c.used, 100 },
			Memory:      func() (used, limit int64) { return 0, math.MaxInt64 },
		})
		t.Cleanup(short.Close)
		d := doorkeeper{pressure: short, talking: int(c.talking)}
		l := listen(t)
		client := dial(t, l.Addr().String())
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		d.answer(server, notAdmitted)
		client.CloseWrite()
		if got, err := io.ReadAll(client); len(got) > 0 != c.answered {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		d.wait()
	}
}
