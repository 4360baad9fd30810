package filters

// purposeTable lists the fields that scripts and API clients send for a
// purpose although the registry does not know them. A family's names are
// still judged by their stronger words, see tells.
var purposeTable = []group{
	// Proof that a request was meant, and by whom.
	{application, "cheatsheetseries.owasp.org, CSRF prevention", `x-csrf-token x-csrftoken x-xsrf-token
		x-xsrftoken csrf-token xsrf-token x-csrf-protection x-csrf x-xsrf anti-csrf-token
		requestverificationtoken x-requestverificationtoken --requestverificationtoken x-owa-canary x-modhash
		x-roundcube-request x-qlik-xrfkey x-aos-stk x-atok x-bcp x-mhub-access`},
	{application, "credentials of an API", `x-api-key x-apikey api-key apikey x-auth-token x-access-token
		x-authorization x-auth-key x-auth-signature x-app-key x-secret-key x-subject-token
		x-service-token x-vault-token x-consul-token x-gitlab-token private-token job-token deploy-token
		x-registry-auth x-registry-config x-hasura-admin-secret x-hasura-role x-emby-token
		x-emby-authorization x-mediabrowser-token x-plex-token x-wp-nonce x-parse-application-id
		x-parse-rest-api-key x-parse-javascript-key x-parse-session-token x-parse-revocable-session x-redmine-api-key
		x-nuget-apikey dd-api-key dd-application-key cf-access-client-id cf-access-client-secret
		cf-access-token cf-turnstile-response x-vercel-protection-bypass x-vercel-set-bypass-cookie
		x-rapidapi-host x-cisco-meraki-api-key x-tm-access-token x-jfrog-art-api .crumb x-twitter-auth-type
		x-twitter-active-user bitwarden-client-name bitwarden-client-version
		x-splunk-request-channel fastly-key fastly-otp fastly-soft-purge login-customer-id linked-customer-id
		ngrok-skip-browser-warning ngrok-version cst x-ibm-client-id x-2fa-approval authori-zation
		neon-connection-string`},
	{application, "keys and tokens by other names: QRadar, Autotask, VTEX, Informatica, Appwrite, Brightcove, Netlify, eBay", `
		sec apiintegrationcode vtexidclientautcookie infa-session-id icsessionid x-appwrite-session bcov-policy x-nf-sign x-ebay-api-* x-ebay-soa-*`},
	{application, "the application or the account that is asked about: MyAnimeList, Salesforce B2C Commerce, Amazon Ads, Epic, Apideck, Toast, Sage, Power BI, Elastic Cloud, UK Open Banking", `
		x-mal-client-id x-dw-client-id amazon-advertising-api-clientid amazon-advertising-api-scope amazon-advertising-api-manageraccount
		amazon-ads-clientid amazon-ads-accountid amazon-ads-manager-accountid epic-client-id x-apideck-consumer-id
		toast-restaurant-external-id x-business x-powerbi-profile-id x-found-cluster x-fapi-financial-id`},
	{application, "developer.shopware.com: in which language, version and currency, also what is written", `sw-language-id sw-version-id sw-currency-id`},
	{application, "docs.bunny.net, TUS uploads to Stream", `authorizationsignature authorizationexpire libraryid videoid`},
	{application, "sessions and keys of consoles: Metabase, vSphere, Veeam, Odoo, Dell Unity, Check Point, Pi-hole, Tenable; Salesforce's Bulk API", `
		x-metabase-session vmware-api-session-id x-restsvcsessionid x-openerp-session-id x-emc-rest-client
		x-chkp-sid x-ftl-sid x-securitycenter x-sfdc-session`},
	{application, "api-docs of Tuya, SwitchBot, Xiaohongshu, DNS Made Easy: the time that a signature covers", `t x-t x-dns-me-requestdate`},
	{application, "prismic.io/docs, GraphQL: which release of the content is meant, without which there is none", `prismic-ref`},
	{application, "challenges of Cloudflare, Akamai, Kasada, Zhihu and VirusTotal: what a page's script solved", `x-sec-clge-req-type x-vt-anti-abuse-header x-zse-93 x-zse-96
		cf-chl cf-chl-ra cf-challenge x-kpsdk-ct x-kpsdk-cd x-kpsdk-v x-kpsdk-h x-kpsdk-fc x-kpsdk-dt`},
	{application, "developers.cloudflare.com, AI Gateway and R2", `cf-aig-* cf-r2-jurisdiction
		cf-create-bucket-if-missing`},
	{application, "signing in at idmsa.apple.com, Bitwarden, 1Password and Proton", `scnt
		x-apple-id-session-id x-apple-hc x-apple-domain-id x-apple-frame-id auth-email x-agilebits-session-id x-agilebits-mac x-pm-uid`},
	{application, "trino.io/docs/current/develop/client-protocol", `x-trino-* x-presto-*`},
	{application, "databases and consoles: the account that a query runs as", `x-clickhouse-user
		x-trino-user x-presto-user x-ovh-consumer sap-client as-user mscrmcallerid callerobjectid x-splunk-form-key x-consul-namespace`},
	{application, "kubernetes.io/docs/reference/access-authn-authz/user-impersonation: without them, more is allowed", `
		impersonate-user impersonate-group impersonate-uid impersonate-extra-*`},
	{application, "learn.microsoft.com/exchange/client-developer: whose mailbox is meant", `x-anchormailbox x-publicfoldermailbox`},
	{application, "Device Bound Session Credentials; chromium.googlesource.com, bound_session_credentials: Chromium's own for Google", `
		sec-session-response secure-session-response sec-session-id sec-secure-session-id secure-session-id
		sec-session-google-response`},
	{application, "modelcontextprotocol.io, Streamable HTTP", `mcp-session-id mcp-protocol-version
		mcp-method mcp-name mcp-param-*`},
	{application, "which model is asked: AI SDK's gateway, Azure Machine Learning, Helicone, Groq", `ai-language-model-*
		ai-embedding-model-* ai-image-model-* ai-video-model-* ai-reranking-model-* ai-model-id ai-gateway-protocol-version
		azureml-model-deployment helicone-model-override groq-model-version`},
	{application, "services of editors, which refuse whoever names none: GitHub Copilot, Cursor", `copilot-integration-id
		editor-version editor-plugin-version x-cursor-client-type x-cursor-client-version`},
	{application, "upstash.com/docs/qstash, portkey.ai/docs and docs.fal.ai: where it goes from there", `upstash-callback
		upstash-failure-callback upstash-deduplication-id x-portkey-custom-host x-fal-target-url`},
	{application, "keys and accounts by names that say something else: 0x, GitLab's feature flags, Rocket.Chat, IBM Cloud, Vipps, Bring, Entur, Medidata, Ring", `
		2fa-code 2fa-support 0x-api-key 0x-version unleash-appname unleash-instanceid x-2fa-code ibm-service-instance-id merchant-serial-number
		x-bring-client-url et-client-name mcc-authentication mcc-time`},
	{application, "techdocs.akamai.com/netstorage-usage: what is asked for, and its signature", `x-akamai-acs-*`},
	{application, "Amazon's shop and WooGraphQL: which part of a page is meant, and whose basket", `x-amz-acp-params woocommerce-session`},
	{application, "aps.autodesk.com, Model Derivative, and in which region a bucket is made", `x-ads-force x-ads-derivative-format x-ads-region`},
	{application, "fly.io/docs/machines/api: a lease, and which instance is meant", `fly-machine-lease-nonce fly-force-instance-id`},
	{application, "pay.weixin.qq.com and opendocs.alipay.com: by which certificate it is signed", `wechatpay-serial alipay-root-cert-sn`},
	{application, "RFC 4130: who sends business documents to whom, and which receipt is wanted", `as2-from as2-to as2-version
		disposition-notification-to disposition-notification-options receipt-delivery-option`},
	{application, "a2a-protocol.org, extensions", `a2a-extensions x-a2a-extensions`},
	{application, "Transmission RPC: proof against CSRF", `x-transmission-session-id`},
	{application, "docs.expo.dev/technical-specs/expo-updates-1: for which build of an app an update is wanted", `expo-runtime-version`},
	{application, "support.huaweicloud.com, API Request Signing Guide: what a signature covers", `x-sdk-date x-sdk-content-sha256`},
	{application, "docs.honeycomb.io and dev.splunk.com/observability: whose the data is", `x-honeycomb-team x-honeycomb-dataset
		x-honeycomb-event-time x-honeycomb-samplerate x-sf-token`},
	{application, "yandex.cloud/docs/tracker and yandex.com/dev/weather", `x-cloud-org-id x-yandex-api-key x-yandex-weather-key`},
	{application, "docs.statsig.com, Console API", `statsig-api-key statsig-api-version`},
	{application, "developer.adobe.com/analytics-apis: whose reports are meant", `x-proxy-global-company-id`},
	{application, "dev.emarsys.com, Jobvite, Check Point's Harmony Email: a proof by a name without a word for it", `x-wsse
		x-jvi-api x-jvi-sc x-av-token x-av-sig x-av-date x-av-app-id x-av-req-id`},
	{application, "players of Jamendo, 10 Play and RainFocus, and Box' shared files (github.com/yt-dlp/yt-dlp): what is asked for, and a proof of it", `
		x-jam-call x-network-ten-auth rfapiprofileid rfwidgetid x-box-enduser-api`},
	{application, "cloud.ibm.com/docs/key-protect and devcenter.heroku.com: which instance is meant, and a proof; automation.trendmicro.com: what is looked for", `
		bluemix-instance heroku-two-factor-code tmv1-filter tmv1-query`},
	{application, "BitMart, LBank, BtcTurk, BTSE and Derive (github.com/ccxt/ccxt, which asks as they do): who signs, and what", `
		x-bm-key x-bm-sign x-bm-timestamp echostr x-pck request-api x-lyrawallet`},
	{application, "docs.wise.com: so that nothing is paid twice; canva.dev/docs/connect: what an imported file is", `x-idempotence-uuid import-metadata`},
	{application, "developer.quickbase.com and developer.ariba.com: which realm or network is meant", `qb-realm-hostname x-ariba-network-id`},
	{application, "developer-docs.citrix.com, StoreFront Web API, which refuses whoever leaves it out", `x-citrix-isusinghttps`},
	{application, "developer.broadcom.com, Avi Load Balancer API: of which version it is, and which tenant is meant", `x-avi-version x-avi-tenant
		x-avi-tenant-uuid`},
	{application, "docs.umbraco.com/umbraco-heartcore: which project is meant", `umb-project-alias`},

	// How a script's request wants to be read.
	{application, "method override", `x-http-method x-http-method-override x-method-override`},
	{application, "htmx.org/reference", `hx-request hx-trigger hx-trigger-name hx-target hx-boosted
		hx-prompt hx-history-restore-request hx-source hx-request-type`},
	{application, "turbo.hotwired.dev", `turbo-frame x-turbo-request-id`},
	{application, "single-page frameworks", `x-pjax x-pjax-container x-pjax-version x-inertia x-inertia-*
		x-livewire x-up-version x-up-target x-up-mode x-up-validate x-up-fail-target x-up-fail-mode
		x-up-context x-up-fail-context x-up-origin-mode x-up-reload-from-time rsc rsc-action-id x-rsc-action-id
		next-action next-router-* next-url x-nextjs-data x-middleware-prefetch x-sveltekit-* x-qrl
		x-remix-* x-astro-* x-unpoly-*`},
	{application, "frameworks that want a field with every call: GWT, ZK, Wicket, Laravel Echo, Next.js", `
		x-gwt-permutation x-gwt-module-base zk-sid wicket-* x-socket-id x-deployment-id`},
	{serves, "Service Workers: the browser's own", `service-worker service-worker-navigation-preload`},
	{application, "GraphQL", `apollo-require-preflight apollographql-client-name
		apollographql-client-version x-apollo-operation-name x-apollo-operation-id
		x-apollo-operation-type graphql-preflight graphql-require-preflight`},
	{application, "grpc.io, gRPC over HTTP/2", `grpc-timeout grpc-encoding grpc-accept-encoding
		grpc-message-type x-grpc-web`},
	{application, "connectrpc.com/docs/protocol", `connect-protocol-version connect-timeout-ms
		connect-accept-encoding connect-content-encoding`},
	{application, "PostgREST", `range-unit accept-profile content-profile`},
	{application, "CloudEvents, HTTP protocol binding", `ce-*`},
	{application, "hl7.org/fhir/http.html, conditional create", `if-none-exist`},
	{application, "SWORD 2.0, deposits in repositories", `packaging in-progress metadata-relevant`},
	{application, "standardwebhooks.com and Svix", `webhook-id svix-id`},
	{application, "media and documents", `icy-metadata getcontentfeatures.dlna.org transfermode.dlna.org
		timeseekrange.dlna.org translate brief`},
	{application, "jQuery and its kin; see clientIdentity for other values", `x-requested-with`},

	// Uploads and storage.
	{application, "tus.io and RFC drafts on resumable uploads", `upload-* tus-resumable tus-version
		tus-extension tus-checksum-algorithm`},
	{application, "MS-BPAU, BITS upload protocol", `bits-* bits-session-id`},
	{application, "uploads", `x-unique-upload-id x-progress-id x-upload-* x-file-name x-file-size x-file-type x-file-id x-filename x-chunk-*
		x-chunked-* x-content-* x-expected-entity-length x-update-range x-entity-length`},
	{application, "docs.aws.amazon.com: fields that services of AWS define", `x-amzn-* x-amzn-bedrock-trace
		x-amz-target x-amzn-sagemaker-target-container-hostname`},
	{application, "vercel.com/docs/rest-api and /vercel-blob, upload of files", `x-vercel-digest x-now-digest x-now-size
		x-vercel-blob-access x-cache-control-max-age`},
	{application, "docs.arangodb.com, developer.salesforce.com and techdocs.akamai.com/linode-api: what an answer holds, and in which transaction", `
		x-arango-* sforce-* x-filter`},
	{application, "storage APIs", `x-amz-* x-goog-* x-ms-* x-oss-* x-cos-* x-obs-* x-bce-* x-tos-* x-bz-*
		x-upyun-* x-qs-* x-object-* x-container-* x-storage-* x-copy-from x-delete-at x-delete-after
		x-symlink-target x-symlink-target-account x-versions-location x-history-location
		dropbox-api-* x-dropbox-* x-arc-* x-rs-*`},
	{stored, "metadata of a stored object", `x-amz-meta-* x-goog-meta-* x-ms-meta-* x-oss-meta-*
		x-cos-meta-* x-obs-meta-* x-bce-meta-* x-tos-meta-* x-qs-meta-* x-qn-meta-* x-upyun-meta-* opc-meta-* x-archive-meta* x-archive-filemeta-* x-amz-filemeta-* x-bz-info-* x-object-meta-* x-container-meta-* x-account-meta-* x-amz-tagging
		x-amz-website-redirect-location`},
	{stored, "docs.ntfy.sh/publish: what a notification shows", `icon x-icon attach x-attach
		actions x-actions`},
	{stored, "icecast.org, HTTP PUT of a stream: what its listeners are told", `ice-public ice-name ice-description ice-url ice-genre
		ice-bitrate ice-audio-info`},
	{application, "further fields of content", `content-*`},

	{application, "RFC 8291 and its drafts: web push", `encryption crypto-key encryption-key`},
	{application, "licences for media: Axinom, castLabs, PallyCon, BuyDRM, PlayReady", `x-axdrm-message customdata
		x-dt-custom-data dt-custom-data conax-custom-data acquirelicenseassertion pallycon-customdata pallycon-customdata-v2 authxml`},

	// Tools.
	{application, "git-scm.com/docs/protocol-v2", `git-protocol`},
	{application, "mercurial-scm.org, wire protocol over HTTP", `x-hgarg-* x-hgproto-*`},
	{application, "QuickTime: RTSP over HTTP, which of two connections belong together", `x-sessioncookie`},
	{application, "Docker Registry API", `docker-* x-docker-*`},
	{application, "WebDAV clients", `x-litmus x-litmus-second x-oc-mtime x-oc-ctime oc-checksum oc-chunked
		oc-total-length oc-lazyops ocs-apirequest x-svn-* x-gvfs-*`},
	{application, "public web APIs", `x-github-api-version x-github-next-global-id anthropic-version
		anthropic-beta anthropic-dangerous-direct-browser-access openai-organization openai-project
		openai-beta x-shopify-* x-algolia-* x-typesense-* x-firebase-appcheck x-firebase-gmpid
		x-ig-app-id x-goog-api-key x-goog-fieldmask x-http-method stripe-version stripe-account notion-version paypal-request-id
		paypal-partner-attribution-id boxapi
		npm-auth-type npm-command npm-otp circle-token x-figma-token atlassian-token x-atlassian-token
		x-atlassian-token-check x-prometheus-remote-write-version x-prometheus-remote-read-version x-scope-orgid
		kbn-xsrf kbn-version osd-xsrf x-dokuwiki-do x-ha-access x-grafana-org-id
		wm-sec.access-token wm-sec.auth-signature wm-sec.timestamp wm-svc.name wm-consumer.id
		wm-consumer.channel.type wm-qos.correlation-id x-asbd-id x-fb-lsd x-fb-friendly-name
		x-youtube-client-name x-youtube-client-version x-youtube-bootstrap-logged-in
		x-instagram-ajax x-goog-authuser x-figma-user-id x-notion-active-user-header xi-api-key
		x-experience-api-version x-wopi-* if-unmodified-since-version zotero-*
		atproto-proxy atproto-accept-labelers ocp-apim-subscription-region x-microsoft-outputformat x-wx-service x-wx-exclude-credentials
		x-wait-for-model x-owa-urlpostdata x-audit-log-reason accept-crs content-crs x-tc-region
		apns-id apns-topic apns-push-type apns-priority apns-expiration apns-collapse-id`},
}

