package filters

import (
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func TestCompoundsAreTakenApart(t *testing.T) {
	for name, want := range map[string]string{
		"X-Clientip": "x client ip", "Xclientip": "x client ip", "X-ClientIP": "x client ip", "acme_deviceId": "acme device id",
		"Userid": "user id", "X-Shipping": "x shipping", "IPv6": "ipv", "Remoteaddr2": "remote addr", "": "",
	} {
		if got := strings.Join(splitWords(nil, name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestWordsThatOnlyLookTelling(t *testing.T) {
	for _, name := range []string{"X-Shipping", "X-Description", "X-Grid", "X-Recipe", "X-Video", "X-Zipped", "X-Script", "X-Platform-Token",
		"X-Relation", "X-Translation", "X-Trip", "X-Valid", "X-Macro", "X-Viable", "X-Geometry", "X-Adapter", "X-Addition", "X-Hosting"} {
		if w := tells(name); w >= weak {
			t.Errorf("%s weighs %d", name, w)
		}
	}
}

func TestWordsThatHoldACredential(t *testing.T) {
	for name, want := range map[string]weight{"X-Keyboard": weak, "X-Keycard": weak, "X-Bypass": neutral, "X-Passkey": credential, "X-Skypetoken": credential} {
		if got := tells(name); got != want {
			t.Errorf("%s weighs %d, want %d", name, got, want)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"X-Clientip", "HTTP_VIA", "x_y", "--", "é", "", strings.Repeat("ip", 40)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		tells(name)
		for _, letter := range []byte(name) {
			if letter >= 0x80 {
				return // no field name
			}
		}
		want := names.judge(name).class
		for _, spelled := range []string{strings.ToUpper(name), strings.ToLower(name), textproto.CanonicalMIMEHeaderKey(name)} {
			if got := names.judge(spelled).class; got != want {
				t.Errorf("%q is of class %d, %q of %d", name, want, spelled, got)
			}
		}
		if joined := strings.Join(splitWords(nil, name), ""); len(joined) > len(name) {
			t.Errorf("%q has the words %q", name, slices.Collect(strings.SplitSeq(joined, "")))
		}
	})
}
