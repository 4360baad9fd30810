package main

import (
	"path/filepath"
	"testing"
	"time"

	"guise/config"
)

// TestListenersAreReachedByTheNameOfTheirCertificate: by their address no browser
// would take it.
func TestListenersAreReachedByTheNameOfTheirCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "a.pem"), filepath.Join(dir, "a.key")
	writePair(t, cert, key, "proxy.example", time.Now().Add(time.Hour))
	at := config.Address{Port: 8443}
	for _, c := range []struct {
		l    config.Listener
		want string
	}{
		{config.Listener{}, "127.0.0.1:8443"},
		{config.Listener{Certificate: cert, Key: key}, "proxy.example:8443"},
		{config.Listener{Certificate: cert, Key: key, SelfSigned: true}, "127.0.0.1:8443"},
		{config.Listener{Certificate: cert, Key: cert}, "127.0.0.1:8443"},
		{config.Listener{ACME: config.ACME{Domains: []config.Domain{"a.example", "b.example"}}}, "a.example:8443"},
	} {
		if got := reachedBy(c.l, at); got != c.want {
			t.Errorf("%+v: %s, want %s", c.l, got, c.want)
		}
	}
	for at, want := range map[string]string{":1": "127.0.0.1:1", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "[::1]:1", "192.0.2.1:1": "192.0.2.1:1", "[2001:db8::1]:1": "[2001:db8::1]:1"} {
		var a config.Address
		if err := a.UnmarshalText([]byte(at)); err != nil || reachable(a) != want {
			t.Errorf("%s is reached at %s, %v, want %s", at, reachable(a), err, want)
		}
	}
}
