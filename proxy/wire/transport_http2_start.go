package wire

import (
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// An HTTP2Start is what an HTTP/2 connection to an origin begins with, and each
// stream on it.
type HTTP2Start struct {
	Settings  [][2]uint32 // numbers and values, in order
	Window    uint32      // by which the connection's is widened
	First     uint32      // number of the first stream; 0 means 1
	Weights   []int       // of a stream (RFC 7540 §5.3.2), by the urgency of its request, 0 to 7 (RFC 9218 §4.1); nil for none
	Exclusive bool        // with weights, it depends exclusively on the latest of those that are as urgent
}

// orOurs returns what begins a connection whose heads may have so many bytes.
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

// value returns that of a setting, or otherwise if it is not set.
func (s HTTP2Start) value(name uint16, otherwise int) int {
	for _, set := range s.Settings {
		if set[0] == uint32(name) {
			return int(set[1])
		}
	}
	return otherwise
}

// priority returns what says the priority of a new stream in its head (RFC 7540 §6.2),
// nil for nothing; c.mu is held.
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

// ahead returns the stream that one of this urgency comes behind, as Chromium's
// Http2PriorityDependencies has it: of those that are as urgent or more so the least
// urgent, and of these the latest; 0 for none.
func (c *HTTP2Conn) ahead(urgency int) (id uint32) {
	most := -1
	for _, st := range c.streams {
		if st.urgency <= urgency && (st.urgency > most || st.urgency == most && st.id > id) {
			most, id = st.urgency, st.id
		}
	}
	return id
}

// urgencyOf returns how urgent a request's head says that its response is, from 0, the
// most, to 7; 3 if it does not say (RFC 9218 §4.1).
func urgencyOf(fields []hpack.HeaderField) int {
	for _, f := range fields {
		if f.Name == "priority" {
			return parseRank(f.Value).urgency
		}
	}
	return ordinary.urgency
}
