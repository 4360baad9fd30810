package filters

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// grammars says what the values of a field can be, for fields that pass and
// whose standard leaves few. What is none of them serves no purpose: the
// origin could not read it, and another reader could. Names are canonical.
var grammars = map[string]func(value string) bool{
	// RFC 9110 §5.6.7. Of what is no date a recipient must make nothing (§13.1.4).
	"If-Modified-Since":   func(value string) bool { return isDate(value) || isMoment8601(value) }, // developer.xero.com wants the latter
	"If-Unmodified-Since": isDate,
	"Accept-Datetime":     isDate, // RFC 7089 §2.1.1

	"Content-Encoding": listOf(coding("aes128gcm amz-1.0 aws-chunked base64 br bzip2 compress dcb dcz deflate exi gzip identity lz4 lzma pack200-gzip snappy utf-8 x-bzip2 x-compress x-gzip xz zstd")),
	"Content-Language": listOf(isLanguageTag),
	"Content-Range":    isContentRange,
	"Content-Md5":      isBase64, // RFC 1864
	"Content-Digest":   listOf(isDigest),
	"Repr-Digest":      listOf(isDigest),
	"Unencoded-Digest": listOf(isDigest),
	"Digest":           listOf(isOldDigest),
	"Mime-Version":     among("1.0"),

	// Fetch standard, CORS-preflight fetch.
	"Access-Control-Request-Method":          isMethod,
	"Access-Control-Request-Headers":         listOf(httpguts.ValidHeaderFieldName),
	"Access-Control-Request-Private-Network": among("true"),
	"Access-Control-Request-Local-Network":   among("true"),
	"Service-Worker":                         among("script"), // Service Workers §7.1
	"Service-Worker-Navigation-Preload":      isPreloadValue,  // Service Workers §4.6: "true" unless the site's script says else

	// RFC 4918 §10, RFC 4437 §12, RFC 6638 §8.
	"Depth":                 among("0 1 infinity 1,noroot infinity,noroot"),
	"Overwrite":             among("t f"),
	"Timeout":               setOf(isLockTimeout),
	"Schedule-Reply":        among("t f"),
	"Apply-To-Redirect-Ref": among("t f"),
	"Translate":             among("t f"), // MS-WDVME §2.2
	"Brief":                 among("t f"),

	"Dav": setOf(among("http://subversion.tigris.org/xmlns/dav/svn/depth http://subversion.tigris.org/xmlns/dav/svn/mergeinfo " +
		"http://subversion.tigris.org/xmlns/dav/svn/log-revprops")),

	"Caldav-Timezones":         among("t f"),      // RFC 7809 §7.1
	"Capsule-Protocol":         among("?1"),       // RFC 9297 §3.4
	"Incremental":              among("?0 ?1"),    // its §3
	"Isolation":                among("snapshot"), // OData 4.01 §8.2.4
	"Odata-Isolation":          among("snapshot"),
	"Oslc-Core-Version":        among("1.0 2.0 3.0"),
	"Configuration-Context":    isWebURL, // OSLC Configuration Management §4
	"Dpop":                     isJWS,    // RFC 9449 §4.1
	"Repeatability-First-Sent": isDate,

	"A-Im":             setOf(isInstanceManipulation), // RFC 3229 §10.5.3
	"Urgency":          among("very-low low normal high"),
	"Ttl":              isNumber,
	"Odata-Version":    among(odataVersions),
	"Odata-Maxversion": among(odataVersions),
	"Tus-Resumable":    among("1.0.0 0.2.2 0.2.1 0.2"), // tus.io, Protocol versions
	"Range-Unit":       among(strings.Join(rangeUnits[:], " ")),
	"Icy-Metadata":     among("0 1"),
	"Git-Protocol":     isGitProtocol,

	"Grpc-Timeout":             isGRPCTimeout,
	"Grpc-Encoding":            listOf(coding(grpcCodings)),
	"Grpc-Accept-Encoding":     setOf(among(grpcCodings)),
	"Connect-Content-Encoding": listOf(coding(grpcCodings)),
	"Connect-Accept-Encoding":  setOf(among(grpcCodings)),
	"Connect-Protocol-Version": among("1"),
	"Connect-Timeout-Ms":       isNumber,
	"X-Grpc-Web":               among("1"),

	"X-Http-Method":          among(methods),
	"X-Http-Method-Override": among(methods),
	"X-Method-Override":      among(methods),
	"X-Pjax":                 among("true 1"),
	"X-Inertia":              among("true"),
	"Rsc":                    among("1"),
	"Hx-Request":             among("true"),
	"Hx-Boosted":             among("true"),
	"Npm-Command":            among("access add adduser audit bugs cache ci completion config dedupe deprecate diff dist-tag docs doctor edit exec explain explore find-dupes fund get help help-search init install install-ci-test install-test link ll login logout ls org outdated owner pack ping pkg prefix profile prune publish query rebuild repo restart root run run-script sbom search set shrinkwrap star stars start stop team test token trust undeprecate uninstall unpublish unstar update version view whoami"),
	"Npm-Auth-Type":          among("legacy web"),
	"Ocs-Apirequest":         among("true 1"),
	"X-Oc-Mtime":             isNumber,
	"X-Oc-Ctime":             isNumber,
	"Oc-Total-Length":        isNumber,
	"X-File-Size":            isNumber,
	"T":                      isTime,
	"X-T":                    isTime,
	"Label":                  isVersionName, // RFC 3253 §8.3
	"Detached-Jws":           isJWS,         // RFC 9635 §7.3.3

	"Upload-Length":                isNumber, // tus.io; draft-ietf-httpbis-resumable-upload
	"Upload-Offset":                isNumber,
	"Upload-Complete":              among("?0 ?1"),
	"Upload-Defer-Length":          among("1"),
	"Upload-Draft-Interop-Version": isNumber,
	"X-Expected-Entity-Length":     isNumber,
	"X-Entity-Length":              isNumber,
	"X-Upload-Content-Length":      isNumber,
	"X-Upload-Size":                isNumber,
	"Content-Transfer-Encoding":    among("7bit 8bit binary base64 quoted-printable"),
	"If-Modified-Since-Version":    isNumber, // Zotero
	"If-Unmodified-Since-Version":  isNumber,

	"Oc-Chunked":         among("1 true"),
	"X-Amz-Date":         isStamp,
	"X-Sdk-Date":         isStamp,
	"X-Ms-Date":          isDate,
	"Login-Customer-Id":  isNumber, // developers.google.com/google-ads
	"Linked-Customer-Id": isNumber,

	"X-Nextjs-Data":              among("1"),
	"X-Middleware-Prefetch":      among("1"),
	"Hx-History-Restore-Request": among("true"),
	"X-Apollo-Operation-Type":    among("query mutation subscription"),

	"Anthropic-Version":                 isVersionName,
	"Bitwarden-Client-Version":          isVersionName,
	"Kbn-Version":                       isVersionName,
	"Mcp-Protocol-Version":              isVersionName,
	"Notion-Version":                    isVersionName,
	"Stripe-Version":                    isVersionName,
	"X-Experience-Api-Version":          isVersionName,
	"X-Github-Api-Version":              isVersionName,
	"X-Prometheus-Remote-Read-Version":  isVersionName,
	"X-Prometheus-Remote-Write-Version": isVersionName,
	"X-Up-Version":                      isVersionName,
	"Zotero-Api-Version":                isVersionName,
}

