package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// TestWhatMayBeRepeated: what the origin says it did nothing about; and else what
// means the same twice, where a connection that worked before was lost.
func TestWhatMayBeRepeated(t *testing.T) {
	lost := &wire.ConnError{Op: "read", Err: http.ErrHandlerTimeout}
	for _, c := range []struct {
		method, body string
		err          error
		used, silent bool
		want         bool
	}{
		{"POST", "a", wire.ErrNotProcessed, false, false, true},
		{"POST", "a", wire.ErrWantsHTTP1, false, false, true},
		{"GET", "", wire.ErrNoResponse, true, false, true},
		{"GET", "", lost, true, false, true},
		{"GET", "", lost, false, false, false},
		{"GET", "a", lost, true, false, false},
		{"POST", "", lost, true, false, false},
		{"GET", "", wire.ErrResponseTimeout, true, false, false},
		{"GET", "", wire.ErrResponseTimeout, true, true, true},
		{"POST", "", wire.ErrResponseTimeout, true, true, false},
		{"GET", "", wire.ErrResponseTimeout, false, true, false},
	} {
		r, _ := http.NewRequest(c.method, "https://a.example/", nil)
		if c.body != "" {
			r, _ = http.NewRequest(c.method, "https://a.example/", strings.NewReader(c.body))
		}
		if got := mayRepeat(r, c.err, c.used, c.silent); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestUnusedConnectionsAreBounded however many origins are visited within a minute.
func TestUnusedConnectionsAreBounded(t *testing.T) {
	o := serveSecure(t, greet, nil, "h2")
	p, proxy := newProxy(t, inspecting(inspect.Always))
	secure := p.current.Load().secure
	secure.most = 1
	client := visitor(t, proxy, trusting(testAuthority()), false)
	for n, host := range []string{"127.0.0.1", "localhost", "127.0.0.1", "127.0.0.1"} {
		resp, _, err := read(client, strings.Replace(o.URL, "127.0.0.1", host, 1))
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got, want := o.connections(), min(n+1, 3); got != want { // the last one is still there
			t.Errorf("request %d: %d connections, want %d", n+1, got, want)
		}
		until(t, "the connection before to be closed", func() bool {
			secure.mu.Lock()
			defer secure.mu.Unlock()
			return secure.alive == 1
		})
	}
}

// TestConnectionsLostTogetherFailNothing: what loses one kept connection mostly loses the
// others, too. Who meets that is answered on a new one.
func TestConnectionsLostTogetherFailNothing(t *testing.T) {
	var o *secureOrigin
	var lost atomic.Pointer[map[string]bool]
	o = serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
		if at := lost.Load(); at != nil && (*at)[r.RemoteAddr] {
			o.cut(r.RemoteAddr)
			return
		}
		greet(w, r)
	}, nil, "h2")
	p, proxy := newProxy(t, inspecting(inspect.Always))
	secure := p.current.Load().secure
	client := visitor(t, proxy, trusting(testAuthority()), false)
	if resp, _, err := read(client, o.URL); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	secure.mu.Lock()
	at := secure.place(keyOf(t.Context(), o.address))
	secure.mu.Unlock()
	for range 2 {
		cc, err := secure.dial(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		// After an answer nothing more comes on its own, as settings may after the handshake.
		r, err := http.NewRequestWithContext(t.Context(), "GET", o.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := cc.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		secure.mu.Lock()
		at.conns = append(at.conns, cc)
		secure.mu.Unlock()
	}
	until(t, "the origin to see all connections", func() bool { return o.connections() == 3 })
	all := make(map[string]bool)
	o.mu.Lock()
	for c := range o.conns {
		all[c.RemoteAddr().String()] = true
	}
	o.mu.Unlock()
	lost.Store(&all)
	if resp, _, err := read(client, o.URL+"/again"); err != nil || resp.StatusCode != 200 {
		t.Error(resp, err)
	}
}

// TestGivingUpOftenEndsNoOtherRequest: many servers end a connection on which streams are
// given up by the hundred, and all that others have on it.
func TestGivingUpOftenEndsNoOtherRequest(t *testing.T) {
	const most = 100 // as Varnish has it, in a minute
	var o *secureOrigin
	var mu sync.Mutex
	given := make(map[string]int) // by connection
	finish, came, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	o = serveSecure(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		if r.Method == "POST" {
			<-finish
			return
		}
		<-r.Context().Done()
		mu.Lock()
		given[r.RemoteAddr]++
		if given[r.RemoteAddr] > most {
			o.cut(r.RemoteAddr)
		}
		mu.Unlock()
		left <- struct{}{}
	}, nil, "h2")
	proxy := serveProxy(t, inspecting(inspect.Always))
	answered := make(chan error, 1)
	go func() {
		resp, err := visitor(t, proxy, trusting(testAuthority()), true).Post(o.URL, "text/plain", nil)
		if err == nil && resp.StatusCode != 200 {
			err = errors.New(resp.Status)
		}
		answered <- err
	}()
	<-came
	client := visitor(t, proxy, trusting(testAuthority()), true)
	for n := range 2 * most {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", o.URL+"/"+strconv.Itoa(n), nil)
		go client.Do(r)
		<-came
		cancel()
		<-left
	}
	close(finish)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestHSTSLeavesSocketsAlone: a WebSocket in the clear follows no redirect, and what it
// would be redirected to is no ws: URL.
func TestHSTSLeavesSocketsAlone(t *testing.T) {
	hop := serveOrigin(t, answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	p, proxy := newProxy(t, func(o *Options) { o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}} })
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=100"})
	const socket = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nConnection: Upgrade\r\n"
	for upgrade, status := range map[string]int{"": http.StatusTemporaryRedirect, socket: http.StatusForbidden} {
		conn := dial(t, proxy)
		io.WriteString(conn, "GET http://secure.example/ HTTP/1.1\r\nHost: secure.example\r\n"+upgrade+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != status {
			t.Errorf("with %q: %d, want %d", upgrade, resp.StatusCode, status)
		}
	}
}

// TestHSTSRepeatsNoPassword: the page that is led on may be any, and read where it came to.
func TestHSTSRepeatsNoPassword(t *testing.T) {
	p, proxy := newProxy(t, nil)
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=100"})
	resp, body := get(t, proxy, "http://me:hunter2@secure.example/a?b")
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusTemporaryRedirect || to != "https://secure.example/a?b" || strings.Contains(body, "hunter2") {
		t.Errorf("%d to %q", resp.StatusCode, to)
	}
}

// TestHSTSLeadsOtherSitesPages on: scripts and fonts that they ask for by CORS came by http
// before anybody here knew what the site wants.
func TestHSTSLeadsOtherSitesPages(t *testing.T) {
	p, proxy := newProxy(t, nil)
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=100"})
	for _, c := range []struct{ fields, origin, credentials string }{
		{"", "", ""},
		{"Origin: http://page.example\r\n", "http://page.example", "true"},
		{"Origin: null\r\n", "null", "true"},
		{"Origin: http://page.example\r\nOrigin: http://other.example\r\n", "", ""},
	} {
		conn := dial(t, proxy)
		io.WriteString(conn, "GET http://secure.example/font HTTP/1.1\r\nHost: secure.example\r\n"+c.fields+"\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		origin, credentials := resp.Header.Get("Access-Control-Allow-Origin"), resp.Header.Get("Access-Control-Allow-Credentials")
		if resp.StatusCode != http.StatusTemporaryRedirect || origin != c.origin || credentials != c.credentials {
			t.Errorf("with %q: %d, %q, %q", c.fields, resp.StatusCode, origin, credentials)
		}
	}
}

// TestProtocolsAreKnownNoLongerThanConnections: who knows that an origin speaks no HTTP/2 asks
// it in another way, by which a client can tell that somebody was there.
func TestProtocolsAreKnownNoLongerThanConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(place)
		known := func(after time.Duration, want bool) {
			t.Helper()
			time.Sleep(after)
			if p.knownHTTP1() != want {
				t.Errorf("known: %t", !want)
			}
		}
		known(0, false)
		p.showsHTTP1()
		known(warmFor-time.Second, true)
		known(warmFor-time.Second, true) // a request came in between
		known(warmFor, false)
		known(0, false) // whoever comes beside the one who asks waits for that
		p.showsHTTP1()
		for range knownFor/(warmFor/2) - 1 {
			known(warmFor/2, true)
		}
		known(warmFor/2, false) // it may have learned HTTP/2
	})
}
