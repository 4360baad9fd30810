package wire

import (
	"cmp"
	"time"
)

// Limits bounds what a peer may send. A zero field takes the value in
// parentheses.
type Limits struct {
	Head    int // bytes of a head: start line, fields, empty line (64 KiB)
	Line    int // bytes of one field line (Head)
	Fields  int // field lines in a head or trailer section (256)
	Target  int // bytes of a request-target (16 KiB, at most Head)
	Trailer int // bytes of a trailer section (8 KiB)
	Streams int // requests at a time on one HTTP/2 connection (250)
}

func (l Limits) withDefaults() Limits {
	l.Head = orInt(l.Head, 64<<10)
	l.Line = orInt(l.Line, l.Head)
	l.Fields = orInt(l.Fields, 256)
	l.Target = min(orInt(l.Target, 16<<10), l.Head)
	l.Trailer = orInt(l.Trailer, 8<<10)
	l.Streams = orInt(l.Streams, 250)
	return l
}

// Timeouts bounds every wait for a client. A zero field takes the value in
// parentheses; a negative one waits forever.
type Timeouts struct {
	Head      time.Duration // a whole request head, from its first byte; and the first byte of a connection (15s)
	KeepAlive time.Duration // the next request (75s)
	Body      time.Duration // each read of a request body (60s)
	Write     time.Duration // each write (60s)
}

func (t Timeouts) withDefaults() Timeouts {
	t.Head = cmp.Or(t.Head, 15*time.Second)
	t.KeepAlive = cmp.Or(t.KeepAlive, 75*time.Second)
	t.Body = cmp.Or(t.Body, 60*time.Second)
	t.Write = cmp.Or(t.Write, 60*time.Second)
	return t
}

// orInt returns v, or def for a v that bounds nothing.
func orInt(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}
