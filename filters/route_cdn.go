package filters

// routeCDN lists what content delivery networks tell origins about a client.
var routeCDN = []group{
	{route, "developers.cloudflare.com/fundamentals/reference/http-headers", `cf-connecting-ip
		cf-connecting-ipv6 cf-connecting-o2o cf-pseudo-ipv4 cf-ipcountry cf-ray cf-visitor cf-worker
		cf-ew-via cf-warp-tag-id cf-access-authenticated-user-email cf-access-jwt-assertion cf-region
		cf-region-code cf-ipcity cf-ipcontinent cf-iplongitude cf-iplatitude cf-metro-code
		cf-postal-code cf-timezone cf-ipasn cf-device-type cf-bot-score cf-ja3-hash cf-ja4 cf-request-id
		cf-*`},
	{route, "developers.cloudflare.com, Enterprise; techdocs.akamai.com, True-Client-IP", `
		true-client-ip x-true-client-ip x-true-ip true-client-country true-client-*`},
	{route, "techdocs.akamai.com, edge request headers", `akamai-client-ip akamai-client-country
		akamai-origin-hop akamai-mon-iucid-* akamai-grn akamai-reputation akamai-bot akamai-user-risk
		akamai-device-characteristics akamai-* x-akamai-edgescape x-akamai-config-log-detail
		x-akamai-device-characteristics x-akamai-session-info x-akamai-edge-* x-akamai-* x-edgescape
		edgescape x-is-mobile x-edge-client-ip x-edge-connect-*`},
	{route, "www.fastly.com/documentation/reference/http/http-headers", `fastly-client-ip fastly-client
		fastly-ff fastly-ssl fastly-temp-xff fastly-orig-* fastly-geo-* fastly-* x-timer x-fastly-*
		x-sigsci-client-geo-country-code x-sigsci-* sigsci-agent-* x-client-geo-*`},
	{route, "docs.aws.amazon.com/AmazonCloudFront, request headers", `cloudfront-viewer-address
		cloudfront-viewer-asn cloudfront-viewer-city cloudfront-viewer-country
		cloudfront-viewer-country-name cloudfront-viewer-country-region
		cloudfront-viewer-country-region-name cloudfront-viewer-latitude cloudfront-viewer-longitude
		cloudfront-viewer-metro-code cloudfront-viewer-postal-code cloudfront-viewer-time-zone
		cloudfront-viewer-header-order cloudfront-viewer-header-count cloudfront-viewer-http-version
		cloudfront-viewer-tls cloudfront-viewer-ja3-fingerprint cloudfront-viewer-ja4-fingerprint
		cloudfront-forwarded-proto cloudfront-is-mobile-viewer cloudfront-is-desktop-viewer
		cloudfront-is-tablet-viewer cloudfront-is-smarttv-viewer cloudfront-is-ios-viewer
		cloudfront-is-android-viewer cloudfront-* x-amz-cf-id x-amz-cf-pop x-amz-cf-*`},
	{route, "learn.microsoft.com/azure/frontdoor/front-door-http-headers-protocol", `x-azure-clientip
		x-azure-socketip x-azure-fdid x-azure-ref x-azure-requestchain x-azure-ja4-fingerprint
		x-azure-requestchainv2 x-azure-internalerror x-azure-externalerror x-azure-* x-fd-healthprobe
		x-fd-clientip x-fd-socketip x-fd-edgeenvironment x-fd-eventid x-fd-impressionguid
		x-fd-originalurl x-fd-partner x-fd-ref x-fd-requesthadclientid x-fd-routekey x-fd-*`},
	{route, "help.aliyun.com/document_detail/27142, real client addresses", `ali-cdn-real-ip
		ali-cdn-real-port ali-cdn-* ali-swift-* ali-tproxy-* x-alicdn-* eagleeye-* eagleid
		web-server-type wl-proxy-client-ip wl-proxy-client-* wl-proxy-* x-client-scheme
		ali-real-client-ip ali-*`},
	{route, "Tencent, Baidu, Huawei, Wangsu and further Chinese networks", `cdn-src-ip cdn-real-ip
		cdn-src-port cdn-client-ip cdn-user-ip x-cdn-src-ip x-cdn-src-port x-cdn-real-ip x-cdn-* cdn-*
		x-tencent-ua x-ws-request-id x-nws-log-uuid eo-client-ip eo-client-ipcountry eo-connecting-ip
		eo-log-uuid eo-* x-bce-request-id x-bdcdn-* x-hw-client-ip x-huawei-* qvia qcdn-* kscdn-* x-ser
		x-baishan-* powered-by-chinacache x-cache-lookup x-daa-tunnel x-tt-logid x-tt-trace-*`},
	{route, "docs.sucuri.net/website-firewall", `x-sucuri-clientip x-sucuri-country x-sucuri-*`},
	{route, "docs.imperva.com, Incapsula", `incap-client-ip incap-proxy-* incap-* x-incap-* x-iinfo
		x-imperva-*`},
	{route, "docs.netlify.com/functions", `x-nf-client-connection-ip x-nf-request-id x-nf-geo
		x-nf-account-id x-nf-* x-bb-ip x-bb-* x-country x-language-country x-netlify-* client-ip`},
	{route, "vercel.com/docs/headers/request-headers", `x-vercel-forwarded-for x-vercel-ip-country
		x-vercel-ip-country-region x-vercel-ip-city x-vercel-ip-latitude x-vercel-ip-longitude
		x-vercel-ip-timezone x-vercel-ip-continent x-vercel-ip-postal-code x-vercel-ip-as-number
		x-vercel-id x-vercel-deployment-url x-vercel-proxied-for x-vercel-proxy-signature
		x-vercel-ja4-digest x-vercel-oidc-token x-vercel-internal-* x-vercel-* x-zeit-co-forwarded-for
		x-now-route-matches x-now-*`},
	{route, "fly.io/docs/networking/request-headers", `fly-client-ip fly-client-port fly-forwarded-port
		fly-forwarded-proto fly-forwarded-ssl fly-region fly-request-id fly-traceparent fly-tracestate
		fly-dispatch-start fly-*`},
	{route, "docs.cdn77.com, KeyCDN, StackPath, Gcore, Bunny, Edgio, CacheFly, Limelight", `
		cdn-loop x-pull x-sp-* x-hw x-ec-* ec-* x-bunny-* bunny-* cdn-requestcountrycode cdn-requestid
		cdn-requeststatecode cdn-serverid cdn-mobiledevice cdn-connectionid x-gcore-* x-llid x-llnw-*
		x-ll-* x-0-* x-0-geo-* x-cachefly-* x-cf-visitor x-cf-* x-ddos-* x-stackpath-*
		x-qrator-ip-source x-qrator-* x-ngenix-* x-medianova-* x-arvan-* ar-real-ip ar-* x-reblaze-*
		x-iij-* x-edg-*`},
}
