package filters

import (
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// negotiation rebuilds the Accept of scripts and API clients from the media ranges that it
// understands (RFC 9110 §12.5.1), so that made-up types and parameters do not survive and one
// wish has one spelling. Every other kind of request has the persona's Accept, and so has a
// script's request with the Accept that browsers send for such a kind: no script wrote that.
// Browsers send it when they prefetch, and when a service worker passes a request on.
type negotiation struct{ *persona }

const whyAccept = "RFC 9110 §12.5.1; rebuilt from what was understood"

// Apply implements [Filter].
func (f negotiation) Apply(m *Message, log []Change) []Change {
	scheme := m.Request.URL.Scheme
	if !f.identity || m.Visit.Kind.on(scheme) != Fetch {
		return log
	}
	accept := ""
	if m.Visit.Kind == Fetch {
		if kind := browsersWish(m); kind != Fetch {
			kind = kind.on("http") // most have no Accept for fonts and media
			return put(m.Request.Header, "Accept", f.of(kind, m.Request).value("Accept"), whyPersona, log)
		}
		accept = rebuildAccept(m.Request.Header["Accept"])
	}
	if accept == "" {
		accept = f.on(m).value("Accept")
	}
	return put(m.Request.Header, "Accept", accept, whyAccept, log)
}

// browsersWish returns the kind for which browsers send the Accept of m, or Fetch if a script
// or program wrote it, which may also be so of what browsers ask for scripts with.
func browsersWish(m *Message) Kind {
	if !m.Visit.browser {
		return Fetch
	}
	if kind := kindByAccept(m.Request); kind != Script {
		return kind
	}
	return Fetch
}

// maxRanges bounds the media ranges of one Accept: no client needs more, and
// the order of many is an identifier.
const maxRanges = 16

// rebuildAccept returns the media ranges in lines that it understands, or "".
func rebuildAccept(lines []string) string {
	if len(lines) == 1 && (lines[0] == "*/*" || lines[0] == enhancedNavigation) {
		return lines[0]
	}
	var ranges []string
	for _, line := range lines {
		for member := range splitQuoted(line, ',') {
			r := rebuildMediaRange(member)
			if r == "" || slices.ContainsFunc(ranges, sameRange(r)) {
				continue
			}
			if ranges = append(ranges, r); len(ranges) == maxRanges {
				return strings.Join(ranges, ", ")
			}
		}
	}
	list := strings.Join(ranges, ", ")
	if list == "application/json, */*;q=0.5" || list == "text/plain, */*;q=0.5" { // a module: browsers send that byte by byte (Fetch standard, "fetch")
		return strings.Replace(list, ", ", ",", 1)
	}
	if list == javaDefault || len(ranges) == 1 && sameRange("*/*")(list) { // alone, it has no weight
		return "*/*"
	}
	return list
}

// javaDefault is what HttpURLConnection asks for when the program that uses it
// has no wish, in the form that rebuildAccept gives it.
const javaDefault = "text/html, image/gif, image/jpeg, */*;q=0.2"

// enhancedNavigation is what a page of Blazor asks for the next one with. Its server
// reads it byte by byte (ASP.NET Core, IsProgressivelyEnhancedNavigation).
const enhancedNavigation = "text/html; blazor-enhanced-nav=on"

// sameRange reports whether another media range wants the same as r, whatever its weight: of
// several the first counts.
func sameRange(r string) func(string) bool {
	wanted, _, _ := strings.Cut(r, ";q=")
	return func(other string) bool {
		other, _, _ = strings.Cut(other, ";q=")
		return other == wanted
	}
}

// rebuildMediaRange returns one media range with its known parameters and its
// weight, or "" if its type is none.
func rebuildMediaRange(member string) string {
	var out strings.Builder
	weight := ""
	for part := range splitQuoted(member, ';') {
		part = strings.Trim(part, " \t")
		if out.Len() == 0 {
			media := strings.ToLower(part)
			if !knownMediaType(media) {
				return ""
			}
			out.WriteString(media)
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		name = strings.ToLower(strings.Trim(name, " \t"))
		value = unquote(strings.Trim(value, " \t"))
		if name == "q" {
			weight = rebuildWeight(value)
			break // what follows a weight is accept-ext, of which there is none
		}
		if strings.Contains(strings.ToLower(out.String()), ";"+name+"=") {
			continue // means nothing a second time, and could be an id a piece at a time
		}
		if canonical := mediaParameter(out.String(), name, value); canonical != "" {
			out.WriteString(";" + canonical)
		}
	}
	return out.String() + weight
}

// rebuildWeight returns ";q=value" with as few digits as the weight needs, or
// "" for 1 and for what is no weight (RFC 9110 §12.4.2).
func rebuildWeight(value string) string {
	q, err := strconv.ParseFloat(value, 64)
	if err != nil || !(q >= 0 && q < 1) || len(value) > 20 {
		return ""
	}
	if q > 0 {
		q = max(float64(int(q*100+0.5)), 1) / 100 // the third digit orders nothing, and says who wrote it
	}
	if q >= 1 {
		return ""
	}
	return ";q=" + strconv.FormatFloat(q, 'f', -1, 64)
}

//go:embed mediatypes.txt
var mediaTypeList string

// mediaTypes holds the listed types. It is read once, when first asked.
var mediaTypes = sync.OnceValue(func() map[string]bool {
	types := map[string]bool{"*/*": true}
	top := ""
	for line := range strings.Lines(mediaTypeList) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasSuffix(line, "/"):
			top = line
			types[top+"*"] = true
		default:
			types[top+strings.ToLower(line)] = true
		}
	}
	return types
})

