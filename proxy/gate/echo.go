package gate

import (
	"crypto"
	_ "crypto/md5"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Echoes reports whether sent, a value of Authorization in a request of the method, holds
// the credentials of shown, the client's values of Proxy-Authorization, or others that
// enter by the same secret: the name with another suffix, or the token by itself.
// Programs that give one name and password to whoever asks, such as Java's with an
// Authenticator that does not look at who that is, give any origin those of the proxy.
func Echoes(shown []string, method, sent string) bool {
	if slices.Contains(shown, sent) {
		return true
	}
	c := readCredentials(shown)
	if !c.given() {
		return false
	}
	if scheme, rest, _ := strings.Cut(sent, " "); strings.EqualFold(scheme, "Digest") {
		return c.digested(method, rest)
	}
	other := readCredentials([]string{sent})
	return other.given() && other.signed() == c.signed() && (other.user == "" || c.user == "" || other.name() == c.name())
}

// digests are the algorithms of Digest (RFC 7616 §6.1), in lower case.
var digests = map[string]crypto.Hash{"": crypto.MD5, "md5": crypto.MD5, "sha-256": crypto.SHA256, "sha-512-256": crypto.SHA512_256}

var digestParameter = regexp.MustCompile(`([a-zA-Z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]*))`)

// digested reports whether the parameters of a Digest are made of c's name and password
// (RFC 7616 §3.4). It does not recognise one that covers content (auth-int).
func (c credentials) digested(method, parameters string) bool {
	p := map[string]string{}
	for _, found := range digestParameter.FindAllStringSubmatch(parameters, -1) {
		p[strings.ToLower(found[1])] = found[2] + found[3]
	}
	algorithm, session := strings.CutSuffix(strings.ToLower(p["algorithm"]), "-sess")
	how, known := digests[algorithm]
	if !known {
		return false
	}
	digest := func(parts ...string) string {
		h := how.New()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	user := c.user
	if name, _, _ := strings.Cut(p["username"], "+"); name == c.name() {
		user = p["username"] // with another suffix
	}
	secret := digest(user, p["realm"], c.password)
	if session {
		secret = digest(secret, p["nonce"], p["cnonce"])
	}
	made := []string{secret, p["nonce"]}
	if p["qop"] != "" {
		made = append(made, p["nc"], p["cnonce"], p["qop"])
	}
	return strings.EqualFold(p["response"], digest(append(made, digest(method, p["uri"]))...))
}
