package filters

import (
	"maps"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
	"testing"
)

// scriptRequest is what a script or an API client asks for, with header
// fields given as name and value in turn. Names keep their spelling.
func scriptRequest(fields ...string) *Message {
	r, _ := http.NewRequest(http.MethodGet, "http://origin.example/", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header[fields[i]] = append(r.Header[fields[i]], fields[i+1])
	}
	return &Message{Request: r, Client: netip.MustParseAddr("192.0.2.7"), Visit: Visit{Kind: Fetch}}
}

// fieldFilters are the filters about fields of this file's neighbours, in the
// order in which [New] runs them.
func fieldFilters(policy UnknownPolicy, allow ...string) []Filter {
	return []Filter{
		cleanURL{}, hopByHop{}, clientRoute{}, clientIdentity{},
		unknownFields{policy, allow}, ownAddress{},
	}
}

func clean(m *Message) []Change { return apply(fieldFilters(UnknownPass), m, nil) }

// spellings returns ways to write a field name that programs read alike.
func spellings(name string) []string {
	return []string{
		textproto.CanonicalMIMEHeaderKey(name),
		strings.ToLower(name),
		strings.ToUpper(name),
		strings.ReplaceAll(textproto.CanonicalMIMEHeaderKey(name), "-", "_"),
		strings.ReplaceAll(strings.ToLower(name), "-", "_"),
		"HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
	}
}

func TestPublishedNamesDoNotReachTheOrigin(t *testing.T) {
	for _, table := range [][]group{registry, purposeTable, hopTable, routeCDN, routeCloud, routeProxy,
		identityBrowser, identityMobile, identityTrace} {
		for _, g := range table {
			if g.class < hop {
				continue
			}
			for name := range strings.FieldsSeq(g.names) {
				name = strings.Replace(name, "*", "made-up", 1)
				// An earlier, more exact row may speak for one name of a family.
				if v := names.judge(name); v.class < hop && v.class != unnamed {
					continue
				}
				for _, spelled := range spellings(name) {
					if strings.HasPrefix(spelled, "HTTP_") && (g.class == misplaced || g.class == hop) {
						continue
					}
					for _, kind := range []Kind{Fetch, Document, Image} {
						m := scriptRequest(spelled, "canary")
						m.Visit.Kind = kind
						log := clean(m)
						if len(m.Request.Header) != 0 {
							t.Errorf("%s (%s) passes as %q", name, g.source, spelled)
						}
						if len(log) == 0 || log[0].Why == "" {
							t.Errorf("%s: no reason is given", spelled)
						}
					}
				}
			}
		}
	}
}

// A gateway's name beside a word for a secret tells of what is proved to it, unless
// it tells of more. Networks and browsers add tokens of their own.
func TestSecretsOfAFamilyAreTheirs(t *testing.T) {
	for name, passes := range map[string]bool{
		"X-Tyk-Authorization": true, "X-F5-Auth-Token": true, "X-Edge-Api-Key": true,
		"X-Device-Token": false, "X-Operator-Api-Key": false, "X-He-Token": false, "X-Geo-Key": false, "Sec-Acme-Token": false, "Proxy-Token": false, "X-Push-Token": false,
		"X-Tyk-Session-Token": false, "X-F5-Client-Ip": false, "X-Pan-Username": false, "X-Operator-Id": false,
	} {
		m := scriptRequest(name, "3f2b8c1e5d7a")
		if clean(m); (m.Request.Header[name] != nil) != passes {
			t.Errorf("%s: passes %v", name, !passes)
		}
	}
}

func TestTablesNameEachFieldOnce(t *testing.T) {
	seen := map[string]class{}
	for _, table := range [][]group{registry, purposeTable, hopTable, routeCDN, routeCloud, routeProxy,
		identityBrowser, identityMobile, identityTrace} {
		for _, g := range table {
			if g.source == "" {
				t.Errorf("a row has no source: %s", g.names)
			}
			for name := range strings.FieldsSeq(g.names) {
				if c, ok := seen[name]; ok && c != g.class && (c < hop || g.class < hop) {
					t.Errorf("%s is both of class %d and %d", name, c, g.class)
				}
				seen[name] = g.class
			}
		}
	}
}

func TestOrdinaryFieldsAreThePersonas(t *testing.T) {
	for name, v := range names.exact {
		if ordinary(name) && v.class != disguised {
			t.Errorf("%s is of class %d", name, v.class)
		}
	}
}

