package wire

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// blank is what requests are copied from: WithContext copies it, and there is no other
// way to set a request's context.
var blank http.Request

// newRequest returns a request with context ctx and a URL to be filled in, in one
// allocation.
func newRequest(ctx context.Context) *http.Request {
	made := &struct {
		http.Request
		url url.URL
	}{Request: *blank.WithContext(ctx)}
	made.URL = &made.url
	return &made.Request
}

// parseRequest reads the head of a request, as [readHead] returns it, into a
// request with context ctx and no body. What the handler is to see of the
// framing is set. The error is a [*ProtocolError].
func parseRequest(ctx context.Context, head string, limits *Limits) (*http.Request, error) {
	end := strings.IndexByte(head, '\n')
	if end < 1 {
		return nil, malformed("empty head")
	}
	line, section := head[:end-1], head[end+1:]
	method, target, minor, err := parseRequestLine(line, limits.Target)
	if err != nil {
		return nil, err
	}
	r := newRequest(ctx)
	if *r.URL, err = parseTarget(method, target); err != nil {
		return nil, err
	}
	h, err := parseFields(section, fieldRules{count: limits.Fields, line: limits.Line, unpadded: true})
	if err != nil {
		return nil, err
	}
	host, err := requestHost(h, r.URL, minor)
	if err != nil {
		return nil, err
	}
	length, chunked, err := requestFraming(h, minor)
	if err != nil {
		return nil, err
	}
	if method == http.MethodConnect && length != 0 {
		// CONNECT has no content: what follows is the tunnel's (RFC 9110 §9.3.6). This
		// client may mean otherwise.
		return nil, malformed("CONNECT with content")
	}
	r.Method, r.RequestURI, r.Host, r.Header = method, target, host, h
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if minor == 0 {
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
		delete(h, "Upgrade") // RFC 9110 §7.8, §10.1.1: both must be ignored
		delete(h, "Expect")
	}
	r.Body, r.ContentLength = http.NoBody, length
	if !chunked {
		return r, nil
	}
	r.TransferEncoding = chunkedCoding
	delete(h, "Transfer-Encoding")
	r.Trailer, err = announcedTrailers(h["Trailer"], limits.Fields)
	delete(h, "Trailer")
	return r, err
}

// parseRequestLine splits method SP target SP version (RFC 9112 §3).
func parseRequestLine(line string, maxTarget int) (method, target string, minor int, err error) {
	method, rest, ok := strings.Cut(line, " ")
	if !validToken(method) {
		return "", "", 0, malformed("invalid method")
	}
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return "", "", 0, malformed("request line of fewer than three parts")
	}
	if len(target) > maxTarget {
		return "", "", 0, &ProtocolError{http.StatusRequestURITooLong, "request target too long"}
	}
	if !validTarget(target) {
		return "", "", 0, malformed("invalid byte in the request target")
	}
	switch version {
	case "HTTP/1.1":
		return method, target, 1, nil
	case "HTTP/1.0":
		return method, target, 0, nil
	}
	return "", "", 0, malformed("invalid HTTP version")
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// validTarget accepts all printable ASCII but "#", since a fragment is not part of any
// request-target. Browsers send some characters bare that RFC 3986 wants encoded, such
// as "|" in a query; no recipient misreads those.
func validTarget[S string | []byte](s S) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return len(s) > 0
}

// parseTarget reads the four forms of RFC 9112 §3.2. An invalid percent-encoding
// is an error in authority and path, but not in a query, where browsers send it as it
// was typed.
func parseTarget(method, target string) (url.URL, error) {
	switch {
	case method == http.MethodConnect:
		if host, port, ok := splitAuthority(target); !ok || host == "" || port == "" {
			return url.URL{}, malformed("CONNECT target that is not host:port")
		}
		return url.URL{Host: target}, nil
	case target == "*":
		if method != http.MethodOptions {
			return url.URL{}, malformed("target * with a method other than OPTIONS")
		}
		return url.URL{Path: target}, nil
	}
	if u, ok := plainURL(target); ok {
		return u, nil
	}
	u, err := url.ParseRequestURI(target)
	switch {
	case err != nil:
	case target[0] == '/' && u.Host == "":
		return *u, nil
	case u.Scheme != "" && u.Opaque == "" && strings.HasPrefix(target[len(u.Scheme):], "://"):
		if host, _, ok := splitAuthority(u.Host); !ok || host == "" {
			return url.URL{}, malformed("invalid authority in the request target")
		}
		return *u, nil
	}
	return url.URL{}, malformed("invalid request target")
}

// plainURL reads what nearly all targets are, an absolute http URL or a path
// without escapes or userinfo, as [url.ParseRequestURI] would, at a fraction
// of the cost. It reports false for all others.
func plainURL(target string) (u url.URL, ok bool) {
	path := target
	if target[0] != '/' {
		rest, ok := strings.CutPrefix(target, "http://")
		if !ok {
			return u, false
		}
		slash := strings.IndexByte(rest, '/')
		if slash < 1 {
			return u, false
		}
		if host, _, ok := splitAuthority(rest[:slash]); !ok || host == "" {
			return u, false
		}
		u.Scheme, u.Host, path = "http", rest[:slash], rest[slash:]
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '?' {
			u.RawQuery = path[i+1:]
			u.ForceQuery = u.RawQuery == ""
			path = path[:i]
			break
		}
		if class[c]&isPath == 0 {
			return u, false
		}
	}
	u.Path = path
	return u, true
}

// splitAuthority splits uri-host [ ":" port ] and tells whether it is valid:
// an IPv6 address in brackets, without a zone, or a name; and a port that is
// empty, absent or between 1 and 65535.
func splitAuthority(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", false
		}
		addr, err := netip.ParseAddr(s[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "", false
		}
		host, port = s[:end+1], s[end+1:]
	} else {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			i = len(s)
		}
		host, port = s[:i], s[i:]
		for j := 0; j < len(host); j++ {
			if class[host[j]]&isName == 0 {
				return "", "", false
			}
		}
	}
	if port == "" || port == ":" {
		return host, "", true
	}
	digits, ok := strings.CutPrefix(port, ":")
	n, err := strconv.ParseUint(digits, 10, 16)
	return host, digits, ok && err == nil && n > 0 && len(digits) <= 5
}

// requestHost takes Host out of h and returns the authority of the request:
// that of its target if it has one, whatever Host says (RFC 9112 §3.2.2).
func requestHost(h http.Header, u *url.URL, minor int) (string, error) {
	values := h["Host"]
	delete(h, "Host")
	if len(values) > 1 {
		return "", malformed("second Host")
	}
	if len(values) == 0 {
		if minor > 0 {
			return "", malformed("no Host")
		}
		return u.Host, nil
	}
	host, port, ok := splitAuthority(values[0])
	if !ok || host == "" && port != "" {
		return "", malformed("invalid Host")
	}
	if u.Host != "" {
		return u.Host, nil
	}
	return values[0], nil
}
