package inspect

import (
	"errors"
	"hash/maphash"
	"io"
	"slices"
)

// A Hello is what a ClientHello (RFC 8446 §4.1.2) says before TLS begins.
type Hello struct {
	ServerName string   // as sent; "" without
	Protocols  []string // ALPN, in the client's order; nil without
	Current    bool     // the client speaks TLS 1.2 or 1.3, as [Authority.Terminate] does
	Encrypted  bool     // it holds an encrypted hello for another name (ECH, RFC 9849), or GREASE, which looks the same
	Early      bool     // early data follows (RFC 8446 §4.2.10), of a session with the origin itself
	Program    uint64   // a fingerprint of the client's TLS library and its settings; see abilities
}

// HTTP reports whether the client may speak HTTP: its protocols have a version of that,
// or it names none. Others share port 443: MQTT, XMPP, DNS, TURN.
func (h Hello) HTTP() bool {
	return h.Protocols == nil || slices.Contains(h.Protocols, "h2") || slices.Contains(h.Protocols, "http/1.1")
}

// Errors of [ReadHello].
var (
	ErrNotTLS   = errors.New("not a TLS ClientHello")
	errTooShort = errors.New("the ClientHello is not complete")
)

// maxHello bounds a ClientHello in octets; the largest in use, with post-quantum keys and
// encrypted hello, have some 4 KiB.
const maxHello = 16 << 10

// ReadHello reads from r, whose first bytes, early, were read already, until a whole
// ClientHello is there. raw holds all bytes read, whatever the outcome: they
// belong to whoever goes on with the connection. It accepts the form of RFC 8446
// alone, with every length exact: what two parsers could read differently is
// [ErrNotTLS], which is returned as soon as the bytes can be no ClientHello. Any
// other error is r's.
func ReadHello(r io.Reader, early []byte) (raw []byte, h Hello, err error) {
	raw = early
	chunk := make([]byte, 4<<10)
	for {
		h, missing, err := ParseHello(raw)
		if missing == 0 {
			return raw, h, err
		}
		for missing > 0 {
			n, err := r.Read(chunk)
			raw = append(raw, chunk[:n]...)
			missing -= n
			if n == 0 && err != nil {
				return raw, Hello{}, err
			}
		}
	}
}

// ParseHello reads the ClientHello that b begins with, as [ReadHello] does. If missing is
// not 0, b is incomplete, by that many bytes at least.
func ParseHello(b []byte) (h Hello, missing int, err error) {
	h, err = parseHello(b)
	switch {
	case err != errTooShort:
		return h, 0, err
	case len(b) > maxHello+4<<10:
		return Hello{}, 0, ErrNotTLS
	}
	return Hello{}, missingOf(b), nil
}

// missingOf returns how many more bytes it takes until parseHello may say something else
// of b than errTooShort. Once the length of the message is known, that is the rest of the
// record: a hello that comes byte by byte must not be parsed from the beginning for each.
func missingOf(b []byte) int {
	message := 0
	for {
		size := 1 // at the least
		if len(b) >= 5 {
			size = int(b[3])<<8 | int(b[4])
		}
		if part := len(b) - 5; part < size {
			if message+max(part, 0) < 4 {
				return 1
			}
			return size - part
		}
		message += size
		b = b[5+size:]
	}
}

// parseHello reads the ClientHello at the beginning of b, which may hold more. It
// returns errTooShort if b is the beginning of one, else [ErrNotTLS].
func parseHello(b []byte) (Hello, error) {
	message, err := handshake(b)
	if err != nil {
		return Hello{}, err
	}
	h, can, ok := parseClientHello(message)
	if !ok {
		return Hello{}, ErrNotTLS
	}
	h.Program = can.program()
	return h, nil
}

// handshake collects the first handshake message from the records it is in
// (RFC 8446 §5.1), without its header.
func handshake(b []byte) ([]byte, error) {
	var message []byte
	for {
		if !couldBeRecord(b) {
			return nil, ErrNotTLS
		}
		if len(b) < 5 {
			return nil, errTooShort
		}
		size := int(b[3])<<8 | int(b[4])
		part := b[5:min(len(b), 5+size)]
		message = append(message, part...)
		if len(message) > 0 && message[0] != 1 {
			return nil, ErrNotTLS // no ClientHello
		}
		if len(message) >= 4 {
			length := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
			if length > maxHello {
				return nil, ErrNotTLS
			}
			// Nothing may follow the message in its record, not even announced by size.
			if end := len(message) - 4 + size - len(part); end > length {
				return nil, ErrNotTLS
			} else if end == length && len(part) == size {
				return message[4:], nil
			}
		}
		if len(part) < size {
			return nil, errTooShort
		}
		b = b[5+size:]
	}
}

