package proxy

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guise/cache"
	"guise/proxy/egress"
)

// probes is the variable that says how many probes the long form of
// TestProbing sends of each kind; without it a few are sent, and no time counts.
const probes = "GUISE_PROBES"

// probingRole is the variable that makes this program a part of TestProbing:
// "origin", or the name of a mode of sharing for the proxy.
const probingRole = "GUISE_TEST_PROBING"

// A manner is how an origin answers. It is the path of the request, so that
// one origin has all of them: /median-spread-byResource-size-pieces-gap-coding/…
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

// A part is a process of TestProbing.
type part struct {
	address string
	orders  io.Writer
	answers *bufio.Scanner
}

// startPart runs a part until the test ends.
func startPart(t *testing.T, role string) *part {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), probingRole+"="+role)
	process.Stderr = os.Stderr
	orders, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		orders.Close()
		if err := process.Wait(); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	})
	p := &part{orders: orders, answers: bufio.NewScanner(answers)}
	p.address = p.answer(t)
	return p
}

func (p *part) answer(t *testing.T) string {
	t.Helper()
	if !p.answers.Scan() {
		t.Fatalf("a part of the test ended: %v", p.answers.Err())
	}
	return p.answers.Text()
}

// A probing is an attack over sockets: mallory tries to tell whether the victim has
// visited a URL.
type probing struct {
	manner
	load     float64       // the origin's changes up to so many times, before each look
	controls int           // URLs that nobody visited, which mallory looks at first
	second   time.Duration // mallory asks again so long after it asked; 0 means it does not
	fresh    bool          // a connection for each look
	within   bool          // mallory is in one process with the origin
}

