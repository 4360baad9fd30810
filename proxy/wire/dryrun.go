package wire

import (
	"context"
	"net/http"
	"strings"
)

// ParseHead reads the head of a request over HTTP/1.1, up to its empty line, as a
// [Server] with default limits does. The request has no body, whatever its
// ContentLength says. The error is a [*ProtocolError].
func ParseHead(head string) (*http.Request, error) {
	limits := Limits{}.withDefaults()
	r, err := parseRequest(context.Background(), head, &limits)
	if err == nil {
		err = checkExpect(r)
	}
	return r, err
}

// Head returns the head with which a [Transport] sends r over HTTP/1.1, up to its
// empty line, for a body as long as r.ContentLength says. The error is a
// [*RequestError].
func Head(r *http.Request) (string, error) {
	_, _, both, err := authority(r.URL)
	if err != nil {
		return "", err
	}
	p := &plan{t: new(Transport), r: r, authority: both, length: r.ContentLength}
	if p.length != 0 {
		p.body = http.NoBody // stands for one that is there
	}
	head, err := p.appendHead(nil)
	return strings.TrimSuffix(string(head), "\r\n"), err
}
