package proxy

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guise/proxy/gate"
)

// TestReloadForgetsNothing of what was learnt: who has how many tunnels, and which sites
// want to be visited by https only.
func TestReloadForgetsNothing(t *testing.T) {
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) })
	var options Options
	p, proxy := newProxy(t, func(o *Options) {
		o.Gate.Client = gate.Limits{Tunnels: 1}
		options = *o
	})
	openTunnel(t, proxy, o.address, "")
	p.current.Load().inspects.hsts.Note("", "secure.example", []string{"max-age=3600"})
	for _, when := range []string{"before", "after"} {
		if got, _ := exchangeRaw(t, proxy, "CONNECT "+o.address+" HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 429 ") {
			t.Errorf("%s: a second tunnel: %q", when, got)
		}
		if resp, _ := get(t, proxy, "http://secure.example/"); resp.StatusCode != 307 || resp.Header.Get("Location") != "https://secure.example/" {
			t.Errorf("%s: by http: %d %v", when, resp.StatusCode, resp.Header)
		}
		if err := p.Reload(options); err != nil {
			t.Fatal(err)
		}
	}
}

// TestListsWithLinesThatNameNoHostAreSaid with their first line, and others are not.
func TestListsWithLinesThatNameNoHostAreSaid(t *testing.T) {
	dir := t.TempDir()
	mixed, clean := filepath.Join(dir, "mixed"), filepath.Join(dir, "clean")
	for file, text := range map[string]string{mixed: "ads.example\n/banner[0-9]/\n", clean: "ads.example\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log lockedBuffer
	newProxy(t, func(o *Options) {
		o.Egress.DenyLists = []string{mixed, clean}
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "list="+mixed+" hosts=1 left=1 first=2") {
		t.Errorf("it is said that %q", said)
	}
}
