package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"guise/config"
	"guise/proxy"
	"guise/proxy/egress"
)

func newCheckCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Validate a configuration",
		Long: `Check loads the configuration as serve would, without listening. It prints each
problem on its own line, as FILE:LINE: key: what is wrong, and exits with 1 if
there is any. If there is none, it says what the configuration comes to, and as
FILE:LINE: note: key: ... what makes you easier to know, or may not be meant.`,
		Example: `  guise check --config guise.yaml
  GUISE_CACHE_MEMORY=128MiB guise check
  guise check --set sites='[{match: "*.bank.example", cookies: pass}]'`,
		Args: noArguments,
		RunE: work(func(*cobra.Command, []string) error { return p.check() }),
	}
}

func (p *program) check() error {
	c, problems := config.Load(p.file, p.environ, p.sets, p.checkFiles, checkRules, p.noteDoubts)
	if c == nil {
		fmt.Fprint(p.stdout, problems)
		return errReported
	}
	o := proxyOptions(c, p.stderr)
	o.Log = nil // what would be logged is among the notes
	assembled, err := proxy.New(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "ok: %s\n%s", summary(c), problems) // no more than notes
	return assembled.Close()
}

// summary says in one line what a configuration comes to.
func summary(c *config.Config) string {
	var addresses []string
	for _, l := range c.Listeners {
		addresses = append(addresses, l.Address.String())
	}
	parts := []string{
		fmt.Sprintf("profile %s on %s", c.Profile, strings.Join(addresses, ", ")),
		fmt.Sprintf("persona %s", c.Identity.Persona),
		fmt.Sprintf("cookies %s", c.Cookies.Default),
		fmt.Sprintf("cache %s %s", c.Cache.Memory, c.Cache.Sharing),
	}
	if c.Inspection.Enabled {
		parts = append(parts, fmt.Sprintf("inspection %s", c.Inspection.Default))
	}
	closed := 0
	for _, path := range c.Destinations.DenyLists {
		if l, err := egress.ReadList(path); err == nil { // else it was reported
			closed += l.Hosts
		}
	}
	if closed > 0 {
		parts = append(parts, fmt.Sprintf("hosts in deny_lists: %d", closed))
	}
	if n := len(c.Upstream.Chain); n > 0 {
		parts = append(parts, fmt.Sprintf("proxies upstream: %d", n))
	}
	if n := len(c.Sites); n > 0 {
		parts = append(parts, fmt.Sprintf("site rules: %d", n))
	}
	return strings.Join(parts, "; ")
}