// knownMediaType reports whether media, in lower case, may be asked for: it is listed, or a
// vendor's or a structured type whose name reads like one (RFC 6838 §3.2, §4.2.8), as APIs have
// them for their versions. A type that only feature phones and televisions ask for tells the
// device.
func knownMediaType(media string) bool {
	if isPhoneType(media) {
		return false
	}
	if mediaTypes()[media] {
		return true
	}
	top, sub, ok := strings.Cut(media, "/")
	if !ok || !mediaTypes()[top+"/*"] {
		return false
	}
	plus := strings.LastIndexByte(sub, '+') // of several the last (RFC 6838 §4.2)
	structured := plus >= 0
	if structured && !structuredSuffixes[sub[plus+1:]] && !isVersionOnly(sub[plus+1:]) {
		return false
	}
	return (structured || strings.HasPrefix(sub, "vnd.")) && readsLikeAName(sub)
}

// isVersionOnly reports whether what stands for a structured suffix is a version in
// truth, as in application/vnd.pulumi+8 and application/vnd.linkedin.normalized+json+2.1.
func isVersionOnly(suffix string) bool {
	major, minor, dotted := strings.Cut(suffix, ".")
	return isShortNumber(major) && (!dotted || isShortNumber(minor))
}

func isShortNumber(s string) bool { return len(s) <= 2 && decimal(s, 99) == s && s != "" }

// structuredSuffixes is IANA's registry "Structured Syntax Suffixes", without
// those that only certificates and firmware use, and what Docker and Hex made.
var structuredSuffixes = map[string]bool{
	"json": true, "xml": true, "yaml": true, "cbor": true, "zip": true, "gzip": true,
	"json-seq": true, "jwt": true, "sqlite3": true, "zstd": true, "ber": true, "der": true,
	"protobuf": true, "proto": true, "thrift": true, "html": true, "text": true, "prettyjws": true, "erlang": true,
	"sd-jwt": true, "cwt": true, "cose": true, "cbor-seq": true, "csv": true, "pdf": true,
}

// maxTypeWord bounds the letters of one word in a media type: Amazon Ads has
// vnd.spthemebasedbidrecommendation.v3+json.
const maxTypeWord = 32

// readsLikeAName reports whether s consists of words and version numbers, not
// of a number or key that could name a visitor.
func readsLikeAName(s string) bool {
	if len(s) > 72 {
		return false
	}
	digits, numbers, mixed := 0, 0, 0 // mixed counts words such as c2pa and w3c
	for word := range strings.FieldsFuncSeq(s, func(c rune) bool { return strings.ContainsRune(".-+_", c) }) {
		letters := 0
		n := 0
		for i := range len(word) {
			switch c := word[i]; {
			case 'a' <= c && c <= 'z':
				letters++
			case '0' <= c && c <= '9':
				n++
			default:
				return false
			}
		}
		if n > 0 && letters > 0 && !isCommon(word) && !versionForm.MatchString(word) {
			if mixed++; mixed > 2 || len(word) > 4 {
				return false
			}
		}
		if n > 0 && letters == 0 {
			numbers++
		}
		// Four numbers are an address, and no version.
		if digits += n; digits > 8 || numbers > 3 || letters > maxTypeWord {
			return false
		}
	}
	return true
}

// AcceptsCoding reports whether a client that sends the given Accept-Encoding
// lines can read a body in coding (RFC 9110 §12.5.3). Without the field only
// "identity" is: the standard lets a server send anything, but the clients
// that send none decode nothing.
func AcceptsCoding(acceptEncoding []string, coding string) bool {
	coding = codingName(coding)
	identity := coding == "identity" || coding == ""
	verdict, wildcard := -1, -1 // -1 unsaid, 0 refused, 1 accepted
	for _, line := range acceptEncoding {
		for member := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(member, ";")
			wanted := 1
			if refusedWeight(parameters) {
				wanted = 0
			}
			switch name = codingName(name); {
			case name == "":
			case name == "*":
				wildcard = max(wildcard, wanted)
			case name == coding || identity && name == "identity":
				verdict = max(verdict, wanted)
			}
		}
	}
	switch {
	case verdict >= 0:
		return verdict == 1
	case wildcard >= 0:
		return wildcard == 1
	}
	return identity
}

// codingName folds the names of one coding (RFC 9110 §8.4.1.1, §8.4.1.3).
func codingName(name string) string {
	name = strings.ToLower(strings.Trim(name, " \t"))
	return strings.TrimPrefix(name, "x-")
}

func refusedWeight(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.Trim(name, " \t"), "q") {
			q, err := strconv.ParseFloat(strings.Trim(value, " \t"), 64)
			return err == nil && q == 0
		}
	}
	return false
}
