package cache

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"guise/cache/lru"
)

const (
	// maxSampleAge is for how long a measurement counts as what an origin takes now.
	maxSampleAge = 2 * time.Second
	// minSamples is how many measurements make a distribution to draw from. With fewer, what is
	// drawn scatters more than what is measured, or repeats it.
	minSamples = 6
	// maxSamples and maxOrigins bound what is remembered.
	maxSamples = 32
	maxOrigins = 1024
	// bulk is the size in bytes from which on a body's time depends on its size:
	// only the rate of larger ones is known.
	bulk = 16 << 10
)

// A timing is how long an origin took for one response.
type timing struct {
	head time.Duration // request to head
	tail time.Duration // head to end of body
	size int64         // bytes of body
	at   time.Time     // when the head came
}

// A habit is what is known of how a resource differs from others of its
// origin: how far off the mean its times were, in standard deviations. A script
// may always take long where a stylesheet does not.
type habit struct {
	n   float64 // times that were seen or drawn
	sum float64 // of their distances from the mean
}

func (h *habit) mean() float64 { return h.sum / h.n }

func (h *habit) add(z float64) { h.n, h.sum = h.n+1, h.sum+z }

// unlike reports whether the times of a resource, one of which is own, do not belong to d: a
// client that knows them would not take a time drawn from d for one.
func (h *habit) unlike(d *distribution, own float64) bool {
	off := own - d.middle
	if h.n > 0 {
		off = h.mean() * d.spread
	}
	return math.Abs(off) > unusual*d.spread+1e-9 // times that are the same differ by what rounding leaves
}

// A kind of response is one whose times are compared with each other. It is a
// part of the key under which an origin's times are kept.
type kind string

const (
	anew      kind = ""     // the response
	validated kind = " 304" // that the client's copy still stands
)

// A latencyModel knows how long each origin takes at present. It is safe for
// concurrent use.
type latencyModel struct {
	float func() float64 // uniform in [0, 1)

	mu      sync.Mutex
	origins *simplelru.LRU[string, *originTimes]
}

// An originTimes is what the latest fetches from an origin took: to the head, and, for bodies
// that take a while, from there to the end, for each byte (see pace).
type originTimes struct {
	heads, bodies trait
	spare         float64   // how often it may still be asked because it is restless
	counted       time.Time // when spare was last brought up to date
}

// maxAsks bounds for how many first uses a second a restless origin is asked. In a rush there
// are more, and to ask for all of them would save it next to nothing.
const maxAsks = 32

// mayAsk reports whether an origin is to be asked because it is restless, and counts that.
func (s *originTimes) mayAsk(now time.Time) bool {
	s.spare = min(maxAsks, s.spare+maxAsks*max(0, now.Sub(s.counted).Seconds()))
	s.counted = now
	if s.spare < 1 {
		return false
	}
	s.spare--
	return true
}

// A trait is a time that can be measured of each fetch from an origin.
type trait struct {
	latest samples
	// sum/products estimates the correlation of two times of the same resource.
	// For each time of a resource that was seen before, sum grows by the product
	// of its distance from the mean and the usual one of those before, in
	// standard deviations, and products by one. A few are invented to begin with.
	products, sum float64
}

// A sample is the logarithm of a time: times are positive and skewed.
type sample struct {
	log float64
	at  time.Time
}

func newLatencyModel(float func() float64) *latencyModel {
	return &latencyModel{float: float, origins: lru.New[string, *originTimes](maxOrigins)}
}

// record adds the time that a head took. h is what is known of its resource; it
// returns what is known of it now.
func (m *latencyModel) record(origin string, k kind, head time.Duration, at time.Time, h habit) habit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of(origin+string(k)).heads.record(sample{logOf(float64(head)), at}, h)
}

