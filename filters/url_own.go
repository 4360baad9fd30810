package filters

import (
	"net/url"
	"strings"
)

// ownParam is the rule about a parameter that holds the client's own address.
var ownParam = &paramRule{name: "own address", source: "it holds the client's address"}

// An ownQuery finds the client's own address among the parameters of one query, in the
// forms that [ownAddress] finds in fields.
//
// Only a program gives it away: what a page asks for stays, since the page could name many
// addresses, and would see at its site which one goes. Where a person may ask about it, or want
// to be reached there, it stays: in the address of a page, which somebody types, fills in or
// follows; in what is searched for; where host or path name it, or say that they are about
// addresses; in where to lead back to; and in a credential, which its issuer made. That of the
// client's own machine is everybody's. In the target of a redirect it stays, too: by which of
// many addresses goes, the origin would know the client's, and clients who share the answer
// would know who got it first.
type ownQuery struct {
	m      *Message
	forms  *addressForms // built for the first parameter that needs it
	stands bool          // what the query holds is asked about, or is nobody's
	asked  fact          // host or path name it, or say that they are about addresses
}

func newOwnQuery(m *Message) ownQuery {
	c := m.Client
	nobodys := !c.IsValid() || c.IsUnspecified() || c.Unmap().IsLoopback()
	return ownQuery{m: m, stands: nobodys || m.Response != nil || m.Visit.browser || m.Visit.Kind == Document && !m.Visit.part}
}

// goes reports whether a parameter of u is to go, by its name as [paramName] returns it
// and by its value as it stands.
func (o *ownQuery) goes(u *url.URL, name []byte, value string) bool {
	if o.stands || len(value) < minForm4 {
		return false
	}
	if o.forms == nil {
		o.forms = formsOf(o.m.Client)
		o.forms.target = originOf(o.m.Request)
	}
	if !o.forms.in(value) || !o.forms.in(listsApart.Replace(value)) {
		return false
	}
	if o.asked.of(func() bool { return asksAboutAddresses(u) || o.forms.in(u.Hostname()) || o.forms.in(u.Path) }) {
		o.stands = true
		return false
	}
	key := string(name)
	return !holdsWord(askingParams, key) && !named(key, versionWords) && tells(key) != credential && !o.leadsThere(value)
}

// listsApart puts more between the members of a list than stands between the parts of an
// address: bbox=10,0,0,5 is none.
var listsApart = strings.NewReplacer(",", " ,,, ", "%2C", " ,,, ", "%2c", " ,,, ")

// askingParams are the names of what is searched for, of a message to a name server
// (RFC 8484 §4.1), of a version in short, and of what comes back with who signs in (RFC 6749
// §4.1.1).
const askingParams = " q query search s text keyword keywords term wd find dns v state "

// leadsThere reports whether a value is a URL at the client's address: of a server there
// that is to be called back.
func (o *ownQuery) leadsThere(value string) bool {
	text, _ := url.QueryUnescape(value)
	a, ok := parseAuthority(text)
	return ok && o.forms.in(a.host) && !o.forms.in(a.rest)
}

// addressHosts and addressWords are in hosts and paths of services that tell of any
// address where it is, whose, what it is blamed for and which names lead there; and of those
// that a name is to lead there by (help.dyn.com, Remote Access API; duckdns.org). In hosts they
// begin or end a word, as in ipinfo and checkip; inside of one they are part of another, as in
// stripe.
var addressHosts = [...]string{"ip", "ipaddress", "geo", "dns", "whois", "rdap", "abuse"}

const addressWords = " ip ips ipv geo geoip geolocation lookup whois rdap dns rdns nic update dyndns ddns dynamic" +
	" ping traceroute blacklist blocklist dnsbl reputation scan resolve reverse search "

func asksAboutAddresses(u *url.URL) bool {
	words := strings.FieldsFunc(strings.ToLower(u.Hostname()), func(c rune) bool { return c < 'a' || c > 'z' })
	for _, word := range words {
		for _, about := range addressHosts {
			if strings.HasPrefix(word, about) || strings.HasSuffix(word, about) {
				return true
			}
		}
	}
	return named(u.Path, addressWords)
}
