package filters

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// rebuild returns the value that lines of the field name have once everything
// that is not understood is gone: known words in one spelling and order. It
// returns "" if nothing is left.
func rebuild(m *Message, name string, lines []string) string {
	switch name {
	case "Cache-Control":
		if value := strings.Join(lines, ", "); stores(m.Request.Method) && isStoredControl(value) {
			return value
		}
		return rebuildCacheControl(lines)
	case "Expires":
		if stores(m.Request.Method) && isDate(first(lines)) {
			return first(lines)
		}
	case "Pragma":
		return onlyWord(lines, "no-cache")
	case "Expect":
		return onlyWord(lines, "100-continue")
	case "Max-Forwards":
		// RFC 9110 §7.6.2: it means something in these methods alone.
		if r := m.Request; r.Method == http.MethodOptions || r.Method == http.MethodTrace {
			return decimal(first(lines), 255)
		}
	case "Range":
		return rebuildRange(first(lines))
	case "Date":
		if signsDate(m.Request.Header) {
			return first(lines)
		}
	case "Prefer":
		return rebuildPrefer(lines)
	case "Want-Content-Digest", "Want-Repr-Digest", "Want-Unencoded-Digest", "Want-Digest":
		return rebuildWantDigest(lines, name == "Want-Digest")
	case "Sec-Purpose":
		word, _, _ := strings.Cut(first(lines), ";") // what follows is one browser's
		return onlyWord([]string{strings.TrimSpace(word)}, "prefetch")
	}
	return ""
}

// onlyWord returns word if lines hold it.
func onlyWord(lines []string, word string) string {
	if len(lines) == 1 && lines[0] == word || hasToken(lines, word) {
		return word
	}
	return ""
}

