package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size. It is written with a unit: 512B, 8KiB, 64MiB, 1GiB, or
// the decimal kB, MB, GB.
type Bytes int64

// A Duration is a length of time. It is written as Go writes it: 500ms, 10s,
// 1m30s, 2h.
type Duration time.Duration

var byteUnits = []struct {
	name string
	size int64
}{
	{"B", 1},
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
}

// UnmarshalText accepts a whole number with a unit; 0 needs none.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := string(text)
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.TrimSpace(s[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is too large", quote(s))
	}
	if err != nil {
		return fmt.Errorf("%s is not a size; write a whole number and a unit, such as 64MiB", quote(s))
	}
	if n == 0 && unit == "" {
		*b = 0
		return nil
	}
	if unit == "" && n >= 1<<10 {
		return fmt.Errorf("%s has no unit; write %sB for bytes", quote(s), digits)
	}
	if unit == "" {
		return fmt.Errorf("%s has no unit; write %sMiB or %sKiB", quote(s), digits, digits)
	}
	for _, u := range byteUnits {
		if u.name != unit {
			continue
		}
		if n > uint64(math.MaxInt64/u.size) {
			return fmt.Errorf("%s is too large", quote(s))
		}
		*b = Bytes(int64(n) * u.size)
		return nil
	}
	for _, u := range byteUnits[1:] {
		if strings.EqualFold(unit, u.name) || strings.EqualFold(unit, u.name[:1]) {
			return fmt.Errorf("%s has an unknown unit; write %s%s", quote(s), digits, u.name)
		}
	}
	return fmt.Errorf("%s has an unknown unit; use B, KiB, MiB or GiB", quote(s))
}

// String returns b in the largest unit that holds it without a fraction.
func (b Bytes) String() string {
	for _, u := range []int{4, 3, 2, 1} {
		if size := Bytes(byteUnits[u].size); b != 0 && b%size == 0 {
			return strconv.FormatInt(int64(b/size), 10) + byteUnits[u].name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// Bounds on a Duration. Less than shortest is a unit mistaken for another, and nobody
// waits longer than longest; far beyond it, times that lie so far ahead overflow.
const (
	shortest = Duration(time.Millisecond)
	longest  = Duration(8760 * time.Hour)
)

// UnmarshalText accepts a positive number with a unit, 1ms to 8760h.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if s != "" && s != "0" && strings.Trim(s, "0123456789.") == "" {
		return fmt.Errorf("%s has no unit; write %ss", quote(s), s)
	}
	v, err := time.ParseDuration(s)
	if meant := meantDuration(s); err != nil && meant != "" {
		return fmt.Errorf("%s is not a length of time; write %s", quote(s), meant)
	}
	if err != nil {
		return fmt.Errorf("%s is not a length of time; write a number and a unit, such as 30s or 1m30s", quote(s))
	}
	if v <= 0 {
		return fmt.Errorf("%s is not a positive length of time", quote(s))
	}
	if Duration(v) < shortest {
		return fmt.Errorf("%s is over before anything happens; write 1ms at least", quote(s))
	}
	if Duration(v) > longest {
		return fmt.Errorf("%s is longer than a year; write 8760h at most", quote(s))
	}
	*d = Duration(v)
	return nil
}

var spelledOut = regexp.MustCompile(`^([0-9]{1,6}) ?([a-z]+)$`)

// meantDuration returns s as it is to be written here, if it is a length of time in the
// form of other programs: 5 minutes, 30 sec, 1d; else "".
func meantDuration(s string) string {
	m := spelledOut.FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		return ""
	}
	switch number, unit := m[1], m[2]; unit {
	case "ms", "msec", "millisecond", "milliseconds":
		return number + "ms"
	case "s", "sec", "secs", "second", "seconds":
		return number + "s"
	case "m", "min", "mins", "minute", "minutes":
		return number + "m"
	case "h", "hr", "hrs", "hour", "hours":
		return number + "h"
	case "d", "day", "days":
		days, _ := strconv.Atoi(number)
		return strconv.Itoa(24*days) + "h"
	}
	return ""
}

// String returns d as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }
