package inspect

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// hello returns the first flight of a client.
func hello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		tls.Client(client, config).Handshake()
		client.Close()
	}()
	defer server.Close()
	raw, _, err := ReadHello(server, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseHello(t *testing.T) {
	for _, config := range []*tls.Config{
		{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}},
		{ServerName: "www.example.com", MaxVersion: tls.VersionTLS12},
		{InsecureSkipVerify: true},
		{ServerName: "www.example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
	} {
		raw := hello(t, config)
		h, err := parseHello(raw)
		if err != nil || h.Current != (config.MaxVersion != tls.VersionTLS11) || h.ServerName != config.ServerName || !slices.Equal(h.Protocols, config.NextProtos) {
			t.Errorf("%+v, %v", h, err)
		}
		for n := range raw {
			if _, err := parseHello(raw[:n]); err != errTooShort {
				t.Fatalf("%d bytes of %d: %v", n, len(raw), err)
			}
			if _, missing, err := ParseHello(raw[:n]); err != nil || missing < 1 || missing > len(raw)-n {
				t.Fatalf("%d bytes of %d: %d are missing, %v", n, len(raw), missing, err)
			}
		}
		if h2, err := parseHello(append(bytes.Clone(raw), "more"...)); err != nil || h2.ServerName != h.ServerName {
			t.Errorf("with bytes behind: %v", err)
		}
		if h3, err := parseHello(inRecords(raw, 7)); err != nil || h3.ServerName != h.ServerName {
			t.Errorf("in small records: %v", err)
		}
		got, h4, err := ReadHello(iotest.OneByteReader(bytes.NewReader(raw[10:])), raw[:10:10])
		if err != nil || !bytes.Equal(got, raw) || h4.ServerName != h.ServerName || h4.Program != h.Program || h.Program == 0 {
			t.Errorf("read by the byte: %v", err)
		}
		if _, _, err := ReadHello(iotest.DataErrReader(bytes.NewReader(raw)), nil); err != nil {
			t.Errorf("with the end of what is read: %v", err)
		}
	}
}

// TestHellosAreReadStrictly, as browsers write them and crypto/tls takes them: what is
// read otherwise here than there could be for another host.
func TestHellosAreReadStrictly(t *testing.T) {
	list := func(size int, items ...string) string {
		all := strings.Join(items, "")
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(all)))[4-size:]) + all
	}
	extension := func(kind uint16, body string) string {
		return string(binary.BigEndian.AppendUint16(nil, kind)) + list(2, body)
	}
	const random, session, suites, compressions = "0123456789abcdef0123456789abcdef", "\x00", "\x00\x02\x13\x01", "\x01\x00"
	start := func(version string) string { return version + random + session + suites + compressions }
	with := func(extensions ...string) string { return start("\x03\x03") + list(2, extensions...) }
	name := func(kind, name string) string { return kind + list(2, name) }
	for what, c := range map[string]struct {
		body string
		want *Hello
	}{
		"TLS 1.2 without extensions":  {start("\x03\x03"), &Hello{Current: true}},
		"TLS 1.1 without extensions":  {start("\x03\x02"), &Hello{}},
		"TLS 1.2 without its version": {with(), &Hello{Current: true}},
		"TLS 1.1 alone":               {with(extension(43, list(1, "\x03\x02"))), &Hello{}},
		"no version that is known":    {with(extension(43, list(1, "\x02\x03\x03\x05"))), &Hello{}},
		"TLS 1.2 among others":        {with(extension(43, list(1, "\x7f\x1c\x03\x03\x03\x02"))), &Hello{Current: true}},
		"TLS 1.3 that says 1.0":       {start("\x03\x01") + list(2, extension(43, list(1, "\x03\x04"))), &Hello{Current: true}},
		"a name":                      {with(extension(0, list(2, name("\x00", "a.example")))), &Hello{Current: true, ServerName: "a.example"}},
		"a long name":                 {with(extension(0, list(2, name("\x00", strings.Repeat("a", 255))))), &Hello{Current: true, ServerName: strings.Repeat("a", 255)}},

		"an encrypted one":       {with(extension(0xfe0d, "\x00")), &Hello{Current: true, Encrypted: true}},
		"what was encrypted":     {with(extension(0xfe0d, "\x01")), &Hello{Current: true}},
		"none that is encrypted": {with(extension(0xfe0d, "")), &Hello{Current: true}},

		"SSL 2":                    {start("\x02\x03"), nil},
		"a long session":           {"\x03\x03" + random + list(1, strings.Repeat("a", 33)) + suites + compressions, nil},
		"no suites":                {"\x03\x03" + random + session + "\x00\x00" + compressions, nil},
		"half a suite":             {"\x03\x03" + random + session + "\x00\x03\x13\x01\x13" + compressions, nil},
		"no compressions":          {"\x03\x03" + random + session + suites + "\x00", nil},
		"bytes behind":             {with() + "\x00", nil},
		"half an extension":        {with("\x00\x17\x00\x01"), nil},
		"no name":                  {with(extension(0, list(2, name("\x00", "")))), nil},
		"too long a name":          {with(extension(0, list(2, name("\x00", strings.Repeat("a", 256))))), nil},
		"another kind of name":     {with(extension(0, list(2, name("\x01", "a.example")))), nil},
		"two names":                {with(extension(0, list(2, name("\x00", "a.example"), name("\x00", "b.example")))), nil},
		"bytes behind a name":      {with(extension(0, list(2, name("\x00", "a.example"))+"\x00")), nil},
		"half a name":              {with(extension(0, list(2, "\x00\x00\x09a.exam"))), nil},
		"no names":                 {with(extension(0, list(2))), nil},
		"no protocols":             {with(extension(16, list(2))), nil},
		"an empty protocol":        {with(extension(16, list(2, "\x02h2", "\x00"))), nil},
		"half a protocol":          {with(extension(16, list(2, "\x03h2"))), nil},
		"bytes behind protocols":   {with(extension(16, list(2, "\x02h2")+"\x00")), nil},
		"no versions":              {with(extension(43, list(1))), nil},
		"half a version":           {with(extension(43, list(1, "\x03\x04\x03"))), nil},
		"bytes behind versions":    {with(extension(43, list(1, "\x03\x04")+"\x00")), nil},
		"fewer versions than said": {with(extension(43, "\x04\x03\x04")), nil},
	} {
		h, _, ok := parseClientHello([]byte(c.body))
		if ok != (c.want != nil) || ok && !reflect.DeepEqual(h, *c.want) {
			t.Errorf("%s: %+v, %v", what, h, ok)
		}
	}
}

