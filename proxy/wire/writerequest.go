package wire

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

type fieldOrderKey struct{}

// FieldOrderKey is the key under which a context of the caller's own type may hold the
// order, a *[]string, instead of being wrapped by [WithFieldOrder].
var FieldOrderKey any = fieldOrderKey{}

// WithFieldOrder returns a context whose requests have their fields on the
// wire in that order, and each name in the case it has there. Fields not
// listed follow, sorted. Host comes first unless it is listed; Connection,
// if it is listed and the request has none, is written as keep-alive. An order
// may begin with the four pseudo fields of HTTP/2, and end with lines "name: value",
// which are added over HTTP/2 to requests without such a field. The caller must not
// change it afterwards.
func WithFieldOrder(ctx context.Context, order []string) context.Context {
	return context.WithValue(ctx, fieldOrderKey{}, &order)
}

// fieldOrder returns the order of [WithFieldOrder], nil without.
func fieldOrder(ctx context.Context) []string {
	if order, ok := ctx.Value(fieldOrderKey{}).(*[]string); ok {
		return *order
	}
	return nil
}

// A field is one line of a head, or several of the same name.
type field struct {
	name   string
	value  string   // used if values is nil
	values []string // as in a header map
	listed bool     // written at its place in the order
}

// appendHead appends the head of the request: the request line, the fields
// of r.Header in order, and those of ownFields. It adds nothing else. It returns a
// *RequestError if a part could be read as something else on the wire.
func (p *plan) appendHead(b []byte) ([]byte, error) {
	r := p.r
	if !validToken(r.Method) {
		return nil, &RequestError{"a bad method"}
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	b, err := p.appendTarget(b)
	if err != nil {
		return nil, err
	}
	b = append(b, " HTTP/1.1\r\n"...)

	var room [24]field
	fields := p.orderedFields(room[:0], fieldOrder(r.Context()))
	for i := range fields {
		if b, err = fields[i].appendTo(b); err != nil {
			return nil, err
		}
	}
	return append(b, "\r\n"...), nil
}

// orderedFields appends all fields of the request's head: those that order names, in its
// order and case, and then the others, sorted. Host comes first unless order names it.
func (p *plan) orderedFields(fields []field, order []string) []field {
	var ownBuf [6]field
	own := p.ownFields(ownBuf[:0])
	fields = p.listedFields(fields, order, own)
	if !own[0].listed { // Host
		fields = slices.Insert(fields, 0, own[0])
	}
	rest := len(fields)
	for i := range own[1:] {
		if f := &own[i+1]; !f.listed {
			fields = append(fields, *f)
		}
	}
	if fields = p.restFields(fields); len(p.r.Header["Te"]) > 0 {
		fields = nameTE(fields)
	}
	if len(fields) > rest+1 {
		slices.SortFunc(fields[rest:], func(a, b field) int { return strings.Compare(a.name, b.name) })
	}
	return fields
}

// nameTE adds the option TE to Connection, because TE is for the next hop only (RFC 9110
// §10.1.4).
func nameTE(fields []field) []field {
	i := slices.IndexFunc(fields, func(f field) bool { return sameToken(f.name, "Connection") })
	if i < 0 {
		return append(fields, field{name: "Connection", value: "TE"})
	}
	f := &fields[i]
	if f.values != nil {
		f.value, f.values = strings.Join(f.values, ", "), nil
	}
	if !hasToken([]string{f.value}, "TE") {
		f.value += ", TE"
	}
	return fields
}

// appendTo appends f's lines, or fails rather than write another value than
// the caller's.
func (f *field) appendTo(b []byte) ([]byte, error) {
	if !validToken(f.name) {
		return nil, &RequestError{"a bad field name"}
	}
	if f.values == nil {
		return f.appendLine(b, f.value)
	}
	var err error
	for _, v := range f.values {
		if b, err = f.appendLine(b, v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (f *field) appendLine(b []byte, value string) ([]byte, error) {
	if !validValue(value) {
		return nil, &RequestError{"a bad field value"}
	}
	b = append(b, f.name...)
	b = append(b, ": "...)
	b = append(b, trimSpace(value)...)
	return append(b, "\r\n"...), nil
}

// ownFields appends the fields that do not come from r.Header, Host first.
func (p *plan) ownFields(own []field) []field {
	own = append(own, field{name: "Host", value: p.authority})
	switch {
	case p.length > 0 || p.length == 0 && p.explicitZero():
		own = append(own, field{name: "Content-Length", value: strconv.FormatInt(p.length, 10)})
	case p.length < 0:
		own = append(own, field{name: "Transfer-Encoding", value: "chunked"})
		if names := trailerNames(p.r.Trailer); len(names) > 0 {
			own = append(own, field{name: "Trailer", value: strings.Join(names, ", ")})
		}
	}
	if p.r.Close {
		own = append(own, field{name: "Connection", value: "close"})
	}
	if p.key.hop && p.t.HopAuthorization != "" {
		own = append(own, field{name: "Proxy-Authorization", value: p.t.HopAuthorization})
	}
	return own
}

// explicitZero tells whether the absence of a body is to be said: methods
// that usually have one get Content-Length: 0 (RFC 9110 §8.6).
func (p *plan) explicitZero() bool {
	switch p.r.Method {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// left tells whether a field of r.Header is left out: because the transport writes
// its own, or because it would be wrong.
func (p *plan) left(name string) bool {
	switch len(name) {
	case 4:
		return strings.EqualFold(name, "Host")
	case 6:
		// No expectation without content (RFC 9110 §10.1.1).
		return p.body == nil && strings.EqualFold(name, "Expect")
	case 7:
		return strings.EqualFold(name, "Trailer")
	case 10:
		return p.r.Close && strings.EqualFold(name, "Connection")
	case 14:
		return strings.EqualFold(name, "Content-Length")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	case 19:
		return p.key.hop && p.t.HopAuthorization != "" && strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}

// listedFields appends the fields that order names, in its order and case,
// and marks those of own that are among them.
func (p *plan) listedFields(fields []field, order []string, own []field) []field {
	h := p.r.Header
	// Most names of an order are not in the request; for nearly all of them, their
	// mark tells that without a look-up.
	marks := mark("Connection")
	for i := range own {
		marks |= mark(own[i].name)
	}
	for name := range h {
		marks |= mark(name)
	}
	for _, name := range order {
		if marks&mark(name) == 0 {
			continue
		}
		f, there := field{name: name}, false
		for i := range own {
			if o := &own[i]; sameToken(o.name, name) {
				o.listed, f.value, there = true, o.value, true
			}
		}
		if !there {
			canonical, _ := canonicalName(name)
			f.values = h[canonical]
			if len(f.values) == 0 && canonical != name {
				f.values = h[name]
			}
			f.listed = len(f.values) > 0
			if !f.listed && sameToken(name, "Connection") {
				f.values, f.value = nil, "keep-alive"
			} else if !f.listed {
				continue
			}
			if p.left(name) {
				continue
			}
		}
		again := func(g field) bool { return sameToken(g.name, name) }
		if !slices.ContainsFunc(fields, again) { // listed twice, written once
			fields = append(fields, f)
		}
	}
	return fields
}

// mark returns one bit of 64 by the length and the first letter of name, the
// same for names of the same field.
func mark(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((len(name) + int(name[0]|0x20)) & 63)
}

// restFields appends the fields of r.Header that order does not name.
func (p *plan) restFields(fields []field) []field {
	listed := 0
	for i := range fields {
		if fields[i].listed {
			listed++
		}
	}
	if listed == len(p.r.Header) {
		return fields
	}
next:
	for name, values := range p.r.Header {
		if len(values) == 0 || p.left(name) {
			continue
		}
		for i := range fields {
			f := &fields[i]
			// The same slice header means that listedFields found this
			// very entry, not one of the same name in another case.
			if f.listed && sameToken(f.name, name) && len(f.values) == len(values) && &f.values[0] == &values[0] {
				continue next
			}
		}
		fields = append(fields, field{name: name, values: values})
	}
	return fields
}

// trailerNames returns the sorted names in h that may stand in a trailer
// section (RFC 9110 §6.5.1).
func trailerNames(h http.Header) []string {
	var names []string
	for name := range h {
		if key, ok := canonicalName(name); ok && !forbiddenTrailer[key] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// appendTarget appends the request target (RFC 9112 §3.2): the origin-form,
// or the absolute-form to a hop, or * for the server as a whole.
func (p *plan) appendTarget(b []byte) ([]byte, error) {
	u := p.r.URL
	if u.Opaque != "" {
		return nil, &RequestError{"an opaque target"}
	}
	path := rawPath(u)
	whole := p.r.Method == "OPTIONS" && u.RawQuery == "" && !u.ForceQuery && (path == "" || path == "*")
	if p.key.hop {
		b = append(b, "http://"...)
		b = append(b, p.authority...)
	}
	if whole {
		// The last proxy on the way makes it an asterisk (§3.2.4).
		if p.key.hop {
			return b, nil
		}
		return append(b, '*'), nil
	}
	start := len(b)
	if path == "" || path[0] != '/' {
		b = append(b, '/')
	}
	b = append(b, path...)
	if u.ForceQuery || u.RawQuery != "" {
		b = append(b, '?')
		b = append(b, u.RawQuery...)
	}
	if !validTarget(b[start:]) {
		return nil, &RequestError{"a bad target"}
	}
	return b, nil
}

// rawPath returns u's path as it was received: a proxy changes no byte of it
// (RFC 9110 §7.7). [url.URL.EscapedPath] would encode what browsers send bare,
// such as "|".
func rawPath(u *url.URL) string {
	if u.RawPath != "" {
		if path, err := url.PathUnescape(u.RawPath); err == nil && path == u.Path {
			return u.RawPath
		}
	}
	return u.EscapedPath()
}

// authority returns u's host and port as parts of u, without brackets and
// userinfo, and as Host says them: the port only if it is not the scheme's
// (RFC 9110 §7.2, §4.2.3).
func authority(u *url.URL) (host, port, both string, err error) {
	host, port, ok := splitAuthority(u.Host)
	if !ok || host == "" || strings.HasPrefix(port, "0") {
		return "", "", "", &RequestError{"a bad host"}
	}
	standard := "80"
	if u.Scheme == "https" {
		standard = "443"
	}
	both = u.Host
	if port == "" || port == standard {
		port, both = standard, host
	}
	return strings.Trim(host, "[]"), port, both, nil
}
