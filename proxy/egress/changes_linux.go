package egress

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// changes is a socket on which the kernel tells of each address of this machine, and each
// route, that comes or goes (rtnetlink(7)).
type changes struct{ fd int }

// watchAddresses returns the changes from now on, nil if the kernel does not tell of them.
func watchAddresses() *changes {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil
	}
	const groups = unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE
	if unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}) != nil {
		unix.Close(fd)
		return nil
	}
	c := &changes{fd}
	runtime.AddCleanup(c, func(fd int) { unix.Close(fd) }, fd)
	return c
}

// seen reports whether there were any since the last call. It does not block.
func (c *changes) seen() bool {
	if c == nil {
		return false
	}
	defer runtime.KeepAlive(c)
	some := false
	for {
		var message [1]byte // the rest is of no interest
		switch _, err := unix.Read(c.fd, message[:]); err {
		case nil, unix.ENOBUFS: // the latter: some were lost
			some = true
		case unix.EINTR:
		case unix.EAGAIN:
			return some
		default:
			return true
		}
	}
}