// decimal returns s without leading zeros if it is a number up to limit, or
// limit if it is a greater one, or "" if it is none.
func decimal(s string, limit uint64) string {
	if s == "" || !madeOf(s, decimalDigits) {
		return ""
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > limit {
		n = limit
	}
	return strconv.FormatUint(n, 10)
}

// requestDirectives are the Cache-Control directives of requests (RFC 9111
// §5.2.1, RFC 5861 §4) in the order in which they are written.
var requestDirectives = [...]struct {
	name    string
	seconds arguments
}{
	{"no-cache", noArgument},
	{"no-store", noArgument},
	{"no-transform", noArgument},
	{"only-if-cached", noArgument},
	{"max-age", needsArgument},
	{"max-stale", mayHaveArgument},
	{"min-fresh", needsArgument},
	{"stale-if-error", needsArgument},
}

type arguments uint8

const (
	noArgument arguments = iota
	needsArgument
	mayHaveArgument
)

// maxSeconds is the greatest delta-seconds (RFC 9111 §1.2.2).
const maxSeconds = 1 << 31

// rebuildCacheControl keeps the directives that RFC 9111 defines for requests.
// Of several with one name the first counts (§4.2.1).
func rebuildCacheControl(lines []string) string {
	if len(lines) == 1 && (lines[0] == "no-cache" || lines[0] == "max-age=0") {
		return lines[0]
	}
	var value [len(requestDirectives)]string // as it is written
	for _, line := range lines {
		for item := range splitQuoted(line, ',') {
			name, arg, hasArg := strings.Cut(strings.Trim(item, " \t"), "=")
			for i, d := range requestDirectives {
				if value[i] != "" || !strings.EqualFold(strings.TrimRight(name, " \t"), d.name) {
					continue
				}
				arg = decimal(strings.Trim(strings.TrimSpace(arg), `"`), maxSeconds)
				switch {
				case d.seconds == noArgument || !hasArg && d.seconds == mayHaveArgument:
					value[i] = d.name
				case hasArg && arg != "":
					value[i] = d.name + "=" + coarse(arg)
				}
			}
		}
	}
	return joinKept(value[:])
}

// stores reports whether what comes with method may be stored, to be given out with
// the Cache-Control and Expires beside it: storage of objects takes them so
// (docs.aws.amazon.com, PutObject and CreateMultipartUpload), and no cache answers
// these methods.
func stores(method string) bool {
	return method == http.MethodPut || method == http.MethodPost || method == http.MethodPatch
}

// isStoredControl takes directives of requests and of responses (RFC 9111 §5.2, RFC
// 5861, RFC 8246), each once.
func isStoredControl(value string) bool {
	var seen []string
	for directive := range strings.SplitSeq(value, ",") {
		name, arg, hasArg := strings.Cut(strings.ToLower(strings.Trim(directive, " \t")), "=")
		if !storedDirectives(name) || slices.Contains(seen, name) || hasArg && (arg == "" || decimal(arg, maxSeconds) != arg) {
			return false
		}
		seen = append(seen, name)
	}
	return true
}

var storedDirectives = among("no-cache no-store no-transform only-if-cached max-age max-stale min-fresh stale-if-error " +
	"must-revalidate must-understand proxy-revalidate private public s-maxage immutable stale-while-revalidate")

// coarse rounds a number of seconds down to whole minutes, above an hour to
// whole hours, up to a year: nobody needs more, and 31 bits of it would hold
// an identifier.
func coarse(seconds string) string {
	const minute, hour, year = 60, 3600, 365 * 24 * 3600
	n, err := strconv.ParseInt(seconds, 10, 64) // maxSeconds is more than 31 bits
	switch {
	case err != nil || n < minute:
		return seconds
	case n < hour:
		return strconv.FormatInt(n/minute*minute, 10)
	}
	return strconv.FormatInt(min(n, year)/hour*hour, 10)
}

// rangeUnits are the units in use: bytes (RFC 9110 §14.1.2), and what APIs
// made of the field.
var rangeUnits = [...]string{"bytes", "items", "rows", "records", "resources", "seconds", "pages", "entries", "lines", "npt"}

// rebuildRange keeps a range of a known unit, bytes exactly as they came; a
// value that is no range of numbers goes. PostgREST writes no unit.
func rebuildRange(value string) string {
	if isPageRange(value) {
		return value
	}
	unit, set, ok := strings.Cut(value, "=")
	if !ok {
		unit, set = "items", value
	}
	if slices.ContainsFunc(rangeUnits[:], equalFold(unit)) && strings.Contains(set, "-") && listOf(isRangeSpec)(set) {
		return value
	}
	return ""
}

// isRangeSpec takes first-last, first- and -length (RFC 9110 §14.1.1). A range that ends before
// it begins makes the whole field invalid.
func isRangeSpec(spec string) bool {
	from, to, ok := strings.Cut(spec, "-")
	if !ok || from+to == "" || !madeOf(from+to, decimalDigits) {
		return false
	}
	from, to = strings.TrimLeft(from, "0"), strings.TrimLeft(to, "0")
	return strings.HasSuffix(spec, "-") || strings.HasPrefix(spec, "-") || cmp.Or(cmp.Compare(len(from), len(to)), cmp.Compare(from, to)) <= 0
}

// isPageRange takes what the Platform API of Heroku tells in Next-Range, and wants
// back for the next page (devcenter.heroku.com): a property by which it sorts,
// from where to where, how many.
func isPageRange(value string) bool {
	property, rest, _ := strings.Cut(value, " ")
	from, _, ok := strings.Cut(rest, "..")
	return ok && slices.Contains([]string{"id", "name", "version", "started_at", "created_at", "updated_at"}, property) && len(from) <= 64 && len(value) <= 160
}

// signsDate reports whether the request's signature covers Date, so that the
// origin would refuse it without: HTTP message signatures and the schemes of
// storage and partner APIs do, the schemes of browsers do not, but for a signature
// that is sent as a password.
func signsDate(h http.Header) bool {
	if h["Signature"] != nil || h["Signature-Input"] != nil {
		return true
	}
	scheme, rest, _ := strings.Cut(first(h["Authorization"]), " ")
	switch strings.ToLower(scheme) {
	case "basic":
		return isSignature(rest)
	case "", "bearer", "digest", "negotiate", "ntlm", "token", "dpop", "apikey":
		return false
	}
	return true
}

// isSignature reports whether the password in credentials is a digest by SHA-1 or
// SHA-512, with which Duo's APIs have requests signed (duo.com/docs/authapi).
func isSignature(credentials string) bool {
	plain, err := base64.StdEncoding.DecodeString(credentials)
	_, password, _ := strings.Cut(string(plain), ":")
	return err == nil && (len(password) == 2*sha1.Size || len(password) == 2*sha512.Size) && madeOf(password, decimalDigits+"abcdef")
}

// A preference is one that a client may state, and the values it may have.
type preference struct{ name, values string }

// preferences are those of the IANA registry of HTTP preferences but "safe" (RFC 8674),
// which tells that a child asks, and of PostgREST, OData, Microsoft's APIs, mock servers
// and drafts of RFC 7240, each with its values; "#" is a number, "seconds" a time
// rounded, "" no value, "annotations" names of those that OData and Dynamics define.
var preferences = [...]preference{
	{"respond-async", ""},
	{"return", "minimal representation headers-only OperationOutcome"},
	{"handling", "strict lenient"},
	{"wait", "seconds"},
	{"depth-noroot", ""},
	{"resolution", "merge-duplicates ignore-duplicates"},
	{"count", "exact planned estimated none"},
	{"tx", "commit rollback"},
	{"missing", "default null"},
	{"max-affected", "#"},
	{"params", "single-object multiple-objects"},
	{"odata.continue-on-error", ""},
	{"odata.allow-entityreferences", ""},
	{"odata.track-changes", ""},
	{"odata.maxpagesize", "#"},
	{"maxpagesize", "#"},
	{"odata.include-annotations", "annotations"},
	{"include-annotations", "annotations"},
	{"outlook.body-content-type", "text html"},
	{"idtype", "ImmutableId"},
	{"return-minimal", ""},
	{"return-representation", ""},
	{"return-content", ""}, // OData 3
	{"return-no-content", ""},
	{"continue-on-error", ""}, // OData 4.01
	{"allow-entityreferences", ""},
	{"track-changes", ""},
	{"omit-values", "nulls defaults"},
	{"include-unknown-enum-members", ""}, // learn.microsoft.com/graph
	{"HonorNonIndexedQueriesWarningMayFailRandomly", ""},
	{"allowthrottleablequeries", ""},
	{"outlook.allow-unsafe-html", ""},
	{"apiversion", "2.0 2.1"},
	{"deltashowremovedasdeleted", ""},
	{"deltashowsharingchanges", ""},
	{"deltatraversepermissiongaps", ""},
	{"hierarchicalsharing", ""},
	{"redeemSharingLink", ""},
	{"redeemSharingLinkIfNecessary", ""},
	{"autoredeem", ""},
	{"forceInfectedDownload", ""},
	{"bypass-shared-lock", ""},
	{"transient", ""}, // Oracle's REST APIs, query by a definition in the request
	{"code", "#"},     // docs.stoplight.io/prism
	{"dynamic", "true false"},
	{"profile", "preview"}, // docs.scalr.io
}

// annotations are the patterns of annotations that clients ask for, in the order
// in which they are written.
var annotations = [...]string{
	"*", "display.*", "OData.Community.Display.V1.FormattedValue", "Microsoft.Dynamics.CRM.*",
	"Microsoft.Dynamics.CRM.lookuplogicalname", "Microsoft.Dynamics.CRM.associatednavigationproperty",
}

// rebuildPrefer keeps the preferences that are known (RFC 7240), without
// their parameters; timezone among others tells of the person.
func rebuildPrefer(lines []string) string {
	var kept [len(preferences)]string
	for _, line := range lines {
		for item := range splitQuoted(line, ',') {
			item, parameters, _ := strings.Cut(item, ";")
			name, value, _ := strings.Cut(item, "=")
			name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
			for i, p := range preferences {
				if kept[i] == "" && strings.EqualFold(name, p.name) {
					kept[i] = p.keep(value)
					if kept[i] == "return=representation" {
						kept[i] += partsWanted(parameters)
					}
				}
			}
		}
	}
	return joinKept(kept[:])
}

// partsWanted returns the parameters by which Linked Data Platform clients
// choose parts of a representation (LDP 1.0 §7.2), those of its own and of the
// Web Annotation vocabulary.
func partsWanted(parameters string) string {
	kept := ""
	for parameter := range splitQuoted(parameters, ';') {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if name != "include" && name != "omit" || strings.Contains(kept, "; "+name+"=") {
			continue
		}
		if parts := knownOf(parts[:], strings.Fields(strings.Trim(value, `"`))); parts != nil {
			kept += "; " + name + `="` + strings.Join(parts, " ") + `"`
		}
	}
	return kept
}

// parts are those of LDP 1.0 §7.2.2 and of the Web Annotation Protocol §4.2.
var parts = [...]string{
	"http://www.w3.org/ns/ldp#PreferContainment", "http://www.w3.org/ns/ldp#PreferMembership",
	"http://www.w3.org/ns/ldp#PreferMinimalContainer", "http://www.w3.org/ns/ldp#PreferEmptyContainer",
	"http://www.w3.org/ns/oa#PreferContainedDescriptions", "http://www.w3.org/ns/oa#PreferContainedIRIs",
}

// knownOf returns those of known that are listed, in one spelling and order.
func knownOf(known, listed []string) (kept []string) {
	for _, name := range known {
		if slices.ContainsFunc(listed, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), name) }) {
			kept = append(kept, name)
		}
	}
	return kept
}

