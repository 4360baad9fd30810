package proxy

import (
	"io"
	"net/http"
	"sync"
)

// An upload is a request's body, of which it is known when nobody reads it any more.
type upload struct {
	io.ReadCloser
	once sync.Once
	over chan struct{} // closed with the body
}

func newUpload(body io.ReadCloser) *upload {
	return &upload{ReadCloser: body, over: make(chan struct{})}
}

func (u *upload) Close() error {
	u.once.Do(func() { close(u.over) })
	return u.ReadCloser.Close()
}

// unwelcome reports whether resp says that its origin wants no more of the request
// (RFC 9112 §9.5). In HTTP/2, which has no connection to close, any error may.
func unwelcome(resp *http.Response) bool {
	return resp.StatusCode >= 400 && (resp.Close || resp.ProtoMajor == 2)
}

// finishUpload has the origin get the rest of a request that it answered before it
// had all: many a program does so, and reads on. The client has the whole answer
// meanwhile.
func (e *exchange) finishUpload() {
	if !e.sent {
		return
	}
	select {
	case <-e.upload.over:
		return
	default:
	}
	if e.visit.told = endResponse(e.ResponseWriter); !e.visit.told {
		return
	}
	select {
	case <-e.upload.over:
	case <-e.ctx.Done():
	}
}

// endResponse sends the rest of what was written on w, and reports whether the client
// knows that it was the last.
func endResponse(w http.ResponseWriter) bool {
	for {
		switch writer := w.(type) {
		case interface{ End() bool }:
			return writer.End()
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return false
		}
	}
}
