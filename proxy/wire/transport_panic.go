package wire

import (
	"errors"
	"io"

	"guise/proxy/calls"
)

// errTransportPanicked is what a panic becomes that would end the process:
// one on a goroutine of the transport's own.
var errTransportPanicked = errors.New("wire: panic beside a round trip")

// contain makes a panic *err. Defer it.
func (t *Transport) contain(err *error) {
	if recover() == nil { // what it holds may be a client's
		return
	}
	if t.Panicked != nil {
		t.Panicked(calls.Stack())
	}
	*err = errTransportPanicked
}

// readBody reads from the body of a request.
func (t *Transport) readBody(body io.Reader, b []byte) (n int, err error) {
	defer t.contain(&err)
	return body.Read(b)
}
