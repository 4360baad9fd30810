package judge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Options says what [Run] has to judge.
type Options struct {
	Proxy    string        // host:port of the HTTP proxy; required
	Origin   *Origin       // required; it records, and is being served
	Address  string        // host:port under which the proxy finds the origin; required
	Visitors int           // how many are compared for each kind of request; 0 means 56
	Timeout  time.Duration // for each request; 0 means 10 s
	Inside   *tls.Config   // look inside https, with a client so configured; nil means plain http
	Seed     uint64        // draws what is planted; 0 means another one for every run
}

// Run sends the origin the requests of many browsers through a proxy and
// compares what was sent with what arrived and came back. It returns an
// error if the proxy cannot be reached or ctx ends; a proxy that forwards
// nothing gets a report with the grade [Ungraded].
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Origin == nil || !o.Origin.Record {
		return nil, errors.New("judge needs an origin that records")
	}
	if o.Visitors <= 0 {
		o.Visitors = 56
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	o.Seed = cmp.Or(o.Seed, rand.Uint64())
	if o.Inside != nil {
		o.Inside = o.Inside.Clone()
		o.Inside.ServerName, _, _ = net.SplitHostPort(o.Address)
	}
	r := &run{Options: o, seeds: newSeeder(o.Seed), report: &Report{}}
	r.separate()
	for _, p := range slices.Concat(ordinaryProbes(), plantedProbes(), malformedProbes(), returningProbes(), workingProbes()) {
		if p.outside && o.Inside != nil {
			continue
		}
		if err := r.try(ctx, &p); err != nil {
			return nil, err
		}
	}
	for _, c := range crowds {
		if err := r.compare(ctx, c); err != nil {
			return nil, err
		}
	}
	r.report.Grade = r.report.grade(r.arrived)
	return r.report, nil
}

// run is the state of one Run. It is used by one goroutine.
type run struct {
	Options
	seeds    *seeder
	report   *Report
	loopback bool       // clients have addresses of our choice
	own      netip.Addr // else the one that all have; zero if proxy or origin has it too
	count    int        // probes and groups so far
	arrived  int        // requests that reached the origin
}

// separate finds out how the client's own address can be recognised. On
// one machine everybody is 127.0.0.1, so each probe comes from another
// address of 127.0.0.0/8, where the system allows it.
func (r *run) separate() {
	host, _, _ := net.SplitHostPort(r.Proxy)
	addr, err := netip.ParseAddr(host)
	r.loopback = host == "localhost" || err == nil && addr.Unmap().Is4() && addr.Unmap().IsLoopback()
	if r.loopback {
		ln, err := net.Listen("tcp", "127.99.98.97:0")
		if err == nil {
			ln.Close()
		}
		r.loopback = err == nil
	} else if conn, err := net.Dial("udp", r.Proxy); err == nil {
		own := addrPort(conn.LocalAddr()).Addr()
		conn.Close()
		if origin, _, _ := net.SplitHostPort(r.Address); own.String() != origin && !own.IsLoopback() {
			r.own = own
		}
	}
	if !r.loopback && !r.own.IsValid() {
		r.report.Notes = append(r.report.Notes,
			"The client, the proxy and the origin share one address here, so nothing can be said about the client's own.")
	}
}

// client returns the next client; each has an address of its own if that
// can be done.
func (r *run) client() client {
	c := client{proxy: r.Proxy, timeout: r.Timeout, inside: r.Inside, origin: r.Address, from: r.own}
	if r.loopback {
		rng := r.seeds.rng
		c.from = netip.AddrFrom4([4]byte{127, byte(64 + rng.IntN(128)), byte(10 + rng.IntN(90)), byte(10 + rng.IntN(90))})
	}
	return c
}

// draft begins the next request.
func (r *run) draft(own netip.Addr) *draft {
	r.count++
	return &draft{seeds: r.seeds, host: r.Address, https: r.Inside != nil, id: fmt.Sprintf("%s%d", r.seeds.draw(6, "bcdfghjkmnpqrstvwxz"), r.count), own: own}
}

// try sends one probe and notes what became of it.
func (r *run) try(ctx context.Context, p *probe) error {
	c := r.client()
	d := r.draft(c.from)
	p.build(d)
	t := &trial{probe: p, draft: d, sent: d.bytes(), client: c.from, origin: r.Origin}
	r.Origin.prepare(d.id, d.answer)
	var err error
	if p.send != nil {
		err = p.send(ctx, c, t)
	} else {
		t.got, err = c.exchange(ctx, d.method, t.sent)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	t.seen = r.Origin.record.of(d.id)
	r.arrived += len(t.seen)
	r.note(t)
	return nil
}

// note adds a trial to the report.
func (r *run) note(t *trial) {
	x := Exchange{Name: t.probe.name, Section: string(t.probe.section), Sent: shown(parseHead(t.sent))}
	if len(t.seen) > 0 {
		x.Seen = shown(t.seen[0].Head)
	} else {
		x.Refused = t.got.status
	}
	var leaks []Leak
	leaks, x.Leaked = t.leaks()
	x.Planted = len(t.draft.plants) + len(t.draft.returned)
	r.report.Leaks = append(r.report.Leaks, leaks...)
	r.report.Planted += x.Planted
	r.report.Hidden += x.Planted - len(x.Leaked)

	err := t.verdict()
	if t.probe.section == working {
		r.report.Checks++
		if err == nil {
			r.report.Works++
		}
	}
	if err != nil {
		x.Fault = err.Error()
		if fault := (Fault{x.Name, x.Fault}); t.probe.choice {
			r.report.Off = append(r.report.Off, fault)
		} else {
			r.report.Broken = append(r.report.Broken, fault)
		}
	}
	r.report.Requests = append(r.report.Requests, x)
}

func shown(h Head) []Field { return append([]Field{{Value: h.Line}}, h.Fields...) }

// compare sends the same request for many visitors, each from an address
// of their own, and measures how well the origin can tell them apart.
func (r *run) compare(ctx context.Context, what crowd) error {
	id := r.draft(netip.Addr{}).id
	var heads [][]byte
	for _, v := range visitors(r.Visitors) {
		c := r.client()
		d := &draft{seeds: r.seeds, host: r.Address, https: r.Inside != nil, id: id}
		d.ask(v, what.kind)
		if what.edit != nil {
			what.edit(d, v)
		}
		before := len(r.Origin.record.of(id))
		if _, err := c.exchange(ctx, d.method, d.bytes()); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, s := range r.Origin.record.of(id)[before:] {
			heads = append(heads, s.Raw[:headLength(s.Raw)])
		}
	}
	r.arrived += len(heads)
	e := measure(what.name, heads)
	r.report.Entropy = append(r.report.Entropy, e)
	if e.Bits > 0 {
		r.report.Leaks = append(r.report.Leaks, Leak{Identity, "requests of different visitors", "are not the same",
			"Many visitors ask for " + what.name, strings.Join(e.Fields, ", ")})
	}
	if len(heads) < r.Visitors {
		r.report.Broken = append(r.report.Broken, Fault{"Many visitors ask for " + what.name, fmt.Sprintf("of %d requests %d arrived", r.Visitors, len(heads))})
	}
	return nil
}
