package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"guise/cache"
	"guise/proxy/gate"
	"guise/proxy/telemetry"
	"guise/proxy/tunnel"
)

// An observation is what is noted of one request while it is answered: for
// the metrics, and for the log if it is to have a line for each request.
// Nothing in it tells who asked or for what. A nil one notes nothing.
type observation struct {
	http.ResponseWriter
	metrics *telemetry.Metrics
	log     *slog.Logger // nil unless requests are logged
	method  string
	class   telemetry.Class
	began   time.Time
	status  int
	down    int64
	up      atomic.Int64
}

// observe returns the ResponseWriter that the answer to r is to be written to,
// and its observation, nil if nobody wants to know.
func (a *assembly) observe(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *observation) {
	metrics := a.options.Metrics
	if metrics == nil && !a.options.LogRequests {
		return w, nil
	}
	o := &observation{ResponseWriter: w, metrics: metrics, method: telemetry.Method(r.Method), class: telemetry.Plain, began: time.Now()}
	if a.options.LogRequests {
		o.log = a.options.Log
	}
	return o, o
}

// classify notes what r, as [asToProxy] returns it, is for.
func (o *observation) classify(c *connection, r *http.Request) {
	switch {
	case o == nil:
	case r.Method == http.MethodConnect:
		o.class = telemetry.Connect
	case c.inner != nil && !c.inner.plain:
		o.class = telemetry.Inside
	case c.inner == nil && c.socks == nil && !r.URL.IsAbs():
		o.class = telemetry.Own
	}
}

// Unwrap is for [http.ResponseController].
func (o *observation) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observation) WriteHeader(status int) { o.WriteStatus(status, "") }

// WriteStatus is WriteHeader with a reason of its own, if that can be said.
func (o *observation) WriteStatus(status int, reason string) {
	if o.status < http.StatusOK {
		o.status = status
	}
	writeStatus(o.ResponseWriter, status, reason)
}

// Withdraw takes back what was written, if it can.
func (o *observation) Withdraw() bool {
	if !withdraw(o.ResponseWriter) {
		return false
	}
	o.status, o.down = 0, 0
	return true
}

func (o *observation) Write(b []byte) (int, error) {
	n, err := o.ResponseWriter.Write(b)
	o.down += int64(n)
	return n, err
}

// ReadFrom lets the wire read the body itself.
func (o *observation) ReadFrom(body io.Reader) (int64, error) {
	n, err := io.Copy(o.ResponseWriter, body)
	o.down += n
	return n, err
}

// answered notes the end of a request that has not become a tunnel; whole is
// false for an answer that was cut.
func (o *observation) answered(whole bool) {
	if o == nil {
		return
	}
	switch {
	case !whole:
		o.status = 0
	case o.status == 0:
		o.status = http.StatusOK
	}
	o.metrics.Request(o.class, o.status, time.Since(o.began))
	if kind, ours := strings.CutPrefix(o.Header().Get("Proxy-Status"), "guise;error="); ours && whole {
		o.metrics.Error(kind)
	}
	o.metrics.Bytes(o.class, o.up.Load(), o.down)
	o.line(o.up.Load() + o.down)
}

// tunnelBegins notes that the request becomes a tunnel, and returns the observation of
// that, which holds nothing of the request.
func (o *observation) tunnelBegins() *observation {
	if o == nil {
		return nil
	}
	o.status = http.StatusOK
	o.metrics.Request(o.class, o.status, time.Since(o.began))
	o.metrics.Tunnel(1)
	return &observation{metrics: o.metrics, log: o.log, method: o.method, class: o.class, status: o.status}
}

// tunnelEnded notes the end of the tunnel that the request became.
func (o *observation) tunnelEnded(carried tunnel.Bytes) {
	if o == nil {
		return
	}
	o.metrics.Tunnel(-1)
	o.metrics.Bytes(o.class, carried.Up, carried.Down)
	o.line(carried.Up + carried.Down)
}