const (
	grpcCodings   = "identity gzip deflate snappy zstd br"
	odataVersions = "1.0 2.0 3.0 4.0 4.01"

	// IANA's registry of methods, and what APIs made up: those that a server would
	// carry out in the place of the real one.
	methods = "acl baseline-control bind checkin checkout connect copy delete get head label link list lock merge " +
		"mkactivity mkcalendar mkcol mkredirectref mkworkspace move options orderpatch patch post propfind proppatch " +
		"purge put query rebind report search trace unbind uncheckout unlink unlock update updateredirectref version-control"
)

// keepsGrammar reports whether all lines are values that the field can have.
func keepsGrammar(name string, lines []string) bool {
	fits, ok := grammars[name]
	if !ok {
		return true
	}
	return !slices.ContainsFunc(lines, func(line string) bool { return !fits(strings.Trim(line, " \t")) })
}

// among returns the grammar of words, separated by space, in any case.
func among(words string) func(string) bool {
	known := strings.Fields(words)
	return func(value string) bool { return slices.ContainsFunc(known, equalFold(value)) }
}

// coding returns the grammar of names of codings: those known, and any other word.
// Without its name, content that is coded could not be read.
func coding(names string) func(string) bool {
	known := among(names)
	return func(value string) bool {
		return known(value) || len(value) <= 16 && httpguts.ValidHeaderFieldName(value) && !isDigit(value[0]) && isSetting("", value)
	}
}

