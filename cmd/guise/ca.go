package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"guise/config"
	"guise/proxy/inspect"
)

func newCACommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "The certificate authority for inspection: make, export, show",
		Long: `To change headers inside HTTPS, guise has to end TLS itself, and to sign for the
sites you visit. The authority that signs is yours alone: "guise ca init" makes
it, "guise ca export" prints the certificate that your browser imports, and
"guise ca show" says what it may do. Its folder is inspection.ca.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCAInitCommand(p), newCAExportCommand(p), newCAShowCommand(p))
	return cmd
}

func newCAInitCommand(p *program) *cobra.Command {
	var o inspect.CreateOptions
	var days int
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a certificate authority",
		Long: `Init makes a key and a certificate in the folder inspection.ca. It overwrites
nothing: to make another, move the old folder away.

Whoever has the key can pose as any site that the certificate may sign for, to
every browser that trusts it. So the certificate is bound as tightly as its use
allows, and browsers hold it to that:

  It signs for web servers only, and makes no further authorities.
  By default it cannot sign for local names (.local, .internal, .home.arpa and
    the like) or private addresses: there is nothing to inspect. --private
    lifts that.
  With --only it can sign for these domains and what is below them, and for
    nothing else; all other sites stay tunnels.
  It ends after --days. A key that was copied unnoticed is of no use from then
    on, and every browser needs the next certificate.`,
		Example: `  guise ca init
  guise ca init --only shop.example --only news.example --days 90`,
		Args: func(cmd *cobra.Command, args []string) error {
			if days < 1 || days > 3650 {
				return errors.New("--days wants a number between 1 and 3650")
			}
			if o.Private && len(o.Only) > 0 {
				return errors.New("--only already says which names; leave --private out")
			}
			for i, name := range o.Only {
				var domain config.Domain
				if err := domain.UnmarshalText([]byte(strings.TrimPrefix(strings.TrimPrefix(name, "*"), "."))); err != nil {
					return fmt.Errorf("--only: %w", err)
				}
				o.Only[i] = string(domain)
			}
			return noArguments(cmd, args)
		},
		RunE: work(func(*cobra.Command, []string) error {
			o.Lifetime = time.Duration(days) * 24 * time.Hour
			return p.initCA(o)
		}),
	}
	cmd.Flags().StringSliceVar(&o.Only, "only", nil, "sign for `DOMAIN` and what is below it alone; repeatable")
	cmd.Flags().BoolVar(&o.Private, "private", false, "sign for local names and private addresses as well")
	cmd.Flags().IntVar(&days, "days", int(inspect.Lifetime/(24*time.Hour)), "how many `DAYS` it lasts")
	return cmd
}

// caFolder is the folder of c's authority: inspection.ca, else among the user's settings.
func caFolder(c *config.Config) string {
	return cmp.Or(c.Inspection.CA, settingsFolder("ca"))
}

// settingsFolder is guise's folder of that name in the user's configuration directory, or
// in /etc for a user without one.
func settingsFolder(name string) string {
	settings, err := os.UserConfigDir()
	if err != nil {
		settings = "/etc"
	}
	return filepath.Join(settings, "guise", name)
}

func (p *program) initCA(o inspect.CreateOptions) error {
	folder, err := p.configuredCA()
	if err != nil {
		return err
	}
	a, err := inspect.Create(o)
	if err != nil {
		return err
	}
	if err := a.Save(folder); err != nil {
		return fmt.Errorf("inspection.ca: %w", err)
	}
	fmt.Fprintf(p.stdout, "A certificate authority was made in %s:\n\n", folder)
	fmt.Fprintf(p.stdout, "  %-12s its certificate, which browsers import\n", inspect.CertificateFile)
	fmt.Fprintf(p.stdout, "  %-12s its key, readable by you alone; it belongs nowhere else\n\n", inspect.KeyFile)
	describeCA(p.stdout, a)
	fmt.Fprintf(p.stdout, `
Whoever has the key can pose as these sites to every browser that trusts the
certificate, until it ends or the browser forgets it. Next:

  1. guise ca export > guise-ca.pem     and import it into your browser
     guise ca export --format der           for Windows and Android
     guise ca export --format mobileconfig  for iOS and macOS
  2. set inspection.enabled to true, and restart or reload guise
