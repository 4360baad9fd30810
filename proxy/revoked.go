package proxy

import (
	"crypto/tls"
	"errors"

	"golang.org/x/crypto/ocsp"
)

var errRevoked = errors.New("the issuer has revoked the certificate")

// notRevoked refuses an origin that itself shows its issuer's word that the
// certificate is revoked (RFC 6066 §8), as browsers do. Nobody else is asked, who
// would learn what is visited.
func notRevoked(state tls.ConnectionState) error {
	if len(state.OCSPResponse) == 0 {
		return nil
	}
	for _, chain := range state.VerifiedChains {
		if len(chain) < 2 {
			continue
		}
		said, err := ocsp.ParseResponseForCert(state.OCSPResponse, chain[0], chain[1])
		if err == nil && said.Status == ocsp.Revoked {
			return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: errRevoked}
		}
	}
	return nil
}
