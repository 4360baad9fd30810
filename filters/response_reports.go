package filters

import (
	"slices"
	"strings"
)

// reports takes out of policies the places to report to: each report tells
// the site what this visitor's browser did, from outside any page.
type reports struct{}

const whyReports = "W3C Reporting API; CSP Level 3 §6.5"

// Apply implements [Filter].
func (reports) Apply(m *Message, log []Change) []Change {
	h := m.Response.Header
	for _, name := range [...]string{"Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Content-Security-Policy", "X-Webkit-Csp"} {
		lines, there := h[name]
		if !there || !reportsSomewhere(lines) {
			if there && strings.HasSuffix(name, "-Report-Only") {
				log = put(h, name, "", whyReports+"; a policy that only reports", log)
			}
			continue
		}
		kept := make([]string, 0, len(lines))
		for _, line := range lines {
			if line = policiesWithoutReports(line); line != "" {
				kept = append(kept, line)
			}
		}
		switch {
		case len(kept) == 0, strings.HasSuffix(name, "-Report-Only"):
			log = put(h, name, "", whyReports, log)
		case !slices.Equal(kept, lines):
			h[name] = kept
			log = append(log, Change{name, Reduced, whyReports})
		}
	}
	if lines := h["X-Xss-Protection"]; len(lines) > 0 && strings.Contains(strings.ToLower(lines[0]), "report") {
		log = put(h, "X-Xss-Protection", withoutDirectives(lines[0], "report"), whyReports, log)
	}
	return log
}

// reportsSomewhere reports whether lines may hold a reporting directive.
func reportsSomewhere(lines []string) bool {
	for _, line := range lines {
		if strings.Contains(strings.ToLower(line), "report-") {
			return true
		}
	}
	return false
}

// policiesWithoutReports returns a list of policies (CSP Level 3 §2.2.2,
// "parse a response's policies") without report-uri and report-to, the rest
// byte for byte; policies that did nothing else are left out.
func policiesWithoutReports(line string) string {
	policies := strings.Split(line, ",")
	kept := policies[:0]
	for _, policy := range policies {
		if policy = withoutDirectives(policy, "report-uri", "report-to"); strings.Trim(policy, " \t;") != "" {
			kept = append(kept, policy)
		}
	}
	return strings.Trim(strings.Join(kept, ","), " \t")
}

// withoutDirectives returns policy without the named directives.
func withoutDirectives(policy string, names ...string) string {
	directives := strings.Split(policy, ";")
	kept := directives[:0]
	for _, directive := range directives {
		name := strings.TrimLeft(directive, " \t\r\n\f")
		if i := strings.IndexAny(name, " \t\r\n\f="); i >= 0 {
			name = name[:i]
		}
		drop := false
		for _, n := range names {
			drop = drop || strings.EqualFold(name, n)
		}
		if !drop {
			kept = append(kept, directive)
		}
	}
	return strings.Join(kept, ";")
}
