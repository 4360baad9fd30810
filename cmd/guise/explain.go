package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"guise/proxy"
	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/wire"
)

func newExplainCommand(p *program) *cobra.Command {
	var fields []string
	var client string
	var r *http.Request
	var malformed *wire.ProtocolError
	cmd := &cobra.Command{
		Use:   "explain [METHOD] URL",
		Short: "Say what would be done to a request, without sending it",
		Long: `Explain prints what would be removed, rewritten or added, one change a line with
the rule it follows, then the head of the request as the site would get it; or
why the request would be refused, and which rule closes the site. Nothing is
sent, and no name is looked up.`,
		Example: `  guise explain 'http://example.com/?utm_source=mail'
  guise explain -H 'User-Agent: curl/8' -H 'Via: 1.1 home' http://example.com/
  guise explain --config guise.yaml POST http://example.com/form`,
		Args: func(_ *cobra.Command, args []string) (err error) {
			if r, err = parseRequest(args, fields); err != nil && !errors.As(err, &malformed) {
				return err
			}
			if _, err = netip.ParseAddr(client); err != nil {
				return fmt.Errorf("--client %q is not an IP address", client)
			}
			return nil
		},
		RunE: work(func(*cobra.Command, []string) error {
			c, err := p.load()
			if err != nil {
				return err
			}
			if malformed != nil {
				fmt.Fprintf(p.stdout, "refused: %s\n", malformed.What)
				return nil
			}
			o := proxyOptions(c, p.stderr)
			o.Log = nil // what would be logged is for guise check to report
			if r.Method == http.MethodConnect {
				return p.explainTunnel(o, r)
			}
			if r.URL.Scheme == "https" && !inspected(o, r) {
				r.Method = http.MethodConnect
				return p.explainTunnel(o, r)
			}
			return p.explain(o, r, netip.MustParseAddr(client))
		}),
	}
	cmd.Flags().StringArrayVarP(&fields, "header", "H", nil, "a header field, as `'Name: value'`; repeatable")
	cmd.Flags().StringVar(&client, "client", "127.0.0.1", "hide the client's `ADDRESS`")
	return cmd
}

// inspected reports whether guise would read r, for an https URL, rather than tunnel it.
func inspected(o proxy.Options, r *http.Request) bool {
	target, err := egress.Canonical(r.URL.Host, 443)
	rules, bad := inspect.NewRules(o.Inspection.Sites, o.Inspection.Default)
	if err != nil || bad != nil || !o.Inspection.Enabled || rules.Mode(target.Host) == inspect.Never {
		return false
	}
	authority, err := inspect.Load(o.Inspection.CA)
	return err != nil || authority.Permits(target.Host) // one that cannot be used is for guise check to report
}

// parseRequest returns the request that a client would send for the command's
// arguments, as the proxy would read it.
func parseRequest(args, fields []string) (*http.Request, error) {
	method, rest := http.MethodGet, args
	if len(args) == 2 {
		method, rest = args[0], args[1:]
		if strings.Contains(method, "://") {
			return nil, errors.New("want one URL, and the method before it: [METHOD] URL")
		}
		if method == "" || strings.ContainsAny(method, " \t\r\n") {
			return nil, fmt.Errorf("the method is one word, such as POST, not %q", method)
		}
	}
	if len(rest) != 1 {
		return nil, fmt.Errorf("want [METHOD] URL, got %d arguments", len(args))
	}
	target := rest[0]
	if method == http.MethodConnect && !strings.Contains(target, "://") {
		target = "https://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("want an absolute URL of http or https, such as http://example.com/")
	}
	if method == http.MethodConnect {
		return http.NewRequest(method, target, nil)
	}
	u.Fragment, u.RawFragment = "", "" // no client sends it
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		port := uint16(80)
		if u.Scheme == "https" {
			port = 443
		}
		if t, err := egress.Canonical(u.Host, port); err == nil {
			u.Host = t.HostHeader(port) // clients send names in ASCII
		}
	}
	lines := []string{method + " " + u.String() + " HTTP/1.1", "Host: " + u.Host}
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, errors.New("a header field is written 'Name: value'")
		}
		if strings.EqualFold(name, "Host") {
			continue // the URL's authority is sent, whatever Host says (RFC 9112 §3.2.2)
		}
		lines = append(lines, name+": "+strings.TrimSpace(value))
	}
	return wire.ParseHead(strings.Join(lines, "\r\n") + "\r\n")
}