var probings = map[string]probing{
	"0.1 ms, 2 kB":            {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5},
	"0.1 ms, 70 kB":           {manner: manner{median: 100 * time.Microsecond, size: 70000, pieces: 1}, controls: 5},
	"0.1 ms, 20 kB chunked":   {manner: manner{median: 100 * time.Microsecond, size: 20000, pieces: 1, chunked: true}, controls: 5},
	"0.1 ms, 1 MB":            {manner: manner{median: 100 * time.Microsecond, size: 1 << 20, pieces: 1}, controls: 5},
	"0.1 ms, new connections": {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, fresh: true},
	"0.1 ms, a second request 0.5 ms after the first": {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, second: 500 * time.Microsecond},
	"0.1 ms, the same, in the origin's process":       {manner: manner{median: 100 * time.Microsecond, size: 2000, pieces: 1}, controls: 5, second: 500 * time.Microsecond, within: true},
	"1 ms":                          {manner: manner{median: time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5},
	"5 ms":                          {manner: manner{median: 5 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5},
	"20 ms":                         {manner: manner{median: 20 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5},
	"5 ms, in the origin's process": {manner: manner{median: 5 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}, controls: 5, within: true},
	"5 ms, no control":              {manner: manner{median: 5 * time.Millisecond, spread: 0.25, size: 2000, pieces: 1}},
	"2.5 to 12.5 ms":                {manner: manner{median: 2500 * time.Microsecond, spread: 0.1, size: 2000, pieces: 1}, load: 5, controls: 5},
	"2.5 to 12.5 ms, one control":   {manner: manner{median: 2500 * time.Microsecond, spread: 0.1, size: 2000, pieces: 1}, load: 5, controls: 1},
	"2.5 to 12.5 ms, two controls":  {manner: manner{median: 2500 * time.Microsecond, spread: 0.1, size: 2000, pieces: 1}, load: 5, controls: 2},
	"6 ms by resource":              {manner: manner{median: 6 * time.Millisecond, spread: 0.1, byResource: 0.4, size: 2000, pieces: 1}, controls: 5},
	"3 ms, then six pieces a millisecond apart":                 {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 60000, pieces: 6, gap: time.Millisecond}, controls: 5},
	"3 ms, then twelve pieces five milliseconds apart":          {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 6000, pieces: 12, gap: 5 * time.Millisecond}, controls: 5},
	"3 to 15 ms, then six pieces two to ten milliseconds apart": {manner: manner{median: 3 * time.Millisecond, spread: 0.25, size: 60000, pieces: 6, gap: 2 * time.Millisecond}, load: 5, controls: 2},
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

// times are a view's features that time enters, and forms those that it does not.
func (v view) times() map[string]float64 {
	first, last := ms(v.at[0]), ms(v.at[len(v.at)-1])
	return map[string]float64{
		"head": first, "end": last, "tail": last - first,
		"reads": float64(len(v.at)), "first read": float64(v.sizes[0]),
		"last read": float64(v.sizes[len(v.sizes)-1]),
		"bytes":     float64(v.bytes), // with how it is chunked
		"middle":    ms(v.at[len(v.at)/2]),
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func (v view) forms() map[string]float64 {
	age := -1.0
	if a := v.header.Get("Age"); a != "" {
		age, _ = strconv.ParseFloat(a, 64)
	}
	date, _ := http.ParseTime(v.header.Get("Date"))
	f := map[string]float64{
		"age": age, "status": float64(v.status), "fields": float64(len(v.header)),
		"date": math.Round(time.Since(date).Seconds() / 10),
	}
	_, lifetime, _ := strings.Cut(v.header.Get("Cache-Control"), "max-age=")
	f["max-age"], _ = strconv.ParseFloat(lifetime, 64)
	return f
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
		p := startPart(t, "origin")
		g.origin = p.address
		g.order = func(load float64) {
			fmt.Fprintln(p.orders, load)
			p.answer(t)
		}
	}
	g.origin = "http://" + g.origin
	proxy := startPart(t, strconv.Itoa(int(sharing)))
	client := func(last byte) *prober {
		p := &prober{address: net.IPv4(127, 0, 0, last), proxy: proxy.address}
		t.Cleanup(p.leave)
		return p
	}
	g.victim, g.mallory, g.twin = client(2), client(3), client(3)
	return g
}

// try is one trial: what mallory sees of a URL that the victim has visited, or has not.
func (a probing) try(t *testing.T, g *probingGround, n int, visited bool) (times, forms map[string]float64) {
	uri := func(name string) string { return g.origin + a.path(fmt.Sprint(n, name)) }
	load := func() {
		if a.load > 0 {
			g.order(math.Pow(a.load, g.rand.Float64()))
		}
	}
	load()
	if visited {
		g.victim.look(t, uri("secret"))
	} else {
		g.victim.look(t, uri("another"))
	}
	load()
	var controls []view
	for i := range a.controls {
		controls = append(controls, g.mallory.look(t, uri(fmt.Sprint("control", i))))
	}
	if a.fresh {
		g.mallory.leave()
	}
	begun := g.mallory.ask(t, uri("secret"))
	var again view
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a.second > 0 {
			time.Sleep(a.second - time.Since(begun))
			again = g.twin.look(t, uri("secret"))
		}
	}()
	seen := g.mallory.see(t, begun)
	<-done
	times, forms = seen.times(), seen.forms()
	if a.second > 0 {
		for name, x := range again.times() {
			times["second "+name] = x
		}
		times["second against first"] = times["second end"] - times["end"]
	}
	compare := func(by string, with ...view) {
		for _, name := range []string{"head", "tail", "end"} {
			mean := 0.0
			for _, v := range with {
				mean += v.times()[name] / float64(len(with))
			}
			x := math.Log((times[name] + 1e-3) / (mean + 1e-3))
			times[name+" against "+by], times["strange "+name+" against "+by] = x, math.Abs(x)
		}
	}
	if len(controls) > 0 {
		compare("all before", controls...)
		compare("the last", controls[len(controls)-1])
	}
	compare("the next", g.mallory.look(t, uri("after")))
	return times, forms
}

// auc returns how well a feature tells visited URLs from others: the probability that
// it is larger for one than for the other, or smaller. 0.5 is guessing.
func auc(with, without []float64) float64 {
	wins := 0.0
	for _, a := range with {
		for _, b := range without {
			switch {
			case a > b:
				wins++
			case a == b:
				wins += 0.5
			}
		}
	}
	p := wins / float64(len(with)*len(without))
	return max(p, 1-p)
}

// together returns how well all features tell: logistic regression on their ranks and
// the squares of these, of each fifth of the trials by the others.
func together(features map[string][2][]float64) float64 {
	var rows [][]float64
	var visited []float64
	for kind := range 2 {
		for _, pair := range features {
			for range pair[kind] {
				rows, visited = append(rows, []float64{1}), append(visited, float64(1-kind))
			}
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(features)) {
		all := slices.Concat(features[name][0], features[name][1])
		sorted := slices.Sorted(slices.Values(all))
		for i, x := range all {
			low, _ := slices.BinarySearch(sorted, x)
			high, _ := slices.BinarySearch(sorted, math.Nextafter(x, math.Inf(1)))
			rank := float64(low+high)/float64(len(all)) - 1
			rows[i] = append(rows[i], rank, rank*rank-1./3)
		}
	}
	const folds = 5
	var scores [2][]float64
	order := rand.New(rand.NewPCG(7, 8)).Perm(len(rows))
	for fold := range folds {
		weights := make([]float64, len(rows[0]))
		score := func(i int) (sum float64) {
			for k, x := range rows[i] {
				sum += weights[k] * x
			}
			return sum
		}
		for range 300 {
			slope := make([]float64, len(weights))
			for n, i := range order {
				if n%folds != fold {
					off := visited[i] - 1/(1+math.Exp(-score(i)))
					for k, x := range rows[i] {
						slope[k] += off * x
					}
				}
			}
			for k := range weights {
				weights[k] += 2*slope[k]/float64(len(rows)) - 0.01*weights[k]
			}
		}
		for n, i := range order {
			if n%folds == fold {
				kind := 1 - int(visited[i])
				scores[kind] = append(scores[kind], score(i))
			}
		}
	}
	return auc(scores[0], scores[1])
}

// Over sockets and between processes, a client cannot tell what another has visited,
// unless responses are shared openly. What a response looks like must not tell
// in a single trial; what its times tell depends on the machine, and is measured in the long form.
func TestProbing(t *testing.T) {
	trials, _ := strconv.Atoi(os.Getenv(probes))
	measuring := trials > 0
	names := slices.Sorted(maps.Keys(probings))
	if !measuring {
		trials, names = 20, []string{"5 ms", "0.1 ms, 20 kB chunked"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for _, sharing := range []cache.Sharing{cache.Disguised, cache.PerClient, cache.Shared} {
				n := trials
				if sharing == cache.Shared {
					n = 20
				}
				a := probings[name]
				g := newProbingGround(t, sharing, a.within)
				times, forms := map[string][2][]float64{}, map[string][2][]float64{}
				for i := range n {
					kind := i % 2
					if measuring {
						kind = g.rand.IntN(2)
					}
					seen, looks := a.try(t, g, i, kind == 0)
					gather(times, seen, kind)
					gather(forms, looks, kind)
				}
				form, byForm := best(forms)
				time, byTime := best(times)
				t.Logf("%-10v best %.2f by %s, all %.2f; forms %.2f by %s", modes[sharing], time, byTime, together(times), form, byForm)
				if measuring && sharing == cache.Disguised {
					t.Log(ranked(times))
				}
				if sharing == cache.Shared && form < 0.95 {
					t.Errorf("shared: %.2f: the attack does not work", form)
				}
				if sharing != cache.Shared && form > 0.5 && !measuring {
					t.Errorf("%s: %s tells: %.2f", modes[sharing], byForm, form)
				}
			}
		})
	}
}

var modes = map[cache.Sharing]string{cache.Disguised: "disguised", cache.PerClient: "per-client", cache.Shared: "shared"}

func gather(into map[string][2][]float64, values map[string]float64, kind int) {
	for name, x := range values {
		pair := into[name]
		pair[kind] = append(pair[kind], x)
		into[name] = pair
	}
}

// ranked lists what each feature tells, the most telling first.
func ranked(features map[string][2][]float64) string {
	var lines []string
	for name, pair := range features {
		lines = append(lines, fmt.Sprintf("%.2f %s", auc(pair[0], pair[1]), name))
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	return strings.Join(lines, ", ")
}

func best(features map[string][2][]float64) (most float64, by string) {
	for _, name := range slices.Sorted(maps.Keys(features)) {
		pair := features[name]
		if p := auc(pair[0], pair[1]); p > most {
			most, by = p, name
		}
	}
	return most, by
}
