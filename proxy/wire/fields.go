package wire

import (
	"net/http"
	"slices"
	"strings"
)

// Byte classes of RFC 9110 §5.5 and §5.6.2, and of RFC 3986 §2.3.
const (
	isToken byte = 1 << iota // tchar
	isValue                  // field-vchar, SP, HTAB
	isUpper
	isLower
	isName // unreserved: a registered name may hold more by the grammar; no DNS name does
	isPath // what net/url writes bare in a path
	isRead // all but NUL, CR and LF, which some parsers take for the end of a value
)

var class = func() (t [256]byte) {
	for c := range t {
		if c >= 0x20 && c != 0x7f || c == '\t' {
			t[c] |= isValue
		}
		if c != 0 && c != '\r' && c != '\n' {
			t[c] |= isRead
		}
		switch {
		case c >= 'A' && c <= 'Z':
			t[c] |= isToken | isUpper | isName | isPath
		case c >= 'a' && c <= 'z':
			t[c] |= isToken | isLower | isName | isPath
		case c >= '0' && c <= '9':
			t[c] |= isToken | isName | isPath
		}
	}
	for chars, bits := range map[string]byte{"!#$%&'*+-.^_`|~": isToken, "-._~": isName, "-._~/$&+,:;=@": isPath} {
		for _, c := range []byte(chars) {
			t[c] |= bits
		}
	}
	return t
}()

// sameToken tells whether a and b, of which one is a token, are the same in any case of
// ASCII's letters. [strings.EqualFold] alone takes the Kelvin sign for a k, and the long
// s for an s; both have more bytes.
func sameToken(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// fieldRules says how strictly parseFields reads.
type fieldRules struct {
	count    int  // most field lines
	line     int  // most bytes of a line
	unpadded bool // refuse a framing field with more white space around the value than one space before it
	repairs  bool // of a response: remove white space before colons, unless of framing fields; repair values (see repairValue); join the lines of a folded cookie
}

// frames tells whether the field says where a body ends.
func frames(name string) bool { return name == "Content-Length" || name == "Transfer-Encoding" }

// parseFields reads the field section s, lines that each end with CRLF and no
// empty line, into a header with canonical names. Names and values are parts
// of s. What RFC 9112 §5 lets a recipient repair is an error instead, unless rules says
// otherwise: a line that ends without CRLF, white space before the colon (§5.1) or at the
// beginning of a line (§5.2), a control in a value (RFC 9110 §5.5).
// The error is a [*ProtocolError].
func parseFields(s string, rules fieldRules) (http.Header, error) {
	n := strings.Count(s, "\n")
	if n > rules.count {
		return nil, &ProtocolError{431, "too many fields"}
	}
	h := make(http.Header, n)
	values := make([]string, n) // one allocation for all values
	for len(s) > 0 {
		end := strings.IndexByte(s, '\n')
		if end < 1 || s[end-1] != '\r' {
			return nil, malformed("line that does not end with CRLF")
		}
		line := s[:end-1]
		s = s[end+1:]
		if rules.repairs && continues(s) && isCookie(line) { // hardly ever
			line, s = unfold(line, s)
		}
		if len(line) >= rules.line {
			return nil, &ProtocolError{431, "field line too long"}
		}
		name, value, err := splitField(line)
		if err != nil {
			return nil, err
		}
		bare := line[:name]
		if rules.repairs && bare[name-1] <= ' ' { // hardly ever
			bare = strings.TrimRight(bare, " \t")
		}
		key, ok := canonicalName(bare)
		if !ok || len(bare) < name && frames(key) {
			return nil, malformed("invalid field name")
		}
		trimmed := trimSpace(value)
		if !validValue(trimmed) { // hardly ever
			repaired, ok := repairValue(key, trimmed)
			switch {
			case !ok, !rules.repairs:
				return nil, malformed("control in a field value")
			case repaired == "":
				continue
			}
			trimmed = repaired
		}
		if rules.unpadded && len(trimmed) != len(value) && frames(key) && value != " "+trimmed {
			return nil, malformed("white space around a framing field's value")
		}
		if old := h[key]; old != nil {
			h[key] = append(old, trimmed)
			continue
		}
		values[0] = trimmed
		h[key] = values[:1:1]
		values = values[1:]
	}
	return h, nil
}

// splitField returns the length of the line's name and its untrimmed value.
func splitField(line string) (name int, value string, err error) {
	if line == "" || continues(line) {
		return 0, "", malformed("folded line")
	}
	name = strings.IndexByte(line, ':')
	if name < 1 {
		return 0, "", malformed("field line without a name")
	}
	return name, line[name+1:], nil
}

// continues tells whether s begins with a line that continues the one before.
func continues(s string) bool { return s != "" && (s[0] == ' ' || s[0] == '\t') }

// isCookie tells whether the line is one of Set-Cookie. Sites behind Imperva fold that on
// purpose, to find clients that do not join its lines as browsers do.
func isCookie(line string) bool {
	name, _, ok := strings.Cut(line, ":")
	return ok && sameToken(name, "Set-Cookie")
}

// unfold joins to line the lines that continue it, with which s begins, and returns the rest
// of s (RFC 9112 §5.2).
func unfold(line, s string) (joined, rest string) {
	line = strings.TrimRight(line, " \t")
	for continues(s) {
		next, rest, ok := strings.Cut(s, "\r\n")
		if !ok {
			break
		}
		line, s = line+" "+trimSpace(next), rest
	}
	return line, s
}

// repairValue returns v, a response's value of the field key with controls in it, as it is to
// be passed on: with spaces for the controls, or "" if the field is left out. It reports false
// for NUL, CR and LF, which must be refused (RFC 9110 §5.5), and for framing fields. Cookies
// are left out, because browsers ignore one with a control (RFC 6265bis), and Imperva sends
// one to find clients that do not; entity tags, because two that differ in controls alone
// would become the same.
func repairValue(key, v string) (repaired string, ok bool) {
	switch {
	case frames(key), strings.ContainsAny(v, "\x00\r\n"):
		return "", false
	case key == "Set-Cookie", key == "Etag":
		return "", true
	}
	return cleanValue(v), true
}

// trimSpace removes optional white space (RFC 9110 §5.6.3) from both ends.
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func validValue(v string) bool {
	for i := 0; i < len(v); i++ {
		if class[v[i]]&isValue == 0 {
			return false
		}
	}
	return true
}

func validToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&isToken == 0 {
			return false
		}
	}
	return s != ""
}

