package filters

import (
	"net/http"
	"strings"
)

// responseFields removes what an answer carries beyond the answer: hop-by-hop
// fields, orders to report on the visitor or to reveal more of them, the route
// it took, and echoes of addresses and traces, by what they are called: what holds the
// client's address stays, see [ownQuery]. Age stays: it belongs to
// freshness. ETag and Last-Modified stay: the cache owns them. Link stays, but
// for what [redirects] takes: a page can say the same in its HTML, and behind a
// proxy a browser neither resolves nor connects past it.
type responseFields struct{}

// responseNames is the index of responseTable.
var responseNames = newNameIndex(responseTable)

// bothNames is the index of those tables for requests that speak of responses too: of what a
// message is, the way that it takes, and its traces. Those of people and devices do not: what
// an origin calls X-Device-Token or X-Language it says to the client.
var bothNames = newNameIndex(registry, purposeTable, hopTable, routeCDN, routeCloud, routeProxy, identityTrace, []group{ownSec})

// responseTable lists fields of responses that go, and those that stay although a request's
// field of that name, or of its family, would go. Fields that it does not name are judged by
// the tables for requests, see bothNames.
var responseTable = []group{
	{hop, "RFC 9110 §7.6.1", `connection keep-alive proxy-* te http2-settings`},

	{identity, "RFC 7838; another way to the origin is a way around the proxy", `alt-svc alt-used alternate-protocol`},
	{identity, "W3C Network Error Logging", `nel`},
	{identity, "W3C Reporting API", `report-to reporting-endpoints
		content-security-policy-report-only x-content-security-policy-report-only x-webkit-csp-report-only cross-origin-opener-policy-report-only
		cross-origin-embedder-policy-report-only document-policy-report-only
		permissions-policy-report-only integrity-policy-report-only`},
	{identity, "RFC 9842 §10: the dictionary held is an identifier", `use-as-dictionary`},
	{identity, "RFC 9163 §2.1; obsolete", `expect-ct expect-staple expect-staple-report-only`},
	{identity, "RFC 7469 §2.1; pins are identifiers, and report", `public-key-pins public-key-pins-report-only`},
	{identity, "RFC 8942 and W3C Client Hints Infrastructure; asks for more about the device", `accept-ch
		accept-ch-lifetime critical-ch content-dpr delegate-ch`},
	{identity, "wicg.github.io, Reduce Accept-Language; what is asked for twice tells which languages the visitor reads", `avail-language`},
	{identity, "developer.chrome.com, critical origin trials; whether a page is asked for twice tells what the browser keeps", `critical-origin-trial`},
	{identity, "W3C Private Network Access, IWA, Topics and Attribution; acts on the browser's profile", `observe-browsing-topics
		supports-loading-mode sec-shared-storage-write shared-storage-write
		attribution-reporting-* save-impression measure-conversion x-privacy-* activate-storage-access permissions-policy-endpoint
		idp-signin-status`},
	{identity, "W3C FedCM, navigation interception; without it the page signs in by itself", `federation-initiate-request federation-rp-* fedcm-*`},
	{identity, "chromium.googlesource.com, components/signin and components/google: acts on the browser's accounts", `
		google-accounts-* x-auto-login x-chrome-* chrome-*`},
	{identity, "explainers-by-googlers, Prefetch Activation Beacon and Declarative Performance Observer: report from outside any page, and later", `
		on-prefetch-activation performance-observer`},
	{identity, "WICG Fenced Frames: has other origins' frames report", `allow-cross-origin-event-reporting
		allow-fenced-frame-automatic-beacons`},
	{identity, "whatwg.org, DNS prefetching; names would be looked up beside the proxy", `x-dns-prefetch-control`},
	{identity, "W3C P3P 1.0 §2.2; obsolete", `p3p`},
	{identity, "Protected Audience; answers to an auction about the visitor", `x-allow-fledge x-fledge-* ad-auction-*`},

	{route, "RFC 9110 §7.6.3", `via x-via x-varnish x-cache x-cache-* x-cachehits x-cacheable
		x-served-by x-timer x-fastly-* fastly-* x-hits x-proxy-cache* x-squid-* x-edge-*
		x-cdn x-cdn-* cdn-requestid cdn-requestcountrycode cdn-edgestorageid cdn-proxyver
		cdn-cachedat cdn-status cdn-uid cdn-pullzone cdn-cache cdn-requestpullsuccess
		cdn-requestpullcode x-backend* x-node x-pop x-amz-cf-* cf-ray cf-cache-status
		cf-apo-via cf-edge-cache x-vercel-id x-vercel-cache x-nf-request-id fly-request-id
		x-akamai-* akamai-* x-azure-ref* x-msedge-ref x-iinfo x-sucuri-* x-litespeed-cache*
		x-drupal-cache x-drupal-dynamic-cache x-nginx-cache* x-rack-cache x-swift-*
		x-ac x-nc x-rq x-rocket-nginx-* x-age x-ttl x-grace x-obj-age x-obj-ttl x-obj-hits x-beresp-*
		eagleid ali-swift-* x-ws-request-id x-tencent-* x-cos-request-id x-nws-*
		x-bunny-* x-cloud-trace-context x-goog-hash-route source-age x-age-*`},
	{route, whyHeld, `cache-status`},
	{serves, "github.com/vercel/next.js, the pages' router: whether a page may keep what it has fetched", `x-middleware-cache`},
	{route, "W3C Server Timing", `server-timing x-runtime x-response-time x-processing-time
		x-server-time x-elapsed-time x-render-time x-page-speed x-request-time`},
	{route, "address echo", `x-client-ip client-ip x-your-ip x-your-address x-my-ip x-visitor-ip
		x-user-ip x-remote-ip x-remote-addr remote-addr x-real-ip x-forwarded* x-origin-ip
		x-geo* x-country* x-city x-region x-client-* cf-ipcountry x-vercel-ip-*`},
	{identity, "trace and request ids", `x-request-id request-id x-correlation-id correlation-id
		x-trace-id trace-id traceresponse traceparent tracestate x-amzn-requestid
		x-amzn-trace-id x-amz-request-id x-amz-id-2 x-github-request-id x-ms-request-id
		x-guploader-uploadid x-shopify-request-id x-request-guid request-context
		sprequestguid x-fb-debug x-fb-trace-id x-b3-* x-datadog-*`},

	{serves, "developers.cloudflare.com, detect a challenge page response; docs.aws.amazon.com/waf, CAPTCHA and challenge: a page's script reads what it must do", `
		cf-mitigated cf-chl-* x-amzn-waf-action`},
	{serves, "docs.sendgrid.com, Mail Send: the number of what was sent", `x-message-id`},
	{serves, "trino.io/docs/current/develop/client-protocol: the transaction that the next request is of", `
		x-trino-* x-presto-*`},
	{serves, "docs.oracle.com/iaas, work requests: what is asked for until it is done", `opc-work-request-id`},
	{serves, "fastly.com/documentation/reference/api, rate limiting", `fastly-ratelimit-*`},
	{serves, "devise-token-auth.gitbook.io: whose the next token is; develop.sentry.dev, rate limiting", `uid
		x-sentry-rate-limits x-sentry-error`},

	{serves, "the answer's own", `accept-ranges accept-patch accept-post accept-query access-control-*
		age allow authentication-info cache-control cdn-cache-control surrogate-control
		clear-site-data set-login content-* cross-origin-* date deprecation dav etag expires
		last-modified link location lock-token memento-datetime no-vary-search
		origin-agent-cluster permissions-policy preference-applied refresh retry-after
		server service-worker-allowed set-cookie sourcemap x-sourcemap speculation-rules
		origin-trial strict-transport-security sunset timing-allow-origin trailer
		transfer-encoding upgrade vary warning www-authenticate x-content-type-options
		x-frame-options x-permitted-cross-domain-policies x-powered-by x-robots-tag
		x-ua-compatible x-xss-protection x-download-options referrer-policy
		sec-websocket-* ratelimit ratelimit-* x-ratelimit-* x-rate-limit-* retry-*
		docker-* tus-* upload-* dpop-nonce replay-nonce accept-signature signature
		signature-input digest repr-digest want-* x-accel-* hx-* x-inertia x-inertia-*
		grpc-* x-livewire turbo-* x-up-* x-csrf-token x-xsrf-token x-pingback
		x-total-count x-total x-page x-per-page x-next-page x-pjax-* x-redirected-path
		x-location x-original-content-length sec-session-* secure-session-*`},
}

