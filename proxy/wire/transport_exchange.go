package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"

	"guise/cache/ending"
)

// An exchange is one request and its response on one connection.
type exchange struct {
	t       *Transport
	c       *originConn
	ctx     context.Context
	watched ending.Watch // of ctx
	sender  *sender      // nil without a request body
	owner   uint64       // of the request's body
	keep    bool         // the connection outlives the exchange
	over    bool         // the response is whole; guarded by c.mu
	body    body
}

// A final response may be preceded by maxInterim 1xx responses at once, and by
// interimsPerSecond in the long run, as during an upload or a long piece of work.
const (
	maxInterim        = 64
	interimsPerSecond = 1
)

// run sends the request and returns the final response. After an error the
// caller aborts.
func (x *exchange) run(p *plan) (*http.Response, error) {
	if err := x.send(p); err != nil {
		return nil, err
	}
	if err := x.first(p); err != nil {
		return nil, err
	}
	var calm patience
	for {
		resp, kind, err := readResponse(x.c.br, p.r, &x.t.Limits)
		switch {
		case calm.at.IsZero() && x.answersNobody(p, resp, err):
			x.c.got = 0
			return nil, ErrNoResponse
		case err != nil:
			return nil, err
		case resp.StatusCode >= 200:
			return x.accept(p, resp, kind), nil
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return x.upgrade(p, resp)
		}
		if calm.at.IsZero() {
			calm = newPatience(maxInterim-1, interimsPerSecond)
		}
		if calm.ends() {
			return nil, malformed("too many interim responses")
		}
		if err := x.interim(p, resp); err != nil {
			return nil, err
		}
	}
}

// first waits on a reused connection for the first byte of a response, and fails if the
// origin sent that before anything of the request had arrived: then it answers something
// else.
func (x *exchange) first(p *plan) error {
	c := x.c
	if !c.reused {
		return nil
	}
	switch _, err := c.br.Peek(1); {
	case err == io.EOF:
		return ErrNoResponse
	case err != nil || !c.tooEarly(p.body != nil):
		return err
	}
	if !p.replayable() { // it may be sent again only if the origin has ended the connection as well
		c.readsBy(min(lastWords, x.t.ResponseTimeout), errTooEarly)
		c.headHere(0)
		if _, err := io.CopyN(io.Discard, c.br, sendBuffer); err != io.EOF {
			return errTooEarly
		}
	}
	c.got = 0
	return ErrNoResponse
}

var errTooEarly = &ConnError{"read", errors.New("response of before the request")}

// answersNobody tells whether what came on a reused connection looks as if it was sent
// before the request: a 408 with which some servers and balancers close an idle connection
// (RFC 9110 §15.5.9), or the rest of a response that was longer than declared. Firefox
// treats both in the same way.
func (x *exchange) answersNobody(p *plan, resp *http.Response, err error) bool {
	if !x.c.reused || !p.replayable() {
		return false
	}
	return err == errStray || err == nil && resp.StatusCode == http.StatusRequestTimeout && resp.Close
}

// send writes the request, or starts to if it has a body.
func (x *exchange) send(p *plan) error {
	c := x.c
	if p.body == nil {
		d := x.t.ResponseTimeout
		if c.reused && p.replayable() {
			d = c.doubt(d, x.t.doubtPatience)
		}
		return x.excuse(c.ask(p.head, x.t.WriteTimeout, d))
	}
	c.waitForHead()
	s := newSender(p, c, expectsContinue(p.r.Header))
	if s.proceed != nil {
		if err := c.write(p.head, x.t.WriteTimeout); err != nil {
			p.body.Close()
			return err
		}
		x.sender = s
		go s.run()
		return nil
	}
	x.sender = s
	go s.run()
	return x.excuse(s.headInTime())
}

// excuse returns nil for a failed write if a response may still come: an origin may
// answer, with a 503 for example, and close without reading. On a reused connection it
// returns err, since what comes could be no answer to this request.
func (x *exchange) excuse(err error) error {
	if _, broken := err.(*ConnError); !broken || x.c.reused {
		return err
	}
	x.c.readsBy(min(lastWords, x.t.ResponseTimeout), err)
	return nil
}

// expectsContinue tells whether h asks for 100 (Continue).
func expectsContinue(h http.Header) bool {
	return hasToken(h["Expect"], "100-continue")
}

// worksOn tells whether an interim response starts the time for the final one anew. Only a
// 102 does, which says that the request is still worked on (RFC 2518 §10.1). Others do not
// (an unknown one counts as a 100, RFC 9110 §15), or an origin could hold a request for ever
// by sending them.
func worksOn(code int) bool { return code == http.StatusProcessing }

