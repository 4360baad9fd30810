package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"guise/config"
)

// The operator's listener takes orders to purge, and by no other method.
func TestAdminPurges(t *testing.T) {
	purged := 0
	a := newAdmin(slog.New(slog.DiscardHandler), func() bool { return true }, func(http.ResponseWriter, *http.Request) { purged++ })
	for method, want := range map[string]int{"GET": 0, "POST": 1} {
		purged = 0
		a.handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/purge", nil))
		if purged != want {
			t.Errorf("%s: purged %d times", method, purged)
		}
	}
}

// TestAdminSaysWhatFailsInTheLog: at its level and in its form.
func TestAdminSaysWhatFailsInTheLog(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelWarn: 1, slog.LevelError: 0} {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: level}))
		a := newAdmin(log, func() bool { return true }, func(http.ResponseWriter, *http.Request) { panic("on purpose") })
		if err := a.change(config.Admin{Address: "127.0.0.1:0"}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		if resp, err := http.Post("http://"+a.addresses()[0].String()+"/purge", "", nil); err == nil {
			resp.Body.Close()
			t.Errorf("answered %s", resp.Status)
		}
		a.close()
		if got := strings.Count(said.String(), "level=WARN msg=\"http: panic serving"); got != want {
			t.Errorf("from %v on: %q", level, said.String())
		}
	}
}

// TestNoPageReadsTheMetrics, whatever its name leads to; tools do.
func TestNoPageReadsTheMetrics(t *testing.T) {
	a := newAdmin(slog.New(slog.DiscardHandler), func() bool { return true }, http.NotFound)
	defer a.close()
	if err := a.change(config.Admin{Address: "127.0.0.1:0"}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	at := a.addresses()[0].String()
	_, port, _ := net.SplitHostPort(at)
	for _, c := range []struct {
		host, site string
		answered   bool
	}{
		{at, "", true},
		{"localhost:" + port, "", true},
		{"box:" + port, "", true},
		{"metrics.example", "", true}, // a server in front passed it on
		{"site.example:" + port, "", false},
		{at, "cross-site", false},
		{at, "none", true},
	} {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", c.host)
		if c.site != "" {
			fmt.Fprintf(conn, "Sec-Fetch-Site: %s\r\nSec-Fetch-Mode: no-cors\r\n", c.site)
		}
		io.WriteString(conn, "\r\n")
		got, _ := io.ReadAll(conn)
		if answered := strings.HasPrefix(string(got), "HTTP/1.1 200 "); answered != c.answered || !answered && len(got) > 0 {
			t.Errorf("at %s, from %q: got %.60q", c.host, c.site, got)
		} else if answered && !strings.Contains(string(got), "\r\nCross-Origin-Resource-Policy: same-origin\r\n") {
			t.Errorf("at %s, browsers are not told to keep it from pages: %.300q", c.host, got)
		}
	}
}

// TestNoPageReadsTheMetricsAtPort80, which browsers leave out.
func TestNoPageReadsTheMetricsAtPort80(t *testing.T) {
	a := newAdmin(slog.New(slog.DiscardHandler), func() bool { return true }, http.NotFound)
	for host, answered := range map[string]bool{"evil.example": false, "evil.example:80": false, "127.0.0.1": true, "[::1]": true, "localhost": true, "box.lan": true, "evil.example:8080": true} {
		r := httptest.NewRequest("GET", "http://"+host+"/metrics", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}))
		w := httptest.NewRecorder()
		func() {
			defer func() { recover() }() // no answer
			a.handler().ServeHTTP(w, r)
		}()
		if (w.Body.Len() > 0) != answered {
			t.Errorf("at %s: got %.60q", host, w.Body)
		}
	}
}

// TestStaleSocketIsRemoved, and nothing that may be somebody's.
func TestStaleSocketIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	try := func(what string, fails, stays bool) {
		t.Helper()
		if err := removeStaleSocket(path); (err != nil) != fails {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Lstat(path); (err == nil) != stays {
			t.Errorf("%s: afterwards %v", what, err)
		}
	}
	try("nothing", false, false)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	try("one that is listened on", true, true)
	l.SetUnlinkOnClose(false)
	l.Close()
	// Left behind by a process that was killed, it keeps nobody from listening.
	again, err := newAdmin(slog.New(slog.DiscardHandler), nil, nil).openEndpoint("unix", path, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	again.Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	again.Close()
	try("one that nobody listens on", false, false)
	writeFile(t, path, "")
	try("a file", true, true)
}

// TestFailedChangeLeavesTheOperatorsListener where and as it was.
func TestFailedChangeLeavesTheOperatorsListener(t *testing.T) {
	a := newAdmin(slog.New(slog.DiscardHandler), func() bool { return true }, http.NotFound)
	defer a.close()
	if err := a.change(config.Admin{Address: "127.0.0.1:0"}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	before := a.addresses()
	var tried []netip.AddrPort
	if err := a.change(config.Admin{Address: "127.0.0.2:0"}, func() error { tried = a.addresses(); return errors.New("no") }); err == nil {
		t.Error("it took what was refused")
	}
	if after := a.addresses(); !slices.Equal(before, after) {
		t.Fatalf("it is at %v, was at %v", after, before)
	}
	if isOpen(tried[0]) {
		t.Errorf("what was refused is open yet, at %v", tried)
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	resp, err := http.Get("http://" + before[0].String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestMovedOperatorsListener is where it was no more.
func TestMovedOperatorsListener(t *testing.T) {
	a := newAdmin(slog.New(slog.DiscardHandler), func() bool { return true }, http.NotFound)
	defer a.close()
	var was []netip.AddrPort
	for _, address := range []config.AdminAddress{"127.0.0.1:0", "127.0.0.2:0", ""} {
		if err := a.change(config.Admin{Address: address}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, before := range was {
			if isOpen(before) {
				t.Errorf("at %q: %v is open yet", address, before)
			}
		}
		was = a.addresses()
		for _, now := range was {
			if !isOpen(now) {
				t.Errorf("%v is not open", now)
			}
		}
	}
}

// isOpen reports whether anybody listens at at.
func isOpen(at netip.AddrPort) bool {
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
