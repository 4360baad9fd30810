package filters

import (
	"net/http"
	"slices"
	"testing"
)

// A signed field reaches the origin as it was signed.
func TestSignedFieldsPassUntouched(t *testing.T) {
	for _, test := range []struct {
		name, url string
		proof     http.Header
	}{
		{"AWS Signature Version 4", "https://b.s3.example/k", http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=accept-encoding;amz-sdk-invocation-id;content-language;host;user-agent;x-acme-device;x-forwarded-for, Signature=00"}}},
		{"presigned URL", "https://b.s3.example/k?X-Amz-Signature=0&X-Amz-SignedHeaders=accept-encoding%3Bamz-sdk-invocation-id%3Bcontent-language%3Bhost%3Bx-acme-device%3Bx-forwarded-for", http.Header{}},
		{"HTTP signature draft", "https://api.example/k", http.Header{"Authorization": {`Signature keyId="k",headers="(request-target) accept-encoding amz-sdk-invocation-id content-language x-acme-device x-forwarded-for",signature="00"`}}},
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

// Some schemes sign every field of a family and have no list that says so.
func TestFieldsOfASignedFamilyPassUntouched(t *testing.T) {
	for authorization, name := range map[string]string{
		"SharedKey account:MTIz": "X-Ms-Client-Request-Id", "SharedKeyLite account:MTIz": "X-Ms-Client-Request-Id",
		"AWS AKIA:MTIz": "X-Amz-Acme-Device", "OSS id:MTIz": "X-Oss-Acme-Device", "GOOG1 id:MTIz": "X-Goog-Acme-Device",
	} {
		const id = "6b29fc40-ca47-1067-b31d-00dd010662da"
		h := http.Header{"Authorization": {authorization}, name: {id}, "X-Request-Id": {id}, "X-Amz-Cf-Id": {id}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://api.example/k", h))
		if h.Get(name) != id || h["X-Request-Id"] != nil || h["X-Amz-Cf-Id"] != nil {
			t.Errorf("%s: left %v", authorization, h)
		}
		h = http.Header{"Authorization": {"Bearer t"}, name: {id}}
		if scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://api.example/k", h)); h[name] != nil {
			t.Errorf("%s passes without a signature", name)
		}
	}
}

func FuzzSignedLists(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 SignedHeaders=a;b, Signature=0", `sig=("a" "b")`)
	f.Add(`Signature headers="a b`, "(")
	f.Add("\xa9\xa9\xa9\xa9\xa9\xa9\xa9\xa9 SIGNEDHeaders=a", "(")
	f.Fuzz(func(t *testing.T, authorization, input string) {
		r := newRequest(t, "GET", "http://a.example/?X-Amz-SignedHeaders=x", http.Header{"Authorization": {authorization}, "Signature-Input": {input}, "Via": {"1.1 a"}})
		for name := range readSigned(r) {
			if name == "Via" || name == "Authorization" {
				t.Errorf("%s is given back", name)
			}
		}
	})
}
