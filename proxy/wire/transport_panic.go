package wire

import (
	"errors"
	"io"

	"guise/proxy/calls"
)

// errTransportPanicked stands for a panic on one of the transport's own goroutines,
// where it would end the process.
var errTransportPanicked = errors.New("wire: panic beside a round trip")

// contain, deferred, recovers from a panic and sets *err to errTransportPanicked.
func (t *Transport) contain(err *error) {
	if recover() == nil { // the value is dropped: it may hold data of a client
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
