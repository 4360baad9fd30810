package filters

import (
	"net/url"
	"slices"
	"strings"
)

// browserState guards what an answer does to the browser beyond the answer:
// sending it on to another site on a timer, clearing what it keeps, and whether it
// takes its person for signed in.
type browserState struct{}

// Apply implements [Filter].
func (browserState) Apply(m *Message, log []Change) []Change {
	h := m.Response.Header
	switch lines, there := h["Refresh"]; {
	case !there:
	case refreshesElsewhere(m.Request.URL, lines):
		log = put(h, "Refresh", "", "HTML standard, Refresh; leads to another site", log)
	default:
		if kept := refreshWithoutClicks(m, lines[0]); kept != lines[0] {
			log = put(h, "Refresh", kept, whyClicks, log)
		}
	}
	if lines, there := h["Clear-Site-Data"]; there {
		log = put(h, "Clear-Site-Data", clearing(m, lines), "W3C Clear Site Data §3.1; for a site's own pages and scripts", log)
	}
	if lines, there := h["Set-Login"]; there {
		log = put(h, "Set-Login", loginStatus(m, lines), "W3C FedCM, login status; for a site's own pages and scripts", log)
	}
	return log
}

// ofOwnPages reports whether m's answer is to a page, frame or script of the site's own, over
// a connection where browsers heed what it does to them.
func ofOwnPages(m *Message) bool {
	k := m.Visit.Kind
	return !m.Visit.ThirdParty && !m.Visit.framed && (k == Document || k == Frame || k == Fetch || k == Beacon) && m.Request.URL.Scheme == "https"
}

// loginStatus returns the login status that a site may set, "" for none. A browser that takes
// its person for signed out asks that site no more for an identity until it hears otherwise.
func loginStatus(m *Message, lines []string) string {
	status, _, _ := strings.Cut(single(lines), ";")
	if status = strings.Trim(status, " \t"); ofOwnPages(m) && (status == "logged-in" || status == "logged-out") {
		return status
	}
	return ""
}

// clearing returns the understood types of Clear-Site-Data where a site may
// use it: to log its visitor out, in an answer to a page, frame or script of its own.
// A third party could read from what is gone which sites were visited, and
// write an identifier into what is left (W3C Clear Site Data §5).
func clearing(m *Message, lines []string) string {
	if !ofOwnPages(m) {
		return ""
	}
	var kept []string
	for _, known := range [...]string{`"*"`, `"cache"`, `"cookies"`, `"storage"`, `"executionContexts"`, `"clientHints"`, `"prefetchCache"`, `"prerenderCache"`} {
		if hasToken(lines, known) {
			kept = append(kept, known)
		}
	}
	return strings.Join(kept, ", ")
}

// refreshesElsewhere reports whether a Refresh field leads to another site than
// base's, or may do so. What cannot be read as a URL counts as elsewhere, and so do
// several lines, which browsers read as one.
func refreshesElsewhere(base *url.URL, lines []string) bool {
	return len(lines) != 1 || slices.ContainsFunc(refreshTargets(lines[0]), func(target string) bool {
		u, err := resolve(base, target)
		return err != nil || !isWeb(u.Scheme) || registrable(u.Hostname()) != registrable(base.Hostname())
	})
}

// refreshWithoutClicks returns a Refresh value without the clicks in each of its targets. The
// second begins with the first, and so is another once that has changed.
func refreshWithoutClicks(m *Message, value string) string {
	for _, target := range refreshTargets(value) {
		if kept, changed := withoutClicks(m, target, true); changed {
			return refreshWithoutClicks(m, strings.Replace(value, target, kept, 1))
		}
	}
	return value
}

// refreshTargets returns the URL in a Refresh value by the HTML standard's
// "shared declarative refresh steps": after the time, ";" or "," or space, an
// optional "url=" and quotes. It returns none if the value reloads the same page,
// and two if browsers differ: the standard ends the URL at the next quote,
// Chromium and WebKit at the last one (bugs.webkit.org, 27868).
func refreshTargets(value string) []string {
	const space = " \t\n\f\r"
	rest := strings.TrimLeft(value, space)
	rest = strings.TrimLeft(rest, "0123456789.")
	rest = strings.TrimLeft(rest, space)
	if rest != "" && (rest[0] == ';' || rest[0] == ',') {
		rest = rest[1:]
	}
	rest = strings.TrimLeft(rest, space)
	if rest == "" {
		return nil
	}
	if hasPrefixFold(rest, "url") {
		if after := strings.TrimLeft(rest[len("url"):], space); strings.HasPrefix(after, "=") {
			rest = strings.TrimLeft(after[1:], space)
		}
	}
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return []string{strings.Trim(rest, space)}
	}
	quote, rest := rest[:1], rest[1:]
	next, _, _ := strings.Cut(rest, quote)
	targets := []string{strings.Trim(next, space)}
	if last := strings.LastIndex(rest, quote); last > len(next) {
		targets = append(targets, strings.Trim(rest[:last], space))
	}
	return targets
}