func (p *program) explain(o proxy.Options, r *http.Request, client netip.Addr) error {
	e, err := proxy.Explain(o, r, client)
	if err != nil {
		return err
	}
	if e.Blocked != "" {
		fmt.Fprintf(p.stdout, "refused: %s\n", e.Blocked)
		p.explainClosed(o.Egress, r)
		return nil
	}
	if len(e.Changes) == 0 {
		fmt.Fprintln(p.stdout, "nothing is changed")
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, change := range e.Changes {
		fmt.Fprintf(table, "%s\t%s\t%s\n", visible(spelled(change.Field, e.Order)), change.Did, visible(change.Why))
	}
	table.Flush()
	fmt.Fprintf(p.stdout, "\nThe site gets:\n\n")
	for line := range strings.Lines(e.Head) {
		fmt.Fprintf(p.stdout, "  %s\n", visible(strings.TrimSuffix(line, "\r\n")))
	}
	for _, field := range e.Order {
		if r.URL.Scheme == "https" && strings.Contains(field, ": ") {
			fmt.Fprintf(p.stdout, "\nOver HTTP/2 also %s\n", field)
		}
	}
	return nil
}

// spelled returns field as order has it, such as Sec-GPC for Sec-Gpc.
func spelled(field string, order []string) string {
	for _, name := range order {
		if strings.EqualFold(name, field) {
			return name
		}
	}
	return field
}

// explainTunnel says what becomes of a request that guise cannot read.
func (p *program) explainTunnel(o proxy.Options, r *http.Request) error {
	refused := func(why error) error {
		fmt.Fprintf(p.stdout, "refused: %s\n", strings.TrimPrefix(why.Error(), "destination refused: "))
		return nil
	}
	target, err := egress.Canonical(r.URL.Host, 443)
	if err != nil {
		return refused(err)
	}
	way, err := egress.New(o.Egress)
	if err != nil {
		return err
	}
	if err := way.Allow(egress.Connect, target); err != nil {
		refused(fmt.Errorf("%w (destinations)", err))
		p.explainClosed(o.Egress, r)
		return nil
	}
	if target.Port == 80 {
		fmt.Fprintf(p.stdout, "What comes inside is plain HTTP and filtered as such: guise explain http://%s/\n", target.HostHeader(80))
		return nil
	}
	if inspected(o, r) {
		fmt.Fprintf(p.stdout, "What comes inside is decrypted and filtered: guise explain https://%s/\n", target.HostHeader(443))
		return nil
	}
	whose := "guise's address"
	if !way.Direct(target) {
		whose = "the address of the proxy in upstream.chain"
	}
	fmt.Fprintf(p.stdout, `The browser opens a tunnel to %s and encrypts what it sends.
The site sees %s. Headers, cookies and the URL inside the tunnel are not
changed: guise cannot read them.
`, target, whose)
	return nil
}

// explainClosed says which rule keeps r from where it is to go, if any does.
func (p *program) explainClosed(o egress.Options, r *http.Request) {
	use, port := egress.Plain, uint16(80)
	if r.Method == http.MethodConnect || r.URL.Scheme == "https" {
		use, port = egress.Connect, 443
	}
	target, err := egress.Canonical(r.URL.Host, port)
	if err != nil {
		return // that is why it is refused
	}
	if rule := closedBy(o, use, target); rule != "" {
		fmt.Fprintf(p.stdout, "closed by: %s\n", rule)
	}
}

// visible replaces what is not printable, so that s cannot control the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
