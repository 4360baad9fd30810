package judge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
)

// A section groups probes in the report.
type section string

const (
	ordinary  section = "Ordinary browsing"
	planted   section = "Identifying things in every place"
	malformed section = "Requests that parsers read differently"
	returning section = "What comes back"
	working   section = "What has to keep working"
)

// A probe is one request with a purpose.
type probe struct {
	name    string
	section section
	build   func(d *draft)

	refusable bool // the proxy may answer by itself instead
	choice    bool // the proxy's settings may turn it off, which is no fault
	outside   bool // left out where the proxy inspects https
	opaque    bool // goes through a tunnel, so all that the client sends must arrive
	send      func(ctx context.Context, c client, t *trial) error
	check     func(t *trial) error // nil means: it arrived and was answered with 2xx
}

// A draft is a request being written.
type draft struct {
	seeds *seeder
	host  string     // host:port of the origin
	https bool       // inside a connection that the proxy inspects
	id    string     // this probe's part of the path
	own   netip.Addr // the client's address; zero if it cannot be told from the proxy's

	method, resource string
	userinfo, suffix string // before the host, and after the path
	fields           []Field
	body             string
	raw              []byte // if not nil, sent instead of all of the above

	plants   []plant // must not arrive at the origin
	returned []plant // must not come back
	answer   []Field // what the origin says, for the resource "answer"
}

// ask begins a request as v's browser makes it.
func (d *draft) ask(v visitor, k kind) {
	d.method, d.resource = http.MethodGet, string(k)
	d.fields = v.fields(k, d.scheme(), d.host)
}

// path is the resource as the origin knows it.
func (d *draft) path() string { return "/p/" + d.id + "/" + d.resource + d.suffix }

// scheme is "http" or "https".
func (d *draft) scheme() string {
	if d.https {
		return "https"
	}
	return "http"
}

// site is the origin in the form of the field Origin.
func (d *draft) site() string { return d.scheme() + "://" + d.host }

// target is the request-target: the absolute-form that proxies get, or inside https, where
// the browser talks to the origin, the origin-form. Userinfo has a place in the former alone.
func (d *draft) target() string {
	if d.https && d.userinfo == "" {
		return d.path()
	}
	return d.scheme() + "://" + d.userinfo + d.host + d.path()
}

func (d *draft) bytes() []byte {
	if d.raw != nil {
		return d.raw
	}
	return request(d.method, d.target(), d.fields, d.body)
}

// set replaces the named field where it stands, or appends it.
func (d *draft) set(name, value string) {
	for i, f := range d.fields {
		if fold(f.Name) == fold(name) {
			d.fields[i].Value = value
			return
		}
	}
	d.add(name, value)
}

func (d *draft) add(name, value string) { d.fields = append(d.fields, Field{name, value}) }

func (d *draft) drop(name string) {
	d.fields = slices.DeleteFunc(d.fields, func(f Field) bool { return fold(f.Name) == fold(name) })
}

// mark draws an ID and notes that it must not arrive.
func (d *draft) mark(where string, class Class) string {
	id := d.seeds.id()
	d.plants = append(d.plants, plant{where, id, class})
	return id
}

// plantField adds a field that identifies.
func (d *draft) plantField(n named) {
	f, p := d.seeds.field(n)
	d.fields = append(d.fields, f)
	d.plants = append(d.plants, p)
}

// plantAnswer has the origin answer with a field whose value, made from an
// ID, must not come back.
func (d *draft) plantAnswer(name, format string) {
	id := d.seeds.id()
	d.answer = append(d.answer, Field{name, fmt.Sprintf(format, id)})
	d.returned = append(d.returned, plant{name, id, Return})
}

// A trial is a probe that was sent.
type trial struct {
	probe  *probe
	draft  *draft
	sent   []byte
	client netip.Addr // where the probe came from
	got    received
	seen   []Seen // what arrived at the origin for it
	origin *Origin
}

// arrived returns the request that the origin got, or an error that says
// what the proxy did instead.
func (t *trial) arrived() (Seen, error) {
	switch {
	case len(t.seen) == 1:
		return t.seen[0], t.seen[0].Err
	case len(t.seen) > 1:
		return t.seen[0], fmt.Errorf("it was sent to the origin %d times", len(t.seen))
	case t.got.err != nil:
		return Seen{}, fmt.Errorf("it did not arrive; the proxy hung up: %w", t.got.err)
	default:
		return Seen{}, fmt.Errorf("it did not arrive; the proxy answered %d", t.got.status)
	}
}

// answered returns an error unless the answer is whole and has one of the
// given statuses.
func (t *trial) answered(statuses ...int) error {
	if t.got.err != nil {
		return fmt.Errorf("the answer is not whole: %w", t.got.err)
	}
	if slices.Contains(statuses, t.got.status) {
		return nil
	}
	return fmt.Errorf("the answer has status %d", t.got.status)
}

// verdict says whether the probe worked.
func (t *trial) verdict() error {
	if t.probe.check != nil {
		return t.probe.check(t)
	}
	if t.probe.refusable && len(t.seen) == 0 {
		return nil
	}
	if _, err := t.arrived(); err != nil {
		return err
	}
	if t.probe.refusable {
		return nil
	}
	return t.answered(http.StatusOK, http.StatusPartialContent)
}

// all joins checks: the first error wins.
func all(errs ...error) error { return cmp.Or(errs...) }

// want returns an error with the given text unless ok.
func want(ok bool, what string) error {
	if ok {
		return nil
	}
	return errors.New(what)
}
