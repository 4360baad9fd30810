package filters

// registry is the IANA "Hypertext Transfer Protocol (HTTP) Field Name
// Registry" (www.iana.org/assignments/http-fields), each name with what it
// does in a request. Fields that only responses carry are misplaced in one.
// Rows are grouped by class; those that the registry calls obsolete say so.
var registry = []group{
	// Permanent and provisional, and serving the request.
	{serves, "RFC 9110", `authorization content-encoding content-language content-length content-location
		content-range content-type host if-match if-modified-since if-none-match if-range
		if-unmodified-since`},
	{registered, "RFC 9112 appendix B.1", `mime-version`},
	{serves, "RFC 6266", `content-disposition`},
	{serves, "RFC 9530", `content-digest repr-digest unencoded-digest`},
	{registered, "RFC 9421", `signature signature-input accept-signature`},
	{serves, "Fetch", `access-control-request-headers access-control-request-method
		access-control-request-private-network access-control-request-local-network`},
	{serves, "RFC 6454", `origin`},
	{serves, "HTML", `last-event-id`},
	{registered, "RFC 4918 and its kin", `depth destination if lock-token overwrite timeout label ordering-type
		position redirect-ref apply-to-redirect-ref if-schedule-tag-match schedule-reply
		caldav-timezones`},
	{registered, "RFC 4918 §10.1: what a client can do, as Subversion's hooks ask", `dav`},
	{registered, "RFC 5023", `slug`},
	{registered, "RFC 8288", `link link-template`},
	{registered, "RFC 8030", `topic ttl urgency`},
	{registered, "RFC 9449", `dpop`},
	{registered, "RFC 9635", `detached-jws`},
	{registered, "RFC 8613", `oscore`},
	{registered, "RFC 9297", `capsule-protocol`},
	{registered, "draft-ietf-httpbis-incremental", `incremental`},
	{registered, "RFC 7089", `accept-datetime`},
	{registered, "RFC 3229", `a-im`},
	{registered, "SOAP 1.1", `soapaction`},
	{registered, "OData 4.01", `odata-isolation odata-maxversion odata-version isolation`},
	{registered, "OASIS Repeatable Requests 1.0", `repeatability-request-id repeatability-first-sent`},
	{registered, "OSLC", `oslc-core-version configuration-context`},
	{registered, "RFC 6017", `ediint-features`},
	{registered, "CTA-5007", `cta-common-access-token`},
	{serves, "draft-ietf-httpapi-idempotency-key-header", `idempotency-key`},
	{serves, "RFC 3230 and RFC 2616 §14.15, obsoleted but still sent", `digest content-md5`},

	// Passed with their values rebuilt.
	{rebuilt, "RFC 9111 §5.2.1", `cache-control`},
	{rebuilt, "docs.aws.amazon.com, PutObject: what is stored is given out with it", `expires`},
	{rebuilt, "RFC 9111 §5.4", `pragma`},
	{rebuilt, "RFC 9110 §10.1.1", `expect`},
	{rebuilt, "RFC 9110 §7.6.2", `max-forwards`},
	{rebuilt, "RFC 9110 §14.2", `range`},
	{rebuilt, "RFC 9110 §6.6.1: tells the client's clock", `date`},
	{rebuilt, "RFC 7240", `prefer`},
	{rebuilt, "RFC 9530 §4", `want-content-digest want-repr-digest want-unencoded-digest want-digest`},
	{rebuilt, "Fetch", `sec-purpose`},

	// Owned by the persona, the Referer, cookie and WebSocket filters.
	{disguised, "RFC 9110 §12.5", `accept accept-encoding accept-language accept-charset user-agent`},
	{disguised, "RFC 9110 §10.1.3", `referer`},
	{disguised, "RFC 6265bis", `cookie`},
	{disguised, "RFC 9218", `priority`},
	{disguised, "Global Privacy Control", `sec-gpc dnt`},
	{disguised, "Upgrade Insecure Requests", `upgrade-insecure-requests`},
	{disguised, "Fetch Metadata", `sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user`},
	{disguised, "RFC 6455", `sec-websocket-key sec-websocket-version sec-websocket-protocol
		sec-websocket-extensions`},

	{framing, "RFC 9112 §6", `transfer-encoding trailer`},

	{hop, "RFC 9110 §7.6.1", `connection proxy-connection keep-alive te upgrade close`},
	{hop, "RFC 7540 §3.2.1", `http2-settings`},
	{hop, "RFC 9110 §11.7", `proxy-authenticate proxy-authentication-info proxy-authorization proxy-status
		proxy-features proxy-instruction`},

	{route, "RFC 9110 §7.6.3: names each hop", `via`},
	{route, "RFC 7239 §8.3", `forwarded`},
	{route, "RFC 8586: names each network passed", `cdn-loop`},
	{route, "Edge Architecture Specification", `surrogate-capability surrogate-control`},
	{route, "RFC 2227: counts what a proxy's clients do", `meter`},

	{identity, "RFC 9110 §10.1.2: a mail address", `from`},
	{identity, "W3C Trace Context", `traceparent tracestate`},
	{identity, "RFC 9440", `client-cert client-cert-chain`},
	{identity, "RFC 9729 §6: a server's front end tells who authenticated", `concealed-auth-export`},
	{identity, "RFC 8470: tells a resumed TLS session", `early-data`},
	{identity, "RFC 8473: binds tokens to one client's key", `sec-token-binding provided-token-binding-id
		referred-token-binding-id`},
	{identity, "RFC 7838 §5: echoes an Alt-Svc that may be one visitor's", `alt-used`},
	{identity, "RFC 7639: tells what a CONNECT is for", `alpn`},
	{identity, "RFC 9842 §10: the dictionary held is an identifier", `available-dictionary dictionary-id`},
	{identity, "SDCH 0.7: the dictionaries held", `avail-dictionary`},
	{identity, "CTA-5004 §3: session and player", `cmcd-object cmcd-request cmcd-session cmcd-status`},
	{identity, "OASIS Repeatable Requests 1.0 §4", `repeatability-client-id`},
	{identity, "HTML, hyperlink auditing: two pages of one visit", `ping-from ping-to`},
	{identity, "Storage Access Headers", `sec-fetch-storage-access`},

	// Fields of responses, and what the registry lists as obsolete or
	// experimental and no client of today sends.
	{misplaced, "RFC 9110: a response field", `accept-ranges age allow authentication-info etag
		last-modified location retry-after server vary www-authenticate`},
	{misplaced, "RFC 9111 §5.5: obsolete", `warning`},
	{misplaced, "IANA registry: a response field", `accept-ch accept-patch accept-post accept-query access-control
		access-control-allow-credentials access-control-allow-headers access-control-allow-methods
		access-control-allow-origin access-control-expose-headers access-control-max-age
		activate-storage-access alt-svc alternates authentication-control cache-group-invalidation
		cache-groups cache-status cal-managed-id cdn-cache-control cert-not-after cert-not-before
		clear-site-data cmsd-dynamic cmsd-static content-security-policy
		content-security-policy-report-only cross-origin-embedder-policy
		cross-origin-embedder-policy-report-only cross-origin-opener-policy
		cross-origin-opener-policy-report-only cross-origin-resource-policy dasl delta-base deprecation dpop-nonce
		expect-ct hobareg im include-referred-token-binding-id integrity-policy
		integrity-policy-report-only memento-datetime nel no-vary-search
		odata-entityid optional-www-authenticate origin-agent-cluster permissions-policy preference-applied
		public-key-pins public-key-pins-report-only referrer-policy refresh repeatability-result
		replay-nonce reporting-endpoints schedule-tag sec-websocket-accept server-timing set-cookie set-txn
		speculation-rules status-uri strict-transport-security sunset tcn timing-allow-origin
		use-as-dictionary variant-vary x-content-type-options x-frame-options`},
	{misplaced, "a response field of servers", `x-powered-by x-aspnet-version x-aspnetmvc-version x-pingback
		sourcemap x-sourcemap report-to x-accel-* x-sendfile x-sendfile-type`},
	{misplaced, "IANA registry: obsolete or experimental", `accept-additions accept-features
		amp-cache-transform c-ext c-man c-opt c-pep c-pep-info content-base content-id
		content-script-type content-style-type content-version cookie2 default-style subok tk derived-from
		differential-id ext getprofile man method-check method-check-expires negotiate opt p3p pep
		pep-info pics-label profileobject protocol protocol-info protocol-query protocol-request public
		referer-root safe security-scheme set-cookie2 setprofile uri`},
	{misplaced, "gnu.org, url-extensions-header: what Emacs can do, for no server", `extension`},
}
