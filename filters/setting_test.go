package filters

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestSettingsPassUnderNamesOfNoPurpose(t *testing.T) {
	for _, test := range []struct{ name, value string }{
		{"X-Acme-Mode", "fast"}, {"X-Acme", "1"}, {"X-Acme", "true"}, {"X-Acme", ""}, {"X-Pingother", "pingpong"}, {"X-Custom", "foobar"},
		{"X-Return-Format", "markdown"}, {"X-With-Generated-Alt", "true"}, {"X-Api-Date-Format", "iso"}, {"X-Restli-Protocol-Version", "2.0.0"},
		{"Notion-Version-Acme", "2022-06-28"}, {"Linkedin-Version", "202401"}, {"X-Acme-Digests", "sha256, md5"}, {"X-Acme-Kind", "application/vnd.acme+json;v=2"},
		{"X-Acme-Operation-Name", "PolarisPostRootQuery"}, {"X-Acme-Quality", "1080p, h264, 3d"}, {"X-Acme-Start-Date", "2026-01-02T03:04:05Z"},
		{"X-Acme-Since", "Sat, 29 Oct 1994 19:43:31 GMT"}, {"X-Acme-Offset", "123456789"}, {"X-Acme-Ratio", "16:9"}, {"Incremental", "?1"}, {"Accept-Version", "~2"}, {"Accept-Version", ">=1.2 <2"}, {"X-Acme-Page", "/orders/list?sort=price"},
		{"X-Acme-Build", "2026.11.26"}, {"Http-Acme-Mode", "fast"}, {"X-Acme-Schema", "300.1.2.3"},
	} {
		if m := scriptRequest(test.name, test.value); len(clean(m)) > 0 {
			t.Errorf("%s: %s does not pass", test.name, test.value)
		}
	}
}

func TestIdentifiersNeedANameWithAPurpose(t *testing.T) {
	ids := []string{
		"8e03978e-40d5-43dd-bc93-6894a57f9324", "d41d8cd98f00b204e9800998ecf8427e", "q7xk2m9w4zr8t1bv", "kQzXwPbTrGhJmNcV", "123456",
		"c29tZSBuYW1lIG9mIG1pbmU", "zqxvbnmwrtplkjhg", "ACME-00042-7731", "user48213", "1f3870be", "one two three four five six seven eight nine ten eleven twelve thirteen",
		"{\"u\":\"9f8e7d6c\"}", "1920x1080", "2026-01-02T03:04:05Z", "CEST", "PDT", "caf\u00e9", strings.Repeat("ab", 60),
	}
	for _, id := range ids {
		for _, name := range []string{"X-Acme", "X-Foo-Bar", "Debug", "X-Acme-Mode", "Pink-Pony", "X-Acme-Id", "X-Auth-Type", "Tenant-Name"} {
			if m := scriptRequest(name, id); len(clean(m)) == 0 {
				t.Errorf("%s: %s passes", name, id)
			}
		}
	}
	for _, name := range []string{"X-Acme-Id", "X-Bot-Id", "X-Tax-Id", "X-Refid", "X-Acme-Ref"} {
		if m := scriptRequest(name, "42"); len(clean(m)) == 0 {
			t.Errorf("%s: 42 passes", name)
		}
	}
	for _, name := range []string{"X-Tenant-Id", "X-Acme-Project", "X-Workspace", "X-Cart-Id", "X-App-Id", "X-Acme-Token", "X-Csrftoken2", "Xero-Tenant-Id",
		"X-Acme-Signature", "X-Acme-Apikey", "X-Consent-Id", "X-Sandbox-Id", "Acme-Organization"} {
		if m := scriptRequest(name, ids[0]); len(clean(m)) > 0 {
			t.Errorf("%s: an id does not pass", name)
		}
	}
}

// What a purpose's value is, it may be a number as well: of a project, a shop.
func TestNumbersPassUnderANameWithAPurpose(t *testing.T) {
	for name, passes := range map[string]bool{"X-Project-Id": true, "X-Acme-Token": true, "X-Account-Id": true, "X-Acme": false, "X-Acme-Kind": false} {
		if m := scriptRequest(name, "123456789012"); (len(clean(m)) == 0) != passes {
			t.Errorf("%s: passes %v", name, !passes)
		}
		if m := scriptRequest(name, "+447700900123"); len(clean(m)) == 0 {
			t.Errorf("%s: a phone number passes", name)
		}
	}
}

