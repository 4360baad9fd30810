package filters

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ownAddress removes fields whose value or name holds the client's own address
// in any form: a program near the client may add it under a name nobody knows. It
// leaves alone what the request cannot do without: an address in a form, a
// cookie or a credential is there because the person or the site put it there.
type ownAddress struct {
	again Filter // judges fields by each other, and so once more if one goes here; may be nil
}

// Apply implements [Filter].
func (f ownAddress) Apply(m *Message, log []Change) []Change {
	if !m.Client.IsValid() || m.Client.IsUnspecified() {
		return log
	}
	h, n := m.Request.Header, len(log)
	var needles *addressForms // built for the first field that needs it
	for name, lines := range h {
		switch v := names.judge(name); {
		case v.class == registered && name != "Destination" && name != "If": // those name the origin's resources
		case v.class == unnamed, v.class == application, v.class == stored && v.family: // else it is what a notification shows
		case chosenFields[name]:
		default:
			continue
		}
		if needles == nil {
			needles = formsOf(m.Client)
			needles.target = originOf(m.Request)
		}
		if slices.ContainsFunc(lines, needles.in) || strings.ContainsAny(name, "0123456789") && needles.inText(name) {
			log = drop(h, name, "it holds the client's address", log)
		}
	}
	if log = sorted(log, n); len(log) > n && f.again != nil {
		log = f.again.Apply(m, log)
	}
	return log
}

// chosenFields are those that serve a request and hold words that its client chooses, or what
// may be in base64 and need not be a digest; and Date, where it is signed.
var chosenFields = map[string]bool{
	"Idempotency-Key": true, "Content-Location": true, "Content-Disposition": true, "Date": true,
	"Content-Digest": true, "Repr-Digest": true, "Unencoded-Digest": true, "Digest": true, "Content-Md5": true,
}

// holdsAddress reports whether value holds addr in one of the forms that
// [addressForms] knows.
func holdsAddress(value string, addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && formsOf(addr).in(value)
}

// addressForms finds one address in text: dotted, padded, integer, hexadecimal, octal, binary
// and reversed IPv4; IPv6 compressed or not, mapped, embedded, bare, as a UUID and reversed; the
// checksum of either; all of these escaped, in base64, base58, base32 or hexadecimal ASCII or
// UTF-16, compressed there, or written from end to beginning; and in these the bytes themselves,
// and the digest of the bytes or of the text. An IPv6 address is found in any address of its
// /64, which is one household's; but ::1 is everybody's, and so is the number 1.
type addressForms struct {
	addr    netip.Addr
	target  string   // origin whose own address is not looked for; "" for none
	bytes   []byte   // 4; of IPv6 the 8 of its network, or 16 of ::1
	little  []byte   // those of IPv4 as little endian; nil for IPv6
	numbers []string // lower case; stand alone, not within a longer number
	texts   []string // lower case; found anywhere
}

