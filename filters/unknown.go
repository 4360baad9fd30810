package filters

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// unknownFields decides about what the filters before it left, by purpose.
// Fields that serve a request pass; some have their values rebuilt. Fields
// that scripts and API clients need pass under [UnknownPass]. Of the rest,
// browsers send none of their own accord, so all go from requests that a
// browser makes without a script; in requests of scripts and API clients
// refuseUnnamed judges them. Under [UnknownDrop] only registered fields pass.
// What allow names passes under either.
type unknownFields struct {
	policy UnknownPolicy
	allow  []string // field names, in any case
}

// singletons may come once only; of several the first counts, as it does for
// most programs, and the others could say anything.
var singletons = [...]string{
	"Authorization", "Content-Length", "Content-Location", "Content-Range", "Content-Type", "If-Modified-Since",
	"If-Range", "If-Unmodified-Since", "Last-Event-Id", "Origin", "Range", "Idempotency-Key",
	"Access-Control-Request-Method",
}

// Apply implements [Filter].
func (f unknownFields) Apply(m *Message, log []Change) []Change {
	h, n := m.Request.Header, len(log)
	log = reduceContentType(m, log)
	// What proves who asks lets other fields stand beside it. If it goes itself, so do they.
	for more := true; more; {
		before := len(h)
		log = f.sift(m, log)
		more = len(h) < before && !m.Visit.alone
	}
	return sorted(log, n)
}

// reduceContentType leaves of the Content-Type what tells how to read content.
func reduceContentType(m *Message, log []Change) []Change {
	h := m.Request.Header
	lines := h["Content-Type"]
	if len(lines) == 0 {
		return log
	}
	keep := contentType(lines[0])
	if safe(m.Request.Method) && m.Request.ContentLength == 0 {
		keep = rebuildMediaRange(lines[0]) // of a type that some servers want, and nothing to read
	}
	switch keep {
	case lines[0]:
		return log
	case "":
		return put(h, "Content-Type", "", "RFC 9110 §8.3.1; a type that nobody knows, of no content", log)
	}
	h["Content-Type"] = []string{keep}
	return append(log, Change{"Content-Type", Reduced, "RFC 9110 §8.3.1; parameters that tell how to read content"})
}

// sift looks at each field once, in no order.
func (f unknownFields) sift(m *Message, log []Change) []Change {
	h, alone := m.Request.Header, m.Visit.alone
	plain := alone || withoutScript(m.Request, m.Visit) || isForm(m)
	for name, lines := range h {
		if len(lines) > 1 && slices.Contains(singletons[:], name) {
			lines = lines[:1:1]
			h[name] = lines
			log = append(log, Change{name, Reduced, "RFC 9110 §5.3: may come once only"})
		}
		v := names.judge(name)
		why := ""
		switch v.class {
		case disguised, framing, hop: // others have seen to them
			continue
		case rebuilt:
			if why = misused(m, name, lines); why == "" && (!plain || browserFields[name]) {
				log = reduce(h, name, rebuild(m, name, lines), v.why, log)
				continue
			}
			why = cmp.Or(why, whyAlone)
		case serves:
			if why = misused(m, name, lines); plain && !browserFields[name] {
				why = whyAlone
			}
		default:
			if why = misused(m, name, lines); why == "" {
				why = f.refuse(m, name, lines, v)
			}
		}
		if alone && (!browserFields[name] || m.Visit.Kind == Preflight && !preflightFields[name]) {
			why = whyAlone
		}
		if why != "" && !f.allowed(name) {
			log = drop(h, name, why, log)
			continue
		}
		if v.class != serves && name != requestedWith && !m.Visit.Personal {
			m.Visit.Personal = mayTellWho(name, lines)
		}
	}
	return log
}

// mayTellWho reports whether a field may make the answer one for its sender: its name is of a
// credential or says in whose place, or its value says more than a setting.
func mayTellWho(name string, lines []string) bool {
	return tells(name) == credential || isDeputy(name) || slices.ContainsFunc(lines, func(line string) bool { return !isSetting(name, line) })
}

const whyAlone = "browsers send no field of this name on their own"

// browserFields are the fields of requests that a browser makes on its own,
// besides those that the persona and its neighbours own.
var browserFields = map[string]bool{
	"Authorization": true, "Cache-Control": true, "Host": true, "If-Modified-Since": true,
	"If-None-Match": true, "If-Range": true, "Origin": true, "Pragma": true, "Range": true,
	"Sec-Purpose": true, "Service-Worker": true, "Service-Worker-Navigation-Preload": true,
	"Content-Length": true, "Content-Type": true,
	"Access-Control-Request-Method": true, "Access-Control-Request-Headers": true,
	"Access-Control-Request-Private-Network": true, "Access-Control-Request-Local-Network": true,
	"Secure-Session-Response": true, "Sec-Secure-Session-Id": true, "Sec-Session-Google-Response": true,
}

