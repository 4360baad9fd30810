package egress

import (
	"hash/maphash"
	"io"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// SOCKS version 5 (RFC 1928) with user and password (RFC 1929).
const (
	socksVersion      = 5
	socksNoAuth       = 0
	socksPassword     = 2
	socksConnect      = 1
	socksIPv4         = 1
	socksName         = 3
	socksIPv6         = 4
	socksAuthVersion  = 1
	socksAuthAccepted = 0
)

var errNotSocks = &HopAnswer{"it does not answer in SOCKS 5"}

// socksConnect asks the hop for a connection to t. isolation is the key of
// [WithIsolation]. A name is left to the hop to resolve. No octet beyond the answer is read.
func (h *hop) socksConnect(conn net.Conn, t Target, isolation string) error {
	if err := h.socksGreet(conn, isolation); err != nil {
		return err
	}
	request := []byte{socksVersion, socksConnect, 0}
	switch {
	case t.Addr.Is4():
		request = append(request, socksIPv4)
		request = append(request, t.Addr.AsSlice()...)
	case t.Addr.Is6():
		request = append(request, socksIPv6)
		request = append(request, t.Addr.AsSlice()...)
	default:
		request = append(request, socksName, byte(len(t.Host))) // at most 253 octets
		request = append(request, t.Host...)
	}
	request = append(request, byte(t.Port>>8), byte(t.Port))
	if _, err := conn.Write(request); err != nil {
		return err
	}
	return readSocksReply(conn)
}

// socksGreet agrees on a method and authenticates. If the hop has no user of its own,
// connections that are isolated offer one made of their key: Tor takes any, and gives
// each a circuit of its own (tor(1), IsolateSOCKSAuth).
func (h *hop) socksGreet(conn net.Conn, isolation string) error {
	user, password, methods := h.user, h.password, []byte{socksNoAuth}
	switch {
	case user != "":
		methods = []byte{socksPassword}
	case isolation != "":
		user = strconv.FormatUint(maphash.String(isolationSeed, isolation), 36)
		password, methods = user, []byte{socksPassword, socksNoAuth}
	}
	if _, err := conn.Write(append([]byte{socksVersion, byte(len(methods))}, methods...)); err != nil {
		return err
	}
	var chosen [2]byte
	if _, err := io.ReadFull(conn, chosen[:]); err != nil {
		return err
	}
	switch {
	case chosen[0] != socksVersion:
		return errNotSocks
	case !slices.Contains(methods, chosen[1]):
		return &HopAnswer{"it wants another way to authenticate"}
	case chosen[1] == socksNoAuth:
		return nil
	}
	login := append([]byte{socksAuthVersion, byte(len(user))}, user...)
	login = append(login, byte(len(password)))
	login = append(login, password...)
	if _, err := conn.Write(login); err != nil {
		return err
	}
	var verdict [2]byte
	if _, err := io.ReadFull(conn, verdict[:]); err != nil {
		return err
	}
	if verdict[1] != socksAuthAccepted {
		return &HopAnswer{"it refuses the user or the password"}
	}
	return nil
}

// readSocksReply reads the answer to a request (RFC 1928 §6).
func readSocksReply(conn net.Conn) error {
	var reply [4]byte
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return err
	}
	if reply[0] != socksVersion || reply[2] != 0 {
		return errNotSocks
	}
	if reply[1] != 0 {
		return socksFailure(reply[1])
	}
	var bound int
	switch reply[3] {
	case socksIPv4:
		bound = 4
	case socksIPv6:
		bound = 16
	case socksName:
		var length [1]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return err
		}
		bound = int(length[0])
	default:
		return errNotSocks
	}
	_, err := io.CopyN(io.Discard, conn, int64(bound)+2)
	return err
}

// socksFailure is what a reply other than success means. Replies 3 to 6 are
// about the destination, the others about the hop.
func socksFailure(reply byte) error {
	destination := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	switch reply {
	case 2:
		return &HopAnswer{"its rules do not let the connection through"}
	case 3:
		return destination(syscall.ENETUNREACH)
	case 4: // also what Tor says of a name that does not resolve
		return destination(syscall.EHOSTUNREACH)
	case 5:
		return destination(syscall.ECONNREFUSED)
	case 6: // "TTL expired", which servers say of a destination that does not answer
		return destination(syscall.ETIMEDOUT)
	}
	return &HopAnswer{"it failed to connect"}
}
