package filters

import (
	"slices"
	"strings"
)

const requestedWith = "X-Requested-With"

// scriptWords are what scripts and their libraries, such as Phoenix LiveView and
// PrivateBin, send as X-Requested-With. Apps built on WebView send their package's name.
var scriptWords = [...]string{"XMLHttpRequest", "XmlHttpRequest", "fetch", "Fetch", "live-link", "JSONHttpRequest"}

// clientIdentity removes what names the person, their device, or a trace of
// what they do: by table and family. Names that no table lists are left to
// unknownFields, which judges their words.
type clientIdentity struct{}

// Apply implements [Filter].
func (clientIdentity) Apply(m *Message, log []Change) []Change {
	h, n := m.Request.Header, len(log)
	for name := range h {
		if v := names.judge(name); v.class == identity && !isNeeded(m, name) {
			log = drop(h, name, v.why, log)
		}
	}
	if v := h[requestedWith]; v != nil {
		word := scriptWord(v)
		if word == "" && !m.Visit.browser && holdsProof(m, requestedWith) {
			word = scriptWords[0] // docs.qualys.com: any will do, but there must be one
		}
		log = put(h, requestedWith, word, "Android WebView: the app's package name", log)
	}
	return sorted(log, n)
}

// scriptWord returns the one of scriptWords that a line is, whatever other lines an app adds,
// or "". Scripts that set the field twice say it twice (Fetch standard, "combine").
func scriptWord(lines []string) string {
	for _, line := range lines {
		word, again, twice := strings.Cut(line, ", ")
		if slices.Contains(scriptWords[:], word) && (!twice || again == word) {
			return word
		}
	}
	return ""
}
