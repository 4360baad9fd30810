package judge

import "strings"

// A Class says what a byte at the origin betrays.
type Class uint8

// The classes of leaks, from the worst.
const (
	Route    Class = iota + 1 // the client's address, or the way the request took
	Identity                  // something that tells this person from others
	Visible                   // that a proxy was used
	Return                    // an answer that makes the browser betray itself later
)

var classNames = map[Class]string{Route: "route", Identity: "identity", Visible: "visible", Return: "return"}

func (c Class) String() string { return classNames[c] }

// MarshalText writes the class as a word.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// A form is how a planted value looks. The value itself is drawn anew for
// every probe, so that finding it says where it came from.
type form uint8

const (
	anAddress   form = iota // IPv4 of a documentation network (RFC 5737)
	anAddress6              // IPv6 of 2001:db8::/32
	anAddrPort              // IPv4 with a port
	aForwarded              // RFC 7239 §4
	aVia                    // RFC 9110 §7.6.3
	aHost                   // a host name
	anID                    // 16 letters and digits
	aUUID                   // RFC 9562
	aHex                    // 32 hexadecimal digits
	aTrace                  // W3C Trace Context §3.2
	aPhone                  // E.164 without the plus
	anIMEI                  // 15 digits
	aMAC                    // EUI-48
	aMail                   // an e-mail address
	aURL                    // a URL with a path of its own
	aPlace                  // degrees of latitude and longitude
	aDictionary             // a structured field that holds an ID (RFC 9651 §3.2)
)

// A named field is a place where something identifying travels.
type named struct {
	name  string
	form  form
	class Class
}