// canonicalName returns name in the form net/http uses as map key, and whether
// name is a token. A name that already has it, as browsers send it over
// HTTP/1.1, costs no allocation; nor does one in the table of common names.
func canonicalName(name string) (string, bool) {
	canonical, first := true, true
	for i := 0; i < len(name); i++ {
		k := class[name[i]]
		if k&isToken == 0 {
			return "", false
		}
		if first && k&isLower != 0 || !first && k&isUpper != 0 {
			canonical = false
		}
		first = name[i] == '-'
	}
	if canonical {
		return name, name != ""
	}
	var short [64]byte
	b := append(short[:0], name...)
	first = true
	for i, c := range b {
		if first && class[c]&isLower != 0 || !first && class[c]&isUpper != 0 {
			b[i] = c ^ 0x20
		}
		first = c == '-'
	}
	if known, ok := commonNames[string(b)]; ok {
		return known, true
	}
	return string(b), true
}

// commonNames interns what clients and origins that write lower case send most.
var commonNames = func() map[string]string {
	m := make(map[string]string)
	for name := range strings.FieldsSeq(`
		Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges
		Access-Control-Allow-Credentials Access-Control-Allow-Headers
		Access-Control-Allow-Methods Access-Control-Allow-Origin
		Access-Control-Expose-Headers Access-Control-Max-Age
		Access-Control-Request-Headers Access-Control-Request-Method Age
		Allow Alt-Svc Authorization Cache-Control Connection
		Content-Disposition Content-Encoding Content-Language Content-Length
		Content-Location Content-Range Content-Security-Policy Content-Type
		Cookie Cross-Origin-Opener-Policy Cross-Origin-Resource-Policy Date
		Dnt Etag Expect Expires Host If-Match If-Modified-Since
		If-None-Match If-Range If-Unmodified-Since Keep-Alive Last-Modified
		Link Location Nel Origin Permissions-Policy Pragma Priority
		Proxy-Authenticate Proxy-Authorization Proxy-Connection Range Referer
		Referrer-Policy Report-To Retry-After Sec-Ch-Ua Sec-Ch-Ua-Mobile
		Sec-Ch-Ua-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site
		Sec-Fetch-User Sec-Gpc Sec-Websocket-Accept
		Sec-Websocket-Extensions Sec-Websocket-Key Sec-Websocket-Protocol
		Sec-Websocket-Version Server Server-Timing Set-Cookie
		Strict-Transport-Security Te Timing-Allow-Origin Trailer
		Transfer-Encoding Upgrade Upgrade-Insecure-Requests User-Agent Vary
		Via Www-Authenticate X-Cache X-Content-Type-Options X-Forwarded-For
		X-Frame-Options X-Powered-By X-Requested-With X-Xss-Protection`) {
		m[name] = name
	}
	return m
}()

// appendFieldLine appends one field line. A name that is no token is left out; a
// byte that no value may hold becomes a space, so that no caller's value can
// end the line.
func appendFieldLine(b []byte, name, value string) []byte {
	if !validToken(name) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	at := len(b)
	b = append(b, trimSpace(value)...)
	spaceControls(b[at:])
	return append(b, "\r\n"...)
}

// cleanValue returns v with spaces for what no value may hold, and with none at its ends.
func cleanValue(v string) string {
	v = trimSpace(v)
	if validValue(v) {
		return v
	}
	b := []byte(v)
	spaceControls(b)
	return trimSpace(string(b))
}

// spaceControls writes a space over each byte of value that no value may hold
// (RFC 9110 §5.5).
func spaceControls(value []byte) {
	for i, c := range value {
		if class[c]&isValue == 0 {
			value[i] = ' '
		}
	}
}

// An entry is one of a header's.
type entry struct {
	name   string
	values []string
}

// few is up to how many entries an insertion sort is the fastest.
const few = 32

// sortedEntries appends h's entries to list, which is empty, in byte order of
// their names.
func sortedEntries(h http.Header, list []entry) []entry {
	for name, values := range h {
		list = append(list, entry{name, values})
	}
	if len(list) > few {
		slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		return list
	}
	for i, e := range list {
		for ; i > 0 && list[i-1].name > e.name; i-- {
			list[i] = list[i-1]
		}
		list[i] = e
	}
	return list
}
