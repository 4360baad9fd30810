package cache

import "iter"

// views are clients' uses of an entry. Most entries have one client only, which needs no
// map. The zero value is empty.
type views struct {
	client string // whose first is
	first  *view  // nil if there is none
	others map[string]*view
}

// of returns the view of a client, nil if it has none.
func (s *views) of(client string) *view {
	if s.first != nil && s.client == client {
		return s.first
	}
	return s.others[client]
}

// add has v be the view of a client that has none.
func (s *views) add(client string, v *view) {
	switch {
	case s.first == nil:
		s.client, s.first = client, v
	case s.others == nil:
		s.others = map[string]*view{client: v}
	default:
		s.others[client] = v
	}
}

func (s *views) remove(client string) {
	if s.first != nil && s.client == client {
		s.client, s.first = "", nil
		return
	}
	delete(s.others, client)
}

// count returns how many clients have one.
func (s *views) count() int {
	n := len(s.others)
	if s.first != nil {
		n++
	}
	return n
}

// clients yields those that have a view. The loop may remove it.
func (s *views) clients() iter.Seq[string] {
	return func(yield func(string) bool) {
		if s.first != nil && !yield(s.client) {
			return
		}
		for client := range s.others {
			if !yield(client) {
				return
			}
		}
	}
}
