//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// browserFields is what a browser sends with a page, so that a proxy that
// looks at fields has some to look at.
const browserFields = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate\r\n" +
	"Connection: keep-alive\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"Priority: u=0, i\r\n\r\n"

// A series is the requests for all objects of one kind and size, and what
// each must be answered with.
type series struct {
	requests, bodies [][]byte
	anew             bool // each request has a query of its own, so that no cache has the answer
}

// asked counts the requests with a query, which is their number.
var asked atomic.Int64

// at returns the i-th request, which starts anew after the last object, and what it
// must be answered with.
func (s *series) at(i int) (request, body []byte) {
	request, body = s.requests[i%objects], s.bodies[i%objects]
	if s.anew {
		line, rest, _ := bytes.Cut(request, []byte(" HTTP/1.1"))
		request = slices.Concat(line, fmt.Appendf(nil, "?%d HTTP/1.1", asked.Add(1)), rest)
	}
	return request, body
}

func newSeries(kind string, size int, host, prefix string) *series {
	s := &series{}
	for id := range objects {
		request := "GET " + prefix + objectPath(kind, size, id) + " HTTP/1.1\r\nHost: " + host + "\r\n" + browserFields
		s.requests = append(s.requests, []byte(request))
		s.bodies = append(s.bodies, objectBody(size, id))
	}
	return s
}

// A user is one client connection to a proxy, opened again when the proxy
// closes it.
type user struct {
	proxy string
	conn  net.Conn
	buf   []byte
}

const patience = time.Minute // deadline of a connection; longer than a round, so that a proxy that hangs fails it

// ask sends request and compares the answer with body. A proxy may close a
// connection between two requests; the next one then has another.
func (u *user) ask(request, body []byte) error {
	used := u.conn != nil
	if u.conn == nil {
		c, err := net.Dial("tcp", u.proxy)
		if err != nil {
			return err
		}
		c.SetDeadline(time.Now().Add(patience))
		u.conn = c
	}
	keep, err := u.exchange(request, body)
	if err != nil || !keep {
		u.close()
	}
	if used && errors.Is(err, errNoAnswer) {
		return u.ask(request, body)
	}
	return err
}

var errNoAnswer = errors.New("no answer")

func (u *user) close() {
	if u.conn != nil {
		u.conn.Close()
		u.conn = nil
	}
}

func (u *user) exchange(request, body []byte) (keep bool, err error) {
	if u.buf == nil {
		u.buf = make([]byte, len(body)+16<<10)
	}
	if _, err := u.conn.Write(request); err != nil {
		return false, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	n, head := 0, -1
	for head < 0 {
		m, err := u.conn.Read(u.buf[n:])
		if err != nil && n == 0 {
			return false, fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		if err != nil {
			return false, fmt.Errorf("read a head: %w", err)
		}
		n += m
		if i := bytes.Index(u.buf[:n], []byte("\r\n\r\n")); i >= 0 {
			head = i + 4
		}
	}
	keep, length, err := readHead(u.buf[:head])
	if err != nil {
		return false, err
	}
	if length != len(body) {
		return false, fmt.Errorf("Content-Length %d, the origin's was %d", length, len(body))
	}
	for n < head+length {
		m, err := u.conn.Read(u.buf[n:])
		if err != nil {
			return false, fmt.Errorf("read a body: %w", err)
		}
		n += m
	}
	if !bytes.Equal(u.buf[head:n], body) {
		return false, errors.New("another body than the origin's")
	}
	return keep, nil
}

// readHead reads of a response head what the load must know.
func readHead(head []byte) (keep bool, length int, err error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.")) || len(head) < 12 || string(head[9:12]) != "200" {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return false, 0, fmt.Errorf("answered %q", line)
	}
	keep, length = head[7] == '1', -1
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if len(line) == 0 || line[0]|0x20 != 'c' {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return false, 0, err
			}
		case bytes.EqualFold(name, []byte("connection")):
			keep = bytes.EqualFold(bytes.TrimSpace(value), []byte("keep-alive"))
		}
	}
	if length < 0 {
		return false, 0, errors.New("answered without Content-Length")
	}
	return keep, length, nil
}

// closedLoop runs work for so many users at once for d, until it closes stop. It
// returns how many answers they counted in done.
func closedLoop(users int, d time.Duration, work func(stop <-chan struct{}, user int, done *atomic.Int64) error) (int64, error) {
	var done atomic.Int64
	var group sync.WaitGroup
	stop := make(chan struct{})
	failed := make(chan error, users)
	for i := range users {
		group.Go(func() {
			if err := work(stop, i, &done); err != nil {
				failed <- err
			}
		})
	}
	var err error
	timer := time.NewTimer(d)
	select {
	case <-timer.C:
	case err = <-failed:
		timer.Stop()
	}
	close(stop)
	group.Wait()
	if err == nil {
		select {
		case err = <-failed:
		default:
		}
	}
	return done.Load(), err
}

// browse is the work of a user who asks for the objects of s in turn.
func browse(proxy string, s *series) func(stop <-chan struct{}, n int, done *atomic.Int64) error {
	return func(stop <-chan struct{}, n int, done *atomic.Int64) error {
		u := &user{proxy: proxy}
		defer u.close()
		for i := n; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			request, body := s.at(i)
			if err := u.ask(request, body); err != nil {
				return err
			}
			done.Add(1)
		}
	}
}

// discardAll reads c to its end and tells how many bytes of a bulk transfer
// came, or where the first wrong one was.
func discardAll(c io.Reader) (int64, error) {
	var total int64
	buf := make([]byte, 256<<10)
	for {
		n, err := c.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			want := bulkPiece[total%int64(len(bulkPiece)):]
			k := min(len(p), len(want))
			if !bytes.Equal(p[:k], want[:k]) {
				return total, fmt.Errorf("wrong bytes after %d", total)
			}
			total += int64(k)
			p = p[k:]
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
