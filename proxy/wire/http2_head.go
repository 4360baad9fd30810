package wire

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// A fieldBlock is a head, or a trailer section, while it is read, field by field.
type fieldBlock struct {
	stream uint32
	end    bool // the message ends with it
	open   bool // more is to come
	frames int  // CONTINUATION frames so far
	bytes  int  // on the wire
	size   int  // of the fields
	count  int
	limits *Limits
	full   bool   // over a limit: the rest is not looked at
	wrong  string // why it is malformed; "" if it is not
	header http.Header
}

// beginBlock returns the block that a HEADERS frame begins.
func beginBlock(f frameHead, limits *Limits) fieldBlock {
	return fieldBlock{stream: f.stream, end: f.has(flagEndStream), open: true, limits: limits, header: make(http.Header)}
}

// takes says whether a frame may come now, after its peer's greeting or not, and is as its
// type has it.
func (b *fieldBlock) takes(f frameHead, greeted bool) error {
	switch {
	case !greeted && (f.kind != frameSettings || f.has(flagAck)):
		return connFault(codeProtocol, "first frame is not SETTINGS")
	case b.open != (f.kind == frameContinuation), b.open && f.stream != b.stream:
		return connFault(codeProtocol, "head is interrupted, or goes on after its end")
	}
	return checkFrame(f)
}

// malformed keeps the first reason.
func (b *fieldBlock) malformed(what string) {
	if b.wrong == "" {
		b.wrong = what
	}
}

// A headBlock is the fieldBlock of a request.
type headBlock struct {
	fieldBlock
	method, scheme, authority, path, protocol string
	pseudo                                    int // pseudo fields seen
}

func (b *headBlock) reset(f frameHead, limits *Limits) {
	*b = headBlock{fieldBlock: beginBlock(f, limits)}
}

// add takes one field. Its size is counted as RFC 9113 §6.5.2 has it.
func (b *headBlock) add(f hpack.HeaderField) {
	b.size += len(f.Name) + len(f.Value) + 32
	if f.Name != "cookie" || len(b.header["Cookie"]) == 0 { // whose crumbs are one field (RFC 9113 §8.2.3)
		b.count++
	}
	if b.size > b.limits.Head || b.count > b.limits.Fields {
		b.full = true
		return
	}
	if strings.HasPrefix(f.Name, ":") {
		b.addPseudo(f.Name, f.Value)
		return
	}
	if len(f.Name)+len(": \r")+len(f.Value) > b.limits.Line { // as long as parseFields counts
		b.full = true
		return
	}
	key, ok := http2Name(f.Name)
	switch {
	case !ok:
		b.malformed("invalid field name")
		return
	case !validValue(f.Value) || trimSpace(f.Value) != f.Value:
		b.malformed("invalid field value")
		return
	case connectionFields[f.Name]:
		b.malformed("field of the connection")
		return
	case key == "Te" && !sameToken(f.Value, "trailers"): // the words of RFC 9110 §10.1.4 have no case
		b.malformed("Te other than trailers")
		return
	}
	b.header[key] = append(b.header[key], f.Value)
}

// connectionFields say something about an HTTP/1.1 connection and make an
// HTTP/2 message malformed (RFC 9113 §8.2.2). They are in lower case, as it has them.
var connectionFields = nameSet("connection keep-alive proxy-connection transfer-encoding upgrade")

// http2Name returns the canonical form of a field name that is valid in
// HTTP/2: without upper case (RFC 9113 §8.2.1).
func http2Name(name string) (string, bool) {
	for i := 0; i < len(name); i++ {
		if class[name[i]]&isUpper != 0 {
			return "", false
		}
	}
	return canonicalName(name)
}

func (b *headBlock) addPseudo(name, value string) {
	if len(b.header) > 0 {
		b.malformed("pseudo field after a field")
		return
	}
	var to *string
	switch name {
	case ":method":
		to = &b.method
	case ":scheme":
		to = &b.scheme
	case ":authority":
		to = &b.authority
	case ":path":
		to = &b.path
	case ":protocol":
		to = &b.protocol
	default:
		b.malformed("unknown pseudo field")
		return
	}
	if *to != "" || value == "" {
		b.malformed("repeated or empty pseudo field")
		return
	}
	b.pseudo++
	*to = value
}

