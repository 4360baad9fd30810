package gate

import (
	"context"
	"log/slog"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// Thresholds of a [Pressure], as parts of the limit. Between the two it stays as
// it was.
const (
	shortAbove = 0.90
	enoughAt   = 0.85
)

// requestNeeds is how many bytes a running request may yet come to hold: buffers of what it
// reads at one end and sends at the other, and the stack of its goroutine. It is measured.
const requestNeeds = 96 << 10

// worthCollecting is the part of all memory that has to come free to be worth a
// collection of garbage, which looks through all that is in use.
const worthCollecting = 32

// PressureOptions configures a [Pressure]. The zero value watches this
// process.
type PressureOptions struct {
	Every       time.Duration              // between looks; 0 means 250 ms
	Memory      func() (used, limit int64) // bytes; limit 0 for none; nil asks the runtime and the cgroup
	Descriptors func() (used, limit int64) // nil asks the system
	Follow      bool                       // keep the runtime's memory limit at nine tenths of the cgroup's
	Log         *slog.Logger               // says when it gets short; nil discards
}

// A Pressure knows whether memory or file descriptors run short: then new work is
// refused, so that what runs can be finished. Before that, a [Relief] frees what is only
// kept for later use. A nil Pressure is never short. It is safe for concurrent use.
type Pressure struct {
	options PressureOptions
	relief  atomic.Pointer[Relief]
	short   atomic.Bool
	room    atomic.Int64 // descriptors that may be taken before the next look
	running atomic.Int64 // requests that have begun
	most    atomic.Int64 // how many of them may run, by the memory left at the last look
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// A Relief gives up what can be had again. Memory and Descriptors report whether there
// was anything; they are called again while that is not enough.
type Relief struct {
	Memory      func(worth int64) bool // frees worth bytes at the least, or nothing
	Descriptors func() bool
	Clients     func(most int64) // ends up to most idle ones, a moment later, if Descriptors was not enough; nil for none
}

// RelievedBy has r asked when memory or descriptors begin to run short.
func (p *Pressure) RelievedBy(r Relief) {
	if p != nil {
		p.relief.Store(&r)
	}
}

// Watch starts a Pressure, which runs until it is closed.
func Watch(o PressureOptions) *Pressure {
	if o.Every <= 0 {
		o.Every = 250 * time.Millisecond
	}
	if o.Descriptors == nil {
		o.Descriptors = descriptorsInUse
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pressure{options: o}
	if o.Follow {
		followCgroup()
	}
	p.look()
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() { p.run(ctx) })
	return p
}

// Short reports whether new work should be refused.
func (p *Pressure) Short() bool { return p != nil && p.short.Load() }

// Take reserves a descriptor, and reports whether there is room for it: thousands of
// connections can come between two looks. After that, Give tells that it is free again.
func (p *Pressure) Take() bool {
	switch {
	case p == nil:
		return true
	case p.Short():
		return false
	case p.room.Add(-1) < 0:
		p.room.Add(1)
		return false
	}
	return true
}

// Give undoes a Take.
func (p *Pressure) Give() {
	if p != nil {
		p.room.Add(1)
	}
}

// Begin reports whether a request may run, and counts it if so: there must be memory for
// what all running ones may yet come to hold, since thousands can begin between two looks,
// or wait for an origin and then be answered at once. A single one may run unless memory is
// short. End tells that the request is over.
func (p *Pressure) Begin() bool {
	switch {
	case p == nil:
		return true
	case p.Short():
		return false
	case p.running.Add(1) > max(p.most.Load(), 1):
		p.running.Add(-1)
		return false
	}
	return true
}

// End undoes a Begin.
func (p *Pressure) End() {
	if p != nil {
		p.running.Add(-1)
	}
}

// Close ends the watch.
func (p *Pressure) Close() {
	if p == nil {
		return
	}
	p.cancel()
	p.done.Wait()
}

// followEvery is how often the cgroup's limit is read: operators change it
// while a container runs.
const followEvery = 5 * time.Second

func (p *Pressure) run(ctx context.Context) {
	tick := time.NewTicker(p.options.Every)
	defer tick.Stop()
	followed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p.options.Follow && time.Since(followed) >= followEvery {
			followed = time.Now()
			followCgroup()
		}
		p.look()
	}
}

// memory is what memoryInUse returns, or the options say.
func (p *Pressure) memory() (used, limit, idle int64) {
	if p.options.Memory == nil {
		return memoryInUse()
	}
	used, limit = p.options.Memory()
	return used, limit, 0
}

func (p *Pressure) look() {
	open, limit := p.options.Descriptors()
	used, most, idle := p.memory()
	memory, descriptors := part(used, most), part(open, limit)
	if r := p.relief.Load(); r != nil {
		if memory > enoughAt && r.Memory(most/worthCollecting) {
			debug.FreeOSMemory() // uncollected, it would still count as used
			used, most, idle = p.memory()
			memory = part(used, most)
		}
		if descriptors > enoughAt && r.Descriptors() {
			open, limit = p.options.Descriptors()
			descriptors = part(open, limit)
		}
		if descriptors > enoughAt && r.Clients != nil {
			r.Clients(open - int64(float64(limit)*enoughAt))
		}
	}
	p.room.Store(left(open, limit))
	p.most.Store(left(used-idle, most) / requestNeeds)
	switch was := p.short.Load(); {
	case !was && max(memory, descriptors) > shortAbove:
		p.short.Store(true)
		p.options.Log.Warn("new work is refused until there is more room", "memory", percent(memory), "descriptors", percent(descriptors))
	case was && max(memory, descriptors) <= enoughAt:
		p.short.Store(false)
		p.options.Log.Warn("there is room again", "memory", percent(memory), "descriptors", percent(descriptors))
	}
}

// left returns how much may yet be used before it is short.
func left(used, limit int64) int64 {
	if limit <= 0 {
		return math.MaxInt64 / 2 // Give adds to it
	}
	return int64(float64(limit)*shortAbove) - used
}

func part(used, limit int64) float64 {
	if limit <= 0 {
		return 0
	}
	return float64(used) / float64(limit)
}

func percent(part float64) int { return int(part * 100) }

// memoryInUse is the fuller one of the runtime's limit and the cgroup's. Of what is used,
// idle is what the runtime has at hand for what is to come, after a collection at the most.
func memoryInUse() (used, limit, idle int64) {
	live, idle := heldMemory()
	used, limit = live, debug.SetMemoryLimit(-1)
	if inCgroup, most := cgroupMemory(); part(inCgroup, most) > part(used, limit) {
		return inCgroup, most, idle
	}
	return used, limit, 0
}

// heldMemory is what the runtime holds: what a collection would not give back, and the
// rest.
func heldMemory() (live, idle int64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	var v [6]int64
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			v[i] = int64(s.Value.Uint64())
		}
	}
	garbage := max(v[4]-v[5], 0)
	idle = v[2] + v[3] + garbage
	return v[0] - v[1] - idle, idle
}

// followCgroup makes the collector work harder when the cgroup's memory runs
// out, unless GOMEMLIMIT says what to do.
func followCgroup() {
	if _, limit := cgroupMemory(); limit > 0 && !memoryLimitIsSet() {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}
