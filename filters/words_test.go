package filters

import (
	"maps"
	"math/rand/v2"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func TestCompoundsAreTakenApart(t *testing.T) {
	for name, want := range map[string]string{
		"X-Clientip": "x client ip", "Xclientip": "x client ip", "X-ClientIP": "x client ip", "acme_deviceId": "acme device id",
		"X-Machinedomaininfo": "x machine domaininfo", "X-Userageclass": "x user age class", "Splitsdkmachinename": "splitsdk machine name", "X-Acmehousemobilepay": "x acmehousemobilepay", "X-Machinery": "x machinery", "X-Mobilepay-Version": "x mobilepay version",
		"Userid": "user id", "X-Shipping": "x shipping", "IPv6": "ipv", "Remoteaddr2": "remote addr", "": "",
	} {
		if got := strings.Join(splitWords(nil, name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// HTTP folds case: X-ScreenWidth and X-BuildNumber come as one word.
func TestWordsThatTellTogetherTellInOneWord(t *testing.T) {
	for _, name := range []string{"X-ScreenWidth", "ScreenHeight", "X-Architecture", "X-PhoneMake"} {
		if name = textproto.CanonicalMIMEHeaderKey(name); tells(name) != strong {
			t.Errorf("%s weighs %d, want %d", name, tells(name), strong)
		}
	}
	for _, pair := range tellingPairs {
		apart, compound := tells("X-"+pair[0]+"-"+pair[1]), tells("X-"+pair[0]+pair[1])
		if compound < apart {
			t.Errorf("%s and %s weigh %d together, %d in one word", pair[0], pair[1], apart, compound)
		}
	}
}

// fewest says of a word what [splitCompound] says, with each part looked up.
func fewest(word string) []string {
	if _, known := lexicon[word]; known {
		return []string{word}
	}
	best := make([][]string, len(word)+1)
	for i := 1; i <= len(word); i++ {
		for j := range i {
			if _, known := lexicon[word[j:i]]; !known || j > 0 && best[j] == nil || i-j < 2 && !(j == 0 && word[0] == 'x') {
				continue
			}
			if best[i] == nil || len(best[j])+1 < len(best[i]) {
				best[i] = append(slices.Clone(best[j]), word[j:i])
			}
		}
	}
	return best[len(word)]
}

func TestCompoundsAreTakenIntoTheFewestWords(t *testing.T) {
	words := slices.Sorted(maps.Keys(lexicon))
	words = slices.DeleteFunc(words, func(w string) bool { return strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" })
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		compound := ""
		for range 1 + random.IntN(4) {
			compound += words[random.IntN(len(words))]
		}
		if n := random.IntN(len(compound)); random.IntN(4) == 0 {
			compound = compound[n:]
		}
		if len(compound) > 48 {
			continue
		}
		if want := fewest(compound); want != nil && !slices.Equal(splitCompound(nil, compound), want) {
			t.Fatalf("%s: %q, want %q", compound, splitCompound(nil, compound), want)
		} else if got := splitCompound(nil, compound); want == nil && len(got) > 1 && !slices.Contains(compoundEnds, got[1]) {
			t.Fatalf("%s: %q, want none", compound, got)
		}
	}
}

// What is one word to one author is two to another.
func TestTellingWordsTellInTwo(t *testing.T) {
	for _, name := range []string{"X-Post-Code", "X-Given-Name", "X-Gamer-Tag", "X-Finger-Print", "X-Band-Width", "X-View-Port", "Page-View", "X-Ad-Block", "X-Log-On", "X-Signed-By",
		"Friendlyname.dlna.org", "X-Friendly-Name", "X-Licensed-To", "X-Build-Host",
		"X-Fw-Version", "X-Ab-Test", "Age-Signals", "X-Safari-Version"} {
		if tells(name) < weak {
			t.Errorf("%s weighs %d", name, tells(name))
		}
	}
	for _, name := range []string{"X-Account-Id", "X-Box-Shared-Link", "X-Open-Items"} {
		if tells(name) >= weak {
			t.Errorf("%s weighs %d", name, tells(name))
		}
	}
}

func TestWordsThatOnlyLookTelling(t *testing.T) {
	for _, name := range []string{"X-Shipping", "X-Description", "X-Grid", "X-Recipe", "X-Video", "X-Zipped", "X-Script", "X-Platform-Token",
		"X-Relation", "X-Translation", "X-Trip", "X-Valid", "X-Macro", "X-Viable", "X-Geometry", "X-Adapter", "X-Addition", "X-Hosting",
		"X-Customerrors", "X-Tabletype", "X-Usereplica", "X-Usereadreplica", "X-Userules", "X-Localendpoint", "X-Localexport", "X-Computeresult", "X-Browseresults", "X-Subscriberequest", "X-Metronome",
		"X-Exp", "X-Zone-Id", "X-Radiko-Areaid", "X-Area", "X-Dataset-Id", "X-Change-Set-Id", "X-Appsettings", "X-Activesync", "X-Textarea", "X-Group-Exp", "X-Code-Zone"} {
		if w := tells(name); w >= weak {
			t.Errorf("%s weighs %d", name, w)
		}
	}
}

func TestWordsThatHoldACredential(t *testing.T) {
	for name, want := range map[string]weight{"X-Keyboard": weak, "X-Keycard": weak, "X-Bypass": neutral, "X-Passkey": credential, "X-Skypetoken": credential,
		"X-Signed-In-As": weak, "X-Sign-In-Name": weak, "X-Key-Card": weak, "X-Signed-In-Token": credential, "X-Signed-Request": credential, "X-Passthrough": neutral} {
		if got := tells(name); got != want {
			t.Errorf("%s weighs %d, want %d", name, got, want)
		}
	}
}

// What gateways take from a token to tell of its owner (caddy-security, "inject headers with
// claims"; Istio, outputClaimToHeaders; Envoy, ext_authz) is no token.
func TestWhoIsBehindACredentialProvesNothing(t *testing.T) {
	for name, want := range map[string]weight{"X-Token-User": weak, "X-Token-User-Roles": weak, "X-Token-Subject": weak, "X-Jwt-Claim-Sub": weak,
		"X-Ext-Auth-User": weak, "X-Oauth-Login": weak, "X-Api-Key-Owner": weak,
		"X-Auth-Department": weak, "X-Auth-Locale": weak, "X-Auth-Platform": weak, "X-Auth-Platform-Signature": credential,
		"X-User-Token": credential, "X-Subject-Token": credential, "X-Auth-User-Token": credential, "X-Auth-Client": credential, "X-Auth-Session": credential} {
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
