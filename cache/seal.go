package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
	"sync"
)

// A sealer makes entity tags of the cache's own out of an origin's, so that
// an origin's tag identifies nobody: each client gets another one for the same
// response, only this process can tell what it stands for, and only for the
// same client and URL. Sealing the same tag again gives the same result, so a
// client's copy stays valid when the stored response was dropped in between.
type sealer struct {
	aead cipher.AEAD
	macs sync.Pool // of *sealing, each with the key
}

// A sealing is what one use of a sealer needs.
type sealing struct {
	mac  hash.Hash
	who  []byte // client and URL
	tag  []byte
	sum  [sha256.Size]byte
	out  []byte
	text []byte
}

func newSealer() *sealer {
	var secret [64]byte
	rand.Read(secret[:]) // never fails
	block, err := aes.NewCipher(secret[:32])
	if err != nil {
		panic(err) // only for a wrong length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	s := &sealer{aead: aead}
	s.macs.New = func() any { return &sealing{mac: hmac.New(sha256.New, secret[32:])} }
	return s
}

// seal returns the tag under which client knows tag. Weak tags stay weak. An
// absent tag stays absent.
func (s *sealer) seal(client, uri, tag string) string {
	if tag == "" {
		return ""
	}
	u := s.macs.Get().(*sealing)
	defer s.macs.Put(u)
	u.who = append(append(append(u.who[:0], client...), 0), uri...)
	u.tag = append(u.tag[:0], tag...)
	// The nonce depends on all that is sealed: the same input gives the
	// same tag, and no nonce is used for two.
	u.mac.Reset()
	u.mac.Write(u.who)
	u.mac.Write(nul)
	u.mac.Write(u.tag)
	u.out = append(u.out[:0], u.mac.Sum(u.sum[:0])[:s.aead.NonceSize()]...)
	u.out = s.aead.Seal(u.out, u.out, u.tag, u.who)
	u.text = u.text[:0]
	if strings.HasPrefix(tag, "W/") {
		u.text = append(u.text, "W/"...)
	}
	u.text = append(u.text, '"')
	u.text = base64.RawURLEncoding.AppendEncode(u.text, u.out)
	return string(append(u.text, '"'))
}

var nul = []byte{0}

// open returns the tag that seal hid. It reports false for a tag that is not
// this process's own, or was made for another client or URL.
func (s *sealer) open(client, uri, sealed string) (string, bool) {
	sealed = strings.TrimPrefix(sealed, "W/")
	if len(sealed) < 2 || sealed[0] != '"' || sealed[len(sealed)-1] != '"' {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed[1 : len(sealed)-1])
	size := s.aead.NonceSize()
	if err != nil || len(raw) < size {
		return "", false
	}
	tag, err := s.aead.Open(nil, raw[:size], raw[size:], []byte(client+"\x00"+uri))
	return string(tag), err == nil
}

// openAll replaces the sealed members of a list of entity tags by what they
// stand for. Members that are not sealed stay.
func (s *sealer) openAll(client, uri string, lines []string) []string {
	tags, any := entityTags(lines)
	if any {
		return lines
	}
	for i, tag := range tags {
		if opened, ok := s.open(client, uri, tag); ok {
			tags[i] = opened
		}
	}
	return []string{strings.Join(tags, ", ")}
}
