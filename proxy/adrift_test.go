package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPagesWithoutReferrersTellNothingOfEachOther: what pages of two sites ask a third
// for looks alike where they send no referrer. Neither learns by the time that their
// visitor has been at the other.
func TestPagesWithoutReferrersTellNothingOfEachOther(t *testing.T) {
	var asked atomic.Int32
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			asked.Add(1)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	proxy := serveProxy(t, nil)
	for _, c := range []struct {
		what   string
		fields []string
		want   int32
	}{
		{"an image of a page", []string{"User-Agent: Mozilla/5.0", "Accept: image/webp,*/*"}, 2},
		{"a script of a page", []string{"User-Agent: Mozilla/5.0", "Sec-Fetch-Dest: script", "Sec-Fetch-Site: cross-site"}, 2},
		{"a frame's part", []string{"User-Agent: Mozilla/5.0", "Sec-Fetch-Dest: script", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Storage-Access: none"}, 2},
		{"a script of a page that says which", []string{"User-Agent: Mozilla/5.0", "Accept: */*", "Referer: http://shop.example/"}, 1},
		{"what a program asks for", []string{"Accept: image/webp,*/*"}, 1},
	} {
		before := asked.Load()
		for range 2 {
			get(t, proxy, "http://"+o.address+"/"+strings.ReplaceAll(c.what, " ", "-"), c.fields...)
		}
		if got := asked.Load() - before; got != c.want {
			t.Errorf("%s: asked for %d times, want %d", c.what, got, c.want)
		}
	}
}
