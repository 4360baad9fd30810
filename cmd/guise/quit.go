package main

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"guise/proxy/calls"
)

// sayCallsOnQuit has SIGQUIT (Ctrl-\) and SIGABRT, which systemd sends to a process that
// hangs, write to out where every goroutine is, and end the process. The runtime's own
// dump has the arguments of calls: among those are the addresses of clients and origins.
// It waits on a goroutine of its own, since any other may hang.
func sayCallsOnQuit(out io.Writer) (stop func()) {
	told := make(chan os.Signal, 1)
	unheard := hear(told, syscall.SIGQUIT, syscall.SIGABRT)
	ending, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-told:
			fmt.Fprintf(out, "guise: %v\n%s", s, calls.All())
			os.Exit(exitFound)
		case <-ending:
		}
	}()
	return func() {
		unheard()
		close(ending)
		<-ended
	}
}
