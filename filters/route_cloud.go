package filters

// routeCloud lists what clouds, hosting platforms and service meshes tell
// the programs behind them about a client.
var routeCloud = []group{
	{route, "cloud.google.com/appengine/docs/standard/reference/request-headers", `x-appengine-user-ip
		x-appengine-country x-appengine-region x-appengine-city x-appengine-citylatlong
		x-appengine-remote-addr x-appengine-https x-appengine-request-log-id x-appengine-user-email
		x-appengine-user-id x-appengine-user-nickname x-appengine-user-organization
		x-appengine-user-is-admin x-appengine-auth-domain x-appengine-default-namespace
		x-appengine-inbound-appid x-appengine-* x-google-apps-metadata x-google-internal-*
		x-google-gfe-* x-google-serverless-* x-google-real-ip x-google-*`},
	{route, "cloud.google.com/load-balancing/docs/custom-headers", `x-client-geo-location client-region
		client-region-subdivision client-city client-city-lat-long x-gclb-* x-lb-* x-client-region
		x-client-city x-client-citylatlong x-goog-iap-jwt-assertion x-goog-authenticated-user-email
		x-goog-authenticated-user-id x-gfe-* x-client-rtt x-client-rtt-msec x-client-cert-*
		x-client-tls-* x-cloud-*`},
	{route, "learn.microsoft.com/azure/app-service, request headers", `x-client-ip x-client-port
		x-original-url x-original-host x-arr-log-id x-arr-ssl x-arr-disable-session-affinity x-arr-*
		disguised-host was-default-hostname x-site-deployment-id x-appservice-proto x-waws-unencoded-url
		x-ms-client-principal x-ms-client-principal-id x-ms-client-principal-name
		x-ms-client-principal-idp x-ms-client-ip-address x-ms-forwarded-* x-ms-proxy
		x-ms-endpoint-absolute-path x-ms-client-* x-appgw-trace-id x-ms-exchange-* x-ms-gateway-*
		x-original-client-ip`},
	{route, "docs.aws.amazon.com, Elastic Load Balancing, API Gateway and Lambda", `x-amzn-remapped-*
		x-amzn-oidc-identity x-amzn-oidc-data x-amzn-oidc-accesstoken x-amzn-ava-* x-amzn-mtls-clientcert
		x-amzn-mtls-clientcert-* x-amzn-mtls-* x-amzn-tls-* x-amzn-lambda-* x-amzn-apigateway-api-id
		x-amzn-vpce-* x-amzn-source-* x-amzn-waf-*`},
	{route, "docs.digitalocean.com/products/app-platform", `do-connecting-ip do-*`},
	{route, "devcenter.heroku.com/articles/http-routing", `x-request-start x-heroku-queue-wait-time
		x-heroku-queue-depth x-heroku-dynos-in-use x-heroku-* x-queue-start x-queue-*`},
	{route, "render.com, railway.com, deno.com, Kinsta, Pantheon, WP Engine, Acquia, Platform.sh, Shopify Oxygen", `
		render-proxy-ttl rndr-id render-* x-railway-* x-deno-* x-kinsta-* ki-cf-* x-pantheon-* x-wpe-*
		x-ah-* x-acquia-* x-platform-* client-json-ip-info x-oxygen-* oxygen-buyer-* x-client-ip-info
		x-rlb-* x-lb x-forwarded-server x-scalingo-* x-clever-* sozu-id`},
	{route, "cloud.ibm.com, Oracle, SAP, Salesforce, OpenShift and Cloud Foundry routers", `
		x-client-proto $wspr $wsra $wsrh $wssc $wssn $wssp $wsis $wscc $wssi $wscs $wsat $wsct $wspc
		wsra wsrh x-cf-applicationid x-cf-instanceid x-cf-instanceindex x-cf-forwarded-url x-cf-proxy-*
		x-b3-forwarded x-vcap-request-id x-sap-client-* sap-passport x-sfdc-client-ip
		x-sfdc-forwarded x-ora-* x-oracle-* ora-client-* oracle-ecid x-oci-*`},
	{route, "www.envoyproxy.io/docs, HTTP header manipulation; istio.io", `x-envoy-external-address
		x-envoy-internal x-envoy-downstream-service-cluster x-envoy-downstream-service-node
		x-envoy-original-path x-envoy-original-dst-host x-envoy-peer-metadata x-envoy-peer-metadata-id
		x-envoy-expected-rq-timeout-ms x-envoy-decorator-operation x-envoy-ip-tags x-envoy-* x-istio-*
		l5d-client-id l5d-remote-ip l5d-ctx-* l5d-* x-linkerd-* x-forwarded-client-cert x-kuma-* x-osm-*`},
	{route, "docs.konghq.com, Traefik, Tyk, Apigee, Ambassador, HAProxy and NGINX ingress", `
		x-kong-* x-consumer-id x-consumer-username x-consumer-custom-id x-consumer-groups
		x-credential-identifier x-anonymous-consumer x-userinfo x-traefik-* x-tyk-* x-apigee-*
		x-ingress-* x-scheme x-auth-request-user x-auth-request-email x-auth-request-groups
		x-auth-request-preferred-username x-auth-request-redirect x-auth-request-access-token x-auth-request-*
		x-authenticated-user
		x-authenticated-* x-authentik-* x-vouch-* x-pomerium-* x-goog-iap-* x-tailscale-*
		tailscale-user-login tailscale-user-name tailscale-* x-ngrok-* ngrok-* teleport-jwt-assertion
		x-twingate-*`},
}
