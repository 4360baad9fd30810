package egress

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// localRoutes returns the networks that routes make this machine's own, whether an
// interface has their addresses or not. Clouds that leave the address of a load
// balancer in the packets have such routes on the machines behind it, and so have
// servers of a whole network ("ip route add local"). It returns none where the
// kernel does not tell them apart (before 4.20).
func localRoutes() (networks []netip.Prefix, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// Else the request below asks for every route, of which a router has a million.
	if unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1) != nil {
		return nil, nil
	}
	// The kernel answers at once; where something else stands in for it, dials wait.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		networks = append(networks, localRoutesOf(fd, family)...)
	}
	return networks, nil
}

// localRoutesOf asks for the local routes of one address family (rtnetlink(7)).
func localRoutesOf(fd int, family uint8) (networks []netip.Prefix) {
	var request struct {
		unix.NlMsghdr
		unix.RtMsg
	}
	request.NlMsghdr = unix.NlMsghdr{Len: uint32(unsafe.Sizeof(request)), Type: unix.RTM_GETROUTE, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP}
	request.RtMsg = unix.RtMsg{Family: family, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if unix.Sendto(fd, raw, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return nil
	}
	buffer := make([]byte, 32<<10) // what the kernel fills at most
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err != nil {
			return networks
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return networks
		}
		for _, m := range messages {
			if m.Header.Type != unix.RTM_NEWROUTE { // the end
				return networks
			}
			if network, ok := destinationOf(&m); ok {
				networks = append(networks, network)
			}
		}
	}
}

// destinationOf returns where a route leads.
func destinationOf(m *syscall.NetlinkMessage) (netip.Prefix, bool) {
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return netip.Prefix{}, false
	}
	bits := int(m.Data[unsafe.Offsetof(unix.RtMsg{}.Dst_len)])
	for _, a := range attributes {
		if addr, ok := netip.AddrFromSlice(a.Value); ok && a.Attr.Type == unix.RTA_DST {
			return netip.PrefixFrom(addr, bits), true
		}
	}
	return netip.Prefix{}, false
}
