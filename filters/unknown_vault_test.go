package filters

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// passes reports whether a field of an API client's request leaves as it came.
func passes(t *testing.T, target, field string, beside ...string) bool {
	t.Helper()
	name, value, _ := strings.Cut(field, ": ")
	name = http.CanonicalHeaderKey(name)
	h := http.Header{"User-Agent": {"a/1"}, "Accept": {"*/*"}, name: {value}}
	for _, more := range beside {
		n, v, _ := strings.Cut(more, ": ")
		h.Set(n, v)
	}
	scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", target, h))
	return len(h[name]) == 1 && h[name][0] == value
}

// Fields of stores carry what they like beside a proof of who asks, and else
// no more than others do.
func TestFieldsOfStoresNeedTheirProof(t *testing.T) {
	const plain, signed = "https://b.store.example/k", "https://b.store.example/k?X-Amz-Signature=0a1b"
	for _, field := range []string{"X-Amz-Acme: 7f3a9c51e2b84d06", "X-Goog-Acme: 7f3a9c51e2b84d06", "X-Ms-Acme: 7f3a9c51e2b84d06", "X-Oss-Acme: 7f3a9c51e2b84d06"} {
		if passes(t, plain, field) {
			t.Errorf("%s passes", field)
		}
		if !passes(t, signed, field) || !passes(t, plain, field, "Authorization: AWS4-HMAC-SHA256 Credential=a") ||
			!passes(t, plain, field, "X-Amz-Security-Token: IQoJb3JpZ2luX2VjE") || !passes(t, plain, field, "Cookie: a=b") {
			t.Errorf("%s does not pass beside a proof", field)
		}
	}
	for _, field := range []string{
		"X-Amz-Client: 7f3a9c51e2b84d06", "X-Goog-Session: 7f3a9c51e2b84d06", "Docker-User: ann@corp.example", "X-Amzn-Acme: 7f3a9c51e2b84d06",
		"X-Ms-Acme: Europe/Berlin", "X-Amz-Acme: de-DE", "X-Shopify-Acme: 7f3a9c51e2b84d06",
	} {
		if passes(t, plain, field) || !passes(t, plain, field, "Authorization: Bearer x") {
			t.Errorf("%s passes, or does not beside a proof", field)
		}
	}
	for _, field := range []string{
		"X-Amz-Bucket-Region-Token: 7f3a9c51e2b84d06", "X-Shopify-Storefront-Access-Token: 7f3a9c51e2b84d06", "Docker-Distribution-Api-Version: registry/2.0",
		"X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth", "X-Amz-Acl: public-read", "X-Amz-Date: 20260101T000000Z",
		"X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "X-Ms-Version: 2021-08-06",
		"X-Goog-Fieldmask: places.displayName,places.formattedAddress,places.priceLevel,places.location,places.id", "X-Amz-Request-Payer: requester",
	} {
		if !passes(t, plain, field) {
			t.Errorf("%s does not pass", field)
		}
	}
}

// The language is the persona's, whoever asks, unless a signature covers another.
func TestFieldsOfStoresNameNoLanguage(t *testing.T) {
	const url = "https://b.store.example/k"
	for _, field := range []string{"X-Amz-Locale: es_ES", "X-Ms-Lang: de", "X-Goog-Language: fr-FR", "X-Shopify-Customer-Locale: it"} {
		if passes(t, url, field, "Authorization: Bearer x") || passes(t, url, field, "Cookie: a=b") {
			t.Errorf("%s passes", field)
		}
	}
	const signature = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/transcribe/aws4_request, " +
		"SignedHeaders=host;x-amz-date;x-amzn-transcribe-language-code, Signature=0a1b"
	if !passes(t, url, "X-Amzn-Transcribe-Language-Code: de-DE", signature, "X-Amz-Date: 20260101T000000Z") {
		t.Error("a signed language does not pass")
	}
}

