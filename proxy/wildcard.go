package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// notSuffixWide refuses an origin whose certificate names its host only by a wildcard for
// all sites of a public suffix, such as *.com or *.co.uk: none of them may vouch for the
// others (CA/Browser Forum BR §3.2.2.6). Browsers refuse it, too, but cannot see it
// behind inspection. A suffix of one company, such as github.io, is fine: the company
// vouches for all.
func notSuffixWide(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 || !underRegistry(state.ServerName) {
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

// underRegistry reports whether host is a public suffix, a registry's or one that is not
// known, or right below one. It is false for "", which stands for an address.
func underRegistry(host string) bool {
	suffix, registry := publicsuffix.PublicSuffix(host)
	label, found := strings.CutSuffix(host, suffix)
	return host != "" && found && strings.Count(label, ".") <= 1 && (registry || !strings.Contains(suffix, "."))
}