// recordBody is record for the time of a body.
func (m *latencyModel) recordBody(origin string, t timing, h habit) habit {
	if !t.slow() {
		return h
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of(origin).bodies.record(sample{t.pace(), t.at}, h)
}

// slow reports whether a body comes visibly later than its head.
func (t *timing) slow() bool { return t.tail >= firstBeat/2 }

// pace is the logarithm of the time that a body takes, for its size if that is
// what it depends on.
func (t *timing) pace() float64 { return logOf(float64(t.tail) / float64(max(t.size, bulk))) }

func (t *trait) record(s sample, h habit) habit {
	if d, ok := t.latest.distribution(s.at); ok && d.spread > 0 {
		z := max(-outlying, min((s.log-d.middle)/d.spread, outlying))
		if h.n > 0 && math.Abs(z) < outlying {
			const memory = 64 // products that count
			if t.products >= memory {
				t.sum *= (memory - 1) / t.products
				t.products = memory - 1
			}
			t.products, t.sum = t.products+1, t.sum+z*h.mean()
		}
		h.add(z)
	}
	t.latest = t.latest.with(s)
	return h
}

func (m *latencyModel) of(origin string) *originTimes {
	s, ok := m.origins.Get(origin)
	if !ok {
		s = &originTimes{heads: trait{products: 4, sum: 1}, bodies: trait{products: 4, sum: 1}}
		m.origins.Add(strings.Clone(origin), s) // a part of a URL
	}
	return s
}

// forget makes the next first uses ask the origin, because it failed: a client that has seen
// that would know an answer from the store for one that was there before.
func (m *latencyModel) forget(origin string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range []kind{anew, validated} {
		if s, ok := m.origins.Peek(origin + string(k)); ok {
			s.heads.latest, s.bodies.latest = nil, nil
		}
	}
}

func logOf(x float64) float64 { return math.Log(max(x, 1e-6)) }

// samples are in the order of time.
type samples []sample

func (s samples) with(another sample) samples {
	if len(s) >= maxSamples {
		s = slices.Delete(s, 0, len(s)-maxSamples+1)
	}
	return append(s, another)
}

// restless reports whether times depend on the ones before them, as under a load
// that changes all the time or has just changed. Whoever measured the last one then
// knows more about the next than a draw from their distribution would show.
func (s samples) restless(d *distribution) bool {
	if math.Abs(s[len(s)-1].log-d.middle) > unusual*d.spread {
		return true
	}
	const fewest, strongest = 8, 0.25
	if len(s) < fewest {
		return false
	}
	mean := 0.0
	for _, x := range s {
		mean += x.log / float64(len(s))
	}
	var products, squares float64
	for i, x := range s {
		squares += (x.log - mean) * (x.log - mean)
		if i > 0 {
			products += (x.log - mean) * (s[i-1].log - mean)
		}
	}
	return products > strongest*squares+1e-9 // times that are the same differ by what rounding leaves
}

// A manner is what is known of a resource's times.
type manner struct{ head, body habit }

// draw returns times that a fetch of what e holds could take now, and what is
// known of e's times after that. It reports false if the origin is to be asked
// instead: because it was asked too rarely of late, is restless, or has shown too
// seldom how alike the times of one resource are. What is known of e is a
// parameter because another lock guards it.
func (m *latencyModel) draw(origin string, k kind, e *entry, of manner, now time.Time) (timing, manner, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := timing{size: e.timing.size, at: now}
	s, ok := m.origins.Get(origin + string(k))
	if !ok {
		return t, of, false
	}
	head, ok := s.heads.draw(m, s, logOf(float64(e.timing.head)), &of.head, now)
	t.head = time.Duration(math.Exp(head))
	switch {
	case !ok || k == validated:
	case e.timing.slow():
		var pace float64
		pace, ok = s.bodies.draw(m, s, e.timing.pace(), &of.body, now)
		t.tail = time.Duration(math.Exp(pace) * float64(max(t.size, bulk)))
	default:
		// It comes with its head or a little later.
		t.tail = time.Duration(float64(e.timing.tail) * (0.5 + m.float()))
	}
	return t, of, ok
}

// draw returns one more value for a resource of which one, own, is known. It
// reports false if the origin is to be asked instead.
//
// A client who knows the resource, or sees several uses of it, must find the
// drawn times as likely as real ones. So they have to depend on each other as
// real ones do: each resource is taken to have a mean of its own around which its
// times are normal, and what was seen of it so far, real or drawn, says where
// that mean is likely to be.
func (t *trait) draw(m *latencyModel, of *originTimes, own float64, h *habit, now time.Time) (float64, bool) {
	d, ok := t.latest.distribution(now)
	if !ok || h.n > 0 && m.float() < 1/t.products {
		return 0, false // the fewer times were compared, the likelier another is
	}
	unlike := h.unlike(&d, own)
	if (unlike || t.latest.restless(&d)) && of.mayAsk(now) {
		return 0, false
	}
	x := d.draw(m)
	if d.spread > 0 {
		z := (x - d.middle) / d.spread
		switch common := min(t.sum/t.products, 0.98); {
		case unlike:
			x += own - d.middle
		case h.n > 0 && common >= 0.3: // less may be chance
			weight := common / (1 + (h.n-1)*common)
			z = weight*h.sum + z*math.Sqrt(1-weight*common*h.n)
			x = d.middle + z*d.spread
		}
		x = d.within(x, own)
		z = (x - d.middle) / d.spread
		h.add(max(-outlying, min(z, outlying)))
	}
	return x, true
}

// normal draws from the standard normal distribution (Box and Muller).
func (m *latencyModel) normal() float64 {
	return math.Sqrt(-2*math.Log(1-m.float())) * math.Cos(2*math.Pi*m.float())
}