`)
	return nil
}

// announceCA says that c's authority ends soon: from then on browsers refuse what it
// signs, and guise does not start with it. A zero end means no authority.
func announceCA(out io.Writer, c *config.Config, end, now time.Time) {
	if !end.IsZero() && end.Sub(now) <= endIsNear {
		fmt.Fprintf(out, "guise: the certificate authority in %s ends on %s; move it away, make another with guise ca init, and import that\n", caFolder(c), end.UTC().Format(time.DateOnly))
	}
}

// configuredCA is the folder of the authority in p's configuration.
func (p *program) configuredCA() (folder string, err error) {
	c, err := p.load()
	if err != nil {
		return "", err
	}
	return caFolder(c), nil
}

func (p *program) loadCA() (*inspect.Authority, string, error) {
	folder, err := p.configuredCA()
	if err != nil {
		return nil, "", err
	}
	a, err := inspect.Load(folder)
	return a, folder, err
}

func newCAShowCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Say what the certificate authority may do, and until when",
		Args:  noArguments,
		RunE: work(func(*cobra.Command, []string) error {
			a, folder, err := p.loadCA()
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "The certificate authority in %s:\n\n", folder)
			describeCA(p.stdout, a)
			return nil
		}),
	}
}

// describeCA says what a may do.
func describeCA(w io.Writer, a *inspect.Authority) {
	c := a.Certificate()
	fmt.Fprintf(w, "  name      %s\n", c.Subject.CommonName)
	fmt.Fprintf(w, "  SHA-256   %s\n            %s\n", a.Fingerprint()[:48], a.Fingerprint()[48:])
	fmt.Fprintf(w, "  valid     until %s\n", c.NotAfter.Format(time.DateOnly))
	fmt.Fprintf(w, "  signs     %s\n", signsFor(a))
}

func signsFor(a *inspect.Authority) string {
	c := a.Certificate()
	switch {
	case len(c.PermittedDNSDomains) > 0 && a.Permits("192.0.2.1"): // made elsewhere
		return "for " + strings.Join(c.PermittedDNSDomains, ", ") + " and what is below, and for addresses"
	case len(c.PermittedDNSDomains) > 0:
		return "for " + strings.Join(c.PermittedDNSDomains, ", ") + " and what is below, nothing else"
	case !a.Permits("router.local") && !a.Permits("192.168.1.1"):
		return "for web sites, but not for local names or private addresses"
	case len(c.ExcludedDNSDomains) > 0: // made elsewhere
		return "for all names but " + strings.Join(c.ExcludedDNSDomains, ", ") + " and what is below"
	}
	return "for web sites, local names and private addresses included"
}

func newCAExportCommand(p *program) *cobra.Command {
	var format, out string
	formats := map[string]func(*inspect.Authority) []byte{
		"pem":          (*inspect.Authority).PEM,
		"der":          (*inspect.Authority).DER,
		"mobileconfig": (*inspect.Authority).MobileConfig,
	}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print the certificate that browsers import",
		Long: `Export prints the authority's certificate, never its key. The formats are pem
(Linux, Firefox, Chromium), der (Windows, Android) and mobileconfig (iOS and
macOS).`,
		Example: `  guise ca export > guise-ca.pem
  guise ca export --format mobileconfig --out guise.mobileconfig`,
		Args: func(cmd *cobra.Command, args []string) error {
			if formats[format] == nil {
				return fmt.Errorf("--format %q is not one of pem, der, mobileconfig", format)
			}
			return noArguments(cmd, args)
		},
		RunE: work(func(*cobra.Command, []string) error {
			a, _, err := p.loadCA()
			if err != nil {
				return err
			}
			data := formats[format](a)
			if out != "" {
				return os.WriteFile(out, data, 0o644)
			}
			_, err = p.stdout.Write(data)
			return err
		}),
	}
	cmd.Flags().StringVar(&format, "format", "pem", "`FORMAT`: pem, der or mobileconfig")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write to `FILE` instead of standard output")
	return cmd
}
