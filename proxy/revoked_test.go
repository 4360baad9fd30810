package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// revokingAuthority returns the certificate of an issuer, and one of its that comes
// with its word that it is revoked.
func revokingAuthority(t *testing.T) (*x509.Certificate, func(*tls.ClientHelloInfo) (*tls.Certificate, error)) {
	t.Helper()
	s := newSigner(t)
	root := s.issuer("revoker", nil)
	leaf := s.leaf(root)
	parsed, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	leaf.OCSPStaple, err = ocsp.CreateResponse(root, root, ocsp.Response{
		SerialNumber: parsed.SerialNumber, Status: ocsp.Revoked, ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedAt: now,
	}, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return root, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &leaf, nil }
}
