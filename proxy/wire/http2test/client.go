// Package http2test is an HTTP/2 client for tests: it says what it is told to,
// frame by frame, and does nothing of its own accord.
package http2test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A Client is one connection. A read that fails ends its test.
type Client struct {
	net.Conn
	*http2.Framer
	t       testing.TB
	block   bytes.Buffer
	encoder *hpack.Encoder
}

// NewClient sends the preface and empty settings over conn, whose deadlines
// are the caller's.
func NewClient(t testing.TB, conn net.Conn) *Client {
	c := NewWriter(conn)
	c.t, c.Conn = t, conn
	c.Framer = http2.NewFramer(conn, conn)
	c.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	io.WriteString(conn, http2.ClientPreface)
	c.WriteSettings()
	return c
}

// NewWriter returns a client that only writes frames, to w, without preface
// and settings.
func NewWriter(w io.Writer) *Client {
	c := &Client{Framer: http2.NewFramer(w, nil)}
	c.encoder = hpack.NewEncoder(&c.block)
	return c
}

// Head sends a HEADERS frame of "name: value" lines.
func (c *Client) Head(stream uint32, end bool, lines ...string) error {
	c.block.Reset()
	for _, line := range lines {
		i := strings.Index(line[1:], ": ") + 1
		c.encoder.WriteField(hpack.HeaderField{Name: line[:i], Value: line[i+2:]})
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// Until returns the first frame for which is returns true.
func (c *Client) Until(is func(http2.Frame) bool) http2.Frame {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			c.t.Fatalf("read frame: %v", err)
		}
		if is(f) {
			return f
		}
	}
}

// Headers returns the next head on a stream.
func (c *Client) Headers(stream uint32) *http2.MetaHeadersFrame {
	c.t.Helper()
	return c.Until(func(f http2.Frame) bool {
		_, ok := f.(*http2.MetaHeadersFrame)
		return ok && f.Header().StreamID == stream
	}).(*http2.MetaHeadersFrame)
}

// Data returns all that comes on a stream.
func (c *Client) Data(stream uint32) string {
	c.t.Helper()
	var all bytes.Buffer
	c.Until(func(f http2.Frame) bool {
		d, ok := f.(*http2.DataFrame)
		if !ok || d.StreamID != stream {
			return false
		}
		all.Write(d.Data())
		return d.StreamEnded()
	})
	return all.String()
}

// SomeData returns the first bytes that come on a stream.
func (c *Client) SomeData(stream uint32) string {
	c.t.Helper()
	d := c.Until(func(f http2.Frame) bool {
		d, ok := f.(*http2.DataFrame)
		return ok && d.StreamID == stream
	})
	return string(d.(*http2.DataFrame).Data())
}

// GoAway reads until the server takes no more streams. It answers the PING by which
// the server asks whether the client knows that this is to come.
func (c *Client) GoAway() {
	c.t.Helper()
	c.Until(func(f http2.Frame) bool {
		if p, ok := f.(*http2.PingFrame); ok && !p.IsAck() {
			c.WritePing(true, p.Data)
		}
		g, ok := f.(*http2.GoAwayFrame)
		return ok && g.LastStreamID < 1<<31-1
	})
}

// Outcome is how a stream, or the connection, ends for the client: a status,
// "reset CODE" or "goaway CODE".
func (c *Client) Outcome(stream uint32) string {
	c.t.Helper()
	f := c.Until(func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			return true
		case *http2.RSTStreamFrame, *http2.MetaHeadersFrame:
			return f.Header().StreamID == stream
		}
		return false
	})
	switch f := f.(type) {
	case *http2.GoAwayFrame:
		return "goaway " + f.ErrCode.String()
	case *http2.RSTStreamFrame:
		return "reset " + f.ErrCode.String()
	}
	return f.(*http2.MetaHeadersFrame).PseudoValue("status")
}
