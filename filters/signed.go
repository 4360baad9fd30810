package filters

import (
	"net/http"
	"slices"
	"strings"
)

// signedFields gives back what the client signed: storage and partner APIs
// refuse a request of which a signed field is missing or has another value.
// Who signs has said who they are; what names the way or speaks of the
// connection is no part of that and stays away.
type signedFields struct{}

// Apply implements [Filter].
func (signedFields) Apply(m *Message, log []Change) []Change {
	h, n := m.Request.Header, len(log)
	for name, lines := range m.Visit.signed {
		now, there := h[name]
		if there && slices.Equal(now, lines) {
			continue
		}
		h[name] = lines
		log = append(log, Change{name, Restored, "the request's signature covers it"})
	}
	return sorted(log, n)
}

// readSigned returns the fields of r that a signature covers, nil for none.
//
// No script can sign what a browser sends of its own accord, and whoever makes a URL does not
// know it: a list that names it there is no signature, but a way to see the visitor through the
// persona.
func readSigned(r *http.Request, v Visit) http.Header {
	if v.alone {
		return nil
	}
	var signed http.Header
	if family := signedFamily(r); family != "" {
		for name, lines := range r.Header {
			switch c := names.judge(name).class; {
			case !strings.HasPrefix(name, family) && !describesContent(name) && name != "Content-Type":
			case c == route, c == identity && v.browser:
			default:
				signed = withField(signed, name, lines)
			}
		}
	}
	byScript := func(c class, name string) bool { return c != disguised || name == "Accept" }
	byURL := func(c class, _ string) bool { return c == serves || c == application || c == stored }
	signed = addListed(signed, r, signedLists(r, v), v.browser, byScript)
	return addListed(signed, r, presignedLists(r), v.browser, byURL)
}

func withField(h http.Header, name string, lines []string) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h[name] = lines
	return h
}

// addListed adds to signed the fields of r that lists name; for a browser's request only those
// of which fits is true.
func addListed(signed http.Header, r *http.Request, lists []string, browser bool, fits func(class, string) bool) http.Header {
	for _, list := range lists {
		for name := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ';' || c == ' ' || c == ',' || c == '"' }) {
			name = http.CanonicalHeaderKey(name)
			lines, sent := r.Header[name]
			if sent && mayBeSigned(r.Method, name) && (!browser || fits(names.judge(name).class, name)) {
				signed = withField(signed, name, lines)
			}
		}
	}
	return signed
}

// signedFamilies are the schemes of Authorization whose signature covers every
// field of a family, and fields of content, without a list that says so: Azure Storage ("Authorize
// with Shared Key"), AWS Signature Version 2, and what was made after it (Alibaba's
// APIs, storage, logs and queues; Huawei, QingStor, Qiniu).
var signedFamilies = map[string]string{
	"sharedkey": "X-Ms-", "sharedkeylite": "X-Ms-", "aws": "X-Amz-", "goog1": "X-Goog-", "oss": "X-Oss-", "oss4-hmac-sha256": "X-Oss-",
	"acs": "X-Acs-", "log": "X-Log-", "mns": "X-Mns-", "obs": "X-Obs-", "qs": "X-Qs-", "qiniu": "X-Qiniu-",
}

// signedFamily returns the beginning of the names of all fields that r's
// signature covers, "" if there is no such family.
func signedFamily(r *http.Request) string {
	if strings.HasPrefix(first(r.Header["X-Sky-Signature"]), "SkyOTT ") { // players of Peacock, NOW and SkyShowtime
		return "X-Skyott-"
	}
	scheme, _, ok := strings.Cut(first(r.Header["Authorization"]), " ")
	if !ok {
		return ""
	}
	return signedFamilies[strings.ToLower(scheme)]
}

// signsTarget reports whether credentials in h cover the whole address, so that
// the origin would refuse another: those of Digest name it (RFC 7616 §3.4), those
// of OAuth 1.0 (RFC 5849 §3.4.1), Hawk, storage and partner APIs sign it, and
// HTTP message signatures may.
func signsTarget(h http.Header) bool {
	if h["Signature-Input"] != nil {
		return true
	}
	scheme, rest, _ := strings.Cut(first(h["Authorization"]), " ")
	switch scheme = strings.ToLower(scheme); scheme {
	case "":
		return false
	case "digest", "hawk", "signature":
		return true
	}
	return signedFamilies[scheme] != "" || strings.Contains(scheme, "hmac") || strings.Contains(rest, "oauth_signature=")
}

// mayBeSigned leaves out what changes on the way, as signing libraries do,
// what the cookie policy decides, and what names a person or the way here.
func mayBeSigned(method, name string) bool {
	switch name {
	case "User-Agent", "Referer", "Cookie", "Pragma", "Expect", "From", "Authorization", "Max-Forwards":
		return false
	case "Cache-Control": // goes with what is stored
		return stores(method)
	case requestedWith, "Origin": // what may pass of these does: the rest names an app, or an installation of an extension
		return false
	}
	if strings.HasPrefix(name, "Sec-") || strings.HasPrefix(name, "Secure-Session-") {
		return false
	}
	switch names.judge(name).class {
	case hop, framing, route, identity, misplaced:
		return false
	}
	return true
}

// signedLists returns the lists of field names in the forms in which requests
// are signed: AWS Signature Version 4 and those made after it (Google, Azure,
// Alibaba, Tencent, Huawei); Tencent's storage; HTTP message signatures (RFC 9421
// §2.5) and the drafts before them, if these fields stay.
func signedLists(r *http.Request, v Visit) []string {
	var lists []string
	for _, field := range [...]string{"Authorization", "Signature"} {
		line := first(r.Header[field])
		if field == "Signature" && withoutScript(r, v) {
			break
		}
		for _, named := range [...]string{"signedheaders=", "additionalheaders="} { // the latter beside a family
			if _, list, ok := cutFold(line, named); ok {
				list, _, _ = strings.Cut(list, ",")
				list, _, _ = strings.Cut(list, "&")
				lists = append(lists, list)
			}
		}
		if _, list, ok := strings.Cut(line, `headers="`); ok {
			list, _, _ = strings.Cut(list, `"`)
			lists = append(lists, list)
		}
		if _, list, ok := strings.Cut(line, "q-header-list="); ok {
			list, _, _ = strings.Cut(list, "&")
			lists = append(lists, list)
		}
	}
	if withoutScript(r, v) {
		return lists
	}
	for _, line := range r.Header["Signature-Input"] {
		if _, list, ok := strings.Cut(line, "("); ok {
			list, _, _ = strings.Cut(list, ")")
			lists = append(lists, list)
		}
	}
	return lists
}

// presignedLists returns such lists from the query of a presigned URL.
func presignedLists(r *http.Request) []string {
	if !strings.Contains(r.URL.RawQuery, "SignedHeaders=") && !strings.Contains(r.URL.RawQuery, "q-header-list=") {
		return nil
	}
	query := r.URL.Query()
	var lists []string
	for _, name := range [...]string{"X-Amz-SignedHeaders", "X-Goog-SignedHeaders", "X-Tos-SignedHeaders", "q-header-list"} {
		lists = append(lists, query.Get(name))
	}
	return lists
}
