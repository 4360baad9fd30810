package egress

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// canonicalForms are authorities and what they are, with port 80 where none
// is named; "" is for what cannot be a host. Most follow the cases of the web
// platform's URL tests and the lists of tricks that get past address filters.
var canonicalForms = []struct{ in, want string }{
	// Names.
	{"example.com", "example.com:80"},
	{"EXAMPLE.com", "example.com:80"},
	{"eXaMpLe.CoM:8080", "example.com:8080"},
	{"example.com.", "example.com:80"},
	{"example.com.:443", "example.com:443"},
	{"a9.example:9999", "a9.example:9999"},
	{"localhost", "localhost:80"},
	{"LOCALHOST.", "localhost:80"},
	{"a", "a:80"},
	{"a_b.example", "a_b.example:80"},
	{"_dmarc.example", "_dmarc.example:80"},
	{"-x.example", "-x.example:80"},
	{"x-.example", "x-.example:80"},
	{"r3---sn-apo3qvuoxuxbt-j5pe.example", "r3---sn-apo3qvuoxuxbt-j5pe.example:80"},
	{"ab--c.example", "ab--c.example:80"},
	{"1.example", "1.example:80"},
	{"127.0.0.1.example", "127.0.0.1.example:80"},
	{"1e2.example", "1e2.example:80"},
	{"1e2", "1e2:80"},
	{"0xg", "0xg:80"},
	{"0x7f.1.nip.io", "0x7f.1.nip.io:80"},
	{"dead.beef", "dead.beef:80"},
	{"site.mx", "site.mx:80"}, // not all of x is hexadecimal
	{"127-0-0-1.example", "127-0-0-1.example:80"},
	{strings.Repeat("a", 63) + ".example", strings.Repeat("a", 63) + ".example:80"},
	{strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "a:80"},
	{strings.Repeat("a.", 126) + "a.", strings.Repeat("a.", 126) + "a:80"},

	{"1.2.3.4.0", ""},
	{"255.255.255", "255.255.0.255:80"},
	{strings.Repeat("\u00ad", maxHostPort/2-5) + "a.example", "a.example:80"}, // soft hyphens count for nothing
	{strings.Repeat("\u00ad", maxHostPort/2) + "a.example", ""},

	// Names that are none.
	{"", ""},
	{".", ""},
	{"..", ""},
	{":80", ""},
	{".example", ""},
	{"a..example", ""},
	{"example..", ""},
	{"example.com..", ""},
	{" example.com", ""},
	{"example.com ", ""},
	{"exa mple.com", ""},
	{"example.com\t", ""},
	{"exam\tple.com", ""},
	{"example.com\r\n", ""},
	{"exa\nmple.com", ""},
	{"example.com\x00", ""},
	{"example.com\x00.other", ""},
	{"example.com\x7f", ""},
	{"example.com/", ""},
	{"example.com/path", ""},
	{"example.com?query", ""},
	{"example.com#fragment", ""},
	{"example.com\\other", ""},
	{"user@example.com", ""},
	{"user:pass@example.com", ""},
	{"user@127.0.0.1:80", ""},
	{"http://example.com", ""},
	{"//example.com", ""},
	{"exa%6dple.com", ""},
	{"127.0.0%2e1", ""},
	{"%31%32%37.0.0.1", ""},
	{"%", ""},
	{"example.com%00", ""},
	{"a,b.example", ""},
	{"a;b.example", ""},
	{"a=b.example", ""},
	{"a&b.example", ""},
	{"a!b.example", ""},
	{"a*b.example", ""},
	{"*.example", ""},
	{"a$b.example", ""},
	{"a(b).example", ""},
	{"a'b.example", ""},
	{"a\"b.example", ""},
	{"a<b>.example", ""},
	{"a|b.example", ""},
	{"a^b.example", ""},
	{"a`b.example", ""},
	{"a{b}.example", ""},
	{"a~b.example", ""},
	{"a+b.example", ""},
	{strings.Repeat("a", 64) + ".example", ""},
	{strings.Repeat("a.", 126) + "aa", ""},
	{strings.Repeat("a", 5000), ""},

	// Internationalized names (UTS #46).
	{"bücher.example", "xn--bcher-kva.example:80"},
	{"BÜCHER.example", "xn--bcher-kva.example:80"},
	{"bu\u0308cher.example", "xn--bcher-kva.example:80"},
	{"xn--bcher-kva.example", "xn--bcher-kva.example:80"},
	{"XN--BCHER-KVA.example", "xn--bcher-kva.example:80"},
	{"faß.example", "xn--fa-hia.example:80"},
	{"例え.テスト", "xn--r8jz45g.xn--zckzah:80"},
	{"例え。テスト", "xn--r8jz45g.xn--zckzah:80"},
	{"example。com", "example.com:80"},
	{"example．com", "example.com:80"},
	{"example｡com", "example.com:80"},
	{"ｅｘａｍｐｌｅ.com", "example.com:80"},
	{"ⓔⓧⓐⓜⓟⓛⓔ.com", "example.com:80"},
	{"ⓛocalhost", "localhost:80"},
	{"ℓocalhost", "localhost:80"},
	{"loc\u00adalhost", "localhost:80"},
	{"local\u200bhost", "localhost:80"},
	{"local\u2060host", "localhost:80"},
	{"local\ufeffhost", "localhost:80"},
	{"ﬁ.example", "fi.example:80"},
	{"\u212a.example", "k.example:80"},
	{"a\u2020.example", "xn--a-xhn.example:80"},
	{"xn--zca.xn--zca", "xn--zca.xn--zca:80"},
	{"i❤.example", "xn--i-7iq.example:80"},
	{"xn--i-7iq.ws", "xn--i-7iq.ws:80"},
	{"xn--b39h.ws", "xn--b39h.ws:80"}, // U+1FAE9, of Unicode 16
	{"XN--B39H.xn--d29h.WS", "xn--b39h.xn--d29h.ws:80"},
	{"xn--b39h.xn--a", ""},
	{"xn--b39h.1", ""},
	{"xn--266c.ws", ""}, // U+FDD0, which never stands for a character
	{"xn--b39h-.ws", ""},
	{"xn--a", ""},
	{"a\u2135.example", ""}, // the sign ALEF becomes a letter that may not stand there (RFC 5893 §2)
	{"xn--", ""},
	{"xn--a.xn--zca", ""},
	{"xn--tešla", ""},
	{"xn--a-yoc", ""},
	{"xn--localhost-", ""},
	{"xn--zn7c.com", ""},
	{"\ufffd.com", ""},
	{"\u200d.example", ""},
	{"xn--1ug.example", ""},
	{"يa", ""},
	{"\u064a.1", ""},
	{"xn--mhb.1", ""},
	{"example.com\u3000", ""},
	{"a\u00a0b.example", ""},
	{"a\u2028b.example", ""},
	{"％41.example", ""},
	{"a／b.example", ""},
	{"a：b.example", ""},
	{"1：：192.0.2.1", ""},
	{"a＠b.example", ""},
	{"a？b.example", ""},
	{"a＃b.example", ""},
	{"℀.example", ""},
	{"⒈.example", ""},
	{"\xff.example", ""},
	{"b\xfccher.example", ""},
	{"\xe2\x82.example", ""},
	{"\u00ad", ""},
	{"a.\u00ad.example", ""},
	{"\ud7ff\ue000.example", ""},

	// IPv4 in every form of inet_aton.
	{"127.0.0.1", "127.0.0.1:80"},
	{"127.0.0.1.", "127.0.0.1:80"},
	{"127.0.0.1:443", "127.0.0.1:443"},
	{"127.1", "127.0.0.1:80"},
	{"127.0.1", "127.0.0.1:80"},
	{"127.257", "127.0.1.1:80"},
	{"127.65536", "127.1.0.0:80"},
	{"10.1.65535", "10.1.255.255:80"},
	{"2130706433", "127.0.0.1:80"},
	{"2130706433.", "127.0.0.1:80"},
	{"0", "0.0.0.0:80"},
	{"0.", "0.0.0.0:80"},
	{"00", "0.0.0.0:80"},
	{"0.0", "0.0.0.0:80"},
	{"0x", "0.0.0.0:80"},
	{"0X", "0.0.0.0:80"},
	{"0x.0x.0", "0.0.0.0:80"},
	{"0x0", "0.0.0.0:80"},
	{"4294967295", "255.255.255.255:80"},
	{"0xffffffff", "255.255.255.255:80"},
	{"037777777777", "255.255.255.255:80"},
	{"0x7f000001", "127.0.0.1:80"},
	{"0X7F000001", "127.0.0.1:80"},
	{"0x7F.0x0.0x0.0x1", "127.0.0.1:80"},
	{"0x7f.1", "127.0.0.1:80"},
	{"0x7f.0.01", "127.0.0.1:80"},
	{"017700000001", "127.0.0.1:80"},
	{"0177.0.0.1", "127.0.0.1:80"},
	{"0177.0.0.01", "127.0.0.1:80"},
	{"0177.1", "127.0.0.1:80"},
	{"0177.0x1", "127.0.0.1:80"},
	{"00000177.0.0.1", "127.0.0.1:80"},
	{"0x000000000000007f.1", "127.0.0.1:80"},
	{"0000000000000000000000000000127.1", "87.0.0.1:80"},
	{"0251.0376.0251.0376", "169.254.169.254:80"},
	{"0xa9fea9fe", "169.254.169.254:80"},
	{"2852039166", "169.254.169.254:80"},
	{"0xa9.254.0251.0xfe", "169.254.169.254:80"},
	{"169.254.43518", "169.254.169.254:80"},
	{"169.16689662", "169.254.169.254:80"},
	{"192.168.257", "192.168.1.1:80"},
	{"0300.0250.1.1", "192.168.1.1:80"},
	{"3232235777", "192.168.1.1:80"},
	{"１２７.０.０.１", "127.0.0.1:80"},
	{"１２７。０．０｡１", "127.0.0.1:80"},
	{"①②⑦.⓪.⓪.①", "127.0.0.1:80"},
	{"①②⑦.0.0.1", "127.0.0.1:80"},
	{"𝟏𝟐𝟕.𝟎.𝟎.𝟏", "127.0.0.1:80"},
	{"０ｘ７ｆ.1", "127.0.0.1:80"},
	{"０Ｘｃ０．０２５０．０１", "192.168.0.1:80"},
	{"127。0。0。1", "127.0.0.1:80"},
	{"12\u00ad7.0.0.1", "127.0.0.1:80"},
	{"127.0.0.1\u200b", "127.0.0.1:80"},
	{"¹²⁷.0.0.1", "127.0.0.1:80"},

	// What ends in a number and is no IPv4 address.
	{"256", "0.0.1.0:80"},
	{"256.1", ""},
	{"256.256.256.256", ""},
	{"127.0.0.256", ""},
	{"127.0.256.1", ""},
	{"127.0.65536", ""},
	{"127.16777216", ""},
	{"4294967296", ""},
	{"0x100000000", ""},
	{"040000000000", ""},
	{"99999999999999999999999999", ""},
	{"1.2.3.4.5", ""},
	{"1.2.3.4.5.", ""},
	{"127.0.0.0.1", ""},
	{"example.1", ""},
	{"example.0x1", ""},
	{"example.0x", ""},
	{"foo.09", ""},
	{"08", ""},
	{"09.1", ""},
	{"127.0.0.08", ""},
	{"1..1", ""},
	{"127..1", ""},
	{".127.0.0.1", ""},
	{"127.0.0.1..", ""},
	{"0xg.1", ""},
	{"0x7g.0.0.1", ""},
	{"-1.1", ""},
	{"127.0.0.-1", "127.0.0.-1:80"}, // its last label is no number, so it is a name
	{"+127.0.0.1", ""},
	{"127.0.0.1e0", "127.0.0.1e0:80"},
	{"1.0x1p4", "1.0x1p4:80"},
	{"127.0.0.1 ", ""},
	{"127.0.0.1\x00", ""},
	{"127.0.0.1/8", ""},

	// IPv6.
	{"[::1]", "[::1]:80"},
	{"[::1]:443", "[::1]:443"},
	{"[0:0:0:0:0:0:0:1]", "[::1]:80"},
	{"[0000:0000:0000:0000:0000:0000:0000:0001]", "[::1]:80"},
	{"[::]", "[::]:80"},
	{"[2001:DB8::A]", "[2001:db8::a]:80"},
	{"[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]:80"},
	{"[::127.0.0.1]", "[::7f00:1]:80"},
	{"[::7f00:1]", "[::7f00:1]:80"},
	{"[::ffff:127.0.0.1]", "127.0.0.1:80"},
	{"[::ffff:7f00:1]", "127.0.0.1:80"},
	{"[::FFFF:7F00:1]:8080", "127.0.0.1:8080"},
	{"[0:0:0:0:0:ffff:127.0.0.1]", "127.0.0.1:80"},
	{"[0:0:0:0:0:FFFF:a9fe:a9fe]", "169.254.169.254:80"},
	{"[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]:80"},
	{"[fe80::1]", "[fe80::1]:80"},
	{"[::ffff:0:127.0.0.1]", "[::ffff:0:7f00:1]:80"},

	// IPv6 that is none.
	{"::1", ""},
	{"::1:80", ""},
	{"::ffff:127.0.0.1", ""},
	{"[::1", ""},
	{"::1]", ""},
	{"[", ""},
	{"[]", ""},
	{"[]:80", ""},
	{"[:]", ""},
	{"[:::]", ""},
	{"[::1%25lo]", ""},
	{"[::1%lo]", ""},
	{"[::1%]", ""},
	{"[fe80::1%eth0]", ""},
	{"[::ffff:127.0.0.1%1]", ""},
	{"[127.0.0.1]", ""},
	{"[localhost]", ""},
	{"[example.com]", ""},
	{"[v1.fe80::a]", ""},
	{"[1:2:3:4:5:6:7]", ""},
	{"[1:2:3:4:5:6:7:8:9]", ""},
	{"[12345::]", ""},
	{"[::g]", ""},
	{"[1::2::3]", ""},
	{"[::127.0.0.256]", ""},
	{"[::127.0.0]", ""},
	{"[::127.0.0.01]", ""},
	{"[::0x7f.0.0.1]", ""},
	{"[ ::1]", ""},
	{"[::1 ]", ""},
	{"[::1]x", ""},
	{"[::1].example", ""},
	{"[::1][::2]", ""},
	{"[[::1]]", ""},
	{"x[::1]", ""},
	{"[::１]", ""},
	{"[::1]80", ""},

	// Ports.
	{"example.com:1", "example.com:1"},
	{"example.com:65535", "example.com:65535"},
	{"example.com:080", "example.com:80"},
	{"example.com:0000080", "example.com:80"},
	{"example.com:", "example.com:80"},
	{"[::1]:", "[::1]:80"},
	{"example.com:0", ""},
	{"example.com:00", ""},
	{"example.com:65536", ""},
	{"example.com:65616", ""}, // 80 in 16 bits
	{"example.com:4294967376", ""},
	{"example.com:18446744073709551696", ""},
	{"example.com:-1", ""},
	{"example.com:+80", ""},
	{"example.com: 80", ""},
	{"example.com:80 ", ""},
	{"example.com:80\t", ""},
	{"example.com:8 0", ""},
	{"example.com:8_0", ""},
	{"example.com:0x50", ""},
	{"example.com:8e1", ""},
	{"example.com:８０", ""},
	{"example.com:http", ""},
	{"example.com:80:80", ""},
	{"example.com:80/", ""},
	{"example.com::80", ""},
	{"[::1]:65536", ""},
	{"[::1]::80", ""},
	{"example.com:80@127.0.0.1", ""},
	{"example.com:80#@127.0.0.1:80", ""},
}

