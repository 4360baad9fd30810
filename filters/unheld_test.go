package filters

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// TestFieldsOfFetchMetadataAreTheStandards: of a name that browsers may send one day,
// or somebody made up, nothing passes; nor is of a site's frames said that they have no
// cookies where they have.
func TestFieldsOfFetchMetadataAreTheStandards(t *testing.T) {
	s := newSet(t, Options{Cookies: CookiesPass})
	image := http.Header{"Sec-Fetch-Dest": {"image"}, "Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"cross-site"}, "User-Agent": {"Mozilla/5.0"}}
	for cookie, want := range map[string]string{"": "none", "a=b": ""} {
		h := image.Clone()
		if cookie != "" {
			h["Cookie"] = []string{cookie}
		}
		m := s.Read(newRequest(t, "GET", "https://cdn.example/a.png", h), netip.Addr{})
		s.Request(m, nil)
		if got := m.Request.Header.Get("Sec-Fetch-Storage-Access"); got != want {
			t.Errorf("with the cookie %q, Sec-Fetch-Storage-Access is %q", cookie, got)
		}
	}
	m := s.Read(newRequest(t, "GET", "https://api.example/", http.Header{"Accept": {"application/json"}, "Sec-Fetch-Visitor": {"?1"}}), netip.Addr{})
	s.Request(m, nil)
	if got := m.Request.Header["Sec-Fetch-Visitor"]; got != nil {
		t.Errorf("Sec-Fetch-Visitor passes: %q", got)
	}
}

// TestClaimsThatDifferAreTheStrictest: on a page, where a missing claim would have
// others decide.
func TestClaimsThatDifferAreTheStrictest(t *testing.T) {
	h := http.Header{"Sec-Fetch-Site": {"same-origin", "none"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"*/*"}}
	v := newSet(t, Options{}).Read(newRequest(t, "GET", "https://shop.example/", h), netip.Addr{}).Visit
	if !v.ThirdParty {
		t.Error("a request that says two things of its site is a first party's")
	}
}

// TestNoSettingIsALongNumber: whatever its name counts, a number of more than twenty
// digits names a visitor.
func TestNoSettingIsALongNumber(t *testing.T) {
	for value, want := range map[string]bool{
		"12345": true, "20261126103000": true, strings.Repeat("7", 20): true, strings.Repeat("7", 21): false, strings.Repeat("7", 40): false,
	} {
		if got := isSetting("X-Total-Count", value); got != want {
			t.Errorf("%s: %t", value, got)
		}
	}
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
