package wire

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// bodyKind is how the end of a response's body is found (RFC 9112 §6.3).
type bodyKind uint8

const (
	noBody bodyKind = iota
	sizedBody
	chunkedBody
	untilClose
)

// readResponse reads the next response head, and returns a response without a
// body and how its body ends. It treats 1xx responses like others. The error is
// [ErrNoResponse] for io.EOF before the first byte, [ErrIncomplete] for a head that is
// cut, errStray for bytes that begin no response of any version, and a
// [*ProtocolError] for a head that breaks RFC 9112.
func readResponse(br *bufio.Reader, r *http.Request, limits *Limits) (*http.Response, bodyKind, error) {
	head, err := readHead(br, limits.Head, isRead, refuseEarly)
	switch {
	case err == io.EOF:
		return nil, 0, ErrNoResponse
	case err == nil && len(head) == 0, !mayBegin(head, "HTTP/", shoutcast):
		return nil, 0, errStray
	case err == io.ErrUnexpectedEOF:
		return nil, 0, ErrIncomplete
	case err != nil:
		return nil, 0, err
	}
	s := string(head) // all strings of the response are parts of it
	line, fields, _ := strings.Cut(s, "\r\n")
	resp := &http.Response{Request: r}
	if err := statusLine(resp, line); err != nil {
		return nil, 0, err
	}
	resp.Header, err = parseFields(fields, fieldRules{count: limits.Fields, line: limits.Line, repairs: true})
	if err != nil {
		return nil, 0, err
	}
	kind, err := responseFraming(resp, r.Method)
	if err != nil {
		return nil, 0, err
	}
	if kind == chunkedBody {
		resp.TransferEncoding = chunkedCoding
		// Never nil: copies of resp that are made before the trailers come get
		// them by this map.
		resp.Trailer, err = announcedTrailers(resp.Header["Trailer"], limits.Fields)
	}
	delete(resp.Header, "Transfer-Encoding")
	delete(resp.Header, "Trailer")
	return resp, kind, err
}

var chunkedCoding = []string{"chunked"}

const (
	versions  = "HTTP/1."
	shoutcast = "ICY " // in place of a version: browsers and players read the rest as HTTP/1.0
)

// errStray means that what came in a response's place does not begin like one.
var errStray = malformed("no HTTP/1 response")

// refuseEarly ends the reading of what is no HTTP response, without waiting
// for the end of its head.
func refuseEarly(head []byte) error {
	if !mayBegin(head, versions, shoutcast) {
		return malformed("no HTTP/1 response")
	}
	return nil
}

// mayBegin tells whether head, which may be a part of one, begins with one of prefixes as
// far as it goes.
func mayBegin(head []byte, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if n := min(len(head), len(prefix)); string(head[:n]) == prefix[:n] {
			return true
		}
	}
	return false
}

// statusLine reads a status line (RFC 9112 §4). The space before an empty
// reason may be missing, as many servers have it: that can be read in one
// way only.
func statusLine(resp *http.Response, line string) error {
	const at = len("HTTP/1.1")
	if rest, ok := strings.CutPrefix(line, shoutcast); ok {
		line = "HTTP/1.0 " + rest
	}
	switch {
	case !strings.HasPrefix(line, versions):
		return malformed("no HTTP/1 response")
	case len(line) < at+len(" 200"), line[at-1] != '0' && line[at-1] != '1', line[at] != ' ':
		return malformed("bad status line")
	}
	code, err := statusCode(line[at+1 : at+4])
	if err != nil {
		return err
	}
	if len(line) > at+4 && line[at+4] != ' ' {
		return malformed("bad status line")
	}
	if !validValue(line[at+4:]) {
		return malformed("control in a status line")
	}
	resp.StatusCode = code
	resp.Status = strings.TrimRight(line[at+1:], " ")
	resp.Proto = line[:at]
	resp.ProtoMajor, resp.ProtoMinor = 1, int(line[at-1]-'0')
	return nil
}

// statusCode reads a status (RFC 9110 §15): three digits, the first of them not 0.
func statusCode(s string) (int, error) {
	if len(s) != 3 || s[0] == '0' || !digit(s[0]) || !digit(s[1]) || !digit(s[2]) {
		return 0, malformed("bad status")
	}
	return 100*int(s[0]-'0') + 10*int(s[1]-'0') + int(s[2]-'0'), nil
}

// responseFraming finds how the body ends, and sets ContentLength and Close.
// Where RFC 9112 §6.3 has a rule for two contradicting fields, this has none:
// both at once are an error, as is a coding other than chunked. A 101 ends with
// its head, whatever fields it has: what comes behind it is no HTTP.
func responseFraming(resp *http.Response, method string) (bodyKind, error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return noBody, nil
	}
	h := resp.Header
	chunked, err := transferChunked(h["Transfer-Encoding"])
	if err != nil {
		return 0, &CodingError{err}
	}
	length, err := contentLength(h["Content-Length"])
	if err != nil {
		return 0, err
	}
	code := resp.StatusCode
	switch {
	case chunked && length >= 0:
		return 0, malformed("Content-Length with Transfer-Encoding")
	case chunked && resp.ProtoMinor == 0:
		return 0, malformed("Transfer-Encoding in HTTP/1.0")
	case code < 200 && (chunked || length > 0):
		return 0, malformed("interim response with a body") // RFC 9110 §8.6, RFC 9112 §6.1
	}
	resp.Close = !persistent(h, resp.ProtoMinor)
	bodiless := code < 200 || code == 204 || code == 304 || resets(code)
	if bodiless && code >= 200 && (chunked || length > 0 || length < 0 && resets(code)) {
		// There is no body (RFC 9112 §6.3), but a server that announces one may
		// send it, and it would be read as the next response. So may a server
		// whose 205, which has no content either, declares no length: by that
		// section, a body would end with the connection.
		resp.Close = true
	}
	switch {
	case method == "HEAD":
		// Some origins send the body all the same. If it comes late, it would be
		// read as the response to the next request.
		resp.Close = resp.Close || length != 0
		resp.ContentLength = length
		return noBody, nil
	case bodiless:
		return noBody, nil
	case chunked:
		resp.ContentLength = -1
		return chunkedBody, nil
	case length == 0:
		return noBody, nil
	case length > 0:
		resp.ContentLength = length
		return sizedBody, nil
	}
	resp.ContentLength = -1
	resp.Close = true
	return untilClose, nil
}

// partLength returns how long the one part is that resp holds, as its Content-Range
// says (RFC 9110 §14.4), and 0 if it says nothing of it.
func partLength(resp *http.Response) int64 {
	if resp.StatusCode != http.StatusPartialContent {
		return 0
	}
	var first, last int64
	if n, _ := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/", &first, &last); n < 2 || first < 0 || last < first {
		return 0
	}
	return last - first + 1
}

// persistent tells whether the connection outlives a message with header h
// in HTTP/1.minor (RFC 9112 §9.3).
func persistent(h http.Header, minor int) bool {
	options := h["Connection"]
	return !hasToken(options, "close") && (minor > 0 || hasToken(options, "keep-alive"))
}

// hasToken tells whether a list field has an element, in any case.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for element := range strings.SplitSeq(v, ",") {
			if sameToken(trimSpace(element), token) {
				return true
			}
		}
	}
	return false
}
