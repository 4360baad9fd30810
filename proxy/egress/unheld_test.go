package egress

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"syscall"
	"testing"
)

// TestFailureThatSaysMostIsTold: of several addresses, that one is silent says more
// than that another refuses, and that more than that there is no way to a third.
func TestFailureThatSaysMostIsTold(t *testing.T) {
	most := []error{os.ErrDeadlineExceeded, syscall.ECONNREFUSED, errors.New("something else"), syscall.ENETUNREACH, nil}
	for i, more := range most {
		for _, less := range most[i:] {
			if a, b := telling(more, less), telling(less, more); a != more || b != more {
				t.Errorf("of %v and %v, %v and %v are told", more, less, a, b)
			}
		}
	}
}

// TestHopThatSwitchesIsNoTunnel, whatever it answers behind that.
func TestHopThatSwitchesIsNoTunnel(t *testing.T) {
	p := startPeer(t, answer("HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
	e := newTestEgress(t, Options{Chain: p.chain("http", "")})
	conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: 443})
	if err == nil {
		conn.Close()
		t.Error("it is taken for one")
	}
}

// TestSOCKSHopChoosesOfWhatItWasOffered: one that wants a password of who has none gets
// nothing more.
func TestSOCKSHopChoosesOfWhatItWasOffered(t *testing.T) {
	more := make(chan []byte, 1)
	p := startPeer(t, func(conn net.Conn) {
		hello := make([]byte, 3)
		if _, err := io.ReadFull(conn, hello); err != nil || !slices.Equal(hello, []byte{5, 1, 0}) {
			t.Errorf("the hop got %x, %v", hello, err)
		}
		conn.Write([]byte{5, 2})
		rest, _ := io.ReadAll(conn)
		more <- rest
	})
	e := newTestEgress(t, Options{Chain: p.chain("socks5", "")})
	if conn, err := e.Dial(t.Context(), Connect, Target{Host: "site.example", Port: 443}); err == nil {
		conn.Close()
		t.Error("a tunnel was made")
	}
	if rest := <-more; len(rest) > 0 {
		t.Errorf("the hop got %x as well", rest)
	}
}

// TestWhatIsNoAnswerOfANameServer has the next one asked: a page that a hotel puts
// before the network comes with status 200 as well.
func TestWhatIsNoAnswerOfANameServer(t *testing.T) {
	o := startOrigin(t, "127.0.0.1:0")
	dns := startSecureNameServer(t, always("127.0.0.1"))
	elsewhere := startNameServer(t, always("192.0.2.1"))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/html")
		w.Write(elsewhere.reply(question)) // what it holds is of no account
	}))
	defer page.Close()
	u, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := newTestEgress(t, Options{Allow: loopback, NameServers: []*url.URL{u, dns.url(t)}})
	defer e.Close()
	conn, err := e.Dial(t.Context(), Connect, Target{Host: "a.example", Port: o.port()})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
