// Package socks is the server's half of SOCKS5 (RFC 1928) with user names and
// passwords (RFC 1929).
//
// [Accept] talks to a client until it has said where it wants to go, and
// [Reply] tells it how that went. Neither reads a byte beyond what it needs:
// what follows belongs to the tunnel.
package socks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

const (
	version         = 5
	passwordVersion = 1
)

// Ways to authenticate (RFC 1928 §3).
const (
	methodNone     = 0x00
	methodPassword = 0x02
	methodRefused  = 0xff
)

const commandConnect = 1

// Types of address (RFC 1928 §5).
const (
	addressIPv4 = 1
	addressName = 3
	addressIPv6 = 4
)

// A Code is what a reply says (RFC 1928 §6).
type Code byte

// The codes.
const (
	Succeeded          Code = 0
	Failed             Code = 1
	NotAllowed         Code = 2
	NetworkUnreachable Code = 3
	HostUnreachable    Code = 4
	ConnectionRefused  Code = 5
	TimedOut           Code = 6 // "TTL expired" in the RFC's words
	BadCommand         Code = 7
	BadAddressType     Code = 8
)

// A Request is where a client wants to go, and who it says it is.
type Request struct {
	Host string // a name as the client spelled it, or an address without brackets
	Port uint16
	User string // "" if it says none; proven where an [Authenticator] was given
}

// An Authenticator tells whether a user may enter. Name and password have 1
// to 255 octets of any value.
type Authenticator func(user, password string) bool

// ErrHTTP is an [ErrVersion] of a client that begins with the method of a request instead.
// It was told nothing.
var ErrHTTP = fmt.Errorf("%w, but HTTP", ErrVersion)

// Errors of clients that were told so.
var (
	ErrVersion  = errors.New("socks: not SOCKS5")
	ErrMethod   = errors.New("socks: no acceptable authentication")
	ErrPassword = errors.New("socks: wrong user name or password")
	ErrCommand  = errors.New("socks: command other than CONNECT")
	ErrAddress  = errors.New("socks: unknown type of address")
)

// Accept reads what a client says up to its request. With authenticate, only
// user names and passwords are taken; without, a client need not have any, and may
// have what it wants: some, as Firefox, offer nothing else once they have a name. A
// request for anything but CONNECT is answered here, with [BadCommand]: BIND
// and UDP ASSOCIATE would open ports for strangers.
func Accept(rw io.ReadWriter, authenticate Authenticator) (Request, error) {
	var r Request
	method, err := greet(rw, authenticate != nil)
	if err == nil && method == methodPassword {
		r.User, err = checkPassword(rw, authenticate)
	}
	if err != nil {
		return r, err
	}
	err = readRequest(rw, &r)
	switch {
	case errors.Is(err, ErrCommand):
		Reply(rw, BadCommand)
	case errors.Is(err, ErrAddress):
		Reply(rw, BadAddressType)
	}
	return r, err
}

// greet settles the way to authenticate (RFC 1928 §3).
func greet(rw io.ReadWriter, password bool) (method byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(rw, head[:1]); err != nil {
		return 0, err
	}
	switch first := head[0]; {
	case first >= 'A' && first <= 'Z':
		return 0, ErrHTTP
	case first != version:
		return 0, ErrVersion
	}
	if _, err := io.ReadFull(rw, head[1:]); err != nil {
		return 0, err
	}
	var methods [255]byte
	offered := methods[:head[1]]
	if _, err := io.ReadFull(rw, offered); err != nil {
		return 0, err
	}
	switch {
	case !password && bytes.IndexByte(offered, methodNone) >= 0:
		method = methodNone
	case bytes.IndexByte(offered, methodPassword) >= 0:
		method = methodPassword
	default:
		rw.Write([]byte{version, methodRefused})
		return 0, ErrMethod
	}
	_, err = rw.Write([]byte{version, method})
	return method, err
}

// checkPassword reads a name and a password (RFC 1929 §2). Without authenticate, both
// may be anything.
func checkPassword(rw io.ReadWriter, authenticate Authenticator) (user string, err error) {
	var v [1]byte
	if _, err := io.ReadFull(rw, v[:]); err != nil {
		return "", err
	}
	if v[0] != passwordVersion {
		return "", ErrVersion
	}
	user, err = readText(rw)
	if err != nil {
		return "", err
	}
	password, err := readText(rw)
	if err != nil {
		return "", err
	}
	if authenticate != nil && (user == "" || password == "" || !authenticate(user, password)) {
		rw.Write([]byte{passwordVersion, 1})
		return "", ErrPassword
	}
	_, err = rw.Write([]byte{passwordVersion, 0})
	return user, err
}

// readText reads a length and as many octets.
func readText(r io.Reader) (string, error) {
	var n [1]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", err
	}
	var room [255]byte
	text := room[:n[0]]
	_, err := io.ReadFull(r, text)
	return string(text), err
}

// readRequest reads the request (RFC 1928 §4, §5). The address is read, if
// its length is known, before the command is judged: a reset for unread bytes
// must not overtake the answer.
func readRequest(rw io.Reader, r *Request) error {
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return err
	}
	if head[0] != version || head[2] != 0 {
		return ErrVersion
	}
	var room [16]byte
	switch head[3] {
	case addressName:
		name, err := readText(rw)
		if err != nil {
			return err
		}
		r.Host = name
	case addressIPv4, addressIPv6:
		octets := room[:4]
		if head[3] == addressIPv6 {
			octets = room[:]
		}
		if _, err := io.ReadFull(rw, octets); err != nil {
			return err
		}
		address, _ := netip.AddrFromSlice(octets)
		r.Host = address.Unmap().String()
	default:
		return ErrAddress
	}
	if _, err := io.ReadFull(rw, room[:2]); err != nil {
		return err
	}
	r.Port = binary.BigEndian.Uint16(room[:2])
	if head[1] != commandConnect {
		return ErrCommand
	}
	return nil
}

// Success is the reply to a request that is carried out.
var Success = reply(Succeeded)

// Reply answers a request. The address that connections leave from stays the
// proxy's own affair: it is always given as 0.0.0.0:0.
func Reply(w io.Writer, code Code) error {
	_, err := w.Write(reply(code))
	return err
}

func reply(code Code) []byte {
	return []byte{version, byte(code), 0, addressIPv4, 0, 0, 0, 0, 0, 0}
}
