package cache

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// describesTarget stores the response to a POST that says to be what a GET of
// the same target would get: it has explicit freshness, and its
// Content-Location is the target (RFC 9110 §9.3.3). Only Shared does so.
func (t *transport) describesTarget(r *http.Request, resp *http.Response, o *Options, requested time.Time) {
	c := t.c
	size := resp.ContentLength
	if o.Sharing != Shared || knownTo(r) || resp.StatusCode != http.StatusOK || size < 0 || !c.mayHold(size, o) {
		return
	}
	get := &http.Request{Method: http.MethodGet, URL: r.URL, Header: r.Header}
	q, ok := c.ask(get.WithContext(r.Context()), o)
	if !ok {
		return
	}
	described, ok := sameOrigin(r.URL, q.everybody.url, resp.Header.Get("Content-Location"))
	if !ok || described != q.everybody.url {
		return
	}
	e, k := c.storable(&q, resp, requested, o.Now())
	if e == nil || !e.life.explicit || e.vary != "" {
		return
	}
	c.store.inflight.Add(size)
	over := sync.OnceFunc(func() { c.store.inflight.Add(-size) })
	resp.Body = &keptBody{ReadCloser: resp.Body, limit: size, over: over, keep: func(body []byte) {
		e.body = body
		c.mu.Lock()
		defer c.mu.Unlock()
		dropped := t.outdated() || c.dropped.now() != q.moment // it may have been this
		if !dropped && !c.overtaken(k, e, e.received) {
			c.insert(k, e, e.received)
		}
	}}
}

// A keptBody collects what is read of a body, and hands it over at its end.
type keptBody struct {
	io.ReadCloser
	body  []byte
	limit int64
	keep  func([]byte)
	over  func() // told once that nothing is held any more
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.keep == nil {
		return n, err
	}
	b.body = append(b.body, p[:n]...)
	if err == io.EOF && int64(len(b.body)) == b.limit {
		b.keep(trimmed(b.body))
	}
	if err != nil || int64(len(b.body)) > b.limit {
		b.keep, b.body = nil, nil
		b.over()
	}
	return n, err
}

func (b *keptBody) Close() error {
	b.over()
	return b.ReadCloser.Close()
}