// listOf returns the grammar of a comma-separated list (RFC 9110 §5.6.1).
func listOf(member func(string) bool) func(string) bool {
	return func(value string) bool {
		for item := range splitQuoted(value, ',') {
			if item = strings.Trim(item, " \t"); item != "" && !member(item) {
				return false
			}
		}
		return true
	}
}

// setOf is listOf for what means nothing a second time. Without that, a list of
// two words could spell anything.
func setOf(member func(string) bool) func(string) bool {
	return func(value string) bool {
		seen := map[string]bool{}
		for item := range splitQuoted(value, ',') {
			item = strings.ToLower(strings.Trim(item, " \t"))
			if item != "" && (!member(item) || seen[item]) {
				return false
			}
			seen[item] = true
		}
		return true
	}
}

// isJWS takes base64url between dots, of which the first part is a JSON object
// (RFC 7515 §7.1).
func isJWS(value string) bool {
	return strings.HasPrefix(value, "eyJ") && madeOf(strings.ToLower(value), smallLetters+decimalDigits+"-_.")
}

func isPreloadValue(value string) bool { return isSetting("Service-Worker-Navigation-Preload", value) }

// isVersionName takes a version, a date, and words beside them, as in
// 2026-01-28.acacia and 2024-06-20; custom_checkout_beta=v1.
func isVersionName(value string) bool {
	_, ok := versionNumber(value)
	return ok || isSetting("", value)
}

func isWebURL(value string) bool {
	a, ok := parseAuthority(value)
	return ok && isWeb(a.scheme)
}

// isDate takes an HTTP-date, which is in GMT whatever its form (RFC 9110 §5.6.7).
func isDate(value string) bool {
	_, err := http.ParseTime(value)
	return err == nil && !tellsZone(value)
}

// isMoment8601 takes ISO 8601 in its extended form, with a zone or without.
func isMoment8601(value string) bool {
	_, err := time.Parse("2006-01-02T15:04:05Z07:00", value)
	if err != nil {
		_, err = time.Parse("2006-01-02T15:04:05", value)
	}
	return err == nil && len(value) <= len("2006-01-02T15:04:05.000+00:00")
}

// isStamp takes ISO 8601 in its basic form, as in 20260102T030405Z (AWS Signature
// Version 4), and what came before.
func isStamp(value string) bool {
	_, err := time.Parse("20060102T150405Z", value)
	return err == nil || isDate(value)
}

// isNumber takes also the fraction that some clients write for a time.
func isNumber(value string) bool {
	whole, fraction, _ := strings.Cut(value, ".")
	return whole != "" && len(value) <= 20 && madeOf(whole+fraction, decimalDigits)
}

// isMethod takes every method that somebody could have registered.
func isMethod(value string) bool {
	return value != "" && len(value) <= 20 && madeOf(strings.ToLower(value), smallLetters+"-_")
}

// isLanguageTag takes language, script and region (RFC 5646 §2.1), which tell
// what content is in, and the variants that websites have; extensions and private use
// could say anything.
func isLanguageTag(value string) bool {
	for i, subtag := range strings.Split(value, "-") {
		letters := madeOf(strings.ToLower(subtag), smallLetters)
		switch n := len(subtag); {
		case i == 0 && letters && (n == 2 || n == 3):
		case i > 0 && i < 4 && languageVariants(subtag):
		case i > 0 && i < 4 && letters && (n == 2 || n == 3 || n == 4), i > 0 && i < 4 && n == 3 && madeOf(subtag, decimalDigits):
		default:
			return false
		}
	}
	return true
}

var languageVariants = among("1901 1994 1996 arevela arevmda ekavsk heploc hepburn ijekavsk oxendict pinyin rozaj tarask valencia wadegile")

// isContentRange takes unit SP range "/" length (RFC 9110 §14.4), and what
// uploads make of it: the bare range of the Docker Registry API, a unit with =
// as in Range, no length, and of api.video the number of a part.
func isContentRange(value string) bool {
	if strings.Contains(value, "-") && madeOf(value, decimalDigits+"-") {
		return true
	}
	unit, rest, _ := strings.Cut(strings.Replace(value, "=", " ", 1), " ")
	at, length, said := strings.Cut(rest, "/")
	return isMethod(unit) &&
		((at == "*" || isNumber(at)) && said || strings.Contains(at, "-") && madeOf(at, decimalDigits+"-")) &&
		(!said || length == "*" || isNumber(length))
}

// isBase64 takes what is no longer than a digest.
func isBase64(value string) bool {
	_, err := base64.StdEncoding.DecodeString(value)
	return err == nil && len(value) <= 88
}

