package inspect

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

func authority(t testing.TB, o CreateOptions) *Authority {
	t.Helper()
	a, err := Create(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leafOf(t testing.TB, a *Authority, host string) *tls.Certificate {
	t.Helper()
	leaf, err := a.Leaf(host)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func (a *Authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func TestAuthoritySignsServersOnly(t *testing.T) {
	a := authority(t, CreateOptions{})
	c := a.Certificate()
	switch {
	case c.MaxPathLen != 0 || !c.MaxPathLenZero:
		t.Error("it may make further authorities")
	case len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth:
		t.Error("it may sign for more than servers")
	case !c.PermittedDNSDomainsCritical:
		t.Error("its name constraints may be ignored")
	case time.Until(c.NotAfter) > Lifetime:
		t.Error("it lives too long")
	}
}

func TestNameConstraints(t *testing.T) {
	public := authority(t, CreateOptions{})
	only := authority(t, CreateOptions{Only: []string{"a.example", "*.b.example"}})
	private := authority(t, CreateOptions{Private: true})
	for _, c := range []struct {
		a    *Authority
		host string
		want bool
	}{
		{public, "www.example.com", true},
		{public, "192.0.2.1", true},
		{public, "router.local", false},
		{public, "local", false},
		{public, "notlocal", true},
		{public, "mail.corp", false},
		{public, "nas.home.arpa", false},
		{public, "10.1.2.3", false},
		{public, "::1", false},
		{public, "fd00::1", false},
		{public, "2001:db8::1", true},
		{only, "a.example", true},
		{only, "x.a.example", true},
		{only, "xa.example", false},
		{only, "b.example", true},
		{only, "www.example.com", false},
		{only, "192.0.2.1", false},
		{private, "127.0.0.1", true},
		{private, "router.local", true},
	} {
		if got := c.a.Permits(c.host); got != c.want {
			t.Errorf("Permits(%s) = %v", c.host, got)
			continue
		}
		leaf, err := c.a.Leaf(c.host)
		if (err == nil) != c.want {
			t.Errorf("Leaf(%s): %v", c.host, err)
		}
		if err == nil {
			if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: c.a.pool(), DNSName: bracketed(c.host)}); err != nil {
				t.Errorf("a client does not accept the leaf for %s: %v", c.host, err)
			}
		}
	}
	// Clients hold the constraints too, whoever has the key.
	template := leafTemplate("router.local", time.Now())
	stolen, err := issue(template, public.certificate, public.leaves.key, public.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stolen.Leaf.Verify(x509.VerifyOptions{Roots: public.pool(), DNSName: "router.local"}); err == nil {
		t.Error("a stolen key poses as a private host")
	}
	for _, bad := range []string{"", "a b", "10.0.0.1", "*"} {
		if _, err := Create(CreateOptions{Only: []string{bad}}); err == nil {
			t.Errorf("%q passes for a domain", bad)
		}
	}
}

// madeElsewhere returns an authority whose certificate is as edit leaves it.
func madeElsewhere(t *testing.T, edit func(*x509.Certificate)) *Authority {
	t.Helper()
	o := CreateOptions{Private: true, Lifetime: Lifetime, Now: time.Now}
	template, err := o.template()
	if err != nil {
		t.Fatal(err)
	}
	edit(template)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := issue(template, template, key, key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAuthority(own.Leaf, key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestLoadTakesWhatMaySign, as clients do, which want no key usage to be there.
func TestLoadTakesWhatMaySign(t *testing.T) {
	for what, c := range map[string]struct {
		edit func(*x509.Certificate)
		want bool
	}{
		"no key usage":         {func(c *x509.Certificate) { c.KeyUsage = 0 }, true},
		"one without signing":  {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, false},
		"no authority":         {func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = false, false }, false},
		"neither of the two":   {func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero, c.KeyUsage = false, false, 0 }, false},
		"no basic constraints": {func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero, c.BasicConstraintsValid = false, false, false }, false},
	} {
		a, folder := madeElsewhere(t, c.edit), t.TempDir()
		if err := a.Save(folder); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(folder); (err == nil) != c.want {
			t.Errorf("%s: %v", what, err)
		}
		_, err := leafOf(t, a, "a.example").Leaf.Verify(x509.VerifyOptions{Roots: a.pool(), DNSName: "a.example"})
		if c.want && err != nil {
			t.Errorf("%s: a client says %v", what, err)
		}
	}
}

// TestNameConstraintsOfOtherMakers are held as crypto/x509 holds them, which stands for clients.
func TestNameConstraintsOfOtherMakers(t *testing.T) {
	for _, c := range []struct {
		permitted, excluded []string
		host                string
		want                bool
	}{
		{[]string{".a.example"}, nil, "www.a.example", true},
		{[]string{".a.example"}, nil, "a.example", false},
		{[]string{".a.example"}, nil, "xa.example", false},
		{[]string{"A.Example"}, nil, "www.a.example", true},
		{nil, []string{".Lan"}, "router.lan", false},
		{nil, []string{".lan"}, "plan", true},
		{[]string{""}, nil, "www.a.example", true},
		{nil, []string{""}, "www.a.example", false},
	} {
		a := madeElsewhere(t, func(own *x509.Certificate) {
			own.PermittedDNSDomains, own.ExcludedDNSDomains = c.permitted, c.excluded
		})
		if got := a.Permits(c.host); got != c.want {
			t.Errorf("permitted %q, excluded %q: Permits(%s) = %v", c.permitted, c.excluded, c.host, got)
		}
		leaf, err := issue(leafTemplate(c.host, time.Now()), a.certificate, a.leaves.key, a.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: a.pool(), DNSName: c.host}); (err == nil) != c.want {
			t.Errorf("permitted %q, excluded %q: a client says of %s: %v", c.permitted, c.excluded, c.host, err)
		}
	}
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func TestLeavesAreShortAndTheirOwn(t *testing.T) {
	now := time.Now()
	a := authority(t, CreateOptions{Now: func() time.Time { return now }})
	one := leafOf(t, a, "one.example")
	other := leafOf(t, a, "other.example")
	if life := one.Leaf.NotAfter.Sub(one.Leaf.NotBefore); life != 7*24*time.Hour {
		t.Errorf("valid for %s", life)
	}
	if c := one.Leaf; c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("it is for more than a server: %t, %b, %v", c.IsCA, c.KeyUsage, c.ExtKeyUsage)
	}
	if one.Leaf.SerialNumber.Cmp(other.Leaf.SerialNumber) == 0 || one.Leaf.SerialNumber.BitLen() < 64 {
		t.Error("serial numbers are not random")
	}
	long := strings.Repeat("a.", 26) + "long.example" // 64 octets, the most that a common name has
	if name := leafOf(t, a, long).Leaf.Subject.CommonName; name != long {
		t.Errorf("its common name is %q", name)
	}
	if name := leafOf(t, a, "a"+long).Leaf.Subject.CommonName; name != "" {
		t.Errorf("its common name is %q, which is longer than one may be", name)
	}
	if again, _ := a.Leaf("one.example"); again != one {
		t.Error("signed twice")
	}
	now = now.Add(6*24*time.Hour + time.Minute)
	if renewed, _ := a.Leaf("one.example"); renewed == one {
		t.Error("not signed again before its end")
	}
	now = a.certificate.NotAfter.Add(-time.Hour)
	last, err := a.Leaf("one.example")
	if err != nil || last.Leaf.NotAfter.After(a.certificate.NotAfter) {
		t.Errorf("outlives its authority: %v", err)
	}
	if again, _ := a.Leaf("one.example"); again != last {
		t.Error("signed for every connection at the authority's end")
	}
}

// TestLeavesDoNotTellSinceWhen: of two hosts, the one that somebody asked for before looks
// like the other.
func TestLeavesDoNotTellSinceWhen(t *testing.T) {
	now := time.Now()
	a := authority(t, CreateOptions{Now: func() time.Time { return now }})
	for day := range 30 {
		known := leafOf(t, a, "known.example")
		other := leafOf(t, a, fmt.Sprintf("%d.example", day))
		if k, o := known.Leaf, other.Leaf; !k.NotBefore.Equal(o.NotBefore) || !k.NotAfter.Equal(o.NotAfter) {
			t.Errorf("after %d days the one is valid from %s to %s, the other from %s to %s", day, k.NotBefore, k.NotAfter, o.NotBefore, o.NotAfter)
		}
		if left := known.Leaf.NotAfter.Sub(now); left < leafRenewal || now.Sub(known.Leaf.NotBefore) < clockSlack {
			t.Errorf("after %d days it is valid from %s to %s", day, known.Leaf.NotBefore, known.Leaf.NotAfter)
		}
		now = now.Add(23 * time.Hour)
	}
}

// TestLeavesTellNoMoment: a client that sees a host's certificate change would know when the
// one before was signed, for somebody else.
func TestLeavesTellNoMoment(t *testing.T) {
	now := time.Now()
	a := authority(t, CreateOptions{Now: func() time.Time { return now }})
	before := leafOf(t, a, "one.example")
	now = now.Add(leafKept)
	after := leafOf(t, a, "one.example")
	if after == before || !bytes.Equal(after.Certificate[0], before.Certificate[0]) {
		t.Errorf("certificate %s is followed by %s", before.Leaf.SerialNumber, after.Leaf.SerialNumber)
	}
}

// TestLeavesAreSharedForAMoment: one that is there comes sooner than one that has to be
// signed, and tells that somebody asked for the host.
func TestLeavesAreSharedForAMoment(t *testing.T) {
	now := time.Now()
	a := authority(t, CreateOptions{Now: func() time.Time { return now }})
	first := leafOf(t, a, "one.example")
	now = now.Add(leafKept - time.Second)
	if again, _ := a.Leaf("one.example"); again != first {
		t.Error("signed anew at once")
	}
	now = now.Add(time.Second)
	if later, err := a.Leaf("one.example"); err != nil || later == first {
		t.Errorf("not signed for who comes later, %v", err)
	}
}

// TestLeavesAreValidOnceTheClockIsSet: a machine without a clock of its own, or with one
// that has the local time, knows what time it is a while after its start.
func TestLeavesAreValidOnceTheClockIsSet(t *testing.T) {
	now := time.Now()
	a := authority(t, CreateOptions{Now: func() time.Time { return now }})
	now = now.Add(10 * time.Hour)
	if _, err := a.Leaf("one.example"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-9 * time.Hour)
	c, err := a.Leaf("one.example")
	if err != nil || now.Before(c.Leaf.NotBefore) {
		t.Errorf("clients at %s get a certificate that is valid from %s on, %v", now, c.Leaf.NotBefore, err)
	}
}

// TestLeavesAreOfTheTermThatTheClockShows: where a machine slept for days, or its clock was
// set, no time has passed since the last was signed, and it is valid no more, or not yet.
func TestLeavesAreOfTheTermThatTheClockShows(t *testing.T) {
	now := time.Now()
	a := authority(t, CreateOptions{Now: func() time.Time { return now }})
	now = now.Add(leafTerm)
	leafOf(t, a, "one.example")
	now = now.Add(-leafTerm)
	if c := leafOf(t, a, "one.example"); now.Before(c.Leaf.NotBefore) {
		t.Errorf("clients at %s get a certificate that is valid from %s on", now, c.Leaf.NotBefore)
	}
}

// TestLeavesLeadToWhoeverSigned: clients that trust the one who signed the authority get
// to see what leads there, and of an authority that stands for itself nothing they have.
func TestLeavesLeadToWhoeverSigned(t *testing.T) {
	root := authority(t, CreateOptions{})
	template, err := CreateOptions{Now: time.Now}.template()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := issue(template, root.certificate, key, root.key)
	if err != nil {
		t.Fatal(err)
	}
	below, err := newAuthority(signed.Leaf, key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[*Authority]int{root: 1, below: 2} {
		leaf := leafOf(t, a, "site.example")
		if len(leaf.Certificate) != want {
			t.Fatalf("%d certificates, want %d", len(leaf.Certificate), want)
		}
		if last, err := x509.ParseCertificate(leaf.Certificate[want-1]); err != nil || last.CheckSignatureFrom(root.certificate) != nil {
			t.Errorf("it leads elsewhere: %v", err)
		}
	}
}

// Certificates are kept for long; what else the client said when it named the
// host, its password among it, is not to be with them.
func TestLeavesHoldNoHeads(t *testing.T) {
	a := authority(t, CreateOptions{})
	head := strings.Clone("CONNECT www.example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic canary\r\n")
	host := head[len("CONNECT "):][:len("www.example.com")]
	if _, err := a.Leaf(host); err != nil {
		t.Fatal(err)
	}
	for _, kept := range a.leaves.kept.Keys() {
		if unsafe.StringData(kept) == unsafe.StringData(host) {
			t.Errorf("%s is kept as a part of the head", kept)
		}
	}
	if a.leaves.kept.Len() != 1 {
		t.Error("nothing is kept")
	}
}

func TestOneSigningForAll(t *testing.T) {
	a := authority(t, CreateOptions{})
	var all sync.WaitGroup
	got := make([]*tls.Certificate, 64)
	for i := range got {
		all.Go(func() { got[i], _ = a.Leaf("www.example.com") })
	}
	all.Wait()
	for _, c := range got {
		if c == nil || c != got[0] {
			t.Fatal("the same host was signed for more than once")
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "deep", "ca")
	a := authority(t, CreateOptions{})
	if err := a.Save(folder); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key: %v, %v", info.Mode(), err)
	}
	if err := a.Save(folder); err == nil {
		t.Error("an authority was overwritten")
	}
	b, err := Load(folder)
	if err != nil || !b.Equal(a) {
		t.Fatalf("Load: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o620, 0o601} {
		if err := os.Chmod(filepath.Join(folder, KeyFile), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "others") {
			t.Errorf("a key of mode %o is used: %v", mode, err)
		}
	}
	os.Chmod(filepath.Join(folder, KeyFile), 0o600)
	other := filepath.Join(t.TempDir(), "other")
	if err := authority(t, CreateOptions{}).Save(other); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(filepath.Join(other, CertificateFile))
	os.WriteFile(filepath.Join(folder, CertificateFile), data, 0o644)
	if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "belong together") {
		t.Errorf("another's key is used: %v", err)
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no authority: %v", err)
	}
}

func TestAnExpiredAuthorityIsRefused(t *testing.T) {
	folder := t.TempDir()
	a := authority(t, CreateOptions{Now: func() time.Time { return time.Now().Add(-2 * Lifetime) }})
	if err := a.Save(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("Load: %v", err)
	}
	a = authority(t, CreateOptions{Now: func() time.Time { return time.Now().Add(Lifetime) }})
	folder = t.TempDir()
	if err := a.Save(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "is valid from") {
		t.Errorf("Load of one for later: %v", err)
	}
}

// TestLoadRefusesWhatIsNoAuthority, and says which file is at fault.
func TestLoadRefusesWhatIsNoAuthority(t *testing.T) {
	a := authority(t, CreateOptions{})
	leaf := leafOf(t, a, "a.example")
	asPEM := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	private := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return asPEM("PRIVATE KEY", der)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		file string
		data []byte
	}{
		"no certificate":         {CertificateFile, []byte("text")},
		"a key for it":           {CertificateFile, asPEM("PRIVATE KEY", a.certificate.Raw)},
		"a damaged certificate":  {CertificateFile, asPEM("CERTIFICATE", a.certificate.Raw[1:])},
		"a server's certificate": {CertificateFile, asPEM("CERTIFICATE", leaf.Certificate[0])},
		"no key":                 {KeyFile, []byte("text")},
		"a damaged key":          {KeyFile, asPEM("PRIVATE KEY", []byte("text"))},
		"a key of another kind":  {KeyFile, private(other)},
	} {
		folder := t.TempDir()
		if err := a.Save(folder); err != nil {
			t.Fatal(err)
		}
		if what == "a server's certificate" {
			os.WriteFile(filepath.Join(folder, KeyFile), private(leaf.PrivateKey), 0o600)
		}
		os.WriteFile(filepath.Join(folder, c.file), c.data, 0o600)
		if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if none := (*Authority)(nil); none.Equal(a) || a.Equal(none) {
		t.Error("none is the same as one")
	}
	if authority(t, CreateOptions{}).Equal(a) {
		t.Error("another is the same")
	}
}

// TestLoadSaysHowOneIsMade, of keys as openssl makes them for other proxies: RSA, and
// with a passphrase.
func TestLoadSaysHowOneIsMade(t *testing.T) {
	folder := t.TempDir()
	if err := authority(t, CreateOptions{}).Save(folder); err != nil {
		t.Fatal(err)
	}
	for kind, headers := range map[string]map[string]string{
		"RSA PRIVATE KEY": nil, "ENCRYPTED PRIVATE KEY": nil, "EC PRIVATE KEY": {"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"},
	} {
		data := pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte("text")})
		os.WriteFile(filepath.Join(folder, KeyFile), data, 0o600)
		if _, err := Load(folder); err == nil || !strings.Contains(err.Error(), "not an ECDSA key without a passphrase; with both files moved away, guise ca init makes one") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestLoadTakesKeysOfOpenssl, as its ecparam writes them: in a form of their own, and
// behind what curve they are of.
func TestLoadTakesKeysOfOpenssl(t *testing.T) {
	folder := t.TempDir()
	a := authority(t, CreateOptions{})
	if err := a.Save(folder); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	curve := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")})
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	os.WriteFile(filepath.Join(folder, KeyFile), append(curve, key...), 0o600)
	if b, err := Load(folder); err != nil || !b.Equal(a) {
		t.Errorf("Load: %v", err)
	}
}

// TestHalfAnAuthorityIsNotSaved: a key without its certificate would be in the way of the
// next try.
func TestHalfAnAuthorityIsNotSaved(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, CertificateFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := authority(t, CreateOptions{}).Save(folder); err == nil {
		t.Error("a certificate was overwritten")
	}
	if _, err := os.Stat(filepath.Join(folder, KeyFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the key: %v", err)
	}
}

// TestRefusedCertificates: a site is left alone for the alerts that clients give about a
// certificate (RFC 8446 §6.2), and for no others.
func TestRefusedCertificates(t *testing.T) {
	about := map[tls.AlertError]bool{42: true, 43: true, 44: true, 45: true, 46: true, 48: true}
	for alert := range tls.AlertError(122) {
		if strings.HasPrefix(alert.Error(), "tls: alert(") {
			continue // one that crypto/tls has no name for
		}
		err := fmt.Errorf("handshake: %w", &net.OpError{Op: "remote error", Err: alert})
		if got := RefusedCertificate(err); got != about[alert] {
			t.Errorf("%d, %v: %v", alert, alert, got)
		}
		if RefusedHello(err) != (alert == 121) {
			t.Errorf("%d, %v, is about the hello: %v", alert, alert, alert != 121)
		}
		if got, ok := Alert(err); !ok || got != alert {
			t.Errorf("%d is read as %d, %v", alert, got, ok)
		}
		if RefusedCertificate(&net.OpError{Op: "local error", Err: alert}) {
			t.Errorf("our own %v is taken for the client's", alert)
		}
	}
	for _, err := range []error{nil, io.EOF, &net.OpError{Op: "remote error"}, &net.OpError{Op: "remote error", Err: io.EOF}} {
		if RefusedCertificate(err) {
			t.Errorf("%v refuses a certificate", err)
		}
	}
}

func TestExports(t *testing.T) {
	a := authority(t, CreateOptions{})
	block, rest := pem.Decode(a.PEM())
	if block == nil || len(rest) > 0 || !bytes.Equal(block.Bytes, a.DER()) {
		t.Error("PEM and DER differ")
	}
	if _, err := x509.ParseCertificate(a.DER()); err != nil {
		t.Error(err)
	}
	if f := a.Fingerprint(); len(f) != 32*3-1 {
		t.Errorf("fingerprint %s", f)
	}
	profile := a.MobileConfig()
	for d := xml.NewDecoder(bytes.NewReader(profile)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the profile is no XML: %v", err)
		}
	}
	const id = "[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}" // RFC 9562 §5.8
	ids := regexp.MustCompile("<key>PayloadUUID</key><string>("+id+")</string>").FindAllSubmatch(profile, -1)
	if len(ids) != 2 || bytes.Equal(ids[0][1], ids[1][1]) || !bytes.Equal(profile, a.MobileConfig()) || bytes.Equal(profile, authority(t, CreateOptions{}).MobileConfig()) {
		t.Errorf("the profile and what is in it have no ids of their own: %q", ids)
	}
	if !bytes.Contains(profile, []byte("com.apple.security.root")) || bytes.Contains(profile, []byte("PRIVATE")) {
		t.Error("the profile holds something else than the certificate")
	}
}

// shake makes a client's handshake for www.example.com over a pipe of TCP.
func shake(t *testing.T, a *Authority, fault string, client *tls.Config) (clientErr, serverErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		tc, err := a.Terminate(ctx, conn, "www.example.com", fault)
		if err == nil {
			_, err = tc.Read(make([]byte, 1))
			tc.Close()
			if err == io.EOF {
				err = nil
			}
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tc := tls.Client(conn, client)
	clientErr = tc.HandshakeContext(ctx)
	tc.Close()
	return clientErr, <-done
}

func TestTerminate(t *testing.T) {
	a := authority(t, CreateOptions{})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		trusting := &tls.Config{RootCAs: a.pool(), ServerName: "www.example.com", MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}}
		if client, server := shake(t, a, "", trusting); client != nil || server != nil {
			t.Errorf("trusting client: %v, %v", client, server)
		}
		client, server := shake(t, a, "expired", trusting)
		if client == nil {
			t.Error("a distrusted origin gets a certificate that clients accept")
		}
		if !RefusedCertificate(server) {
			t.Errorf("the refusal is not recognised: %v", server)
		}
		pinning := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "www.example.com", MaxVersion: version}
		if _, server := shake(t, a, "", pinning); !RefusedCertificate(server) {
			t.Errorf("pinning is not recognised: %v", server)
		}
	}
}

// A session that began while the origin was trusted must not be resumed when
// it no longer is: no certificate would be shown.
func TestNoResumptionWithoutTrust(t *testing.T) {
	a := authority(t, CreateOptions{})
	client := &tls.Config{RootCAs: a.pool(), ServerName: "www.example.com", ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: tls.VersionTLS12}
	if err, _ := shake(t, a, "", client); err != nil {
		t.Fatal(err)
	}
	if err, _ := shake(t, a, "expired", client); err == nil {
		t.Error("the session was resumed")
	}
	shown := 0 // to a client that takes everything
	careless := &tls.Config{InsecureSkipVerify: true, ServerName: "www.example.com", ClientSessionCache: tls.NewLRUClientSessionCache(4), MaxVersion: tls.VersionTLS12,
		VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { shown++; return nil }}
	for range 2 {
		if err, _ := shake(t, a, "expired", careless); err != nil {
			t.Fatal(err)
		}
	}
	if shown != 2 {
		t.Errorf("the fault was shown %d times of 2", shown)
	}
}

// BenchmarkThirtyNewHosts is a first page: 30 hosts that were never seen.
func BenchmarkThirtyNewHosts(b *testing.B) {
	a := authority(b, CreateOptions{})
	hosts := make([]string, 30)
	for n := 0; b.Loop(); n++ {
		for i := range hosts {
			hosts[i] = fmt.Sprintf("h%d.example", n*30+i)
			if _, err := a.Leaf(hosts[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestLateClocks: the clock of a machine that ran another system before is late by as much
// as its zone is away.
func TestLateClocks(t *testing.T) {
	a := authority(t, CreateOptions{})
	leaf := leafOf(t, a, "www.example.com")
	for _, late := range []time.Duration{0, 14 * time.Hour} {
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: a.pool(), DNSName: "www.example.com", CurrentTime: time.Now().Add(-late)}); err != nil {
			t.Errorf("%s late: %v", late, err)
		}
	}
}
