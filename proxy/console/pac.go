package console

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// pacType is the media type of a PAC file.
const pacType = "application/x-ns-proxy-autoconfig"

// pacText decides without a DNS look-up: a look-up would tell the resolver
// of every site that is visited, and a name may not resolve outside the
// proxy at all. So only names and literal addresses are compared.
const pacText = `// Sends everything but this network's own hosts to guise.
// There is no DIRECT behind the proxy: if guise is down, pages fail rather than leak.
function FindProxyForURL(url, host) {
  var guise = "%s %s";
  host = host.toLowerCase().replace(/^\[|\]$/g, "");
  var whole = /\.$/.test(host); // a name that no search list completes
  host = host.replace(/\.$/, "");

  if (host.indexOf(":") >= 0) {
    // IPv6: loopback, link-local fe80::/10, unique local fc00::/7.
    return /^(::1$|0*(:0*){6}:0*1$|fe[89ab][0-9a-f]:|f[cd][0-9a-f]{2}:)/.test(host) ? "DIRECT" : guise;
  }
  // An octet with a 0 before it is octal to some: 010.0.0.1 is 8.0.0.1.
  var v4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(host);
  if (v4) {
    var a = +v4[1], b = +v4[2];
    if (a > 255 || b > 255 || +v4[3] > 255 || +v4[4] > 255) return guise;
    return a === 10 || a === 127 || (a === 169 && b === 254) ||
      (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168) ? "DIRECT" : guise;
  }
  if (host.indexOf(".") < 0) {
    // A number without dots is an address in disguise, not a local name; "ai."
    // is a whole domain; and what is no plain name may turn into one with dots.
    if (host === "localhost") return "DIRECT";
    return whole || !/^[a-z0-9_-]+$/.test(host) || /^(0x[0-9a-f]*|[0-9]+)$/.test(host) ? guise : "DIRECT";
  }
  return /\.(%s)$/.test(host) ? "DIRECT" : guise;
}
`

// houseDomains are the domains of names that have no owner in the public DNS.
var houseDomains = []string{
	"localhost", // RFC 6761 §6.3
	"local",     // RFC 6762 §3
	"home.arpa", // RFC 8375 §4
	"internal",  // ICANN, 2024-07-29
	// Not reserved, but widely used for local networks (RFC 6762, appendix G).
	"lan", "home", "corp", "intranet", "private",
}

// PAC returns a proxy auto-configuration file that sends everything except
// local names and private networks to the proxy at address, a host:port, and
// never falls back to a direct connection. The way to the proxy is over TLS
// if secure is set.
func PAC(address string, secure bool) string {
	kind := "PROXY"
	if secure {
		kind = "HTTPS"
	}
	house := strings.ReplaceAll(strings.Join(houseDomains, "|"), ".", `\.`)
	return fmt.Sprintf(pacText, kind, quoteJS(address), house)
}

// PACDataURL returns the same file as a data URL (RFC 2397). A browser that cannot
// fetch a PAC file, as when it starts before guise does, goes direct; this one needs
// no fetch.
func PACDataURL(address string, secure bool) string {
	return "data:" + pacType + ";base64," + base64.StdEncoding.EncodeToString([]byte(PAC(address, secure)))
}

// quoteJS keeps address from ending the string literal it stands in: an
// address holds nothing but letters, digits and ":.-[]".
func quoteJS(address string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(".:-[]_", r):
			return r
		}
		return -1
	}, address)
}
