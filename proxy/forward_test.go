package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: no-store\r\n\r\nhello"

// TestOriginSeesNoClient sends what identifies a client and looks for it in
// the bytes at the origin.
func TestOriginSeesNoClient(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	proxy := serveProxy(t, nil)
	resp, body := get(t, proxy, "http://user:secret@"+o.address+"/page?id=7&utm_source=canary",
		"X-Forwarded-For: 192.0.2.7, canary", "Via: 1.1 canary", "Forwarded: for=canary", "From: canary@example.com",
		"User-Agent: canary", "Accept-Language: tlh;q=canary", "X-Canary-Client-IP: 127.0.0.1",
		"Proxy-Authorization: Basic Y2FuYXJ5", "Connection: X-Canary", "X-Canary: canary", "Referer: http://canary.example/")
	if resp.StatusCode != 200 || body != "hello" {
		t.Fatalf("got %d %q", resp.StatusCode, body)
	}
	saw := o.saw()
	if !strings.HasPrefix(saw, "GET /page?id=7 HTTP/1.1\r\nHost: "+o.address+"\r\n") {
		t.Errorf("request line and Host: %q", saw)
	}
	for _, leak := range []string{"canary", "Canary", "192.0.2.7", "127.0.0.1\r\n", "secret", "guise", "Via", "Go-http"} {
		if strings.Contains(strings.Replace(saw, "Host: "+o.address, "", 1), leak) {
			t.Errorf("the origin saw %q:\n%s", leak, saw)
		}
	}
}

// TestTrailersShowNoClient, of requests and responses, announced or not; those that
// serve the message pass.
func TestTrailersShowNoClient(t *testing.T) {
	const (
		bad  = "X-Forwarded-For: canary\r\nVia: 1.1 canary\r\nX-Device-Id: canary\r\nX-Client-Ip: 127.0.0.1 canary\r\nServer-Timing: canary\r\n"
		good = "Content-Digest: sha-256=:AA==:\r\n"
	)
	announced := "Trailer: Content-Digest, X-Forwarded-For, Via, X-Device-Id, X-Client-Ip, Server-Timing\r\n"
	for _, announce := range []string{announced, ""} {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\n"+announce+"\r\n2\r\nok\r\n0\r\n"+bad+good+"\r\n")
		})
		got, _ := exchangeRaw(t, serveProxy(t, nil), "POST http://"+o.address+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n"+announce+
			"\r\n2\r\nhi\r\n0\r\n"+bad+good+"\r\n")
		if saw := o.saw(); strings.Contains(saw, "canary") || strings.Contains(saw, good) != (announce != "") {
			t.Errorf("announced %t: the origin saw\n%s", announce != "", saw)
		}
		if strings.Contains(got, "canary") || !strings.Contains(got, good) {
			t.Errorf("announced %t: the client got\n%s", announce != "", got)
		}
	}
}

// TestMaxForwardsIsNoMark: it counts this hop (RFC 9110 §7.6.2), and a count that is
// the client's alone is lowered to one that others send. Other methods have none.
func TestMaxForwardsIsNoMark(t *testing.T) {
	proxy := serveProxy(t, nil)
	for _, c := range []struct{ method, sent, want string }{
		{"OPTIONS", "3", "2"}, {"OPTIONS", "1", "0"}, {"OPTIONS", "70", "8"}, {"OPTIONS", "18446744073709551616", "8"}, {"GET", "70", ""}, {"DELETE", "3", ""},
	} {
		o := serveOrigin(t, answer(hello))
		send(t, proxy, c.method, "http://"+o.address+"/", "", "Max-Forwards: "+c.sent)
		_, got, _ := strings.Cut(o.saw(), "Max-Forwards: ")
		if got, _, _ = strings.Cut(got, "\r\n"); got != c.want {
			t.Errorf("%s with %s: the origin got %q, want %q", c.method, c.sent, got, c.want)
		}
	}
}

// TestTwoMaxForwardsAreNone, of which the next hop could take the other.
func TestTwoMaxForwardsAreNone(t *testing.T) {
	o := serveOrigin(t, answer(hello))
	if resp, _ := send(t, serveProxy(t, nil), "OPTIONS", "http://"+o.address+"/", "", "Max-Forwards: 3", "Max-Forwards: 4"); resp.StatusCode != 400 || o.saw() != "" {
		t.Errorf("%d, and the origin saw %q", resp.StatusCode, o.saw())
	}
}

// TestClientsLookAlike sends one request as two clients write it.
func TestClientsLookAlike(t *testing.T) {
	proxy := serveProxy(t, nil)
	saw := func(fields ...string) string {
		o := serveOrigin(t, answer(hello))
		get(t, proxy, "http://"+o.address+"/", fields...)
		return strings.Replace(o.saw(), o.address, "origin", 1)
	}
	one := saw("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: de", "DNT: 1")
	two := saw("accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", "UPGRADE-INSECURE-REQUESTS: 1", "user-agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36", "accept-encoding: gzip, deflate")
	if one != two {
		t.Errorf("the origin can tell them apart:\n%s\n%s", one, two)
	}
}

