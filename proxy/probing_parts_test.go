package proxy

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guise/cache"
	"guise/proxy/egress"
)

// probingRole is the variable that makes this program a part of TestProbing:
// "origin", or the number of a mode of sharing for the proxy.
const probingRole = "GUISE_TEST_PROBING"

// A manner is how an origin answers. It is the path of the request, so that
// one origin has all of them.
type manner struct {
	median     time.Duration // to the head, times e^N(0, spread)
	spread     float64
	byResource float64       // of the medians of its resources, likewise
	size       int           // of the body
	pieces     int           // in which it comes
	gap        time.Duration // between them
	chunked    bool
}

func (m manner) path(id string) string {
	return fmt.Sprintf("/%v_%v_%v_%v_%v_%v_%v/%s", m.median.Seconds(), m.spread, m.byResource, m.size, m.pieces, m.gap.Seconds(), m.chunked, id)
}

func mannerOf(path string) (m manner, ok bool) {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	f := strings.Split(path, "_")
	if len(f) != 7 {
		return m, false
	}
	m.median = secondsOf(f[0])
	m.spread, _ = strconv.ParseFloat(f[1], 64)
	m.byResource, _ = strconv.ParseFloat(f[2], 64)
	m.size, _ = strconv.Atoi(f[3])
	m.pieces, _ = strconv.Atoi(f[4])
	m.gap = secondsOf(f[5])
	m.chunked = f[6] == "true"
	return m, true
}

func secondsOf(text string) time.Duration {
	x, _ := strconv.ParseFloat(text, 64)
	return time.Duration(x * float64(time.Second))
}

// A probedOrigin answers in any manner, under a load that is set from outside.
type probedOrigin struct{ load func() float64 }

