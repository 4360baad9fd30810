package wire

import (
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// An HTTP2Start is what an HTTP/2 connection to an origin begins with, and each
// stream on it. Without Settings, those and Window are guise's own.
type HTTP2Start struct {
	Settings  [][2]uint32 // identifiers and values (RFC 9113 §6.5.1), in order
	Window    uint32      // bytes by which the connection's window is widened
	First     uint32      // number of the first stream; 0 means 1
	Weights   []int       // 1 to 256, of a stream (RFC 7540 §5.3.2), by the urgency of its request, 0 to 7 (RFC 9218 §4.1); nil for none
	Exclusive bool        // with Weights, each stream depends exclusively on the latest that is as urgent, as Chromium's do
}

// orOurs returns s with guise's own settings if it has none; head is SETTINGS_MAX_HEADER_LIST_SIZE.
func (s HTTP2Start) orOurs(head int) HTTP2Start {
	if len(s.Settings) == 0 {
		s.Settings = [][2]uint32{
			{uint32(settingEnablePush), 0},
			{uint32(settingInitialWindow), originWindow},
			{uint32(settingMaxHeaderList), uint32(head)},
		}
		s.Window = originConnWindow - firstWindow
	}
	return s
}

// value returns the value of a setting, or otherwise if that is not set.
func (s HTTP2Start) value(name uint16, otherwise int) int {
	for _, set := range s.Settings {
		if set[0] == uint32(name) {
			return int(set[1])
		}
	}
	return otherwise
}

// priority returns the priority fields of a new stream's HEADERS (RFC 7540 §6.2), nil for
// none; c.mu is held.
func (c *HTTP2Conn) priority(urgency int) []byte {
	if urgency >= len(c.start.Weights) {
		return nil
	}
	b := make([]byte, 4, 5)
	if c.start.Exclusive {
		binary.BigEndian.PutUint32(b, 1<<31|c.ahead(urgency))
	}
	return append(b, byte(c.start.Weights[urgency]-1))
}

// ahead returns the stream that a new one of this urgency depends on, as in Chromium's
// Http2PriorityDependencies: the least urgent of those at least as urgent, and the
// latest of several; 0 for none.
func (c *HTTP2Conn) ahead(urgency int) (id uint32) {
	most := -1
	for _, st := range c.streams {
		if st.urgency <= urgency && (st.urgency > most || st.urgency == most && st.id > id) {
			most, id = st.urgency, st.id
		}
	}
	return id
}

// urgencyOf returns the urgency in a request's Priority, 0 to 7; 3 without one (RFC 9218
// §4.1).
func urgencyOf(fields []hpack.HeaderField) int {
	for _, f := range fields {
		if f.Name == "priority" {
			return parseRank(f.Value).urgency
		}
	}
	return ordinary.urgency
}