// preflightFields are those of browserFields that a preflight has.
var preflightFields = map[string]bool{
	"Origin": true, "Host": true, "Cache-Control": true, "Pragma": true, "Content-Length": true,
	"Access-Control-Request-Method": true, "Access-Control-Request-Headers": true,
	"Access-Control-Request-Private-Network": true, "Access-Control-Request-Local-Network": true,
}

// pageFields begin the names of fields with which a page's script fetches the next
// page, or sends a form, as its framework does. On plain http such a request looks
// like the browser's own.
var pageFields = [...]string{
	"Hx-", "Next-", "Rsc", "Turbo-", "Wicket-", "X-Astro-", "X-Deployment-Id", "X-Inertia", "X-Livewire", "X-Middleware-Prefetch",
	"X-Nextjs-", "X-Pjax", "X-Qrl", "X-Remix-", "X-Requested-With", "X-Sveltekit-", "X-Turbo-", "X-Unpoly-", "X-Up-",
}

// ofPage reports whether a field may go with m, which asks for a page: it is a
// framework's, or proves that a form was meant, or a script says that it asks.
func ofPage(m *Message, name string) bool {
	return hasPrefixOf(name, pageFields[:]) || named(name, " csrf xsrf ") || strings.HasSuffix(name, "equestverificationtoken") ||
		m.Request.Header[requestedWith] != nil
}

// isForm reports whether a browser sends what a person filled in: it does so with a
// POST, in one of three types (HTML, form submission), and asks for a page. What
// edits by other methods, in other types or by a script's word may ask so as well.
func isForm(m *Message) bool {
	r := m.Request
	return m.Visit.browser && m.Visit.Kind == Document && !m.Visit.anew && r.Method == http.MethodPost && r.Header[requestedWith] == nil &&
		(contentIs(r, "application/x-www-form-urlencoded") || contentIs(r, "multipart/form-data") || contentIs(r, "text/plain"))
}

// misused returns why a field that may pass serves nothing in m: its value is invalid, or it
// describes content that is not there, or belongs to another method.
func misused(m *Message, name string, lines []string) string {
	r := m.Request
	switch {
	case strings.Join(lines, "") == "" && isRegistered(name):
		return "RFC 9110 §5.5: it says nothing, and is there all the same"
	case !keepsGrammar(name, lines):
		return "its value is none that the field has"
	case safe(r.Method) && r.ContentLength == 0 && describesContent(name):
		return "RFC 9110 §8: there is no content that it could describe"
	case name == "Content-Type" && r.ContentLength == 0 && withoutScript(r, m.Visit): // some servers want one, of scripts
		return "RFC 9110 §8: there is no content that it could describe"
	case safe(r.Method) && (writingFields[name] || r.Method == http.MethodGet && hasPrefixOf(name, writingFamilies[:])):
		return "asks for a change, which this method makes none of"
	case selectingFields[name] && !safe(r.Method) && (m.Visit.alone || isForm(m) || r.Method == http.MethodOptions):
		return "RFC 9110 §13.2.1, §14.2: browsers GET what they ask so about, and of OPTIONS servers ignore it"
	case selectingFields[name] && m.Visit.Kind == WebSocket:
		return "RFC 6455 §4.1: a handshake asks for a connection, of which there are no parts or versions"
	case name == "Content-Location" && slices.ContainsFunc(lines, func(line string) bool { return namesPageElsewhere(r, line) }):
		return "its value is a page of another site, as in Referer"
	case name == "Last-Event-Id" && safe(r.Method) && !wantsEvents(m):
		return "HTML, server-sent events: told when a stream of them is asked for again"
	case name == "Unleash-Instanceid" && m.Request.Header["Authorization"] != nil:
		return "github.com/Unleash, clients: the names of a user and a machine, where it is not GitLab's proof"
	case name == "Service-Worker" && m.Visit.Kind != Worker && m.Visit.Kind != Fetch,
		name == "Service-Worker-Navigation-Preload" && m.Visit.Kind != Document && m.Visit.Kind != Frame && m.Visit.Kind != Fetch:
		return "Service Workers: goes with the worker's script, or with a page that it answers for"
	case strings.HasPrefix(name, "Access-Control-Request-") && r.Method != http.MethodOptions:
		return "Fetch standard: only a CORS-preflight fetch asks so"
	}
	return ""
}

