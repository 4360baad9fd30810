package wire

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// content is what a well-behaved origin answers to /id.
func content(id int) string {
	return strings.Repeat(fmt.Sprintf("<%d>", id), 1+id*7919%3000)
}

// A roguish origin answers in any shape HTTP/1.1 has, cuts, resets, and adds
// bytes where none may be. Nothing that comes back is ever another request's,
// nor less than all of it.
func TestTransportNoWrongByte(t *testing.T) {
	var unsafe sync.Map // how often each POST was seen
	o := startOrigin(t, func(p *peer) {
		rnd := rand.New(rand.NewPCG(7, uint64(p.nr)))
		for {
			r, err := http.ReadRequest(p.br)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			var id int
			fmt.Sscanf(r.URL.Path, "/%d", &id)
			if r.Method == "POST" {
				n, _ := unsafe.LoadOrStore(id, new(atomic.Int32))
				n.(*atomic.Int32).Add(1)
			}
			if !answer(p, rnd, r.Method, content(id)) {
				return
			}
		}
	})
	tr := newTransport(t, o.addr)
	var whole atomic.Int32
	var wg sync.WaitGroup
	const workers, each = 8, 300
	for w := range workers {
		rnd := rand.New(rand.NewPCG(8, uint64(w)))
		wg.Go(func() {
			for i := range each {
				if tricky(t, tr, rnd, w*each+i) {
					whole.Add(1)
				}
			}
		})
	}
	wg.Wait()
	unsafe.Range(func(id, n any) bool {
		if n := n.(*atomic.Int32).Load(); n > 1 {
			t.Errorf("POST %d was sent %d times", id, n)
		}
		return true
	})
	if n := whole.Load(); n < workers*each/2 {
		t.Errorf("only %d of %d arrived", n, workers*each)
	}
}

// tricky makes one request and tells whether all of the answer came.
func tricky(t *testing.T, tr *Transport, rnd *rand.Rand, id int) bool {
	method := []string{"GET", "GET", "GET", "HEAD", "POST"}[rnd.IntN(5)]
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader(content(id))
		if rnd.IntN(2) == 0 {
			body = onlyReader{body}
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://a.test/%d", id), body)
	resp, got, err := fetch(tr, r)
	if err != nil {
		return false
	}
	want := content(id)
	if method == "HEAD" || resp.StatusCode == 204 {
		want = ""
	}
	if got != want {
		t.Errorf("%s /%d: %d bytes, want %d: %.40q", method, id, len(got), len(want), got)
	}
	return true
}

// answer answers one request in some way, and tells whether the connection
// goes on. Bytes too many come in one piece with what they follow: of a
// response that arrives just after the next request went out, nobody could
// tell that it answers another.
func answer(p *peer, rnd *rand.Rand, method, body string) bool {
	const ok = "HTTP/1.1 200 OK\r\n"
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	sized := fmt.Sprintf("%sContent-Length: %d\r\n\r\n", ok, len(body))
	if method == "HEAD" {
		p.say(sized + []string{"", "", "", body, evil}[rnd.IntN(5)])
		return true
	}
	chunked := ok + "Transfer-Encoding: chunked\r\n\r\n" + chunks(rnd, body)
	switch rnd.IntN(20) {
	case 0:
		p.reset()
		return false
	case 1:
		return false
	case 2: // cut anywhere
		all := []string{sized + body, chunked}[rnd.IntN(2)]
		scatter(p, rnd, all[:rnd.IntN(len(all))])
		return false
	case 3:
		p.say("HTTP/1.1 204 No Content\r\n\r\n" + evil)
	case 4:
		p.say(sized + body + evil)
	case 5:
		p.say(chunked + "0\r\n\r\n" + evil)
	case 6:
		scatter(p, rnd, ok+"Connection: close\r\n\r\n"+body)
		return false
	case 7:
		scatter(p, rnd, "HTTP/1.1 103 Early Hints\r\n\r\n"+sized+body)
	case 8, 9, 10, 11, 12:
		scatter(p, rnd, sized+body)
	default:
		scatter(p, rnd, chunked+"0\r\n\r\n")
	}
	return true
}

// chunks cuts body into chunks of any size, without the last.
func chunks(rnd *rand.Rand, body string) string {
	var b strings.Builder
	for body != "" {
		n := 1 + rnd.IntN(len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String()
}

// scatter says s in pieces.
func scatter(p *peer, rnd *rand.Rand, s string) {
	for s != "" {
		n := 1 + rnd.IntN(len(s))
		p.say(s[:n])
		s = s[n:]
	}
}