// couldBeRecord reports whether the first bytes of b are those of a handshake
// record with something in it.
func couldBeRecord(b []byte) bool {
	switch {
	case len(b) > 0 && b[0] != 22,
		len(b) > 1 && b[1] != 3,
		len(b) > 2 && b[2] > 4:
		return false
	}
	if len(b) < 5 {
		return true
	}
	size := int(b[3])<<8 | int(b[4])
	return size > 0 && size <= 1<<14
}

// parseClientHello reads the message's body.
func parseClientHello(b []byte) (h Hello, can abilities, ok bool) {
	c := cursor{b, true}
	version := c.take(2)
	c.take(32) // random
	session := c.vector(1)
	can.suites = c.vector(2)
	compressions := c.vector(1)
	if version[0] != 3 || len(session) > 32 || len(can.suites) < 2 || len(can.suites)%2 != 0 || len(compressions) == 0 {
		return h, can, false
	}
	h.Current = version[1] >= 3
	if len(c.rest) == 0 {
		return h, can, true // TLS 1.2 without extensions
	}
	extensions := cursor{c.vector(2), c.ok}
	if len(c.rest) > 0 {
		return h, can, false
	}
	seen := make(map[uint16]bool)
	for len(extensions.rest) > 0 {
		head := extensions.take(2)
		body := extensions.vector(2)
		if !extensions.ok {
			return h, can, false
		}
		kind := uint16(head[0])<<8 | uint16(head[1])
		if seen[kind] {
			return h, can, false
		}
		seen[kind] = true
		switch kind {
		case 0:
			h.ServerName, extensions.ok = serverName(body)
		case 10:
			can.groups = body
		case 13:
			can.signatures = body
		case 16:
			h.Protocols, extensions.ok = protocols(body)
		case earlyData:
			h.Early = true
		case 43:
			h.Current, extensions.ok = current(body)
		case 0xfe0d:
			h.Encrypted = len(body) > 0 && body[0] == 0 // of type outer (RFC 9849 §5)
		}
	}
	return h, can, extensions.ok
}

// abilities are what a client says that its TLS can do: the same for each host, and for
// new and resumed sessions, but for GREASE values (RFC 8701).
type abilities struct{ suites, groups, signatures []byte }

// programs is the key of the hashes, so that those that are kept are of no use elsewhere.
var programs = maphash.MakeSeed()

// program returns a hash that tells one program's TLS from another's.
func (a abilities) program() uint64 {
	var h maphash.Hash
	h.SetSeed(programs)
	for _, values := range [...][]byte{a.suites, a.groups, a.signatures} {
		for pair := range slices.Chunk(values, 2) {
			if len(pair) < 2 || pair[0] != pair[1] || pair[0]&0x0f != 0x0a {
				h.Write(pair)
			}
		}
		h.WriteByte(0)
	}
	return h.Sum64()
}

// serverName reads the extension of RFC 6066 §3: one name, of type host_name.
func serverName(b []byte) (string, bool) {
	c := cursor{b, true}
	list := cursor{c.vector(2), true}
	kind := list.take(1)
	name := list.vector(2)
	if len(c.rest) > 0 || len(list.rest) > 0 || kind[0] != 0 || len(name) == 0 || len(name) > 255 ||
		slices.ContainsFunc(name, func(octet byte) bool { return octet <= ' ' || octet >= 0x7f }) {
		return "", false
	}
	return string(name), true
}

// protocols reads the extension of RFC 7301 §3.1.
func protocols(b []byte) ([]string, bool) {
	c := cursor{b, true}
	list := cursor{c.vector(2), true}
	if len(c.rest) > 0 || len(list.rest) == 0 {
		return nil, false
	}
	var all []string
	for len(list.rest) > 0 {
		one := list.vector(1)
		if len(one) == 0 {
			return nil, false
		}
		all = append(all, string(one))
	}
	return all, true
}

// current reads the extension of RFC 8446 §4.2.1, the versions of TLS that the client
// speaks; it overrides the hello's own version.
func current(b []byte) (tls12 bool, ok bool) {
	c := cursor{b, true}
	list := cursor{c.vector(1), true}
	if len(c.rest) > 0 || len(list.rest) == 0 {
		return false, false
	}
	for list.ok && len(list.rest) > 0 {
		version := list.take(2)
		tls12 = tls12 || version[0] == 3 && (version[1] == 3 || version[1] == 4)
	}
	return tls12, list.ok
}

// A cursor takes from the front of rest. Once something is missing, ok is false and stays
// so; a fixed size then reads as zeros, a vector as empty.
type cursor struct {
	rest []byte
	ok   bool
}

func (c *cursor) take(n int) []byte {
	if !c.ok || len(c.rest) < n {
		c.ok = false
		return make([]byte, n)
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

// vector takes a length of size bytes and as much as that says.
func (c *cursor) vector(size int) []byte {
	n := 0
	for _, b := range c.take(size) {
		n = n<<8 | int(b)
	}
	if len(c.rest) < n {
		c.ok = false
		return nil
	}
	return c.take(n)
}
