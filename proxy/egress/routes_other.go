//go:build !linux

package egress

import "net/netip"

// localRoutes returns none: only on Linux does a route make addresses a machine's own.
func localRoutes() ([]netip.Prefix, error) { return nil, nil }