// interim passes a 1xx response on.
func (x *exchange) interim(p *plan, resp *http.Response) error {
	if resp.StatusCode == http.StatusContinue && x.sender != nil {
		x.sender.answered(true)
	}
	if worksOn(resp.StatusCode) && (x.sender == nil || x.sender.wholly()) {
		x.c.readsBy(x.t.ResponseTimeout, ErrResponseTimeout)
	}
	trace := httptrace.ContextClientTrace(p.r.Context())
	if trace == nil || trace.Got1xxResponse == nil {
		return nil
	}
	dropNamed(resp.Header, resp.Header["Connection"])
	return trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header))
}

// accept gives the final response its body.
func (x *exchange) accept(p *plan, resp *http.Response, kind bodyKind) *http.Response {
	c := x.c
	c.headHere(x.t.BodyTimeout)
	resp.TLS = c.tls
	x.keep = !resp.Close && persistent(p.r.Header, 1) && !p.r.Close
	if p.key.hop && p.t.HopAuthorization != "" {
		x.keep = false // see poolKey: the origin of this request might get the next one's credentials
	}
	if x.sender != nil && p.rarelyHasContent() {
		x.keep = false // an origin that does not read it takes it for the next request (RFC 9110 §9.3.1)
	}
	if s := x.sender; s != nil && !s.wholly() {
		switch {
		case resp.StatusCode < 300:
			// It may read on, and want a body for which it sent no 100 (RFC 9110 §10.1.1), also
			// if it closes then: net/http announces that in each head that it sends without one.
		case s.answered(false):
			x.keep = false // the body was awaited and will not come
		case resp.Close && resp.StatusCode >= 400 && kind != untilClose: // if it is, the origin may have to read on to end it
			s.stop() // RFC 9112 §9.5: nobody wants the rest of the body
		}
	}
	x.body = body{x: x, kind: kind, left: resp.ContentLength, resp: resp}
	if kind == untilClose {
		x.body.left = partLength(resp)
	}
	switch kind {
	case noBody:
		resp.Body = http.NoBody
		x.finish()
		return resp
	case chunkedBody:
		x.body.chunks = newChunkedReader(c.br, x.t.Limits)
		x.body.chunks.padded, x.body.chunks.named = true, resp.Header["Connection"]
	}
	resp.Body = &x.body
	return resp
}

// finish ends the exchange after a whole response. The connection goes to
// the pool if it may be kept, and is open with nothing to read.
func (x *exchange) finish() {
	c := x.c
	keep := x.keep && x.conclude()
	if s := x.sender; s != nil {
		c.key.owner = x.owner
		if s.answered(false) {
			keep = false // the response is whole, so the body that waited for a 100 is never sent
		}
		s.settle()
		if s.leave(x.watched) {
			c.release()
			return
		}
		keep = keep && s.wholly()
	}
	inTime := x.watched.Stop() // else a cancel is under way
	keep = keep && inTime && c.probe != nil && c.br.Buffered() == 0
	c.release()
	// A plain connection is probed when it is taken out of the pool. The TLS library may
	// hold more than the socket shows, so that is probed now as well.
	if keep && (c.tls == nil || c.probe.quiet(false)) {
		x.t.pool.put(c)
		return
	}
	c.closeIdle()
}

// abort ends the exchange early and closes the connection.
func (x *exchange) abort() {
	x.watched.Stop()
	x.c.closeNow()
	if x.sender != nil {
		x.sender.stop()
	}
	x.c.release()
}

// conclude makes giveUp do nothing from now on, and reports whether the exchange was not
// cancelled before.
func (x *exchange) conclude() bool {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	x.over = true
	return x.c.cause == nil
}

// giveUp cancels the exchange, unless the connection may be another's by now.
func (x *exchange) giveUp(cause error) {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	if !x.over {
		x.c.endFor(cause)
	}
}

// Ended cancels the exchange when its context has ended.
func (x *exchange) Ended() { x.c.cancel(context.Cause(x.ctx)) }

// upgrade gives a 101 response its body, the connection itself.
func (x *exchange) upgrade(p *plan, resp *http.Response) (*http.Response, error) {
	switch {
	case len(p.r.Header["Upgrade"]) == 0:
		return nil, malformed("upgrade that was not asked for")
	case x.sender != nil && !x.sender.wholly():
		return nil, malformed("upgrade before the request's end")
	}
	c := x.c
	c.noDeadlines()
	early, _ := c.br.Peek(c.br.Buffered())
	u := &Upgraded{x: x, early: append([]byte(nil), early...)}
	c.release()
	resp.TLS = c.tls
	resp.Body = u
	return resp, nil
}
