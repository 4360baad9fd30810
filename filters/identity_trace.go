package filters

// identityTrace lists what ties requests to each other and to what a person
// did before: distributed tracing, request ids and analytics.
var identityTrace = []group{
	{identity, "w3.org/TR/trace-context, w3.org/TR/baggage", `trace-parent trace-state baggage baggage-*
		correlation-context traceresponse x-traceparent x-tracestate x-baggage`},
	{identity, "github.com/openzipkin/b3-propagation", `b3 x-b3-traceid x-b3-spanid x-b3-parentspanid
		x-b3-sampled x-b3-flags x-b3-*`},
	{identity, "docs.aws.amazon.com/xray", `x-amzn-trace-id x-amzn-requestid x-amzn-request-id
		x-amz-request-id x-amz-id-2 x-xray-*`},
	{identity, "github.com/microsoft/CorrelationVector", `ms-cv ms-cv-* x-ms-cv`},
	{identity, "cloud.google.com/trace/docs/trace-context", `x-cloud-trace-context x-goog-trace
		grpc-trace-bin grpc-tags-bin x-stackdriver-*`},
	{identity, "www.jaegertracing.io/docs, client libraries", `uber-trace-id uberctx-* jaeger-debug-id
		jaeger-baggage jaeger-*`},
	{identity, "docs.sentry.io/concepts/key-terms/tracing", `sentry-trace sentry-baggage sentry-* x-sentry-*`},
	{identity, "docs.datadoghq.com/tracing/trace_collection/trace_context_propagation", `
		x-datadog-trace-id x-datadog-parent-id x-datadog-sampling-priority x-datadog-origin
		x-datadog-tags x-datadog-* dd-trace-* dd-request-id datadog-*`},
	{identity, "docs.newrelic.com, distributed tracing", `newrelic x-newrelic-id x-newrelic-transaction
		x-newrelic-app-data x-newrelic-* newrelic-* x-nr-*`},
	{identity, "ibm.com/docs/instana", `x-instana-t x-instana-s x-instana-l x-instana-synthetic x-instana-*`},
	{identity, "docs.dynatrace.com", `x-dynatrace x-dynatrace-* x-dtc x-dtpc x-dtreferer x-ruxit-*
		dynatrace-*`},
	{identity, "elastic.co/guide/en/apm", `elastic-apm-traceparent elastic-apm-*`},
	{identity, "docs.appdynamics.com", `singularityheader adrum adrum-* appd-*`},
	{identity, "docs.honeycomb.io, lightstep, SignalFx, SkyWalking, Pinpoint, OpenTracing, Splunk, Scout, Azure", `
		x-honeycomb-trace x-honeycomb-* ot-tracer-traceid ot-tracer-spanid ot-tracer-sampled
		ot-baggage-* ot-* x-ot-span-context x-ot-* sw3 sw6 sw8 sw8-correlation sw8-x sw8-*
		pinpoint-traceid pinpoint-spanid pinpoint-* x-splunk-* request-context x-ms-request-id
		x-ms-request-root-id x-ms-client-request-id x-ms-correlation-request-id x-ms-correlation-id
		x-ms-routing-request-id x-ms-activity-id x-sf-* x-scout-* x-tingyun x-tingyun-* x-lightstep-*
		x-akamai-request-id x-solarwinds-* x-tracelytics x-hrt-* x-oneagent-* x-coralogix-*`},
	{identity, "request, correlation and transaction ids", `x-request-id x-requestid request-id requestid
		x-request x-correlation-id x-correlationid correlation-id correlationid x-correlation-* x-trace
		x-trace-id x-trace-* x-traceid trace-id traceid x-span-id x-span-* span-id x-parent-id
		x-transaction-id transaction-id x-transaction-* x-unique-id unique-id x-uniquewcid x-call-id
		x-flow-id x-operation-id x-interaction-id x-fapi-interaction-id x-fapi-customer-*
		x-fapi-auth-date x-activity-id activity-id x-event-id x-message-id x-log-id x-debug-tracking-id
		x-tracking-* x-track-* x-tid x-rid x-cid x-txid x-xpid x-request-timestamp x-request-time
		x-client-trace-id x-client-request-id client-request-id return-client-request-id x-trans-id
		x-trans-id-* x-nonce-id x-page-view-id x-pageview-id x-view-id x-shopify-request-id
		x-github-request-id x-rapid7-* x-cloud-request-id x-vcap-* x-powerpages-* x-ab-* x-experiment-*
		x-analytics-* x-ga-* x-marketing-* x-campaign-* x-cobrand-* x-litmus-id x-from x-server-id`},
}
