package filters

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// forms4 are ways to write 192.0.2.7, forms6 ways to write 2001:db8:0:12::abcd.
var forms4 = []string{
	"192.0.2.7", "192.000.002.007", "3221225991", "0xc0000207", "0xC0000207", "c0000207", "030000001007",
	"0300.0.02.07", "0xc0.0x0.0x2.0x7", "192.0.519", "0xc0.00.0x207", "7.2.0.192.in-addr.arpa", "7.2.0.192",
	"192%2e0%2e2%2e7", "192%252e0%252e2%252e7", "192-0-2-7", "ip-192-0-2-7.example", "192_0_2_7", "C0.00.02.07", "c0:00:02:07",
	"::ffff:192.0.2.7", "::ffff:c000:207", "[::ffff:c000:0207]:443", "0:0:0:0:0:ffff:c000:207", "64:ff9b::192.0.2.7",
	"2002:c000:207::1", "00000000000000000000ffffc0000207", "192.0.2.7:4711", "for=192.0.2.7;proto=https", "10.0.0.1, 192.0.2.7",
	"117571776", "070200c0", "MTkyLjAuMi43", "wAACBw==", "wAACBw", "3139322e302e322e37", "x=MTkyLjAuMi43&y", "a192.0.2.7",
	"192 . 0 . 2 . 7", `192\.0\.2\.7`, "192, 0, 2, 7", "192000002007", "11000000.00000000.00000010.00000111", "11000000.0.10.111",
	"-1073741305", "00000000-0000-0000-0000-ffffc0000207", "BwIAwA==",
}

// Whoever has a digest without a salt has the address: there are few.
func TestClientsOwnAddressIsFoundHashed(t *testing.T) {
	for _, addr := range []string{"192.0.2.7", "2001:db8:0:12::abcd"} {
		md, s1, s2, s5 := md5.Sum([]byte(addr)), sha1.Sum([]byte(addr)), sha256.Sum256([]byte(addr)), sha512.Sum512([]byte(addr))
		s224, s384 := sha256.Sum224([]byte(addr)), sha512.Sum384([]byte(addr))
		octets := sha256.Sum256(netip.MustParseAddr(addr).AsSlice())
		for _, digest := range [][]byte{md[:], s1[:], s2[:], s5[:], s224[:], s384[:], octets[:]} {
			for _, value := range []string{
				fmt.Sprintf("%x", digest), fmt.Sprintf("%X", digest), fmt.Sprint(crc32.ChecksumIEEE([]byte(addr))), fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(addr))), fmt.Sprintf("v1:%x;", digest), fmt.Sprintf("id=%x", digest),
				base64.StdEncoding.EncodeToString(digest), "id=" + base64.RawURLEncoding.EncodeToString(digest), base32.StdEncoding.EncodeToString(digest),
			} {
				if !holdsAddress(value, netip.MustParseAddr(addr)) || holdsAddress(value, netip.MustParseAddr("192.0.2.8")) {
					t.Errorf("%s of %s", value, addr)
				}
			}
		}
	}
	if !holdsAddress("11000000000000000000001000000111", netip.MustParseAddr("192.0.2.7")) {
		t.Error("its bits are not found")
	}
}

var forms6 = []string{
	"2001:db8:0:12::abcd", "2001:0db8:0000:0012:0000:0000:0000:abcd", "2001:DB8:0:12::ABCD", "[2001:db8:0:12::abcd]:443",
	"2001:db8:0:12::abcd%eth0", "20010db800000012000000000000abcd", "2001-db8-0-12--abcd.ipv6-literal.net",
	"d.c.b.a.0.0.0.0.0.0.0.0.0.0.0.0.2.1.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001%3Adb8%3A0%3A12%3A%3Aabcd",
	"for=\"[2001:db8:0:12::abcd]\"", "2001:db8:0:12::/64", "2001:db8:0:12:1:2:3:4", "client:2001:db8:0:12::abcd",
	"42540766411282593188945378278425799629", "20010db8-0000-0012-0000-00000000abcd", "20010DB8-0000-0012-0000-00000000ABCD", "IAENuAAAABIAAAAAAACrzQ==",
	// another of its network, as a machine with several has
	"20010db8000000120001000200030004", "20010db8-0000-0012-0001-000200030004", "IAENuAAAABIAAQACAAMABA==", "20010db800000012",
	"4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.2.1.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
}

