package filters

// routeProxy lists what proxies, load balancers, firewalls and application
// servers add about where a request came from, and the names under which
// programs look for it.
var routeProxy = []group{
	{route, "developer.mozilla.org, X-Forwarded-*; httpd.apache.org/docs/mod/mod_proxy", `
		x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-protocol x-forwarded-port
		x-forwarded-server x-forwarded-prefix x-forwarded-scheme x-forwarded-ssl x-forwarded-by
		x-forwarded-path x-forwarded-uri x-forwarded-method x-forwarded-user x-forwarded-email
		x-forwarded-groups x-forwarded-preferred-username x-forwarded-access-token
		x-forwarded-for-original x-forwarded-client-ip x-forwarded-tls-client-cert x-forwarded-*
		x-forwarded xforwarded-* x-originally-forwarded-* x-original-forwarded-* forwarded-*
		z-forwarded-* zx-forwarded-* x-x-forwarded-*`},
	{route, "spellings that programs accept for X-Forwarded-For", `forwarded-for forwarded-for-ip
		x-forwared-* x-fowarded-* x-forward-for x-forward-proto x-forward-host x-forward-* forward-*
		x-forwarder-for x-forwarder-* forwarder forwarder-* forwarding forwarding-* x-forwardedfor
		xforwardedfor x-forwared-for x-fowarded-for x-forwarding-for x-for x-xff xff x-ff x-d-forwarder
		x-imforwards x-originating-* originating-*`},
	{route, "nginx.org, ngx_http_realip_module; Apache mod_remoteip", `x-real-ip x-real-port x-real-*
		real-ip real-* realip x-realip xxx-real-ip x-remote-ip x-remote-addr x-remote-port x-remote-host
		x-remote-user x-remote-* remote-addr remote-ip remote-host remote-port remote-user remote-ident
		remote-* x-rewrite-url x-rewrite-*`},
	{route, "docs.rackspace.com and riverbed.com, load balancers", `x-cluster-client-ip cluster-client-ip
		cluster-ip x-cluster-* rlnclientipaddr x-rbt-optimized-by x-rbt-* x-riverbed-*`},
	{route, "my.f5.com, BIG-IP; docs.netscaler.com; Barracuda, A10, Radware, FortiWeb, Blue Coat, Zscaler", `
		x-client-source-ip x-f5-* client-address clientaddress clientip ns-client ns-client-ip
		ns-remote-addr x-ns-client-ip nsc-* x-citrix-* x-citrix-via cuda-cliip cuda-* x-barracuda-*
		x-a10-* x-rdwr-* x-rdwr-ip x-fortiweb-* x-forti-* x-bluecoat-via x-bluecoat-* bluecoat-*
		x-bcsi-* x-zscaler-* zscaler-* z-client-ip x-websense-* x-authenticated-groups x-mcproxyfilter
		x-mcafee-* mt-proxy-id x-squid-* x-netskope-* x-iboss-* x-sophos-* x-cisco-*
		x-cisco-bbsm-clientip x-umbrella-* x-pan-* x-checkpoint-* x-kemp-* x-coyote-* x-juniper-*
		x-dana-* x-avi-* x-sp-client-* x-wa-info x-waf-*`},
	{route, "docs.oracle.com, WebLogic plug-in; IBM WebSphere; IIS; Jetty; Tomcat; Perl LWP", `
		proxy-client-ip wl-* front-end-https x-url-scheme x-https x-ssl x-ssl-* ssl-client-*
		ssl-session-id sslsessionid x-client-verify x-client-dn x-client-certificate x-client-ssl-*
		x-original-* original-* x-orig-* x-http-host-override x-host-override client-date client-peer
		client-response-num client-ssl-* client-transfer-encoding client-warning client-aborted iv-user
		iv-groups iv-creds iv-remote-address iv-* sm-user sm-userdn sm-* http-sm-* shib-* eppn
		persistent-id x-server-name x-server-addr x-server-port server-port local-addr
		server-addr`},
	{route, "names that programs search for a client's address", `client-ip x-clientip x-ip ip ip-address
		x-ip-address x-user-ip user-ip userip x-source-ip source-ip x-src-ip src-ip x-host-ip host-ip
		x-origin-ip origin-ip x-peer-ip x-peer-addr peer-ip x-client-addr x-client-address x-client-host
		x-client-hostname x-client x-remoteip x-remoteaddr x-rip rip x-wan-ip x-lan-ip x-local-ip
		x-public-ip x-private-ip x-internal-ip x-external-ip x-custom-ip-authorization x-ip-trail
		x-override-ip override-ip x-spoofed-ip x-azc-remote-addr pc-remote-addr x-gateway-host
		gateway-host x-gateway-* x-backend-* backend-host x-base-url x-http-destinationurl
		http-destinationurl x-proxy-url x-arbitrary destination-host x-proxyuser-ip proxyuser-ip
		x-proxyuser-* x-proxied-user-ip x-proxied-* x-proxy-* x-proxyid x-coming-from coming-from
		comes-from x-caller-ip x-sakura-forwarded-for x-sina-proxyuser x-kaltura-remote-addr
		x-fb-user-remote-addr x-varnish x-varnish-* nas-ip-address nas-* sgsn-ip-address sgsn-mcc-mnc
		ggsn-* sgsn-* x-dagd-proxy x-iwproxy-nesting xproxy x-client-src-* bae-env-*`},
	{route, "private networks, gateways of APIs, resolvers", `tailscale-* x-zt-* x-mesh-id x-tproxy x-edns*
		dnsmasq-* x-mashery-* x-3scale-*`},
	{route, "filters and servers on the way", `x-privoxy x-privoxy-* x-dansguardian-* x-e2guardian-* x-openresty
		x-httpd x-server x-balancer x-cdn x-cloudtrace x-source x-port x-protocol-port x-protocol-scheme
		x-originating weblogic-force-jvmid refferer refferrer referrer zorigin zreferer
		zreferrer z-referer upgrade-insecure x-mod-pagespeed`},
	{route, "names that programs search for the way a request took", `x-via zvia pvia x-pvia via-* x-hop-*
		x-hops hops x-host x-forwarded-hops x-te x-edge-* x-pop x-colo x-served-by x-cache x-cache-*
		x-haproxy-* x-nginx-* x-apache-* x-upstream-* x-balancer-* balancer-* x-loop-* x-tor x-tor2web
		tor2web x-tor2web-* x-i2p-* x-i2p-desthash x-i2p-destb32 x-i2p-destb64 x-onion-* x-p2p-peerdist
		x-p2p-peerdistex x-lori-time-1 x-bypass-cache`},
	{route, "names by which judges of proxies tell one", `accproxyws x-cid-hash x-content-opt x-fikker x-mato-param
		x-teamsite-preremap x-tinyproxy`},
	{route, "MaxMind mod_maxminddb and ngx_http_geoip_module; further names for places", `
		geoip-* x-geoip-* x-geoip x-geoip2-* geoip2-* mm-* maxmind-* x-maxmind-* x-geo x-geo-* geo geo-*
		x-country x-country-* country country-code x-city x-city-* x-region-name x-region-code
		x-region-* x-latitude x-longitude x-lat x-lon x-lng x-lat-* x-lon-* x-postal-* x-postal-code
		x-zip-code x-continent x-continent-* x-timezone timezone x-tz x-time-zone time-zone x-timezone-*
		x-asn x-isp x-isp-* x-org-name x-metro-code x-location x-location-* geolocation x-geolocation
		x-gps x-gps-* x-ip-* ip-country ip-city ip-*`},
}
