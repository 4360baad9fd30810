//go:build !linux

package tunnel

import "net"

// splice has no means here: the stream goes through memory.
func (s *stream) splice() (done bool, err error) { return false, nil }

func awaitTCP(*net.TCPConn) {}

// wasBroken does not know.
func (s *stream) wasBroken() bool { return false }

// A lot is nothing here: every stream has its goroutine.
type lot struct{}

type place struct{}

func (l *lot) park(*stream) error { return nil }
func (l *lot) leave(*stream)      {}
func (l *lot) close()             {}

func (s *stream) canPark() bool { return false }
func (s *stream) settle() bool  { return false }

func tunnelOpens() *lot { return nil }
func tunnelEnds() *lot  { return nil }
