package judge

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// An Origin is a web site that says what it sees of its visitors. It
// speaks HTTP/1.1 by itself rather than through net/http, because it has
// to keep the order, case and framing that net/http throws away.
//
// The zero value serves the page and remembers nothing. Its methods are
// safe for concurrent use.
type Origin struct {
	Record bool // keep every request for [Run]; not for an origin that strangers visit

	record   record
	releases releases

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{} // listeners and connections
	wg     sync.WaitGroup
}

const (
	visitorTime  = 20 * time.Second // to begin a request, and for each one to be complete
	mostVisitors = 512              // at a time; more are closed at once
)

// What one request may hold. Larger ones are answered with 413.
const (
	pageLimit  = 64 << 10 // an origin that does not record
	probeLimit = 4 << 20
)

// Serve answers connections from ln until [Origin.Close], and then returns
// [http.ErrServerClosed].
func (o *Origin) Serve(ln net.Listener) error {
	if !o.track(ln) {
		ln.Close()
		return http.ErrServerClosed
	}
	defer o.untrack(ln)
	for {
		c, err := ln.Accept()
		if err != nil {
			if o.isClosed() {
				return http.ErrServerClosed
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				continue
			}
			return fmt.Errorf("accept a visitor: %w", err)
		}
		if !o.track(c) {
			c.Close()
			continue
		}
		go func() {
			defer o.untrack(c)
			o.converse(c)
		}()
	}
}

// Close ends every connection and listener and waits for them.
func (o *Origin) Close() error {
	o.mu.Lock()
	o.closed = true
	for c := range o.open {
		c.Close()
	}
	o.mu.Unlock()
	o.releases.all()
	o.wg.Wait()
	return nil
}

func (o *Origin) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// track notes something that Close has to close. It refuses what comes
// after Close and connections over the limit.
func (o *Origin) track(c io.Closer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, listener := c.(net.Listener); o.closed || (!listener && len(o.open) > mostVisitors) {
		return false
	}
	if o.open == nil {
		o.open = make(map[io.Closer]struct{})
	}
	o.open[c] = struct{}{}
	o.wg.Add(1)
	return true
}

func (o *Origin) untrack(c io.Closer) {
	c.Close()
	o.mu.Lock()
	delete(o.open, c)
	o.mu.Unlock()
	o.wg.Done()
}

// converse answers the requests of one connection, one after the other.
func (o *Origin) converse(c net.Conn) {
	t := &tap{Conn: c}
	br := bufio.NewReader(t)
	for {
		c.SetDeadline(time.Now().Add(visitorTime))
		t.forget(br.Buffered())
		t.limit = pageLimit
		if o.Record {
			t.limit = probeLimit
		}
		if _, err := br.Peek(1); err != nil {
			return
		}
		req, seen := readRequest(t, br)
		seen.Remote = addrPort(c.RemoteAddr())
		if o.Record {
			probe := ""
			if _, target, ok := strings.Cut(seen.Head.Line, " "); ok {
				target, _, _ = strings.Cut(target, " ")
				probe, _ = splitTarget(target)
			}
			o.record.add(probe, seen)
		}
		if seen.Err != nil {
			status := http.StatusBadRequest
			if errors.Is(seen.Err, errTooLarge) {
				status = http.StatusRequestEntityTooLarge
			}
			text(status, "this is not a request that the origin understands\n").write(c, "GET", false)
			return
		}
		keep := !req.Close
		if err := o.answer(req, seen).send(c, br, req.Method, keep); err != nil || !keep {
			return
		}
	}
}

// readRequest reads one request to its last byte. The returned Seen holds
// whatever arrived, also if that was no request.
func readRequest(t *tap, br *bufio.Reader) (*http.Request, Seen) {
	var s Seen
	req, err := http.ReadRequest(br)
	if err == nil {
		if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
			io.WriteString(t.Conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		s.Body, err = io.ReadAll(req.Body)
	}
	s.Err = err
	s.Raw = bytes.Clone(t.consumed(br.Buffered()))
	s.Head = parseHead(s.Raw)
	return req, s
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
