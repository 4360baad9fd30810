package filters

import (
	"regexp"
	"slices"
)

// fileNames takes from the names of uploaded files the folder that they lie in where it is
// a person's: it is called like them. Who receives it is to look at the last part alone
// (RFC 6266 §4.3).
type fileNames struct{}

// nameFields are the fields by which programs say how a file is called, as such or escaped.
var nameFields = [...]string{"Content-Disposition", "Slug", "X-File-Name", "X-Filename"}

// homeFolder matches the folder of one person on Unix, macOS and Windows, and those in it,
// up to the name of a file.
var homeFolder = regexp.MustCompile(`(?i)(file:)?([a-z](:|%3a))?` + slashes + `(home|users|documents( |%20)and( |%20)settings)` +
	slashes + `[^/\\";]+?` + slashes + `([^";]*` + slashes + `)?`)

const slashes = `(/|\\|%2f|%5c)+`

// Apply implements [Filter].
func (fileNames) Apply(m *Message, log []Change) []Change {
	h := m.Request.Header
	if safe(m.Request.Method) {
		return log
	}
	for _, name := range nameFields {
		if lines := h[name]; slices.ContainsFunc(lines, homeFolder.MatchString) {
			log = putLines(h, name, withoutEach(lines, func(line string) string { return homeFolder.ReplaceAllString(line, "") }),
				"RFC 6266 §4.3; the folder is called like its owner", log)
		}
	}
	return log
}
