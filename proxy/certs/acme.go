package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACMEOptions says how to come by a certificate. Domains and Storage are
// needed.
type ACMEOptions struct {
	Domains   []string
	Email     string // for the authority; "" for none
	Directory string // the authority's URL; "" is Let's Encrypt's
	Storage   string // folder for the account, its key and the certificates; mode 0700
	HTTPPort  int    // where HTTP-01 is answered while it is asked for; 0 means 80
	TLSPort   int    // where the listener is, which answers TLS-ALPN-01; 0 means 443

	// Host is where HTTPPort is listened on; "" means everywhere.
	Host string

	Roots *x509.CertPool // what the authority's own certificate is verified against; nil means the system's

	// Told, unless nil, is called for each certificate that was obtained,
	// renewed or failed: err is nil, or says what went wrong. Neither names
	// a client.
	Told func(domain string, err error)
}

// An Issued obtains a listener's certificates from an authority, and renews
// them, until it is closed.
type Issued struct {
	config *certmagic.Config
	cache  *certmagic.Cache
	cancel context.CancelFunc
}

// ACMEProtocol is the ALPN protocol that [Config] needs for TLS-ALPN-01 (RFC 8737).
const ACMEProtocol = "acme-tls/1"

// Issue begins to obtain certificates, and returns at once: handshakes fail
// until the first is there. Both HTTP-01 (RFC 8555 §8.3) and TLS-ALPN-01 are
// tried; the authority must reach one of them. Errors are those of Storage, or
// of certificates in it that cannot be loaded.
func Issue(o ACMEOptions) (*Issued, error) {
	if err := os.MkdirAll(o.Storage, 0o700); err != nil {
		return nil, fmt.Errorf("make storage for certificates: %w", err)
	}
	i := &Issued{}
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	silent := zap.NewNop() // log lines could name clients
	jobs := &failedJobs{options: o, last: make(map[string]string)}
	i.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return i.config, nil },
		Logger:           silent,
	})
	i.config = certmagic.New(i.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: o.Storage},
		Logger:  zap.New(jobs),
		// Clients that ask by address send no name.
		DefaultServerName: o.Domains[0],
		OCSP:              certmagic.OCSPConfig{DisableStapling: true}, // authorities are ending it
		OnEvent: func(_ context.Context, event string, data map[string]any) error {
			jobs.told(data)
			o.tell(event, data)
			return nil
		},
	})
	i.config.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(i.config, certmagic.ACMEIssuer{
		CA:             cmp.Or(o.Directory, certmagic.LetsEncryptProductionCA),
		Email:          o.Email,
		Agreed:         true,
		AltHTTPPort:    o.HTTPPort,
		AltTLSALPNPort: o.TLSPort,
		ListenHost:     o.Host,
		TrustedRoots:   o.Roots,
		Logger:         silent,
		HTTPProxy:      func(*http.Request) (*url.URL, error) { return nil, nil }, // not the environment's
	})}
	if err := i.config.ManageAsync(ctx, o.Domains); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

func (o ACMEOptions) tell(event string, data map[string]any) {
	if o.Told == nil {
		return
	}
	domain, _ := data["identifier"].(string)
	switch event {
	case "cert_obtained":
		o.Told(domain, nil)
	case "cert_failed":
		err, _ := data["error"].(error)
		if err == nil {
			err = errors.New("no certificate was obtained")
		}
		o.Told(domain, err)
	}
}

// Certificate implements [Source].
func (i *Issued) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return i.config.GetCertificate(hello)
}

// Close ends the obtaining and renewing. What is stored stays.
func (i *Issued) Close() error {
	i.cancel()
	i.cache.Stop()
	return nil
}