// line writes the log's line. Its time is that of the minute: to the second,
// lines could be held against what a site logged.
func (o *observation) line(bytes int64) {
	if o.log == nil {
		return
	}
	record := slog.NewRecord(time.Now().Truncate(time.Minute), slog.LevelInfo, "request", 0)
	record.AddAttrs(
		slog.String("method", o.method),
		slog.String("status", telemetry.StatusClass(o.status)),
		slog.String("size", telemetry.SizeBucket(bytes)),
	)
	// Past the logger and its level: log.requests asks for the line.
	_ = o.log.Handler().Handle(context.Background(), record) // nobody could be told
}

// reasonOf says to the metrics why a client was not let in.
func reasonOf(err error) string {
	over, limited := errors.AsType[*gate.Over](err)
	switch {
	case limited:
		return over.Limit
	case errors.Is(err, gate.ErrNotAdmitted):
		return "network"
	case errors.Is(err, gate.ErrCredentials):
		return "credentials"
	}
	return ""
}

// watch has the metrics tell what is counted elsewhere.
func (p *Proxy) watch(m *telemetry.Metrics) {
	if m != nil {
		p.watched.Do(func() {
			tellOfCache(m, p.cache.Stats)
			m.Gauge("guise_short", "1 while new work is refused for want of memory or descriptors.", func() float64 {
				if p.current.Load().options.Pressure.Short() {
					return 1
				}
				return 0
			})
		})
	}
}

// tellOfCache has m tell all that stats has.
func tellOfCache(m *telemetry.Metrics, stats func() cache.Stats) {
	for _, counter := range []struct {
		name, help string
		value      func(cache.Stats) uint64
	}{
		{"guise_cache_hits_total", "Answers from the store, at once.", func(s cache.Stats) uint64 { return s.Hits }},
		{"guise_cache_misses_total", "Answers by the origin.", func(s cache.Stats) uint64 { return s.Misses }},
		{"guise_cache_validated_total", "Answers from the store after a 304.", func(s cache.Stats) uint64 { return s.Validated }},
		{"guise_cache_disguised_total", "Answers from the store that took as long as a fetch.", func(s cache.Stats) uint64 { return s.Pretended }},
		{"guise_cache_joined_total", "Answers by another request's fetch.", func(s cache.Stats) uint64 { return s.Collapsed }},
		{"guise_cache_stale_total", "Stale answers because the origin failed.", func(s cache.Stats) uint64 { return s.Stale }},
		{"guise_cache_stored_total", "Responses stored.", func(s cache.Stats) uint64 { return s.Stored }},
		{"guise_cache_differing_total", "Long-lived responses that another client got differently while they were fresh.", func(s cache.Stats) uint64 { return s.Differing }},
		{"guise_cache_invalidated_total", "Responses dropped because of an unsafe request.", func(s cache.Stats) uint64 { return s.Invalid }},
		{"guise_cache_rejected_total", "Resources not stored, being wanted less often than what they would displace.", func(s cache.Stats) uint64 { return s.Rejected }},
		{"guise_cache_evicted_total", "Resources dropped for want of memory.", func(s cache.Stats) uint64 { return s.Evicted }},
	} {
		m.Count(counter.name, counter.help, func() float64 { return float64(counter.value(stats())) })
	}
	m.Gauge("guise_cache_bytes", "Bytes that the store holds.", func() float64 { return float64(stats().Bytes) })
	m.Gauge("guise_cache_lingering_bytes", "Bytes that clients still read of what is not stored any more.", func() float64 { return float64(stats().Lingering) })
	m.Gauge("guise_cache_flight_bytes", "Bytes of bodies on their way that may be stored.", func() float64 { return float64(stats().FlightSize) })
	m.Gauge("guise_cache_resources", "URLs that the store holds.", func() float64 { return float64(stats().Resources) })
}
