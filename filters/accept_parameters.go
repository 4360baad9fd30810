package filters

import (
	"regexp"
	"strings"
)

// mediaParameter returns name=value as it is sent behind media, or "" if the
// parameter is not known to choose a representation or its value is not one of
// those documented for it.
func mediaParameter(media, name, value string) string {
	if strings.HasPrefix(media, shopType) && (name == "type" || name == "expand") && len(value) <= maxSchemas && shopSchema.MatchString(value) {
		return name + `="` + value + `"`
	}
	accepted, known := mediaParameters[name]
	if !known {
		return ""
	}
	sent, ok := accepted(value)
	if !ok {
		return ""
	}
	if name == "profile" || name == "ext" || name == "type" && strings.Contains(sent, "/") {
		sent = `"` + sent + `"`
	}
	if documented := documentedNames[name]; documented != "" {
		name = documented
	}
	return name + "=" + sent
}

// documentedNames are the names of mediaParameters that are written with capitals. Case
// means nothing in them (RFC 9110 §5.6.6), but SAP's servers for OData look for these bytes.
var documentedNames = func() map[string]string {
	m := map[string]string{}
	for name := range strings.FieldsSeq("IEEE754Compatible ExponentialDecimals excludeUrls enumsAsNumbers msDateFormat noArrayWrap " +
		"deferSpec incrementalSpec subscriptionSpec fhirVersion") {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// mediaParameters are the parameters by which APIs choose a representation, in
// lower case.
var mediaParameters = map[string]func(string) (string, bool){
	"charset": oneOf("utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"),
	"version": versionWithVariant,
	"v":       versionNumber, // signed exchanges ("b3"), Kubernetes, and others

	"pk": policyKey, // apis.support.brightcove.com, Playback API

	"compatible-with": versionNumber,               // Elasticsearch, REST API compatibility
	"api-version":     versionWithVariant,          // ASP.NET API Versioning
	"header":          oneOf("present", "absent"),  // RFC 4180 §3
	"labels":          oneOf("id", "name", "both"), // SDMX-CSV
	"format":          oneOf("camelcase"),          // api.tumblr.com
	"strict":          oneOf("true"),               // neo4j.com/docs/http-api, Jolt

	// Pages and clients of Azure DevOps.
	"excludeurls":    oneOf("true", "false"),
	"enumsasnumbers": oneOf("true", "false"),
	"msdateformat":   oneOf("true", "false"),
	"noarraywrap":    oneOf("true", "false"),

	// citation.doi.org, the usual ones of the Citation Style Language.
	"style": oneOf("apa", "bibtex", "chicago-author-date", "chicago-fullnote-bibliography", "harvard1", "ieee",
		"modern-language-association", "mla", "nature", "ris", "turabian-author-date", "vancouver"),

	// JSON-LD 1.1 §6.1, ActivityPub §3.2, JSON:API, IIIF Presentation.
	"profile": oneOf("http://www.w3.org/ns/json-ld#expanded", "http://www.w3.org/ns/json-ld#compacted",
		"http://www.w3.org/ns/json-ld#flattened", "http://www.w3.org/ns/json-ld#framed",
		"http://www.w3.org/ns/json-ld#context", "http://www.w3.org/ns/json-ld#frame",
		"https://www.w3.org/ns/activitystreams", "https://jsonapi.org/profiles/ethanresnick/cursor-pagination/",
		"http://iiif.io/api/presentation/2/context.json",
		"http://iiif.io/api/image/2/context.json", "http://iiif.io/api/image/3/context.json",
		"http://iiif.io/api/presentation/3/context.json", "opds-catalog", "CamelCase", "PascalCase"), // the last are Jellyfin's
	"ext": oneOf("https://jsonapi.org/ext/atomic"),

	"odata.metadata":      oneOf("none", "minimal", "full"), // OData JSON 4.01 §3
	"odata":               oneOf("nometadata", "minimalmetadata", "fullmetadata", "verbose", "light"),
	"odata.streaming":     oneOf("true", "false"),
	"exponentialdecimals": oneOf("true", "false"),
	"streaming":           oneOf("true", "false"),
	"ieee754compatible":   oneOf("true", "false"),

	"as":               oneOf("Table", "PartialObjectMetadata", "PartialObjectMetadataList", "APIGroupDiscoveryList"), // Kubernetes
	"g":                oneOf("meta.k8s.io", "apidiscovery.k8s.io"),
	"stream":           oneOf("watch"),
	"proto":            oneOf("io.prometheus.client.MetricFamily"), // Prometheus exposition formats
	"encoding":         oneOf("delimited", "text", "compact-text"),
	"escaping":         oneOf("allow-utf-8", "underscores", "dots", "values"),
	"deferspec":        versionNumber, // GraphQL over HTTP, incremental delivery
	"incrementalspec":  versionNumber,
	"subscriptionspec": versionNumber,
	"boundary":         oneOf("graphql", "-"),
	"nulls":            oneOf("stripped"),                                                                                                                                          // PostgREST
	"kind":             oneOf("navigation", "acquisition"),                                                                                                                         // OPDS 1.2 §3.1
	"type":             oneOf("feed", "entry", "mapbox-vector", "application/dicom", "application/dicom+json", "image/jpeg", "image/jls", "image/jp2", "application/octet-stream"), // RFC 5023 §12, DICOMweb
	"transfer-syntax":  oneOf("*", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"),
	"rate":             oneOf("8000", "11025", "16000", "22050", "24000", "32000", "44100", "48000", "96000", "192000"), // cloud.ibm.com/docs/text-to-speech, audio formats
	"channels":         oneOf("1", "2"),
	"codecs":           oneOf("opus", "vorbis"),
	"endianness":       oneOf("big-endian", "little-endian"),
	"fhirversion":      oneOf("1.0", "3.0", "4.0", "4.3", "5.0", "6.0"), // HL7 FHIR, "Version parameter"
}

// policyKey accepts the key by which a publisher's player asks Brightcove for videos.
func policyKey(s string) (string, bool) {
	return s, strings.HasPrefix(s, "BCpk") && len(s) <= 256 && madeOf(strings.ToLower(s), smallLetters+decimalDigits+"_-")
}

// oneOf accepts the given values in any case and returns them as given.
func oneOf(values ...string) func(string) (string, bool) {
	return func(s string) (string, bool) {
		for _, value := range values {
			if strings.EqualFold(s, value) {
				return value, true
			}
		}
		return "", false
	}
}

// versionForm matches versions such as 2, v1.1, 0.0.4, b3, v1beta1, 2024-06-01
// and 20220824: nothing with room for a name, a key or an address.
var versionForm = regexp.MustCompile(`^(?:[vbr]?[0-9]{1,4}(?:[.-][0-9]{1,3}){0,2}(?:(?:alpha|beta|rc)[0-9]{0,2})?|20[0-9]{6})$`)

func versionNumber(s string) (string, bool) {
	s = strings.ToLower(s)
	return s, versionForm.MatchString(s) && countDigits(s) <= 8 // those of a date
}

// variantForm matches what APIs put behind the version of something that they change or
// try out, as in 7.2-preview.1 (Azure DevOps), 3.docker-releases (Heroku), 1.0.0-wd (SDMX).
var variantForm = regexp.MustCompile(`^[0-9]{1,2}(?:\.[0-9]{1,3}){0,2}[.-]([a-z]+(?:[-_][a-z]+){0,2})(?:\.[0-9]{1,2})?$`)

func versionWithVariant(s string) (string, bool) {
	s, ok := versionNumber(s)
	if variant := variantForm.FindStringSubmatch(s); variant != nil && len(s) <= 24 {
		ok = isSetting("", variant[1])
	}
	return s, ok
}

// shopType is what pages of Amazon's shop ask its API for, with the names and versions of
// the schemas that they want, as in cart.add-items/v1 and collection(product/v2)/v1.
const (
	shopType   = "application/vnd.com.amazon.api+json"
	maxSchemas = 512
)

var shopSchema = regexp.MustCompile(`^(?:[A-Za-z.,()\[\]-]|/v[0-9])+$`)

func countDigits(s string) (n int) {
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}
