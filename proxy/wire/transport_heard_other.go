//go:build !linux

package wire

// heard would return how many bytes the other side's system has told to have
// received. Here it is not known.
func (*probe) heard() uint64 { return 0 }

// unheeded would report whether the other side's system has not told to have received
// all that was sent to it. Here it is not known.
func (*probe) unheeded() bool { return false }

// closed would report whether the connection is closed for good. Here it is not known.
func (*probe) closed() bool { return false }
