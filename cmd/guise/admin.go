package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"guise/config"
	"guise/proxy"
	"guise/proxy/telemetry"
)

// An admin serves the operator, apart from all clients: the metrics on one
// listener and the profiler on a Unix socket. Its methods are called from one
// goroutine.
type admin struct {
	log     *slog.Logger // of its servers' errors
	metrics *telemetry.Metrics
	ready   func() bool
	purge   http.HandlerFunc // drops from the cache
	config  config.Admin     // what is open
	metered *endpoint
	profile *endpoint
	serving sync.WaitGroup
}

// An endpoint is one listener with its server.
type endpoint struct {
	net.Listener
	server *http.Server
}

func newAdmin(log *slog.Logger, ready func() bool, purge http.HandlerFunc) *admin {
	sampleMemory(false)
	return &admin{log: log, metrics: telemetry.New(), ready: ready, purge: purge}
}

// handler serves the metrics and the health checks, and takes orders to purge.
func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.metrics.Handler(a.ready))
	mux.Handle("POST /purge", a.purge)
	mux.HandleFunc("/purge", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "purge takes POST, as curl -d 'what=example.com' sends it", http.StatusMethodNotAllowed)
	})
	return proxy.ForOperators(mux)
}

// change opens what want names, then calls accept, and closes what is wanted no more if
// accept returns nil. On an error everything stays as it was.
func (a *admin) change(want config.Admin, accept func() error) error {
	before := a.endpoints()
	err := a.open(want)
	if err == nil {
		err = accept()
	}
	if err != nil {
		closeBut(before, a.endpoints())
		a.metered, a.profile = before[0], before[1]
		return err
	}
	closeBut(a.endpoints(), before)
	for _, e := range a.endpoints() {
		if e != nil && !slices.Contains(before, e) {
			a.serving.Go(func() { e.server.Serve(e.Listener) })
		}
	}
	a.config = want
	sampleMemory(a.profile != nil)
	return nil
}

// endpoints returns both endpoints; each is nil if it is not open.
func (a *admin) endpoints() []*endpoint { return []*endpoint{a.metered, a.profile} }

// open opens what want names and is not open.
func (a *admin) open(want config.Admin) (err error) {
	if want.Address != a.config.Address {
		network, address := want.Address.Endpoint()
		if a.metered, err = a.openEndpoint(network, address, a.handler()); err != nil {
			return fmt.Errorf("admin.address: %w", err)
		}
	}
	if want.Pprof != a.config.Pprof {
		if a.profile, err = a.openEndpoint("unix", want.Pprof, profiler()); err != nil {
			return fmt.Errorf("admin.pprof: %w", err)
		}
	}
	return nil
}

// closeBut closes those of all that are not kept.
func closeBut(kept, all []*endpoint) {
	for _, e := range all {
		if e != nil && !slices.Contains(kept, e) {
			e.server.Close()
			e.Close() // the server closes only what it has served
		}
	}
}

// sampleMemory turns the profiler's sampling of allocations on or off. Where nobody
// can ask for the profile, it would cost a hundredth of each cache hit for nothing.
func sampleMemory(on bool) {
	runtime.MemProfileRate = 0
	if on {
		runtime.MemProfileRate = 512 << 10 // bytes for each, as the runtime has it
	}
}

// openEndpoint listens on address, "" for nothing.
func (a *admin) openEndpoint(network, address string, h http.Handler) (*endpoint, error) {
	if address == "" {
		return nil, nil
	}
	var how net.ListenConfig
	if network == "unix" {
		if err := removeStaleSocket(address); err != nil {
			return nil, err
		}
		how.Control = ownersAlone
	}
	l, err := how.Listen(context.Background(), network, address)
	if err != nil {
		return nil, notOpened(network, address, err)
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o600); err != nil {
			l.Close()
			return nil, err
		}
	}
	return &endpoint{l, &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}}, nil
}

// removeStaleSocket removes the socket of a process that is gone; one that
// answers, or a file that is no socket, stays.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is no socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%s is in use", path)
	}
	return os.Remove(path)
}

// profiler serves what net/http/pprof has, and not on the default mux.
func profiler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/goroutine", func(w http.ResponseWriter, r *http.Request) {
		// Above 1 it shows the arguments of calls, with the addresses of clients among them.
		if debug, _ := strconv.Atoi(r.FormValue("debug")); debug > 1 {
			r.Form.Set("debug", "1")
		}
		pprof.Index(w, r)
	})
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// addresses are where the metrics are served over TCP.
func (a *admin) addresses() []netip.AddrPort {
	if a.metered == nil {
		return nil
	}
	if at, ok := a.metered.Addr().(*net.TCPAddr); ok {
		return []netip.AddrPort{at.AddrPort()}
	}
	return nil
}

// close closes what is open and waits for it.
func (a *admin) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, e := range a.endpoints() {
		if e != nil && e.server.Shutdown(ctx) != nil {
			e.server.Close()
		}
	}
	a.serving.Wait()
}
