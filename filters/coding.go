package filters

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
)

// unwrap calls inner with what each coded part of value stands for, until it
// returns true, and reports whether it did. It undoes percent-encoding and
// other escapes, base64 and base32 in both alphabets, base58, hexadecimal, and what is
// compressed or in UTF-16 in these.
func unwrap(value string, inner func([]byte) bool) bool {
	if strings.IndexByte(value, '%') >= 0 {
		if plain := percentDecode(value); len(plain) < len(value) && inner(plain) {
			return true
		}
	}
	if plain := unescape(value); plain != nil && len(plain) < len(value) && inner(plain) {
		return true
	}
	for start := 0; start < len(value); {
		end := start
		for end < len(value) && (isAlnum(value[end]) || strings.IndexByte("+/-_", value[end]) >= 0) {
			end++
		}
		run := value[start:end]
		start = end + 1
		if inRun(run, inner) {
			return true
		}
		// Marks may belong to the coding, or separate it from a label.
		for part := range strings.FieldsFuncSeq(run, func(c rune) bool { return !isAlnum(byte(c)) }) {
			if len(part) < len(run) && inRun(part, inner) {
				return true
			}
		}
	}
	return false
}

// inRun calls inner with what run stands for, if it is as a whole in one of the codings
// of [unwrap].
func inRun(run string, inner func([]byte) bool) bool {
	if len(run) < 6 {
		return false
	}
	digits := strings.TrimPrefix(run, "0x")
	if len(digits)%2 == 0 && madeOf(digits, decimalDigits+"abcdefABCDEF") {
		if b, err := hex.DecodeString(digits); err == nil && inBytes(b, inner) {
			return true
		}
	}
	coding := base64.RawStdEncoding
	if strings.ContainsAny(run, "-_") {
		coding = base64.RawURLEncoding
	}
	if b, err := coding.DecodeString(run); err == nil && inBytes(b, inner) {
		return true
	}
	return len(run) >= 7 && inBase32(run, inner) || inBase58(run, inner)
}

// inBytes calls inner with b, with what is compressed there, and with the ASCII that is there
// as UTF-16.
func inBytes(b []byte, inner func([]byte) bool) bool {
	if inner(b) || inflated(b, inner) {
		return true
	}
	if plain := narrowed(b); plain != nil {
		return inner(plain)
	}
	return false
}

// narrowed returns the ASCII that b is in UTF-16, in either order, or nil.
func narrowed(b []byte) []byte {
	if len(b) < 2 || len(b)%2 != 0 || b[0] != 0 && b[1] != 0 {
		return nil
	}
	zero := 0
	if b[0] != 0 {
		zero = 1
	}
	plain := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		if b[i+zero] != 0 {
			return nil
		}
		plain = append(plain, b[i+1-zero])
	}
	return plain
}

// maxBase58 bounds what is read in base58, the digits of one number: the time that takes grows
// with the square of how many there are.
const maxBase58 = 64

// inBase58 calls inner with what run stands for in base58, by which peers and accounts are
// named (draft-msporny-base58).
func inBase58(run string, inner func([]byte) bool) bool {
	if len(run) > maxBase58 {
		return false
	}
	var room [maxBase58]byte
	b := room[:0] // the last byte first
	for i := range len(run) {
		carry := strings.IndexByte("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", run[i])
		if carry < 0 {
			return false
		}
		for j := range b {
			carry += 58 * int(b[j])
			b[j] = byte(carry)
			carry >>= 8
		}
		if carry > 0 {
			b = append(b, byte(carry))
		}
	}
	slices.Reverse(b)
	return inner(b)
}

// inBase32 calls inner with what run stands for in base32 (RFC 4648 §6, §7).
func inBase32(run string, inner func([]byte) bool) bool {
	std, extended := true, true
	for i := range len(run) {
		c := run[i]
		letter := isLetter(rune(c))
		std = std && (letter || '2' <= c && c <= '7')
		extended = extended && (isDigit(c) || letter && c|0x20 <= 'v')
	}
	return std && inCoding(base32Std, run, inner) || extended && inCoding(base32Hex, run, inner)
}

var (
	base32Std = base32.StdEncoding.WithPadding(base32.NoPadding)
	base32Hex = base32.HexEncoding.WithPadding(base32.NoPadding)
)

func inCoding(coding *base32.Encoding, run string, inner func([]byte) bool) bool {
	b, err := coding.DecodeString(strings.ToUpper(run))
	return err == nil && inBytes(b, inner)
}

// maxInflated bounds what is read of compressed data: an address and what
// stands around it are short.
const maxInflated = 4 << 10

// inflated calls inner with b decompressed if it is gzip (RFC 1952) or zlib
// (RFC 1950).
func inflated(b []byte, inner func([]byte) bool) bool {
	if len(b) < 8 {
		return false
	}
	var r io.Reader
	var err error
	switch {
	case b[0] == 0x1f && b[1] == 0x8b:
		r, err = gzip.NewReader(bytes.NewReader(b))
	case b[0]&0x0f == 8 && (int(b[0])<<8|int(b[1]))%31 == 0:
		r, err = zlib.NewReader(bytes.NewReader(b))
	default:
		return false
	}
	if err != nil {
		return false
	}
	plain, _ := io.ReadAll(io.LimitReader(r, maxInflated)) // what came before damage counts
	return len(plain) > 0 && inner(plain)
}

// unescape undoes the escapes of JSON (\u0031), C (\x31), HTML (&#49; &#x31;)
// and quoted-printable (=31) in s, and leaves the rest. It returns nil if there
// are none.
func unescape(s string) []byte {
	if !strings.ContainsAny(s, `\&=`) {
		return nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c, n := escapeAt(s[i:])
		b = append(b, c)
		i += n
	}
	return b
}

// escapeAt returns the byte that s begins with, escaped or not, and the length
// of that.
func escapeAt(s string) (c byte, n int) {
	digits, base, closing := "", 16, 0
	switch {
	case strings.HasPrefix(s, `\u00`) && len(s) >= 6:
		digits = s[4:6]
	case strings.HasPrefix(s, `\x`) && len(s) >= 4:
		digits = s[2:4]
	case s[0] == '=' && len(s) >= 3:
		digits = s[1:3]
	case strings.HasPrefix(s, "&#"):
		var closed bool
		if digits, _, closed = strings.Cut(s[2:min(len(s), 9)], ";"); !closed {
			return s[0], 1
		}
		closing = 1
		if rest := strings.TrimLeft(digits, "xX"); len(rest) < len(digits) {
			digits = rest
		} else {
			base = 10
		}
	default:
		return s[0], 1
	}
	v, err := strconv.ParseUint(digits, base, 8)
	if err != nil || v < ' ' || v > '~' {
		return s[0], 1
	}
	return byte(v), strings.Index(s, digits) + len(digits) + closing
}

// percentDecode undoes the percent-encoded bytes of s and leaves the rest.
func percentDecode(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return b
}
