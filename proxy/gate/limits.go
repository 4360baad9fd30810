package gate

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Limits bounds what clients may do. A zero field sets no limit.
type Limits struct {
	Requests    int   // per second
	Burst       int   // requests, or tunnels, that may come at once; 0 means one second's worth
	Connections int   // open at once, and requests that run at once
	Tunnels     int   // open at once
	TunnelRate  int   // new tunnels per second
	Upload      int64 // bytes per second towards origins
	Download    int64 // bytes per second towards the client
	Daily       int64 // bytes in both directions, from midnight to midnight UTC
}

// connectionRate is how many new connections per second a client may have, and
// how many at once; 0 for any.
func (l Limits) connectionRate() (rate, burst int) {
	return connectionsPerRequest * l.Requests, connectionsPerRequest * cmp.Or(l.Burst, l.Requests)
}

// An Over says that a limit was reached.
type Over struct {
	Limit  string        // which: requests, connections, connection-rate, handshakes, tunnels, tunnel-rate, volume, attempts or pressure
	Total  bool          // the limit is that of all clients together
	Quota  int64         // how much the limit allows; 0 if that is not for the client to know
	Window time.Duration // in which time; 0 for what is counted at one instant
	Retry  time.Duration // when to try again
}

func (o *Over) Error() string {
	if o.Total {
		return "limit of all clients reached: " + o.Limit
	}
	return "limit of the client reached: " + o.Limit
}

// Status is 429 for what the client is to blame for, 503 for what it is not.
func (o *Over) Status() int {
	if o.Total {
		return http.StatusServiceUnavailable
	}
	return http.StatusTooManyRequests
}

// Wait is when to try again, in whole seconds.
func (o *Over) Wait() time.Duration {
	return time.Duration(max(1, math.Ceil(o.Retry.Seconds()))) * time.Second
}

// quotaUnits are the units of draft-ietf-httpapi-ratelimit-headers-10 for quotas that do
// not count requests, its default.
var quotaUnits = map[string]string{
	"volume":      "content-bytes",
	"connections": "concurrent-requests",
	"tunnels":     "concurrent-requests",
}

// Fields says to the client when to come back, and, for a limit of its own,
// how much there is (draft-ietf-httpapi-ratelimit-headers-10).
func (o *Over) Fields() http.Header {
	seconds := strconv.FormatInt(int64(o.Wait()/time.Second), 10)
	h := http.Header{
		"Retry-After": {seconds},
		"Ratelimit":   {fmt.Sprintf("%q;r=0;t=%s", o.Limit, seconds)},
	}
	if o.Total || o.Quota == 0 {
		return h
	}
	const largest = 999_999_999_999_999 // RFC 9651 §3.3.1
	policy := fmt.Sprintf("%q;q=%d", o.Limit, min(o.Quota, largest))
	if unit := quotaUnits[o.Limit]; unit != "" {
		policy += fmt.Sprintf(";qu=%q", unit)
	}
	if o.Window > 0 {
		policy += ";w=" + strconv.FormatInt(int64(math.Ceil(o.Window.Seconds())), 10)
	}
	h["Ratelimit-Policy"] = []string{policy}
	return h
}

// A bucket allows so many events per second, and some at once (the generic cell rate
// algorithm). until is when it would be empty again.
type bucket struct{ until time.Duration }

// take returns 0 if an event may happen now, else how long to wait for it.
func (b *bucket) take(now time.Duration, rate, burst int) time.Duration {
	wait, _ := b.queue(now, rate, burst, 0)
	return wait
}

// empty reports whether an event would have to wait.
func (b *bucket) empty(now time.Duration, rate, burst int) bool {
	return b.until-now > time.Duration(burst-1)*(time.Second/time.Duration(rate))
}

// queue takes the next free event, and returns how long until it may happen. If that is
// more than most, ok is false and nothing was taken.
func (b *bucket) queue(now time.Duration, rate, burst int, most time.Duration) (wait time.Duration, ok bool) {
	if rate <= 0 {
		return 0, true
	}
	if burst <= 0 {
		burst = rate
	}
	each := time.Second / time.Duration(rate)
	at := max(b.until, now)
	if wait = max(at-now-time.Duration(burst-1)*each, 0); wait > most {
		return wait, false
	}
	b.until = at + each
	return wait, true
}

// takeMany takes n events if there is one for each now.
func (b *bucket) takeMany(now time.Duration, n, rate, burst int) bool {
	each := time.Second / time.Duration(rate)
	at := max(b.until, now) + time.Duration(n)*each
	if at-now > time.Duration(burst)*each {
		return false
	}
	b.until = at
	return true
}

// delay puts the next event off by d, and by most in all.
func (b *bucket) delay(now, d, most time.Duration, rate, burst int) {
	each := time.Second / time.Duration(rate)
	b.until = max(b.until, min(max(b.until, now)+d, now+most+time.Duration(burst)*each))
}

// giveBack undoes a take.
func (b *bucket) giveBack(rate int) {
	if rate > 0 {
		b.until -= time.Second / time.Duration(rate)
	}
}
