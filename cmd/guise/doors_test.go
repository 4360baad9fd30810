package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
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
