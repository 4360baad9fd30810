package filters

import (
	"net/http"
	"slices"
	"strings"
)

// accountNames are the ends of names for an account at an API, with what the name of its secret
// says; and -Server-Id, a function of SolidStart's server, with the instance in which it is
// called.
var accountNames = [...]struct{ end, secrets string }{
	{"-Client-Id", " key apikey secret token sign signature "}, {"-Clientid", " key apikey secret token sign signature "},
	{"-Consumer-Id", " key apikey secret token "}, {"-Customer-Id", " key apikey secret token "},
	{"-Api-Id", " key apikey secret token "}, {"-Api-User", " key apikey secret token "}, {"-Auth-User", " key token "},
	{"-User-Id", " token secret password pass "}, {"-Userid", " token secret password pass sign "},
	{"-Uid", " key token "}, {"-Client", " token "}, // devise_token_auth
	{"-User", " token secret password pass authz "}, {"-Login", " key apikey token secret password pass "}, {"-Username", " key apikey token secret password pass "},
	{"-Email", " key apikey token secret password pass "}, {"-Useremail", " key apikey token secret password pass "},
	{"-User-Email", " key apikey token secret password pass "}, {"-Account-Name", " key apikey token secret "}, {"-Customer", " key apikey "},
	{"-Accountid", " key apikey token secret "}, {ownID, " key apikey token secret "},
	{"-Server-Id", " instance "},
	{"-Usuario", " senha clave contrasena password token "}, {"-Cpf", " senha "}, {"-Benutzername", " passwort kennwort token "},
}

// ownID ends names of an account without a word for it, as in X-Acme-Id: the rest has to be
// longer than X-, and must not tell of anybody.
const ownID = "-Id"

// besideSecret reports whether m holds a secret that belongs to name, as in
// X-Client-Id and X-Client-Secret: of an account's name and its key, neither
// is of use without the other.
func besideSecret(m *Message, name string) bool {
	name = hyphened(name)
	for _, account := range accountNames {
		owner, ok := strings.CutSuffix("-"+name, account.end)
		if !ok || account.end == ownID && (len(owner) <= len("-X") || tells(name) != neutral) {
			continue
		}
		for other := range m.Request.Header {
			proof, ok := strings.CutPrefix("-"+hyphened(other), owner+"-")
			if ok && onlySecret(proof, account.secrets) {
				return true
			}
		}
	}
	return false
}

// protocolFields are fields that a protocol, told by the type of its content, asks of
// every request, although elsewhere they tell of a client.
var protocolFields = map[string]string{
	"application/mapi-http": " X-Requestid X-Clientinfo X-Clientapplication ", // MS-OXCMAPIHTTP §2.2.2.1, §2.2.3.3
}

// ofProtocol reports whether the protocol that m speaks asks for a field. RFC 4130 shows by
// As2-To instead, and its receipts name the Message-Id.
func ofProtocol(m *Message, name string) bool {
	media := strings.ToLower(first(m.Request.Header["Content-Type"]))
	return m.Request.ContentLength != 0 &&
		(holdsWord(protocolFields[media], name) || name == "Message-Id" && m.Request.Header["As2-To"] != nil)
}

// appFields name the app that a key of Google's is for: it is refused from any other
// (docs.cloud.google.com/docs/authentication/api-keys, application restrictions).
const appFields = " X-Android-Package X-Android-Cert X-Ios-Bundle-Identifier "

// ofKey reports whether a field goes with Google's key in m, which tells of the app or site
// anyway. X-Referer is from Google's own frame, and has the origin of the page for which that
// asks.
func ofKey(m *Message, name string) bool {
	switch {
	case m.Request.Header["X-Goog-Api-Key"] == nil && !strings.Contains(m.Request.URL.RawQuery, "key=AIza"):
		return false
	case name == "X-Referer":
		page := single(m.Request.Header[name])
		a, ok := parseAuthority(page)
		return ok && isWeb(a.scheme) && page == a.origin()
	}
	return holdsWord(appFields, name)
}

// deputies are words, next to each other or alone, by which a name says in whose place
// the request is made: at GitLab and Gitea (Sudo), Redmine, SendGrid, Zendesk,
// Couchbase, Smartsheet, Elasticsearch, Opencast, PingIDM, Xendit, GoDaddy. See also
// impersonat... of Kubernetes, Fluid Topics, Joomla, Autotask.
var deputies = [...][2]string{{"", "sudo"}, {"", "runas"}, {"run", "as"}, {"act", "as"}, {"as", "user"}, {"switch", "user"},
	{"behalf", "of"}, {"for", "user"}, {"assume", "user"}, {"shopper", "id"}}

// isDeputy reports whether a field says in whose place a request is made.
func isDeputy(name string) bool {
	before := ""
	for word := range strings.FieldsFuncSeq(name, func(c rune) bool { return c == '-' || c == '_' }) {
		if hasPrefixFold(word, "impersonat") {
			return true
		}
		for _, d := range deputies {
			if strings.EqualFold(word, d[1]) && (d[0] == "" || strings.EqualFold(before, d[0])) {
				return true
			}
		}
		before = word
	}
	return false
}

// isNeeded reports whether m fails without a field, whatever its name tells; or would act for
// another account, which mostly may do more.
func isNeeded(m *Message, name string) bool {
	return besideSecret(m, name) || ofProtocol(m, name) || ofKey(m, name) || isSitesOwn(m, name) || isDeputy(name) && holdsProof(m, name)
}

// isSitesOwn reports whether a site asks for a field beside a proof, see siteFields. Without
// one, it may be what a proxy by the site's maker adds to requests to everybody.
func isSitesOwn(m *Message, name string) bool { return ofSite(m, name) && holdsProof(m, name) }

// holdsProof reports whether m proves who asks, by another field than name.
func holdsProof(m *Message, name string) bool {
	if m.proofs == nil { // filters add none
		m.proofs = proofsOf(m.Request.Header)
	}
	return slices.ContainsFunc(m.proofs, func(proof string) bool {
		_, there := m.Request.Header[proof]
		return there && (proof == "Authorization" || proof != name)
	})
}

// proofsOf returns the names of the fields in h that prove who asks, in no order. It is
// not nil if there are none.
func proofsOf(h http.Header) []string {
	proofs := []string{}
	for name := range h {
		if name == "Authorization" || tells(name) == credential && names.judge(name).class < rebuilt {
			proofs = append(proofs, name)
		}
	}
	return proofs
}

// hyphened returns name in canonical case, with - for _.
func hyphened(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	return string(foldName(nil, name))
}

// onlySecret reports whether name says nothing but that it is one of secrets,
// as Auth-Token, Client-Secret and Api-Key do.
func onlySecret(name, secrets string) bool {
	var words [8]string
	proof := false
	for _, word := range splitWords(words[:0], name) {
		switch {
		case holdsWord(secrets, word):
			proof = true
		case !holdsWord(" x api app application auth access admin client user consumer server ", word):
			return false
		}
	}
	return proof
}
