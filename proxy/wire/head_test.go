package wire

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestControlInAnUnfinishedLine is refused with the byte that makes it one,
// however the head is cut into pieces.
func TestControlInAnUnfinishedLine(t *testing.T) {
	for _, c := range []struct {
		head string
		bad  bool
	}{
		{"GET / HTTP/1.1\r", false},
		{"GET / HTTP/1.1\r ", true},
		{"GET / HTTP/1.1\r\r", true},
		{"GET / HTTP/1.1\r\nA: b\r", false},
		{"GET / HTTP/1.1\r\nA: b\rc", true},
		{"GET / HTTP/1.1\r\n\rc", true},
		{"GET / HTTP/1.1\r\nA: \x00", true},
		{"\rG", true},
	} {
		for what, r := range map[string]*bufio.Reader{
			"at once": bufio.NewReader(strings.NewReader(c.head)),
			"bytes":   bufio.NewReader(iotest.OneByteReader(strings.NewReader(c.head))),
			"spilled": bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(c.head)), 16),
		} {
			_, err := readHead(r, 1000, isValue, nil)
			var bad *ProtocolError
			if errors.As(err, &bad) != c.bad {
				t.Errorf("%q %s: %v", c.head, what, err)
			}
		}
	}
}

// TestControlInAnUnfinishedResponse is waited behind, unless readers part ways there.
func TestControlInAnUnfinishedResponse(t *testing.T) {
	for head, want := range map[string]bool{"HTTP/1.1 200 OK\r\nA: \x01b\x7f": true, "HTTP/1.1 200 OK\r\nA: \x01\x00": false, "HTTP/1.1 200 OK\r\nA: \x01\rb": false} {
		_, err := readHead(bufio.NewReader(iotest.OneByteReader(strings.NewReader(head))), 1000, isRead, nil)
		if (err == io.ErrUnexpectedEOF) != want {
			t.Errorf("%q: %v", head, err)
		}
	}
}
