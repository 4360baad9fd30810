package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestNameServersAnswerIsNotLogged, not even by package net/http, which shows on its own what
// a name server sends beyond an answer.
func TestNameServersAnswerIsNotLogged(t *testing.T) {
	var asked sync.WaitGroup
	asked.Add(1)
	heard := sync.OnceFunc(asked.Done)
	dns := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := io.ReadAll(r.Body)
		if err != nil || len(answer) < 12 {
			t.Errorf("a question of %d bytes, %v", len(answer), err)
			return
		}
		answer[2], answer[3] = 0x81, 0x83 // no such name (RFC 1035 §4.1.1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: %d\r\n\r\n%s%[2]s", len(answer), answer)
		io.Copy(io.Discard, conn) // until guise has seen what that is, and closes
		heard()
	}))
	t.Cleanup(dns.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: dns.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(buildGuise(t), "--set", "listeners=127.0.0.1:0", "--set", "upstream.name_servers="+dns.URL+"/dns-query")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots)
	said := startGuise(t, cmd)
	at := said.must(t, `listening on ([^, ]+)`)[1]
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: at}), DisableKeepAlives: true}}
	resp, err := client.Get("http://secret.example/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %s", resp.Status)
	}
	asked.Wait()
	cmd.Process.Signal(syscall.SIGTERM)
	said.must(t, `stopping`)
	if text, _ := said.now(); strings.Contains(text, "secret") {
		t.Errorf("guise wrote:\n%s", text)
	}
}
