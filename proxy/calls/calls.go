// Package calls says in a log where a panic was, and nothing of what it was about.
package calls

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
)

// deepest bounds what is said: the calls below are those of every request.
const deepest = 64

// Stack returns the calls that led to its caller, the last first, as
// [runtime/debug.Stack] does, but without their arguments: among those are the
// addresses of clients and origins.
func Stack() []byte {
	var at [deepest]uintptr
	frames := runtime.CallersFrames(at[:runtime.Callers(2, at[:])])
	var text []byte
	for {
		f, more := frames.Next()
		if f.Function != "" {
			text = fmt.Appendf(text, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		}
		if !more {
			return text
		}
	}
}

// All returns the calls of every goroutine, those of several in the same place once,
// without their arguments.
func All() []byte {
	var text bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&text, 1)
	return text.Bytes()
}