// An identifier may be the name instead of the value.
func TestNamesAreNoIdentifiers(t *testing.T) {
	for _, name := range []string{"X-Zq7f3k9m2w4t8", "X-Kqjvwpzxbnmrt", "X-D41d8cd98f00b204e9800998ecf8427e", "X-20260101123456", "X-192-0-2-7", "X-192_0_2_7-A", "X-C0000207", "X-Q7f3k9m2token"} {
		if m := scriptRequest(name, "1"); len(clean(m)) == 0 {
			t.Errorf("%s passes", name)
		}
	}
	for _, name := range []string{"X-Acme-Recognitionmode", "X-Api2crm-Data", "X-H264", "Utf-8", "X-Registry-Contentid", "X-Experimentalapi", "Sw8x", "Csrfpreventiontoken"} {
		if m := scriptRequest(name, "1"); len(clean(m)) > 0 {
			t.Errorf("%s does not pass", name)
		}
	}
}

func TestPlaceAndDeviceDoNotPassUnderAnyName(t *testing.T) {
	for _, value := range []string{
		"de-DE", "pt_BR", "Europe/Berlin", "tz=America/New_York", "Windows NT 10.0", "iPhone14,2", "Android 13; Pixel", "macOS 14", "Linux x86_64", "Chrome on Windows", "Safari, Chrome", "Debian Linux",
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"de_DE.UTF-8", "sr_RS@latin", "fr-CH,fr;q=0.9", "alice%2540example.org", "WVd4cFkyVkFaWGhoYlhCc1pTNXZjbWM9", "Thu Nov 26 2026 21:40:22 GMT+0100", "Thu, 26 Nov 2026 21:40:22 -0800", "UTC+1", "gmt-03:30", "Etc/GMT+5", "+05:30", "21:40:22.5 +02:00",
		"Thu Nov 26 21:40:22 CET 2026", "Thursday, 26-Nov-26 21:40:22 PDT", "12:00:00.5 AEST",
		"US/Eastern", "zone=Canada/Atlantic", "W. Europe Standard Time", "Eastern Daylight Time", "Central European Summer Time",
		"zh-Hant-TW", "sr-Latn", "es-419", "en-001", "en_150", "de-DE-1996", "de;q=0.9", "de, en;q=0.5",
		"iOS", "ANDROID_PHONE", "user-android", "WIFI", "androidPhone", "iPhoneApp", "macOS", "MacIntel", "tizen", "app=webOS", "firetv", "acme-xboxone", "Roku", "googletv",
		"NVIDIA GeForce RTX 4090", "Radeon RX 580", "Adreno (TM) 740", "AMD Ryzen 7", "snapdragon-8", "Exynos 2400",
	} {
		for _, name := range []string{"X-Acme", "X-Tenant"} {
			if m := scriptRequest(name, value); len(clean(m)) == 0 {
				t.Errorf("%s: %s passes", name, value)
			}
		}
	}
	for _, value := range []string{"linux", "edge", "at 21:40:22 sharp", "Thu Nov 26 21:40:22 UTC 2026", "windows", "2 opera tickets", "en", "de-de", "no-Wait", "db-V2", "mx-471", "de,en", "BUS/Stop", "us/east", "Standard Time", "GMT", "UTC+0", "+1", "-0800", "audios", "paid", "ipaddress"} {
		if m := scriptRequest("X-Acme", value); len(clean(m)) > 0 {
			t.Errorf("%s does not pass", value)
		}
	}
}

// Which store a program is from tells for which system it is.
func TestStoresOfOneSystemDoNotPassUnderAnyName(t *testing.T) {
	for _, field := range []string{"X-Channel: GooglePlay", "X-Init-Channel: google_play", "Channel: App Store", "X-Acme: appstore", "X-Acme: PLAY_STORE", "X-Acme: AppGallery",
		"X-Acme: acme-testflight", "Channel: xiaomi", "App-Channel: HUAWEI", "Store: vivo"} {
		name, value, _ := strings.Cut(field, ": ")
		if m := scriptRequest(name, value); len(clean(m)) == 0 {
			t.Errorf("%s passes", field)
		}
	}
	for _, field := range []string{"X-Channel: stable", "X-Channel: web", "X-Acme: samsung", "X-Store: default", "X-Acme: map store", "X-Acme: replay store", "X-Acme: flight test"} {
		name, value, _ := strings.Cut(field, ": ")
		if m := scriptRequest(name, value); len(clean(m)) > 0 {
			t.Errorf("%s does not pass", field)
		}
	}
}

