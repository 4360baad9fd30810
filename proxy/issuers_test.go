package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"guise/proxy/egress"
	"guise/proxy/inspect"
	"guise/proxy/wire"
)

// A signer makes certificates that all have one key.
type signer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, key}
}

// sign completes c by issuer, nil for c itself.
func (s signer) sign(c, issuer *x509.Certificate) *x509.Certificate {
	s.t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if issuer == nil {
		issuer = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, s.key.Public(), s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return parsed
}

// issuer returns one called name.
func (s signer) issuer(name string, by *x509.Certificate, at ...string) *x509.Certificate {
	return s.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IssuingCertificateURL: at,
	}, by)
}

// leaf returns a certificate for 127.0.0.1 and nothing else of its chain.
func (s signer) leaf(by *x509.Certificate, at ...string) tls.Certificate {
	c := s.sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IssuingCertificateURL: at}, by)
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: s.key}
}

// TestIssuersThatAnOriginLeavesOut are fetched where its certificate says, as browsers
// do or need not, and count for no more than if the origin had sent them.
func TestIssuersThatAnOriginLeavesOut(t *testing.T) {
	s := newSigner(t)
	var asked atomic.Int32
	files := map[string][]byte{}
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if len(r.Header) > 0 {
			t.Errorf("the issuer is told %v", r.Header)
		}
		w.Write(files[r.URL.Path]) // nothing where there is none
	}))
	t.Cleanup(at.Close)
	root := s.issuer("root", nil)
	high := s.issuer("high", root)
	low := s.issuer("low", high, at.URL+"/high")
	stray := s.issuer("stray", nil)
	files["/low"], files["/stray"] = low.Raw, stray.Raw
	files["/high"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: high.Raw})
	files["/garbage"] = []byte("<html>")
	for name, c := range map[string]struct {
		host   string
		leaf   tls.Certificate
		ok     bool
		fetch  int32
		should string
	}{
		"two":            {"127.0.0.1", s.leaf(low, at.URL+"/low"), true, 2, ""},
		"another name":   {"localhost", s.leaf(low, at.URL+"/low"), false, 0, "another name"},
		"another issuer": {"127.0.0.1", s.leaf(low, at.URL+"/stray"), false, 1, "vouches"},
		"no root":        {"127.0.0.1", s.leaf(stray, at.URL+"/stray"), false, 1, "vouches"},
		"no certificate": {"127.0.0.1", s.leaf(low, at.URL+"/garbage"), false, 1, "vouches"},
		"nothing there":  {"127.0.0.1", s.leaf(low, at.URL+"/nothing"), false, 1, "vouches"},
		"nowhere":        {"127.0.0.1", s.leaf(low), false, 0, "vouches"},
		"by TLS":         {"127.0.0.1", s.leaf(low, strings.Replace(at.URL, "http", "https", 1)+"/low"), false, 0, "vouches"},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			o := serveSecure(t, greet, func(config *tls.Config) {
				config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.leaf, nil }
			}, protocol)
			proxy := serveProxy(t, func(o *Options) {
				inspecting(inspect.Auto)(o)
				o.Inspection.Roots.AddCert(root)
			})
			asked.Store(0)
			careless := visitor(t, proxy, nil, true)
			careless.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
			for range 2 {
				resp, body, err := read(careless, strings.Replace(o.URL, "127.0.0.1", c.host, 1), "Accept", "text/html")
				switch {
				case err != nil:
					t.Errorf("%s: %v", name, err)
				case c.ok && (resp.StatusCode != 200 || !strings.HasPrefix(body, "hello")),
					!c.ok && (resp.StatusCode != 502 || !strings.Contains(body, c.should)):
					t.Errorf("%s, %s: %s %.300q", name, protocol, resp.Status, body)
				}
			}
			if got := asked.Load(); got != c.fetch {
				t.Errorf("%s, %s: %d fetches, want %d", name, protocol, got, c.fetch)
			}
			if c.ok { // and the client gets to see a certificate that it trusts
				if _, _, err := read(visitor(t, proxy, trusting(testAuthority()), true), o.URL); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if len(o.saw()) > 0 {
				t.Errorf("%s: the origin got a request", name)
			}
		}
	}
}

// TestIssuersAreFetchedFromOpenPlacesAlone: an upstream proxy that takes requests for any
// URL gets none for what is closed, wherever a certificate says that its issuer is.
func TestIssuersAreFetchedFromOpenPlacesAlone(t *testing.T) {
	s := newSigner(t)
	low := s.issuer("low", nil)
	asked := make(chan string, 1)
	hop := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if req.Method != http.MethodConnect {
			asked <- req.RequestURI
			io.WriteString(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
			return
		}
		tunnelTo(req.Host, conn, r)
	})
	for at, want := range map[string]string{
		"http://192.168.77.7/low":          "",
		"http://3232255239/low":            "", // the same
		"http://169.254.169.254/low":       "",
		"http://localhost/low":             "",
		"http://closed.example/low":        "",
		"http://open.example:9/low":        "",
		"http://me:pw@OPEN.example:80/low": "http://open.example/low",
	} {
		leaf := s.leaf(low, at)
		o := serveSecure(t, greet, func(config *tls.Config) {
			config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &leaf, nil }
		}, "http/1.1")
		proxy := serveProxy(t, func(o *Options) {
			o.Egress.Allow, o.Egress.Deny = []string{"127.0.0.1"}, []string{"closed.example"}
			o.Egress.Ports = []egress.PortRange{{First: 80, Last: 80}}
			o.Egress.Chain = []*url.URL{{Scheme: "http", Host: hop.address}}
		})
		got, err := exchangeRaw(t, proxy, "GET "+o.URL+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if err != nil || !strings.Contains(got, "error=tls_certificate_error") {
			t.Errorf("%s: %v %.300q", at, err, got)
		}
		fetched := ""
		select {
		case fetched = <-asked:
		default: // the answer has waited for it
		}
		if fetched != want {
			t.Errorf("%s: the upstream proxy is asked for %q, want %q", at, fetched, want)
		}
	}
}

