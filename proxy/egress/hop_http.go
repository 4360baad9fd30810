package egress

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Limits of an upstream proxy's answer to CONNECT.
const (
	maxHopHead    = 16 << 10 // octets of one head
	maxHopInterim = 8        // 1xx answers before the final one
)

// httpConnect asks the hop for a tunnel to t (RFC 9110 §9.3.6). It reads no
// octet beyond the answer's head: what follows is the origin's.
func (h *hop) httpConnect(conn net.Conn, t Target) error {
	authority := t.String()
	request := "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
	if h.authorization != "" {
		request += "Proxy-Authorization: " + h.authorization + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return err
	}
	for range maxHopInterim {
		head, err := readHead(conn)
		if err != nil {
			return err
		}
		status, err := headStatus(head)
		switch {
		case err != nil:
			return err
		case status == 101:
			return &HopAnswer{"it answered CONNECT with 101"}
		case status/100 == 1:
			continue
		case status/100 == 2:
			return nil
		case status == http.StatusProxyAuthRequired:
			return errOtherCredentials
		}
		fault := statedFault(head)
		if fault == nil && status == http.StatusGatewayTimeout {
			fault = syscall.ETIMEDOUT
		}
		if fault != nil { // the destination's
			return &net.OpError{Op: "dial", Net: "tcp", Err: fault}
		}
		return &HopAnswer{"it answered CONNECT with " + strconv.Itoa(status)}
	}
	return &HopAnswer{"it sent too many interim answers"}
}

const headEnd = "\r\n\r\n"

// readHead reads up to the empty line and not beyond. While the last octets
// are the first n of the four that end a head, at least 4-n more must come,
// and so many can be read at once without taking any of what follows. What cannot
// become a head is refused at once: a server of another protocol sends a greeting, and
// then waits.
func readHead(r io.Reader) ([]byte, error) {
	var head []byte
	for {
		missing := len(headEnd) - seenOfEnd(head)
		if missing == 0 {
			return head, nil
		}
		if len(head)+missing > maxHopHead {
			return nil, &HopAnswer{"its answer's head is too long"}
		}
		var next [len(headEnd)]byte
		n, err := r.Read(next[:missing])
		head = append(head, next[:n]...)
		if !mayBecomeHead(head, n) {
			return nil, errNotHTTP
		}
		if err != nil && n == 0 {
			return nil, err
		}
	}
}

// mayBecomeHead reports whether head, whose last n octets are new, begins with a version of
// HTTP as far as it goes, and each of its lines ends with CRLF.
func mayBecomeHead(head []byte, n int) bool {
	const version = "HTTP/1."
	for i := len(head) - n; i < len(head); i++ {
		c := head[i]
		if i < len(version) && c != version[i] || c == '\n' && head[i-1] != '\r' {
			return false
		}
	}
	return true
}

var (
	errNotHTTP          = &HopAnswer{"it does not answer in HTTP"}
	errOtherCredentials = &HopAnswer{"it wants other credentials"}
)

// seenOfEnd returns how many of the first octets of headEnd are the last of head.
func seenOfEnd(head []byte) int {
	for n := min(len(headEnd), len(head)); n > 0; n-- {
		if string(head[len(head)-n:]) == headEnd[:n] {
			return n
		}
	}
	return 0
}

// headStatus returns the status of a response head (RFC 9112 §4). Its fields
// say nothing that a tunnel needs, but a head with controls or folded lines
// is not one that this parser and another read alike.
func headStatus(head []byte) (int, error) {
	text := strings.TrimSuffix(string(head), headEnd)
	line, fields, _ := strings.Cut(text, "\r\n")
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" && version != "HTTP/1.0" || len(code) != 3 {
		return 0, errNotHTTP
	}
	status, err := strconv.ParseUint(code, 10, 16)
	if err != nil || strings.ContainsAny(line, "\x00\r\n") {
		return 0, errNotHTTP
	}
	if fields == "" {
		return int(status), nil
	}
	for field := range strings.SplitSeq(fields, "\r\n") {
		name, _, found := strings.Cut(field, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(field, "\x00\r\n") {
			return 0, errNotHTTP
		}
	}
	return int(status), nil
}

// statedFaults are the proxy error types that are about the destination, but for dns_error
// (RFC 9209 §2.3).
var statedFaults = map[string]error{
	"dns_timeout":               &net.DNSError{Err: "no answer in time", IsTimeout: true},
	"connection_refused":        syscall.ECONNREFUSED,
	"connection_timeout":        syscall.ETIMEDOUT,
	"destination_ip_unroutable": syscall.EHOSTUNREACH,
}

var (
	statedError = regexp.MustCompile(`(?i)\r\nProxy-Status:[^\r]*; ?error=([a-z_]+)`)
	statedRCode = regexp.MustCompile(`; ?rcode="([A-Z]+)"`)
)

// statedFault returns the destination's fault that an upstream proxy states in the
// Proxy-Status of its answer's head, nil if it states none: then the proxy is blamed.
func statedFault(head []byte) error {
	said := statedError.FindSubmatch(head)
	if said == nil {
		return nil
	}
	if string(said[1]) != "dns_error" {
		return statedFaults[string(said[1])]
	}
	dns := &net.DNSError{Err: "the name servers cannot answer"}
	if code := statedRCode.FindSubmatch(head); code != nil {
		for _, r := range rcodeNames {
			if r.name == string(code[1]) {
				dns.IsNotFound = !r.fails
				return &LookupError{dns, r.name}
			}
		}
	}
	return dns
}
