package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A sealer makes entity tags of the cache's own out of an origin's, so that
// an origin's tag identifies nobody: each client gets another one for the same
// response, only this process can tell what it stands for, and only for the
// same client and URL. A client's copy stays valid when the stored response was
// dropped in between.
//
// A page's script can read a tag, so it must not name the client either. Sealing
// the same tag again gives the same result only while the client stays at a site whose
// pages it opened: they may compare tags to see whether something changed. Else it
// gives another one each time, as to a page's frames of other sites.
type sealer struct {
	aead   cipher.AEAD
	secret [32]byte  // of the nonces
	room   sync.Pool // of *sealing

	mu    sync.Mutex
	stays *simplelru.LRU[stay, *stayed] // guarded by mu
}

// A stay is a client's at a site.
type stay struct{ client, site string }

// stayed is when the first and the last page of a stay were opened.
type stayed struct{ first, last time.Time }

const (
	// stayTime is how long a stay lasts after the last page was opened.
	stayTime = 2 * time.Hour

	// maxStays bounds how many are remembered.
	maxStays = 4096
)

// A sealing is what one use of a sealer needs.
type sealing struct {
	hash hash.Hash
	all  []byte // the secret, the stay, client and URL, and the tag
	out  []byte
	text []byte
}

func newSealer() *sealer {
	s := &sealer{stays: newLRU[stay, *stayed](maxStays)}
	s.room.New = func() any { return &sealing{hash: sha256.New()} }
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	rand.Read(s.secret[:])
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err) // only for a wrong length
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	return s
}

// seal returns the tag under which client knows tag at a site, now. Weak tags stay
// weak.
func (s *sealer) seal(client, site, uri, tag string, now time.Time) string {
	u := s.room.Get().(*sealing)
	defer s.room.Put(u)
	u.all = binary.BigEndian.AppendUint64(append(u.all[:0], s.secret[:]...), s.moment(client, site, now))
	u.all = append(append(u.all, site...), 0)
	whose := len(u.all)
	u.all = append(append(append(u.all, client...), 0), uri...)
	end := len(u.all)
	u.all = append(append(u.all, 0), tag...)
	// The nonce depends on all that is sealed: the same input gives the
	// same tag, and no nonce is used for two. Of a keyed hash it is the first
	// part, so nobody can extend it.
	u.hash.Reset()
	u.hash.Write(u.all) // never fails
	u.out = u.hash.Sum(u.out[:0])[:s.aead.NonceSize()]
	u.out = s.aead.Seal(u.out, u.out, u.all[end+1:], u.all[whose:end])
	u.text = u.text[:0]
	if strings.HasPrefix(tag, "W/") {
		u.text = append(u.text, "W/"...)
	}
	u.text = append(u.text, '"')
	u.text = base64.RawURLEncoding.AppendEncode(u.text, u.out)
	return string(append(u.text, '"'))
}

// arrive notes that a client opens a page of a site.
func (s *sealer) arrive(client, site string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := stay{client, site}
	if t, known := s.stays.Get(at); !known {
		s.stays.Add(stay{strings.Clone(client), strings.Clone(site)}, &stayed{now, now}) // parts of a request's whole head
	} else {
		if !t.lasts(now) {
			t.first = now
		}
		t.last = now
	}
}

// moment returns what tags of a stay have in common, or what none has had.
func (s *sealer) moment(client, site string, now time.Time) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, known := s.stays.Get(stay{client, site}); known && t.lasts(now) {
		return uint64(t.first.UnixNano())
	}
	return mathrand.Uint64()
}

// lasts reports whether a stay goes on now.
func (t *stayed) lasts(now time.Time) bool {
	away := now.Sub(t.last)
	return -stayTime < away && away < stayTime // clocks are set
}

// forget ends all stays of a client.
func (s *sealer) forget(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.stays.Keys() {
		if at.client == client {
			s.stays.Remove(at)
		}
	}
}

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