// What a network calls its hosts tells whose it is, but not where they are asked.
func TestNamesOfTheHouseDoNotPassUnderAnyName(t *testing.T) {
	for _, value := range []string{"nas.local", "anns-laptop.home.arpa", "http://printer.lan", "ldap:dc1.CORP.", "ann@pc.internal:22", "[pc-7.home]", "anns-nas.fritz.box", "ANN-PC.mshome.net"} {
		for _, name := range []string{"X-Acme", "X-Tenant"} {
			if m := scriptRequest(name, value); len(clean(m)) == 0 {
				t.Errorf("%s: %s passes", name, value)
			}
		}
	}
	for _, value := range []string{"local", ".local", "nas.localhost", "home.arpa", "origin.example", "app.homepage", "soap.box"} {
		if m := scriptRequest("X-Acme", value); len(clean(m)) > 0 {
			t.Errorf("%s does not pass", value)
		}
	}
	m := scriptRequest("X-Acme", "cam.nas.local")
	m.Request.URL.Host = "nas.local:8080"
	if clean(m); m.Request.Header["X-Acme"] == nil {
		t.Error("where it is asked, it does not pass")
	}
}

// The folder of a person is called like them.
func TestFoldersOfAClientsDiskDoNotPassUnderAnyName(t *testing.T) {
	for _, value := range []string{"/home/ann/src", "cwd=/home/ann/", "/home/ann", `{"cwd":"/Users/ann"}`, `C:\Users\ann`, `"d:\work"`, "/Users/ann/a.jpg", `\\nas\ann`} {
		for _, name := range []string{"X-Acme", "X-Tenant"} {
			if m := scriptRequest(name, value); len(clean(m)) == 0 {
				t.Errorf("%s: %s passes", name, value)
			}
		}
	}
	for _, value := range []string{"/home", "/users/list/all", "/v1/home/page/top", "/shop/Users/list/all", "a:b", `abc:\d`} {
		if m := scriptRequest("X-Acme", value); len(clean(m)) > 0 {
			t.Errorf("%s does not pass", value)
		}
	}
}

// Windows says in whose domain, or on which machine, a person is who, a certificate by a
// distinguished name.
func TestAccountsOfTheNetworkDoNotPassUnderAnyName(t *testing.T) {
	for value, passes := range map[string]bool{`CORP\jsmith`: false, `corp.example\ann.lee`: false, `PC-7\ann`: false, `NAS\PC7$`: false, `queue\jobs\email`: true, `\n`: true, `/a\b/`: true,
		"CN=Ann Lee,OU=Sales,O=Example": false, "/C=DE/O=Example/CN=Ann Lee": false, "OU=Sales, cn = ann": false, "WinNT://CORP/jsmith": false, "dc=eu": true, "us=1,cn=0": true} {
		for _, name := range []string{"X-Acme", "X-Tenant"} {
			if m := scriptRequest(name, value); (len(clean(m)) == 0) != passes {
				t.Errorf("%s: %s: passes %v", name, value, !passes)
			}
		}
	}
	if m := scriptRequest("X-Acme-Token", `CORP\jsmith`); len(clean(m)) > 0 {
		t.Error("a credential does not pass")
	}
}

// A clock's time tells its zone by how far it is from UTC; but an origin refuses what
// was signed with another.
func TestLocalTimesPassBesideAProofAlone(t *testing.T) {
	const local = "2026-11-26T21:40:22+07:00"
	for _, test := range []struct {
		fields []string
		passes bool
	}{
		{[]string{"X-Timestamp", local}, false},
		{[]string{"X-Timestamp", local, "X-Signature", "3f2b8c1e"}, true},
		{[]string{"X-Timestamp", local, "Authorization", "Bearer t"}, true},
		{[]string{"X-Auth-Time", local}, true},
		{[]string{"X-Timestamp", "2026-11-26T14:40:22Z"}, true},
		{[]string{"X-Timestamp", "2026-11-26T14:40:22+00:00"}, true},
	} {
		m := scriptRequest(test.fields...)
		if clean(m); (m.Request.Header[test.fields[0]] != nil) != test.passes {
			t.Errorf("%q: passes %v", test.fields, !test.passes)
		}
	}
}