// TestWhoMaySpeakHTTP: others share the port, and are left alone.
func TestWhoMaySpeakHTTP(t *testing.T) {
	for _, c := range []struct {
		protocols []string
		want      bool
	}{
		{nil, true}, {[]string{"h2"}, true}, {[]string{"http/1.1"}, true}, {[]string{"mqtt", "h2"}, true}, {[]string{"acme-tls/1", "http/1.1"}, true},
		{[]string{"mqtt"}, false}, {[]string{"xmpp-client", "xmpp-server"}, false},
	} {
		if got := (Hello{Protocols: c.protocols}).HTTP(); got != c.want {
			t.Errorf("%q: %v", c.protocols, got)
		}
	}
}

// TestAProgramIsKnownByItsHello, for whatever host, with whatever it makes up for each
// connection, and in whatever order it writes extensions.
func TestAProgramIsKnownByItsHello(t *testing.T) {
	extension := func(kind byte, values string) string {
		return "\x00" + string([]byte{kind, 0, byte(len(values) + 2), 0, byte(len(values))}) + values
	}
	told := func(session, suites string, extensions ...string) uint64 {
		all := strings.Join(extensions, "")
		_, can, ok := parseClientHello([]byte("\x03\x03" + strings.Repeat("r", 32) + string(rune(len(session))) + session +
			"\x00" + string(rune(len(suites))) + suites + "\x01\x00" + "\x00" + string(rune(len(all))) + all))
		if !ok {
			t.Fatal("it is no ClientHello")
		}
		return can.program()
	}
	name, groups, signatures := extension(0, "\x00\x00\x01a"), extension(10, "\x1a\x1a\x00\x1d\x00\x17"), extension(13, "\x04\x03")
	browser := told("", "\x2a\x2a\x13\x01\x13\x02", name, groups, signatures)
	for what, other := range map[string]struct {
		hello uint64
		same  bool
	}{
		"another host, resumed": {told("12345678", "\x2a\x2a\x13\x01\x13\x02", extension(0, "\x00\x00\x02bc"), groups, signatures, extension(41, "ticket")), true},
		"other made-up values":  {told("", "\xfa\xfa\x13\x01\x13\x02", name, extension(10, "\xca\xca\x00\x1d\x00\x17"), signatures), true},
		"another order":         {told("", "\x2a\x2a\x13\x01\x13\x02", signatures, name, groups), true},
		"equal bytes":           {told("", "\x2a\x2a\x13\x01\x13\x02\x13\x13", name, groups, signatures), false},
		"an ending like theirs": {told("", "\x2a\x2a\x13\x01\x13\x02\x2a\x13", name, groups, signatures), false},
		"other suites":          {told("", "\x2a\x2a\x13\x02\x13\x01", name, groups, signatures), false},
		"other groups":          {told("", "\x2a\x2a\x13\x01\x13\x02", name, extension(10, "\x00\x17"), signatures), false},
		"other signatures":      {told("", "\x2a\x2a\x13\x01\x13\x02", name, groups, extension(13, "\x08\x04")), false},
	} {
		if got := other.hello == browser; got != other.same {
			t.Errorf("%s: the same program %t", what, got)
		}
	}
}

