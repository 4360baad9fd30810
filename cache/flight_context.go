package cache

import (
	"context"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"time"

	"guise/cache/ending"
)

// A flightContext has the values of the leader's request and nothing of its
// end: its own is the flight's. The leader's httptrace hooks run only while the
// leader waits: a 103 must not be written to a client whose request has ended.
type flightContext struct {
	ending.End
	leader context.Context
	trace  *guardedTrace
}

func (*flightContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *flightContext) Value(name any) any {
	value := c.leader.Value(name)
	if inner, ok := value.(*httptrace.ClientTrace); ok {
		return c.trace.around(inner)
	}
	return value
}

// A guardedTrace passes 1xx responses on until it is silenced.
type guardedTrace struct {
	mu     sync.Mutex
	silent bool
	came   bool // an interim response
	outer  *httptrace.ClientTrace
}

func (g *guardedTrace) around(inner *httptrace.ClientTrace) *httptrace.ClientTrace {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outer == nil {
		g.outer = &httptrace.ClientTrace{}
		if inner.Got1xxResponse != nil {
			g.outer.Got1xxResponse = func(code int, header textproto.MIMEHeader) error {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.came = true
				if g.silent {
					return nil
				}
				return inner.Got1xxResponse(code, header)
			}
		}
	}
	return g.outer
}

// interim reports whether an interim response came, also if the leader had gone.
func (g *guardedTrace) interim() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.came
}

// silence returns once no hook runs any more, and none will.
func (g *guardedTrace) silence() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent = true
}
