package proxy

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"guise/proxy/egress"
	"guise/proxy/wire"
)

// Some origins leave out the intermediate certificates between theirs and the root.
// Browsers have those by other ways: Firefox ships them, others fetch them where the
// certificate says (RFC 5280 §4.2.2.1). Without, such a site would fail for inspected
// clients alone.
const (
	mostIssuers  = 3                // that are looked for above one certificate
	issuerSize   = 64 << 10         // bytes of what is fetched
	issuerTime   = 5 * time.Second  // for one of them
	issuerMemory = warmFor          // how long a fetched one is kept: a client can tell by the time
	issuerMissed = 30 * time.Second // how long after a failure until it is fetched again
	knownIssuers = 256
	issuerScheme = "http://" // to fetch one over TLS would take another certificate
)

// An issuers fetches certificates of issuers. It is safe for concurrent use.
type issuers struct {
	origins http.RoundTripper
	roots   *x509.CertPool // nil means the system's

	mu    sync.Mutex
	known map[placeKey]knownIssuer // by URL
}

// A knownIssuer is what came of a fetch.
type knownIssuer struct {
	certificate *x509.Certificate // nil for nothing
	until       time.Time
}

func newIssuers(origins http.RoundTripper, roots *x509.CertPool) *issuers {
	return &issuers{origins: origins, roots: roots, known: make(map[placeKey]knownIssuer)}
}

// above returns the issuers that a chain leaves out, or some of them. That they lead
// to a root is for the caller to find.
func (i *issuers) above(ctx context.Context, chain []*x509.Certificate) (found []*x509.Certificate) {
	top := chain[0]
	for _, c := range chain[1:] {
		if issued(c, top) {
			top = c
		}
	}
	for range mostIssuers {
		issuer := i.of(ctx, top)
		if issuer == nil {
			break
		}
		found = append(found, issuer)
		if _, err := issuer.Verify(x509.VerifyOptions{Roots: i.roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			break
		}
		top = issuer
	}
	return found
}

func issued(issuer, c *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(issuer) == nil
}

// of returns the issuer of c, nil if it cannot be had.
func (i *issuers) of(ctx context.Context, c *x509.Certificate) *x509.Certificate {
	for _, url := range c.IssuingCertificateURL {
		if strings.HasPrefix(url, issuerScheme) {
			if issuer := i.at(ctx, url); issuer != nil && issued(issuer, c) {
				return issuer
			}
			break
		}
	}
	return nil
}

// at returns the certificate at url, nil if there is none. Those who are kept apart fetch
// it for themselves: a url that is not fetched shows that somebody was there, and a site
// can write a number with such, as with HSTS.
func (i *issuers) at(ctx context.Context, url string) *x509.Certificate {
	key := keyOf(ctx, url)
	i.mu.Lock()
	k, found := i.known[key]
	i.mu.Unlock()
	if found && time.Now().Before(k.until) {
		return k.certificate
	}
	k = knownIssuer{i.fetch(ctx, url), time.Now().Add(issuerMemory)}
	if k.certificate == nil { // it may be for a moment that there is no way
		k.until = time.Now().Add(issuerMissed)
	}
	if ctx.Err() != nil {
		return k.certificate // its caller left, which says nothing of url
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	leaveRoom(i.known, knownIssuers)
	i.known[key] = k
	return k.certificate
}

// fetch asks in nobody's name: of ctx it takes the isolation and the end alone.
func (i *issuers) fetch(ctx context.Context, url string) *x509.Certificate {
	apart := wire.Isolation(ctx)
	own, cancel := context.WithTimeout(wire.WithIsolation(egress.WithIsolation(context.Background(), apart), apart), issuerTime)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	r, err := http.NewRequestWithContext(own, http.MethodGet, url, nil)
	if err != nil {
		return nil
	}
	target, err := egress.Canonical(r.URL.Host, webPort)
	if err != nil {
		return nil
	}
	r.Host = target.HostHeader(webPort)
	r.URL.Host = r.Host
	resp, err := i.origins.RoundTrip(r)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	der, err := io.ReadAll(io.LimitReader(resp.Body, issuerSize))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil || !certificate.IsCA {
		return nil
	}
	return certificate
}