func (o probedOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m, ok := mannerOf(r.URL.Path)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	own := uint64(0)
	for _, c := range []byte(r.URL.Path) {
		own = own*31 + uint64(c)
	}
	resource := math.Exp(m.byResource * rand.New(rand.NewPCG(own, 0)).NormFloat64())
	load := o.load()
	await := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	}
	await(time.Duration(float64(m.median) * load * resource * math.Exp(m.spread*rand.NormFloat64())))
	h := w.Header()
	h.Set("Cache-Control", "max-age=3600")
	h.Set("ETag", `"one"`)
	h.Set("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
	if !m.chunked {
		h.Set("Content-Length", strconv.Itoa(m.size))
	}
	if r.Header.Get("If-None-Match") == `"one"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := make([]byte, m.size)
	for i := range m.pieces {
		if i > 0 {
			await(time.Duration(float64(m.gap) * load))
		}
		w.Write(body[i*m.size/m.pieces : (i+1)*m.size/m.pieces])
		if m.pieces > 1 || m.chunked {
			http.NewResponseController(w).Flush()
		}
	}
}

// A float is one that several goroutines use.
type float struct{ bits atomic.Uint64 }

func (f *float) get() float64  { return math.Float64frombits(f.bits.Load()) }
func (f *float) set(x float64) { f.bits.Store(math.Float64bits(x)) }

// runProbing is a process of TestProbing: it prints its address, then lives until
// its input ends. An origin takes a load a line.
func runProbing(role string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	lines := bufio.NewScanner(os.Stdin)
	if role == "origin" {
		var load float
		load.set(1)
		go http.Serve(l, probedOrigin{load.get})
		for lines.Scan() {
			x, err := strconv.ParseFloat(lines.Text(), 64)
			if err != nil {
				return err
			}
			load.set(x)
			fmt.Println("done")
		}
		return nil
	}
	sharing, err := strconv.Atoi(role)
	if err != nil {
		return err
	}
	o := Options{Cache: cache.Options{Sharing: cache.Sharing(sharing), Memory: 1 << 30}}
	o.Gate.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	o.Egress.Allow = []string{"127.0.0.0/8"}
	o.Egress.Ports = []egress.PortRange{{First: 1, Last: 65535}}
	p, err := New(o)
	if err != nil {
		return err
	}
	go p.Serve(l)
	for lines.Scan() {
	}
	return p.Close()
}

// A probingGround is what an attack takes place on.
type probingGround struct {
	origin                string // URI
	order                 func(load float64)
	victim, mallory, twin *prober // twin is mallory with another connection
	rand                  *rand.Rand
}

func newProbingGround(t *testing.T, sharing cache.Sharing, within bool) *probingGround {
	g := &probingGround{rand: rand.New(rand.NewPCG(1, 2))}
	if within {
		var load float
		load.set(1)
		l := listen(t)
		server := &http.Server{Handler: probedOrigin{load.get}}
		go server.Serve(l)
		t.Cleanup(func() { server.Close() })
		g.origin, g.order = l.Addr().String(), load.set
	} else {
		p := startPart(t, probingRole, "origin")
		g.origin = p.address
		g.order = func(load float64) {
			fmt.Fprintln(p.orders, load)
			p.answer(t)
		}
	}
	g.origin = "http://" + g.origin
	proxy := startPart(t, probingRole, strconv.Itoa(int(sharing)))
	client := func(last byte) *prober {
		p := &prober{address: net.IPv4(127, 0, 0, last), proxy: proxy.address}
		t.Cleanup(p.leave)
		return p
	}
	g.victim, g.mallory, g.twin = client(2), client(3), client(3)
	return g
}

// A prober asks a proxy from an address of its own.
type prober struct {
	address net.IP
	proxy   string
	conn    net.Conn
}

// A view is all that a client sees of a response.
type view struct {
	header http.Header
	status int
	bytes  int
	at     []time.Duration // when something came
	sizes  []int           // and how much
}

// ask sends a request for a URI.
func (p *prober) ask(t *testing.T, uri string) time.Time {
	t.Helper()
	if p.conn == nil {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: p.address}, Timeout: patience}
		conn, err := d.Dial("tcp", p.proxy)
		if err != nil {
			t.Fatal(err)
		}
		p.conn = conn
	}
	begun := time.Now()
	p.conn.SetDeadline(begun.Add(patience))
	host, _, _ := strings.Cut(strings.TrimPrefix(uri, "http://"), "/")
	if _, err := fmt.Fprintf(p.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", uri, host); err != nil {
		t.Fatal(err)
	}
	return begun
}

// see reads a response to what was asked then, as it comes.
func (p *prober) see(t *testing.T, begun time.Time) view {
	t.Helper()
	var v view
	var all []byte
	buf := make([]byte, 256<<10)
	for whole := false; !whole; {
		n, err := p.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		v.at, v.sizes = append(v.at, time.Since(begun)), append(v.sizes, n)
		all = append(all, buf[:n]...)
		whole = v.parse(t, all)
	}
	v.bytes = len(all)
	return v
}

// parse reads what has come of a response, and reports whether that is all.
func (v *view) parse(t *testing.T, all []byte) bool {
	head, body, ok := strings.Cut(string(all), "\r\n\r\n")
	if !ok {
		return false
	}
	if v.header == nil {
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+"\r\n\r\n")), nil)
		if err != nil {
			t.Fatal(err)
		}
		v.header, v.status = resp.Header, resp.StatusCode
		if resp.TransferEncoding != nil {
			v.header.Set("Transfer-Encoding", "chunked")
		}
	}
	if v.header.Get("Transfer-Encoding") != "" {
		return strings.HasSuffix(body, "0\r\n\r\n")
	}
	n, _ := strconv.Atoi(v.header.Get("Content-Length"))
	return v.status == http.StatusNotModified || len(body) >= n
}

func (p *prober) leave() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

func (p *prober) look(t *testing.T, uri string) view {
	t.Helper()
	return p.see(t, p.ask(t, uri))
}

// times are a view's features that time enters.
func (v view) times() map[string]float64 {
	first, last := ms(v.at[0]), ms(v.at[len(v.at)-1])
	date, _ := http.ParseTime(v.header.Get("Date"))
	return map[string]float64{
		"head": first, "end": last, "tail": last - first, "middle": ms(v.at[len(v.at)/2]),
		"reads": float64(len(v.at)), "first read": float64(v.sizes[0]), "last read": float64(v.sizes[len(v.sizes)-1]),
		"bytes": float64(v.bytes), // with how it is chunked
		"date":  math.Floor(time.Since(date).Seconds()),
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// forms are the features that it does not.
func (v view) forms() map[string]float64 {
	age := -1.0
	if a := v.header.Get("Age"); a != "" {
		age, _ = strconv.ParseFloat(a, 64)
	}
	_, text, _ := strings.Cut(v.header.Get("Cache-Control"), "max-age=")
	lifetime, _ := strconv.ParseFloat(text, 64)
	return map[string]float64{"age": age, "status": float64(v.status), "fields": float64(len(v.header)), "max-age": lifetime}
}
