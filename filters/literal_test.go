package filters

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plainly says of text what [holdsQuad] says, in the order of its rules and not in that
// in which they are quick.
func plainly(text string, b [4]byte) bool {
	for i := range len(text) {
		if isHex(text[i]) && !(i > 0 && isDigit(text[i-1]) && isDigit(text[i])) && plainlyAt(text[i:], b) {
			return true
		}
	}
	return false
}

func plainlyAt(text string, b [4]byte) bool {
	var room [4]string
	parts := room[:cutParts(text, &room)]
	are := func(want ...uint64) bool {
		return len(parts) >= len(want) && !slices.ContainsFunc([]int{0, 1, 2, 3}[:len(want)], func(i int) bool {
			return !slices.Contains(meanings(parts[i]), want[i])
		})
	}
	b0, b1, b2, b3 := uint64(b[0]), uint64(b[1]), uint64(b[2]), uint64(b[3])
	switch {
	case len(parts) == 0:
		return false
	case len(parts[0]) == 12 && netip.AddrFrom4(b).String() == unpad(parts[0][:3]+"."+parts[0][3:6]+"."+parts[0][6:9]+"."+parts[0][9:]):
		return true
	case len(parts) == 1:
		return len(parts[0]) > 6 && are(b0<<24|b1<<16|b2<<8|b3)
	case len(parts) == 4 && (are(b0, b1, b2, b3) || are(b3, b2, b1, b0)):
		return true
	case len(parts) >= 3 && b2 > 0 && slices.Contains(meanings(parts[2]), b2<<8|b3):
		return are(b0, b1)
	}
	return b1|b2 > 0 && are(b0, b1<<16|b2<<8|b3)
}

// meanings are the numbers that part may be.
func meanings(part string) (list []uint64) {
	for base, may := range map[int]bool{2: true, 8: len(part) > 1 && part[0] == '0', 10: true, 16: len(part)%2 == 0} {
		if n, err := strconv.ParseUint(part, base, 64); may && err == nil {
			list = append(list, n)
		}
	}
	if digits, marked := strings.CutPrefix(part, "0x"); marked {
		if n, err := strconv.ParseUint(digits, 16, 64); err == nil {
			list = append(list, n)
		}
	}
	return list
}

func TestQuadsAreFoundAsTheirRulesSay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"1", "01", "0x1", "0", "00", "2", "10", "0x0a", "0a", "012", "1010", "258", "0x102", "0402", "65794", "16909060", "0x01020304", "001002003004", "1.2.3.4", "4.3.2.1", "100000010", "x", "g"}
	marks := []string{".", "..", "...", "....", ":", "-", " . ", "", ",", "/"}
	found := 0
	for range 200_000 {
		text := ""
		for range 1 + random.IntN(6) {
			text += parts[random.IntN(len(parts))] + marks[random.IntN(len(marks))]
		}
		b := [4]byte{byte(random.IntN(3)), byte(random.IntN(3)), byte(random.IntN(4)), byte(1 + random.IntN(10))}
		if b[0] == 1 {
			b = [4]byte{1, 2, 3, 4}
		}
		got, want := holdsQuad(text, b), plainly(text, b)
		if got != want {
			t.Fatalf("%v in %q: %t, want %t", b, text, got, want)
		}
		if got {
			found++
		}
	}
	if found < 1000 {
		t.Errorf("found %d", found)
	}
}

func FuzzQuads(f *testing.F) {
	for _, form := range forms4 {
		f.Add(uint32(0xc0000207), strings.ToLower(form))
	}
	f.Fuzz(func(t *testing.T, n uint32, text string) {
		b := [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		if got, want := holdsQuad(lowerASCII(text), b), plainly(lowerASCII(text), b); got != want {
			t.Errorf("%v in %q: %t, want %t", b, text, got, want)
		}
	})
}

// isGrouped is asked first, and must know every address.
func FuzzGrouped(f *testing.F) {
	for _, form := range forms6 {
		f.Add(form)
	}
	f.Add("1:2:3:4:5:6:7::")
	f.Add("::2:3:4:5:6:7:8")
	f.Add("1:2:3:4:5:6:1.2.3.4")
	f.Add("::2:3:4:5:6:1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := netip.ParseAddr(text); err == nil && a.Is6() && a.Zone() == "" && !isGrouped(text) {
			t.Errorf("%q is %v", text, a)
		}
	})
}
