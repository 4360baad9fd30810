//go:build !linux

package wire

// acked would return how many bytes the other side has acknowledged. Here it is not known.
func (*probe) acked() uint64 { return 0 }

// unacked would report whether something is not acknowledged. Here it is not known.
func (*probe) unacked() bool { return false }

// underWay would return how many bytes were written that the other side has not
// acknowledged. Here it is not known.
func (*probe) underWay() int64 { return -1 }

// closed would report whether the connection is closed for good. Here it is not known.
func (*probe) closed() bool { return false }
