// Package certs is what the proxy shows to clients that connect over TLS.
//
// A certificate comes from [Files], which are read again when they change,
// from [SelfSigned], for trying out, or from [Issued], by ACME. [Config] makes
// what a listener needs of any of them.
package certs

import "crypto/tls"

// A Source returns the certificate for a handshake.
type Source interface {
	Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Config returns a listener's TLS configuration: 1.2 and 1.3, HTTP/2 preferred, and
// of TLS 1.2 only the ciphers that RFC 9113 §9.2.2 lets HTTP/2 use. protocols are further
// ALPN protocols, for which source has certificates. "http 1.1" is what many programs for
// Node offer a proxy, by https-proxy-agent before version 6 (TooTallNate/proxy-agents#142).
func Config(source Source, protocols ...string) *tls.Config {
	return &tls.Config{
		GetCertificate: source.Certificate,
		NextProtos:     append([]string{"h2", "http/1.1", "http 1.1"}, protocols...),
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
	}
}
