package cache

import "sync/atomic"

// A hold is the memory of a body, which stored responses and readers share. It lingers once no
// stored response has the body any more and somebody still reads it: it goes on counting
// against the budget, since a slow reader can keep it for hours. Safe for concurrent use.
type hold struct {
	size      int64
	only      [1]piece      // in which it came, if it came in one
	lingering *atomic.Int64 // of all holds
	users     atomic.Int64  // readers, and storedUser for each stored response
}

// storedUser is what a stored response adds to a hold's users: more than there
// can be readers.
const storedUser = 1 << 32

// use adds to the users of h, or takes from them. A nil hold has none.
func (h *hold) use(n int64) {
	if h == nil {
		return
	}
	now := h.users.Add(n)
	switch was := now - n; {
	case lingers(now) && !lingers(was):
		h.lingering.Add(h.size)
	case lingers(was) && !lingers(now):
		h.lingering.Add(-h.size)
	}
}

func lingers(users int64) bool { return 0 < users && users < storedUser }
