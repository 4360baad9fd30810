package judge

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Seen is one request as it arrived at an origin.
type Seen struct {
	Remote netip.AddrPort // who connected
	Raw    []byte         // every byte of the request: head, body framing, trailers
	Head   Head
	Body   []byte // without its framing
	Err    error  // why this could not be read as a whole request; nil if it could
}

// errTooLarge ends the reading of a request that is over the origin's limit.
var errTooLarge = errors.New("request is larger than the origin takes")

// A tap is a connection that remembers what was read from it. It is used
// by one goroutine at a time.
type tap struct {
	net.Conn
	buf   []byte
	limit int // bytes that may be held; more is an error
}

func (t *tap) Read(p []byte) (int, error) {
	room := t.limit - len(t.buf)
	if room <= 0 {
		return 0, errTooLarge
	}
	n, err := t.Conn.Read(p[:min(len(p), room)])
	t.buf = append(t.buf, p[:n]...)
	return n, err
}

// consumed returns what was read so far, without the last unread bytes,
// which a reader above has fetched but not handed out.
func (t *tap) consumed(unread int) []byte { return t.buf[:len(t.buf)-unread] }

// forget drops all but the last unread bytes.
func (t *tap) forget(unread int) {
	t.buf = bytes.Clone(t.buf[len(t.buf)-unread:])
}

// A record keeps requests by the number of the probe in their path. It is
// safe for concurrent use.
type record struct {
	mu      sync.Mutex
	seen    map[string][]Seen
	answers map[string][]Field // what the resource "answer" says
}

func (r *record) add(probe string, s Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = make(map[string][]Seen)
	}
	r.seen[probe] = append(r.seen[probe], s)
}

func (r *record) of(probe string) []Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen[probe])
}

// prepare sets the fields with which the resource "answer" is served to a
// probe.
func (o *Origin) prepare(probe string, fields []Field) {
	if len(fields) == 0 {
		return
	}
	o.record.mu.Lock()
	defer o.record.mu.Unlock()
	if o.record.answers == nil {
		o.record.answers = make(map[string][]Field)
	}
	o.record.answers[probe] = fields
}

func (o *Origin) prepared(probe string) []Field {
	o.record.mu.Lock()
	defer o.record.mu.Unlock()
	return o.record.answers[probe]
}

// splitTarget takes apart a request-target of the form /p/PROBE/RESOURCE,
// in origin or absolute form. Other paths belong to the probe "".
func splitTarget(target string) (probe, resource string) {
	u, err := url.Parse(target)
	if err != nil {
		return "", ""
	}
	rest, ok := strings.CutPrefix(u.Path, "/p/")
	if !ok {
		return "", strings.TrimPrefix(u.Path, "/")
	}
	probe, resource, _ = strings.Cut(rest, "/")
	return probe, resource
}
