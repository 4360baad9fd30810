package wire

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A deafOrigin says what it has to, and takes nothing before it hears.
type deafOrigin struct {
	fakeOrigin
	says  io.Reader
	hears chan struct{}
}

func (d *deafOrigin) Read(p []byte) (int, error) {
	if n, err := d.says.Read(p); err == nil {
		return n, nil
	}
	return d.fakeOrigin.Read(p)
}

func (d *deafOrigin) Write(p []byte) (int, error) {
	<-d.hears
	return len(p), nil
}

// TestHTTP2RequestsDoNotPileUp: requests for an origin that takes none, each
// given up by its client, are not kept without end.
func TestHTTP2RequestsDoNotPileUp(t *testing.T) {
	tr := newTransport(t, "")
	ended := make(chan struct{})
	d := &deafOrigin{says: bytes.NewReader(appendSettings(nil)), hears: make(chan struct{})}
	c := tr.startHTTP2(d, func() { close(ended) })
	c.Release()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(gone, "GET", "https://a.example/", nil)
	r.Header.Set("X", strings.Repeat("x", 32<<10))
	kept := 0
	for ; kept < 100; kept++ {
		if kept == 0 {
			c.Wait(t.Context()) // for the settings
		} else if !c.Reserve() {
			break
		}
		c.RoundTrip(r)
	}
	if kept == 100 {
		c.mu.Lock()
		t.Errorf("%d bytes wait to be written", len(c.out))
		c.mu.Unlock()
	}
	close(d.hears)
	if ok, err := c.Wait(t.Context()); !ok || err != nil {
		t.Errorf("once they were taken: %v, %v", ok, err)
	}
	c.Retire()
	c.Release()
	<-ended
}
