package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"guise/config"
	"guise/proxy"
	"guise/proxy/gate"
)

func newServeCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy (the default)",
		Long: `Serve runs the proxy until it is told to stop. Without --config it is the
household profile on 127.0.0.1:8118.

SIGHUP or a change of the file, of one of destinations.deny_lists or of
upstream.authorities, loads the configuration again; if the new one has problems
they are printed and the old one stays. No open connection is cut.
SIGUSR2 starts the program anew, as it is on disk by then, hands it the open
listeners and the volumes of the day, and stops once it serves: no connection is
refused or cut before timeouts.shutdown. The first process of a container cannot
do that, as all end with it. Listeners that systemd opened (LISTEN_FDS) are
taken for those of the configuration.
SIGTERM or SIGINT (Ctrl-C) stops accepting and lets what is running finish for
timeouts.shutdown; a second one ends it at once.

The start page, opened on this machine, has a form that drops one URL, a host or
everything from the cache; admin.address takes the same at /purge, as with
curl -d 'what=example.com' http://127.0.0.1:9118/purge. Another form, for each
client that is known by its address, forgets what is kept for that client alone.

The garbage collector runs when garbage has grown to what is in use and 32 MiB,
and when nothing has come for a second. A full cache leaves less room: the heap,
garbage and all, keeps within 1.3 times cache.memory, beside 5 MiB for the
program and what open connections take. The cache holds half of a memory limit,
or the container's, at most, and less where other things leave less.
Requests that would run out of such a limit, at 96 KiB each, get a 503.
GOGC or GOMEMLIMIT in the environment set it as for any Go program instead.

On Linux, one processor is used while half of it is enough, and all of them
otherwise. GOMAXPROCS in the environment sets a fixed number instead.`,
		Example: `  guise serve
  guise serve --config guise.yaml
  guise serve --set profile=pac --set cache.memory=256MiB
  GUISE_IDENTITY_PERSONA=chrome guise serve`,
		Args: noArguments,
		RunE: work(func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context()) }),
	}
}

// A server is a running proxy with its listeners and its configuration. Its
// methods are called from one goroutine.
type server struct {
	*program
	path       string // of the program, as it was started
	config     *config.Config
	proxy      *proxy.Proxy
	listeners  *listeners
	admin      *admin
	pressure   *gate.Pressure
	collector  collector
	processors processors
	log        *slog.Logger
	level      slog.LevelVar // of log, whose holders keep it across reloads
	serving    atomic.Bool   // between start and stop
}

