package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// serveNames answers every question for an address with loopback's.
func serveNames(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			a.Answer = append(a.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
				A:   net.IPv4(127, 0, 0, 1),
			})
		}
		w.WriteMsg(a)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.ActivateAndServe()
	}()
	t.Cleanup(func() {
		s.Shutdown()
		l.Close()
		<-served
	})
	return l.Addr().String()
}

// servePebble runs an authority that validates on the two ports, and returns
// its server.
func servePebble(t *testing.T, httpPort, tlsPort int) *httptest.Server {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	profiles := map[string]ca.Profile{"default": {Description: "default"}}
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
	validator := va.New(quiet, httpPort, tlsPort, true, serveNames(t), store)
	front := wfe.New(quiet, store, validator, authority, []string{"pebble.letsencrypt.org"}, true, false, 1, 1)
	s := httptest.NewTLSServer(front.Handler())
	t.Cleanup(s.Close)
	return s
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestIssuedByPebble obtains a certificate by each challenge alone, and then
// has it from the storage.
func TestIssuedByPebble(t *testing.T) {
	for _, challenge := range []string{"HTTP-01", "TLS-ALPN-01"} {
		t.Run(challenge, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := l.Addr().(*net.TCPAddr).Port
			o := ACMEOptions{
				Domains:  []string{"proxy.example"},
				Email:    "me@proxy.example",
				Storage:  filepath.Join(t.TempDir(), "acme"),
				HTTPPort: freePort(t),
				TLSPort:  port,
				Host:     "127.0.0.1",
			}
			validHTTP, validTLS := o.HTTPPort, port
			if challenge == "HTTP-01" {
				validTLS = freePort(t)
			} else {
				validHTTP = freePort(t)
			}
			authority := servePebble(t, validHTTP, validTLS)
			o.Directory, o.Roots = authority.URL+wfe.DirectoryPath, x509.NewCertPool()
			o.Roots.AddCert(authority.Certificate())
			obtained := make(chan error, 10)
			o.Told = func(domain string, err error) {
				if domain != "proxy.example" {
					t.Errorf("told of %q", domain)
				}
				obtained <- err
			}
			issued, err := Issue(o)
			if err != nil {
				t.Fatal(err)
			}
			config := Config(issued, ACMEProtocol)
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.SetDeadline(time.Now().Add(10 * time.Second))
					tls.Server(conn, config).Handshake()
					conn.Close()
				}
			}()
			select {
			case err := <-obtained:
				if err != nil {
					t.Errorf("not obtained: %v", err)
				}
			case <-time.After(time.Minute):
				t.Error("no certificate within a minute")
			}
			issued.Close()
			l.Close()
			<-served

			authority.Close()
			again, err := Issue(o)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			var state tls.ConnectionState
			for deadline := time.Now().Add(10 * time.Second); ; {
				state, err = shake(t, Config(again), &tls.Config{InsecureSkipVerify: true, ServerName: "proxy.example"})
				if err == nil || time.Now().After(deadline) {
					break
				}
			}
			if err != nil || len(state.PeerCertificates) == 0 || state.PeerCertificates[0].VerifyHostname("proxy.example") != nil {
				t.Errorf("from the storage: %v", err)
			}
			// Whoever asks for an address names no host (RFC 6066 §3).
			if state, err := shake(t, Config(again), &tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"}); err != nil || len(state.PeerCertificates) == 0 {
				t.Errorf("without a name: %v", err)
			}
			if info, err := os.Stat(o.Storage); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the storage has mode %v, %v", info.Mode(), err)
			}
		})
	}
}

// TestFailureIsTold, with or without a reason, and to nobody if nobody asked.
func TestFailureIsTold(t *testing.T) {
	why := errors.New("refused")
	var told []error
	o := ACMEOptions{Told: func(domain string, err error) {
		if domain != "proxy.example" {
			t.Errorf("told of %q", domain)
		}
		told = append(told, err)
	}}
	o.tell("cert_failed", map[string]any{"identifier": "proxy.example", "error": why})
	o.tell("cert_failed", map[string]any{"identifier": "proxy.example"})
	o.tell("cert_obtaining", map[string]any{"identifier": "proxy.example"})
	if len(told) != 2 || told[0] != why || told[1] == nil {
		t.Errorf("told %v", told)
	}
	ACMEOptions{}.tell("cert_failed", nil)
}

// TestStorageThatFailsIsTold: nothing else would say why there is no certificate, and
// what the storage fails for at first is not tried again.
func TestStorageThatFailsIsTold(t *testing.T) {
	for part, what := range map[string]string{"certificates": "caching certificate", "locks": "unable to acquire lock"} {
		storage := t.TempDir()
		if err := os.WriteFile(filepath.Join(storage, part), nil, 0o600); err != nil { // it should be a folder
			t.Fatal(err)
		}
		told := make(chan error, 10)
		issued, err := Issue(ACMEOptions{
			Domains:   []string{"proxy.example"},
			Directory: "https://127.0.0.1:1/directory",
			Storage:   storage,
			Told: func(domain string, err error) {
				if domain != "proxy.example" {
					t.Errorf("told of %q", domain)
				}
				told <- err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-told:
			if !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), storage) {
				t.Errorf("%s is no folder: %v", part, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s is no folder, and nothing is told", part)
		}
		issued.Close()
	}
}

// TestFailureIsToldOnce, though an event and a line say it, and who listens hears nothing
// of what was cancelled.
func TestFailureIsToldOnce(t *testing.T) {
	var told []string
	jobs := &failedJobs{last: make(map[string]string), options: ACMEOptions{
		Domains: []string{"a.example", "b.example"},
		Told:    func(domain string, err error) { told = append(told, domain+" "+err.Error()) },
	}}
	log := zap.New(jobs)
	jobs.told(map[string]any{"identifier": "a.example", "error": errors.New("refused")})
	log.Error("will retry", zap.Error(errors.New("[a.example] Obtain: refused")))
	log.Error("job failed", zap.Error(errors.New("b.example: obtaining certificate: [b.example] Obtain: refused")))
	log.Error("job failed", zap.Error(errors.New("[a.example] Renew: saving assets: no space left")))
	log.Error("job failed", zap.Error(fmt.Errorf("b.example: %w", context.Canceled)))
	log.Error("tls-alpn challenge", zap.Error(errors.New("[a.example] from 192.0.2.1")))
	want := []string{"b.example obtaining certificate: [b.example] Obtain: refused", "a.example Renew: saving assets: no space left"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
