package wire

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestHTTP2CrumbsCostWhatTheyHold: a cookie in many pieces, most of which are one
// byte on the wire, makes no work beyond its size.
func TestHTTP2CrumbsCostWhatTheyHold(t *testing.T) {
	crumbs := []string{strings.Repeat("x", 40<<10)}
	for i := range 200 {
		crumbs = append(crumbs, strconv.Itoa(i))
	}
	limits := Limits{}.withDefaults()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var b headBlock
	b.reset(frameHead{stream: 1, flags: flagEndStream}, &limits)
	for _, line := range plainGet {
		name, value, _ := strings.Cut(line[1:], ": ")
		b.add(hpack.HeaderField{Name: ":" + name, Value: value})
	}
	for _, crumb := range crumbs {
		b.add(hpack.HeaderField{Name: "cookie", Value: crumb})
	}
	r, err := b.request(t.Context())
	runtime.ReadMemStats(&after)
	if err != nil || len(r.Header["Cookie"]) != 1 || r.Header["Cookie"][0] != strings.Join(crumbs, "; ") {
		t.Fatalf("%d fields, %v", len(r.Header["Cookie"]), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated for 40 KiB", n)
	}
}
