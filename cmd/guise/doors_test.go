package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"guise/config"
)

// TestEndOfACertificateIsSaid while there is time, and once it is over.
func TestEndOfACertificateIsSaid(t *testing.T) {
	end := time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		left       time.Duration
		selfSigned bool
		want       string
	}{
		{15 * 24 * time.Hour, false, ""},
		{13 * 24 * time.Hour, false, "proxy.pem from 2030-05-17 on; put a new one"},
		{-time.Hour, false, "proxy.pem from 2030-05-17 on; put a new one"},
		{-time.Hour, true, "proxy.pem from 2030-05-17 on; move it and its key away"},
	} {
		var out strings.Builder
		l := config.Listener{Certificate: "proxy.pem", SelfSigned: c.selfSigned}
		announceEnd(&out, l, end, end.Add(-c.left))
		if got := out.String(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v before its end: %q", c.left, got)
		}
	}
}

// TestWhatCannotBeMadeNamesItsListener and its key: check makes nothing, and so only a
// start learns that it may not.
func TestWhatCannotBeMadeNamesItsListener(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "")
	at := config.Address{IP: netip.MustParseAddr("127.0.0.1"), Port: 8443}
	for want, l := range map[string]config.Listener{
		"listener 127.0.0.1:8443: certificate: ": {Address: at, Protocol: config.HTTPS, SelfSigned: true, Certificate: file + "/a.pem", Key: file + "/a.key"},
		"listener 127.0.0.1:8443: acme: ":        {Address: at, Protocol: config.HTTPS, ACME: config.ACME{Domains: []config.Domain{"a.example"}, Storage: file + "/acme"}},
	} {
		if _, err := newDoor(l, at, io.Discard); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestDoorHasTheOperatorsCertificate, and says that it ends soon.
func TestDoorHasTheOperatorsCertificate(t *testing.T) {
	dir := t.TempDir()
	at := config.Address{IP: netip.MustParseAddr("127.0.0.1"), Port: 8443}
	l := config.Listener{Address: at, Protocol: config.HTTPS, Certificate: filepath.Join(dir, "a.pem"), Key: filepath.Join(dir, "a.key")}
	writePair(t, l.Certificate, l.Key, "a.example", time.Now().Add(24*time.Hour))
	var said strings.Builder
	d, err := newDoor(l, at, &said)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if c := certificateOf(t, d); !slices.Equal(c.DNSNames, []string{"a.example"}) {
		t.Errorf("its certificate is for %q", c.DNSNames)
	}
	if !strings.HasPrefix(said.String(), "guise: clients refuse the certificate in "+l.Certificate) {
		t.Errorf("of its end it is said that %q", said.String())
	}
}

// TestKeptCertificateIsSaidToNameOtherAddresses once its listener is reached by others:
// clients say no more than that they refuse it.
func TestKeptCertificateIsSaidToNameOtherAddresses(t *testing.T) {
	dir := t.TempDir()
	l := config.Listener{Protocol: config.HTTPS, SelfSigned: true, Certificate: filepath.Join(dir, "a.pem"), Key: filepath.Join(dir, "a.key")}
	for _, c := range []struct{ at, want string }{
		{"192.0.2.7", "a self-signed certificate for 192.0.2.7:8443 was made"},
		{"192.0.2.7", ""},
		{"127.0.0.1", ""},
		{"192.0.2.8", "clients refuse the certificate in " + l.Certificate + " at 192.0.2.8: it names other addresses"},
		{"127.0.0.2", "at 127.0.0.2: it names other addresses"},
	} {
		l.Address = config.Address{IP: netip.MustParseAddr(c.at), Port: 8443}
		var said, noted strings.Builder
		d, err := newDoor(l, l.Address, &said)
		if err != nil {
			t.Fatal(err)
		}
		d.close()
		if got := said.String(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("at %s it is said that %q", c.at, got)
		}
		note := func(key, format string, args ...any) { fmt.Fprintf(&noted, key+": "+format, args...) }
		noteCertificates(&config.Config{Listeners: []config.Listener{l}}, time.Now(), note)
		if got := noted.String(); strings.Contains(c.want, "other addresses") != strings.Contains(got, "listeners[0].certificate: clients refuse it at "+c.at) {
			t.Errorf("at %s it is noted that %q", c.at, got)
		}
	}
}

// TestDoorOnAllAddresses is certified for each by which others come.
func TestDoorOnAllAddresses(t *testing.T) {
	for _, ip := range []netip.Addr{{}, netip.IPv4Unspecified()} {
		var said strings.Builder
		at := config.Address{IP: ip, Port: 8443}
		d, err := newDoor(config.Listener{Address: at, Protocol: config.HTTPS, SelfSigned: true}, at, &said)
		if err != nil {
			t.Fatal(err)
		}
		c := certificateOf(t, d)
		for _, own := range ownAddresses() {
			if err := c.VerifyHostname("[" + own.String() + "]"); (err == nil) == own.IsLinkLocalUnicast() {
				t.Errorf("at %v: %v: %v", at, own, err)
			}
		}
		var name config.Domain
		if host, err := os.Hostname(); err == nil && name.UnmarshalText([]byte(host)) == nil {
			if err := c.VerifyHostname(string(name)); err != nil {
				t.Errorf("at %v: %v", at, err)
			}
		}
		digest := strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(c.Raw)), " ", ":")
		if !strings.Contains(said.String(), "fingerprint is\n  "+digest+"\n") {
			t.Errorf("of its fingerprint, %s, it is said that %q", digest, said.String())
		}
	}
}

// TestDoorOnOneAddress is certified for that one: others are nobody's business.
func TestDoorOnOneAddress(t *testing.T) {
	at := config.Address{IP: netip.MustParseAddr("192.0.2.7"), Port: 8443}
	d, err := newDoor(config.Listener{Address: at, Protocol: config.HTTPS, SelfSigned: true}, at, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c := certificateOf(t, d)
	if err := c.VerifyHostname("192.0.2.7"); err != nil {
		t.Error(err)
	}
	if !slices.Equal(c.DNSNames, []string{"localhost"}) || len(c.IPAddresses) != 3 { // with both of loopback
		t.Errorf("it names %q and %v", c.DNSNames, c.IPAddresses)
	}
}

// certificateOf returns what clients of d get to see.
func certificateOf(t *testing.T, d *door) *x509.Certificate {
	t.Helper()
	c, err := d.how.TLS.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

// writeFile writes a file that its owner alone may read.
func writeFile(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writePair makes a certificate for name that is valid until end.
func writePair(t *testing.T, cert, key, name string, end time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: end, DNSNames: []string{name}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		writeFile(t, file, string(pem.EncodeToMemory(block)))
	}
}
