package main

import (
	"fmt"
	"slices"
	"strings"

	"guise/proxy/egress"
)

// closedBy names the rules that keep requests for use from target, "" if they may go there.
func closedBy(o egress.Options, use egress.Use, target egress.Target) string {
	if allows(o, use, target) {
		return ""
	}
	all := []egress.PortRange{{First: 1, Last: 65535}}
	open := egress.Options{Ports: all, ConnectPorts: all, Allow: []string{target.Host}}
	if !allows(open, use, target) {
		return "no rule; it is no place to send requests to"
	}
	var closing []string
	// Each rule is tried alone on open, so that egress itself says whom the rule closes.
	try := func(name string, add func(*egress.Options)) {
		alone := open
		if add(&alone); !allows(alone, use, target) {
			closing = append(closing, name)
		}
	}
	ports := "destinations.ports"
	if use == egress.Connect {
		ports = "destinations.connect_ports"
	}
	try(ports, func(alone *egress.Options) { alone.Ports, alone.ConnectPorts = o.Ports, o.ConnectPorts })
	try("destinations.abused_ports", func(alone *egress.Options) {
		alone.CloseAbused = o.CloseAbused
		alone.Ports, alone.ConnectPorts = slices.Concat(o.Ports, all), slices.Concat(o.ConnectPorts, all)
	})
	for i, place := range o.Deny {
		try(fmt.Sprintf("destinations.deny[%d], %s", i, place), func(alone *egress.Options) { alone.Deny = []string{place} })
	}
	for i, path := range o.DenyLists {
		try(fmt.Sprintf("destinations.deny_lists[%d], %s", i, path), func(alone *egress.Options) { alone.DenyLists = []string{path} })
	}
	if len(closing) == 0 {
		return "no rule; it is private, and destinations.allow does not name it"
	}
	return strings.Join(closing, "; ")
}

// allows reports whether target is open under o, or o cannot be used, which is for guise
// check to say.
func allows(o egress.Options, use egress.Use, target egress.Target) bool {
	way, err := egress.New(o)
	return err != nil || way.Allow(use, target) == nil
}
