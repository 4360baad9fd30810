//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process inherits listeners from systemd (sd_listen_fds(3)), or from the guise
// that it takes over from. That guise cannot know the successor's process id
// beforehand, so it names that of the successor's parent.
const (
	firstInherited = 3
	listenCount    = "LISTEN_FDS"
	listenProcess  = "LISTEN_PID"
	listenParent   = "LISTEN_PARENT"
	readyPipe      = "LISTEN_READY"   // descriptor on which to say that the child serves
	volumesPipe    = "LISTEN_VOLUMES" // descriptor that says what clients have spent today
	notifySocket   = "NOTIFY_SOCKET"
)

// handoverSignals start a successor that takes the listeners over.
var handoverSignals = []os.Signal{syscall.SIGUSR2}

// inherited returns the listeners that were passed to this process, and
// forgets about them: a second call returns none.
func inherited() ([]net.Listener, error) {
	count, err := strconv.Atoi(os.Getenv(listenCount))
	mine := os.Getenv(listenProcess) == strconv.Itoa(os.Getpid()) || os.Getenv(listenParent) == strconv.Itoa(os.Getppid())
	for _, name := range []string{listenCount, listenProcess, listenParent, "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
	if err != nil || !mine {
		return nil, nil
	}
	var passed []net.Listener
	for fd := firstInherited; fd < firstInherited+count; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "listener")
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			for _, l := range passed {
				l.Close()
			}
			return nil, fmt.Errorf("inherited descriptor %d is no listener: %w", fd, err)
		}
		passed = append(passed, l)
	}
	return passed, nil
}

// inheritVolumes has load read what clients have spent today, if a guise before this one
// hands it over.
func inheritVolumes(load func(io.Reader) error) error {
	fd, err := strconv.Atoi(os.Getenv(volumesPipe))
	os.Unsetenv(volumesPipe)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "volumes")
	defer f.Close()
	return load(f)
}

// ownersAlone sets a socket's mode before it is bound, which Linux gives its file: set
// only afterwards, it would let others connect for a moment.
func ownersAlone(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) { syscall.Fchmod(int(fd), 0o600) }) // other systems have the mode set afterwards alone
}

// announceReady tells whoever waits that this process serves: the guise it
// takes over from, and systemd.
func announceReady() {
	if fd, err := strconv.Atoi(os.Getenv(readyPipe)); err == nil {
		os.Unsetenv(readyPipe)
		f := os.NewFile(uintptr(fd), "ready")
		f.WriteString("ready")
		f.Close()
	}
	notifySystemd("READY=1\nMAINPID=" + strconv.Itoa(os.Getpid()))
}

// notifySystemd sends a state (sd_notify(3)), if systemd wants any.
func notifySystemd(state string) {
	path := os.Getenv(notifySocket)
	if path == "" {
		return
	}
	if strings.HasPrefix(path, "@") { // an abstract socket
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return // the service goes on; systemd will say that it heard nothing
	}
	defer c.Close()
	c.Write([]byte(state))
}

// How long a successor has to begin to serve, and one that failed to end.
const (
	handoverPatience = 30 * time.Second
	endPatience      = 5 * time.Second
)

// ownPath returns the path by which this program was started, "" if that is not known.
// Call it at the start: later, the file may have been moved away, or a link may lead
// elsewhere.
func ownPath() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	named, err := exec.LookPath(os.Args[0])
	if err == nil {
		named, err = filepath.Abs(named)
	}
	if err == nil && sameFile(named, path) {
		return named
	}
	return path
}

func sameFile(one, other string) bool {
	a, errA := os.Stat(one)
	b, errB := os.Stat(other)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// handover starts this program anew, as it is on disk by now, with the same
// arguments and the open listeners. It returns once the successor serves:
// then both accept, and this one may stop, and no connection is refused.
// A stop ends the wait, and the successor.
func (s *server) handover(stops chan os.Signal) (process int, err error) {
	if os.Getpid() == 1 {
		return 0, errors.New("the first process of a container ends all others with it; start a new container beside it, or guise under an init")
	}
	if s.path == "" {
		return 0, errors.New("it is not known where the program is")
	}
	hear, say, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer hear.Close()
	defer say.Close()
	volumes, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer volumes.Close()
	defer tell.Close()
	files, err := s.listeners.duplicates()
	defer func() {
		for _, fd := range files {
			syscall.Close(int(fd))
		}
	}()
	if err != nil {
		return 0, err
	}
	child, err := startSuccessor(s.path, files, say, volumes)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", s.path, err)
	}
	say.Close()
	var telling sync.WaitGroup
	telling.Go(func() {
		defer tell.Close()
		s.proxy.SaveVolumes(tell) // a successor that does not read it counts anew
	})
	defer telling.Wait()
	defer tell.Close()
	if err := awaitSuccessor(child, hear, stops); err != nil {
		return 0, err
	}
	return child, nil
}

// startSuccessor starts the program at path with descriptors of listeners, of a pipe on
// which to say that it serves, and of one with the volumes of the day.
func startSuccessor(path string, listeners []uintptr, say, volumes *os.File) (process int, err error) {
	attributes, parent := asSibling()
	// Not os/exec: it would make the descriptors block, and with them the
	// listeners that still accept here.
	return syscall.ForkExec(path, os.Args, &syscall.ProcAttr{
		Sys: attributes,
		Env: append(os.Environ(),
			fmt.Sprintf("%s=%d", listenCount, len(listeners)),
			fmt.Sprintf("%s=%d", listenParent, parent),
			fmt.Sprintf("%s=%d", readyPipe, firstInherited+len(listeners)),
			fmt.Sprintf("%s=%d", volumesPipe, firstInherited+len(listeners)+1)),
		Files: slices.Concat([]uintptr{0, 1, 2}, listeners, []uintptr{say.Fd(), volumes.Fd()}),
	})
}

// awaitSuccessor waits until child says on hear that it serves. On an error child has
// ended, killed if need be, so that the operator's listener is free.
func awaitSuccessor(child int, hear *os.File, stops chan os.Signal) (err error) {
	ends := watchEnd(child)
	defer ends.Close() // does nothing for nil
	hear.SetReadDeadline(time.Now().Add(handoverPatience))
	var n int
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		n, err = hear.Read(make([]byte, 8))
	}()
	if !unlessStopped(heard, stops, 0) {
		hear.SetReadDeadline(time.Unix(1, 0))
		<-heard
	}
	if n > 0 {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) { // else it has ended, and its number may be another's by now
		syscall.Kill(child, syscall.SIGKILL)
	}
	awaitEnd(child, ends)
	return fmt.Errorf("the successor did not get to serve: %w", err)
}

// duplicates returns descriptors of the open listeners, for the caller to
// close, also on an error.
func (ls *listeners) duplicates() (files []uintptr, err error) {
	for _, l := range ls.open {
		fd, err := duplicate(l.Listener)
		if errors.Is(err, errors.ErrUnsupported) {
			continue // the successor opens it anew
		}
		if err != nil {
			return files, err
		}
		files = append(files, fd)
	}
	return files, nil
}

// duplicate returns another descriptor of l's socket, for the caller to close.
func duplicate(l net.Listener) (fd uintptr, err error) {
	socket, ok := l.(syscall.Conn)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var dupErr error
	err = raw.Control(func(fd uintptr) { n, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return uintptr(n), errors.Join(err, dupErr)
}
