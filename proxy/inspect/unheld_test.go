package inspect

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"testing"
)

// TestHelloIsReadInOneWay: with a name twice (RFC 8446 §4.2 forbids it), or something
// behind the message in its record (§5.1), another parser may see another host.
func TestHelloIsReadInOneWay(t *testing.T) {
	raw := hello(t, &tls.Config{ServerName: "www.example.com"})
	sni := []byte("\x00\x00\x00\x14\x00\x12\x00\x00\x0fwww.example.com")
	at := bytes.Index(raw, sni)
	if at < 0 {
		t.Fatalf("where is the name in %x?", raw)
	}
	grow := func(b []byte, at, by int) {
		binary.BigEndian.PutUint16(b[at:], binary.BigEndian.Uint16(b[at:])+uint16(by))
	}
	behind := append(bytes.Clone(raw), "\x00\x00\x00\x00"...)
	grow(behind, 3, 4) // the record
	if _, err := parseHello(behind); err != ErrNotTLS {
		t.Errorf("something behind the message: %v", err)
	}
	twice := append(bytes.Clone(raw), sni...)
	extensions := 5 + 4 + 2 + 32
	extensions += 1 + int(raw[extensions])
	extensions += 2 + int(binary.BigEndian.Uint16(raw[extensions:]))
	extensions += 1 + int(raw[extensions])
	for _, length := range []int{3, 7, extensions} { // of the record, the message and the extensions
		grow(twice, length, len(sni))
	}
	if _, err := parseHello(twice); err != ErrNotTLS {
		t.Errorf("a name twice: %v", err)
	}
	// It is the name alone that is at fault: an extension that nobody knows may follow.
	unknown := bytes.Clone(twice)
	copy(unknown[len(raw):], "\xfe\xed")
	if h, err := parseHello(unknown); err != nil || h.ServerName != "www.example.com" {
		t.Errorf("an unknown extension: %+v, %v", h, err)
	}
}