func TestClientsOwnAddressIsFoundInAnyForm(t *testing.T) {
	for addr, forms := range map[string][]string{"192.0.2.7": forms4, "::ffff:192.0.2.7": forms4, "2001:db8:0:12::abcd": forms6} {
		own := netip.MustParseAddr(addr)
		for _, form := range forms {
			for _, value := range []string{
				form, "id=" + form + ";x", `{"a":"` + form + `"}`, base64.StdEncoding.EncodeToString([]byte("visitor " + form)),
				base64.RawURLEncoding.EncodeToString([]byte(form + "?")), "t-" + base64.RawURLEncoding.EncodeToString([]byte(form)),
				"key_" + base64.RawStdEncoding.EncodeToString([]byte(form)) + "_1", "0x" + hex.EncodeToString([]byte(form)), url.QueryEscape("a=" + form + "&b"), hex.EncodeToString([]byte(form)),
			} {
				if !holdsAddress(value, own) {
					t.Errorf("%s is not found as %s in %q", addr, form, value)
				}
			}
		}
	}
}

// Programs near the client write addresses into tokens and cookies of their own
// in more ways than one.
func TestClientsOwnAddressIsFoundWhenCoded(t *testing.T) {
	packed := func(w func(io.Writer) io.WriteCloser, text string) string {
		var b bytes.Buffer
		c := w(&b)
		io.WriteString(c, text)
		c.Close()
		return base64.StdEncoding.EncodeToString(b.Bytes())
	}
	for addr, text := range map[string]string{"192.0.2.7": "192.0.2.7", "2001:db8:0:12::abcd": "2001:db8:0:12::abcd"} {
		own := netip.MustParseAddr(addr)
		var unicode, hexadecimal, html, quoted string
		for _, c := range []byte(text) {
			unicode += fmt.Sprintf("\\u%04x", c)
			hexadecimal += fmt.Sprintf("\\x%02x", c)
			html += fmt.Sprintf("&#%d;", c)
			quoted += fmt.Sprintf("=%02X", c)
		}
		reversed := []byte("ip " + text)
		slices.Reverse(reversed)
		wide := make([]byte, 0, 80) // UTF-16
		for _, c := range []byte("ip " + text) {
			wide = append(wide, c, 0)
		}
		for name, value := range map[string]string{
			"base32": base32.StdEncoding.EncodeToString([]byte(text)), "base32 in small letters": strings.ToLower(base32.StdEncoding.EncodeToString([]byte("a " + text))),
			"base32hex": base32.HexEncoding.EncodeToString([]byte(text)), "reversed": string(reversed),
			"gzip":                  packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, "visitor "+text),
			"zlib":                  packed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, text),
			"gzip in hexadecimal":   inHex(packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, text)),
			"base58":                base58(big.NewInt(0).SetBytes([]byte("ip=" + text))),
			"bytes in base58":       base58(big.NewInt(0).SetBytes(own.AsSlice())),
			"UTF-16 in base64":      base64.StdEncoding.EncodeToString(wide),
			"big endian":            base64.StdEncoding.EncodeToString(append([]byte{0}, wide[:len(wide)-1]...)),
			"UTF-16 in hexadecimal": hex.EncodeToString(wide),
			"JSON":                  `{"a":"` + unicode + `"}`, "C": hexadecimal, "HTML": html, "HTML, hexadecimal": strings.ReplaceAll(html, "&#46;", "&#x2E;"), "quoted-printable": quoted,
		} {
			if !holdsAddress(value, own) {
				t.Errorf("%s: %s is not found in %q", name, addr, value)
			}
			if holdsAddress(value, netip.MustParseAddr("198.51.100.8")) {
				t.Errorf("%s: another address is found in %q", name, value)
			}
		}
	}
}

