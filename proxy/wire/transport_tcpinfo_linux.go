package wire

import "golang.org/x/sys/unix"

// acked returns how many bytes the other side has acknowledged, ever, or 0 if that is not
// known. A FIN acknowledges all that had arrived when it was sent (RFC 9293 §3.4): if the
// number is then what it was before a request, the other side had shut down its sending
// half before anything of the request came. It could not answer any more, and reads at
// most to throw away (RFC 9112 §9.6). A reset says nothing of the kind: it may come
// before the acknowledgement of what was received.
func (p *probe) acked() uint64 {
	info := p.info()
	if info == nil {
		return 0
	}
	return info.Bytes_acked // 0 before Linux 4.1
}

// unacked reports whether the other side has yet to acknowledge something that was sent.
func (p *probe) unacked() bool {
	info := p.info()
	return info != nil && info.Unacked > 0
}

// underWay returns how many bytes were written that the other side has not acknowledged,
// or -1 if that is not known.
func (p *probe) underWay() int64 {
	p.queued = -1
	if p.tcp {
		p.raw.Control(p.count)
	}
	return p.queued
}

// closed reports whether the connection is closed for good, both ways.
func (p *probe) closed() bool {
	info := p.info()
	return info != nil && info.State == unix.BPF_TCP_CLOSE
}

// info returns what the system knows of the connection, or nil.
func (p *probe) info() (info *unix.TCPInfo) {
	p.raw.Control(func(fd uintptr) {
		if got, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			info = got
		}
	})
	return info
}
