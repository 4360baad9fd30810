package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"guise/proxy/inspect"
)

// A browserOrigin is a site that exercises what browsers do.
func browserOrigin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch r.URL.Path {
	case "/":
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!DOCTYPE html><title>inspected</title><img src=/pixel><script src=/script></script>")
	case "/upload":
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
	case "/socket":
		echoSocket(w, r)
	case "/file":
		w.Header().Set("ETag", `"file"`)
		w.Header().Set("Cache-Control", "public, max-age=100")
		http.ServeContent(w, r, "file", time.Unix(1, 0), bytes.NewReader(browserFile))
	}
}

var browserFile = bytes.Repeat([]byte("0123456789abcdef"), 64<<10)

// echoSocket echoes one message of a WebSocket (RFC 6455).
func echoSocket(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", webSocketAccept(r.Header.Get("Sec-WebSocket-Key")))
	head := make([]byte, 6)
	if _, err := io.ReadFull(buffered, head); err != nil {
		return
	}
	message := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(buffered, message); err != nil {
		return
	}
	for i := range message {
		message[i] ^= head[2+i%4]
	}
	conn.Write(append([]byte{0x81, byte(len(message))}, message...))
	io.Copy(io.Discard, buffered)
}

// trustInProfile makes a browser's profile trust a. Chromium on Linux reads
// the NSS database of its home.
func trustInProfile(t *testing.T, home string, a *inspect.Authority) {
	t.Helper()
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Fatal("no certutil: install Debian's libnss3-tools, as scripts/test does")
	}
	database := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(database, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, "ca.pem")
	if err := os.WriteFile(file, a.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "-d", "sql:" + database, "--empty-password"},
		{"-A", "-d", "sql:" + database, "-t", "C,,", "-n", "guise", "-i", file},
	} {
		if out, err := exec.Command("certutil", args...).CombinedOutput(); err != nil {
			t.Fatalf("certutil: %v: %s", err, out)
		}
	}
}

// TestBrowserInside runs Chromium, which trusts the authority in its own
// profile and nothing else of the test, through inspection.
func TestBrowserInside(t *testing.T) {
	o := serveSecure(t, browserOrigin, nil, "h2", "http/1.1")
	stranger := newAuthority()
	bad := serveSecure(t, browserOrigin, func(config *tls.Config) {
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return stranger.Leaf("127.0.0.1") }
	}, "http/1.1")
	p, address := newProxy(t, inspecting(inspect.Auto))

	home := t.TempDir()
	trustInProfile(t, home, testAuthority())
	tab := startChromium(t, home,
		chromedp.Flag("proxy-server", "http://"+address),
		chromedp.Flag("proxy-bypass-list", "<-loopback>"),
	)
	if got := title(t, tab, o.URL+"/"); got != "inspected" {
		t.Fatalf("title %q", got)
	}
	if p.current.Load().inspects.memory.Counts().Inspected == 0 {
		t.Fatal("the page was not inspected")
	}
	for _, r := range o.saw() {
		if r.ProtoMajor != 2 || strings.Contains(r.UserAgent(), "Headless") || !strings.Contains(r.UserAgent(), "Firefox/") {
			t.Errorf("%s %s came as %s", r.Proto, r.URL, r.UserAgent())
		}
	}

	limited, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	script := func(text string) string {
		t.Helper()
		got, err := chromedp.Run(limited, chromedp.Evaluate[string](text, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%.60s: %v", text, err)
		}
		return got
	}
	if got := script(`new Promise(done => { const s = new WebSocket("wss://" + location.host + "/socket"); s.onopen = () => s.send("echo"); s.onmessage = e => { done(e.data); s.close() }; s.onerror = () => done("error") })`); got != "echo" {
		t.Errorf("WebSocket: %q", got)
	}
	const size = 100 << 20
	sum := sha256.Sum256(make([]byte, size))
	if got, want := script(fmt.Sprintf(`fetch("/upload", {method: "POST", body: new Blob([new Uint8Array(%d)])}).then(r => r.text())`, size)), fmt.Sprintf("%d %s <nil>", size, hex.EncodeToString(sum[:])); got != want {
		t.Errorf("upload: %q", got)
	}
	// A download that was left half way goes on where it stopped.
	sum = sha256.Sum256(browserFile)
	resumed := script(`(async () => {
		const stop = new AbortController(), parts = []
		let got = 0, tag
		try {
			const first = await fetch("/file", {signal: stop.signal}), reader = first.body.getReader()
			tag = first.headers.get("ETag")
			for (;;) {
				const {done, value} = await reader.read()
				if (done) break
				parts.push(value)
				got += value.length
				if (got > 300000) stop.abort()
			}
		} catch (e) {}
		const half = new Blob(parts).slice(0, 300000) // all of it may have been there
		const rest = await fetch("/file", {headers: {Range: "bytes=" + half.size + "-", "If-Range": tag}, cache: "no-store"})
		const whole = new Blob([half, await rest.arrayBuffer()])
		const sum = await crypto.subtle.digest("SHA-256", await whole.arrayBuffer())
		return rest.status + " " + tag + " " + Array.from(new Uint8Array(sum), b => b.toString(16).padStart(2, "0")).join("")
	})()`)
	if status, sums, _ := strings.Cut(resumed, " "); status != "206" || !strings.HasSuffix(sums, hex.EncodeToString(sum[:])) {
		t.Errorf("resumed download: %s", resumed)
	}
	if err := chromedp.Do(limited, chromedp.Navigate(bad.URL+"/")); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("a bad certificate: %v", err)
	}
	if len(bad.saw()) > 0 {
		t.Error("the origin with a bad certificate got a request")
	}
}
