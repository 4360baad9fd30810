package wire

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// contentLength reads the values of Content-Length. It returns -1 if there is
// none. RFC 9110 §8.6 lets a recipient merge equal values; here more than one,
// or anything but digits, is an error.
func contentLength(values []string) (int64, error) {
	if len(values) == 0 {
		return -1, nil
	}
	if len(values) > 1 {
		return 0, malformed("repeated Content-Length")
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0, malformed("Content-Length that is no number, or out of range")
	}
	return int64(n), nil
}

// transferChunked reads the values of Transfer-Encoding: false if there is
// none, true for exactly one "chunked", else an error. Other codings could be
// passed on (RFC 9112 §6.1), but then the next hop decides where the body ends.
func transferChunked(values []string) (bool, error) {
	if len(values) == 0 {
		return false, nil
	}
	if len(values) > 1 || !sameToken(values[0], "chunked") {
		return false, malformed("transfer coding other than chunked")
	}
	return true, nil
}

// requestFraming returns how long the body of a request with header h is
// (RFC 9112 §6.3): length bytes, or chunked with length -1. Both fields at
// once, and Transfer-Encoding in HTTP/1.0, are errors: those are the two ways
// by which a front end and a back end come to disagree about where it ends.
func requestFraming(h http.Header, minor int) (length int64, chunked bool, err error) {
	if chunked, err = transferChunked(h["Transfer-Encoding"]); err != nil {
		return 0, false, err
	}
	length, err = contentLength(h["Content-Length"])
	switch {
	case err != nil:
		return 0, false, err
	case chunked && length >= 0:
		return 0, false, malformed("Content-Length with Transfer-Encoding")
	case chunked && minor == 0:
		return 0, false, malformed("Transfer-Encoding in HTTP/1.0")
	case chunked:
		return -1, true, nil
	}
	return max(length, 0), false, nil
}

// forbiddenTrailer names fields that must not be taken from, or written to, a
// trailer section: they frame, route, authenticate or modify the message that
// already went by (RFC 9110 §6.5.1).
var forbiddenTrailer = nameSet(`
		Authorization Cache-Control Connection Content-Encoding Content-Length
		Content-Range Content-Type Cookie Expect Host If-Match
		If-Modified-Since If-None-Match If-Range If-Unmodified-Since
		Keep-Alive Max-Forwards Pragma Proxy-Authenticate
		Proxy-Authorization Proxy-Connection Range Set-Cookie Te Trailer
		Transfer-Encoding Upgrade Www-Authenticate`)

// dropForbidden deletes the fields of forbiddenTrailer from trailer.
func dropForbidden(trailer http.Header) {
	maps.DeleteFunc(trailer, func(name string, _ []string) bool { return forbiddenTrailer[name] })
}

// nameSet returns the set of names, which stand between white space.
func nameSet(names string) map[string]bool {
	set := make(map[string]bool)
	for name := range strings.FieldsSeq(names) {
		set[name] = true
	}
	return set
}

// announcedTrailers reads the values of Trailer into a header whose keys are
// the announced names, for the values to be filled in at the body's end. It
// leaves out those of forbiddenTrailer, and returns an error for a value that is
// no list of names, or for more than most names.
func announcedTrailers(values []string, most int) (http.Header, error) {
	t := make(http.Header)
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = trimSpace(name)
			if name == "" {
				continue
			}
			key, ok := canonicalName(name)
			if !ok {
				return nil, malformed("invalid name in Trailer")
			}
			if !forbiddenTrailer[key] {
				t[key] = nil
			}
			if len(t) > most {
				return nil, &ProtocolError{431, "too many names in Trailer"}
			}
		}
	}
	return t, nil
}

// announcedNames returns the names in a handler's Trailer, sorted; nil if
// announcedTrailers refuses that.
func announcedNames(h http.Header, most int) []string {
	values := h["Trailer"]
	if len(values) == 0 {
		return nil
	}
	t, _ := announcedTrailers(values, most)
	return slices.Sorted(maps.Keys(t))
}
