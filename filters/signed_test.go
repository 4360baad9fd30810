package filters

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A signed field reaches the origin as it was signed.
func TestSignedFieldsPassUntouched(t *testing.T) {
	for _, test := range []struct {
		name, url string
		proof     http.Header
	}{
		{"AWS Signature Version 4", "https://b.s3.example/k", http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=accept-encoding;amz-sdk-invocation-id;content-language;host;user-agent;x-acme-device;x-forwarded-for, Signature=00"}}},
		{"OSS Signature Version 4", "https://b.oss.example/k", http.Header{"Authorization": {"OSS4-HMAC-SHA256 Credential=AK/20231203/cn-hangzhou/oss/aliyun_v4_request,AdditionalHeaders=accept-encoding;amz-sdk-invocation-id;content-language;host;user-agent;x-acme-device;x-forwarded-for,Signature=00"}}},
		{"presigned URL", "https://b.s3.example/k?X-Amz-Signature=0&X-Amz-SignedHeaders=accept-encoding%3Bamz-sdk-invocation-id%3Bcontent-language%3Bhost%3Bx-acme-device%3Bx-forwarded-for", http.Header{}},
		{"HTTP signature draft", "https://api.example/k", http.Header{"Authorization": {`Signature keyId="k",headers="(request-target) accept-encoding amz-sdk-invocation-id content-language x-acme-device x-forwarded-for",signature="00",note="x-acme-phone"`}}},
		{"RFC 9421", "https://api.example/k", http.Header{"Signature": {"sig1=:AAAA:"}, "Signature-Input": {`sig1=("@method" "accept-encoding" "amz-sdk-invocation-id" "content-language" "x-acme-device" "x-forwarded-for");created=1`}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			signed := http.Header{"Accept-Encoding": {"identity"}, "Amz-Sdk-Invocation-Id": {"6b29fc40-ca47-1067-b31d-00dd010662da"}, "Content-Language": {"x"}, "X-Acme-Device": {"tape"}}
			h := test.proof.Clone()
			for name, lines := range signed {
				h[name] = lines
			}
			h["User-Agent"], h["X-Forwarded-For"], h["X-Acme-Phone"] = []string{"aws-cli"}, []string{"192.0.2.7"}, []string{"n"}
			s := newSet(t, Options{})
			scrubbed(t, s, newRequest(t, "GET", test.url, h))
			for name, lines := range signed {
				if !slices.Equal(h[name], lines) {
					t.Errorf("%s became %q", name, h[name])
				}
			}
			if h["X-Forwarded-For"] != nil || h["X-Acme-Phone"] != nil || h.Get("User-Agent") == "aws-cli" {
				t.Errorf("what is not signed, or not the request's, passes: %v", h)
			}
		})
	}
}

// What signs or names the address would not fit another.
func TestSignedAddressesStayWhole(t *testing.T) {
	for authorization, stays := range map[string]bool{
		`Digest username="u", realm="r", nonce="n", uri="/?a=1&utm_source=x", response="0"`:                     true,
		`OAuth oauth_consumer_key="k", oauth_signature="s"`:                                                     true,
		"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=00": true,
		"SharedKey account:MTIz": true, `Hawk id="k", mac="m"`: true,
		"Bearer utm_source": false, "Basic YTpi": false, "OAuth token": false, "": false,
	} {
		h := http.Header{}
		if authorization != "" {
			h["Authorization"] = []string{authorization}
		}
		r := newRequest(t, "GET", "https://api.example/?a=1&utm_source=x", h)
		scrubbed(t, newSet(t, Options{}), r)
		if (r.URL.RawQuery == "a=1&utm_source=x") != stays {
			t.Errorf("%s: got %s", authorization, r.URL.RawQuery)
		}
	}
	r := newRequest(t, "GET", "https://api.example/?a=1&utm_source=x", http.Header{"Signature": {"sig1=:AAAA:"}, "Signature-Input": {`sig1=("@query");created=1`}})
	if scrubbed(t, newSet(t, Options{}), r); r.URL.RawQuery != "a=1&utm_source=x" {
		t.Errorf("a signed query became %s", r.URL.RawQuery)
	}
}

// Some schemes sign every field of a family and have no list that says so.
func TestFieldsOfASignedFamilyPassUntouched(t *testing.T) {
	for authorization, name := range map[string]string{
		"SharedKey account:MTIz": "X-Ms-Client-Request-Id", "SharedKeyLite account:MTIz": "X-Ms-Client-Request-Id",
		"acs AK:MTIz": "X-Acs-Region-Id", "LOG AK:MTIz": "X-Log-Acme-Device", "MNS AK:MTIz": "X-Mns-Acme-Device", "QS AK:MTIz": "X-Qs-Acme-Device",
		"Qiniu AK:MTIz": "X-Qiniu-Acme-Device",
		"OSS4-HMAC-SHA256 Credential=AK/20231203/cn-hangzhou/oss/aliyun_v4_request,Signature=00": "X-Oss-Acme-Device",
		"AWS AKIA:MTIz": "X-Amz-Acme-Device", "OSS id:MTIz": "X-Oss-Acme-Device", "GOOG1 id:MTIz": "X-Goog-Acme-Device",
	} {
		const id = "6b29fc40-ca47-1067-b31d-00dd010662da"
		const media = "text/plain; name=a.txt; charset=utf-8"
		h := http.Header{"Authorization": {authorization}, name: {id}, "X-Request-Id": {id}, "X-Amz-Cf-Id": {id}, "Content-Type": {media}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "PUT", "https://api.example/k", h))
		if h.Get(name) != id || h["X-Request-Id"] != nil || h["X-Amz-Cf-Id"] != nil || h.Get("Content-Type") != media {
			t.Errorf("%s: left %v", authorization, h)
		}
		h = http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {"empty"}, "Authorization": {authorization}, name: {id}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "PUT", "https://api.example/k", h))
		if tells := name == "X-Ms-Client-Request-Id"; (h[name] == nil) != tells {
			t.Errorf("%s, by a script: left %v", authorization, h)
		}
		h = http.Header{"Authorization": {"Bearer t"}, name: {id}}
		if scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://api.example/k", h)); h[name] != nil {
			t.Errorf("%s passes without a signature", name)
		}
	}
}

