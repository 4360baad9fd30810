package cache

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// present is how long a measurement says what an origin takes at present.
	present = 30 * time.Second
	// enough measurements make a distribution to draw from.
	enough = 4
	// maxSamples and maxOrigins bound what is remembered.
	maxSamples = 32
	maxOrigins = 1024
	// bulk is the size from which a body's time says something about the rate.
	bulk = 16 << 10
)

// A timing is how long an origin took for one response.
type timing struct {
	head time.Duration // request to head
	tail time.Duration // head to end of body
	size int64         // bytes of body
	at   time.Time     // when the head came
}

// A latencyModel knows how long each origin takes at present. It is safe for
// concurrent use.
type latencyModel struct {
	float func() float64 // uniform in [0, 1)

	mu      sync.Mutex
	origins *simplelru.LRU[string, *measured]
}

// measured are the times of an origin's latest fetches, oldest first. Heads
// are known before bodies end, so they are kept apart.
type measured struct{ heads, tails []timing }

func newLatencyModel(float func() float64) *latencyModel {
	origins, err := simplelru.NewLRU[string, *measured](maxOrigins, nil)
	if err != nil {
		panic(err) // only for a size of 0
	}
	return &latencyModel{float: float, origins: origins}
}

// recordHead adds the time to a head.
func (m *latencyModel) recordHead(origin string, t timing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(origin)
	s.heads = appendSample(s.heads, t)
}

// recordTail adds the time of a body that was large enough to tell a rate.
func (m *latencyModel) recordTail(origin string, t timing) {
	if t.size < bulk || t.tail <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(origin)
	s.tails = appendSample(s.tails, t)
}

func (m *latencyModel) of(origin string) *measured {
	s, ok := m.origins.Get(origin)
	if !ok {
		s = &measured{}
		m.origins.Add(origin, s)
	}
	return s
}

func appendSample(samples []timing, t timing) []timing {
	if len(samples) >= maxSamples {
		samples = slices.Delete(samples, 0, len(samples)-maxSamples+1)
	}
	return append(samples, t)
}

// recent returns the measurements that still say something: times to a head
// in nanoseconds, and times of a body in nanoseconds a byte.
func (m *latencyModel) recent(origin string, now time.Time) (heads, rates []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.origins.Get(origin)
	if !ok {
		return nil, nil
	}
	for _, t := range s.heads {
		if now.Sub(t.at) <= present {
			heads = append(heads, float64(t.head))
		}
	}
	for _, t := range s.tails {
		if now.Sub(t.at) <= present {
			rates = append(rates, float64(t.tail)/float64(t.size))
		}
	}
	return heads, rates
}

// draw returns times that a fetch of what e holds could take now. It reports
// false if the origin was not asked often enough of late to know.
func (m *latencyModel) draw(origin string, e *entry, now time.Time) (timing, bool) {
	heads, rates := m.recent(origin, now)
	if len(heads) < enough {
		return timing{}, false
	}
	t := timing{size: e.timing.size, at: now}
	factor := resourceFactor(e, heads)
	t.head = time.Duration(m.smooth(heads) * factor)
	switch {
	case e.timing.size < bulk:
		// A small body comes with its head or a little later.
		t.tail = time.Duration(float64(e.timing.tail) * (0.5 + m.float()))
	case len(rates) >= enough:
		t.tail = time.Duration(m.smooth(rates) * float64(e.timing.size))
	case e.timing.head > 0:
		// No other body to go by: its own time, under the load of now.
		load := float64(t.head) / float64(e.timing.head)
		t.tail = time.Duration(float64(e.timing.tail) * load)
	}
	return t, true
}

// resourceFactor returns how much slower or faster this resource is than its
// origin's others. Only a time far outside of theirs says so; any other
// difference is chance, and to repeat it would tell that it was seen before.
func resourceFactor(e *entry, heads []float64) float64 {
	median := quantile(heads, 0.5)
	if median <= 0 || e.timing.head <= 0 {
		return 1
	}
	ratio := float64(e.timing.head) / median
	if ratio > 3*quantile(heads, 1)/median || ratio < quantile(heads, 0)/median/3 {
		return ratio
	}
	return 1
}

// smooth draws from the distribution that the values are a sample of: one of
// them, blurred so that none is repeated exactly, with the spread left as it
// is (a smoothed bootstrap). Times are positive and skewed, so it works on
// their logarithms. The bandwidth is Silverman's.
func (m *latencyModel) smooth(values []float64) float64 {
	logs := make([]float64, 0, len(values))
	for _, v := range values {
		logs = append(logs, math.Log(max(v, 1)))
	}
	n := float64(len(logs))
	var mean, variance float64
	for _, l := range logs {
		mean += l / n
	}
	for _, l := range logs {
		variance += (l - mean) * (l - mean) / (n - 1)
	}
	bandwidth := 0.9 * math.Sqrt(variance) * math.Pow(n, -0.2)
	picked := logs[min(int(m.float()*n), len(logs)-1)]
	drawn := picked + bandwidth*m.normal()
	if variance > 0 {
		drawn = mean + (drawn-mean)/math.Sqrt(1+bandwidth*bandwidth/variance)
	}
	return math.Exp(drawn)
}

// normal draws from the standard normal distribution (Box and Muller).
func (m *latencyModel) normal() float64 {
	return math.Sqrt(-2*math.Log(1-m.float())) * math.Cos(2*math.Pi*m.float())
}

// quantile returns the value below which the fraction q of values lies.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}
