// Package telemetry counts what the proxy does, in a way that says nothing
// about who did it or where it went.
//
// A [Metrics] is handed to the proxy, and its [Metrics.Handler] served to the
// operator on a listener of its own. Every label has a handful of values that
// stand in this file; none of them comes from a request.
package telemetry

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Class is what a request is for.
type Class string

// The classes of requests.
const (
	Plain   Class = "plain"   // http://, read and filtered
	Connect Class = "connect" // CONNECT, a tunnel if it succeeds
	Own     Class = "own"     // the proxy's own pages
	Inside  Class = "inside"  // https://, inside an inspected connection
)

// Metrics counts. A nil Metrics counts nothing. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	refused  *prometheus.CounterVec
	errors   *prometheus.CounterVec
	tunnels  prometheus.Gauge
	conns    prometheus.Gauge
}

// New returns metrics that hold those of the process and the Go runtime too.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "guise_requests_total", Help: "Requests answered, by what they are for and class of status; cut where the answer broke off, or the client left before it had one."}, []string{"class", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "guise_request_seconds", Help: "Time from a request's head to the end of its response, or to the beginning of its tunnel.",
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"class"}),
		bytes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "guise_bytes_total", Help: "Bytes of bodies and tunnels, by direction: up is towards origins."}, []string{"class", "direction"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "guise_refused_total", Help: "Connections and requests that were not let in, by reason."}, []string{"reason"}),
		errors:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "guise_errors_total", Help: "Answers that guise gave itself because a request could not be carried out, by proxy error type (RFC 9209)."}, []string{"type"}),
		tunnels: prometheus.NewGauge(prometheus.GaugeOpts{Name: "guise_tunnels", Help: "Open tunnels."}),
		conns:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "guise_connections", Help: "Client connections that are no tunnels."}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.bytes, m.refused, m.errors, m.tunnels, m.conns,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// From the start, or the first of each would show no increase.
	for reason := range reasons {
		m.refused.WithLabelValues(reason)
	}
	for kind := range errorTypes {
		m.errors.WithLabelValues(kind)
	}
	return m
}

// Count adds a counter with a value that is kept elsewhere. It panics if the name is taken.
func (m *Metrics) Count(name, help string, value func() float64) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
	}
}

// Gauge adds a gauge with a value that is kept elsewhere. It panics if the name is taken.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
}

// Request counts an answered request. status 0 is an answer that was cut.
func (m *Metrics) Request(c Class, status int, took time.Duration) {
	if m != nil {
		m.requests.WithLabelValues(string(c), StatusClass(status)).Inc()
		m.duration.WithLabelValues(string(c)).Observe(took.Seconds())
	}
}

// Bytes counts bytes of bodies and tunnels: up to origins, and down to clients.
func (m *Metrics) Bytes(c Class, up, down int64) {
	if m != nil {
		m.bytes.WithLabelValues(string(c), "up").Add(float64(max(up, 0)))
		m.bytes.WithLabelValues(string(c), "down").Add(float64(max(down, 0)))
	}
}

// Refused counts a connection or request that was not let in. An unknown reason becomes
// "other".
func (m *Metrics) Refused(reason string) {
	if m != nil {
		m.refused.WithLabelValues(known(reasons, reason)).Inc()
	}
}

// Error counts a failure by its proxy error type. One that RFC 9209 does not
// have becomes "other".
func (m *Metrics) Error(kind string) {
	if m != nil {
		kind, _, _ = strings.Cut(kind, ";")
		m.errors.WithLabelValues(known(errorTypes, kind)).Inc()
	}
}

// Tunnel adds by to the open tunnels.
func (m *Metrics) Tunnel(by int) {
	if m != nil {
		m.tunnels.Add(float64(by))
	}
}

// Connection adds by to the open connections.
func (m *Metrics) Connection(by int) {
	if m != nil {
		m.conns.Add(float64(by))
	}
}

// Handler serves the operator: /metrics, /healthz (200 while the process
// answers) and /readyz (200 while ready returns true, else 503).
func (m *Metrics) Handler(ready func() bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ready() {
			say(w, http.StatusOK, "ready")
			return
		}
		say(w, http.StatusServiceUnavailable, "not ready")
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n"))
}

// StatusClass is "2xx" for 200, and "cut" for an answer that broke off.
func StatusClass(status int) string {
	switch {
	case status <= 0:
		return "cut"
	case status < 100 || status > 599:
		return "other"
	}
	return string('0'+rune(status/100)) + "xx"
}

// methods are the methods that may be written down.
var methods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace}

// Method returns method if it may be written down, else "other": clients can make
// methods up. The result is a constant, and no part of the request's head, which would
// stay in memory.
func Method(method string) string {
	if i := slices.Index(methods[:], method); i >= 0 {
		return methods[i]
	}
	return "other"
}

// SizeBucket returns the order of magnitude of a number of bytes, such as "<16KiB".
func SizeBucket(bytes int64) string {
	switch {
	case bytes <= 0:
		return "0"
	case bytes < 1<<10:
		return "<1KiB"
	case bytes < 16<<10:
		return "<16KiB"
	case bytes < 256<<10:
		return "<256KiB"
	case bytes < 4<<20:
		return "<4MiB"
	case bytes < 64<<20:
		return "<64MiB"
	}
	return ">=64MiB"
}

func known(names map[string]bool, name string) string {
	if names[name] {
		return name
	}
	return "other"
}

// reasons not to let a client in.
var reasons = set("network", "credentials", "attempts", "requests", "connections", "connection-rate", "handshakes", "tunnels", "tunnel-rate", "volume", "pressure")

// errorTypes are the proxy error types of RFC 9209 §2.3.
var errorTypes = set("dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
	"destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout", "connection_read_timeout",
	"connection_write_timeout", "connection_limit_reached", "tls_protocol_error", "tls_certificate_error", "tls_alert_received",
	"http_request_error", "http_request_denied", "http_response_incomplete", "http_response_header_section_size",
	"http_response_header_size", "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
	"http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
	"http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected")

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}
