package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzChunked holds the reader of chunked bodies to net/http's, which takes
// more: what both read as whole is the same, and ends at the same byte. How
// the bytes come, and into how large a slice they go, does not matter.
func FuzzChunked(f *testing.F) {
	for _, body := range []string{
		"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nmore", "5;a=\"b\"\r\nhello\r\n06\r\n world\r\n0\r\nA: b\r\n\r\n",
		"5\r\nhello\r\n7fffffffffffffff\r\nworld", "8000000000000000\r\n", "5\nhello\n0\n\n", "-1\r\n", "1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
	} {
		f.Add([]byte(body), uint8(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, size uint8) {
		type reading struct {
			got, left string
			broken    bool
		}
		read := func(src io.Reader, buffer int) reading {
			br := bufio.NewReaderSize(src, 4<<10)
			chunks := newChunkedReader(br, Limits{})
			var got bytes.Buffer
			_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{chunks}, make([]byte, buffer))
			left, _ := io.ReadAll(br)
			if err != nil {
				return reading{got: got.String(), broken: true}
			}
			return reading{got.String(), string(left), false}
		}
		whole := read(bytes.NewReader(body), 32<<10)
		if bytewise := read(iotest.OneByteReader(bytes.NewReader(body)), int(size)+1); bytewise != whole {
			t.Errorf("%q is read as %+v, and byte by byte as %+v", body, whole, bytewise)
		}
		if whole.broken {
			return
		}
		end := len(body) - len(whole.left)
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body[:end])))
		if err == nil && string(theirs) != whole.got {
			t.Errorf("%q is read as %q, and by net/http as %q", body, whole.got, theirs)
		}
		if !strings.HasSuffix(string(body[:end]), "\r\n\r\n") {
			t.Errorf("the body ends within %q", body)
		}
	})
}

// TestChunksEndAsTheyShould: by CR and LF, both of them, or two readers part where one
// chunk ends.
func TestChunksEndAsTheyShould(t *testing.T) {
	for _, between := range []string{"\rX", "X\n", "\n\n", "\r\r", "XX", "\rX\r\n"} {
		r := newChunkedReader(bufio.NewReader(strings.NewReader("1\r\na"+between+"1\r\nb\r\n0\r\n\r\n")), Limits{})
		got, err := io.ReadAll(r)
		if bad, ok := errors.AsType[*ProtocolError](err); !ok || bad.Status != 400 || string(got) != "a" {
			t.Errorf("%q after a chunk: %q, %v", between, got, err)
		}
	}
}

// TestAllSizesMayBePadded: a server that pads sizes has a body of any length.
func TestAllSizesMayBePadded(t *testing.T) {
	const n = 200
	pad := strings.Repeat(" ", 2*maxChunkOverhead/n)
	r := newChunkedReader(bufio.NewReader(strings.NewReader(strings.Repeat("1"+pad+"\r\na\r\n", n)+"0"+pad+"\r\n\r\n")), Limits{})
	r.padded = true
	if got, err := io.ReadAll(r); err != nil || len(got) != n {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
