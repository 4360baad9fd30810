package egress

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
)

// ErrBadHost is wrapped by the errors of [Canonical]: what was given cannot
// be a host and port. It calls for a 400.
var ErrBadHost = errors.New("not a host and port")

// A Refused says that policy closes a destination. It calls for a 403, and
// its text says nothing of what is there.
type Refused struct{ why string }

func (r *Refused) Error() string { return r.why }

// ErrPort refuses a port, whatever the host.
var ErrPort = &Refused{"destination refused: the port is not open"}

var refusedDestination = &Refused{"destination refused: it is private, or closed by a rule"}

// A HopError says that the upstream proxy, not the origin, is at fault: it
// cannot be reached, refuses guise, or does not speak its protocol.
type HopError struct{ Err error }

func (h *HopError) Error() string { return "upstream proxy: " + h.Err.Error() }

// Unwrap returns the fault itself.
func (h *HopError) Unwrap() error { return h.Err }

// A TLSError says that TLS could not be set up with the upstream proxy. Err is of
// crypto/tls or crypto/x509, and may name the proxy; the text does not.
type TLSError struct{ Err error }

func (t *TLSError) Error() string { return "TLS cannot be set up" }

// Unwrap returns the fault itself.
func (t *TLSError) Unwrap() error { return t.Err }

// Timeout tells whether the handshake took too long.
func (t *TLSError) Timeout() bool {
	return errors.Is(t.Err, os.ErrDeadlineExceeded) || errors.Is(t.Err, context.DeadlineExceeded)
}

// ErrHopCredentials is the [*HopError] of an upstream proxy that answers a request
// with 407: it is guise that has to authenticate there, not guise's client.
var ErrHopCredentials = &HopError{errOtherCredentials}

// dialError is err without the names and addresses that the net package puts
// into its errors, so that it can be logged.
func dialError(err error) error {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused
	}
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscallError(err)}
}

// syscallError is what is at the bottom of err: a look-up's failure without
// the name, or the system's error without the address.
func syscallError(err error) error {
	if lookup, ok := errors.AsType[*LookupError](err); ok {
		return &LookupError{withoutName(lookup.DNSError), lookup.RCode}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return withoutName(dns)
	}
	number, ok := errors.AsType[syscall.Errno](err)
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case ok:
		return number
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case timeout != nil && timeout.Timeout():
		return os.ErrDeadlineExceeded
	}
	return errors.New("cannot connect")
}

// withoutName is dns in words that hold neither the name nor the server.
func withoutName(dns *net.DNSError) *net.DNSError {
	return &net.DNSError{Err: dnsFault(dns), IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary, IsNotFound: dns.IsNotFound}
}

// dnsFault words a look-up's failure; the resolver's own words may hold the
// name or the server.
func dnsFault(dns *net.DNSError) string {
	switch {
	case dns.IsNotFound:
		return "no such host"
	case dns.IsTimeout:
		return "no name server answered in time"
	}
	return "the name servers cannot answer"
}

// Short reports whether err says that this machine has too little of something, such as
// descriptors. Nobody else is at fault then.
func Short(err error) bool {
	short := []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC} // the last of epoll_ctl(2)
	return slices.ContainsFunc(short, func(errno syscall.Errno) bool { return errors.Is(err, errno) })
}
