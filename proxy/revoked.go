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
	errRevoked   = errors.New("the issuer has revoked the certificate")
	errUnvouched = errors.New("the issuer's word is not there that the certificate comes with")
)

// notRevoked refuses an origin that itself shows its issuer's word that the
// certificate is revoked (RFC 6066 §8), as browsers do, or that leaves out the issuer's
// word that it is not where the certificate says that it comes with that (RFC 7633), as
// whoever stole its key would. Nobody else is asked, who would learn what is visited.
func notRevoked(state tls.ConnectionState) error {
	if state.DidResume { // what it shows is of when the session began, and was judged then
		return nil
	}
	for _, chain := range state.VerifiedChains {
		if len(chain) < 2 {
			continue
		}
		var fault error
		said, err := ocsp.ParseResponseForCert(state.OCSPResponse, chain[0], chain[1])
		switch {
		case err == nil && said.Status == ocsp.Revoked:
			fault = errRevoked
		case comesWithWord(chain[0]) && (err != nil || said.Status != ocsp.Good || over(said.NextUpdate)):
			fault = errUnvouched
		default:
			continue
		}
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: fault}
	}
	return nil
}

// over reports whether a time is past, if there is one.
func over(t time.Time) bool { return !t.IsZero() && time.Now().After(t) }

// comesWithWord reports whether a certificate says that it is never shown without its
// issuer's word.
func comesWithWord(c *x509.Certificate) bool {
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
