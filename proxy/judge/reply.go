package judge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A reply is a response under full control: its fields go out in order and
// case, as often as they are listed.
type reply struct {
	status int
	fields []Field
	body   []byte
	early  []Field // sent before as a 103 (RFC 8297), if not nil
	// takeOver writes the body itself, framing included, and may go on
	// reading from the visitor. The connection ends after it.
	takeOver func(w io.Writer, r *bufio.Reader) error
}

func text(status int, body string) reply {
	return reply{status: status, body: []byte(body)}.with("Content-Type", "text/plain; charset=utf-8")
}

// with returns r with one more field.
func (r reply) with(name, value string) reply {
	r.fields = append(r.fields[:len(r.fields):len(r.fields)], Field{name, value})
	return r
}

// has reports whether r carries the named field.
func (r reply) has(name string) bool { return Head{Fields: r.fields}.Has(name) }

// head returns r's status line and fields. What every answer needs and r
// does not say is filled in: Date, length, and that nobody may store it.
func (r reply) head(keep bool) []byte {
	var b strings.Builder
	if r.early != nil {
		b.WriteString("HTTP/1.1 103 Early Hints\r\n")
		writeFields(&b, r.early)
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	fields := append([]Field{{"Date", time.Now().UTC().Format(http.TimeFormat)}}, r.fields...)
	bodyless := r.status == http.StatusNoContent || r.status == http.StatusNotModified || r.status < 200
	if r.takeOver == nil && !bodyless && !r.has("Content-Length") {
		fields = append(fields, Field{"Content-Length", fmt.Sprint(len(r.body))})
	}
	if !r.has("Cache-Control") {
		fields = append(fields, Field{"Cache-Control", "no-store"})
	}
	if (!keep || r.takeOver != nil) && r.status >= 200 {
		fields = append(fields, Field{"Connection", "close"})
	}
	writeFields(&b, fields)
	b.WriteString("\r\n")
	return []byte(b.String())
}

// write sends r as the answer to a request with the given method.
func (r reply) write(w io.Writer, method string, keep bool) error {
	out := r.head(keep)
	if method != http.MethodHead {
		out = append(out, r.body...)
	}
	_, err := w.Write(out)
	return err
}

// send writes r to the visitor, and lets takeOver have the connection.
func (r reply) send(c net.Conn, br *bufio.Reader, method string, keep bool) error {
	if err := r.write(c, method, keep); err != nil || r.takeOver == nil {
		return err
	}
	if err := r.takeOver(c, br); err != nil {
		return err
	}
	return io.EOF
}

func writeFields(b *strings.Builder, fields []Field) {
	for _, f := range fields {
		fmt.Fprintf(b, "%s: %s\r\n", f.Name, f.Value)
	}
}

// chunk frames one chunk of a chunked body.
func chunk(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }

// releases lets a probe hold back the rest of a streamed answer until its
// beginning has arrived at the client.
type releases struct {
	mu   sync.Mutex
	by   map[string]chan struct{}
	done bool // the origin closes; nothing is held any more
}

func (r *releases) of(probe string) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = make(map[string]chan struct{})
	}
	if r.by[probe] == nil {
		r.by[probe] = make(chan struct{})
		if r.done {
			close(r.by[probe])
		}
	}
	return r.by[probe]
}

// release lets the probe's answer go on. It may be called more than once.
func (r *releases) release(probe string) {
	ch := r.of(probe)
	r.mu.Lock()
	defer r.mu.Unlock()
	letGo(ch)
}

func (r *releases) all() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	for _, ch := range r.by {
		letGo(ch)
	}
}

// letGo closes ch, once. The mu of its releases is held.
func letGo(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}
