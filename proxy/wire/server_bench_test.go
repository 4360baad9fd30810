package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

const benchHead = "GET http://a.example/b?c=d HTTP/1.1\r\nHost: a.example\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\nPriority: u=0, i\r\n\r\n"

// benchServer sends one request at a time and reads the answer of size bytes.
func benchServer(b *testing.B, addr string, size int) {
	nc := dial(b, addr)
	nc.SetDeadline(time.Time{})
	br := bufio.NewReaderSize(nc, 128<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(nc, benchHead); err != nil {
			b.Fatal(err)
		}
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := br.Discard(size); err != nil {
			b.Fatal(err)
		}
	}
}

func benchHandler(size int, copied bool) http.HandlerFunc {
	body := bytes.Repeat([]byte("x"), size)
	length := []string{strconv.Itoa(size)}
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Content-Type"] = []string{"text/plain"}
		h["Content-Length"] = length
		h["Cache-Control"] = []string{"max-age=60"}
		h["Etag"] = []string{`"a"`}
		if copied {
			io.Copy(w, struct{ io.Reader }{bytes.NewReader(body)})
			return
		}
		w.Write(body)
	}
}

func BenchmarkServer(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for name, copied := range map[string]bool{"write": false, "copy": true} {
			name += "/" + strconv.Itoa(size>>10) + "KiB"
			b.Run("wire/"+name, func(b *testing.B) {
				benchServer(b, startServer(b, benchHandler(size, copied), nil), size)
			})
			b.Run("net-http/"+name, func(b *testing.B) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				s := &http.Server{Handler: benchHandler(size, copied)}
				go s.Serve(l)
				defer s.Close()
				benchServer(b, l.Addr().String(), size)
			})
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	limits := Limits{}.withDefaults()
	head := []byte(benchHead[:len(benchHead)-2])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseRequest(b.Context(), string(head), &limits); err != nil {
			b.Fatal(err)
		}
	}
}
