package proxy

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"guise/proxy/inspect"
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
	leaf.OCSPStaple = s.word(root, parsed, ocsp.Revoked, time.Hour)
	return root, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &leaf, nil }
}

// word is the issuer's of a certificate of its, for so long.
func (s signer) word(issuer, of *x509.Certificate, status int, lasts time.Duration) []byte {
	s.t.Helper()
	return s.wordBy(nil, issuer, of, status, lasts)
}

// wordBy is the same, signed by a certificate of the issuer's, which is in it; nil for the
// issuer itself.
func (s signer) wordBy(signer, issuer, of *x509.Certificate, status int, lasts time.Duration) []byte {
	s.t.Helper()
	now := time.Now()
	said, err := ocsp.CreateResponse(issuer, cmp.Or(signer, issuer), ocsp.Response{
		SerialNumber: of.SerialNumber, Status: status, ThisUpdate: now.Add(-2 * time.Hour), NextUpdate: now.Add(lasts), RevokedAt: now, Certificate: signer,
	}, s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	return said
}

// TestSessionsKeepTheirIssuersWord: a session that is taken up again shows what it began
// with, which may be over by then.
func TestSessionsKeepTheirIssuersWord(t *testing.T) {
	s := newSigner(t)
	root := s.issuer("root", nil)
	promises := s.sign(&x509.Certificate{ExtraExtensions: []pkix.Extension{{Id: tlsFeature, Value: []byte{0x30, 3, 2, 1, 5}}}}, root)
	state := tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{promises, root}}, OCSPResponse: s.word(root, promises, ocsp.Good, -time.Hour)}
	for resumed, ok := range map[bool]bool{false: false, true: true} {
		state.DidResume = resumed
		if err := notRevoked(state); (err == nil) != ok {
			t.Errorf("resumed %v: %v", resumed, err)
		}
	}
}

// TestCertificatesComeWithTheirIssuersWord: where they say so, an origin that leaves it
// out is none to trust (RFC 7633).
func TestCertificatesComeWithTheirIssuersWord(t *testing.T) {
	s := newSigner(t)
	root, stranger := s.issuer("root", nil), newSigner(t)
	other := stranger.issuer("root", nil)
	promises := s.sign(&x509.Certificate{
		IPAddresses:     []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtraExtensions: []pkix.Extension{{Id: tlsFeature, Value: []byte{0x30, 3, 2, 1, 5}}},
	}, root)
	for name, c := range map[string]struct {
		word []byte
		ok   bool
	}{
		"none":       {nil, false},
		"good":       {s.word(root, promises, ocsp.Good, time.Hour), true},
		"unknown":    {s.word(root, promises, ocsp.Unknown, time.Hour), false},
		"old":        {s.word(root, promises, ocsp.Good, -time.Hour), false},
		"another's":  {s.word(root, root, ocsp.Good, time.Hour), false},
		"a stranger": {stranger.word(other, promises, ocsp.Good, time.Hour), false},
		"garbage":    {[]byte("good"), false},
		"a site's":   {s.wordBy(s.sign(&x509.Certificate{DNSNames: []string{"other.example"}}, root), root, promises, ocsp.Good, time.Hour), false},
		"a deputy's": {s.wordBy(s.sign(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}, root), root, promises, ocsp.Good, time.Hour), true},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			o := serveSecure(t, greet, func(config *tls.Config) {
				config.MaxVersion = version
				config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
					return &tls.Certificate{Certificate: [][]byte{promises.Raw}, PrivateKey: s.key, OCSPStaple: c.word}, nil
				}
			}, "http/1.1")
			proxy := serveProxy(t, func(o *Options) {
				inspecting(inspect.Auto)(o)
				o.Inspection.Roots.AddCert(root)
			})
			careless := visitor(t, proxy, nil, true)
			careless.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
			resp, body, err := read(careless, o.URL)
			if err != nil || (resp.StatusCode == 200) != c.ok || !c.ok && !strings.Contains(body, "issuer's word") {
				t.Errorf("%s: %v %q %v", name, resp, body, err)
			}
		}
	}
}
