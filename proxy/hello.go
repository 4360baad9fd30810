package proxy

import (
	"errors"
	"strings"

	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/tunnel"
)

// A tlsCheck lets tunnels begin that carry TLS for the host of their CONNECT or, with
// closes, all tunnels but those that carry TLS for a closed host.
//
// A client that encrypts the name it wants (ECH) shows another one. Without closes it is
// refused, as what it asks for cannot be told; with closes it is judged by the name
// shown.
type tlsCheck struct {
	target egress.Target
	closes func(egress.Target) bool // nil lets only TLS for target begin
}

// tunnelCheck returns how tunnels to t have to begin, nil for any way. The TLS inside
// need not be for the host of the CONNECT: clients that look names up themselves, as curl
// and Firefox with SOCKS and transparent redirectors do, ask for an address; and any name
// may lead to the address of a closed host. The ClientHello says which host is meant.
func (a *assembly) tunnelCheck(t egress.Target) *tlsCheck {
	switch {
	case a.options.TunnelTLS:
		return &tlsCheck{target: t}
	case a.egress.ClosesHosts():
		return &tlsCheck{target: t, closes: a.egress.ClosesName}
	}
	return nil
}

// opening returns the check of tunnels to t as the tunnel makes it, nil for none.
func (a *assembly) opening(t egress.Target) *tunnel.Opening {
	t.Host = strings.Clone(t.Host) // it would keep all of the CONNECT's head in memory
	check := a.tunnelCheck(t)
	if check == nil {
		return nil
	}
	return &tunnel.Opening{Judge: check.judge, Within: a.options.Timeouts.Head, First: check.closes == nil}
}

// beginsAsTLS reports whether some origin may take b, which [inspect.ParseHello] refuses,
// for the beginning of TLS; or that it takes more bytes to tell. Some, such as Go's
// crypto/tls and Java's JSSE, ignore the version of the first record, and most accept a
// warning before the hello.
func beginsAsTLS(b []byte) (may, undecided bool) {
	const changeCipherSpec, alert, handshake, heartbeat = 20, 21, 22, 24 // RFC 8446 §5.1, RFC 6520 §6
	const warning, clientHello = 1, 1
	switch {
	case len(b) == 0 || b[0] < changeCipherSpec || b[0] > heartbeat:
		return false, false
	case len(b) == 1:
		return false, true
	case b[1] == 3:
		return true, false
	case b[0] != alert && b[0] != handshake:
		return false, false
	case len(b) < 6: // a record's head, and what it holds first
		return false, true
	case b[0] == alert:
		return b[3] == 0 && b[4] == 2 && b[5] == warning, false
	}
	return b[5] == clientHello, false
}

var errNotTLS = errors.New("the tunnel does not begin with TLS for its host")

// judge is that of [tunnel.Opening].
func (c *tlsCheck) judge(sent []byte) (missing int, err error) {
	hello, missing, err := inspect.ParseHello(sent)
	switch {
	case missing > 0:
		return missing, nil
	case err == nil && c.lets(hello.ServerName):
		return 0, nil
	case err == nil || c.closes == nil:
		return 0, errNotTLS
	}
	switch may, undecided := beginsAsTLS(sent); {
	case may:
		return 0, errNotTLS
	case undecided:
		return 1, nil
	}
	return 0, nil // no TLS to any origin
}

// lets reports whether a tunnel may begin with TLS for name, "" for none.
func (c *tlsCheck) lets(name string) bool {
	if c.closes == nil {
		return c.names(name)
	}
	named, err := egress.Canonical(name, c.target.Port)
	return err != nil || !c.closes(named)
}

// names reports whether a ClientHello with this server name is for the
// target. RFC 6066 §3 has no addresses there.
func (c *tlsCheck) names(name string) bool {
	if c.target.Addr.IsValid() {
		return name == ""
	}
	named, err := egress.Canonical(name, c.target.Port)
	return err == nil && named.Host == c.target.Host
}
