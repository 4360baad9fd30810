package gate

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"guise/proxy/owner"
)

// A Key signs tokens.
type Key [32]byte

// ReadKey reads a key from a file of 64 hexadecimal digits.
func ReadKey(path string) (Key, error) {
	data, err := readFile(path)
	if err != nil {
		return Key{}, err
	}
	return parseKey(data)
}

func parseKey(data []byte) (Key, error) {
	k, err := hex.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(k) != len(Key{}) {
		return Key{}, errors.New("is not a key: want 64 hexadecimal digits")
	}
	return Key(k), nil
}

// MakeKey writes a new key to a file that does not exist yet, readable by its
// owner alone.
func MakeKey(path string) (Key, error) {
	var k Key
	rand.Read(k[:])
	if err := owner.WriteNew(path, fmt.Appendf(nil, "%x\n", k), 0o600); err != nil {
		return Key{}, err
	}
	return k, nil
}

// A token is its payload and the HMAC-SHA256 of that, each in unpadded
// base64url, with a dot between: version, expiry in seconds since 1970 as 8
// bytes, name. The signature's first bytes are its id.
const (
	tokenVersion = 1
	tokenIDBytes = 8
)

// Sign returns a token that lets name in until expiry, and its id, by which
// it can be revoked. It fails on a name that no account can have.
func (k Key) Sign(name string, expiry time.Time) (token, id string, err error) {
	if err := CheckName(name); err != nil {
		return "", "", err
	}
	payload := binary.BigEndian.AppendUint64([]byte{tokenVersion}, uint64(expiry.Unix()))
	payload = append(payload, name...)
	mac := k.mac(payload)
	encode := base64.RawURLEncoding.EncodeToString
	return encode(payload) + "." + encode(mac), hex.EncodeToString(mac[:tokenIDBytes]), nil
}

func (k Key) mac(payload []byte) []byte {
	h := hmac.New(sha256.New, k[:])
	h.Write([]byte("guise token\x00"))
	h.Write(payload)
	return h.Sum(nil)
}

// Verify returns whom a token lets in, and its id. It returns
// [ErrCredentials] for all that it did not sign, or that has expired at now.
func (k Key) Verify(token string, now time.Time) (name, id string, err error) {
	if strings.ContainsAny(token, "\r\n") { // which decoding passes over
		return "", "", ErrCredentials
	}
	decode := base64.RawURLEncoding.Strict().DecodeString
	left, right, _ := strings.Cut(token, ".")
	payload, err1 := decode(left)
	mac, err2 := decode(right)
	if err1 != nil || err2 != nil || !hmac.Equal(mac, k.mac(payload)) {
		return "", "", ErrCredentials
	}
	if len(payload) < 10 || payload[0] != tokenVersion || now.Unix() >= int64(binary.BigEndian.Uint64(payload[1:9])) {
		return "", "", ErrCredentials
	}
	return string(payload[9:]), hex.EncodeToString(mac[:tokenIDBytes]), nil
}

// tokens proves accounts by signed names.
type tokens struct {
	key     *watchedFile[Key]
	revoked *watchedFile[map[string]bool] // nil for none
	now     func() time.Time
}

func newTokens(key, revoked string, common watching) (*tokens, error) {
	t := &tokens{now: common.now}
	named := func(err error) error {
		return fmt.Errorf("token key %s: %w", key, advised(err, "guise user token makes it"))
	}
	var err error
	if t.key, err = newWatchedFile(key, common, named, parseKey); err != nil {
		return nil, err
	}
	t.revoked, err = watchRevoked(revoked, "tokens", common, parseRevoked)
	return t, err
}

// known lets every right token in: nobody guesses one, and to check it costs
// next to nothing.
func (t *tokens) known(c credentials) (account string, ok, familiar bool) {
	name, err := t.account(context.Background(), c)
	return name, err == nil, false
}

// account takes a token from Bearer, or from Basic's password; then the user
// must be the one that the token names.
func (t *tokens) account(_ context.Context, c credentials) (string, error) {
	name, id, err := t.key.get().Verify(c.signed(), t.now())
	if err != nil {
		return "", err
	}
	if c.user != "" && c.name() != name {
		return "", ErrCredentials
	}
	if gone := t.revoked.get(); gone[name] || gone[id] {
		return "", ErrCredentials
	}
	return name, nil
}
