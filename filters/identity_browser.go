package filters

// ownSec is for requests and answers alike.
var ownSec = group{identity, "Fetch: Sec- fields are the browser's own, and no rule knows this one", `sec-*`}

// identityBrowser lists what browsers and apps add about themselves, their
// device, and their user.
var identityBrowser = []group{
	{identity, "chromium.googlesource.com, variations: the browser's experiments", `x-client-data
		x-chrome-uma-enabled x-chrome-variations x-chrome-connected x-chrome-id-consistency-*
		x-chrome-offline x-chrome-* chrome-* x-browser-channel x-browser-copyright x-browser-validation
		x-browser-year x-browser-* resource-freshness x-goog-visitor-id x-goog-device-* x-goog-authenticated-*
		x-goog-update-*`},
	{identity, "www.rfc-editor.org/rfc/rfc8942 and wicg.github.io/client-hints-infrastructure", `
		sec-ch-* sec-ch dpr content-dpr viewport-width viewport-height width device-memory downlink ect
		rtt save-data`},
	{identity, "patcg-individual-drafts.github.io/topics", `sec-browsing-topics sec-shared-storage-* shared-storage-*`},
	{identity, "wicg.github.io/attribution-reporting-api", `attribution-reporting-* attribution-*`},
	{identity, "privacysandbox.google.com, auctions and state tokens", `sec-ad-auction-* ad-auction-*
		sec-private-state-token sec-private-state-token-* sec-trust-token sec-trust-token-*
		sec-redemption-record sec-signature sec-signed-redemption-record sec-time sec-cookie-deprecation
		sec-private-aggregation-* x-fledge-*`},
	ownSec,
	{identity, "prefetching: tells what the visitor may do next", `purpose x-purpose x-moz x-moz-*
		moz-purpose x-fetch-purpose`},
	{identity, "Do Not Track, forms before DNT", `gpc x-do-not-track x-behavioral-ad-opt-out x-privacy-*`},
	{identity, "dev.opera.com/articles/opera-mini-request-headers", `x-operamini-* x-opera-* x-operatv-*
		device-stock-ua x-operamini-phone-ua`},
	{identity, "UC Browser, Skyfire, Bolt, Puffin, Silk, Samsung, Xiaomi, Baidu, Sogou, WeChat, QQ, Vivo browsers", `
		x-ucbrowser-* x-uc-* x-skyfire-* x-bolt-* x-puffin-* x-amz-device-* x-silk-* x-samsung-* x-mi-*
		x-miui-* baidu-* x-bdboxapp-* x-turbonet-* x-sogou-* x-wx-* xweb-xhr wxuin x-mmtls x-qq-* q-guid q-ua q-ua2 q-qimei q-auth q-* x-bd-* x-baidu-* x-vivo-* x-oppo-*
		x-huawei-userid x-novarra-* x-avantgo-* x-dolphin-* x-brave-* brave-* x-ddg-* x-yandex-*`},
	{identity, "Microsoft Internet Explorer and its tool bars", `ua-cpu ua-os ua-pixels ua-color ua-voice
		ua-* x-ie-* x-tom x-flash-version x-client-os x-client-os-ver x-client-info x-client-version
		x-os-prefs x-bm-* x-ms-dpr x-ms-device-*`},
	{identity, "Apple and Google app frameworks", `x-apple-client-application x-apple-store-front
		x-apple-i-* x-apple-adsid x-apple-tz x-apple-seid x-ios-bundle-identifier x-android-package
		x-android-cert x-android-* x-ios-* x-dsid icloud-dsid x-mme-* x-play-* x-firebase-client
		x-firebase-client-* x-firebase-locale x-crashlytics-* x-gmm-* x-playback-session-id x-device
		x-device-* device device-* deviceid`},
	{identity, "kits for experiments, and apps of Chinese and Korean networks", `x-optimizely* x-growthbook-* x-split-*
		statsig-* x-statsig-* x-launchdarkly-* bugsnag-sent-at x-bugsnag-* x-pusher-library x-wechat-*
		x-bili-* x-kakao-* x-line-application x-umt x-sgext x-mini-wua mtgsig x-zse-* x-zst-*`},
	{identity, "what a company's proxy holds its people to: Microsoft Entra and Google Workspace tenant restrictions, YouTube, Dropbox, Slack, Webex, Zoom, OpenAI, Anthropic", `
		x-channel-ids restrict-* x-googapps-allowed-* x-goog-allowed-* x-dropbox-allowed-* x-slack-allowed-* ciscospark-allowed-*
		x-webex-allowed-* youtube-restrict x-youtube-edu-filter x-zoomapps-* chatgpt-allowed-* openai-allowed-*
		anthropic-allowed-*`},
	{identity, "what agents on a machine add for their maker's proxy: Skyhigh Client Proxy, Forcepoint, Menlo, Cato, Lightspeed, Securly, Lantern", `
		x-sweb-* x-forcepoint-* x-menlo-* x-cato-* x-lightspeed-* x-securly-* x-lantern-*`},
	{identity, "what a security program's script in every page adds: Kaspersky", `x-kl-* x-kaspersky-*`},
	{identity, "firebase.google.com, callable functions and messaging: one token an installation", `
		firebase-instance-id-token`},
	{identity, "tool bars, extensions (Hola, FireLogger) and in-game browsers", `x-hola-* x-firelogger x-fireloggerauth alexatoolbar alexatoolbar-* x-alexa x-alexa-* x-avastify
		x-safari-search eve-*`},
	{identity, "X-ATT-DeviceId and Apple's App Tracking Transparency", `x-att-deviceid x-att-*`},
	{identity, "shopify.dev, Hydrogen: visitor and visit", `shopify-storefront-y shopify-storefront-s x-shopify-uniquetoken
		x-shopify-visittoken custom-storefront-request-group-id`},
	{identity, "kits that libraries send on their own: system, versions, times", `x-go-version go-version x-bun-version x-rust-version x-rails-version x-stainless-* x-sdk-* sdkversion
		x-client-sdk x-ads-* x-gdata-client x-goog-api-client x-trino-client-info x-presto-client-info x-aastra-* x-tomboy-client x-newrelic-* x-appsflyer-*
		x-adjust-* x-amplitude-* x-mixpanel-* x-segment-* x-braze-* x-algolia-usertoken x-algolia-user-token x-algolia-agent x-tealeaf x-tealeaf-* x-onesignal-* x-posthog-* x-rudder-*
		auth0-client runtimeenvironment x-sumup-runtime acc-sdk-*`},
	{identity, "what package and cluster tools report of the machine, and what is run on it: Dart's pub, Julia's Pkg, Terraform, kubectl (KEP-859), openSUSE's libzypp, Fedora's Anaconda", `
		x-pub-* x-zypp-* x-anaconda-* julia-version julia-system julia-ci-variables julia-interactive julia-hyperloglog x-terraform-version kubectl-*
		x-kubectl-*`},
	{identity, "Discord, TikTok, Snapchat, Facebook and Instagram clients", `x-super-properties
		x-context-properties x-fingerprint x-discord-* x-argus x-gorgon x-ladon x-khronos x-tt-token
		x-ss-dp x-ss-stub x-ss-req-ticket x-snap-* x-snapchat-* x-fb-http-engine x-fb-client-ip
		x-fb-connection-* x-fb-net-hni x-fb-sim-hni x-fb-device-* x-fb-server-cluster x-fb-session-*
		x-fb-qpl-* x-ig-device-id x-ig-family-device-id x-ig-android-id x-ig-timezone-offset
		x-ig-connection-* x-ig-bandwidth-* x-ig-mapped-locale x-ig-device-locale x-ig-app-locale
		x-ig-nav-chain x-mid ig-u-* ig-intended-user-id x-pigeon-* x-twitter-client* x-client-uuid
		x-kik-*`},
	{identity, "names of a person, account, or visit", `x-id x-ident user-mail x-login x-em-uid x-dcmguid
		x-known-username x-profile x-advertiser-id x-advertising-id x-idfa x-gaid x-fp x-browserid
		x-machine x-machine-* x-hostname hostname x-computer-* x-serial-number x-install-*
		x-installation-* installation-id x-referer x-referrer x-xhr-referer x-user-agent
		x-original-user-agent x-javascript-user-agent browser-user-agent user-agent-via useragent
		useragent-via http-user-agent x-ua x-ua-* x-mobile-ua x-htx-agent npm-session npm-in-ci npm-scope pacote-*
		postman-token`},
	{identity, "attributes of a person that a gateway found out: Shibboleth, OpenID Connect (Louketo, authentik, WSO2, Istio), Oracle, LDAP, Kerberos, certificates", `
		cn sn uid givenname displayname mail affiliation primary-affiliation unscoped-affiliation targeted-id entitlement eduperson-* x-name x-age
		x-avatar x-badge x-nickname x-domain organization organizer originator on-behalf-of x-on-behalf-of
		authorization-user auth-user auth-username x-auth-user x-auth-userid x-auth-username x-auth-login
		php-auth-* x-webauth-* webauth-* x-sso-* sso-* oidc-* x-oidc-* x-ms-token-* x-krb-* x-kerberos-*
		x-auth-audience x-auth-entitlements x-auth-expiresin x-auth-family-name x-auth-given-name x-auth-groups
		x-auth-jwt x-auth-meta-* x-auth-name x-auth-preferred-username x-auth-roles x-auth-subject x-auth-uid
		x-jwt-assertion x-jwt-payload x-jwt-claim x-jwt-claims x-jwt-claim-* x-claims x-ldap-* oam-*
		x-smartcard x-pki-* cert-subject cert-issuer cert-serialnumber cert-cookie cert-flags
		cert-keysize cert-secretkeysize cert-server-* https-keysize https-secretkeysize https-server-*
		x-mailer x-vendor-id`},
	{identity, "firebase.google.com and documentation.onesignal.com: where an installation is notified", `x-push-token push-token pushtoken
		onesignal-*`},
	{identity, "docs.oracle.com/iaas, default headers and cookies that App Gateway adds to the request", `idcs-*
		idcs-authn-method idcs-user-assertion`},
	{identity, "cookies by another name, or garbled by middleboxes", `cookies x-cookie x-cookies x-set-cookie
		okcoie okcoie2 ckiooe ckiooe2`},
	{identity, "Souders, Even Faster Web Sites, chapter 9: Accept-Encoding, garbled by antivirus and proxies", `accept-encodxng
		x-cept-encoding xxxxxxxxxxxxxxx`},
	{identity, "what a TLS or HTTP connection looks like", `x-ja3 x-ja3-* ja3-* x-ja4 x-ja4-* ja4-* x-ja4h x-ja4t
		x-tls-* tls-* x-http-version x-http-protocol x-http2-* x-h2-* x-spdy x-spdy-* x-firefox-spdy x-quic-*
		x-akamai-fp x-http2-fingerprint x-cipher x-cipher-*`},
	{identity, "dropbox-sdk-python and -java: the language of whoever asks", `dropbox-api-user-locale`},
	{identity, "Kindle's and Audible's apps (github.com/mkb79/audible-cli): minutes from UTC, country, network", `x-adp-lto x-adp-cor x-adp-transport`},
	{identity, "display and system, by any name", `x-screen-* x-display-* x-resolution x-dpr x-viewport-*
		x-battery-* x-cpu-* x-gpu-* x-os x-os-* x-platform-version x-color-depth x-pixel-ratio
		x-network-type x-connection-type x-locale x-lang x-language x-languages x-accept-language
		x-timezone-offset x-utc`},
}
