package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkRoundTrip shows what one GET over a pooled connection costs this
// end; the origin answers with fixed bytes.
func BenchmarkRoundTrip(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "64KiB": 64 << 10} {
		answer := []byte("HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n" +
			"Cache-Control: no-store\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("x", size))
		b.Run(name, func(b *testing.B) {
			addr := fixedOrigin(b, answer)
			tr := &Transport{Dial: func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", addr) }}
			defer tr.Close()
			benchmarkGets(b, tr)
		})
		b.Run(name+"/net-http", func(b *testing.B) {
			addr := fixedOrigin(b, answer)
			tr := &http.Transport{DisableCompression: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", addr) }}
			defer tr.CloseIdleConnections()
			benchmarkGets(b, tr)
		})
	}
}

func benchmarkGets(b *testing.B, tr http.RoundTripper) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	ctx = WithFieldOrder(ctx, []string{"Host", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "DNT", "Connection", "Upgrade-Insecure-Requests", "Sec-Fetch-Dest"})
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://a.test/path?query", nil)
	for _, f := range []string{"User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Dnt", "Upgrade-Insecure-Requests", "Sec-Fetch-Dest"} {
		r.Header[f] = []string{"some value of a field"}
	}
	buf := make([]byte, 32<<10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := tr.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

// fixedOrigin answers each read, whatever it holds.
func fixedOrigin(b *testing.B, answer []byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var buf [4 << 10]byte
				for {
					if _, err := c.Read(buf[:]); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
