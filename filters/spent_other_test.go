//go:build !linux

package filters

import (
	"testing"
	"time"
)

func spent(_ *testing.T, f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