// serve runs until a signal stops it, ctx ends, or a listener fails.
func (p *program) serve(ctx context.Context) error {
	// Signals first: none may kill the process while it starts, and SIGHUP never.
	told := orders{make(chan os.Signal, 2), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	defer hear(told.stop, syscall.SIGTERM, syscall.SIGINT)()
	defer hear(told.reload, syscall.SIGHUP)()
	defer hear(told.handover, handoverSignals...)()
	// What reads standard error may end first, as tee does at Ctrl-C: the next
	// message must not kill this process, whose requests still run.
	signal.Ignore(syscall.SIGPIPE)
	defer sayCallsOnQuit(p.stderr)()
	// Or it stops reading, and does not end.
	said := newNotices(p.stderr)
	p.stderr = said
	defer func() { p.stderr = said.end() }()

	trusted := readTrusted()
	loaded, _ := fingerprint(p.file)
	if err := forbidDumps(); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	s, err := orStopped(told.stop, p.start, errors.New("stopped before it served"))
	if err != nil {
		return err
	}
	defer s.close()
	changed := watch(ctx, p.file, loaded, namedFiles(s.config), func(err error) {
		fmt.Fprintf(p.stderr, "guise: cannot watch %s (%v); send SIGHUP after a change\n", cmp.Or(p.file, "the files that are named"), err)
	})
	defer changed.stop()
	unlessStopped(trusted, told.stop, 0)
	defer s.collector.relax(s.config.Cache.Memory)()
	s.processors.use()
	defer s.processors.release()
	releaseProgram()
	banner(p.stderr, s.config, s.listeners.addresses(), ownAddresses())
	s.announceAdmin()
	announceCA(p.stderr, s.config, s.proxy.AuthorityEnds(), time.Now())
	announceReady()
	return s.obey(ctx, told, changed)
}

// namedFiles are files that c names and that are read when it is loaded. Those of access
// and of listeners are looked at when a client comes.
func namedFiles(c *config.Config) []string {
	files := slices.Clone(c.Destinations.DenyLists)
	if c.Upstream.Authorities != "" {
		files = append(files, c.Upstream.Authorities)
	}
	return files
}

// orders are the signals that come. A channel that is full loses signals, so each kind
// has its own, with room for as many as mean something: a second stop ends the wait.
type orders struct{ stop, reload, handover chan os.Signal }

// obey does what it is told until that, ctx or a listener that fails ends it.
func (s *server) obey(ctx context.Context, told orders, changed *watcher) error {
	reload := func() {
		read := stampsOf(namedFiles(s.config))
		s.reload(told.stop)
		changed.follow(namedFiles(s.config), read)
	}
	for {
		select {
		case <-ctx.Done():
			return s.stop(told.stop)
		case err := <-s.listeners.failed:
			s.proxy.Close()
			s.listeners.wait()
			return err
		case <-changed.events:
			reload()
		case <-told.stop:
			notifySystemd("STOPPING=1")
			return s.stop(told.stop)
		case <-told.reload:
			reload()
		case <-told.handover:
			if s.succeed(told.stop) {
				return s.stop(told.stop)
			}
		}
	}
}

// hear sends signals to c until stop is called; with no signals none, where
// [signal.Notify] would send all.
func hear(c chan<- os.Signal, signals ...os.Signal) (stop func()) {
	if len(signals) > 0 {
		signal.Notify(c, signals...)
	}
	return func() { signal.Stop(c) }
}

// unlessStopped waits until done is closed, and for no longer than patience once a stop has
// come, which it leaves for the next reader. It reports whether done was closed.
func unlessStopped(done <-chan struct{}, stops chan os.Signal, patience time.Duration) bool {
	select {
	case <-done:
		return true
	case stop := <-stops:
		select {
		case stops <- stop:
		default: // more came
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// startPatience is how long a start may go on after a stop.
const startPatience = time.Second

// orStopped returns what f returns, or stopped if a stop comes while f waits for what may
// never come: somebody who writes to a pipe that f reads, or types at the terminal.
func orStopped[T any](stops chan os.Signal, f func() (*T, error), stopped error) (*T, error) {
	var result *T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = f()
	}()
	if !unlessStopped(done, stops, startPatience) {
		return nil, stopped
	}
	return result, err
}

// succeed starts a successor, and reports whether this process may stop. The
// successor serves the operator too, so this one makes way for it.
func (s *server) succeed(stops chan os.Signal) bool {
	own := s.config.Admin
	none := func() error { return nil }
	s.admin.change(config.Admin{}, none) // to open nothing cannot fail
	s.processors.release()               // the successor inherits this process's set
	process, err := s.handover(stops)
	if err == nil {
		fmt.Fprintf(s.stderr, "guise: a successor serves, process %d; it has the listeners\n", process)
		return true
	}
	s.processors.use()
	if again := s.admin.change(own, none); again != nil {
		err = errors.Join(err, again)
	}
	fmt.Fprintf(s.stderr, "guise: no successor took over, so this process goes on: %v\n", err)
	return false
}

// start assembles the proxy and listens; nothing is served unless all of it
// works.
func (p *program) start() (*server, error) {
	path := ownPath()
	c, err := p.load(p.checkFiles, checkRules)
	if err != nil {
		return nil, err
	}
	s := &server{program: p, path: path, config: c}
	s.log = slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: &s.level}))
	s.level.Set(levels[c.Log.Level])
	s.pressure = gate.Watch(gate.PressureOptions{Follow: true, Log: s.log})
	s.admin = newAdmin(s.log, func() bool { return s.serving.Load() && !s.pressure.Short() },
		func(w http.ResponseWriter, r *http.Request) { s.proxy.Purge(w, r) })
	if err := s.admin.change(c.Admin, func() error { return s.open(c) }); err != nil {
		s.close()
		return nil, err
	}
	s.serving.Store(true)
	return s, nil
}

// readTrusted loads the system's root certificates. crypto/x509 does that at the first
// verification, and never again: if clients had left no descriptor by then, no
// certificate would be trusted for the life of the process.
func readTrusted() (done <-chan struct{}) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		x509.SystemCertPool() // each verification returns its error
	}()
	return read
}

