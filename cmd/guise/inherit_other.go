//go:build !unix

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

var handoverSignals []os.Signal

func inherited() ([]net.Listener, error)         { return nil, nil }
func inheritVolumes(func(io.Reader) error) error { return nil }

func ownersAlone(_, _ string, _ syscall.RawConn) error { return nil }

func duplicate(net.Listener) (fd uintptr, err error) { return 0, errors.ErrUnsupported }

func announceReady()       {}
func notifySystemd(string) {}

func ownPath() string { return "" }

func (s *server) handover(chan os.Signal) (process int, err error) {
	return 0, errors.ErrUnsupported
}
