//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestHeapUnderChurn: the heap of a running proxy, garbage and all, keeps within 1.3
// times cache.memory and 5 MiB for the program itself, whatever the size of what
// comes and goes. With GUISE_MEASURE set each cache is as large as by default.
func TestHeapUnderChurn(t *testing.T) {
	guise := buildGuise(t)
	for size, memory := range map[int]int{200: 16 << 20, 4 << 10: 32 << 20, 64 << 10: 64 << 20, 4 << 20: 64 << 20} {
		if os.Getenv("GUISE_MEASURE") != "" {
			memory = 64 << 20
		}
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			highest, stored := churn(t, guise, size, memory)
			for try := 0; try < 3 && highest > 1.3*float64(memory)+ownHeap; try++ {
				highest, stored = churn(t, guise, size, memory) // more comes while a machine halts that collects
			}
			if highest > 1.3*float64(memory)+ownHeap {
				t.Errorf("the heap came to %.1f MiB, %.2f times cache.memory beside that of the program", highest/(1<<20), (highest-ownHeap)/float64(memory))
			}
			if stored < 0.7*float64(memory) {
				t.Errorf("only %.0f bytes are stored", stored)
			}
		})
	}
}

// churn has bodies of that size come and go in a proxy with so much memory for its cache,
// and returns how large the heap was at most, and what is stored at the end.
func churn(t *testing.T, guise string, size, memory int) (highest, stored float64) {
	body := make([]byte, size)
	origin := listenAt(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=86400")
		w.Header().Set("ETag", `"0123456789abcdef"`)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if strings.Contains(r.URL.Path, "sized") {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		} else {
			w.(http.Flusher).Flush() // chunked
		}
		w.Write(body)
	}))
	cmd := exec.Command(guise, "--set", "listeners=127.0.0.1:0", "--set", "admin.address=127.0.0.1:0",
		"--set", "destinations.allow=127.0.0.1", "--set", fmt.Sprintf("cache.memory=%dB", memory))
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GUISE_") || strings.HasPrefix(v, "GOGC") || strings.HasPrefix(v, "GOMEMLIMIT")
	})
	said := startGuise(t, cmd)
	at := said.must(t, `listening on ([^ ]+:\d+)`)[1]
	metrics := said.must(t, `metrics on (\S+)`)[1]
	rest := gauges(t, metrics)["go_memstats_heap_alloc_bytes"]

	clients := 8
	if size >= 64<<10 {
		clients = max(1, 256<<10/size) // each of several might bring a body or two while a collection runs
	}
	proxied := &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyURL(&url.URL{Scheme: "http", Host: at}),
		MaxIdleConnsPerHost: clients, DisableCompression: true,
	}}
	defer proxied.CloseIdleConnections()
	var fetched, asked atomic.Int64
	var mu sync.Mutex
	var cycles float64
	look := max(1, memory/64/(size+16<<10)) // requests from one look to the next: each leaves some KiB of garbage
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for fetched.Load() < int64(2*memory) {
				n := asked.Add(1)
				how := []string{"sized", "chunked"}[n%2]
				resp, err := proxied.Get(fmt.Sprintf("http://%s/%s/%d.html", origin, how, n))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil || got != int64(size) {
					t.Errorf("%d bytes, %v", got, err)
					return
				}
				fetched.Add(got + 3<<10) // with what a head takes
				if n%int64(look) == 0 {
					now := gauges(t, metrics)
					mu.Lock()
					highest = max(highest, now["go_memstats_heap_alloc_bytes"])
					cycles = max(cycles, now["go_gc_duration_seconds_count"])
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	now := gauges(t, metrics)
	t.Logf("cache.memory %d MiB: %.1f MiB at rest, at most %.1f MiB; %.0f collections, %d requests, %.1f s of CPU",
		memory>>20, rest/(1<<20), highest/(1<<20), cycles, asked.Load(), now["process_cpu_seconds_total"])
	return highest, now["guise_cache_bytes"]
}

// listenAt serves h, and returns where.
func listenAt(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// gauges returns the metrics that have no labels.
func gauges(t *testing.T, from string) map[string]float64 {
	t.Helper()
	resp, err := http.Get(from)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	values := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && !strings.HasPrefix(name, "#") {
			values[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return values
}