// identifying lists fields that identify a client by themselves, one or
// more for each party that adds them. A proxy that knows only a few of
// them is found out by the others.
var identifying = []named{
	// Standards and the common conventions.
	{"X-Forwarded-For", anAddress, Route}, {"Forwarded", aForwarded, Route}, {"Via", aVia, Route},
	{"X-Forwarded", aForwarded, Route}, {"Forwarded-For", anAddress, Route}, {"X-Real-IP", anAddress, Route},
	{"X-Client-IP", anAddress, Route}, {"Client-IP", anAddress, Route}, {"Remote-Addr", anAddress, Route},
	{"X-Remote-Addr", anAddress6, Route}, {"X-Remote-IP", anAddress, Route}, {"X-Originating-IP", anAddress, Route},
	{"X-Original-Forwarded-For", anAddress, Route}, {"X-Forwarded-Server", aHost, Route},
	{"X-Forwarded-Host", aHost, Route}, {"X-Forwarded-By", anAddress, Route}, {"X-Host", aHost, Route},
	{"HTTP_X_FORWARDED_FOR", anAddress, Route}, {"X_Forwarded_For", anAddress, Route},
	{"X-Coming-From", anAddress, Route}, {"Coming-From", anAddress, Route}, {"X-ProxyUser-Ip", anAddress, Route},
	{"Proxy-Client-IP", anAddress, Route}, {"WL-Proxy-Client-IP", anAddress, Route},
	{"X-BlueCoat-Via", anID, Route}, {"X-Cluster-Client-IP", anAddress, Route}, {"CDN-Loop", aHost, Route},
	// Content delivery networks.
	{"CF-Connecting-IP", anAddress, Route}, {"CF-Connecting-IPv6", anAddress6, Route},
	{"CF-Pseudo-IPv4", anAddress, Route}, {"CF-Ray", aHex, Identity}, {"CF-IPCity", anID, Route},
	{"True-Client-IP", anAddress, Route}, {"Akamai-Origin-Hop", anID, Route}, {"X-Akamai-Edgescape", anID, Route},
	{"Fastly-Client-IP", anAddress, Route}, {"Fastly-FF", anID, Route}, {"X-Sucuri-ClientIP", anAddress, Route},
	{"Incap-Client-IP", anAddress, Route}, {"Ali-CDN-Real-IP", anAddress, Route}, {"Cdn-Src-Ip", anAddress, Route},
	{"X-Cdn-Src-Ip", anAddress, Route}, {"CloudFront-Viewer-Address", anAddrPort, Route},
	{"CloudFront-Viewer-City", anID, Route}, {"CloudFront-Viewer-JA3-Fingerprint", aHex, Identity},
	// Clouds, meshes and load balancers.
	{"X-Azure-ClientIP", anAddress, Route}, {"X-Azure-SocketIP", anAddress, Route}, {"X-Azure-Ref", anID, Identity},
	{"X-AppEngine-User-IP", anAddress6, Route}, {"X-AppEngine-CityLatLong", aPlace, Route},
	{"X-Client-Geo-Location", aPlace, Route}, {"Fly-Client-IP", anAddress, Route},
	{"X-Vercel-Forwarded-For", anAddress, Route}, {"X-Vercel-IP-City", anID, Route},
	{"X-Nf-Client-Connection-IP", anAddress, Route}, {"DO-Connecting-IP", anAddress, Route},
	{"X-Envoy-External-Address", anAddress, Route}, {"X-Envoy-Downstream-Service-Node", anID, Route},
	{"X-Forwarded-Client-Cert", aDictionary, Identity}, {"X-Amzn-Trace-Id", anID, Identity},
	{"X-Amz-Cf-Id", anID, Identity}, {"NS-Client-IP", anAddress, Route},
	// Carriers and gateways of mobile networks.
	{"X-UIDH", anID, Identity}, {"X-ACR", anID, Identity}, {"X-MSISDN", aPhone, Identity},
	{"MSISDN", aPhone, Identity}, {"X-Up-Calling-Line-ID", aPhone, Identity}, {"X-Up-Subno", anID, Identity},
	{"X-Nokia-MSISDN", aPhone, Identity}, {"X-Nokia-IPAddress", anAddress, Route}, {"X-IMSI", anIMEI, Identity},
	{"X-IMEI", anIMEI, Identity}, {"X-WAP-Network-Client-IP", anAddress, Route}, {"X-WAP-MSISDN", aPhone, Identity},
	{"TM_user-id", anID, Identity}, {"X-Network-Info", anID, Route}, {"X-HTS-CLID", aPhone, Identity},
	{"X-Vodafone-3GPDPContext", anID, Identity}, {"X-Orange-ID", anID, Identity}, {"X-Wap-Profile", aURL, Identity},
	{"X-OperaMini-Phone", anID, Identity}, {"X-OperaMini-Phone-UA", anID, Identity}, {"Device-Stock-UA", anID, Identity},
	{"X-Device-User-Agent", anID, Identity}, {"X-MAC-Address", aMAC, Identity}, {"X-SGSN-IP", anAddress, Route},
	// Tracing.
	{"traceparent", aTrace, Identity}, {"tracestate", aDictionary, Identity}, {"baggage", aDictionary, Identity},
	{"b3", aTrace, Identity}, {"X-B3-TraceId", aHex, Identity}, {"uber-trace-id", aHex, Identity},
	{"X-Cloud-Trace-Context", aHex, Identity}, {"sentry-trace", aHex, Identity}, {"x-datadog-trace-id", anID, Identity},
	{"newrelic", anID, Identity}, {"X-Instana-T", aHex, Identity}, {"elastic-apm-traceparent", aTrace, Identity},
	{"X-Request-ID", aUUID, Identity}, {"X-Correlation-ID", aUUID, Identity}, {"Request-Id", aUUID, Identity},
	{"X-Transaction-ID", aUUID, Identity},
	// What browsers, apps and toolbars say of themselves.
	{"From", aMail, Identity}, {"X-Client-Data", anID, Identity}, {"X-Device-ID", aUUID, Identity},
	{"X-Install-ID", aUUID, Identity}, {"X-Advertising-ID", aUUID, Identity}, {"X-IDFA", aUUID, Identity},
	{"X-Session-ID", aUUID, Identity}, {"X-User-ID", anID, Identity}, {"X-User-Email", aMail, Identity},
	{"Sec-Browsing-Topics", anID, Identity}, {"X-Geo-Location", aPlace, Route}, {"Geolocation", aPlace, Route},
	{"Sec-CH-UA-Model", aDictionary, Identity}, {"Sec-CH-UA-Full-Version-List", aDictionary, Identity},
	{"Sec-CH-UA-Platform-Version", aDictionary, Identity}, {"Attribution-Reporting-Eligible", aDictionary, Identity},
}

// marks are fields that a browser never sends to an origin, and that show
// a proxy even if they name nobody.
var marks = []string{
	"Via", "Forwarded", "Proxy-Connection", "Proxy-Authorization", "X-Proxy-ID", "X-Proxy-Connection", "X-Proxy",
	"X-Tinyproxy", "X-BlueCoat-Via", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Host",
	"X-Forwarded-Server", "X-Forwarded-For", "X-Cache", "X-Cache-Control-Orig", "CDN-Loop", "Max-Forwards",
	"Keep-Alive", "Surrogate-Capability", "X-Squid-Error", "MT-Proxy-ID", "X-Varnish", "X-Real-IP",
}

// fold makes names that gateways take for the same one compare equal:
// CGI made no difference between case, hyphen and underscore.
func fold(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// classOf says what a field's name alone betrays, zero if nothing.
func classOf(name string) Class {
	name = fold(name)
	for _, n := range identifying {
		if fold(n.name) == name {
			return n.class
		}
	}
	for _, m := range marks {
		if fold(m) == name {
			return Visible
		}
	}
	return 0
}
