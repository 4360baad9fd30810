package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
)

// TestNoWildcardIsForAll: a certificate for all names below a public suffix is none for
// any of them, as Chromium has it, and Firefox for suffixes of one label.
func TestNoWildcardIsForAll(t *testing.T) {
	s := newSigner(t)
	root := s.issuer("root", nil)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range []struct {
		host, names string
		ok          bool
	}{
		{"shop.co.uk", "*.co.uk", false},
		{"shop.co.uk", "*.co.uk shop.co.uk", true},
		{"shop.co.uk", "*.co.uk SHOP.co.uk", true},
		{"www.shop.co.uk", "*.shop.co.uk", true},
		{"example.com", "*.com", false},
		{"www.example.com", "*.example.com", true},
		{"co.uk", "*.uk", false},
		{"www.ck", "*.ck", false},
		{"city.kobe.jp", "*.kobe.jp", false},
		{"x.kobe.jp", "*.kobe.jp", false},
		{"www.city.kobe.jp", "*.city.kobe.jp", true},
		{"router.unlisted", "*.unlisted", false},
		{"www.router.unlisted", "*.router.unlisted", true},
		{"me.github.io", "*.github.io", true},
		{"localhost", "localhost", true},
	} {
		leaf := s.sign(&x509.Certificate{DNSNames: strings.Fields(c.names)}, root)
		o := serveSecure(t, greet, func(config *tls.Config) {
			config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: s.key}, nil
			}
		}, "http/1.1")
		config := originTLS(roots)
		config.ServerName = c.host
		conn, err := tls.Dial("tcp", o.address, config)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s by a certificate for %s: %v", c.host, c.names, err)
		} else if fault, bad := certificateFault(err); bad != (err != nil) || bad && !strings.Contains(fault.title, "another site") {
			t.Errorf("%s by a certificate for %s: %+v", c.host, c.names, fault)
		}
	}
}