// Apply implements [Filter].
func (responseFields) Apply(m *Message, log []Change) []Change {
	h, n := m.Response.Header, len(log)
	for option := range members(h["Connection"]) {
		log = dropNamed(h, http.CanonicalHeaderKey(option), log)
	}
	upgraded := m.Response.StatusCode == http.StatusSwitchingProtocols
	for name := range h {
		if upgraded && name == "Connection" {
			continue // the handshake's
		}
		if untouched(name) {
			continue
		}
		why, remove := judgeResponse(name, bothNames)
		remove = remove && !ofProtocol(m, name)
		if name == "Upgrade" && !upgraded && m.Response.StatusCode != http.StatusUpgradeRequired {
			why, remove = "RFC 9110 §7.8: of this connection only", true
		}
		if remove {
			log = drop(h, name, why, log)
		}
	}
	return sorted(log, n)
}

// untouched reports whether name is one of the fields that nearly every
// response holds and that no filter does anything about, whatever they say. It is
// quicker than the tables, which say the same.
func untouched(name string) bool {
	switch name {
	case "Accept-Ranges", "Access-Control-Allow-Origin", "Age", "Cache-Control", "Content-Encoding",
		"Content-Language", "Content-Length", "Content-Type", "Date", "Etag", "Expires", "Last-Modified",
		"Referrer-Policy", "Server", "Strict-Transport-Security", "Vary", "X-Content-Type-Options",
		"X-Frame-Options", "X-Powered-By":
		return true
	}
	return false
}

