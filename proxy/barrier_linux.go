package proxy

import (
	"encoding/binary"
	"net"
	"slices"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A socket filter (socket(7), SO_ATTACH_FILTER) of a listener sees the
// packets that open its connections, from their TCP header on.

const (
	flagsByte = 13          // of the TCP header (RFC 9293 §3.1)
	flagSYN   = 0x02        // the first packet of a connection
	ipHeader  = 0xfff00000  // SKF_NET_OFF: offsets from here are those of the IP header
	wholly    = 0xffff_ffff // let the packet pass
)

// rawListener returns access to l's descriptor, nil if there is none.
func rawListener(l net.Listener) syscall.RawConn {
	sc, ok := l.(syscall.Conn)
	if _, isTCP := l.Addr().(*net.TCPAddr); !ok || !isTCP {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// set has the kernel drop the SYNs of barred sources to one listener, and reports whether
// it could; b.mu is held.
func (b *barrier) set(raw syscall.RawConn) bool {
	var failed error
	err := raw.Control(func(fd uintptr) {
		if len(b.until) == 0 {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
			return
		}
		program, err := bpf.Assemble(b.program())
		if err != nil {
			failed = err
			return
		}
		filter := make([]unix.SockFilter, len(program))
		for i, op := range program {
			filter[i] = unix.SockFilter{Code: op.Op, Jt: op.Jt, Jf: op.Jf, K: op.K}
		}
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	return err == nil && failed == nil
}

// program drops the SYNs of the barred sources. No jump may be further than
// 255 instructions, hence [mostBarred].
func (b *barrier) program() []bpf.Instruction {
	pass, drop := bpf.RetConstant{Val: wholly}, bpf.RetConstant{Val: 0}
	var four, six []bpf.Instruction
	for source := range b.until {
		address := source.AsSlice()
		if source.Is4() {
			four = append(four, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(address), SkipTrue: 1}, drop)
			continue
		}
		six = append(six,
			bpf.LoadAbsolute{Off: ipHeader + 8, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(address), SkipTrue: 3},
			bpf.LoadAbsolute{Off: ipHeader + 12, Size: 4}, // of a /64
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(address[4:]), SkipTrue: 1},
			drop,
		)
	}
	return slices.Concat([]bpf.Instruction{
		bpf.LoadAbsolute{Off: flagsByte, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: flagSYN, SkipTrue: 1},
		pass,
		bpf.LoadAbsolute{Off: ipHeader, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4}, // the version
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: uint8(len(four) + 2)},
		bpf.LoadAbsolute{Off: ipHeader + 12, Size: 4},
	}, four, []bpf.Instruction{pass}, six, []bpf.Instruction{pass})
}
