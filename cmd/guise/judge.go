package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"guise/config"
	"guise/proxy"
	"guise/proxy/judge"
)

// judgeFlags is what the command line says to guise judge.
type judgeFlags struct {
	listen  string // serve only the origin here
	proxy   string // judge this proxy instead of the configuration
	origin  string // where the origin listens; "" means a free port on loopback
	inspect bool   // look inside https
	asJSON  bool
	verbose bool
}

func newJudgeCommand(p *program) *cobra.Command {
	var f judgeFlags
	cmd := &cobra.Command{
		Use:   "judge",
		Short: "Show what sites see through guise, and grade it",
		Long: `Judge runs your configuration against an origin on this machine, sends it the
requests of many browsers with something identifying in every place, and prints
each request as it was sent and as the origin saw it, what leaked, what broke,
and a grade:

  transparent  the origin learns your address, or the way your requests took
  anonymous    not that, but that there is a proxy, or something about you
  elite        none of it

It exits with 1 if anything leaked or broke. Nothing leaves this machine.

With --inspect all of this happens inside HTTPS, as browsers see it that trust
guise's certificate authority; the judge makes one for itself.

With --listen it is only the origin: a page, and JSON under /json, that say
what a site sees of whoever visits.`,
		Example: `  guise judge
  guise judge --config guise.yaml --verbose
  guise judge --inspect
  guise judge --json > report.json
  guise judge --listen 127.0.0.1:8080
  guise judge --proxy 127.0.0.1:3128`,
		Args: func(cmd *cobra.Command, args []string) error {
			return errors.Join(noArguments(cmd, args), f.check(p))
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if f.listen != "" {
				return p.serveOrigin(ctx, f.listen)
			}
			return p.judge(ctx, f)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "", "only serve the origin at `ADDR`, such as 127.0.0.1:8080")
	flags.StringVar(&f.proxy, "proxy", "", "judge the HTTP proxy at `HOST:PORT` instead of guise")
	flags.StringVar(&f.origin, "origin", "", "`IP:PORT` of the origin, as --proxy reaches it")
	flags.BoolVar(&f.inspect, "inspect", false, "judge what guise does inside HTTPS")
	flags.BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print every request in full")
	return cmd
}

// check refuses flags that do not go together.
func (f judgeFlags) check(p *program) error {
	switch {
	case f.listen != "" && (f.proxy != "" || f.origin != "" || f.inspect || f.asJSON || f.verbose || p.file != "" || len(p.sets) > 0):
		return errors.New("--listen only serves the origin; it takes no other flag")
	case f.proxy != "" && (p.file != "" || len(p.sets) > 0):
		return errors.New("--proxy judges another proxy; --config and --set say nothing about it")
	case f.proxy != "" && f.inspect:
		return errors.New("--inspect judges guise alone; --proxy is another proxy")
	case f.origin != "" && f.proxy == "":
		return errors.New("--origin goes with --proxy")
	case f.proxy != "" && !isHostPort(f.proxy):
		return fmt.Errorf("--proxy %q is not HOST:PORT", f.proxy)
	}
	if f.origin != "" {
		if _, err := netip.ParseAddrPort(f.origin); err != nil {
			return fmt.Errorf("--origin %q is not IP:PORT", f.origin)
		}
	}
	if _, _, err := net.SplitHostPort(f.listen); f.listen != "" && err != nil {
		return fmt.Errorf("--listen %q is not HOST:PORT or :PORT", f.listen)
	}
	return nil
}

// serveOrigin lets visitors see what a site sees of them, until ctx ends.
func (p *program) serveOrigin(ctx context.Context, address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--listen %s: %v", address, systemError(err)) // not wrapped: report's advice is for proxies
	}
	o := new(judge.Origin)
	defer context.AfterFunc(ctx, func() { o.Close() })()
	at := netip.MustParseAddrPort(ln.Addr().String())
	shown := reachable(config.Address{IP: at.Addr(), Port: at.Port()})
	host, _, _ := net.SplitHostPort(shown)
	fmt.Fprintf(p.stderr, `guise judge is listening on %s, and shows what a site sees of its visitor.

  page:     http://%s/
  JSON:     http://%[2]s/json
  proxied:  curl -x http://127.0.0.1:8118 http://%[2]s/json
            through guise --set destinations.allow=%[3]s
  stop:     Ctrl-C

`, at, shown, host)
	if err := o.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return o.Close()
}

