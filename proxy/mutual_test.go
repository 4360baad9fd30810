package proxy

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"guise/proxy/gate"
)

// TestClientCertificateOverTLS: an https listener asks for one if the gate
// wants it, and enters who has it.
func TestClientCertificateOverTLS(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	authorities, cert := clientCertificate(t, "me")
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Authentication, o.Gate.Authorities = gate.Certificate, authorities
	})
	config, _, pool := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for name, c := range map[string]struct {
		certs  []tls.Certificate
		status int
	}{"with one": {[]tls.Certificate{cert}, 200}, "without": {nil, 403}} {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: "proxy.example", Certificates: c.certs})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: "+o.address+"\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != c.status {
				t.Errorf("%v, %v; want status %d", resp, err, c.status)
			}
		})
	}
}

// TestEveryHandshakeAsksForTheCertificate: a session that began without one, or with one
// that lets nobody in any more, would be taken up again without asking for a better one.
func TestEveryHandshakeAsksForTheCertificate(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	authorities, cert := clientCertificate(t, "me")
	_, strange := clientCertificate(t, "me")
	p, _ := newProxy(t, func(o *Options) {
		o.Gate.Authentication, o.Gate.Authorities = gate.Certificate, authorities
	})
	config, _, pool := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, first := range map[string]*tls.Certificate{"without one": {}, "with a stranger's": &strange} {
			t.Run(tls.VersionName(version)+" "+name, func(t *testing.T) {
				has, sessions := first, tls.NewLRUClientSessionCache(1)
				for _, status := range []int{403, 200} {
					conn, err := tls.Dial("tcp", address, &tls.Config{
						RootCAs: pool, ServerName: "proxy.example", MaxVersion: version, ClientSessionCache: sessions,
						GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return has, nil },
					})
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.1\r\nHost: "+o.address+"\r\n\r\n")
					resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil || resp.StatusCode != status {
						t.Errorf("%v, %v; want status %d", resp, err, status)
					}
					has = &cert
				}
			})
		}
	}
}

// TestConnectionsWithoutTheCertificateEnd: clients are asked for it on a new one alone.
func TestConnectionsWithoutTheCertificateEnd(t *testing.T) {
	o := serveOrigin(t, answer(helloResponse))
	authorities, cert := clientCertificate(t, "me")
	var options Options
	p, _ := newProxy(t, func(o *Options) { options = *o })
	config, _, pool := newTLS(t)
	address := serveAs(t, p, Listening{Protocol: HTTPS, TLS: config})
	hop := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "https", Host: address}),
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
	}
	t.Cleanup(hop.CloseIdleConnections)
	for name, tr := range map[string]*http.Transport{"HTTP/1.1": hop, "HTTP/2": h2Client(t, address, pool, cert)} {
		for _, c := range []struct {
			of     gate.Authentication
			status int
		}{{gate.None, 200}, {gate.Certificate, 403}, {gate.Certificate, 200}} {
			options.Gate.Authentication, options.Gate.Authorities = c.of, authorities
			if err := p.Reload(options); err != nil {
				t.Fatal(err)
			}
			if resp, _ := h2Get(t, tr, "http://"+o.address+"/"); resp.StatusCode != c.status {
				t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.status)
			}
		}
	}
}

// clientCertificate returns a PEM file of an authority, and a certificate that
// it signed for name.
func clientCertificate(t *testing.T, name string) (string, tls.Certificate) {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	}
	root := template(1, "authority")
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	leaf := template(2, name)
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
