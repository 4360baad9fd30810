package inspect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

const (
	leafLifetime = 7 * 24 * time.Hour
	leafRenewal  = 24 * time.Hour                          // before its end
	leafCount    = 2048                                    // certificates kept, some 2 KiB each
	leafKept     = time.Minute                             // how long one is shown to all who ask: as long as a connection with the origin is kept
	clockSlack   = 24 * time.Hour                          // by which a client's clock may be behind, as by a time zone where two systems share a machine
	leafTerm     = leafLifetime - clockSlack - leafRenewal // all certificates signed within one have the same dates
)

// leaves are the certificates signed lately. They share one key: it never
// leaves the process, and making one takes longer than signing.
type leaves struct {
	authority *Authority
	key       *ecdsa.PrivateKey
	now       func() time.Time

	mu   sync.Mutex
	kept *simplelru.LRU[string, *leaf]
}

// A leaf is signed for whoever asks first, and others wait for that. After leafKept it is
// signed again: signing takes time, by which a client could tell that somebody had asked
// for the host. In another term it is signed again, too: while a machine sleeps for days
// the monotonic clock may stand still, and the certificate has expired then.
type leaf struct {
	once        sync.Once
	signed      time.Time
	certificate *tls.Certificate
	err         error
}

func newLeaves(a *Authority, now func() time.Time) (*leaves, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &leaves{authority: a, key: key, now: now, kept: lru.New[string, *leaf](leafCount)}, nil
}

func (ls *leaves) get(host string) (*tls.Certificate, error) {
	for {
		l := ls.entry(host)
		l.once.Do(func() {
			l.signed = ls.now()
			l.certificate, l.err = ls.sign(host, ls.term(l.signed))
		})
		now := ls.now()
		if now.Sub(l.signed) < leafKept && ls.term(now).Equal(ls.term(l.signed)) {
			return l.certificate, l.err
		}
		ls.drop(host, l)
	}
}

// term returns when the term of t began. All certificates of a term have the same dates:
// by others a client would see when somebody asked for the host.
func (ls *leaves) term(t time.Time) time.Time {
	first := ls.authority.certificate.NotBefore.Add(clockSlack)
	return first.Add(t.Sub(first) / leafTerm * leafTerm)
}

func (ls *leaves) entry(host string) *leaf {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l, ok := ls.kept.Get(host)
	if !ok {
		l = new(leaf)
		ls.kept.Add(strings.Clone(host), l) // host is a part of a CONNECT's whole head
	}
	return l
}

func (ls *leaves) drop(host string, old *leaf) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l, _ := ls.kept.Peek(host); l == old {
		ls.kept.Remove(host)
	}
}

// sign makes a certificate for host, valid for a term, that the authority signs.
func (ls *leaves) sign(host string, term time.Time) (*tls.Certificate, error) {
	a := ls.authority
	if !a.Permits(host) {
		return nil, errors.New("the authority may not sign for this host")
	}
	template := leafTemplate(host, term)
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter
	}
	c, err := issue(template, a.certificate, ls.key, a.key)
	if err == nil && !bytes.Equal(a.certificate.RawIssuer, a.certificate.RawSubject) {
		// An intermediate: clients trust its issuer, and have to be sent this one (RFC 8446 §4.4.2).
		c.Certificate = append(c.Certificate, a.certificate.Raw)
	}
	return c, err
}

// leafTemplate is a certificate for host that is valid from the given time on, also for a
// client whose clock is behind.
func leafTemplate(host string, from time.Time) *x509.Certificate {
	begin := from.Add(-clockSlack).Truncate(time.Second)
	c := &x509.Certificate{
		NotBefore:             begin,
		NotAfter:              begin.Add(leafLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(host) <= 64 { // the bound of RFC 5280, Appendix A, "ub-common-name"
		c.Subject = pkix.Name{CommonName: host}
	}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{host}
	}
	return c
}

// issue signs template for key. What is signed again comes out the same (RFC 6979): by a change
// a client would see when the one before was signed for somebody else.
func issue(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*tls.Certificate, error) {
	serial, err := serialNumber(template, &key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("number a certificate: %w", err)
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(nil, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}, nil
}

// serialNumber returns one of 128 bits that no other certificate has: keys are random, and
// with each a name is signed for once a term.
func serialNumber(c *x509.Certificate, key *ecdsa.PublicKey) (*big.Int, error) {
	public, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(public, "%s %s %s %d", c.Subject, c.DNSNames, c.IPAddresses, c.NotBefore.Unix()))
	return new(big.Int).SetBytes(sum[:16]), nil
}

// distrusted returns a certificate for host that no client accepts: its issuer is unknown
// and thrown away. why is what a person reads who looks at it.
func distrusted(host, why string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	issuer := &x509.Certificate{Subject: pkix.Name{Organization: []string{"guise does not trust this site"}, CommonName: why}}
	return issue(leafTemplate(host, time.Now()), issuer, key, key)
}
