package filters

import (
	"bytes"
	"net/textproto"
	"strings"
)

// A class says what becomes of a request field, by its name.
type class uint8

const (
	unnamed     class = iota // no rule names it: judged by its words and value
	serves                   // the request needs it: untouched
	registered               // passes as serves does, but no browser asks for a page or its parts with it
	stored                   // metadata that the request stores with its content: passes as application does
	application              // scripts and API clients need it: untouched unless unknown fields are dropped
	rebuilt                  // its value is rebuilt from what was understood, see rebuild
	disguised                // decided by the persona, or a filter of its own such as referer or cookies
	framing                  // written anew by each end of a connection
	hop                      // speaks of one connection only
	route                    // names the client's address, place, or the way to here
	identity                 // names a person, device, or a trace of them
	misplaced                // not a field of requests, or obsolete: no purpose is served
)

// A verdict is a class and its source.
type verdict struct {
	class  class
	family bool // by prefix, not by its whole name
	why    string
}

// A group is one row of a table: fields that one source documents. Names are
// separated by space; one that ends in * stands for every name that begins
// like it. The longest matching name decides.
type group struct {
	class  class
	source string
	names  string
}

// A nameIndex holds all tables, ready for look-ups. It does not change once
// it is built.
type nameIndex struct {
	exact    map[string]verdict // by canonical name
	letters  map[string]verdict // of what names a person or the way, by its name's letters and digits
	families map[string]verdict // by canonical prefix
	longest  int                // bytes in the longest family's prefix
}

// names is the one index of all tables.
var names = newNameIndex(
	registry, purposeTable, hopTable,
	routeCDN, routeCloud, routeProxy,
	identityBrowser, identityMobile, identityTrace,
)

// newNameIndex builds an index. Of two rows for one name the first counts.
func newNameIndex(tables ...[]group) *nameIndex {
	x := &nameIndex{exact: map[string]verdict{}, families: map[string]verdict{}, letters: map[string]verdict{}}
	for _, table := range tables {
		for _, g := range table {
			for name := range strings.FieldsSeq(g.names) {
				x.add(name, g)
			}
		}
	}
	return x
}

// add has a name as g writes it judged by g, unless it is there already.
func (x *nameIndex) add(name string, g group) {
	to := x.exact
	name, family := strings.CutSuffix(name, "*")
	if family {
		to = x.families
		x.longest = max(x.longest, len(name))
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if _, taken := to[name]; taken {
		return
	}
	v := verdict{g.class, family, g.source}
	to[name] = v
	if family || !tellsByName(g.class) {
		return
	}
	x.addLetters(name, v)
	if rest, ok := strings.CutPrefix(name, "X-"); ok && strings.Contains(rest, "-") && tells(rest) == neutral && !named(rest, countWords) {
		x.addLetters(rest, v) // one word alone, or one with a purpose, may be anybody's
	}
}

// addLetters has names of the same letters and digits judged like name.
func (x *nameIndex) addLetters(name string, v verdict) {
	if key := appendLetters(nil, name); len(key) >= 5 {
		x.letters[string(key)] = v
	}
}

// judge returns what the tables say about a field name, whatever its case.
// Servers that hand fields on as CGI variables cannot tell _ from -
// (RFC 3875 §4.1.18), so neither does judge; but a registered field is not
// spelled that way, and such a copy of one is misplaced.
func (x *nameIndex) judge(name string) verdict {
	if x == names && ordinary(name) {
		return verdict{class: disguised}
	}
	if v, ok := x.exact[name]; ok {
		return v
	}
	var buf [64]byte
	folded := foldName(buf[:0], name)
	if v, ok := x.lookup(folded); ok {
		_, strict := grammars[string(folded)]
		strict = strict || string(folded) == requestedWith
		if strings.IndexByte(name, '_') >= 0 && v.class < hop && (strict || v.class != application && v.class != stored) {
			return verdict{misplaced, false, "RFC 3875 §4.1.18: read as a registered field"}
		}
		return v
	}
	return x.alias(string(folded))
}

// maxPrefixes bounds how often a name is looked up without one prefix more: a name may
// be as long as a head.
const maxPrefixes = 8

// alias returns what the tables say about the field that folded is another
// spelling of, if that names a person or the way: the name of its CGI variable
// sent as a field, as programs and middleboxes do (HTTP_CLIENT_IP,
// REDIRECT_HTTP_VIA), with a prefix more, without X-, with dots, or without hyphens.
func (x *nameIndex) alias(folded string) verdict {
	rest := folded
	for n := 0; ; n++ {
		cut := rest
		for _, prefix := range [...]string{"X-", "Http-", "Redirect-"} {
			cut = strings.TrimPrefix(cut, prefix)
		}
		cut = strings.TrimLeft(cut, "-")
		if cut == rest || cut == "" {
			break
		}
		if n == maxPrefixes {
			return verdict{misplaced, false, "no field has so many prefixes"}
		}
		rest = cut
		v, ok := x.lookup([]byte(rest))
		switch {
		case !ok:
		case tellsByName(v.class) && rest != "Priority":
			return v.ofCopy()
		case strings.HasPrefix(folded, "Http-"), strings.HasPrefix(folded, "Redirect-"):
			return verdict{misplaced, false, "RFC 3875 §4.1.18: the variable of a field, not a field"}
		}
	}
	for _, s := range siteFields {
		if s.name == folded {
			return verdict{} // decided by the site
		}
	}
	var buf [64]byte
	return x.letters[string(appendLetters(buf[:0], folded))].ofCopy()
}

// ofCopy returns v for a field that only looks like the one v is about: what
// owns that field does not see the copy.
func (v verdict) ofCopy() verdict {
	if v.class == disguised {
		v.class = identity
	}
	return v
}

// tellsByName reports whether fields of class c go whatever their value, or
// have one that is the same for all visitors.
func tellsByName(c class) bool {
	return c == route || c == identity || c == hop || c == disguised
}

// appendLetters appends to dst the letters and digits of name in lower case, without
// digits at its end.
func appendLetters(dst []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-' || c == '_' || c == '.':
		case isCapital(c):
			dst = append(dst, c|0x20)
		default:
			dst = append(dst, c)
		}
	}
	return bytes.TrimRight(dst, "0123456789")
}

// ordinary reports whether name is one of the persona's fields that nearly
// every request holds. It is quicker than the tables, which say the same.
func ordinary(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Dnt", "Priority", "Referer",
		"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Gpc",
		"Upgrade-Insecure-Requests", "User-Agent":
		return true
	}
	return false
}

func (x *nameIndex) lookup(folded []byte) (verdict, bool) {
	if v, ok := x.exact[string(folded)]; ok {
		return v, true
	}
	for n := min(x.longest, len(folded)); n > 1; n-- {
		if v, ok := x.families[string(folded[:n])]; ok {
			if v.class == route && isSecretOf(string(folded), n) {
				break
			}
			return v, true
		}
	}
	return verdict{}, false
}

// isSecretOf reports whether name, after its family's prefix of n bytes, says only that it is a
// secret, as X-Authentik-Csrf and X-Tyk-Authorization do: what a gateway adds about its users
// goes, what they prove to it stays.
func isSecretOf(name string, n int) bool {
	return onlySecret(name[n:], " token key apikey secret csrf xsrf authorization password ") && tells(name) == credential
}

// foldName appends name to dst in canonical case, with - for _.
func foldName(dst []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			c = '-'
		case upper && isSmall(c):
			c -= 'a' - 'A'
		case !upper && isCapital(c):
			c += 'a' - 'A'
		}
		upper = c == '-'
		dst = append(dst, c)
	}
	return dst
}
