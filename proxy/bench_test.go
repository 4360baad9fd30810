package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
)

const browserRequest = "GET http://%s%s HTTP/1.1\r\nHost: %[1]s\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n" +
	"Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n\r\n"

// BenchmarkExchange measures a whole exchange between two sockets. Client and
// origin allocate nothing, so allocs/op are the proxy's.
func BenchmarkExchange(b *testing.B) {
	for _, c := range []struct{ name, control string }{
		{"forward", "no-store"},
		{"hit", "max-age=86400"},
	} {
		for _, size := range []int{1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%s/%dKiB", c.name, size>>10), func(b *testing.B) {
				head := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: bench\r\n"+
					"Content-Type: text/plain\r\nContent-Length: %d\r\nETag: \"1-2\"\r\nCache-Control: %s\r\n\r\n", size, c.control)
				at := benchOrigin(b, []byte(head+strings.Repeat("x", size)))
				conn, err := net.Dial("tcp", serveProxy(b, nil))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				request := fmt.Appendf(nil, browserRequest, at, "/page")
				buf := make([]byte, 80<<10)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := conn.Write(request); err != nil {
						b.Fatal(err)
					}
					for n, want := 0, 0; want == 0 || n < want; {
						m, err := conn.Read(buf[n:])
						if err != nil {
							b.Fatal(err)
						}
						n += m
						if end := bytes.Index(buf[:n], []byte("\r\n\r\n")); end >= 0 {
							want = end + 4 + size
						}
					}
				}
			})
		}
	}
}

// benchOrigin answers every request with the same bytes.
func benchOrigin(b *testing.B, answer []byte) string {
	l := listen(b)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					for line := []byte("any"); len(line) > len("\r\n"); {
						if line, err = br.ReadSlice('\n'); err != nil {
							return
						}
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