// What goes itself proves nothing for others, in whatever order they come.
func TestNoProofThatDoesNotLeave(t *testing.T) {
	s := newSet(t, Options{})
	for proof, other := range map[string]string{
		"X-Acme-Client-Secret: alice@example.com": "X-Acme-Client-Id: 7f3a9c51e2b84d06",
		"X-Acme-User-Token: 203.0.113.9":          "X-Acme-User-Id: 7f3a9c51e2b84d06",
		"X-Token: 203.0.113.9":                    "X-Amz-Acme: 7f3a9c51e2b84d06",
		"X-Token: c0000207":                       "X-Ms-Acme: 7f3a9c51e2b84d06",         // the client's own address
		"Signature: sig1=:AAAA:":                  "Date: Tue, 15 Nov 1994 08:12:31 GMT", // of a page
	} {
		for range 20 {
			h := http.Header{"User-Agent": {"a/1"}, "Accept": {"*/*"}}
			for _, field := range []string{proof, other} {
				name, value, _ := strings.Cut(field, ": ")
				h.Set(name, value)
			}
			if name, _, _ := strings.Cut(other, ": "); name == "Date" {
				h.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
			}
			m := s.Read(newRequest(t, "GET", "https://a.example/", h), netip.MustParseAddr("192.0.2.7"))
			s.Request(m, nil)
			proofName, _, _ := strings.Cut(proof, ": ")
			name, _, _ := strings.Cut(other, ": ")
			if h[name] != nil || h[proofName] != nil {
				t.Errorf("beside %s: %v", proof, h)
				break
			}
		}
	}
}

