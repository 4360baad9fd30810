package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"guise/proxy/wire"
)

// send makes one round trip over HTTP/2. Where HTTP/1.1 on wire has timeouts
// this has the same.
func (s *secureOrigins) send(cc *http.ClientConn, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	out := r.WithContext(ctx)
	out.Header = http2Fields(r.Header)
	out.Close = false
	if out.Body != nil && out.Body != http.NoBody {
		out.Body = &sentBody{ReadCloser: r.Body, within: s.write, stalled: func() { cancel(wire.ErrWriteTimeout) }}
	}
	resp, err := cc.RoundTrip(out)
	if err != nil {
		err = http2Failure(ctx, err)
		cancel(context.Canceled)
		return nil, err
	}
	resp.Request = r
	if resp.Trailer == nil {
		// The trailers come into this map, also for whoever copies resp
		// before they are there.
		resp.Trailer = make(http.Header)
	}
	body := &receivedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, within: s.body}
	body.timer = time.AfterFunc(s.body, func() { cancel(wire.ErrBodyTimeout) })
	body.timer.Stop()
	resp.Body = body
	return resp, nil
}

// http2Fields returns h without what HTTP/2 has no room for (RFC 9113
// §8.2.2), and keeps net/http from adding its own User-Agent.
func http2Fields(h http.Header) http.Header {
	out := make(http.Header, len(h)+1)
	for name, values := range h {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "Trailer":
			continue
		}
		out[name] = values
	}
	if len(out["User-Agent"]) == 0 {
		out["User-Agent"] = []string{""}
	}
	return out
}

// streamError has the fields of net/http's own type, which errors.As takes for
// the same (golang/go#53896).
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error codes of RFC 9113 §7.
const (
	codeProtocolError = 0x1
	codeRefusedStream = 0x7
)

func (e streamError) Error() string { return "stream error" }

// http2Failure gives err the type that wire would have.
func http2Failure(ctx context.Context, err error) error {
	var stream streamError
	var timeout interface{ Timeout() bool }
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &stream) && stream.Code == codeRefusedStream:
		return err
	case errors.As(err, &stream) && stream.Code == codeProtocolError:
		return &wire.ProtocolError{Status: http.StatusBadGateway, What: "HTTP/2 stream"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return wire.ErrResponseTimeout
	}
	return err
}

// mayRepeat reports whether r may be sent again after err: if the origin says
// that it did nothing (RFC 9113 §8.7), or if the connection had been used and
// the request means the same twice (RFC 9110 §9.2.2). A body is never sent
// twice.
func mayRepeat(r *http.Request, err error, fresh bool) bool {
	if r.Body != nil && r.Body != http.NoBody {
		return false
	}
	var stream streamError
	if errors.As(err, &stream) && stream.Code == codeRefusedStream {
		return true
	}
	var protocol *wire.ProtocolError
	if fresh || errors.Is(err, wire.ErrResponseTimeout) || errors.As(err, &protocol) {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// A sentBody is a request body on its way to an origin, which may let no more
// than within pass between two reads of it.
type sentBody struct {
	io.ReadCloser
	within  time.Duration
	stalled func()

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.wait(false)
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &wire.RequestBodyError{Err: err}
	}
	if err == nil {
		b.wait(true)
	}
	return n, err
}

func (b *sentBody) Close() error {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.wait(false)
	return b.ReadCloser.Close()
}

// wait starts or stops the clock.
func (b *sentBody) wait(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case on && b.ended:
	case on && b.timer == nil:
		b.timer = time.AfterFunc(b.within, b.stalled)
	case on:
		b.timer.Reset(b.within)
	case b.timer != nil:
		b.timer.Stop()
	}
}

// A receivedBody is a response body whose every read has within.
type receivedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	within time.Duration
	timer  *time.Timer
}

func (b *receivedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.within)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF {
		err = http2Failure(b.ctx, err)
	}
	return n, err
}

func (b *receivedBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(context.Canceled)
	return err
}
