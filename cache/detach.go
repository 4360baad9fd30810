package cache

import (
	"net/http"
	"strings"
)

// detach copies the strings of e into one piece of memory of its own, which costs the collector
// least: as they came they are parts of a whole head, which may be many times as large as what
// is stored of it.
func (e *entry) detach() {
	var all pack
	trailer, _ := textOf(e.trailer)
	size := len(e.header) + len(e.selecting) + len(e.statusText) + len(e.etag) + len(e.vary) + len(e.varyKey) + trailer +
		textIn(e.directives.noCacheFields) + textIn(e.directives.privateFields)
	all.text.Grow(size)
	e.statusText, e.etag = all.string(e.statusText), all.string(e.etag)
	e.vary, e.varyKey = varying(all.string(string(e.vary))), all.string(e.varyKey)
	e.header, e.selecting = fields(all.string(string(e.header))), fields(all.string(string(e.selecting)))
	e.trailer = all.header(e.trailer)
	e.directives.noCacheFields, e.directives.privateFields = all.list(e.directives.noCacheFields), all.list(e.directives.privateFields)
	if e.part != nil && e.part.replay != "" {
		part := *e.part
		part.replay = strings.Clone(part.replay)
		e.part = &part
	}
}

// textIn returns the total length of the strings in list.
func textIn(list []string) (size int) {
	for _, s := range list {
		size += len(s)
	}
	return size
}

// A pack copies strings into one piece of memory.
type pack struct{ text strings.Builder }

func (p *pack) string(s string) string {
	at := p.text.Len()
	p.text.WriteString(s)
	return p.text.String()[at:]
}

// list returns a copy of list; of none, nil.
func (p *pack) list(list []string) []string {
	var own []string
	for _, s := range list {
		own = append(own, p.string(s))
	}
	return own
}

func (p *pack) header(h http.Header) http.Header {
	if h == nil {
		return nil
	}
	_, count := textOf(h)
	own, room := make(http.Header, len(h)), make([]string, 0, count)
	for name, lines := range h {
		at := len(room)
		for _, line := range lines {
			room = append(room, p.string(line))
		}
		own[p.string(name)] = room[at:len(room):len(room)]
	}
	return own
}