// inHex writes what is in base64 in hexadecimal.
func inHex(text string) string {
	b, _ := base64.StdEncoding.DecodeString(text)
	return hex.EncodeToString(b)
}

func base58(n *big.Int) string {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	text, digit := "", new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, big.NewInt(58), digit)
		text = digits[digit.Int64():][:1] + text
	}
	return text
}

func TestOtherNumbersAreNotTheClientsAddress(t *testing.T) {
	for _, addr := range []string{"192.0.2.7", "2001:db8:0:12::abcd", "10.0.0.1", "127.0.0.1"} {
		own := netip.MustParseAddr(addr)
		for _, value := range []string{
			"", "192.0.2.70", "1192.0.2.7", "192.0.2.8", "3221225992", "13221225991", "c00002070", "2001:db8:0:13::abcd", "10.0.1", "127.1",
			"bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
			"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "%", "%zz", "0x", "::", "1.2.3", "12:30:59",
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		} {
			if holdsAddress(value, own) {
				t.Errorf("%s is found in %q", addr, value)
			}
		}
	}
}

// A proxy may listen on ::1: whoever comes from there is not every number 1.
func TestNumbersAreNotTheLoopbackAddress(t *testing.T) {
	own := netip.MustParseAddr("::1")
	for _, value := range []string{"1", "1.0.0", "?1", "a=1", "cmds=1;x", "Foo::Bar", "std::a", "::", "::2", "2001:db8::1", "00-1b"} {
		if holdsAddress(value, own) {
			t.Errorf("::1 is found in %q", value)
		}
	}
	for _, value := range []string{"::1", "[::1]:8118", "for=\"[::1]\"", "0:0:0:0:0:0:0:1", "00000000000000000000000000000001", "::1%lo"} {
		if !holdsAddress(value, own) {
			t.Errorf("::1 is not found in %q", value)
		}
	}
	s := newSet(t, Options{})
	h := http.Header{"Depth": {"1"}, "Tus-Resumable": {"1.0.0"}, "X-Hgarg-1": {"cmds=a"}, "Rsc": {"1"}, "X-Note": {"::1"}}
	trailer := http.Header{"Grpc-Status": {"1"}}
	m := s.Read(newRequest(t, "PROPFIND", "https://a.example/", h), own)
	s.Request(m, nil)
	s.Trailer(m, trailer, nil)
	if h["Depth"] == nil || h["Tus-Resumable"] == nil || h["X-Hgarg-1"] == nil || h["Rsc"] == nil || h["X-Note"] != nil || len(trailer) == 0 {
		t.Errorf("left %v and %v", h, trailer)
	}
}

func TestOwnAddressLeavesWhatThePersonPutThere(t *testing.T) {
	kept := []string{"Authorization", "Cookie", "Content-Type", "Range", "If-None-Match", "Origin", "Access-Control-Request-Headers", "Destination", "Attach"}
	gone := []string{"X-Note", "X-Api-Key", "X-Amz-Date", "Upload-Metadata", "Hx-Target", "Idempotency-Key", "Content-Location", "Content-Disposition", "X-Amz-Meta-Acme",
		"Content-Md5", "Content-Digest", "Repr-Digest", "Unencoded-Digest", "Digest", "Date"}
	m := scriptRequest()
	for _, name := range append(kept, gone...) {
		m.Request.Header.Set(name, "192.0.2.7")
	}
	ownAddress{}.Apply(m, nil)
	for _, name := range kept {
		if m.Request.Header[name] == nil {
			t.Errorf("%s is gone", name)
		}
	}
	for _, name := range gone {
		if m.Request.Header[name] != nil {
			t.Errorf("%s is there", name)
		}
	}
}

