package cache

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// A call is one request at a slow origin: the test writes the answer.
type call struct {
	r    *http.Request
	head chan *http.Response // what to answer; nil fails
	body *io.PipeWriter
}

// respond sends the head of an answer whose body is written to cl.body.
func (cl *call) respond(header string, length int64) {
	pr, pw := io.Pipe()
	cl.body = pw
	resp := parseResponse("200\n"+header, cl.r)
	resp.Body, resp.ContentLength = pr, length
	context.AfterFunc(cl.r.Context(), func() { pw.CloseWithError(cl.r.Context().Err()) })
	cl.head <- resp
}

// answer responds with a whole body.
func (cl *call) answer(header, body string) {
	cl.respond(header, int64(len(body)))
	cl.answerBody(body)
}

// answerBody writes what is left of a body.
func (cl *call) answerBody(rest string) {
	io.WriteString(cl.body, rest)
	cl.body.Close()
}

// A slowOrigin hands every request to the test.
type slowOrigin struct{ calls chan *call }

func (o *slowOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	cl := &call{r: r, head: make(chan *http.Response, 1)}
	o.calls <- cl
	select {
	case resp := <-cl.head:
		if resp == nil {
			return nil, errOrigin
		}
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// A visit is a client's request under way.
type visit struct {
	resp *http.Response
	err  error
	done chan struct{}
	stop context.CancelFunc
}

type theatre struct {
	t      *testing.T
	c      *Cache
	origin *slowOrigin
	rt     http.RoundTripper
}

// stage runs f with a cache and an origin in a bubble in which time passes
// only when everybody waits.
func stage(t *testing.T, o Options, f func(*theatre)) {
	synctest.Test(t, func(t *testing.T) {
		th := &theatre{t: t, c: New(o), origin: &slowOrigin{calls: make(chan *call, 100)}}
		th.c.sleep = sleepTimer // the bubble's clock
		th.rt = th.c.Transport(th.origin)
		f(th)
		th.c.Close()
	})
}

func (th *theatre) visit(client, fields string) *visit {
	return th.visitAs(client, "/", fields)
}

func (th *theatre) visitAs(client, path, fields string) *visit {
	ctx, cancel := context.WithCancel(WithVisitor(th.t.Context(), Visitor{Client: client}))
	return th.visitTo(ctx, cancel, path, fields)
}

func (th *theatre) visitWith(ctx context.Context, cancel context.CancelFunc, fields string) *visit {
	return th.visitTo(ctx, cancel, "/", fields)
}

func (th *theatre) visitTo(ctx context.Context, cancel context.CancelFunc, path, fields string) *visit {
	v := &visit{done: make(chan struct{}), stop: cancel}
	method := "GET"
	if m, rest, ok := strings.Cut(path, " "); ok {
		method, path = m, rest
	}
	uri := "http://origin.example" + path
	if strings.HasPrefix(path, "//") {
		uri = "http:" + path
	}
	r, err := http.NewRequestWithContext(ctx, method, uri, nil)
	if err != nil {
		th.t.Fatal(err)
	}
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	go func() {
		defer close(v.done)
		v.resp, v.err = th.rt.RoundTrip(r)
	}()
	synctest.Wait()
	return v
}

// call returns the next request at the origin.
func (th *theatre) call() *call {
	th.t.Helper()
	synctest.Wait()
	select {
	case cl := <-th.origin.calls:
		return cl
	default:
		th.t.Fatal("the origin was not asked")
		return nil
	}
}

func (th *theatre) quiet() {
	th.t.Helper()
	synctest.Wait()
	if n := len(th.origin.calls); n > 0 {
		th.t.Fatalf("the origin was asked %d times", n)
	}
}

func (th *theatre) expect(v *visit, want string) {
	th.t.Helper()
	<-v.done
	if v.err != nil {
		th.t.Fatal(v.err)
	}
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(v.resp.Body, buf); err != nil || string(buf) != want {
		th.t.Fatalf("read %q, %v; want %q", buf, err, want)
	}
}

// expectAll expects a body, or what is left of one, and its end.
func (th *theatre) expectAll(v *visit, want string) {
	th.t.Helper()
	th.expect(v, want)
	th.end(v)
}

func (th *theatre) end(v *visit) {
	th.t.Helper()
	rest, err := io.ReadAll(v.resp.Body)
	v.resp.Body.Close()
	if err != nil || len(rest) > 0 {
		th.t.Fatalf("at the end: %q, %v", rest, err)
	}
	synctest.Wait()
}

const storableFields = "Cache-Control: max-age=60"