// judge prints the report on a configuration or on another proxy.
func (p *program) judge(ctx context.Context, f judgeFlags) error {
	at := cmp.Or(f.origin, "127.0.0.1:0")
	ln, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("--origin %s: %v", at, systemError(err))
	}
	origin := netip.MustParseAddrPort(ln.Addr().String())
	var inside insideJudge
	if f.inspect {
		if inside, err = newInsideJudge(); err != nil {
			return errors.Join(err, ln.Close())
		}
		ln = inside.listen(ln)
	}
	o := &judge.Origin{Record: true}
	go o.Serve(ln)
	defer o.Close()

	var notes []string
	if f.proxy == "" {
		c, err := p.load()
		if err != nil {
			return err
		}
		notes = admitJudge(c, origin)
		options := proxyOptions(c, p.stderr)
		if f.inspect {
			inside.change(&options)
			notes = append(notes, "Inspection was on for all of this, with a certificate authority made for it.")
		}
		address, stop, err := startProxy(options)
		if err != nil {
			return err
		}
		defer stop()
		f.proxy = address
	}
	report, err := judge.Run(ctx, judge.Options{Proxy: f.proxy, Origin: o, Address: origin.String(), Inside: inside.client})
	if err != nil {
		return err
	}
	report.Notes = append(report.Notes, notes...)
	if err := p.printReport(report, f); err != nil {
		return err
	}
	if !report.Clean() {
		return errReported
	}
	return nil
}

// admitJudge opens c for a client and an origin on this machine, and
// returns what it had to change to do so.
func admitJudge(c *config.Config, origin netip.AddrPort) (notes []string) {
	c.Access.Networks = append(c.Access.Networks, netip.MustParsePrefix("127.0.0.0/8"))
	c.Access.Deny = nil
	if c.Access.Authentication != config.AuthNone {
		c.Access.Authentication = config.AuthNone
		notes = append(notes, "access.authentication was left out: the judge has no account.")
	}
	port := config.PortRange{First: origin.Port(), Last: origin.Port()}
	c.Destinations.Ports = append(c.Destinations.Ports, port)
	c.Destinations.ConnectPorts = append(c.Destinations.ConnectPorts, port)
	c.Destinations.Allow = append(c.Destinations.Allow, config.Place(origin.Addr().String()))
	c.Destinations.Deny = nil
	if len(c.Upstream.Chain) > 0 {
		c.Upstream.Chain = nil
		notes = append(notes, "upstream.chain was left out: the origin is on this machine.")
	}
	if len(c.Identity.SourceAddresses) > 0 {
		c.Identity.SourceAddresses = nil
		notes = append(notes, "identity.source_addresses was left out: the origin is on this machine.")
	}
	return notes
}

// startProxy runs a proxy with options o on a free port of loopback instead of its listeners,
// until stop is called.
func startProxy(o proxy.Options) (address string, stop func(), err error) {
	assembled, err := proxy.New(o)
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, errors.Join(err, assembled.Close())
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		assembled.Serve(ln)
	}()
	return ln.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		assembled.Shutdown(ctx)
		assembled.Close()
		<-served
	}, nil
}

func (p *program) printReport(r *judge.Report, f judgeFlags) error {
	if f.asJSON {
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	return r.Write(p.stdout, judge.View{Width: p.width(), Verbose: f.verbose})
}

// width is how many columns standard output has: what COLUMNS says, else
// what the terminal says, else 0.
func (p *program) width() int {
	for _, e := range p.environ {
		if v, ok := strings.CutPrefix(e, "COLUMNS="); ok {
			if n, err := strconv.Atoi(v); err == nil && n > 0 {
				return n
			}
		}
	}
	if out, ok := p.stdout.(*output); ok {
		if f, ok := out.Writer.(*os.File); ok {
			columns, _, _ := term.GetSize(int(f.Fd())) // 0 with an error
			return columns
		}
	}
	return 0
}
