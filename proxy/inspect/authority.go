package inspect

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// CreateOptions says what a new [Authority] may sign. The zero value is one
// for all public hosts, for two years.
type CreateOptions struct {
	Only     []string         // domains, with what is below them, that it may sign for; nil means all
	Private  bool             // also local names and private addresses
	Lifetime time.Duration    // 0 means 730 days
	Now      func() time.Time // nil means time.Now
}

// Lifetime is how long an authority lasts by default. A key that was copied
// unnoticed works until then; after it, browsers need the next certificate.
const Lifetime = 730 * 24 * time.Hour

// Names and networks that a public web site never has. A stolen key cannot pose as
// the router, the printer or the file server at home.
var (
	privateNames    = []string{"localhost", "local", "internal", "home.arpa", "lan", "home", "corp", "intranet", "private", "onion"}
	privateNetworks = networks("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
	allNetworks     = networks("0.0.0.0/0", "::/0")
)

func networks(all ...string) []*net.IPNet {
	nets := make([]*net.IPNet, len(all))
	for i, s := range all {
		_, n, err := net.ParseCIDR(s)
		if err != nil {
			panic(err) // they are constants
		}
		nets[i] = n
	}
	return nets
}

// An Authority signs the certificates that clients get to see. It is safe for
// concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	leaves      *leaves
	terminator  *terminator
}

// Create makes an authority with a key of its own, and stores it nowhere; see
// [Authority.Save]. It fails on an entry of o.Only that is no domain.
func Create(o CreateOptions) (*Authority, error) {
	o.Lifetime = cmp.Or(o.Lifetime, Lifetime)
	if o.Now == nil {
		o.Now = time.Now
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := o.template()
	if err != nil {
		return nil, err
	}
	own, err := issue(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return newAuthority(own.Leaf, key, o.Now)
}

// template is the certificate before it is signed. It signs leaves only (path
// length 0), for TLS servers only.
func (o CreateOptions) template() (*x509.Certificate, error) {
	// The name sets one authority apart from the next in a browser's list;
	// it tells nothing of the machine.
	var random [4]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	now := o.Now()
	c := &x509.Certificate{
		Subject:                     pkix.Name{Organization: []string{"guise"}, CommonName: fmt.Sprintf("guise inspection %x", random)},
		NotBefore:                   now.Add(-clockSlack),
		NotAfter:                    now.Add(o.Lifetime),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
	}
	for _, domain := range o.Only {
		domain = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(domain, "*."), "."))
		if _, err := netip.ParseAddr(domain); err == nil || domain == "" || strings.ContainsAny(domain, "*:/ ") {
			return nil, fmt.Errorf("%q is not a domain", domain)
		}
		c.PermittedDNSDomains = append(c.PermittedDNSDomains, domain)
	}
	switch {
	case len(o.Only) > 0:
		c.ExcludedIPRanges = allNetworks
	case !o.Private:
		c.ExcludedDNSDomains = privateNames
		c.ExcludedIPRanges = privateNetworks
	}
	return c, nil
}

func newAuthority(certificate *x509.Certificate, key *ecdsa.PrivateKey, now func() time.Time) (*Authority, error) {
	a := &Authority{certificate: certificate, key: key}
	var err error
	if a.leaves, err = newLeaves(a, now); err != nil {
		return nil, err
	}
	a.terminator = newTerminator()
	return a, nil
}

// usable says why browsers would not accept what certificate and key sign, nil if they
// would.
func usable(c *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) error {
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || !public.Equal(key.Public()):
		return errors.New("the certificate and the key do not belong together")
	// Without a key usage, as openssl req -x509 makes it, all uses are permitted (RFC 5280 §6.1.4).
	case !c.IsCA || c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("the certificate is not one of a certificate authority")
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate expired on %s; with both files moved away, guise ca init makes another", c.NotAfter.Format(time.DateOnly))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate is valid from %s on", c.NotBefore.Format(time.DateOnly))
	}
	return nil
}

// Equal reports whether a and b are the same authority.
func (a *Authority) Equal(b *Authority) bool {
	return a != nil && b != nil && a.certificate.Equal(b.certificate)
}

// Certificate returns the authority's own certificate. It is not to be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Permits reports whether the authority's name constraints (RFC 5280
// §4.2.1.10) let it sign for host, a lower-case name or an address.
func (a *Authority) Permits(host string) bool {
	c := a.certificate
	if addr, err := netip.ParseAddr(host); err == nil {
		ip := net.IP(addr.Unmap().AsSlice())
		return !within(ip, c.ExcludedIPRanges) && (len(c.PermittedIPRanges) == 0 || within(ip, c.PermittedIPRanges))
	}
	return !below(host, c.ExcludedDNSDomains) && (len(c.PermittedDNSDomains) == 0 || below(host, c.PermittedDNSDomains))
}

func within(ip net.IP, networks []*net.IPNet) bool {
	return slices.ContainsFunc(networks, func(n *net.IPNet) bool { return n.Contains(ip) })
}

// below reports whether host is one of domains, or below one. Authorities made elsewhere
// may have domains in any case, an empty one for all names, and one with a leading dot
// for what is below it alone, which RFC 5280 does not define but clients know.
func below(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(domain string) bool {
		rest, ok := strings.CutSuffix(host, strings.ToLower(domain))
		return ok && (rest == "" || rest[len(rest)-1] == '.' || domain == "" || domain[0] == '.')
	})
}

// Leaf returns a certificate for host, a lower-case name or an address, signed once a
// minute at most. It fails if the authority may not sign for host.
func (a *Authority) Leaf(host string) (*tls.Certificate, error) { return a.leaves.get(host) }