// siteFields lists names that the word rule would remove and one site cannot
// do without. The value is the same for all visitors of that site, or goes with a proof of
// who asks.
var siteFields = []struct {
	site, name string // registrable domain, canonical name
	value      string // the one that its pages send, where others may send an id; "" for any
}{
	{"twitch.tv", "Client-Id", ""},        // dev.twitch.tv/docs/api: the application's id
	{"twitch.tv", "Client-Integrity", ""}, // a token made for the page
	{"igdb.com", "Client-Id", ""},         // api-docs.igdb.com
	{"trovo.live", "Client-Id", ""},       // developer.trovo.live
	{"neutrinoapi.net", "User-Id", ""},    // neutrinoapi.com/api/api-basics
	{"booking.com", "X-Affiliate-Id", ""}, // developers.booking.com/demand, authentication
	{"microsoft.com", "Customerid", ""},   // learn.microsoft.com/advertising/guides: beside its tokens
	{"microsoft.com", "Customeraccountid", ""},
	{"microsoft.com", "Workbook-Session-Id", ""}, // learn.microsoft.com/graph, Excel: whether changes are kept
	{"x.com", "X-Client-Transaction-Id", ""},     // a proof of work made anew for each request
	{"twitter.com", "X-Client-Transaction-Id", ""},
	{"adobe.com", "X-Ims-Clientid", ""},            // signing in: which of its pages asks
	{"spotify.com", "X-Spotify-Connection-Id", ""}, // the player's WebSocket, which said it
	{"pixiv.net", "X-Client-Time", ""},             // signing in: a time, and a hash over it
	{"pixiv.net", "X-Client-Hash", ""},
	{"ikea.com", "X-Client-Id", ""}, // what is in stock: which of its pages asks
	{"nike.com", "Nike-Api-Caller-Id", ""},
	{"costco.com", "Client-Identifier", ""},
	{"costco.com", "Costco-X-Wcs-Clientid", ""},
	{"expedia.com", "Client-Info", ""}, // which page asks, and its build
	{"hotels.com", "Client-Info", ""},
	{"vrbo.com", "Client-Info", ""},
	{"asana.com", "X-Allow-Asana-Client", "1"},       // proof against CSRF
	{"phonepe.com", "X-Verify", ""},                  // developer.phonepe.com: a hash over what is asked for
	{"xfyun.cn", "X-Param", ""},                      // doc.xfyun.cn: what is asked for, which a hash covers
	{"snapcraft.io", "Snap-Device-Series", "16"},     // api.snapcraft.io/docs: the same in all of them; else 400
	{"snapcraft.io", "Snap-Device-Architecture", ""}, // for which a package is wanted
	{"plex.tv", "X-Plex-Client-Identifier", ""},      // signing in: whose the token is; else 400
	{"ring.com", "Hardware_id", ""},                  // signing in; else 406
	{"expo.dev", "Expo-Platform", ""},                // for which an update is wanted; else 400

	// Beside a key or a token.
	{"pagerduty.com", "From", ""},      // developer.pagerduty.com, REST API: in whose name; else 400
	{"yandex.com", "Client-Login", ""}, // yandex.com/dev/direct, HTTP headers: whose campaigns
	{"yandex.ru", "Client-Login", ""},
	{"myconnectwise.net", "Clientid", ""}, // developer.connectwise.com: the integration's
	{"malwarebytes.com", "Accountid", ""}, // api.malwarebytes.com/nebula/v1/docs
	{"northbeam.io", "Data-Client-Id", ""},
	{"pverify.com", "Client-Api-Id", ""},
	{"datev.de", "X-Datev-Client-Id", ""},  // developer.datev.de: the application's
	{"bill.com", "Sessionid", ""},          // developer.bill.com, AP and AR
	{"polymarket.com", "Poly_address", ""}, // docs.polymarket.com: the account that signs
	{"azure.net", "Message-Id", ""},        // Azure Digital Twins, SendTelemetry; else 400
	{"azure.net", "Telemetry-Source-Time", ""},
	{"bytedance.com", "X-Api-Request-Id", ""}, // volcengine.com/docs, recordings: asked for by it later
	{"mtn.com", "X-Reference-Id", ""},         // momodeveloper.mtn.com: the same of payments
	{"huawei.com", "Client_id", ""},           // AppGallery Connect: the application's
	{"ups.com", "Transid", ""},                // developer.ups.com, Tracking
	{"bigchange.com", "Customer-Id", ""},
	{"tanium.com", "Session", ""},     // developer.tanium.com: a token
	{"hrflow.ai", "X-User-Email", ""}, // developers.hrflow.ai
	{"mlb.com", "X-Client-Name", "WEB"},
	{"umbrella.com", "X-Umbrella-Orgid", ""}, // developer.cisco.com/docs/cloud-security, managed organizations: whose token is meant

	// What players of sites ask with (github.com/yt-dlp/yt-dlp, which asks as they do).
	{"radiko.jp", "X-Radiko-Device", "pc"},
	{"radiko.jp", "X-Radiko-User", "dummy_user"},
	{"tver.jp", "X-Tver-Platform-Type", "web"},
	{"nicovideo.jp", "X-Frontend-Id", "6"},
	{"iwara.tv", "X-Version", ""}, // a hash over what is asked for
	{"yandex.ru", "X-Retpath-Y", ""},
	{"yandex.com", "X-Retpath-Y", ""},
}