// What a field's own name may not tell, no name in its value may.
func TestPairsThatTellDoNotPassUnderANameOfNoPurpose(t *testing.T) {
	for value, passes := range map[string]bool{
		`{"os":"x","a":1}`: false, `{ "lang" : "de" }`: false, "region=eu; platform=ios": false, "a=1,client_type=x": false, "mode=fast;city=": false, "mobile=?1": false, "host.name=janes": false, `{"os.type":"x"}`: false, "cache.mode=fast": true,
		`{"kind":"os","mode":"fast"}`: true, "mode=fast; a=1": true, "os": true, "os:x": true, "device:x": false, "mode:fast, email: x": false, "name:asc": true, "/list?lang=de": true, "=": true, `":`: true, "?1": true,
	} {
		for _, name := range []string{"X-Acme", "X-Acme-Info"} {
			if m := scriptRequest(name, value); (len(clean(m)) == 0) != passes {
				t.Errorf("%s: %s: passes %v", name, value, !passes)
			}
		}
	}
	if m := scriptRequest("X-Acme-Query", "city=berlin"); len(clean(m)) > 0 {
		t.Error("a question about places does not pass")
	}
}

// An application's context may name its user's platform, and not the device.
func TestPairsThatTellOfADeviceDoNotPassUnderAPurpose(t *testing.T) {
	for value, passes := range map[string]bool{
		`{"deviceId":"6f1c2a3e","v":2}`: false, `{"app":{"install_id":"77af"}}`: false, "device_id=6f1c2a3e; v=2": false, "%7B%22deviceId%22%3A%226f1c2a3e%22%7D": false, "geo=DE": false, "device_id:6f1c2a3e, v:2": false, "host.name=janes;a=1": false,
		base64.StdEncoding.EncodeToString([]byte(`{"deviceId":"6f1c2a3e","v":27}`)): false, hex.EncodeToString([]byte(`{"deviceId":"6f1c2a3e"}`)): false,
		base64.StdEncoding.EncodeToString([]byte(`{"project":"6f1c2a3e"}`)): true, "eyJhbGciOiJFUzI1NiJ9.eyJkZXZpY2UiOiI2ZjFjMmEzZSJ9.c2ln": true,
		`{"platform":"web","project":"6f1c2a3e"}`: true, "user=6f1c2a3e": true, "/list?city=berlin": true, "%7B%22project%22%3A%226f1c2a3e%22%7D": true,
	} {
		for _, name := range []string{"X-App-Context", "X-Tenant"} {
			if m := scriptRequest(name, value); (len(clean(m)) == 0) != passes {
				t.Errorf("%s: %s: passes %v", name, value, !passes)
			}
		}
	}
	if m := scriptRequest("X-Acme-Token", "device_id=6f1c2a3e"); len(clean(m)) > 0 {
		t.Error("a credential does not pass")
	}
}

// An account at an API has a name and a key; neither is of use alone.
func TestAnAccountsNamePassesBesideItsSecret(t *testing.T) {
	const id = "5f1e8a7c3b"
	for _, test := range []struct {
		name, secret string
		passes       bool
	}{
		{"Plaid-Client-Id", "Plaid-Secret", true},
		{"X-Acme-Client-Id", "X-Acme-Client-Secret", true},
		{"X-Acme-Clientid", "X-Acme-Apikey", true},
		{"X-User-Id", "X-Auth-Token", true}, // Rocket.Chat
		{"Client-Id", "Client-Secret", true},
		{"Client_id", "Client_secret", true}, // MuleSoft
		{"X-Acme-Client-Id", "X-Other-Secret", false},
		{"X-Acme-User-Id", "X-Acme-Api-Key", false},
		{"X-Acme-Client-Id", "X-Acme-Mode", false},
		{"X-Acme-Device-Id", "X-Acme-Token", false},
	} {
		m := scriptRequest(test.name, id, test.secret, "1")
		clean(m)
		if got := m.Request.Header[test.name] != nil; got != test.passes {
			t.Errorf("%s beside %s: passes %v", test.name, test.secret, got)
		}
	}
}

func FuzzSettings(f *testing.F) {
	for _, value := range []string{"v1", "1080p", "aB", "2026-01-02T03:04:05Z", "Europe/", "a-b-c", "\xff", "de-DE"} {
		f.Add("X-Acme-Version", value)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if isSetting(name, value) && len(value) > maxSetting+16 && strings.Trim(value, " \t") == value {
			t.Errorf("%q is a setting", value)
		}
		tellingValue(name, value) // must not panic or hang
	})
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
