package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Pebble's validator has no end, nor have certmagic's rate limiters, of
	// which there is one for each authority; its lock files are let go of
	// within seconds.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
	)
}

// shake does one handshake and returns what the client saw.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			tls.Server(conn, server).Handshake()
		}
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	conn := tls.Client(raw, client)
	err = conn.Handshake()
	raw.Close()
	<-served
	return conn.ConnectionState(), err
}

func TestSelfSignedIsTrustedByWhoHasIt(t *testing.T) {
	m, err := SelfSigned("proxy.example", "192.0.2.1", "127.0.0.1", "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(m.certificate.Leaf)
	for _, name := range []string{"localhost", "127.0.0.1", "127.0.0.2", "::1", "proxy.example", "192.0.2.1"} {
		if _, err := shake(t, Config(m), &tls.Config{RootCAs: pool, ServerName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := shake(t, Config(m), &tls.Config{RootCAs: pool, ServerName: "other.example"}); err == nil {
		t.Error("it is good for another name")
	}
	if f := m.Fingerprint(); len(f) != 32*3-1 || strings.Trim(f, "0123456789ABCDEF:") != "" {
		t.Errorf("fingerprint %q", f)
	}
}

func TestConfigSpeaksModernTLSOnly(t *testing.T) {
	m, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		client *tls.Config
		proto  string
		ok     bool
	}{
		{"1.3", &tls.Config{NextProtos: []string{"http/1.1", "h2"}}, "h2", true},
		{"1.2", &tls.Config{MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}, "h2", true},
		{"HTTP/1.1", &tls.Config{NextProtos: []string{"http/1.1"}}, "http/1.1", true},
		{"HTTP/1.1 of https-proxy-agent", &tls.Config{NextProtos: []string{"http 1.1"}}, "http 1.1", true},
		{"no ALPN", &tls.Config{}, "", true},
		{"1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "", false},
		{"CBC", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, "", false},
		{"unknown protocol", &tls.Config{NextProtos: []string{"spdy/3"}}, "", false},
	} {
		c.client.InsecureSkipVerify = true
		state, err := shake(t, Config(m), c.client)
		if c.ok != (err == nil) || c.ok && state.NegotiatedProtocol != c.proto {
			t.Errorf("%s: %q, %v", c.what, state.NegotiatedProtocol, err)
		}
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	p, fingerprint, err := KeptSelfSigned(certFile, keyFile, "first.example")
	if err != nil || fingerprint == "" {
		t.Fatal(err)
	}
	if info, _ := os.Stat(keyFile); info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v", info.Mode())
	}
	if _, again, err := KeptSelfSigned(certFile, keyFile); err != nil || again != "" {
		t.Errorf("made again: %q, %v", again, err)
	}
	now := time.Now()
	p.now = func() time.Time { return now }
	var told []string
	p.Unread = func(err error) { told = append(told, err.Error()) }
	name := func() string {
		now = now.Add(2 * lookEvery)
		c, err := p.Certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.DNSNames[1]
	}
	if got := name(); got != "first.example" {
		t.Fatalf("got %s", got)
	}
	second, _ := SelfSigned("second.example")
	next := filepath.Join(dir, "next.pem")
	if err := second.Keep(next, next+".key"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, certFile); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "first.example" {
		t.Errorf("%s is used with another's key", got)
	}
	if len(told) > 0 {
		t.Errorf("between two writes it is said that %q", told)
	}
	name()
	name()
	if len(told) != 1 || !strings.Contains(told[0], "private key does not match") {
		t.Errorf("of another's key it is said that %q", told)
	}
	if err := os.Rename(next+".key", keyFile); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "second.example" {
		t.Errorf("after the change: %s", got)
	}
	// Some write into the files that are there.
	third, _ := SelfSigned("third.example")
	if err := third.Keep(next, next+".key"); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{next: certFile, next + ".key": keyFile} {
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(to, now, now); err != nil { // clocks of files may be coarse
			t.Fatal(err)
		}
	}
	if got := name(); got != "third.example" {
		t.Errorf("after it was written over: %s", got)
	}
	os.Remove(keyFile)
	if got := name(); got != "third.example" {
		t.Errorf("after the key was removed: %s", got)
	}
	if name(); len(told) != 2 || !strings.Contains(told[1], keyFile) {
		t.Errorf("of a removed key it is said that %q", told)
	}
	if _, err := Files(certFile, keyFile); err == nil {
		t.Error("a missing file is no error")
	}
}

// TestEncryptedKeyIsNamed: what crypto/tls says of one is that it cannot be parsed.
func TestEncryptedKeyIsNamed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if _, _, err := KeptSelfSigned(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	for _, block := range []pem.Block{
		{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret")},
		{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("secret")},
	} {
		if err := os.WriteFile(keyFile, pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Files(certFile, keyFile); err == nil || !strings.Contains(err.Error(), keyFile+" is encrypted") {
			t.Errorf("%s: %v", block.Type, err)
		}
	}
}

// TestNothingIsKeptByHalves: a key without its certificate would keep the next
// try from making both.
func TestNothingIsKeptByHalves(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "later", "cert.pem"), filepath.Join(dir, "key.pem")
	if _, _, err := KeptSelfSigned(certFile, keyFile); err == nil {
		t.Fatal("there is no such folder")
	}
	if err := os.Mkdir(filepath.Dir(certFile), 0o700); err != nil {
		t.Fatal(err)
	}
	p, fingerprint, err := KeptSelfSigned(certFile, keyFile)
	if err != nil || fingerprint == "" {
		t.Fatalf("%q, %v", fingerprint, err)
	}
	other, err := SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Keep(filepath.Join(dir, "other.pem"), keyFile); err == nil {
		t.Error("a key that was there is written over")
	}
	if err := other.Keep(certFile, filepath.Join(dir, "other.key")); err == nil {
		t.Error("a certificate that was there is written over")
	}
	if _, err := Files(certFile, keyFile); err != nil {
		t.Errorf("what was kept is no more: %v", err)
	}
	if left := time.Until(p.Ends()); left < selfSignedFor-2*time.Hour || left > selfSignedFor {
		t.Errorf("it is valid for %v", left)
	}
}
