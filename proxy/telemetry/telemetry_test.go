package telemetry

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(t *testing.T, m *Metrics, ready bool, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(func() bool { return ready }).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

func TestHealthAndReadiness(t *testing.T) {
	m := New()
	for _, c := range []struct {
		path  string
		ready bool
		code  int
	}{{"/healthz", true, 200}, {"/healthz", false, 200}, {"/readyz", true, 200}, {"/readyz", false, 503}, {"/debug/pprof/", true, 404}, {"/", true, 404}} {
		w := httptest.NewRecorder()
		m.Handler(func() bool { return c.ready }).ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if strings.HasSuffix(c.path, "z") && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept: %v", c.path, w.Header())
		}
		if code := w.Code; code != c.code {
			t.Errorf("%s while ready is %t: %d, want %d", c.path, c.ready, code, c.code)
		}
	}
}

// TestFirstOneIsAnIncrease: what is rare, and watched for, is there before it happens.
func TestFirstOneIsAnIncrease(t *testing.T) {
	_, told := ask(t, New(), true, "/metrics")
	for _, want := range []string{`guise_refused_total{reason="pressure"} 0`, `guise_errors_total{type="dns_timeout"} 0`} {
		if !strings.Contains(told, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

// TestLabelsComeFromHere whatever is reported.
func TestLabelsComeFromHere(t *testing.T) {
	m := New()
	for _, made := range []string{"canary", "", "2xx\"} 1\n", "dns_error;rcode=canary"} {
		m.Refused(made)
		m.Error(made)
	}
	m.Request(Plain, 200, time.Second)
	m.Request(Connect, 0, time.Second)
	m.Request(Own, 999, time.Second)
	m.Bytes(Plain, 7, -1)
	m.Bytes(Connect, -1, 5)
	for range 3 {
		m.Tunnel(1)
		m.Connection(2)
	}
	m.Tunnel(-1)
	m.Connection(-2)
	_, told := ask(t, m, true, "/metrics")
	if strings.Contains(told, "canary") {
		t.Errorf("a made-up label is told:\n%s", told)
	}
	for _, want := range []string{
		`guise_refused_total{reason="other"} 4`, `guise_errors_total{type="other"} 3`, `guise_errors_total{type="dns_error"} 1`,
		`guise_requests_total{class="plain",status="2xx"} 1`, `guise_requests_total{class="connect",status="cut"} 1`,
		`guise_requests_total{class="own",status="other"} 1`, `guise_bytes_total{class="plain",direction="up"} 7`,
		`guise_bytes_total{class="plain",direction="down"} 0`, `guise_bytes_total{class="connect",direction="down"} 5`,
		`guise_request_seconds_sum{class="plain"} 1`, `guise_request_seconds_count{class="own"} 1`,
		"\nguise_tunnels 2\n", "\nguise_connections 4\n",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

// TestMethodsHoldNoHeads: a tunnel's is kept as long as that, and the text of a
// request's method is a part of all its head.
func TestMethodsHoldNoHeads(t *testing.T) {
	head := strings.Clone("CONNECT www.example:443 HTTP/1.1\r\nProxy-Authorization: Basic canary\r\n")
	method, _, _ := strings.Cut(head, " ")
	if got := Method(method); got != method || unsafe.StringData(got) == unsafe.StringData(method) {
		t.Errorf("%q is the head's own text", got)
	}
}

func TestWhatMayBeWrittenDown(t *testing.T) {
	for method, want := range map[string]string{"GET": "GET", "get": "other", "CANARY": "other", "": "other", "CONNECT": "CONNECT"} {
		if got := Method(method); got != want {
			t.Errorf("method %q is written as %q", method, got)
		}
	}
	for bucket, of := range map[string][2]int64{
		"0": {-1, 0}, "<1KiB": {1, 1<<10 - 1}, "<16KiB": {1 << 10, 16<<10 - 1}, "<256KiB": {16 << 10, 256<<10 - 1},
		"<4MiB": {256 << 10, 4<<20 - 1}, "<64MiB": {4 << 20, 64<<20 - 1}, ">=64MiB": {64 << 20, 1 << 60},
	} {
		for _, n := range of {
			if got := SizeBucket(n); got != bucket {
				t.Errorf("%d bytes are said to be %s, want %s", n, got, bucket)
			}
		}
	}
}

// TestNothingIsCounted without metrics.
func TestNothingIsCounted(t *testing.T) {
	var m *Metrics
	m.Request(Plain, 200, 0)
	m.Bytes(Plain, 1, 1)
	m.Refused("x")
	m.Error("x")
	m.Tunnel(1)
	m.Connection(1)
	m.Count("x", "x", nil)
	m.Gauge("x", "x", nil)
}