// Cookies that do not leave prove nothing.
func TestFieldsOfStoresNeedTheCookiesThatLeave(t *testing.T) {
	for policy, passes := range map[CookiePolicy]bool{CookiesPass: true, CookiesBlock: false} {
		r := newRequest(t, "GET", "https://b.store.example/k", http.Header{"Cookie": {"a=b"}, "X-Amz-Acme": {"7f3a9c51e2b84d06"}})
		scrubbed(t, newSet(t, Options{Cookies: policy}), r)
		if got := r.Header["X-Amz-Acme"] != nil; got != passes {
			t.Errorf("policy %d: passes: %t", policy, got)
		}
	}
	third := newRequest(t, "GET", "https://b.store.example/k", http.Header{"Cookie": {"a=b"}, "Sec-Fetch-Site": {"cross-site"},
		"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"cors"}, "Origin": {"https://shop.example"}, "X-Amz-Acme": {"7f3a9c51e2b84d06"}})
	if scrubbed(t, newSet(t, Options{Cookies: CookiesPass}), third); third.Header["X-Amz-Acme"] != nil || third.Header["Cookie"] == nil {
		t.Errorf("a third party's cookie is no proof: left %v", third.Header)
	}
}

// What is said of an upload or an event goes from requests that have neither.
func TestFieldsOfUploadsGoFromRequestsForPages(t *testing.T) {
	s := newSet(t, Options{})
	for _, name := range []string{"Upload-Id", "X-Upload-Id", "X-File-Id", "X-Chunk-Id", "X-Content-Id", "Ce-Id", "X-Amz-Meta-Origin", "X-Object-Meta-Tag"} {
		for method, passes := range map[string]bool{"GET": false, "POST": true, "PUT": true} {
			r := newRequest(t, method, "https://a.example/", http.Header{name: {"7f3a9c51e2b84d06"}})
			if method != "GET" {
				r.ContentLength = 5
			}
			scrubbed(t, s, r)
			if got := r.Header[name] != nil; got != passes {
				t.Errorf("%s %s passes: %v", method, name, got)
			}
		}
	}
	r := newRequest(t, "HEAD", "https://a.example/files/1", http.Header{"Upload-Draft-Interop-Version": {"6"}})
	if scrubbed(t, s, r); r.Header["Upload-Draft-Interop-Version"] == nil {
		t.Error("a HEAD cannot ask for an upload's state")
	}
	handshake := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "X-Goog-Acme": {"7f3a9c51e2b84d06"}}
	if scrubbed(t, s, newRequest(t, "GET", "https://a.example/", handshake)); handshake["X-Goog-Acme"] != nil {
		t.Error("the key of a handshake counts as a proof")
	}
}

// What a company's proxy or an installed app adds names the company or the
// installation, by whatever name.
func TestWhatNamesACompanyOrInstallationGoes(t *testing.T) {
	for field := range strings.SplitSeq(`Restrict-Access-To-Tenants: annacorp.onmicrosoft.com
Restrict-Access-Context: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
Sec-Restrict-Tenant-Access-Policy: restrict-msa
X-GoogApps-Allowed-Domains: annacorp.example
X-Dropbox-Allowed-Team-Ids: 7f3a9c51
X-Slack-Allowed-Workspaces: T7F3A9C51
X-Slack-Allowed-Workspaces-Requester: T7F3A9C51
X-Channel-Ids: UC7F3A9C51
Idcs_user_assertion: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln
Idcs_authn_method: oauth
Idcs_service_url: https://idcs-7f3a9c51.identity.oraclecloud.com
X-Auth-Request-Access-Token: 7f3a9c51d4e8b206
X-Jwt-Claims: eyJzdWIiOiJhbm4ifQ
X-Jwt-Claim-Tenant: ann
X-Claims: {"sub":"ann"}
Avail-Dictionary: TWFuIGxp
CiscoSpark-Allowed-Domains: annacorp.example
YouTube-Restrict: Strict
X-ZoomApps-Policy: 7f3a
ChatGPT-Allowed-Workspace-Id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
Anthropic-Allowed-Org-Ids: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
X-Acme-Allowed-Accounts: annacorp
Acme-Restricted-To: annacorp
Firebase-Instance-ID-Token: 7f3a9c51e2b84d06:APA91b
X-Firebase-Instance-Id-Token: 7f3a9c51e2b84d06
X-Fcm-Token: 7f3a9c51e2b84d06
X-Gcm-Token: 7f3a9c51e2b84d06
X-Expo-Push-Token: 7f3a9c51e2b84d06
X-Notification-Token: ExponentPushToken[7f3a9c51e2b84d067f3a9c]
Firebase-Token: c1_-QY3dQ7m:APA91bHun4MxP5egoKMwt2KZFBaFUH
X-Low-Power-Mode: true
X-Fqdn: ann-laptop.corp.example
X-Cost-Centre: 4711
X-Badge-Number: 4711
X-Apns-Token: 7f3a9c51e2b84d06
X-HE-Token: 7f3a9c51e2b84d06
X-Tariff: prepaid-gold
X-Form-Factor: tablet
X-Goog-Api-Client: gl-js/ fire/10.7.1
X-Trino-Client-Info: 7f3a
X-Pub-Environment: vscode.dart-code
X-Pub-Command: get
Julia-Version: 1.10.0
Julia-CI-Variables: CI=n;GITHUB_ACTIONS=t
Julia-HyperLogLog: 873,4
X-Terraform-Version: 1.5.7
Kubectl-Command: kubectl get
X-ZYpp-DistributionFlavor: appliance-docker
X-Anaconda-System-Release: Fedora
X-ZYpp-AnonymousId: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
Push-Token: 7f3a9c51e2b84d06
PushToken: 7f3a9c51e2b84d06
OneSignal-Subscription-Id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
Dropbox-API-User-Locale: de_DE
X-Ms-Effective-Locale: de
X-ADP-LTO: 120
X-ADP-COR: DE
X-ADP-Transport: MOBILE
Provided-Token-Binding-ID: 7f3a
GPC: 1
X-7f3a9c51: 1
X-Acme-9c51e2: on`, "\n") {
		if passes(t, "https://a.example/", field) {
			t.Errorf("%s passes", field)
		}
	}
	for field := range strings.SplitSeq(`X-Api-Token: 7f3a9c51e2b84d06
X-Sha256-Mode: on
X-Utf8-Mode: on
X-H264-Level: 4
X-S3-Mode: on
X-I18n-Mode: on
X-Oauth2-Token: 7f3a9c51e2b84d06
X-Signature-Ed25519: 7f3a9c51e2b84d067f3a9c51e2b84d06`, "\n") {
		if !passes(t, "https://a.example/", field) {
			t.Errorf("%s does not pass", field)
		}
	}
}

// GitLab takes Unleash's instance for a proof; Unleash itself has another one, and its
// clients write there who runs them, and where.
func TestUnleashLearnsNoMachine(t *testing.T) {
	for proof, passes := range map[string]bool{"Authorization": false, "Unleash-Appname": true} {
		m := scriptRequest("Unleash-Instanceid", "generated-ann-7f3a9c51-anns-laptop", proof, "default:development.7f3a9c51")
		if clean(m); (m.Request.Header["Unleash-Instanceid"] != nil) != passes {
			t.Errorf("beside %s: passes %t", proof, !passes)
		}
	}
}