// inRecords splits a handshake into records of size bytes.
func inRecords(raw []byte, size int) []byte {
	var out []byte
	for message := raw[5:]; len(message) > 0; {
		n := min(size, len(message))
		out = append(out, 22, 3, 1, 0, byte(n))
		out = append(out, message[:n]...)
		message = message[n:]
	}
	return out
}

func TestNotTLS(t *testing.T) {
	raw := hello(t, &tls.Config{ServerName: "www.example.com"})
	edit := func(at int, to byte) []byte {
		b := bytes.Clone(raw)
		b[at] = to
		return b
	}
	withSNI := bytes.Index(raw, []byte("www.example.com"))
	for name, b := range map[string][]byte{
		"HTTP":                   []byte("GET / HTTP/1.1\r\n"),
		"SSH":                    []byte("SSH-2.0-x\r\n"),
		"HTTP/2":                 []byte("PRI * HTTP/2.0\r\n"),
		"application data":       edit(0, 23),
		"another version":        edit(1, 2),
		"a far version":          edit(2, 9),
		"an empty record":        {22, 3, 1, 0, 0},
		"a record too large":     {22, 3, 1, 0x40, 1},
		"a ServerHello":          edit(5, 2),
		"a huge message":         edit(6, 2),
		"a long session":         edit(5+4+2+32, 33),
		"a short name":           edit(withSNI-1, 14),
		"a long name":            edit(withSNI-1, 16),
		"a space in the name":    edit(withSNI+3, ' '),
		"a name that is no text": edit(withSNI+3, 0x7f),
		"a name of another type": edit(withSNI-3, 1),
	} {
		if _, err := parseHello(b); err != ErrNotTLS {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadHelloGivesBackWhatItRead(t *testing.T) {
	raw, _, err := ReadHello(bytes.NewReader([]byte(" world")), []byte("hello"))
	if err != ErrNotTLS || string(raw) != "hello" {
		t.Errorf("%q, %v", raw, err)
	}
	raw, _, err = ReadHello(bytes.NewReader([]byte{22, 3, 1}), nil)
	if !errors.Is(err, io.EOF) || len(raw) != 3 {
		t.Errorf("%q, %v", raw, err)
	}
	// Another message than a ClientHello, of which its record promises more.
	more := iotest.ErrReader(errors.New("read on"))
	if _, _, err := ReadHello(iotest.OneByteReader(io.MultiReader(bytes.NewReader([]byte{22, 3, 1, 0x10, 0, 2}), more)), nil); err != ErrNotTLS {
		t.Errorf("of a ServerHello: %v", err)
	}
}

func FuzzParseHello(f *testing.F) {
	raw := hello(f, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2"}})
	f.Add(raw)
	f.Add(inRecords(raw, 40))
	longer := bytes.Clone(raw)
	longer[4]++ // the record says that something follows
	f.Add(longer)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err != nil && err != ErrNotTLS && err != errTooShort {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		for _, octet := range []byte(h.ServerName) {
			if octet <= ' ' || octet >= 0x7f {
				t.Fatalf("name %q", h.ServerName)
			}
		}
		// What comes after a whole hello changes nothing.
		again, err := parseHello(append(bytes.Clone(b), 0))
		if err != nil || again.ServerName != h.ServerName {
			t.Fatalf("%v", err)
		}
		// The library reads the same name, or nothing.
		name := ""
		tls.Server(replay{r: bytes.NewReader(b)}, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			name = info.ServerName
			return nil, io.EOF
		}}).Handshake()
		if name != "" && h.ServerName != "" && name != h.ServerName {
			t.Fatalf("%q, the library reads %q", h.ServerName, name)
		}
	})
}

// A replay is a connection whose peer sent r and reads nothing.
type replay struct {
	net.Conn
	r io.Reader
}

func (c replay) Read(p []byte) (int, error)  { return c.r.Read(p) }
func (c replay) Write(p []byte) (int, error) { return len(p), nil }
func (c replay) Close() error                { return nil }

// TestReadHelloEnds: a client that spreads its hello over records of a byte
// each is not read without end.
func TestReadHelloEnds(t *testing.T) {
	endless := &spread{hello: append([]byte{1, 0, 0x3f, 0xff}, make([]byte, 0x3fff)...)}
	if _, _, err := ReadHello(endless, nil); err != ErrNotTLS {
		t.Errorf("%v after %d bytes", err, endless.given)
	}
	if endless.given > 2*maxHello {
		t.Errorf("%d bytes were read", endless.given)
	}
}

// TestDribbledHelloIsReadOnce, and not from its beginning for each byte that comes,
// which anybody could have done that connects.
func TestDribbledHelloIsReadOnce(t *testing.T) {
	whole := inRecords(append([]byte{22, 3, 1, 0x3f, 0xf4, 1, 0, 0x3f, 0xf0}, make([]byte, 0x3ff0)...), 200)
	allocations := testing.AllocsPerRun(1, func() {
		if _, _, err := ReadHello(iotest.OneByteReader(bytes.NewReader(whole)), nil); err != ErrNotTLS {
			t.Error(err)
		}
	})
	if allocations > 5000 {
		t.Errorf("%.0f allocations for %d bytes", allocations, len(whole))
	}
}

// A spread gives hello a byte a record.
type spread struct {
	hello []byte
	given int
}

func (s *spread) Read(p []byte) (int, error) {
	n := 0
	for ; n+6 <= len(p) && len(s.hello) > 1; n += 6 {
		copy(p[n:], []byte{22, 3, 1, 0, 1, s.hello[0]})
		s.hello = s.hello[1:]
	}
	s.given += n
	return n, nil
}

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

// withExtension returns a hello that has one more extension, which is empty.
func withExtension(raw []byte, kind uint16) []byte {
	raw = binary.BigEndian.AppendUint32(bytes.Clone(raw), uint32(kind)<<16)
	at := 5 + 4 + 2 + 32
	at += 1 + int(raw[at])                           // session
	at += 2 + int(binary.BigEndian.Uint16(raw[at:])) // suites
	at += 1 + int(raw[at])                           // compressions
	for _, length := range []int{3, 5 + 2, at} {     // of the record, the message, the extensions
		binary.BigEndian.PutUint16(raw[length:], binary.BigEndian.Uint16(raw[length:])+4)
	}
	return raw
}

// TestEarlyDataIsSentAgain: a client that has a session with the site itself, and sends
// data with its hello, is answered as by a server that knows no such thing, and comes
// again (RFC 8446 §D.3). No client does after an alert.
func TestEarlyDataIsSentAgain(t *testing.T) {
	a := authority(t, CreateOptions{})
	for early, version := range map[bool]uint16{false: tls.VersionTLS13, true: tls.VersionTLS12} {
		raw := hello(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2"}})
		if early {
			raw = withExtension(raw, earlyData)
		}
		if h, err := parseHello(raw); err != nil || h.Early != early {
			t.Fatalf("%+v, %v", h, err)
		}
		for _, fault := range []string{"", "expired"} {
			client, server := net.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				a.Terminate(t.Context(), server, "www.example.com", fault)
			}()
			go client.Write(raw)
			answer := make([]byte, 4<<10)
			n, err := io.ReadAtLeast(client, answer, 5+4+2+32+1)
			if err != nil || answer[0] != 22 || answer[5] != 2 {
				t.Fatalf("early %v: got % x, %v", early, answer[:n], err)
			}
			// TLS 1.3 says its version in an extension, and takes up the client's session.
			if id := answer[5+4+2+32]; (id > 0) != (version == tls.VersionTLS13) {
				t.Errorf("early %v: not TLS %x: % x", early, version, answer[:n])
			}
			client.Close()
			<-done
		}
	}
}

// TestAnswersToEarlyDataArrive: what is left unread would reset the connection, and take
// the answer with it.
func TestAnswersToEarlyDataArrive(t *testing.T) {
	a := authority(t, CreateOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.Write(withExtension(hello(t, &tls.Config{ServerName: "www.example.com"}), earlyData))
	for range 4 {
		client.Write(append([]byte{23, 3, 3, 0x40, 0}, make([]byte, 16<<10)...))
	}
	client.(*net.TCPConn).CloseWrite()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Terminate(t.Context(), server, "www.example.com", ""); err == nil {
		t.Error("early data was taken")
	}
	if answer, err := io.ReadAll(client); err != nil || len(answer) < 5 || answer[0] != 22 {
		t.Errorf("%d bytes, %v", len(answer), err)
	}
}
