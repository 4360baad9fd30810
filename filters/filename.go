package filters

import "regexp"

// fileNames takes a person's folder, which is called like them, from the names of uploaded
// files. A recipient uses the last part alone (RFC 6266 §4.3), so from Content-Disposition
// every path from the root of a disk goes, and so do the times of the file and unregistered
// parameters.
type fileNames struct{}

// nameFields are the fields by which programs say how a file is called, as such or escaped.
var nameFields = [...]string{"Content-Disposition", "Slug", "X-File-Name", "X-Filename"}

// homeFolder matches a path by way of one person's folder on Unix, macOS and Windows, up to the
// name of a file.
var homeFolder = regexp.MustCompile(`(?i)(file:)?([a-z](:|%3a))?(` + slashes + `[^/\\";]+)*?` + slashes +
	`(home|users|documents( |%20)and( |%20)settings)` + slashes + `[^/\\";]+?` + slashes + `([^";]*` + slashes + `)?`)

// fromRoot matches how Content-Disposition begins to name a file, and a path from the root of a
// disk, of a host or of somebody's folder.
var fromRoot = regexp.MustCompile(`(?i)(filename\*?[ \t]*=[ \t]*"?([\w-]*'[\w-]*')?)([ \t"]*(file:)?([a-z](:|%3a)|~[^/\\";]*)?` +
	slashes + `([^";]*` + slashes + `)?)+`)

// fileTimes matches the parameters of RFC 2183 §2 that tell when, and in which time zone.
var fileTimes = regexp.MustCompile(`(?i);[ \t]*(creation|modification|read)-date[ \t]*=[ \t]*("[^"]*"[^;]*|[^;"]*)`)

// ownFolder matches a folder of a client's disk in text: of one person on Unix or macOS, any on
// Windows. A site has paths as well, and calls them users in small letters.
var ownFolder = regexp.MustCompile(`(?:^|[^\w./-])/(?:home|Users)/[^/]|(?:^|\W)[A-Za-z]:\\|^\\\\\w`)

// ownAccount matches how Windows calls a person, by domain or machine, and name, or by
// WinNT://; and how directories and certificates do (RFC 4514).
var ownAccount = regexp.MustCompile(`^[A-Za-z][\w.-]*\\[\w.-]+\$?$|^(?i:WinNT)://\w|(?:^|[,;/+]) ?(?i:CN) ?= ?[A-Za-z]`)

// dispositionParameters are the parameters of Content-Disposition (IANA's registry), but for
// the times.
var dispositionParameters = among("filename filename* handling name name* preview-type size voice")

const slashes = `(/|\\|%2f|%5c)+`

// Apply implements [Filter].
func (fileNames) Apply(m *Message, log []Change) []Change {
	if safe(m.Request.Method) {
		return log
	}
	for _, name := range nameFields {
		without := func(line string) string { return withoutFolder(name, line) }
		log = shorten(m.Request.Header, name, without, "RFC 6266 §4.3; the folder is called like its owner", log)
	}
	return log
}

func withoutFolder(name, line string) string {
	if name == "Content-Disposition" {
		line = withParameters(fileTimes.ReplaceAllString(fromRoot.ReplaceAllString(line, "$1"), ""), dispositionParameters)
	}
	return homeFolder.ReplaceAllString(line, "")
}
