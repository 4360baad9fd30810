package wire

import (
	"encoding/binary"
	"slices"
	"strings"
)

// Responses wait for turns to send where the client, or the way to it, takes less than
// origins send. The most urgent goes first (RFC 9218 §10), but every longestTurn-th turn
// goes to the one that has waited longest, or a less urgent one would wait until a long
// download has ended.
const longestTurn = 8

// A rank is the priority of a response among those that wait.
type rank struct {
	urgency int  // 0 to 7, the least goes first (RFC 9218 §4.1)
	whole   bool // not incremental: it goes before those as urgent that were asked for later, instead of by turns (§4.2)
}

// ordinary is the rank of tunnels, whose request says nothing of what they carry, and of
// responses whose client sent no priority, and may know of none: they take turns.
var ordinary = rank{urgency: 3}

// maxRank bounds what is read of a PRIORITY_UPDATE.
const maxRank = 256

// parseRank reads what a Priority field, or frame, says (RFC 9218 §5). What it does not
// know means nothing.
func parseRank(lines ...string) rank {
	r := rank{urgency: ordinary.urgency, whole: true}
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			member, _, _ = strings.Cut(member, ";")
			switch member = trimSpace(member); {
			case member == "i", member == "i=?1":
				r.whole = false
			case member == "i=?0":
				r.whole = true
			case len(member) == len("u=0") && member[:2] == "u=" && member[2] >= '0' && member[2] <= '7':
				r.urgency = int(member[2] - '0')
			}
		}
	}
	return r
}

// before reports whether st goes before longer, which has waited for longer.
func (st *http2Stream) before(longer *http2Stream) bool {
	a, b := st.currentRank(), longer.currentRank()
	if a.urgency != b.urgency {
		return a.urgency < b.urgency
	}
	return a.whole && b.whole && st.id < longer.id
}

func (st *http2Stream) currentRank() rank {
	if st.hijacked {
		return ordinary
	}
	return st.rank
}

// nextTurn removes the stream whose turn it is from those that wait.
func (h *http2Conn) nextTurn() *http2Stream {
	first := 0
	if h.turn++; h.turn%longestTurn != 0 {
		for i, st := range h.waiting {
			if st.before(h.waiting[first]) {
				first = i
			}
		}
	}
	st := h.waiting[first]
	h.waiting = slices.Delete(h.waiting, first, first+1)
	st.queued, st.called = false, true
	h.called++
	return st
}

// priorityUpdate takes a PRIORITY_UPDATE frame (RFC 9218 §7.1). It may come before the
// request that it is about; the latest such is kept.
func (h *http2Conn) priorityUpdate(f frameHead) error {
	if err := h.bear(); err != nil {
		return err
	}
	if f.length > maxRank {
		return h.skip(f.length)
	}
	b, err := h.take(f.length)
	if err != nil {
		return err
	}
	id, r := binary.BigEndian.Uint32(b)&^(1<<31), parseRank(string(b[4:]))
	h.mu.Lock()
	defer h.mu.Unlock()
	switch st := h.streams[id]; {
	case id == 0:
		return connFault(codeProtocol, "priority of no stream")
	case st != nil:
		st.rank = r
	case id > h.begun:
		h.foretold.stream, h.foretold.rank = id, r
	}
	return nil
}