// request makes a request of a whole head. A [*ProtocolError] of status 400
// says that it is malformed (RFC 9113 §8.1.1); with another, the request is
// returned too, for the answer.
//
// A CONNECT that asks for another protocol in the stream (RFC 8441) has its
// name as the field ":protocol", and the URL that it is for.
func (b *headBlock) request(ctx context.Context) (*http.Request, error) {
	r := newRequest(ctx)
	r.Method, r.Header, r.Body = b.method, b.header, http.NoBody
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
	r.ContentLength = -1 // a request that is refused before framing knows better may have a body
	if b.wrong != "" {
		return r, malformed(b.wrong)
	}
	if b.full {
		return r, &ProtocolError{http.StatusRequestHeaderFieldsTooLarge, headTooLarge}
	}
	if !validToken(b.method) {
		return r, malformed("invalid method")
	}
	if crumbs := b.header["Cookie"]; len(crumbs) > 1 { // RFC 9113 §8.2.3
		b.header["Cookie"] = []string{strings.Join(crumbs, "; ")}
	}
	if err := b.target(r); err != nil {
		return r, err
	}
	return r, b.framing(r)
}

// target fills in where r goes (RFC 9113 §8.3.1, §8.5).
func (b *headBlock) target(r *http.Request) error {
	if err := b.host(); err != nil {
		return err
	}
	tunnel := b.method == http.MethodConnect && b.protocol == ""
	switch {
	case b.protocol != "" && b.method != http.MethodConnect:
		return malformed(":protocol without CONNECT")
	case tunnel && (b.scheme != "" || b.path != ""):
		return malformed("CONNECT with scheme or path")
	case !tunnel && (b.scheme == "" || b.path == ""):
		return malformed("no scheme or path")
	}
	target, method := b.authority, b.method
	if !tunnel {
		path := b.path
		if path == "*" && method == http.MethodOptions {
			path = ""
		} else if path[0] != '/' || !validScheme(b.scheme) {
			return malformed("invalid scheme or path")
		}
		target = b.scheme + "://" + b.authority + path
		if method == http.MethodConnect {
			method, r.Header[":protocol"] = http.MethodGet, []string{b.protocol}
		}
	}
	if len(target) > b.limits.Target {
		return &ProtocolError{http.StatusRequestURITooLong, "request target too long"}
	}
	if !validTarget(target) {
		return malformed("invalid byte in the request target")
	}
	var err error
	if *r.URL, err = parseTarget(method, target); err != nil {
		return err
	}
	r.RequestURI, r.Host = target, b.authority
	return nil
}

// validScheme tells whether s is a scheme (RFC 3986 §3.1), and not the
// beginning of another URL.
func validScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if class[c]&(isUpper|isLower) == 0 && (i == 0 || !digit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// host takes Host out of the header. It stands for an authority that is missing, and must
// be the same as one that is there (RFC 9113 §8.3.1).
func (b *headBlock) host() error {
	values := b.header["Host"]
	delete(b.header, "Host")
	switch {
	case len(values) > 1:
		return malformed("second Host")
	case b.authority == "" && len(values) == 1 && b.method != http.MethodConnect: // which has to have one (RFC 9113 §8.5)
		b.authority = values[0]
	case len(values) == 1 && !strings.EqualFold(b.withoutPort(values[0]), b.withoutPort(b.authority)):
		return malformed("Host of another authority")
	}
	if host, _, ok := splitAuthority(b.authority); !ok || host == "" {
		return malformed("invalid authority")
	}
	return nil
}

// withoutPort returns authority without the scheme's default port, for comparison (RFC 9113
// §8.3.1, RFC 3986 §6.2.3).
func (b *headBlock) withoutPort(authority string) string {
	authority = strings.TrimSuffix(authority, ":")
	switch strings.ToLower(b.scheme) {
	case "http":
		return strings.TrimSuffix(authority, ":80")
	case "https":
		return strings.TrimSuffix(authority, ":443")
	}
	return authority
}

// framing reads what the head says of the body.
func (b *headBlock) framing(r *http.Request) error {
	length, err := contentLength(r.Header["Content-Length"])
	switch {
	case err != nil:
		return err
	case b.method == http.MethodConnect && length >= 0:
		return malformed("CONNECT with content")
	case b.end && length > 0:
		return malformed("body of another length than announced")
	case b.end:
		length = 0
	}
	r.ContentLength = length
	if err := checkExpect(r); err != nil {
		return err
	}
	if b.end || len(r.Header["Trailer"]) == 0 {
		delete(r.Header, "Trailer")
		return nil
	}
	r.Trailer, err = announcedTrailers(r.Header["Trailer"], b.limits.Fields)
	delete(r.Header, "Trailer")
	return err
}