func formsOf(addr netip.Addr) *addressForms {
	addr = addr.Unmap().WithZone("")
	f := &addressForms{addr: addr, bytes: addr.AsSlice()}
	if addr != netip.IPv6Loopback() {
		var room [40]byte
		sum := crc32.ChecksumIEEE(addr.AppendTo(room[:0])) // PHP's and MySQL's CRC32, by which programs spread clients
		f.numbers = append(f.numbers, strconv.FormatUint(uint64(sum), 10), hex.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
	}
	if addr.Is4() {
		f.little = binary.LittleEndian.AppendUint32(nil, binary.BigEndian.Uint32(f.bytes))
		for _, n := range [2]uint32{binary.BigEndian.Uint32(f.bytes), binary.LittleEndian.Uint32(f.bytes)} {
			f.numbers = append(f.numbers,
				strconv.FormatUint(uint64(n), 10),
				"0"+strconv.FormatUint(uint64(n), 8),
				hex.EncodeToString(binary.BigEndian.AppendUint32(nil, n)),
				strconv.FormatUint(uint64(n), 16), // without leading zeros
				strconv.FormatUint(uint64(n), 36))
		}
		mapped := "00000000000000000000ffff" + hex.EncodeToString(f.bytes)
		f.numbers = append(f.numbers, mapped, asUUID(mapped),
			strconv.FormatUint(uint64(-binary.BigEndian.Uint32(f.bytes)), 10), // a negative number of 32 bits, after its sign
			strconv.FormatUint(1<<32|uint64(binary.BigEndian.Uint32(f.bytes)), 2)[1:])
		return f
	}
	digits := hex.EncodeToString(f.bytes)
	uuid := asUUID(digits)
	if !inNoNetwork(addr.As16()) {
		f.numbers = append(f.numbers, new(big.Int).SetBytes(f.bytes).String())
		f.bytes, digits, uuid = f.bytes[:8], digits[:16], uuid[:len("20010db8-0000-0012")]
	}
	var arpa []byte // RFC 3596 §2.5
	for i := len(digits) - 1; i >= 0; i-- {
		arpa = append(arpa, digits[i], '.')
	}
	f.texts = []string{digits, uuid, string(arpa[:len(arpa)-1])}
	return f
}

// asUUID returns 32 hexadecimal digits in groups, as databases show the 16 bytes of an address.
func asUUID(digits string) string {
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// maxUnwrap bounds how many codings around an address are undone.
const maxUnwrap = 3

func (f *addressForms) in(value string) bool {
	if f.addr.Is4() && len(value) < minForm4 {
		return false
	}
	return f.within(value, maxUnwrap) || f.inBackwards(value)
}

// isDigest reports whether b is the digest of the address as it is usually written, or of
// its bytes, without a salt: there are few addresses, so anybody can try all.
func (f *addressForms) isDigest(b []byte) bool {
	var room [40]byte
	return isDigestOf(f.addr.AppendTo(room[:0]), b) || isDigestOf(f.addr.AsSlice(), b)
}

func isDigestOf(text, b []byte) bool {
	switch len(b) {
	case md5.Size:
		return md5.Sum(text) == [md5.Size]byte(b)
	case sha1.Size:
		return sha1.Sum(text) == [sha1.Size]byte(b)
	case sha256.Size224:
		return sha256.Sum224(text) == [sha256.Size224]byte(b)
	case sha256.Size:
		return sha256.Sum256(text) == [sha256.Size]byte(b)
	case sha512.Size384:
		return sha512.Sum384(text) == [sha512.Size384]byte(b)
	case sha512.Size:
		return sha512.Sum512(text) == [sha512.Size]byte(b)
	}
	return false
}

// minForm4 is the length of the shortest form of an IPv4 address: its four
// bytes in base64.
const minForm4 = 6

// inBackwards looks for the parts of the address in value read from its end.
func (f *addressForms) inBackwards(value string) bool {
	marks := 0
	for i := range len(value) {
		if strings.IndexByte(".:-_", value[i]) >= 0 {
			marks++
		}
	}
	if marks < 2 {
		return false
	}
	b := []byte(value)
	slices.Reverse(b)
	return f.inText(string(b))
}

func (f *addressForms) within(value string, depth int) bool {
	if f.inText(value) {
		return true
	}
	return depth > 0 && unwrap(value, func(inner []byte) bool {
		if bytes.Contains(inner, f.bytes) || f.little != nil && bytes.Contains(inner, f.little) || f.isDigest(inner) {
			return true
		}
		return (len(inner) >= minForm4 || !f.addr.Is4()) && f.within(string(inner), depth-1)
	})
}

// inText looks for the address in text as it stands.
func (f *addressForms) inText(text string) bool {
	lower := withoutOrigin(lowerASCII(text), f.target)
	return slices.ContainsFunc(f.texts, func(t string) bool { return strings.Contains(lower, t) }) ||
		slices.ContainsFunc(f.numbers, func(n string) bool { return holdsNumber(lower, n) }) ||
		f.addr.Is4() && holdsQuad(lower, [4]byte(f.bytes)) || addresses6(lower, f.is)
}

// withoutOrigin returns text without the URLs that begin with origin: of where a
// request goes they tell nobody there, though it be where the client is.
func withoutOrigin(text, origin string) string {
	if origin == "" {
		return text
	}
	return strings.ReplaceAll(text, origin, "")
}

// is reports whether a, found in text, is or embeds the address.
func (f *addressForms) is(a netip.Addr) bool {
	a = a.Unmap()
	switch {
	case a == f.addr:
		return true
	case a.Is4():
		return false
	case f.addr.Is6():
		x, y := a.As16(), f.addr.As16()
		return [8]byte(x[:8]) == [8]byte(y[:8]) && !inNoNetwork(y)
	}
	// IPv4 within IPv6: compatible, mapped and NAT64 forms end in it, 6to4
	// (RFC 3056) has it after the first two bytes, Teredo (RFC 4380) inverts it.
	b, own := a.As16(), [4]byte(f.bytes)
	return [4]byte(b[12:]) == own || b[0] == 0x20 && b[1] == 0x02 && [4]byte(b[2:6]) == own ||
		[4]byte{^b[12], ^b[13], ^b[14], ^b[15]} == own
}

// inNoNetwork reports whether an IPv6 address is of no network, as ::1 is.
func inNoNetwork(b [16]byte) bool { return [8]byte(b[:8]) == [8]byte{} }