func TestCanonical(t *testing.T) {
	for _, c := range canonicalForms {
		got, err := Canonical(c.in, 80)
		if c.want == "" {
			if err == nil {
				t.Errorf("%q is %q, want an error", c.in, got)
			} else if !errors.Is(err, ErrBadHost) {
				t.Errorf("%q: %v does not wrap ErrBadHost", c.in, err)
			} else if got != (Target{}) {
				t.Errorf("%q: a target %q comes with the error", c.in, got)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%q is %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestCanonicalWithoutDefaultPortWantsOne(t *testing.T) {
	for _, in := range []string{"example.com", "example.com:", "127.0.0.1", "[::1]", "[::1]:"} {
		if got, err := Canonical(in, 0); !errors.Is(err, ErrBadHost) {
			t.Errorf("%q is %q, %v, want ErrBadHost", in, got, err)
		}
	}
}

func TestHostHeaderLeavesTheDefaultPortOut(t *testing.T) {
	for _, c := range []struct {
		in, want string
		port     uint16
	}{
		{"Example.com:80", "example.com", 80},
		{"example.com:80", "example.com:80", 443},
		{"[::1]:443", "[::1]", 443},
		{"[::1]:8080", "[::1]:8080", 80},
		{"127.1:80", "127.0.0.1", 80},
	} {
		target, err := Canonical(c.in, 0)
		if got := target.HostHeader(c.port); err != nil || got != c.want {
			t.Errorf("Host for %q at port %d is %q, %v, want %q", c.in, c.port, got, err, c.want)
		}
	}
}

func TestErrorsDoNotNameTheHost(t *testing.T) {
	for _, in := range []string{"secret.example:99999", "se cret.example", "[secret]", "secret.1", "xn--secret-"} {
		if _, err := Canonical(in, 80); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error is %v", in, err)
		}
	}
}

// FuzzCanonical holds that a canonical form is its own canonical form, that
// it agrees with the standard library on addresses, and that it has no octet
// that two readers could take differently.
func FuzzCanonical(f *testing.F) {
	for _, c := range canonicalForms {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		target, err := Canonical(in, 80)
		if err != nil {
			if target != (Target{}) || !errors.Is(err, ErrBadHost) {
				t.Fatalf("%q: target %v, error %v", in, target, err)
			}
			return
		}
		again, err := Canonical(target.String(), 0)
		if err != nil || again != target {
			t.Fatalf("%q is %q, which is %q, %v", in, target, again, err)
		}
		if trailing, err := Canonical(target.Host+".", target.Port); !target.Addr.Is6() && (err != nil || trailing != target) {
			t.Fatalf("%q and the same with a dot differ: %v, %v", target.Host, trailing, err)
		}
		addr, err := netip.ParseAddr(target.Host)
		if (err == nil) != target.Addr.IsValid() || err == nil && addr != target.Addr {
			t.Fatalf("%q: host %q, address %v, parsed %v", in, target.Host, target.Addr, addr)
		}
		if target.Addr.Is4In6() || target.Addr.Zone() != "" || target.Port == 0 {
			t.Fatalf("%q: %v is not canonical", in, target)
		}
		if strict, err := netip.ParseAddrPort(in); err == nil && strict.Addr().Zone() == "" && strict.Port() != 0 {
			if want := netip.AddrPortFrom(strict.Addr().Unmap(), strict.Port()); want.String() != target.String() {
				t.Fatalf("%q is %q, netip says %q", in, target, want)
			}
		}
		for i := range len(target.Host) {
			if c := target.Host[i]; c >= 0x80 || c <= ' ' || strings.ContainsRune("%@/\\?#[]<>\"'`{}|^~", rune(c)) || c >= 'A' && c <= 'Z' {
				t.Fatalf("%q: host %s has an octet of another kind", in, strconv.Quote(target.Host))
			}
		}
	})
}
