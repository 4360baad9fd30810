package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// evaluate runs PAC text in pacparser, the engine of a browser as a library,
// for one URL a line on standard input.
const evaluate = `
import sys, pacparser
pacparser.init()
pacparser.parse_pac_string(sys.argv[1])
for line in sys.stdin:
    url, host = line.split()
    print(pacparser.find_proxy(url, host))
`

// TestPACInAnEngine asks a real PAC engine where each host goes.
func TestPACInAnEngine(t *testing.T) {
	const guise = "PROXY 192.0.2.1:8118"
	cases := []struct{ host, want string }{
		{"example.com", guise},
		{"EXAMPLE.com", guise},
		{"printer", "DIRECT"},
		{"localhost", "DIRECT"},
		{"a.localhost", "DIRECT"},
		{"nas.local", "DIRECT"},
		{"nas.local.", "DIRECT"},
		{"box.home.arpa", "DIRECT"},
		{"nas.home", "DIRECT"},
		{"wiki.corp", "DIRECT"},
		{"wiki.intranet", "DIRECT"},
		{"pc.private.", "DIRECT"},
		{"corp.example", guise},
		{"home.arpa.example", guise},
		{"athome", "DIRECT"},
		{"www.athome", guise},
		{"local.example", guise},
		{"notlocal", "DIRECT"},
		{"evil-local.com", guise},
		{"127.0.0.1", "DIRECT"},
		{"127.9.9.9", "DIRECT"},
		{"10.0.0.1", "DIRECT"},
		{"10.example.com", guise},
		{"172.16.0.1", "DIRECT"},
		{"172.31.255.255", "DIRECT"},
		{"172.32.0.1", guise},
		{"172.15.0.1", guise},
		{"192.168.1.1", "DIRECT"},
		{"192.169.1.1", guise},
		{"169.254.1.1", "DIRECT"},
		{"8.8.8.8", guise},
		{"11.0.0.1", guise},
		{"126.0.0.1", guise},
		{"128.0.0.1", guise},
		{"169.253.1.1", guise},
		{"192.167.1.1", guise},
		{"100.64.0.1", guise}, // shared with strangers (RFC 6598)
		{"134744072", guise},  // 8.8.8.8 as a number
		{"0x08080808", guise}, // and in hexadecimal
		{"10.0.0.999", guise},
		{"010.0.0.1", guise},    // 8.0.0.1 to those who read it as octal
		{"172.020.0.1", guise},  // and this is of a private network to them alone
		{"10.0.0.1.", "DIRECT"}, // the same address
		{"ai.", guise},          // a top-level domain that is a host
		{"localhost.", "DIRECT"},
		{"8\u30028\u30028\u30028", guise}, // dots of another script
		{"\uff18.8.8.8", guise},
		{"a%2eexample", guise},
		{"[::1]", "DIRECT"},
		{"::1", "DIRECT"},
		{"fe80::1", "DIRECT"},
		{"fd00::1", "DIRECT"},
		{"[2001:db8::1]", guise},
		{"2606:4700::1111", guise},
		{"fec0::1", guise},
		{"::ffff:8.8.8.8", guise},
	}
	var input strings.Builder
	for _, c := range cases {
		input.WriteString("http://" + c.host + "/ " + c.host + "\n")
	}
	cmd := exec.Command("/usr/bin/python3", "-c", evaluate, PAC("192.0.2.1:8118", false))
	cmd.Stdin = strings.NewReader(input.String())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pacparser (Debian's python3-pacparser): %v\n%s", err, stderr.Bytes())
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(cases) {
		t.Fatalf("%d answers to %d questions: %s", len(got), len(cases), stderr.Bytes())
	}
	for i, c := range cases {
		if got[i] != c.want {
			t.Errorf("%s goes to %q, want %q", c.host, got[i], c.want)
		}
	}
}

func TestPACNeverFallsBack(t *testing.T) {
	if text := PAC("h:1", false); strings.Contains(text, "; DIRECT") || strings.Contains(text, ";DIRECT") {
		t.Error("a PAC with DIRECT behind the proxy leaks when the proxy is down")
	}
	if text := PAC(`h:1"; alert(1); "`, false); strings.Contains(text, "alert(1)") {
		t.Error("an address ends its string literal")
	}
}

// TestPACIsAScriptWhateverItsAddressHolds: of an address, what could mean something else
// in a string is left out.
func TestPACIsAScriptWhateverItsAddressHolds(t *testing.T) {
	var all strings.Builder
	for c := range rune(0x180) {
		all.WriteRune(c)
	}
	_, line, _ := strings.Cut(PAC(all.String(), false), `var guise = "PROXY `)
	line, _, _ = strings.Cut(line, "\n")
	if want := `-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz";`; line != want {
		t.Errorf("it has %q, want %q", line, want)
	}
}

// TestPACNamesNoHostThatWasNotAsked: of a Host that no URL holds, what is left of it
// may be somebody else's name.
func TestPACNamesNoHostThatWasNotAsked(t *testing.T) {
	here := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8118}
	for host, want := range map[string]string{
		"proxy.lan:8118": "PROXY proxy.lan:8118", "proxy.lan": "PROXY proxy.lan:80", "proxy.lan:": "PROXY proxy.lan:80", "": "PROXY 192.0.2.1:8118",
		"evil.exa mple:8118": "PROXY 192.0.2.1:8118", `a";b:1`: "PROXY 192.0.2.1:8118",
	} {
		r := httptest.NewRequest("GET", "/proxy.pac", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, here))
		r.Host = host
		w := httptest.NewRecorder()
		Handler(func() State { return State{} }, nil).ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), `"`+want+`"`) {
			t.Errorf("at %q it does not say %q", host, want)
		}
		if w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("its fields are %v", w.Header())
		}
	}
	r := httptest.NewRequest("GET", "/proxy.pac", nil)
	r.Host, r.TLS = "proxy.example", new(tls.ConnectionState)
	w := httptest.NewRecorder()
	Handler(func() State { return State{} }, nil).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `"HTTPS proxy.example:443"`) {
		t.Error("over TLS the port is not TLS's")
	}
}

// TestPACIsShownAndNotSaved: a browser that saves what a frame holds tells the page around
// it so, for there is no load event.
func TestPACIsShownAndNotSaved(t *testing.T) {
	for _, path := range []string{"/proxy.pac", "/wpad.dat"} {
		r := httptest.NewRequest("GET", "http://192.168.1.1:8118"+path, nil)
		r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		w := httptest.NewRecorder()
		Handler(func() State { return State{} }, nil).ServeHTTP(w, r)
		if kind, policy := w.Header().Get("Content-Type"), w.Header().Get("Content-Security-Policy"); kind != "text/plain; charset=utf-8" || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(w.Body.String(), "FindProxyForURL") {
			t.Errorf("%s: %q, %q, %.60q", path, kind, policy, w.Body)
		}
	}
}
