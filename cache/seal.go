package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A sealer makes entity tags of the cache's own out of an origin's, so that
// an origin's tag identifies nobody and tells nothing: only this process can say what
// it stands for, and only for the same site and URL. All clients get the same one
// for the same response, since any script of the site can read it: one of a
// client's own would be a name that outlasts every cookie. Sealing the same tag again gives
// the same result, so a client's copy stays valid when the stored response was dropped
// in between.
type sealer struct {
	aead   cipher.AEAD
	secret atomic.Pointer[[32]byte] // of the nonces
	room   sync.Pool                // of *sealing
}

// A sealing is what one use of a sealer needs.
type sealing struct {
	hash hash.Hash
	all  []byte // the secret, site and URL, and the tag
	out  []byte
	text []byte
}

func newSealer() *sealer {
	s := &sealer{}
	s.room.New = func() any { return &sealing{hash: sha256.New()} }
	var key [32]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // only for a wrong length
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	s.renew()
	return s
}

// renew has the same tags look different from now on: they have other nonces. Those of
// before are still opened.
func (s *sealer) renew() {
	var secret [32]byte
	rand.Read(secret[:])
	s.secret.Store(&secret)
}

// seal returns the tag under which clients know tag. Weak tags stay weak. An
// absent tag stays absent.
func (s *sealer) seal(site, uri, tag string) string {
	if tag == "" {
		return ""
	}
	secret := s.secret.Load()
	u := s.room.Get().(*sealing)
	defer s.room.Put(u)
	u.all = append(append(append(append(u.all[:0], secret[:]...), site...), 0), uri...)
	end := len(u.all)
	u.all = append(append(u.all, 0), tag...)
	// The nonce depends on all that is sealed: the same input gives the same tag, and no two
	// inputs share a nonce. It is a truncated keyed hash, which nobody can extend.
	u.hash.Reset()
	u.hash.Write(u.all) // never fails
	u.out = u.hash.Sum(u.out[:0])[:s.aead.NonceSize()]
	u.out = s.aead.Seal(u.out, u.out, u.all[end+1:], u.all[len(secret):end])
	u.text = u.text[:0]
	if strings.HasPrefix(tag, "W/") {
		u.text = append(u.text, "W/"...)
	}
	u.text = append(u.text, '"')
	u.text = base64.RawURLEncoding.AppendEncode(u.text, u.out)
	return string(append(u.text, '"'))
}

// open returns the tag that seal hid. It reports false for a tag that is not
// this process's own, or was made for another site or URL.
func (s *sealer) open(site, uri, sealed string) (string, bool) {
	sealed = strings.TrimPrefix(sealed, "W/")
	if len(sealed) < 2 || sealed[0] != '"' || sealed[len(sealed)-1] != '"' {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed[1 : len(sealed)-1])
	if err != nil {
		return "", false
	}
	size := s.aead.NonceSize()
	if len(raw) < size {
		return "", false
	}
	tag, err := s.aead.Open(nil, raw[:size], raw[size:], []byte(site+"\x00"+uri))
	return string(tag), err == nil
}

// openAll replaces the sealed members of a list of entity tags by what they
// stand for. Members that are not sealed stay.
func (s *sealer) openAll(site, uri string, lines []string) []string {
	tags, any := entityTags(lines)
	if any {
		return lines
	}
	for i, tag := range tags {
		if opened, ok := s.open(site, uri, tag); ok {
			tags[i] = opened
		}
	}
	return []string{strings.Join(tags, ", ")}
}

// ifPart matches the parts of an If field that openIf reads: parentheses around a list, a
// resource or state token, and an entity tag.
var ifPart = regexp.MustCompile(`[()]|<[^>]*>|\[(?:W/)?"[^"]*"\]`)

// openIf replaces the sealed tags in WebDAV's conditions (RFC 4918 §10.4). A tag belongs to the
// resource named before its list, else to target. Those of another host stay sealed: target
// must not learn them.
func (s *sealer) openIf(site string, target *url.URL, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		of, listed := target, false
		out[i] = ifPart.ReplaceAllStringFunc(line, func(part string) string {
			switch {
			case len(part) == 1:
				listed = part == "("
			case part[0] == '[':
				uri, ok := targetURI(of)
				if !ok || !strings.EqualFold(of.Host, target.Host) {
					break
				}
				if opened, ok := s.open(site, uri, part[1:len(part)-1]); ok {
					return "[" + opened + "]"
				}
			case !listed:
				if u, err := target.Parse(part[1 : len(part)-1]); err == nil {
					of = u
				}
			}
			return part
		})
	}
	return out
}

// nameAsAsked sets the ETag of a 304 or 206, for a client that the site knows, to the sealed
// form in which the client named the same tag: its copy may be from before, when tags were
// sealed, and only that tag confirms or completes it (RFC 9111 §4.3.4, RFC 9110 §15.3.7.3).
func (c *Cache) nameAsAsked(q *query, h http.Header, status int) {
	tag := tagOf(h)
	if q.answersConditions() || tag == "" || status != http.StatusNotModified && status != http.StatusPartialContent {
		return
	}
	named, _ := entityTags(q.r.Header["If-None-Match"])
	if named = append(named, q.ifRange); slices.Contains(named, tag) {
		return
	}
	for _, name := range named {
		if opened, ok := c.sealer.open(q.everybody.site, q.everybody.url, name); ok && opened == tag {
			h["Etag"] = []string{name}
			return
		}
	}
}
