package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// notForAll refuses an origin whose certificate is for its host by a wildcard alone that
// is for all sites of a public suffix, such as *.com or *.co.uk: no one of them may vouch
// for the others (CA/Browser Forum BR §3.2.2.6). Browsers refuse such, and those behind
// inspection would see no fault. Below a suffix that a single company has, as github.io,
// the company vouches for all.
func notForAll(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 || !besideOthers(state.ServerName) {
		return nil
	}
	leaf := state.PeerCertificates[0]
	if slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return strings.EqualFold(name, state.ServerName) }) {
		return nil
	}
	return &tls.CertificateVerificationError{
		UnverifiedCertificates: state.PeerCertificates,
		Err:                    x509.HostnameError{Certificate: leaf, Host: state.ServerName},
	}
}

// besideOthers reports whether a host, "" for an address, is right below a public suffix,
// of a registry's or one that is not known, or is one.
func besideOthers(host string) bool {
	suffix, registry := publicsuffix.PublicSuffix(host)
	label, found := strings.CutSuffix(host, suffix)
	return host != "" && found && strings.Count(label, ".") <= 1 && (registry || !strings.Contains(suffix, "."))
}
