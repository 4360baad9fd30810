package judge

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"
)

// spoken is a connection on which everything was said already.
type spoken struct {
	net.Conn
	bytes.Reader
}

func (s *spoken) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s *spoken) Write(p []byte) (int, error) { return len(p), nil }

// FuzzRecord holds that the origin neither loses nor invents a byte: what it
// kept of one connection, put together, is what was sent.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /p/1/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\nT: 1\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\nshort"))
	f.Add([]byte("\r\n\r\nGET\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		said := &spoken{Reader: *bytes.NewReader(sent)}
		tap := &tap{Conn: said, limit: 1 << 20}
		br := bufio.NewReaderSize(tap, 16)
		var kept []byte
		for {
			tap.forget(br.Buffered())
			if _, err := br.Peek(1); err != nil {
				break
			}
			_, seen := readRequest(tap, br)
			kept = append(kept, seen.Raw...)
			if seen.Err != nil {
				break
			}
		}
		if !bytes.HasPrefix(sent, kept) {
			t.Errorf("sent %q, kept %q", sent, kept)
		}
		if rest, _ := io.ReadAll(br); len(kept)+len(rest) != len(sent) {
			t.Errorf("of %d bytes %d were kept and %d left", len(sent), len(kept), len(rest))
		}
	})
}

func TestTapStopsAtItsLimit(t *testing.T) {
	said := &spoken{Reader: *bytes.NewReader(make([]byte, 100))}
	tap := &tap{Conn: said, limit: 10}
	if n, err := io.Copy(io.Discard, tap); n != 10 || err != errTooLarge {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestSplitTarget(t *testing.T) {
	for target, want := range map[string][2]string{
		"/": {"", ""}, "/json": {"", "json"}, "/p/a1/image": {"a1", "image"}, "/p/a1/image?x=/p/b2/c": {"a1", "image"},
		"http://h:1/p/a1/data": {"a1", "data"}, "*": {"", "*"}, "%": {"", ""}, "/p/a1": {"a1", ""},
	} {
		if probe, resource := splitTarget(target); probe != want[0] || resource != want[1] {
			t.Errorf("%s is %q of %q", target, resource, probe)
		}
	}
}