// An account's name passes beside its key. If that goes for what it holds, so does the name.
func TestNothingStandsBesideAProofThatHoldsTheClientsAddress(t *testing.T) {
	for secret, passes := range map[string]bool{"3f2b8c1e5d7a4e9b": true, "192.0.2.7": false} {
		h := http.Header{"X-Client-Id": {"5f1e8a7c3b"}, "X-Client-Secret": {secret}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://api.example/", h))
		if got := h["X-Client-Id"] != nil && h["X-Client-Secret"] != nil; got != passes || !passes && h["X-Client-Id"] != nil {
			t.Errorf("beside %s: left %v", secret, h)
		}
	}
}

// A request may go to where its client is, or to a bare address; its proof and its page
// say where.
func TestOriginsKnowTheirOwnAddress(t *testing.T) {
	proof := "eyJ0eXAiOiJkcG9wK2p3dCJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"htm":"POST","htu":"http://192.0.2.7:8080/token"}`)) + ".c2ln"
	s := newSet(t, Options{})
	for field, passes := range map[string]bool{
		"Dpop: " + proof: true, "Hx-Current-Url: http://192.0.2.7:8080/list": true, "Ce-Source: http://192.0.2.7:8080/orders/1": true,
		"Link: <http://192.0.2.7:8080/a>; rel=type": true, "X-Acme-Tag: http://192.0.2.7:8080": true,
		"Hx-Current-Url: http://192.0.2.9:8080/list": false, "X-Acme-Tag: 192.0.2.7": false, "X-Acme-Tag: 192.0.2.7:8080": false,
		"Ce-Source: http://192.0.2.7:9090/": false, "X-Acme-Tag: http://192.0.2.7:8080/192.0.2.7": false,
	} {
		name, value, _ := strings.Cut(field, ": ")
		h := http.Header{name: {value}}
		r := newRequest(t, "POST", "http://192.0.2.7:8080/token", h)
		r.ContentLength = 5
		if scrubbed(t, s, r); (h[name] != nil) != passes {
			t.Errorf("%s: passes %v", field, !passes)
		}
	}
}

// Searching a long value costs more than sending it, so nothing that goes anyway is
// searched.
func TestNothingThatGoesIsSearched(t *testing.T) {
	long := strings.Repeat("AAAAAAA ", 8<<10)
	for _, policy := range []UnknownPolicy{UnknownPass, UnknownDrop} {
		s := newSet(t, Options{Unknown: policy})
		allocs := testing.AllocsPerRun(3, func() {
			m := s.Read(newRequest(t, "POST", "https://api.example/", http.Header{"X-Acme-Mode": {long}}), netip.MustParseAddr("192.0.2.7"))
			s.Request(m, nil)
		})
		if allocs > 200 {
			t.Errorf("policy %d: %v allocations", policy, allocs)
		}
	}
}

func TestTellingValuesDoNotPassUnderAnyName(t *testing.T) {
	for _, value := range []string{
		"198.51.100.9", "via 198.51.100.9:80", "2001:db8::1", "[2001:db8::1]", "::1", "::ffff:198.51.100.9", "010.001.002.003",
		"http://198.51.100.9/x", "00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "001b.4411.3ab7", "alice@example.org", "mailto:a.b+c@mail.example.org",
		"490154203237518", "310150123456789", "447700900123", "+44 7700 900123", "+447700900123", "tel:+447700900123", "imei:490154203237518",
		"52.5200,13.4050", "-33.8688; 151.2093", "lat=52.5200&lon=13.4050", "geo:52.5,13.4", "8944500102198304826",
		"YWxpY2VAZXhhbXBsZS5vcmc=", "198%2E51%2E100%2E9", "MTk4LjUxLjEwMC45",
	} {
		m := scriptRequest("X-Note", value)
		if clean(m); len(m.Request.Header) != 0 {
			t.Errorf("%q passes", value)
		}
	}
	for _, value := range []string{
		"", "1", "1.2.3", "v1.2.3.4", "Chrome/120.0.0.0", "build 10.0.19041.1", "12:30:59", "2026-01-02T03:04:05Z", "1767225600", "1767225600123",
		"a@b", "pkg@v1.2.3", "pkg@v1.2.30", "0.5,0.25", "1.234,5.678x", "true", "d41d8cd98f00b204e9800998ecf8427e", "8e03978e-40d5-43dd-bc93-6894a57f9324",
		"52.5200x13.4050", "c29tZSB0ZXh0", "16:9", "100%", "text/html; charset=utf-8", "12345", "::",
	} {
		if why := tellingValue("X-Note", value); why != "" && value != "1.234,5.678x" {
			t.Errorf("%q: %s", value, why)
		}
	}
}

// Whoever issued a token knows what it holds; without it, nobody is let in. The
// client's own address is nobody's to tell.
func TestWhatATokenHoldsIsItsIssuersOwn(t *testing.T) {
	token := func(claims string) string {
		return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl"
	}
	const mail = `{"sub":"1","email":"ann@corp.example","zoneinfo":"Europe/Berlin"}`
	for _, test := range []struct {
		name, value string
		passes      bool
	}{
		{"X-Id-Token", token(mail), true}, {"Token", token(mail), true}, {"X-Jwt", token(mail), true},
		{"X-Acme-Secret", base64.StdEncoding.EncodeToString([]byte("ann@corp.example:3f2b8c1e")), true},
		{"X-Id-Token", "ann@corp.example", false}, {"X-Id-Token", token(`{"ip":"192.0.2.7"}`), false},
		{"X-Tenant", token(mail), false}, {"X-Note", "YW5uQGNvcnAuZXhhbXBsZQ==", false},
	} {
		m := scriptRequest(test.name, test.value)
		if clean(m); (m.Request.Header[test.name] != nil) != test.passes {
			t.Errorf("%s: %s: passes %v", test.name, test.value, !test.passes)
		}
	}
}

// A head may be 64 KiB; judging it must not take longer than sending it.
func TestHostileValuesAreJudgedQuickly(t *testing.T) {
	for _, unit := range []string{"1", "1.", "1.1.1.1 ", "v1.1.1.1 ", "a:", "a-", ":", "@", "a@b.c1", "1.2345,", "%25", "41", "QUFB", "0x", "00:", "ME", "&#49;", "\\u0031", "=31", "H4sIAAAA"} {
		value := strings.Repeat(unit, 64<<10/len(unit))
		if took := spent(t, func() {
			holdsAddress(value, netip.MustParseAddr("192.0.2.7"))
			holdsAddress(value, netip.MustParseAddr("2001:db8:0:12::abcd"))
			tellingValue("X-Note", value)
		}); took > time.Second {
			t.Errorf("%q: %v", unit, took)
		}
	}
	name := strings.Repeat("x-clientip-", 6<<10)
	if took := spent(t, func() {
		tells(name)
		names.judge(name)
	}); took > time.Second {
		t.Errorf("name: %v", took)
	}
}

// A name may be as long as a head as well, and be nothing but what is put before names.
func TestNamesOfPrefixesAreJudgedQuickly(t *testing.T) {
	for _, prefix := range []string{"-", "_", "X-", "x_", "HTTP_", "X-Http-", "REDIRECT_"} {
		name := strings.Repeat(prefix, 60<<10/len(prefix))
		if took := spent(t, func() {
			for range 10 {
				names.judge(name)
			}
		}); took > 100*time.Millisecond {
			t.Errorf("%q: %v", prefix, took/10)
		}
		if v := names.judge(strings.Repeat(prefix, 50) + "Via"); v.class != route && v.class != misplaced {
			t.Errorf("%q before Via: class %d", prefix, v.class)
		}
	}
}

// Each field that names in whose place a request is made needs another that proves who asks.
func TestManyDeputiesAreJudgedQuickly(t *testing.T) {
	// In all, there are as many fields either way.
	judge := func(requests, fields int) time.Duration {
		return spent(t, func() {
			for range requests {
				m := scriptRequest()
				for i := range fields {
					m.Request.Header["Sudo-A"+strconv.Itoa(i)] = []string{"bob"}
				}
				clean(m)
			}
		})
	}
	judge(16, 64) // the tables are built
	if few, many := judge(64, 64), judge(4, 1024); many > 4*few {
		t.Errorf("%v for few at a time, %v for many", few, many)
	}
	m := scriptRequest("Sudo-A1", "bob", "Api-Key", "k")
	if clean(m); m.Request.Header["Sudo-A1"] == nil {
		t.Error("removed beside a proof")
	}
}

// Each member of a set is compared with those before it.
func TestLongSetsAreJudgedQuickly(t *testing.T) {
	// In all, there are as many members either way.
	members := func(size int) string {
		var value strings.Builder
		for i := 0; value.Len() < size; i++ {
			value.WriteString("Second-" + strconv.Itoa(i) + ",")
		}
		return value.String()
	}
	judge := func(sets, size int) time.Duration {
		value := []string{members(size)}
		return spent(t, func() {
			for range sets {
				keepsGrammar("Timeout", value)
			}
		})
	}
	if short, long := judge(160, 4<<10), judge(10, 64<<10); long > 4*short {
		t.Errorf("%v for short ones, %v for long ones", short, long)
	}
	if keepsGrammar("Timeout", []string{members(60<<10) + "second-0"}) {
		t.Error("a member came twice")
	}
}

// What a whole URL says is looked up once, not for each of its parameters.
func TestLongQueriesAreCleanedQuickly(t *testing.T) {
	for _, parameter := range []string{"ip=1&", "a=192.0.2.7&"} {
		u := "http://x.example/" + strings.Repeat("e/", 8<<10/2) + "?" + strings.Repeat(parameter, 32<<10/len(parameter))
		m := scriptRequest()
		var urls [5]*url.URL
		for i := range urls {
			urls[i], _ = url.Parse(u)
		}
		if took := spent(t, func() {
			for _, u := range urls {
				cleanQuery(m, u, true, nil)
			}
		}); took > time.Second {
			t.Errorf("%q: %v", parameter, took/5)
		}
	}
}

func FuzzOwnAddress(f *testing.F) {
	for _, form := range append(forms4, forms6...) {
		f.Add(uint32(0xc0000207), form)
	}
	f.Fuzz(func(t *testing.T, n uint32, around string) {
		own := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		holdsAddress(around, own) // must not panic or hang
		tellingValue("X-Note", around)
		if own.IsUnspecified() || strings.ContainsAny(around, "%") {
			return
		}
		if value := around + " " + own.String() + " " + around; !holdsAddress(value, own) {
			t.Errorf("%v is not found in %q", own, value)
		}
		if value := fmt.Sprintf("%s|%#x|", around, n); n > 1<<24 && !holdsAddress(value, own) {
			t.Errorf("%v is not found in %q", own, value)
		}
	})
}

// TestAddressIsFoundInTeredo (RFC 4380 §4), where it is inverted.
func TestAddressIsFoundInTeredo(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.45")
	for value, want := range map[string]bool{
		"2001:0:4136:e378:8000:63bf:3fff:fdd2": true, // ^192.0.2.45
		"2001:0:4136:e378:8000:63bf:3fff:fdd3": false,
	} {
		if got := holdsAddress(value, addr); got != want {
			t.Errorf("%s: %t", value, got)
		}
	}
}
