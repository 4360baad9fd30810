package proxy

import (
	"net/http"
	"strings"
	"testing"

	"guise/proxy/wire"
)

// TestWhatMayBeRepeated: what the origin says it did nothing about; and else what
// means the same twice, where a connection that worked before was lost.
func TestWhatMayBeRepeated(t *testing.T) {
	lost := &wire.ConnError{Op: "read", Err: http.ErrHandlerTimeout}
	for _, c := range []struct {
		method, body string
		err          error
		used, silent bool
		want         bool
	}{
		{"POST", "a", wire.ErrNotProcessed, false, false, true},
		{"POST", "a", wire.ErrWantsHTTP1, false, false, true},
		{"GET", "", wire.ErrNoResponse, true, false, true},
		{"GET", "", lost, true, false, true},
		{"GET", "", lost, false, false, false},
		{"GET", "a", lost, true, false, false},
		{"POST", "", lost, true, false, false},
		{"GET", "", wire.ErrResponseTimeout, true, false, false},
		{"GET", "", wire.ErrResponseTimeout, true, true, true},
		{"POST", "", wire.ErrResponseTimeout, true, true, false},
		{"GET", "", wire.ErrResponseTimeout, false, true, false},
	} {
		r, _ := http.NewRequest(c.method, "https://a.example/", nil)
		if c.body != "" {
			r, _ = http.NewRequest(c.method, "https://a.example/", strings.NewReader(c.body))
		}
		if got := mayRepeat(r, c.err, c.used, c.silent); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
