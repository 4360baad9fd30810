package proxy

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A framed is an HTTP/2 client that does one thing at a time, which tells more
// than one with a mind of its own.
type framed struct {
	t *testing.T
	net.Conn
	*http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func dialFrames(t *testing.T, address string) *framed {
	t.Helper()
	c := &framed{t: t, Conn: dial(t, address)}
	c.Framer = http2.NewFramer(c.Conn, c.Conn)
	c.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	io.WriteString(c.Conn, http2.ClientPreface)
	c.WriteSettings()
	return c
}

// head sends a head of "name: value" lines.
func (c *framed) head(stream uint32, end bool, lines ...string) {
	c.block.Reset()
	for _, line := range lines {
		i := strings.Index(line[1:], ": ") + 1
		c.encoder.WriteField(hpack.HeaderField{Name: line[:i], Value: line[i+2:]})
	}
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// until returns the first frame for which is returns true.
func (c *framed) until(is func(http2.Frame) bool) http2.Frame {
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

func (c *framed) headers(stream uint32) *http2.MetaHeadersFrame {
	c.t.Helper()
	return c.until(func(f http2.Frame) bool {
		_, ok := f.(*http2.MetaHeadersFrame)
		return ok && f.Header().StreamID == stream
	}).(*http2.MetaHeadersFrame)
}

func (c *framed) field(h *http2.MetaHeadersFrame, name string) string {
	for _, f := range h.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// data returns all that comes on a stream.
func (c *framed) data(stream uint32) string {
	c.t.Helper()
	var all bytes.Buffer
	c.until(func(f http2.Frame) bool {
		d, ok := f.(*http2.DataFrame)
		if !ok || d.StreamID != stream {
			return false
		}
		all.Write(d.Data())
		return d.StreamEnded()
	})
	return all.String()
}

// someData returns the first bytes that come on a stream.
func (c *framed) someData(stream uint32) string {
	c.t.Helper()
	d := c.until(func(f http2.Frame) bool { d, ok := f.(*http2.DataFrame); return ok && d.StreamID == stream })
	return string(d.(*http2.DataFrame).Data())
}

func (c *framed) goAway() {
	c.t.Helper()
	c.until(func(f http2.Frame) bool { _, ok := f.(*http2.GoAwayFrame); return ok })
}