// open makes the proxy and its listeners.
func (s *server) open(c *config.Config) error {
	assembled, err := proxy.New(s.options(c))
	if err != nil {
		return err
	}
	passed, err := inherited()
	if err != nil {
		assembled.Close()
		return err
	}
	if err := inheritVolumes(assembled.LoadVolumes); err != nil {
		fmt.Fprintf(s.stderr, "guise: volumes of the day are counted anew: %v\n", err)
	}
	s.proxy, s.listeners = assembled, newListeners(assembled.ServeAs, s.stderr)
	s.listeners.given = &stock{passed}
	if err := s.listeners.change(c.Listeners, s.listeners.given.leftover); err != nil {
		assembled.Close()
		return err
	}
	return nil
}

// options adds what only the running process has to the options of c.
func (s *server) options(c *config.Config) proxy.Options {
	o := proxyOptions(c, s.stderr)
	// What slow readers hold is a part of the cache that cannot be freed, and bodies come
	// faster than the pressure looks. The memory limit follows the container's.
	o.Cache.Memory = min(o.Cache.Memory, debug.SetMemoryLimit(-1)/2)
	o.Cache.Object = min(o.Cache.Object, max(o.Cache.Memory, 0))
	o.Gate.Unread = func(err error) { fmt.Fprintf(s.stderr, "guise: %v; what it held before stays\n", err) }
	o.Log = s.log
	o.Pressure = s.pressure
	o.Admin = s.admin.addresses()
	if c.Admin.Address != "" {
		o.Metrics = s.admin.metrics
	}
	return o
}

// announceAdmin says where the metrics are, if they are anywhere.
func (s *server) announceAdmin() {
	for _, at := range s.admin.addresses() {
		fmt.Fprintf(s.stderr, "guise: metrics on http://%s/metrics\n", at)
	}
}

// close ends what serves the operator.
func (s *server) close() {
	s.admin.close()
	s.pressure.Close()
}

// reload takes the configuration as it is now, whole or not at all.
func (s *server) reload(stops chan os.Signal) {
	before := len(s.listeners.open)
	c, err := s.loadAgain(stops)
	if err == nil {
		err = s.admin.change(c.Admin, func() error {
			return s.listeners.change(c.Listeners, func() error { return s.proxy.Reload(s.options(c)) })
		})
	}
	if err != nil {
		s.report(err)
		fmt.Fprintln(s.stderr, "guise: the configuration was not reloaded; the old one stays")
		return
	}
	asked := c.Admin.Address != s.config.Admin.Address
	s.config = c
	s.collector.follow(c.Cache.Memory)
	s.level.Set(levels[c.Log.Level])
	fmt.Fprintln(s.stderr, "guise: the configuration was reloaded")
	announceCA(s.stderr, c, s.proxy.AuthorityEnds(), time.Now())
	if before != len(s.listeners.open) || s.listeners.changed {
		for _, a := range s.listeners.addresses() {
			fmt.Fprintf(s.stderr, "guise: listening on %s\n", a)
		}
	}
	if asked {
		s.announceAdmin()
	}
}

// loadAgain loads the configuration once more. A pipe was read at the start; to open it
// again may wait for ever.
func (s *server) loadAgain(stops chan os.Signal) (*config.Config, error) {
	if info, err := os.Stat(s.file); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, invalid{config.Problems{{File: s.file, Line: 1, Key: "file", What: "is a pipe, which is read at the start alone"}}}
	}
	load := func() (*config.Config, error) { return s.load(s.checkFiles, checkRules) }
	return orStopped(stops, load, errors.New("stopped while it was read"))
}

// stop drains: no new connection, and timeouts.shutdown for what is running.
// Another stop ends the wait.
func (s *server) stop(again <-chan os.Signal) error {
	s.serving.Store(false)
	patience := time.Duration(s.config.Timeouts.Shutdown)
	fmt.Fprintf(s.stderr, "guise: stopping; what is running gets %s, a second signal ends it now\n", patience)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Its error says that time ran out, which is what was announced.
		s.proxy.Shutdown(ctx)
	}()
	for {
		select {
		case <-done:
			s.listeners.wait()
			return nil
		case <-again:
			cancel()
		}
	}
}