// A list of signed fields makes no browser tell which one it is: neither one in the
// URL of a page or its parts, nor one that a script writes.
func TestNoListShowsTheBrowserBehindThePersona(t *testing.T) {
	const list = "accept-language%3Baccept-encoding%3Bdnt%3Bpriority%3Bsec-gpc%3Bsave-data%3Bupgrade-insecure-requests%3Bx-acme-phone"
	own := http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Accept-Language": {"eo-canary"}, "Accept-Encoding": {"canary"}, "Dnt": {"canary"}, "Priority": {"canary"},
		"Sec-Gpc": {"canary"}, "Save-Data": {"canary"}, "Upgrade-Insecure-Requests": {"canary"},
	}
	s := newSet(t, Options{})
	for _, test := range []struct {
		name, url string
		fields    http.Header
	}{
		{"a page", "https://site.example/?X-Amz-SignedHeaders=" + list, http.Header{"Sec-Fetch-Dest": {"document"}, "Accept": {"canary/canary"}, "X-Acme-Phone": {"canary"}}},
		{"an image", "https://site.example/?X-Goog-SignedHeaders=" + list, http.Header{"Sec-Fetch-Dest": {"image"}, "Accept": {"image/*"}, "X-Acme-Phone": {"canary"}}},
		{"a page on plain http", "http://site.example/?X-Amz-SignedHeaders=accept%3B" + list, http.Header{"Accept": {"text/html,application/xhtml+xml,text/*;q=0.canary"}, "X-Acme-Phone": {"canary"}}},
		{"a script's request", "https://site.example/?X-Tos-SignedHeaders=" + list, http.Header{"Sec-Fetch-Dest": {"empty"}, "X-Acme-Phone": {"canary"}}},
		{"a script's own list", "https://site.example/", http.Header{"Sec-Fetch-Dest": {"empty"}, "Signature": {`headers="` + strings.ReplaceAll(list, "%3B", " ") + `"`}}},
		{"a list that goes itself", "http://site.example/", http.Header{"Accept": {"image/webp,*/*"}, "Signature": {`headers="x-acme-phone"`}, "X-Acme-Phone": {"canary"}}},
	} {
		h := test.fields.Clone()
		for name, lines := range own {
			h[name] = lines
		}
		scrubbed(t, s, newRequest(t, "GET", test.url, h))
		for name, lines := range h {
			if strings.Contains(strings.Join(lines, " "), "canary") {
				t.Errorf("%s: left %s: %q", test.name, name, lines)
			}
		}
	}
}

// An app that shows pages adds its package's name to what they load, and old ones
// nothing by which that could be told from a script's request. Firefox and Safari
// give each installation of an extension an origin of its own.
func TestNoListShowsTheAppAroundThePage(t *testing.T) {
	const list = "x-requested-with%3Borigin"
	own := http.Header{
		"User-Agent":       {"Mozilla/5.0 (Linux; Android 9; SM-J260M; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/74.0.3729.157 Mobile Safari/537.36"},
		"X-Requested-With": {"com.canary.app"}, "Origin": {"moz-extension://8e03978e-40d5-43dd-bc93-canary"}, "X-Amz-Device-Id": {"canary"},
	}
	for _, test := range []struct {
		url    string
		fields http.Header
	}{
		{"http://site.example/?X-Amz-SignedHeaders=" + list, http.Header{"Accept": {"image/webp,image/apng,image/*,*/*;q=0.8"}}},
		{"http://site.example/api?X-Goog-SignedHeaders=" + list, http.Header{"Accept": {"*/*"}}},
		{"https://site.example/api", http.Header{"Sec-Fetch-Dest": {"empty"}, "Authorization": {"AWS4-HMAC-SHA256 SignedHeaders=x-requested-with;origin;x-amz-device-id, Signature=0"}}},
		{"https://site.example/api", http.Header{"Sec-Fetch-Dest": {"empty"}, "Authorization": {"AWS key:0"}}},
	} {
		h := test.fields.Clone()
		for name, lines := range own {
			h[name] = lines
		}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", test.url, h))
		for name, lines := range h {
			if strings.Contains(strings.Join(lines, " "), "canary") {
				t.Errorf("%s: left %s: %q", test.url, name, lines)
			}
		}
	}
}

func FuzzSignedLists(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 SignedHeaders=a;b, Signature=0", `sig=("a" "b")`)
	f.Add(`Signature headers="a b`, "(")
	f.Add("\xa9\xa9\xa9\xa9\xa9\xa9\xa9\xa9 SIGNEDHeaders=a", "(")
	f.Fuzz(func(t *testing.T, authorization, input string) {
		r := newRequest(t, "GET", "http://a.example/?X-Amz-SignedHeaders=x", http.Header{"Authorization": {authorization}, "Signature-Input": {input}, "Via": {"1.1 a"}})
		for name := range readSigned(r, Visit{}) {
			if name == "Via" || name == "Authorization" {
				t.Errorf("%s is given back", name)
			}
		}
	})
}