// TestNobodyWaitsForAnIssuer whose client has left, or the proxy stops; and what was
// given up is looked for again.
func TestNobodyWaitsForAnIssuer(t *testing.T) {
	s := newSigner(t)
	asked := make(chan bool, 1)
	silent := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		asked <- true
		io.Copy(io.Discard, r)
	})
	leaf, err := x509.ParseCertificate(s.leaf(s.issuer("low", nil), "http://"+silent.address+"/low").Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	p, _ := newProxy(t, nil)
	i := newIssuers(p.current.Load().plain, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if began := time.Now(); len(i.above(ctx, []*x509.Certificate{leaf})) > 0 || time.Since(began) >= issuerTime {
		t.Errorf("it took %s", time.Since(began))
	}
	if len(i.known) > 0 {
		t.Error("what was given up is remembered as not to be had")
	}
}

// TestIssuerThatCouldNotBeHadIsAskedForAgain soon: for a moment anything can be in the way,
// and all that time the site is closed.
func TestIssuerThatCouldNotBeHadIsAskedForAgain(t *testing.T) {
	s := newSigner(t)
	synctest.Test(t, func(t *testing.T) {
		origins := &moody{answer: s.issuer("low", nil).Raw}
		i := newIssuers(origins, nil)
		for _, c := range []struct {
			after time.Duration
			found bool
			asked int
		}{{0, false, 1}, {issuerMissed / 2, false, 1}, {issuerMissed, true, 2}, {issuerMemory / 2, true, 2}} {
			time.Sleep(c.after)
			if found := i.at(t.Context(), "http://a.example/low") != nil; found != c.found || origins.asked != c.asked {
				t.Errorf("%s later: found %t, asked %d times, want %+v", c.after, found, origins.asked, c)
			}
		}
	})
}

// TestIssuersAreKnownNoLongerThanConnections: who waits for no fetch learns that somebody was
// at a site of that issuer.
func TestIssuersAreKnownNoLongerThanConnections(t *testing.T) {
	s := newSigner(t)
	synctest.Test(t, func(t *testing.T) {
		origins := &moody{answer: s.issuer("low", nil).Raw, asked: 1} // at first it is not to be had
		i := newIssuers(origins, nil)
		for _, c := range []struct {
			after time.Duration
			asked int
		}{{0, 2}, {warmFor - time.Second, 2}, {time.Second, 3}} {
			time.Sleep(c.after)
			if i.at(t.Context(), "http://a.example/low") == nil || origins.asked != c.asked {
				t.Errorf("%s later: asked %d times, want %d", c.after, origins.asked, c.asked)
			}
		}
	})
}

// TestIssuersAreFetchedForThoseApart: any site can name places of its own in certificates, and
// by those that nobody asks for would know two identities for one user's.
func TestIssuersAreFetchedForThoseApart(t *testing.T) {
	origins := &moody{answer: newSigner(t).issuer("low", nil).Raw, asked: 1}
	i := newIssuers(origins, nil)
	for _, apart := range []string{"", "ann+work", "ann+home", "ann+work", ""} {
		if i.at(wire.WithIsolation(t.Context(), apart), "http://a.example/low") == nil {
			t.Fatalf("%q: not found", apart)
		}
	}
	if got := origins.asked - 1; got != 3 {
		t.Errorf("%d fetches for three who are kept apart", got)
	}
}

// A moody origin has an answer for all but the first who ask.
type moody struct {
	answer []byte
	asked  int
}

func (m *moody) RoundTrip(*http.Request) (*http.Response, error) {
	if m.asked++; m.asked == 1 {
		return nil, io.EOF
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(m.answer))}, nil
}

type noOrigins struct{}

func (noOrigins) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }

// TestWhatIsRememberedOfOriginsIsBounded, however many a client names.
func TestWhatIsRememberedOfOriginsIsBounded(t *testing.T) {
	i, s := newIssuers(noOrigins{}, nil), newSecureOrigins(new(wire.Transport))
	for n := range max(knownIssuers, maxPlaces) + 9 {
		i.at(t.Context(), "http://a.example/"+strconv.Itoa(n))
		s.place(placeKey{address: strconv.Itoa(n)})
	}
	if len(i.known) > knownIssuers || len(s.places) > maxPlaces {
		t.Errorf("%d issuers and %d origins are remembered", len(i.known), len(s.places))
	}
}
