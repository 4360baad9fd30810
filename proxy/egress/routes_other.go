//go:build !linux

package egress

import "net/netip"

// localRoutes returns nil: only on Linux does a route make addresses a machine's own.
func localRoutes() []netip.Prefix { return nil }
