package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// TestLoopsAreDetected leads requests back to where they came from.
func TestLoopsAreDetected(t *testing.T) {
	var hops [2]*url.URL
	through := func(i int) func(*Options) {
		return func(o *Options) { o.Egress.Chain = []*url.URL{hops[i]} }
	}
	// Two proxies, each of which goes through the other: the first is
	// reloaded once the second has an address.
	hops[0] = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	first, address := newProxy(t, through(0))
	hops[1] = &url.URL{Scheme: "http", Host: address}
	hops[0] = &url.URL{Scheme: "http", Host: serveProxy(t, through(1))}
	o := first.current.Load().options
	o.Egress.Chain = []*url.URL{hops[0]}
	if err := first.Reload(o); err != nil {
		t.Fatal(err)
	}

	got, _ := exchangeRaw(t, address, "GET http://"+address+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 403 ") {
		t.Errorf("a request to the proxy itself: %.60q", got)
	}
	for _, method := range []string{"GET", "POST", "CONNECT"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel() // each waits for nestingWait
			target := "http://somewhere.example/"
			if method == "CONNECT" {
				target = "somewhere.example:443"
			}
			got, err := exchangeRaw(t, address, method+" "+target+" HTTP/1.1\r\nHost: somewhere.example\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 502 ") || err != nil {
				t.Errorf("through a loop: %.60q, %v", got, err)
			}
		})
	}
}

// TestUnansweredTwinsAreNoLoop: many clients may wait for one slow answer.
func TestUnansweredTwinsAreNoLoop(t *testing.T) {
	n := newNesting()
	r, err := http.NewRequest("GET", "http://example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var leave []func()
	for range nestingDepth {
		arrived, ok := n.enter(r)
		if !ok {
			t.Fatal("refused below the depth of a loop")
		}
		leave = append(leave, arrived)
	}
	entered := make(chan bool)
	go func() {
		arrived, ok := n.enter(r)
		if ok {
			arrived()
		}
		entered <- ok
	}()
	other := *r
	other.RemoteAddr = "192.0.2.7:1234"
	if arrived, ok := n.enter(&other); !ok {
		t.Error("another client's request is taken for a turn of the same loop")
	} else {
		arrived()
	}
	leave[0]() // one is answered: so this is no loop
	if !<-entered {
		t.Error("refused although others are answered")
	}
	for _, arrived := range leave[1:] {
		arrived()
	}
	if len(n.waiting) != 0 {
		t.Errorf("%d kinds of request are still counted", len(n.waiting))
	}
}

// TestManyTunnelsToOneHostAreNoLoop: package managers open fifty at a time, and a
// chain may take seconds for each. The hop here answers none before it has all.
func TestManyTunnelsToOneHostAreNoLoop(t *testing.T) {
	const tunnels = 50
	var all sync.WaitGroup
	all.Add(tunnels)
	hop := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			all.Done()
			all.Wait()
			io.WriteString(conn, established)
		}
	})
	proxy := serveProxy(t, func(o *Options) {
		o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}}
		o.Timeouts.Connect = patience
	})
	var asking sync.WaitGroup
	for range tunnels {
		asking.Go(func() {
			got, err := exchangeRaw(t, proxy, "CONNECT packages.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
			if got != established {
				t.Errorf("%.60q, %v", got, err)
				all.Add(-1) // the hop waits for it in vain
			}
		})
	}
	asking.Wait()
}

type panickingWay struct{}

func (panickingWay) RoundTrip(*http.Request) (*http.Response, error) { panic("on the way") }

// TestAPanicIsNoTurnOfALoop: a request that ended so waits for no answer.
func TestAPanicIsNoTurnOfALoop(t *testing.T) {
	n := newNesting()
	e := &exchange{assembly: &assembly{nesting: n, way: panickingWay{}}}
	func() {
		defer func() { recover() }()
		e.RoundTrip(&http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "a.test", Path: "/"}}, nil)
	}()
	if len(n.waiting) > 0 {
		t.Error("it is counted as one that waits")
	}
}
