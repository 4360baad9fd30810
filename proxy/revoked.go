package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

var (
	errRevoked     = errors.New("the issuer has revoked the certificate")
	errNotStapled  = errors.New("the certificate has to come with a stapled OCSP response, and no good one is there")
	errNoResponder = errors.New("the OCSP response is signed by a certificate that is for something else")
)

// notRevoked refuses an origin whose stapled OCSP response (RFC 6066 §8) says that its
// certificate is revoked, as browsers do, or that staples no good one although the
// certificate requires that (RFC 7633), as whoever stole its key would. It asks no OCSP
// responder, which would learn what is visited.
func notRevoked(state tls.ConnectionState) error {
	if state.DidResume { // the response was judged when the session began
		return nil
	}
	for _, chain := range state.VerifiedChains {
		if len(chain) < 2 {
			continue
		}
		var fault error
		said, err := ocsp.ParseResponseForCert(state.OCSPResponse, chain[0], chain[1])
		if err == nil && !maySay(said.Certificate, chain[1]) {
			err = errNoResponder
		}
		switch {
		case err == nil && said.Status == ocsp.Revoked:
			fault = errRevoked
		case mustStaple(chain[0]) && (err != nil || said.Status != ocsp.Good || over(said.NextUpdate)):
			fault = errNotStapled
		default:
			continue
		}
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: fault}
	}
	return nil
}

// maySay reports whether an OCSP response that holds the certificate signer, which issuer
// has signed, is issuer's word (RFC 6960 §4.2.2.2): every site of issuer's has such a
// certificate, and package ocsp looks no further. Without one, issuer has signed itself.
func maySay(signer, issuer *x509.Certificate) bool {
	return signer == nil || signer.Equal(issuer) ||
		slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) && !over(signer.NotAfter)
}

// over reports whether a time is past, if there is one.
func over(t time.Time) bool { return !t.IsZero() && time.Now().After(t) }

// mustStaple reports whether a certificate says that it is never shown without a stapled
// OCSP response.
func mustStaple(c *x509.Certificate) bool {
	const statusRequest = 5 // RFC 6066 §8
	for _, extension := range c.Extensions {
		if extension.Id.Equal(tlsFeature) {
			var features []int
			asn1.Unmarshal(extension.Value, &features)
			return slices.Contains(features, statusRequest)
		}
	}
	return false
}

var tlsFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24} // RFC 7633 §6
