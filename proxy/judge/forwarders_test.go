package judge

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
)

// The proxies that the judge has to see through. They share one forwarder
// and differ in what they do to a request.

// forwarder is a plain HTTP proxy with tunnels.
func forwarder(t *testing.T, edit func(*httputil.ProxyRequest), answer func(*http.Response) error) string {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	plain := &httputil.ReverseProxy{Rewrite: edit, ModifyResponse: answer, Transport: transport, FlushInterval: -1, ErrorLog: quiet}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			splice(w, r)
			return
		}
		if !r.URL.IsAbs() {
			http.Error(w, "this is a proxy", http.StatusBadRequest)
			return
		}
		plain.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = quiet
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func splice(w http.ResponseWriter, r *http.Request) {
	up, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, "no way there", http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, early, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(down, up)
		down.Close()
	}()
	io.Copy(up, early)
	up.(*net.TCPConn).CloseWrite()
	<-done
}

// listening serves an origin for the length of a test.
func listening(t *testing.T, o *Origin) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- o.Serve(ln) }()
	t.Cleanup(func() {
		o.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return ln.Addr().String()
}

func judged(t *testing.T, proxy string) *Report {
	t.Helper()
	o := &Origin{Record: true}
	r, err := Run(context.Background(), Options{Proxy: proxy, Origin: o, Address: listening(t, o), Visitors: 12, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rewrite keeps the request as the client sent it, with its hop-by-hop
// fields removed.
func rewrite(p *httputil.ProxyRequest) {
	p.Out.URL, p.Out.Host = p.In.URL, p.In.URL.Host
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		if v, ok := p.In.Header[name]; ok {
			p.Out.Header[name] = v
		}
	}
}

// read is a shorthand for a request to an origin without a proxy.
func read(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, request)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func leaked(r *Report, where string) bool {
	for _, l := range r.Leaks {
		if strings.EqualFold(l.Where, where) {
			return true
		}
	}
	return false
}
