package wire

// endedStreams are the latest that ended on a connection, so that a frame on one of
// them can be told from one on a stream that never was.
type endedStreams struct {
	latest [64]endedStream // a ring
	count  int
}

type endedStream struct {
	id    uint32
	reset bool // by us: the peer may not have known yet when it sent a frame
}

func (e *endedStreams) note(id uint32, reset bool) {
	e.latest[e.count%len(e.latest)] = endedStream{id, reset}
	e.count++
}

// find reports whether the stream ended lately, and whether we have reset it.
func (e *endedStreams) find(id uint32) (reset, known bool) {
	for _, s := range e.latest {
		if s.id == id {
			return s.reset, true
		}
	}
	return false, false
}
