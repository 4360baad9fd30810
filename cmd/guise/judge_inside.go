package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"

	"guise/proxy"
	"guise/proxy/inspect"
)

// An insideJudge is what it takes to judge inspection on one machine: an
// authority that the client trusts, and one that vouches for the origin.
type insideJudge struct {
	ours, origins *inspect.Authority
	client        *tls.Config // nil if nothing is inspected
}

func newInsideJudge() (j insideJudge, err error) {
	o := inspect.CreateOptions{Private: true}
	if j.ours, err = inspect.Create(o); err != nil {
		return j, err
	}
	if j.origins, err = inspect.Create(o); err != nil {
		return j, err
	}
	j.client = &tls.Config{RootCAs: poolOf(j.ours)}
	return j, nil
}

func poolOf(a *inspect.Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	return pool
}

// listen lets an origin that listens on ln speak TLS.
func (j insideJudge) listen(ln net.Listener) net.Listener {
	host, _, _ := net.SplitHostPort(ln.Addr().String())
	return tls.NewListener(ln, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return j.origins.Leaf(host)
	}})
}

// change makes o inspect all that the judge sends.
func (j insideJudge) change(o *proxy.Options) {
	o.Inspection = proxy.Inspection{Enabled: true, Authority: j.ours, Default: inspect.Always, Roots: poolOf(j.origins)}
}