// joinKept writes the items that are not empty as a list.
func joinKept(items []string) string {
	return strings.Join(slices.DeleteFunc(items, func(item string) bool { return item == "" }), ", ")
}

// keep returns the preference with value as it is written, or "" if it cannot
// have that value.
func (p preference) keep(value string) string {
	switch p.values {
	case "":
		return p.name
	case "#":
		if n := decimal(value, 1_000_000); n != "" {
			return p.name + "=" + n
		}
	case "seconds":
		if value == "" {
			return p.name // replicate.com/docs: as long as it takes
		}
		if n := decimal(value, 3600); n != "" {
			return p.name + "=" + coarse(n)
		}
	case "annotations":
		if patterns := knownOf(annotations[:], strings.Split(value, ",")); patterns != nil {
			return p.name + `="` + strings.Join(patterns, ",") + `"`
		}
	default:
		for v := range strings.FieldsSeq(p.values) {
			if strings.EqualFold(value, v) {
				return p.name + "=" + v
			}
		}
	}
	return ""
}

// digestAlgorithms are those of the IANA registry of digest algorithms, in
// the spelling of RFC 9530 §7.2.
var digestAlgorithms = [...]string{"sha-512", "sha-256", "unencoded-sha-512", "unencoded-sha-256", "md5", "sha",
	"unixsum", "unixcksum", "adler", "crc32c"}

// rebuildWantDigest keeps known algorithms and their preferences: 0 to 10
// (RFC 9530 §4), in the obsolete Want-Digest a weight after ;q= (RFC 3230
// §4.3.1).
func rebuildWantDigest(lines []string, weights bool) string {
	between := "="
	if weights {
		between = ";q="
	}
	var kept []string
	var seen [len(digestAlgorithms)]bool
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, value, valued := strings.Cut(strings.Trim(item, " \t"), between)
			for i, known := range digestAlgorithms {
				if seen[i] || !strings.EqualFold(strings.TrimSpace(name), known) {
					continue
				}
				before := len(kept)
				switch {
				case !valued && weights:
					kept = append(kept, known)
				case weights && isWeight(value), !weights && decimal(value, 10) == value && value != "":
					kept = append(kept, known+between+value)
				}
				seen[i] = len(kept) > before
			}
		}
	}
	return strings.Join(kept, ", ")
}

// isWeight reports whether s is a qvalue of one decimal at most (RFC 9110 §12.4.2).
func isWeight(s string) bool {
	return s == "0" || s == "1" || s == "1.0" || len(s) == 3 && s[:2] == "0." && isDigit(s[2])
}