// TestMessagesPassWhole sends each form of message in both directions.
func TestMessagesPassWhole(t *testing.T) {
	echo := func(conn net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			switch req.URL.Path {
			case "/chunked":
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")
			case "/close":
				io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nuntil the end")
				return
			case "/status":
				io.WriteString(conn, "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n")
			case "/partial":
				io.WriteString(conn, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\n"+req.Header.Get("Range")[6:9])
			case "/trailer":
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Digest\r\n\r\n2\r\nok\r\n0\r\nContent-Digest: sha-256=:AA==:\r\n\r\n")
			case "/unannounced":
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Digest: sha-256=:AA==:\r\n\r\n")
			default:
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+string(body))
			}
		}
	}
	o := serveOrigin(t, echo)
	proxy := serveProxy(t, nil)
	for _, c := range []struct {
		name, method, path, body string
		fields                   []string
		status                   int
		want                     string
	}{
		{"upload", "POST", "/", "some body", nil, 200, "some body"},
		{"put", "PUT", "/", strings.Repeat("x", 200_000), nil, 200, strings.Repeat("x", 200_000)},
		{"empty post", "POST", "/", "", []string{"Content-Length: 0"}, 200, ""},
		{"chunked response", "GET", "/chunked", "", nil, 200, "firstsecond"},
		{"close-delimited response", "GET", "/close", "", nil, 200, "until the end"},
		{"unknown status", "GET", "/status", "", nil, 299, ""},
		{"range", "GET", "/partial", "", []string{"Range: bytes=2-4"}, 206, "2-4"},
		{"trailer", "GET", "/trailer", "", nil, 200, "ok"},
		{"unannounced trailer", "GET", "/unannounced", "", nil, 200, "ok"},
		{"unannounced trailer, no cache", "POST", "/unannounced", "x", nil, 200, "ok"},
		{"head", "HEAD", "/x", "", nil, 200, ""},
		{"unknown method", "BREW", "/", "", nil, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := send(t, proxy, c.method, "http://"+o.address+c.path, c.body, c.fields...)
			if resp.StatusCode != c.status || body != c.want {
				t.Errorf("got %d and %d bytes %.40q, want %d %.40q", resp.StatusCode, len(body), body, c.status, c.want)
			}
			if strings.Contains(c.name, "trailer") && resp.Trailer.Get("Content-Digest") == "" {
				t.Error("the trailer is lost")
			}
		})
	}
}

// TestResetContentBringsNothing: browsers look for no content behind a 205, and
// share the connection between sites. What one site sends there must not become
// another's answer.
func TestResetContentBringsNothing(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for _, framing := range []string{"Content-Length: " + strconv.Itoa(len(evil)) + "\r\n\r\n" + evil, "Connection: close\r\n\r\n" + evil,
		"Transfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(evil)), 16) + "\r\n" + evil + "\r\n0\r\n\r\n"} {
		bad := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(conn, "HTTP/1.1 205 Reset Content\r\n"+framing)
		})
		good := serveOrigin(t, answer(hello))
		got, err := exchangeRaw(t, serveProxy(t, nil), "GET http://"+bad.address+"/ HTTP/1.1\r\nHost: x\r\n\r\nGET http://"+good.address+"/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		_, next, _ := strings.Cut(got, "\r\nContent-Length: 0\r\n\r\n")
		if err != nil || !strings.HasPrefix(got, "HTTP/1.1 205 ") || !strings.HasPrefix(next, "HTTP/1.1 200 OK") || !strings.HasSuffix(next, "\r\n\r\nhello") || strings.Contains(got, "evil") {
			t.Errorf("%.30q: got %q, %v", framing, got, err)
		}
	}
}

// TestDripArrivesAtOnce holds the response open after each piece: every piece
// must arrive before the next one is sent.
func TestDripArrivesAtOnce(t *testing.T) {
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
	} {
		next := make(chan bool)
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(conn, head)
			for _, piece := range []string{"ab", "cd", "ef"} {
				io.WriteString(conn, piece)
				if _, more := <-next; !more {
					return
				}
			}
		})
		conn := dial(t, serveProxy(t, nil))
		io.WriteString(conn, "GET http://"+o.address+"/ HTTP/1.0\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		piece := make([]byte, 2)
		for _, want := range []string{"ab", "cd", "ef"} {
			if _, err := io.ReadFull(resp.Body, piece); err != nil || string(piece) != want {
				t.Fatalf("got %q, %v; want %q", piece, err, want)
			}
			next <- true
		}
		resp.Body.Close()
	}
}
