package main

import (
	"fmt"
	"strings"

	"guise/config"
	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
)

// checkRules reports what sites would let pass, and filters would not.
func checkRules(c *config.Config, fail, _ config.Say) {
	for i, site := range c.Sites {
		for j, name := range site.Headers.Allow {
			if why := filters.Ruled(string(name)); why != "" {
				fail(fmt.Sprintf("sites[%d].headers.allow[%d]", i, j), "%s changes nothing: a rule decides about it on every site (%s)", name, why)
			}
		}
	}
}

// checkFiles reports every file that c names and that cannot be used.
func checkFiles(c *config.Config, fail, _ config.Say) {
	for i, l := range c.Listeners {
		if err := checkDoor(l); err != nil {
			fail(fmt.Sprintf("listeners[%d].certificate", i), "%v", err)
		}
	}
	try := func(key string, o gate.Options) bool {
		_, err := gate.New(o, nil)
		if err != nil {
			fail(key, "%v", err)
		}
		return err == nil
	}
	a := c.Access
	switch o := gateOptions(c); a.Authentication {
	case config.AuthBasic:
		try("access.users", o)
	case config.AuthToken:
		_ = try("access.token_key", gate.Options{Authentication: gate.Token, TokenKey: a.TokenKey}) && try("access.revoked", o)
	case config.AuthCertificate:
		_ = try("access.authorities", gate.Options{Authentication: gate.Certificate, Authorities: a.Authorities}) && try("access.revoked", o)
	}
	for i, path := range c.Destinations.DenyLists {
		key := fmt.Sprintf("destinations.deny_lists[%d]", i)
		if strings.Contains(path, "://") {
			fail(key, "a list is a file; fetch it, as with curl -o hosts.txt %s", path)
		} else if _, err := egress.ReadList(path); err != nil {
			fail(key, "%v", err)
		}
	}
	if path := c.Upstream.Authorities; path != "" {
		if _, err := egress.ReadRoots(path); err != nil {
			fail("upstream.authorities", "%v", err)
		}
	}
	if c.Inspection.Enabled {
		if _, err := inspect.Load(caFolder(c)); err != nil {
			key := "inspection.ca"
			if c.Inspection.CA == "" {
				key = "inspection.enabled" // which is what was written
			}
			fail(key, "%v", err)
		}
	}
}
