package wire

import (
	"errors"
	"io"
	"net"
)

// Why an exchange failed. None of these errors, nor the ones below, name a
// host or an address in their text, so they can be logged; an error of the
// dialler or of the TLS library can be reached with errors.As only.
var (
	// ErrNoResponse means that the origin closed the connection before the
	// first byte of a response.
	ErrNoResponse = errors.New("wire: connection closed before a response")

	// ErrIncomplete means that a response broke off: in its head, before
	// the length it declared, or before the last chunk. It wraps
	// [io.ErrUnexpectedEOF].
	ErrIncomplete error = &wrapped{"wire: response broke off", io.ErrUnexpectedEOF}

	// ErrResponseTimeout means that the response head did not arrive in time.
	ErrResponseTimeout error = &timeout{"wire: no response head in time"}

	// ErrBodyTimeout means that the origin sent nothing of a body for too long.
	ErrBodyTimeout error = &timeout{"wire: response body stalled"}

	// ErrWriteTimeout means that the origin did not take the request in time.
	ErrWriteTimeout error = &timeout{"wire: origin does not read the request"}

	errBodyClosed = errors.New("wire: read on a closed response body")
)

// A RequestError means that the request cannot be written as asked: a field
// or target that would not survive on the wire. Nothing was sent.
type RequestError struct {
	What string // never quotes the request
}

func (e *RequestError) Error() string { return "wire: request with " + e.What }

// A RequestBodyError means that the request's body ended with an error or
// at another length than declared. The connection was cut, so the origin
// cannot take what it received as whole.
type RequestBodyError struct {
	Err error
}

func (e *RequestBodyError) Error() string { return "wire: request body broke off" }
func (e *RequestBodyError) Unwrap() error { return e.Err }

// A DialError means that no connection came to be. Err is what Dial or
// DialHop returned.
type DialError struct {
	Err error
}

func (e *DialError) Error() string { return "wire: dial failed" }
func (e *DialError) Unwrap() error { return e.Err }

// A HandshakeError means that TLS could not be set up; Err is of crypto/tls
// or crypto/x509.
type HandshakeError struct {
	Err error
}

func (e *HandshakeError) Error() string { return "wire: TLS handshake failed" }
func (e *HandshakeError) Unwrap() error { return e.Err }

// Timeout tells whether the handshake took too long.
func (e *HandshakeError) Timeout() bool { return isTimeout(e.Err) }

// A CodingError means that a response's transfer coding is unknown, or broken. Err is
// a *[ProtocolError].
type CodingError struct {
	Err error
}

func (e *CodingError) Error() string { return e.Err.Error() }
func (e *CodingError) Unwrap() error { return e.Err }

// A ConnError means that reading from or writing to an established
// connection failed; Err is the system's error without the addresses, or an
// alert that the origin sent.
type ConnError struct {
	Op  string // "read" or "write"
	Err error
}

func (e *ConnError) Error() string { return "wire: " + e.Op + ": " + e.Err.Error() }
func (e *ConnError) Unwrap() error { return e.Err }

func connError(op string, err error) error {
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
		return &ConnError{op, alert} // crypto/tls has no address in it
	}
	return &ConnError{op, withoutAddress(err)}
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

type wrapped struct {
	text string
	err  error
}

func (e *wrapped) Error() string { return e.text }
func (e *wrapped) Unwrap() error { return e.err }

// A timeout satisfies net.Error, which callers ask about timeouts.
type timeout struct{ text string }

func (e *timeout) Error() string   { return e.text }
func (e *timeout) Timeout() bool   { return true }
func (e *timeout) Temporary() bool { return true }

var _ net.Error = (*timeout)(nil)
