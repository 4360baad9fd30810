package cache

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An outcome is how a response came about, for Age and Cache-Status.
type outcome struct {
	hit       bool // used without asking the origin
	validated bool // used after asking
}

// serve makes a response of an entry (RFC 9111 §4). since is when the
// client began to use it, where it is disguised.
func (c *Cache) serve(q *query, e *entry, since time.Time, how outcome) *http.Response {
	h := make(http.Header, len(e.header)+3)
	for name, lines := range e.header {
		h[name] = lines
	}
	now := q.now
	age := e.age(now)
	if q.sharing == Disguised && !e.personal {
		age = max(0, now.Sub(since))
	}
	c.dress(q, e, h, since)
	if how.hit {
		h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	}
	if q.sharing == Shared {
		addCacheStatus(h, q, e, how)
	}
	return c.finish(q, e, h)
}

// finish applies the request's preconditions and its range to a stored
// response that the client may see with header h.
func (c *Cache) finish(q *query, e *entry, h http.Header) *http.Response {
	resp := &http.Response{
		StatusCode: e.status, Status: e.statusText, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: ownLines(h), Request: q.r, ContentLength: e.length, Body: http.NoBody,
	}
	if e.status == http.StatusOK && q.conditions.notModified(h, e.received) {
		return notModified(resp)
	}
	if q.head {
		return resp
	}
	body := e.body
	if e.part != nil || q.ranged && e.status == http.StatusOK && rangeStands(q.ifRange, h, q.now) {
		var ok bool
		if body, ok = cutRange(q, e, resp); !ok {
			return resp
		}
	} else if len(e.trailer) > 0 {
		resp.Trailer = make(http.Header, len(e.trailer))
		for name := range e.trailer {
			resp.Trailer[name] = nil
		}
	}
	if len(body) > 0 || len(e.trailer) > 0 {
		resp.Body = &storedBody{Reader: *bytes.NewReader(body), resp: resp, trailer: e.trailer}
	}
	if e.length < 0 && resp.ContentLength < 0 {
		resp.TransferEncoding = chunked
	}
	return resp
}

var chunked = []string{"chunked"}

// ownLines gives a header its own lines: whoever gets it may append to them.
func ownLines(h http.Header) http.Header {
	for name, lines := range h {
		h[name] = lines[:len(lines):len(lines)]
	}
	return h
}

// cutRange turns resp into a 206 with the range that q wants, or into a 416
// (RFC 9110 §15.3.7, §15.5.17), and returns the bytes.
func cutRange(q *query, e *entry, resp *http.Response) ([]byte, bool) {
	if e.part != nil && e.part.replay != "" {
		resp.StatusCode, resp.Status = http.StatusPartialContent, "206 Partial Content"
		return e.part.spans[0].data, true
	}
	var data []byte
	r := contentRange{total: int64(len(e.body))}
	if e.part != nil {
		r.total = e.part.total
		var ok bool
		if data, r.first, ok = e.part.cut(q.rng); !ok {
			return nil, false // find made sure of it
		}
	} else {
		from, to, ok := q.rng.within(r.total)
		if !ok {
			resp.StatusCode, resp.Status = http.StatusRequestedRangeNotSatisfiable, "416 Range Not Satisfiable"
			withoutBodyFields(resp.Header)
			resp.Header["Content-Range"] = []string{fmt.Sprintf("bytes */%d", r.total)}
			resp.Header["Content-Length"] = []string{"0"}
			resp.ContentLength = 0
			return nil, false
		}
		data, r.first = e.body[from:to], from
	}
	r.last = r.first + int64(len(data)) - 1
	resp.StatusCode, resp.Status = http.StatusPartialContent, "206 Partial Content"
	resp.Header["Content-Range"] = []string{r.String()}
	resp.Header["Content-Length"] = []string{strconv.Itoa(len(data))}
	resp.ContentLength = int64(len(data))
	return data, true
}

// notModified turns a response into a 304.
func notModified(resp *http.Response) *http.Response {
	resp.StatusCode, resp.Status = http.StatusNotModified, "304 Not Modified"
	withoutBodyFields(resp.Header)
	resp.ContentLength, resp.TransferEncoding, resp.Trailer = 0, nil, nil
	resp.Body = http.NoBody
	return resp
}

// A storedBody reads the bytes of an entry and sets the trailer at their end.
type storedBody struct {
	bytes.Reader
	resp    *http.Response
	trailer http.Header
}

func (b *storedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.resp.Trailer != nil {
		for name, lines := range b.trailer {
			b.resp.Trailer[name] = lines
		}
	}
	return n, err
}

// WriteTo is not promoted: it would pass the end by unseen.
func (b *storedBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.Reader.WriteTo(w)
	if err == nil {
		var end [1]byte
		b.Read(end[:])
	}
	return n, err
}

func (b *storedBody) Close() error { return nil }

// gatewayTimeout is the answer to only-if-cached without a stored response.
func gatewayTimeout(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: http.StatusGatewayTimeout, Status: "504 Gateway Timeout",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Length": {"0"}}, Body: http.NoBody, Request: r,
	}
}

// sealTag replaces the origin's entity tag by the client's own.
func (c *Cache) sealTag(h http.Header, client, uri string) {
	if tag := strings.Trim(h.Get("ETag"), " \t"); tag != "" {
		h["Etag"] = []string{c.sealer.seal(client, uri, tag)}
	}
}

// addCacheStatus says how the response came about (RFC 9211). Only Shared
// says it: elsewhere a site could read in it what its visitor saw before.
func addCacheStatus(h http.Header, q *query, e *entry, how outcome) {
	status := "guise; fwd=stale; fwd-status=304"
	if how.hit {
		left := int64((e.life.operative - e.age(q.now)) / time.Second)
		status = "guise; hit; ttl=" + strconv.FormatInt(left, 10)
	}
	lines := h["Cache-Status"]
	h["Cache-Status"] = append(lines[:len(lines):len(lines)], status)
}