// isRegistered reports whether requests have a field of that name by the registry:
// none of these means anything without a value.
func isRegistered(name string) bool {
	c := names.judge(name).class
	return c == serves || c == registered
}

// selectingFields ask for a part of what is there, or for what has changed since.
var selectingFields = map[string]bool{
	"If-Match": true, "If-Modified-Since": true, "If-None-Match": true, "If-Range": true, "If-Unmodified-Since": true, "Range": true,
}

// writingFields mean something only to methods that change what is there: the
// locks, copies and orders of WebDAV (RFC 4918, RFC 3648, RFC 4437, RFC 6638),
// links (RFC 8288), new members (RFC 5023), push messages (RFC 8030), what must not
// happen twice, and that it means another method.
var writingFields = map[string]bool{
	"Destination": true, "If": true, "Lock-Token": true, "Overwrite": true, "Timeout": true, "Position": true,
	"Ordering-Type": true, "Redirect-Ref": true, "Schedule-Reply": true,
	"Link": true, "Link-Template": true, "Slug": true, "Topic": true, "Ttl": true, "Urgency": true,
	"Repeatability-Request-Id": true, "Repeatability-First-Sent": true, "Ediint-Features": true, "Oscore": true,
	// Servers take them of POST; of a GET, the answer would be another method's under this one's name.
	"X-Http-Method": true, "X-Http-Method-Override": true, "X-Method-Override": true,
}

// writingFamilies begin the names of fields that go with what is uploaded or
// stored, or with an event that is told. A HEAD may ask how an upload fares.
var writingFamilies = [...]string{"Upload-", "X-Upload-", "X-File-", "X-Chunk-", "X-Chunked-", "X-Content-", "Ce-", "Bits-",
	"X-Amz-Meta-", "X-Goog-Meta-", "X-Ms-Meta-", "X-Oss-Meta-", "X-Cos-Meta-", "X-Obs-Meta-",
	"X-Bce-Meta-", "X-Tos-Meta-", "X-Qs-Meta-", "X-Qn-Meta-", "X-Upyun-Meta-", "X-Bz-Info-", "X-Object-Meta-", "X-Container-Meta-"}

// hasPrefixOf reports whether name begins with one of families.
func hasPrefixOf(name string, families []string) bool {
	return slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(name, family) })
}

// wantsEvents reports whether m's Accept, as it will go out, asks for server-sent
// events, as every EventSource does.
func wantsEvents(m *Message) bool {
	return m.Visit.Kind == Fetch && strings.Contains(rebuildAccept(m.Request.Header["Accept"]), "text/event-stream")
}

// refuse returns why a field is removed, or "" if it may pass.
func (f unknownFields) refuse(m *Message, name string, lines []string, v verdict) string {
	plain := withoutScript(m.Request, m.Visit)
	if v.class == identity && isNeeded(m, name) || v.class == route && isSitesOwn(m, name) {
		v = verdict{}
	}
	switch {
	case v.class == misplaced, v.class > hop:
		return v.why
	case m.Visit.browser && (plain || isForm(m)) && !(m.Visit.Kind == Document && v.class == application && ofPage(m, name)):
		return whyAlone
	case v.class == registered && !plain:
		return ""
	case v.class == registered, plain && v.family && strings.HasPrefix(name, "Content-"):
		return whyAlone
	case f.policy == UnknownDrop:
		return "not in the IANA registry of HTTP field names"
	case v.class == stored && safe(m.Request.Method):
		return "asks for a change, which this method makes none of"
	case v.class == stored:
		return ""
	case v.class == application:
		switch {
		case v.family && (tells(name) == strong || plain && tells(name) == weak):
			return "its name tells of a person, device or place"
		case v.family && !ofVault(m, name, lines):
			return "its value says more than a setting needs, and nothing signs it"
		}
		return ""
	case m.Visit.Kind != Fetch && !m.Visit.browser && tells(name) == credential: // a program's that loads an image or opens a socket
	case m.Visit.Kind != Fetch && !m.Visit.anew:
		return whyAlone
	}
	return refuseUnnamed(m, name, lines)
}

// withoutScript reports whether r is for a page or a part of it: without a script
// a browser adds nothing to what it asks for.
func withoutScript(r *http.Request, v Visit) bool {
	return v.Kind != Fetch && safe(r.Method) && !v.anew
}

// allowed reports whether the configuration lets name pass.
func (f unknownFields) allowed(name string) bool {
	return slices.ContainsFunc(f.allow, equalFold(name))
}
