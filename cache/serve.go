package cache

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// hit makes a response of an entry that is used without asking the origin
// (RFC 9111 §4).
func (c *Cache) hit(q *query, e *entry, v *view) *http.Response {
	h := c.hitHeader(q, e, v)
	age := e.age(q.now)
	if q.sharing == Disguised && !e.personal {
		age = elapsed(v.since, q.now)
	}
	r := &reply{age: [1]string{formatInt(int64(age / time.Second))}}
	h["Age"] = r.age[:1:1]
	return c.finish(q, e, h, r, q.conditions.notMadeSince(h, e.received))
}

// serve makes a response of an entry after the origin was asked, or seems to
// have been, at the given time.
func (c *Cache) serve(q *query, e *entry, at time.Time) *http.Response {
	h := e.header.header()
	c.dress(q, e, h, at)
	return c.finish(q, e, h, &reply{}, false)
}

// A reply is a stored response with what it points to, in one piece of memory.
type reply struct {
	http.Response
	body storedBody
	age  [1]string
}

// finish applies the request's preconditions and its range to a stored
// response that the client may see with header h. known says that the client has it, whatever
// its validators say.
func (c *Cache) finish(q *query, e *entry, h http.Header, r *reply, known bool) *http.Response {
	resp := &r.Response
	*resp = http.Response{
		StatusCode: e.status, Status: e.statusText, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Request: q.r, ContentLength: e.length, Body: http.NoBody,
	}
	if (e.status == http.StatusOK || e.status == http.StatusPartialContent) && (known || q.conditions.notModified(h, e.received)) {
		return notModified(resp)
	}
	if q.head {
		return resp
	}
	body, held := e.body, e.hold
	// An empty response has no parts: as with most origins, the whole is sent (RFC 9110 §14.2).
	if e.part != nil || q.ranged && e.status == http.StatusOK && len(e.body) > 0 && rangeStands(q.ifRange, h, q.now) {
		var ok bool
		if len(q.more) > 0 {
			body, held, ok = c.cutRanges(q, e, resp)
		} else {
			body, ok = cutRange(q, e, resp)
		}
		if !ok {
			return resp
		}
	} else if len(e.trailer) > 0 {
		resp.Trailer = make(http.Header, len(e.trailer))
		for name := range e.trailer {
			if !strings.HasPrefix(name, http.TrailerPrefix) {
				resp.Trailer[name] = nil
			}
		}
	}
	if len(body) > 0 || len(e.trailer) > 0 || resp.ContentLength < 0 { // of unknown length, only its end shows that it is empty
		r.body.Reset(body)
		r.body.resp, r.body.trailer = resp, e.trailer
		r.body.hold = held
		held.use(1)
		resp.Body = &r.body
	}
	if e.length < 0 && resp.ContentLength < 0 {
		resp.TransferEncoding = chunked
	}
	return resp
}

var chunked = []string{"chunked"}

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
			unsatisfied(resp, r.total)
			return nil, false
		}
		data, r.first = e.body[from:to], from
	}
	r.last = r.first + int64(len(data)) - 1
	resp.StatusCode, resp.Status = http.StatusPartialContent, "206 Partial Content"
	withoutDigests(resp.Header)
	resp.Header["Content-Range"] = []string{r.String()}
	resp.Header["Content-Length"] = []string{strconv.Itoa(len(data))}
	resp.ContentLength = int64(len(data))
	return data, true
}

