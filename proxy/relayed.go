package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/pires/go-proxyproto"
)

// Sizes of PROXY headers, in octets. Version 1 is one line of at most 107; version 2
// gives its length after the first 14, and what it adds about TLS may be long.
const (
	relayedStart = 13 // no header is shorter
	relayedV1    = 107
	relayedV2    = 16
	relayedMost  = 4 << 10
)

var errRelayed = errors.New("no valid PROXY header")

// readRelayed reads a PROXY header from conn, and not a byte of what follows.
// It returns the client, or nil for a connection of the relay's own, such as
// a health check.
func readRelayed(conn io.Reader) (net.Addr, error) {
	raw := make([]byte, relayedStart, relayedV1)
	if _, err := io.ReadFull(conn, raw); err != nil {
		return nil, err
	}
	var err error
	switch {
	case bytes.HasPrefix(raw, proxyproto.SIGV1):
		raw, err = readRelayedLine(conn, raw)
	case bytes.HasPrefix(raw, proxyproto.SIGV2):
		raw, err = readRelayedBlock(conn, raw)
	default:
		err = errRelayed
	}
	if err != nil {
		return nil, err
	}
	header, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(raw), relayedMost+relayedV2))
	switch {
	case err != nil:
		return nil, err
	case header.Command.IsLocal() || header.TransportProtocol.IsUnspec():
		return nil, nil
	}
	client, _, ok := header.TCPAddrs()
	if !ok {
		return nil, errRelayed
	}
	return client, nil
}

func readRelayedLine(conn io.Reader, raw []byte) ([]byte, error) {
	for raw[len(raw)-1] != '\n' {
		if len(raw) == relayedV1 {
			return nil, errRelayed
		}
		raw = raw[:len(raw)+1]
		if _, err := io.ReadFull(conn, raw[len(raw)-1:]); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

func readRelayedBlock(conn io.Reader, raw []byte) ([]byte, error) {
	raw = raw[:relayedV2]
	if _, err := io.ReadFull(conn, raw[relayedStart:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(raw[14:]))
	if length > relayedMost {
		return nil, errRelayed
	}
	raw = append(raw, make([]byte, length)...)
	_, err := io.ReadFull(conn, raw[relayedV2:])
	return raw, err
}
