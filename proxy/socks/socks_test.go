package socks

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// A client is what one says, and what it was told.
type client struct {
	io.Reader
	told bytes.Buffer
}

func (c *client) Write(p []byte) (int, error) { return c.told.Write(p) }

func knows(user, password string) bool { return user == "me" && password == "secret" }

const (
	hello      = "\x05\x01\x00"
	helloNamed = "\x05\x02\x00\x02"
	named      = "\x01\x02me\x06secret"
)

func TestAccept(t *testing.T) {
	refused := "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		what, says string
		auth       Authenticator
		want       Request
		err        error
		told       string
	}{
		{"name", hello + "\x05\x01\x00\x03\x09a.example\x01\xbb", nil, Request{Host: "a.example", Port: 443}, nil, "\x05\x00"},
		{"IPv4", hello + "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", nil, Request{Host: "192.0.2.1", Port: 80}, nil, "\x05\x00"},
		{"IPv6", hello + "\x05\x01\x00\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x00\x50", nil, Request{Host: "2001:db8::1", Port: 80}, nil, "\x05\x00"},
		{"IPv4 in IPv6", hello + "\x05\x01\x00\x04" + strings.Repeat("\x00", 10) + "\xff\xff\x7f\x00\x00\x01\x00\x50", nil, Request{Host: "127.0.0.1", Port: 80}, nil, "\x05\x00"},
		{"password", helloNamed + named + "\x05\x01\x00\x03\x01a\x00\x01", knows, Request{Host: "a", Port: 1, User: "me"}, nil, "\x05\x02\x01\x00"},
		{"password is offered, and not needed", helloNamed + "\x05\x01\x00\x03\x01a\x00\x01", nil, Request{Host: "a", Port: 1}, nil, "\x05\x00"},
		{"nothing but a password, not needed", "\x05\x01\x02\x01\x01a\x00\x05\x01\x00\x03\x01a\x00\x01", nil, Request{Host: "a", Port: 1, User: "a"}, nil, "\x05\x02\x01\x00"}, // Firefox with a name for the proxy
		{"wrong password", helloNamed + "\x01\x02me\x05wrong", knows, Request{}, ErrPassword, "\x05\x02\x01\x01"},
		{"no password", helloNamed + "\x01\x02me\x00", func(string, string) bool { return true }, Request{}, ErrPassword, "\x05\x02\x01\x01"},
		{"no authentication where it is needed", hello, knows, Request{}, ErrMethod, "\x05\xff"},
		{"no method", "\x05\x00", nil, Request{}, ErrMethod, "\x05\xff"},
		{"only GSSAPI", "\x05\x01\x01", nil, Request{}, ErrMethod, "\x05\xff"},
		{"SOCKS4", "\x04\x01\x00\x50\xc0\x00\x02\x01\x00", nil, Request{}, ErrVersion, ""},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", nil, Request{}, ErrVersion, ""},
		{"no name", helloNamed + "\x01\x00\x06secret", func(string, string) bool { return true }, Request{}, ErrPassword, "\x05\x02\x01\x01"},
		{"other version of passwords", helloNamed + "\x05\x02me\x06secret", knows, Request{}, ErrVersion, "\x05\x02"},
		{"BIND", hello + "\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x50", nil, Request{Host: "192.0.2.1", Port: 80}, ErrCommand, "\x05\x00" + refused},
		{"UDP ASSOCIATE", hello + "\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00", nil, Request{Host: "0.0.0.0"}, ErrCommand, "\x05\x00" + refused},
		{"unknown type of address", hello + "\x05\x01\x00\x05", nil, Request{}, ErrAddress, "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00"},
		{"other version of requests", hello + "\x04\x01\x00\x01\xc0\x00\x02\x01\x00\x50", nil, Request{}, ErrVersion, "\x05\x00"},
		{"reserved octet", hello + "\x05\x01\x01\x01\xc0\x00\x02\x01\x00\x50", nil, Request{}, ErrVersion, "\x05\x00"},
		{"cut", hello + "\x05\x01\x00\x03\x09a.exam", nil, Request{}, io.ErrUnexpectedEOF, "\x05\x00"},
		{"nothing", "", nil, Request{}, io.EOF, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			const tunnel = "what follows"
			follows := strings.NewReader(c.says + tunnel)
			if c.err == io.EOF || c.err == io.ErrUnexpectedEOF {
				follows = strings.NewReader(c.says)
			}
			client := &client{Reader: follows}
			got, err := Accept(client, c.auth)
			if !errors.Is(err, c.err) || got != c.want {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, c.want, c.err)
			}
			if client.told.String() != c.told {
				t.Errorf("told %q, want %q", client.told.String(), c.told)
			}
			if rest, _ := io.ReadAll(follows); c.err == nil && string(rest) != tunnel {
				t.Errorf("left %q of the tunnel", rest)
			}
		})
	}
}

// TestWhoBreaksOffHasSaidNothing: where a client stops too soon, nobody is asked about half
// of its password, and there is no request to half of an address.
func TestWhoBreaksOffHasSaidNothing(t *testing.T) {
	for _, address := range []string{"\x03\x09a.example", "\x01\xc0\x00\x02\x01", "\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01"} {
		says := helloNamed + named + "\x05\x01\x00" + address + "\x01\xbb"
		for n := range len(says) {
			c := &client{Reader: strings.NewReader(says[:n])}
			_, err := Accept(c, func(user, password string) bool {
				if !knows(user, password) {
					t.Errorf("after %q, the password of %q is %q", says[:n], user, password)
				}
				return true
			})
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Errorf("after %q: %v", says[:n], err)
			}
			if told := c.told.String(); !strings.HasPrefix("\x05\x02\x01\x00", told) {
				t.Errorf("after %q it is told %q", says[:n], told)
			}
		}
	}
}

// FuzzAccept: no client makes Accept panic, read on for ever, or return a
// request without having been told to go on.
func FuzzAccept(f *testing.F) {
	f.Add([]byte(hello+"\x05\x01\x00\x03\x09a.example\x01\xbb"), false)
	f.Add([]byte(hello+"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"), false)
	f.Add([]byte(helloNamed+named+"\x05\x01\x00\x04"+strings.Repeat("\x00", 18)), true)
	f.Fuzz(func(t *testing.T, says []byte, password bool) {
		const free, named = "\x05\x00", "\x05\x02\x01\x00"
		var auth Authenticator
		if password {
			auth = knows
		}
		c := &client{Reader: bytes.NewReader(says)}
		r, err := Accept(c, auth)
		if told := c.told.String(); err == nil && told != named && (password || told != free) {
			t.Errorf("accepted, and told %q", told)
		}
		if err == nil && password && r.User != "me" || len(r.Host) > 255 {
			t.Errorf("got %+v", r)
		}
		if c.told.Len() > 2+2+10 {
			t.Errorf("told %d octets", c.told.Len())
		}
	})
}
