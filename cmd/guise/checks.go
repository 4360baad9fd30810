package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"guise/config"
	"guise/filters"
	"guise/proxy/egress"
	"guise/proxy/gate"
	"guise/proxy/inspect"
)

// checkRules reports fields that sites allow although a rule decides about them everywhere.
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
func (p *program) checkFiles(c *config.Config, say, _ config.Say) {
	fail := func(key string, err error, paths ...string) { say(key, "%v%s", err, p.elsewhere(paths)) }
	for i, l := range c.Listeners {
		if err := checkDoor(l); err != nil {
			fail(fmt.Sprintf("listeners[%d].certificate", i), err, l.Certificate, l.Key)
		}
	}
	try := func(key string, o gate.Options) bool {
		_, err := gate.New(o, nil)
		if err != nil {
			fail(key, err, o.Users, o.TokenKey, o.Authorities, o.Revoked)
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
			say(key, "a list is a file; fetch it, as with curl -o hosts.txt %s", path)
		} else if _, err := egress.ReadList(path); err != nil {
			fail(key, err, path)
		}
	}
	if path := c.Upstream.Authorities; path != "" {
		if _, err := egress.ReadRoots(path); err != nil {
			fail("upstream.authorities", err, path)
		}
	}
	if c.Inspection.Enabled {
		if _, err := inspect.Load(caFolder(c)); err != nil {
			key := "inspection.ca"
			if c.Inspection.CA == "" {
				key = "inspection.enabled" // the key that was set
			}
			fail(key, err, c.Inspection.CA)
		}
	}
}

// elsewhere says how to name files that are missing in the working directory, but stand
// beside the configuration.
func (p *program) elsewhere(paths []string) string {
	for _, path := range paths {
		beside := filepath.Join(filepath.Dir(p.file), path)
		if path == "" || filepath.IsAbs(path) || exists(path) || !exists(beside) {
			continue
		}
		return fmt.Sprintf("; names count from the folder that guise is started in: write %s, or start it in %s", beside, filepath.Dir(p.file))
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