// digestNames are IANA's registry of digest algorithms, and what storage uses.
var digestNames = among("sha-512 sha-256 unencoded-sha-512 unencoded-sha-256 id-sha-512 id-sha-256 " +
	"md5 sha sha-1 sha-384 crc32 crc32c adler adler32 unixsum unixcksum")

// isDigest takes algorithm=:base64: (RFC 9530 §2).
func isDigest(value string) bool {
	algorithm, value, _ := strings.Cut(value, "=")
	return digestNames(algorithm) && len(value) > 2 && value[0] == ':' && value[len(value)-1] == ':' && isBase64(value[1:len(value)-1])
}

// isOldDigest takes algorithm=base64 or, of checksums, a number in hexadecimal
// (RFC 3230 §4.1.2).
func isOldDigest(value string) bool {
	algorithm, value, _ := strings.Cut(value, "=")
	return digestNames(algorithm) && value != "" && len(value) <= 128 &&
		(isBase64(value) || madeOf(strings.ToLower(value), decimalDigits+"abcdef"))
}

// isLockTimeout takes Infinite and Second-n, of which n has 32 bits (RFC 4918 §10.7).
func isLockTimeout(value string) bool {
	seconds, ok := strings.CutPrefix(strings.ToLower(value), "second-")
	return strings.EqualFold(value, "infinite") || ok && decimal(seconds, 1<<32-1) == seconds && seconds != ""
}

// isInstanceManipulation takes a name and how much it is wanted (RFC 3229 §10.5.3).
func isInstanceManipulation(value string) bool {
	name, parameter, weighted := strings.Cut(value, ";")
	q, isQ := strings.CutPrefix(strings.Trim(parameter, " \t"), "q=")
	return among("vcdiff diffe gdiff feed gzip deflate range identity * 3d-tiles")(strings.Trim(name, " \t")) &&
		(!weighted || isQ && isWeight(q))
}

// isGitProtocol takes key=value pairs between colons (git-scm.com, protocol-v2).
func isGitProtocol(value string) bool {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(value, ":") {
		key, value, _ := strings.Cut(pair, "=")
		if seen[key] {
			return false
		}
		seen[key] = true
		switch key {
		case "version":
			if !isNumber(value) || len(value) > 2 {
				return false
			}
		case "object-format":
			if value != "sha1" && value != "sha256" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// isGRPCTimeout takes up to eight digits and a unit (grpc.io, gRPC over HTTP/2).
func isGRPCTimeout(value string) bool {
	n := len(value) - 1
	return n >= 1 && n <= 8 && isNumber(value[:n]) && strings.IndexByte("HMSmun", value[n]) >= 0
}

// contentParameters are the parameters of Content-Type that say how to read
// content (RFC 2046, 2387, 2557, 3902, 4288, 6381, 6522, 7763, 9052 and vendors' versions), and those of
// sound (RFC 3190, 4856; docs.aws.amazon.com/lexv2, RecognizeUtterance;
// cloud.ibm.com/docs/speech-to-text, audio formats; wit.ai/docs).
var contentParameters = among("action api-version base64 boundary charset codecs compatible-with component cose-type delsp encoding eol escaping ext fhirversion format " +
	"ieee754compatible level messagetype method odata odata.metadata odata.streaming odata.version optinfo " +
	"layout masking msgtype proto profile profiles protocol micalg domain report-type representation schema smime-type start start-info streaming transfer-syntax type v variant version xmlns header columns " +
	"bit bit-rate bits channel-count channels codec endian endianness frame-size-milliseconds is-big-endian preamble-size rate sample-rate sample-size-bits samplerate")

// contentType returns value without parameters that say nothing about content.
func contentType(value string) string { return withParameters(value, contentParameters) }

// withParameters returns value with those of its parameters that are known, byte for byte.
func withParameters(value string, known func(string) bool) string {
	var kept strings.Builder
	first := true
	for part := range splitQuoted(value, ';') {
		name, _, _ := strings.Cut(part, "=")
		if !first {
			if name = strings.Trim(name, " \t"); name != "" && !known(name) {
				continue
			}
			kept.WriteByte(';')
		}
		first = false
		kept.WriteString(part)
	}
	return kept.String()
}

// describesContent reports whether a field describes the content of a message
// (RFC 9110 §8): one without content has nothing to describe.
func describesContent(name string) bool {
	switch name {
	case "Digest", "Repr-Digest", "Unencoded-Digest", "Mime-Version", "Slug":
		return true
	case "Content-Length", "Content-Type":
		return false // some servers ask for a type even so
	}
	return strings.HasPrefix(name, "Content-")
}
