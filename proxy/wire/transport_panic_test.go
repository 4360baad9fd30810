package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("on purpose") }

// TestTransportPanicEndsItsRequestAlone: a body is read beside the caller,
// where nobody else would catch what goes wrong in it.
func TestTransportPanicEndsItsRequestAlone(t *testing.T) {
	whole := make(chan bool, 1)
	handle := func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if r.Method == "POST" {
			whole <- err == nil
		}
	}
	c, url := openHTTP2(t, 10, handle)
	o := startOrigin(t, func(p *peer) {
		r, err := http.ReadRequest(p.br)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, r.Body)
		if r.Method == "POST" {
			whole <- err == nil
		}
		p.say("HTTP/1.1 204 No Content\r\n\r\n")
	})
	tr := newTransport(t, o.addr)
	for name, round := range map[string]struct {
		tr  *Transport
		url string
		do  func(*http.Request) (*http.Response, error)
	}{
		"HTTP/1.1": {tr, "http://a.test/", tr.RoundTrip},
		"HTTP/2":   {c.t, url, func(r *http.Request) (*http.Response, error) { c.Reserve(); return c.RoundTrip(r) }},
	} {
		told := make(chan []byte, 1)
		round.tr.Panicked = func(stack []byte) { told <- stack }
		_, err := round.do(request(t, "POST", round.url, io.MultiReader(strings.NewReader("part"), panicking{})))
		if _, ok := errors.AsType[*RequestBodyError](err); !ok {
			t.Errorf("%s: the caller gets %v", name, err)
		}
		if <-whole {
			t.Errorf("%s: the origin took a part for the whole", name)
		}
		if stack := <-told; !bytes.Contains(stack, []byte("panicking")) {
			t.Errorf("%s: the stack is %s", name, stack)
		}
		if resp, err := round.do(request(t, "GET", round.url, nil)); err != nil || resp.StatusCode/100 != 2 {
			t.Errorf("%s: the next request: %v %v", name, resp, err)
		}
	}
}