func TestNamesThatNobodyListedAreReadByTheirWords(t *testing.T) {
	for _, name := range []string{
		"X-Foo-Client-IP", "Wan-Addr", "Remote_Host", "X-Geo-City", "Acme-ClientIP", "acmeuserip", "X-Visitor-Country-Code",
		"X-EndUser-Addr", "My-Proxied-For", "X-Acme-Forwarded-For", "Acme-Device-Id", "Acme-DeviceID", "X-Acme-Session-Id",
		"Acme-Install-ID", "X-MyApp-UUID", "Acme-Trace-Id", "AcmeTraceparent", "X-Customer-Number", "Acme-Imei", "X-Acme-Msisdn",
		"X-Sub-Imsi", "X-Phone-Model", "X-Acme-User", "X-User-Id", "X-Logged-In-User", "X-Acme-Email", "X-Person-Name",
		"X-Acme-Timezone", "X-Acme-Lat", "X-Device-Latitude", "X-Isp-Name", "X-Acme-Asn", "X-Client-Os", "Acme-Platform",
		"X-Acme-Locale", "X-Screen-Size", "X-Browser-Fingerprint", "X-Hardware-Id", "X-Advertising-Id", "X-Acme-Hostname",
		"X-Wifi-Ssid", "X-Acme-Correlation-ID", "Acme-Request-Id", "X-Request-UUID", "X-Unique-Visitor", "X-Acme-Gps",
		"Acme-Requester", "X-Created-By", "X-Acme-Vlan", "X-Job-Title", "X-Age-Group", "X-Asset-Tag", "X-Acme-Dob", "X-Gamertag",
		"X-Acme-Udid", "JSessionId", "X-Acme-Login", "Acme-Staff-No", "Srcip", "X-SrcAddr", "Xclientip", "X-Acme-Via", "X-Originating-Addr", "X-Acme-Mac-Address", "X-Acme-Subscriber",
		"X-Pc-Name", "X-Wlan", "X-Acme-Firmware", "X-Dark-Mode", "X-Safe-Search", "X-Opt-Out", "X-Heart-Rate", "X-Interests", "X-Rum", "X-Kl-Ajax-Request", "X-Mobileiron-Securebrowser-Managed-By", "X-Foodevice",
		"X-Acme-Connection-Type", "X-Acme-Effective-Type", "X-Acme-Inner-Width", "X-Outer-Height", "X-Acme-Touch-Points", "X-Acme-Uilang",
		"Tripcountry", "X-Skyott-Territory", "Isroot", "X-Rpc-Sys-Version", "System-Name", "SplitSDKMachineName", "X-Utc", "X-Webview", "Shared-Storage-Writable",
		"App-Set-Id", "X-AppSetId", "X-Localization", "X-Cellular-Name", "X-Exp-Groups", "X-Ecom-ZoneCode", "X-Area-Code",
		"X-SkyOTT-ActiveTerritory", "X-SkyOTT-BroadcastRegions", "CurrentLanguage", "X-JiraUser", "JiraUsername", "X-ExpGroup",
		"X-Handled-By", "X-Sent-By", "Received", "X-Relayed-By", "X-Passed-Through", "X-Verified-Bot",
		"X-Nation", "X-Is-EU", "X-Gdpr-Applies", "X-Cert-Hash", "X-Client-Certificate-Sha256", "X-Spiffe", "X-Inner-Ntwk", "X-Is-Simulator", "X-Mdm-Enrolled",
	} {
		for _, spelled := range []string{name, textproto.CanonicalMIMEHeaderKey(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_")} {
			m := scriptRequest(spelled, "canary")
			if clean(m); len(m.Request.Header) != 0 {
				t.Errorf("%s passes", spelled)
			}
		}
	}
}

// Kits against fraud, and those for advertising, call the ids that they give a device tokens.
func TestTokensOfDevicesProveNothing(t *testing.T) {
	for _, field := range []string{
		"Bx-Umidtoken: T2gA7f3a9c51e2b84d06", "X-Umid-Token: T2gA7f3a9c51e2b84d06", "X-Forter-Token: 7f3a9c51e2b84d06_1750980536710_51_UDF43",
		"Forter-Token-Cookie: 7f3a9c51e2b84d06_1750980536710_51_UDF43", "X-Euid-Token: 7f3a9c51e2b84d06", "X-Threatmetrix-Key: 7f3a9c51e2b84d06",
	} {
		if passes(t, "https://a.example/", field) {
			t.Errorf("%s passes", field)
		}
	}
	for _, field := range []string{"X-Guest-Token: 1782650411728371713", "X-Captcha-Token: 7f3a9c51e2b84d06", "X-Castle-Request-Token: 7f3a9c51e2b84d06"} {
		if !passes(t, "https://a.example/", field) {
			t.Errorf("%s does not pass", field)
		}
	}
}

// Programs name their fields in their writers' languages.
func TestNamesInOtherLanguagesAreReadByTheirWords(t *testing.T) {
	for _, field := range []string{
		"Usuario: maria", "X-Usuario-Nome: maria", "NombreUsuario: maria", "Idioma: pt", "X-Pais: pe", "Dispositivo: Android", "DispositivoNavegador: Chrome",
		"SistemaOperativo: Linux", "Sistema-Operacional: Linux", "X-Ubicacion: lima", "X-Perfil: morador", "X-Correo: maria", "Cpf: 123", "Codigo-Cliente: 44", "X-Utente: mbianchi",
		"X-Utilisateur: marie", "X-Langue: fr", "Appareil: tablette", "X-Benutzername: anna", "X-Sprache: de", "X-Geraet: tablet", "Kundennummer: 44",
		"X-Gebruiker: anna", "X-Bruker: kari", "X-Kullanici: ayse",
	} {
		name, value, _ := strings.Cut(field, ": ")
		m := scriptRequest(textproto.CanonicalMIMEHeaderKey(name), value)
		if clean(m); len(m.Request.Header) != 0 {
			t.Errorf("%s passes", name)
		}
	}
	for _, fields := range [][]string{
		{"X-Usuario", "maria", "X-Senha", "3f2b8c1e5d7a"}, {"Usuario", "maria", "Clave", "3f2b8c1e5d7a"}, {"Cpf", "12345678909", "Senha", "3f2b8c1e5d7a"},
		{"Benutzername", "anna", "Passwort", "3f2b8c1e5d7a"}, {"X-Cliente-Token", "3f2b8c1e5d7a"}, {"X-Clave", "3f2b8c1e5d7a"},
		{"Nombre", "lista"}, {"Numero", "3"}, {"Codigo", "A3"}, {"X-Sistema", "ventas"},
	} {
		m := scriptRequest(fields...)
		if clean(m); len(m.Request.Header) != len(fields)/2 {
			t.Errorf("%v: left %v", fields, m.Request.Header)
		}
	}
}

// CGI programs read HTTP_COOKIE whether it is a variable or a field.
func TestVariablesOfFieldsAreNoFields(t *testing.T) {
	for _, name := range []string{"Http-Cookie", "HTTP_AUTHORIZATION", "http_accept", "Http-Content-Type", "HTTP_X_API_KEY", "HTTP_X_FORWARDED_FOR"} {
		m := scriptRequest(name, "canary")
		if clean(m); len(m.Request.Header) != 0 {
			t.Errorf("%s passes", name)
		}
	}
}

// One more prefix, fewer hyphens, a number: programs look for all of these.
func TestOtherSpellingsOfPublishedNamesGo(t *testing.T) {
	for _, name := range []string{"CfConnectingIp", "XForwardedFor", "AlexaToolbar", "X-Dnt", "X-Accept-Charset", "X-Early-Data", "X-X-Real-Ip",
		"REDIRECT_HTTP_VIA", "REDIRECT_HTTP_COOKIE", "X_Acr", "X--Forwarded--For", "True-Client-Ip2", "Adrum2", "HTTP_HTTP_COOKIE",
		"x_requested_with", "x_file_size", "OCS_APIREQUEST",
		"Connection-Type", "Amz-Cf-Pop", "AmzCfPop", "X.Amobee.1", "Cf.Ray", "save.data"} {
		m := scriptRequest(name, "canary")
		if clean(m); len(m.Request.Header) != 0 {
			t.Errorf("%s passes", name)
		}
	}
	for _, name := range []string{"X-Priority", "X-Acme-Mode", "Api_key", "X_Acme_Mode", "X-Redirect", "Api-Version2", "Request-Timestamp", "Operation-Id", "Jwt-Assertion", "Domain", "X-Requested-By", "X-Sorted-By"} {
		m := scriptRequest(name, "canary")
		if clean(m); len(m.Request.Header) != 1 {
			t.Errorf("%s does not pass", name)
		}
	}
}

func TestFieldsThatServeTheRequestPassUntouched(t *testing.T) {
	for name, value := range map[string]string{
		"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo", "Content-Type": "application/json; charset=utf-8",
		"Content-Encoding": "gzip", "Content-Disposition": `attachment; filename="a b.txt"`, "Content-Digest": "sha-256=:AAAA:",
		"Content-Range": "bytes 0-9/100", "Content-Md5": "Q2hlY2sgSW50ZWdyaXR5IQ==", "Range": "bytes=0-499, -500", "If-Range": `"abc"`,
		"If-Match": `"abc"`, "If-None-Match": `W/"abc", "d"`, "If-Modified-Since": "Sat, 29 Oct 1994 19:43:31 GMT",
		"If-Unmodified-Since": "Sat, 29 Oct 1994 19:43:31 GMT", "Origin": "https://site.example",
		"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-user-id,x-client-ip", "Idempotency-Key": `"8e03978e-40d5-43dd-bc93-6894a57f9324"`,
		"X-Csrf-Token": "k1", "X-Xsrf-Token": "k2", "X-Csrftoken": "k3", "X-Api-Key": "k4", "X-Auth-Token": "k5",
		"X-Requested-With": "XMLHttpRequest", "X-Http-Method-Override": "PATCH", "Upload-Offset": "3000000000", "Upload-Length": "12345678901",
		"Upload-Metadata": "filename d29ybGRfZG9taW5hdGlvbi5wZGY=", "Tus-Resumable": "1.0.0", "X-Amz-Date": "20260101T000000Z",
		"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Security-Token": "t", "X-Amz-Meta-Device": "tape", "X-Goog-Upload-Protocol": "resumable",
		"X-Goog-Api-Key": "k", "X-Ms-Blob-Type": "BlockBlob", "X-Ms-Version": "2021-08-06", "Depth": "infinity",
		"Destination": "http://origin.example/b", "Overwrite": "F", "If": "(<opaquelocktoken:1>)", "Lock-Token": "<opaquelocktoken:1>",
		"Timeout": "Second-4100000000", "Soapaction": `"urn:x#y"`, "Prefer": "return=minimal", "Last-Event-Id": "42", "Git-Protocol": "version=2",
		"Cache-Control": "no-cache", "Pragma": "no-cache", "Expect": "100-continue", "Mcp-Session-Id": "1868a90c", "X-Transmission-Session-Id": "s",
		"Signature": "sig1=:AAAA:", "Signature-Input": `sig1=("@method")`, "Dpop": "eyJ0eXAi", "Grpc-Timeout": "1S", "X-Grpc-Web": "1",
		"Hx-Request": "true", "X-Pjax": "true", "X-Inertia-Version": "1", "Turbo-Frame": "a", "Odata-Version": "4.0", "Slug": "The Beach",
		"Icy-Metadata": "1", "Apollo-Require-Preflight": "true", "X-Shopify-Access-Token": "t", "X-Github-Api-Version": "2022-11-28",
		"Link": `<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"`, "Digest": "SHA-256=AAAA", "Service-Worker": "script",
		"X-Acme-Token": "t", "X-Acme-Mode": "fast", "X-Session-Token": "t", "X-User-Token": "t", "X-Client-Secret": "t", "Acme-Api-Version": "1.2.3.4",
		"X-Prometheus-Remote-Write-Version": "0.1.0", "X-Chunk-Index": "1234567890123", "X-Timestamp": "1767225600000", "X-Acme-Count": "12345678901234",
	} {
		m := scriptRequest(name, value)
		m.Request.Method, m.Request.ContentLength = http.MethodPost, 5
		if strings.HasPrefix(name, "Access-Control-") {
			m.Request.Method = http.MethodOptions
		}
		log := clean(m)
		if got := m.Request.Header[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s: %s became %q: %v", name, value, got, log)
		}
		if len(log) != 0 {
			t.Errorf("%s: an untouched field is logged: %v", name, log)
		}
	}
}

func TestCopyOfARegisteredFieldWithUnderscoreGoes(t *testing.T) {
	m := scriptRequest("Content_Type", "canary", "content_type", "canary", "User_Agent", "canary", "api_key", "k")
	clean(m)
	for name := range m.Request.Header {
		if name != "api_key" {
			t.Errorf("%s is left", name)
		}
	}
	if len(m.Request.Header) != 1 {
		t.Error("api_key is gone, which is no registered field")
	}
}

// A gateway tells who signed in to it; an account of an API comes with its key.
func TestMailAddressGoesUnlessItsKeyIsThere(t *testing.T) {
	for _, name := range []string{"X-Auth-Email", "X-User-Email", "X_auth_email"} {
		m := scriptRequest(name, "ann@corp.example", "X-Other-Key", "3f2b8c1e5d7a4e9b")
		if clean(m); m.Request.Header[name] != nil {
			t.Errorf("%s passes alone", name)
		}
	}
}

// What gateways, extensions and apps are documented to add goes from a script's
// request, whose own fields have names like theirs.
func TestDocumentedNamesOfPeopleGo(t *testing.T) {
	for _, field := range []string{
		"X-Auth-Subject: 8e03978e-40d5-43dd", "X-Auth-Name: Ann Smith", "X-Auth-Groups: staff", "X-Auth-Given-Name: Ann", "X-Jwt-Payload: eyJzdWIiOiJhbm4ifQ",
		"X-Ldap-Groups: staff", "Oam_last_reauthentication_time: Sat, 29 Oct 1994 19:43:31 GMT", "X-Iorg-Service-Id: 4711", "X-Hola-Unblocker-Bext: 1",
		"Baidu-Flyflow: 1", "X-Bdboxapp-Netengine: 1", "X-Sogou-Auth: 8e03978e", "X-Wx-Key: 8e03978e", "Wxuin: 4711", "Chrome-Proxy-Ect: 4g",
		"X-Algolia-Agent: Algolia for Kotlin (2.1.5); Android (33)", "X-Tealeaf: device (UIC) Lib/6.1", "X-KL-kis-Ajax-Request: Ajax_Request",
		"Teleport-Jwt-Assertion: eyJhbGciOiJFUzI1NiJ9.eyJ1c2VybmFtZSI6ImFubiJ9.c2ln", "X-Amzn-Ava-User-Context: eyJhbGciOiJFUzI1NiJ9.eyJ1c2VybmFtZSI6ImFubiJ9.c2ln",
		"Auth0-Client: eyJuYW1lIjoiQXV0aDAuQW5kcm9pZCIsImVudiI6eyJhbmRyb2lkIjoiMzMifSwidmVyc2lvbiI6IjIuMTAuMCJ9", "X-Sumup-Runtime: python",
		"Acc-Sdk-Auth: UserPassword ann", "Acc-Sdk-Client-App: campaigns 1.2", "X-Twingate-Groups: staff",
		"Unscoped-Affiliation: staff", "Datadog-Entity-Id: ci-8e03978e40d543dd", "Datadog-External-Env: it-false,cn-web,pu-8e03978e-40d5-43dd-bc93-6894a57f9324",
	} {
		name, value, _ := strings.Cut(field, ": ")
		m := scriptRequest(name, value)
		if clean(m); m.Request.Header[name] != nil {
			t.Errorf("%s passes", name)
		}
	}
}

// What a browser asks for on its own holds no field of a script. A page, and a form's
// answer, may be what a framework fetches, with fields of its own.
func TestBrowsersOwnRequestsHoldNoFieldsOfScripts(t *testing.T) {
	const agent, page = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "text/html,application/xhtml+xml,*/*;q=0.8"
	ask := http.Header{"Origin": {"http://a.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"x-api-key"}}
	for _, test := range []struct {
		what, method, accept string
		more                 http.Header
		passes, goes         string
	}{
		{"an image", "GET", "image/webp,*/*;q=0.8", nil, "Authorization", "Turbo-Frame X-Amzn-Foo X-Fb-Friendly-Name X-Amz-Tagging X-Api-Key"},
		{"a font", "GET", "application/font-woff2;q=1.0,application/font-woff;q=0.9,*/*;q=0.8", nil, "", "X-Up-Target X-Csrf-Token"},
		{"a WebSocket", "GET", "", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, "Cookie", "X-Api-Key X-Container-Meta-Foo"},
		{"a page", "GET", page, nil, "Turbo-Frame X-Up-Target X-Csrf-Token X-Inertia-Version", "X-Amzn-Foo X-Api-Key X-Amz-Tagging Stripe-Account Webhook-Id X-Auth-Key X-Socket-Id Slug"},
		{"a form's answer", "POST", page, http.Header{"Content-Type": {"text/plain"}}, "Turbo-Frame X-Csrf-Token Requestverificationtoken", "X-Api-Key X-Amz-Meta-Foo Stripe-Account Signature Soapaction Idempotency-Key Content-Disposition If-Match"},
		{"a form's answer, over https", "POST", page, http.Header{"Content-Type": {"text/plain"}, "Sec-Fetch-Dest": {"document"}}, "Authorization Cookie", "Turbo-Frame X-Csrf-Token X-Api-Key Idempotency-Key Content-Disposition"},
		{"a preflight", "OPTIONS", "*/*", ask, "", "Authorization Cookie If-None-Match Content-Type Turbo-Frame X-Csrf-Token X-Api-Key Idempotency-Key Signature Slug X-Amz-Meta-Foo"},
	} {
		for name := range strings.FieldsSeq(test.passes + " " + test.goes) {
			h := http.Header{"User-Agent": {agent}, "Accept": {test.accept}, name: {"a1"}}
			maps.Copy(h, test.more)
			r := newRequest(t, test.method, "http://site.example/", h)
			if test.method == "POST" {
				r.ContentLength = 5
			}
			scrubbed(t, newSet(t, Options{}), r)
			if passes := strings.Contains(" "+test.passes+" ", " "+name+" "); (h[name] != nil) != passes {
				t.Errorf("%s: %s passes %v", test.what, name, !passes)
			}
			for name := range test.more {
				if h[name] == nil && name != "Sec-Fetch-Dest" {
					t.Errorf("%s: lost %s", test.what, name)
				}
			}
		}
	}
}

// Editors built on browsers ask for a page with whatever they do, and old ones'
// scripts do: what they must not overwrite stays so.
func TestEditorsKeepTheirConditions(t *testing.T) {
	for _, test := range []struct {
		method string
		more   http.Header
	}{
		{"PUT", http.Header{"Content-Type": {"text/calendar"}, "If-Match": {`"v7"`}, "If-Schedule-Tag-Match": {`"s1"`}}},
		{"PUT", http.Header{"Content-Type": {"text/plain"}, "If-None-Match": {"*"}}},
		{"DELETE", http.Header{"If-Match": {`"v7"`}}},
		{"PROPFIND", http.Header{"Depth": {"1"}, "Prefer": {"return=minimal"}, "Content-Type": {"text/xml"}}},
		{"MOVE", http.Header{"Destination": {"http://site.example/b"}, "Overwrite": {"F"}}},
		{"POST", http.Header{"Content-Type": {"text/xml"}, "Soapaction": {"urn:a#b"}}},
		{"POST", http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {"a1"}, "Idempotency-Key": {"a1"}}},
		{"POST", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Requested-With": {"XMLHttpRequest"}, "X-Api-Key": {"a1"}}},
		{"GET", http.Header{"X-Requested-With": {"XMLHttpRequest"}, "X-Api-Key": {"a1"}}},
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Thunderbird/60.9"}, "Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}}
		maps.Copy(h, test.more)
		r := newRequest(t, test.method, "http://site.example/a", h)
		if test.more["Content-Type"] != nil {
			r.ContentLength = 5
		}
		scrubbed(t, newSet(t, Options{}), r)
		for name := range test.more {
			if h[name] == nil {
				t.Errorf("%s %v: lost %s", test.method, test.more, name)
			}
		}
	}
}

// A program may ask as a browser does, and say who it is.
func TestProgramsAskForPagesWithCredentials(t *testing.T) {
	h := http.Header{"User-Agent": {"tool/1"}, "Accept": {"text/html,application/xhtml+xml"}, "X-Api-Key": {"a1"}}
	if scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/", h)); h["X-Api-Key"] == nil {
		t.Error("a program's key goes")
	}
}

// Libraries tell in which language a program is written, and the version that the machine has.
func TestVersionsOfLanguagesGo(t *testing.T) {
	for name, passes := range map[string]bool{
		"X-Node-Version": false, "X-Python-Version": false, "X-Ruby-Version": false, "X-Acme-Php-Version": false, "Java-Version": false,
		"X-Dotnet-Version": false, "X-Go-Version": false, "X-Bun-Version": false, "X-Kotlin-Version": false, "X-Sumup-Runtime-Version": false, "Runtimeenvironment": false, "X-Api-Version": true, "X-Acme-Version": true, "Expo-Runtime-Version": true,
	} {
		m := scriptRequest(name, "3.12.1")
		if clean(m); (m.Request.Header[name] != nil) != passes {
			t.Errorf("%s: passes %v", name, !passes)
		}
	}
}
