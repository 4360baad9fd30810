package judge

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
)

// A plant is something identifying in a request, put there to see whether
// it arrives.
type plant struct {
	where  string // what a person would call the place, such as "X-Forwarded-For"
	canary string // the text whose arrival is the leak; occurs nowhere else
	class  Class
}

// A seeder draws canaries. No two draws of a run are alike.
type seeder struct {
	rng   *rand.Rand
	count uint32
}

func newSeeder(seed uint64) *seeder { return &seeder{rng: rand.New(rand.NewPCG(seed, 0x6a756467))} }

func (s *seeder) digits(n int) string { return s.draw(n, "0123456789") }
func (s *seeder) hex(n int) string    { return s.draw(n, "0123456789abcdef") }

// id is 16 letters and digits. It has both, so that it is nobody's word
// and nobody's number.
func (s *seeder) id() string {
	return s.draw(7, "bcdfghjkmnpqrstvwxz") + s.digits(2) + s.draw(7, "bcdfghjkmnpqrstvwxz0123456789")
}

func (s *seeder) draw(n int, from string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[s.rng.IntN(len(from))]
	}
	return string(b)
}

// address takes the three documentation networks in turn (RFC 5737). A run
// needs fewer addresses than they hold.
func (s *seeder) address() string {
	s.count++
	nets := [...]string{"192.0.2", "198.51.100", "203.0.113"}
	return fmt.Sprintf("%s.%d", nets[s.count/254%3], 1+s.count%254)
}

func (s *seeder) address6() string {
	s.count++
	return fmt.Sprintf("2001:db8:%x:%x::%x", 0x1000+s.rng.IntN(0xe000), 0x1000+s.rng.IntN(0xe000), 0x1000+s.count)
}

// value returns a value of the given form, and the part of it that
// identifies.
func (s *seeder) value(f form) (value, canary string) {
	around := "%s" // the canary
	switch f {
	case anAddress:
		canary = s.address()
	case anAddress6:
		canary = s.address6()
	case anAddrPort:
		canary, around = s.address(), "%s:51234"
	case aForwarded:
		canary, around = s.address6(), `for="[%s]:4711";proto=http`
	case aVia:
		canary, around = s.id(), "1.1 %s.lan (gateway)"
	case aHost:
		canary, around = s.id(), "%s.example"
	case aUUID:
		canary = fmt.Sprintf("%s-%s-4%s-a%s-%s", s.hex(8), s.hex(4), s.hex(3), s.hex(3), s.hex(12))
	case aHex:
		canary = s.hex(32)
	case aTrace:
		canary, around = s.hex(32), "00-%s-"+s.hex(16)+"-01"
	case aPhone:
		canary = "479" + s.digits(8)
	case anIMEI:
		canary = "35" + s.digits(13)
	case aMAC:
		canary = fmt.Sprintf("02:%s:%s:%s:%s:%s", s.hex(2), s.hex(2), s.hex(2), s.hex(2), s.hex(2))
	case aMail:
		canary, around = s.id(), "%s@mail.example"
	case aURL:
		canary, around = s.id(), "http://device.example/%s.xml"
	case aPlace:
		canary, around = "59."+s.digits(7), "%s,10."+s.digits(7)
	case aDictionary:
		canary, around = s.id(), `u="%s"`
	default: // anID
		canary = s.id()
	}
	return fmt.Sprintf(around, canary), canary
}

// field plants a value of the given form in the named field.
func (s *seeder) field(n named) (Field, plant) {
	value, canary := s.value(n.form)
	return Field{n.name, value}, plant{where: n.name, canary: canary, class: n.class}
}

// spellings lists the textual forms of an address that a filter which
// compares strings overlooks.
func spellings(a netip.Addr) []string {
	a = a.Unmap()
	if !a.Is4() {
		return []string{a.String(), a.StringExpanded(), strings.ToUpper(a.StringExpanded())}
	}
	b := a.As4()
	number := binary.BigEndian.Uint32(b[:])
	return []string{
		a.String(),
		"::ffff:" + a.String(),
		fmt.Sprintf("::ffff:%x:%x", number>>16, number&0xffff),
		fmt.Sprintf("0:0:0:0:0:ffff:%04X:%04X", number>>16, number&0xffff),
		fmt.Sprint(number),
		fmt.Sprintf("0x%08x", number),
		strings.ToUpper(hex.EncodeToString(b[:])),
		fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0]),
		fmt.Sprintf("%d-%d-%d-%d", b[0], b[1], b[2], b[3]),
		strings.ReplaceAll(a.String(), ".", "%2E"),
		base64.StdEncoding.EncodeToString([]byte(a.String())),
		base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(a.String())),
		backwards(a.String()),
	}
}

// backwards returns text from its end to its beginning.
func backwards(text string) string {
	b := []byte(text)
	slices.Reverse(b)
	return string(b)
}
