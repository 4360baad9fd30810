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
	for _, name := range [...]string{"Content-Security-Policy", "X-Content-Security-Policy", "X-Webkit-Csp"} {
		if reportsSomewhere(h[name], "report-") {
			log = shorten(h, name, policiesWithoutReports, whyReports, log)
		}
	}
	for _, name := range [...]string{"Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Document-Isolation-Policy", "Document-Policy", "Permissions-Policy", "Integrity-Policy", "Connection-Allowlist"} {
		if reportsSomewhere(h[name], "report", "endpoints") {
			log = shorten(h, name, withoutEndpoints, whyReports, log)
		}
	}
	if lines := h["X-Xss-Protection"]; len(lines) > 0 && strings.Contains(strings.ToLower(lines[0]), "report") {
		log = put(h, "X-Xss-Protection", withoutDirectives(lines[0], "report"), whyReports, log)
	}
	return log
}

// reportsSomewhere reports whether lines may hold one of the words by which
// policies name the place to report to.
func reportsSomewhere(lines []string, words ...string) bool {
	for _, line := range lines {
		line = strings.ToLower(line)
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
			return true
		}
	}
	return false
}

// withoutEndpoints returns a policy in the form of a structured field (RFC
// 9651) without the parameter report-to and the member endpoints, the rest
// byte for byte.
func withoutEndpoints(line string) string {
	var members []string
	for member := range splitQuoted(line, ',') {
		name, _, _ := strings.Cut(member, "=")
		if strings.EqualFold(strings.Trim(name, " \t"), "endpoints") {
			continue
		}
		var kept []string
		for part := range splitQuoted(member, ';') {
			name, _, _ := strings.Cut(part, "=")
			if len(kept) > 0 && strings.EqualFold(strings.Trim(name, " \t"), "report-to") {
				continue
			}
			kept = append(kept, part)
		}
		members = append(members, strings.Join(kept, ";"))
	}
	return strings.Trim(strings.Join(members, ","), " \t")
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
	return strings.Join(slices.DeleteFunc(strings.Split(policy, ";"), func(directive string) bool {
		name := strings.TrimLeft(directive, " \t\r\n\f")
		if i := strings.IndexAny(name, " \t\r\n\f="); i >= 0 {
			name = name[:i]
		}
		return slices.ContainsFunc(names, equalFold(name))
	}), ";")
}