// cutRanges turns resp into a 206 with the several ranges that q wants of a whole
// response (RFC 9110 §15.3.7.2), and returns the bytes and what holds them. Where they come to
// more than the whole, as overlapping ones do, or there is no memory for a copy, it stays
// the whole (§14.2).
func (c *Cache) cutRanges(q *query, e *entry, resp *http.Response) ([]byte, *hold, bool) {
	total := int64(len(e.body))
	var parts []contentRange
	var sum int64
	for _, rng := range append([]byteRange{q.rng}, q.more...) {
		if from, to, ok := rng.within(total); ok {
			parts = append(parts, contentRange{from, to - 1, total})
			sum += to - from
		}
	}
	switch {
	case len(parts) == 0:
		unsatisfied(resp, total)
		return nil, nil, false
	case sum > total, len(parts) > 1 && c.store.lingering.Load()+sum > flightBudget(c.options.Load()):
		return e.body, e.hold, true
	}
	resp.StatusCode, resp.Status = http.StatusPartialContent, "206 Partial Content"
	withoutDigests(resp.Header)
	var body []byte
	held := e.hold
	if len(parts) == 1 {
		resp.Header["Content-Range"] = []string{parts[0].String()}
		body = e.body[parts[0].first : parts[0].last+1]
	} else {
		var kind string
		kind, body = byteRanges(e.body, parts, resp.Header["Content-Type"])
		held = &hold{size: int64(cap(body)), lingering: &c.store.lingering}
		resp.Header["Content-Type"] = []string{kind}
	}
	resp.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	resp.ContentLength, resp.TransferEncoding = int64(len(body)), nil
	return body, held, true
}

// withoutDigests drops digests of a message's content (RFC 9530 §2, RFC 2616
// §14.15), which is now another.
func withoutDigests(h http.Header) {
	delete(h, "Content-Digest")
	delete(h, "Content-Md5")
}

// byteRanges writes parts of a body as multipart/byteranges, and returns the
// media type with them. No boundary of random text occurs in a body.
func byteRanges(body []byte, parts []contentRange, kind []string) (string, []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Range": {p.String()}}
		if len(kind) > 0 {
			h["Content-Type"] = kind[:1]
		}
		part, _ := w.CreatePart(h) // a bytes.Buffer takes everything
		part.Write(body[p.first : p.last+1])
	}
	w.Close()
	return "multipart/byteranges; boundary=" + w.Boundary(), b.Bytes()
}

// unsatisfied turns a response into a 416.
func unsatisfied(resp *http.Response, total int64) {
	resp.StatusCode, resp.Status = http.StatusRequestedRangeNotSatisfiable, "416 Range Not Satisfiable"
	withoutBodyFields(resp.Header)
	delete(resp.Header, "Expires")
	resp.Header["Cache-Control"] = []string{"no-store"} // the lifetime was the representation's
	resp.Header["Content-Range"] = []string{fmt.Sprintf("bytes */%d", total)}
	resp.Header["Content-Length"] = []string{"0"}
	resp.ContentLength, resp.TransferEncoding = 0, nil
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
	hold    *hold
	closed  atomic.Bool
}

func (b *storedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.resp.Trailer != nil {
		for name, lines := range b.trailer {
			b.resp.Trailer[strings.TrimPrefix(name, http.TrailerPrefix)] = lines
		}
	}
	return n, err
}

// WriteTo reads the end as well, with which the trailer comes.
func (b *storedBody) WriteTo(w io.Writer) (int64, error) {
	n, err := b.Reader.WriteTo(w)
	if err == nil {
		var end [1]byte
		b.Read(end[:])
	}
	return n, err
}

func (b *storedBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.hold.use(-1)
	}
	return nil
}

// gatewayTimeout is the answer to only-if-cached without a stored response.
func gatewayTimeout(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: http.StatusGatewayTimeout, Status: "504 Gateway Timeout",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Cache-Control": {"no-store"}, "Content-Length": {"0"},
			"Proxy-Status": {"guise;error=proxy_internal_response"}, // RFC 9209 §2.3
		},
		Body: http.NoBody, Request: r,
	}
}

// sealTag replaces the origin's entity tag by the cache's own.
func (c *Cache) sealTag(h http.Header, site, uri string) {
	if tag := tagOf(h); tag != "" {
		h["Etag"] = []string{c.sealer.seal(site, uri, tag)}
	}
}
