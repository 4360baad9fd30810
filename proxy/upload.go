package proxy

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// An upload is a request's body that tells when it is closed.
type upload struct {
	io.ReadCloser
	whole atomic.Bool // all of it was read
	once  sync.Once
	over  chan struct{} // closed with the body
}

func newUpload(body io.ReadCloser) *upload {
	return &upload{ReadCloser: body, over: make(chan struct{})}
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err == io.EOF {
		u.whole.Store(true)
	}
	return n, err
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

// judgeUpload notes whether the origin, which has answered with resp, wants the rest of
// the request. If it does not, a client of HTTP/1.1 is told that its connection closes (RFC
// 9112 §9.6): nobody reads the rest, and what comes behind it would be lost.
func (e *exchange) judgeUpload(resp *http.Response) {
	e.goesOn = e.upload != nil && !unwelcome(resp)
	if e.upload != nil && !e.goesOn && !e.upload.whole.Load() && e.request.ProtoMajor == 1 {
		resp.Header["Connection"] = []string{"close"}
	}
}

// finishUpload has the origin get the rest of a request that it answered before it
// had all: many a program does so, and reads on. The client has the whole answer
// meanwhile.
func (e *exchange) finishUpload() {
	if !e.goesOn {
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
