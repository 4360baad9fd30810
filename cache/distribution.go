package cache

import (
	"math"
	"slices"
	"time"
)

// A distribution describes the present times of an origin, as logarithms.
type distribution struct {
	logs   [maxSamples]float64 // latest first
	count  int                 // of the logs that are of one kind
	middle float64
	spread float64 // standard deviation, without single outliers
	// least and most are the extremes of all that came of late.
	least, most float64
}

// unusual is how many standard deviations from the middle are hardly chance; distances beyond
// outlying are cut.
const unusual, outlying = 2.5, 4

// latest returns times of one kind, latest first.
func (d *distribution) latest() []float64 { return d.logs[:d.count] }

// distribution returns what times are like at now, or false if too few are recent. A load can
// change from one moment to the next, so samples count only as far back as they are within the
// spread of the latest ones. The spread is estimated from the differences between neighbours,
// of which a change of load makes only one larger.
func (s samples) distribution(now time.Time) (d distribution, ok bool) {
	var room [2][maxSamples]float64
	logs, steps := d.logs[:0], room[0][:0]
	for i, x := range slices.Backward(s) {
		if now.Sub(x.at) <= maxSampleAge {
			logs = append(logs, x.log)
		}
		if i > 0 {
			steps = append(steps, math.Abs(x.log-s[i-1].log))
		}
	}
	if len(logs) < minSamples {
		return d, false
	}
	// Of two values of a normal distribution, 0.4 of all pairs differ by less than
	// 0.742 standard deviations. Taking so low a quantile ignores the jumps.
	const low, deviation = 0.4, 0.742
	slices.Sort(steps)
	d.spread, d.least, d.most = quantile(steps, low)/deviation, slices.Min(logs), slices.Max(logs)
	ordered := room[1][:0] // the latest, sorted
	include := func(n int) {
		for _, x := range logs[len(ordered):n] {
			i, _ := slices.BinarySearch(ordered, x)
			ordered = slices.Insert(ordered, i, x)
		}
		d.count, d.middle = n, quantile(ordered, 0.5)
	}
	include(minSamples - 1)
	strange := 0
	for i := d.count; i < len(logs); i++ {
		if math.Abs(logs[i]-d.middle) > 1.5*d.spread {
			if strange++; strange == 2 {
				break
			}
			continue
		}
		strange = 0
		include(i + 1)
	}
	// From here on the middle is the mean of the latest, with the strange ones
	// pulled in, so that their distances from it add up to nothing.
	var off float64
	for _, x := range d.latest() {
		off += max(-outlying*d.spread, min(x-d.middle, outlying*d.spread))
	}
	d.middle += off / float64(d.count)
	return d, true
}

// draw returns one more value: a sample, blurred so that none is repeated, and pulled to the
// middle so that the variance stays (a smoothed bootstrap with shrinkage). The fewer samples
// there are, the more easily would a client that caused them recognise one. Of several kinds,
// only samples of one are drawn from: no time lies between them.
func (d *distribution) draw(m *latencyModel) float64 {
	kinds, spread := d.kinds()
	which := min(int(m.float()*float64(d.count)), d.count-1)
	for len(kinds[0]) <= which {
		kinds, which = kinds[1:], which-len(kinds[0])
	}
	of, middle := kinds[0], d.middle
	if len(of) < d.count {
		middle = mean(of)
	}
	n := float64(len(of))
	blur, pull := min(1, math.Sqrt(2/n)), math.Sqrt(max(0, 1-2/max(1, n-1)))
	return middle + pull*(of[which]-middle) + blur*spread*m.normal()
}

// kinds returns the latest times, sorted, in clusters with wider gaps between them than chance
// makes, and the spread within a cluster. An origin has some answers at hand, and must make
// others.
func (d *distribution) kinds() (groups [][]float64, spread float64) {
	// Of normal times, the usual gap is 2.6 standard deviations by how many there are.
	const deviation, wide = 2.6, 2
	times := slices.Sorted(slices.Values(d.latest()))
	gaps := make([]float64, 0, maxSamples)
	for i := range times[1:] {
		gaps = append(gaps, times[i+1]-times[i])
	}
	slices.Sort(gaps)
	scatter := quantile(gaps, 0.5) * float64(len(times)) / deviation
	from := 0
	for i := range times {
		if i > 0 && times[i]-times[i-1] > wide*scatter {
			groups, from = append(groups, times[from:i]), i
		}
	}
	if groups = append(groups, times[from:]); len(groups) > 1 {
		return groups, min(scatter, d.spread)
	}
	return groups, d.spread
}

func mean(values []float64) (m float64) {
	for _, x := range values {
		m += x / float64(len(values))
	}
	return m
}

// within keeps a drawn value between half of the shortest and twice the longest
// time that was seen, of late or of the resource itself. Where some times are a
// hundred times others, as with an origin that has a cache of its own, the tail of
// a normal distribution of logarithms reaches to days.
func (d *distribution) within(x, own float64) float64 {
	return max(min(d.least, own)-math.Ln2, min(x, max(d.most, own)+math.Ln2))
}

// quantile returns the value below which the fraction q of sorted values lies.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
