package wire

import "golang.org/x/sys/unix"

// heard returns how many bytes the other side's system has told to have received,
// ever, or 0 if that is not known. What it says together with its end includes all
// that had arrived by then (RFC 9293 §3.4): if this is what it was before a request,
// the other side had shut down what it sends before anything of the request came. It
// could not answer any more, and reads at most to throw away (RFC 9112 §9.6). A reset
// says nothing of the kind: it may come before what was received is told.
func (p *probe) heard() uint64 {
	info := p.info()
	if info == nil {
		return 0
	}
	return info.Bytes_acked // 0 before Linux 4.1
}

// unheeded reports whether the other side's system has not told to have received all that
// was sent to it.
func (p *probe) unheeded() bool {
	info := p.info()
	return info != nil && info.Unacked > 0
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
