package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"guise/proxy/owner"
)

// selfSignedFor is how long a self-signed certificate is valid. Apple's
// systems take no server certificate that is valid for longer.
const selfSignedFor = 397 * 24 * time.Hour

// A Made is a self-signed certificate.
type Made struct{ certificate *tls.Certificate }

// Certificate implements [Source].
func (m *Made) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.certificate, nil
}

// SelfSigned makes a certificate for localhost and names, which are host names
// and addresses. No client trusts it unless its user compares the fingerprint.
func SelfSigned(names ...string) (*Made, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "guise, self-signed"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(selfSignedFor),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			if ip := net.IP(addr.Unmap().AsSlice()); !slices.ContainsFunc(template.IPAddresses, ip.Equal) {
				template.IPAddresses = append(template.IPAddresses, ip)
			}
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &Made{&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}, err
}

// Fingerprint returns the SHA-256 digest of the certificate as browsers show
// it: pairs of digits with colons.
func (m *Made) Fingerprint() string {
	digest := sha256.Sum256(m.certificate.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", digest), " ", ":")
}

// Keep writes the certificate and its key to two PEM files, which must not exist yet; if
// it fails, it leaves neither. Only their owner may read the key. Files that root makes
// belong to the owners of their folders.
func (m *Made) Keep(certFile, keyFile string) error {
	key, err := x509.MarshalPKCS8PrivateKey(m.certificate.PrivateKey)
	if err != nil {
		return err
	}
	if err := owner.WriteNew(keyFile, block("PRIVATE KEY", key), 0o600); err != nil {
		return err
	}
	if err := owner.WriteNew(certFile, block("CERTIFICATE", m.certificate.Certificate[0]), 0o644); err != nil {
		return errors.Join(err, os.Remove(keyFile)) // alone it would be in the way of the next try
	}
	return nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// KeptSelfSigned returns the pair in two PEM files, which [SelfSigned] makes if
// neither exists. fingerprint is that of a certificate that was made now, else "".
func KeptSelfSigned(certFile, keyFile string, names ...string) (p *Pair, fingerprint string, err error) {
	_, noCert := os.Stat(certFile)
	_, noKey := os.Stat(keyFile)
	if errors.Is(noCert, fs.ErrNotExist) && errors.Is(noKey, fs.ErrNotExist) {
		made, err := SelfSigned(names...)
		if err == nil {
			err = made.Keep(certFile, keyFile)
		}
		if err != nil {
			return nil, "", fmt.Errorf("make certificate: %w", err)
		}
		fingerprint = made.Fingerprint()
	}
	p, err = Files(certFile, keyFile)
	return p, fingerprint, err
}
