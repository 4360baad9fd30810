package cache

import (
	"net/http"
	"strings"
)

// detach has e hold no memory but its own: the strings of a message are parts of its
// whole head, which may be many times as large as what is stored of it.
func (e *entry) detach() {
	e.statusText, e.etag = strings.Clone(e.statusText), strings.Clone(e.etag)
	e.header, e.trailer = detached(e.header), detached(e.trailer)
	e.vary = cloned(e.vary)
	e.directives.noCacheFields = cloned(e.directives.noCacheFields)
	e.directives.privateFields = cloned(e.directives.privateFields)
	selecting := make([][]string, len(e.selecting))
	for i, lines := range e.selecting {
		selecting[i] = cloned(lines)
	}
	e.selecting = selecting
	if e.part != nil && e.part.replay != "" {
		part := *e.part
		part.replay = strings.Clone(part.replay)
		e.part = &part
	}
}

// detached returns a copy of h with all its strings in one piece of memory.
func detached(h http.Header) http.Header {
	if h == nil {
		return nil
	}
	size, count := 0, 0
	for name, lines := range h {
		size, count = size+len(name), count+len(lines)
		for _, line := range lines {
			size += len(line)
		}
	}
	var all strings.Builder
	all.Grow(size)
	copied := func(s string) string {
		at := all.Len()
		all.WriteString(s)
		return all.String()[at:]
	}
	own, room := make(http.Header, len(h)), make([]string, 0, count)
	for name, lines := range h {
		at := len(room)
		for _, line := range lines {
			room = append(room, copied(line))
		}
		own[copied(name)] = room[at:len(room):len(room)]
	}
	return own
}

// cloned returns a copy of list with copies of its strings; of none, nil.
func cloned(list []string) []string {
	var own []string
	for _, s := range list {
		own = append(own, strings.Clone(s))
	}
	return own
}