// allUntouched reports whether h holds nothing that a filter has to see.
func allUntouched(h http.Header) bool {
	for name := range h {
		if !untouched(name) {
			return false
		}
	}
	return true
}

// dropNamed removes a field that Connection names, except those that frame the message
// or the handshake. Options that name fields meant for all recipients are void, as in a
// request: without them the content would be read as something else, or be kept for others.
func dropNamed(h http.Header, name string, log []Change) []Change {
	switch name {
	case "", "Upgrade", "Content-Length", "Transfer-Encoding", "Trailer", "Connection":
		return log
	}
	if _, sent := h[name]; !sent || !strings.HasPrefix(name, "X-") && responseNames.judge(name).class == serves {
		return log
	}
	return put(h, name, "", "RFC 9110 §7.6.1; named by Connection", log)
}

// judgeResponse reports whether a field of a response goes, and why. An empty
// why says that no rule names the field. others judge what responseTable does not name.
func judgeResponse(name string, others *nameIndex) (why string, remove bool) {
	v := responseNames.judge(name)
	if v.class == unnamed {
		switch {
		case endsInTrace(name):
			return "trace and request ids", true
		case echoesAddress(name):
			return "address echo", true
		case strings.HasSuffix(name, "-Report-Only"):
			return whyReports + "; a policy that only reports", true
		}
		v = others.judge(name)
	}
	switch v.class {
	case unnamed:
		if saysWhetherHeld(name) {
			return whyHeld, true
		}
		return "", false
	case misplaced:
		return "", false
	case hop, route, identity:
		return v.why, true
	}
	return v.why, false
}

const whyHeld = "RFC 9211 §2; what a cache further on holds"

// saysWhetherHeld reports whether name is one of the many by which servers say whether a cache
// of theirs held the answer, such as X-Fastcgi-Cache. A client that knows that it does by now
// would see by a miss that another was given the answer before. What is said to caches passes
// (RFC 9213 §2).
func saysWhetherHeld(name string) bool {
	before, after, found := cutFold(name, "cache")
	return found && !(strings.HasSuffix(before, "-") && strings.EqualFold(after, "-Control"))
}

// echoesAddress reports whether the words of name say that it holds an address.
func echoesAddress(name string) bool {
	var words [16]string
	for _, word := range splitWords(words[:0], name) {
		switch word {
		case "ip", "ips", "ipv", "ipaddr", "ipaddress", "addr", "xff":
			return true
		}
	}
	return false
}

// endsInTrace reports whether name is one of the many names of a request's
// number in a server's log.
func endsInTrace(name string) bool {
	for _, end := range [...]string{"-Request-Id", "-Requestid", "-Trace-Id", "-Traceid", "-Correlation-Id", "-Span-Id", "-Transaction-Id"} {
		if len(name) > len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
			return true
		}
	}
	return false
}
