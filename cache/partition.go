package cache

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
)

// A key says which stored responses can answer a request: the target URI
// (RFC 9111 §2), on behalf of which site, and for whom.
type key struct {
	site  string // registrable domain on whose behalf the request is made
	part  bool   // it is made for a part of a page
	owner string // whose the responses are: a client's in PerClient, a hash of client and cookies, or "" for everybody's
	url   string // target URI as targetURI writes it
}

// perCredentials returns the owner of what was fetched with these cookies by
// this client. The cookies are part of it because a client can be an address
// with several people behind it. They are hashed to keep secrets out of the keys.
func perCredentials(client string, h http.Header) string {
	d := sha256.New()
	d.Write([]byte(client))
	for _, line := range h["Cookie"] {
		d.Write([]byte{0})
		d.Write([]byte(line))
	}
	return "k" + string(d.Sum(nil))
}

// targetURI writes a URI in the form under which responses are stored: host in
// lower case, no default port, no fragment, no userinfo. Path and query keep
// their bytes. It reports false for a URI that is not http or https.
func targetURI(u *url.URL) (string, bool) {
	var port string
	switch u.Scheme {
	case "http":
		port = ":80"
	case "https":
		port = ":443"
	default:
		return "", false
	}
	if u.Host == "" || u.Opaque != "" {
		return "", false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), port)
	path := u.EscapedPath()
	switch {
	case u.RawPath != "" && u.RawPath != path:
		// It has bytes that EscapedPath would escape, and with them undoes the escapes of
		// others: "/a|b%2Fc" is not "/a|b/c". To the origin it goes as it came.
		if plain, err := url.PathUnescape(u.RawPath); err == nil && plain == u.Path {
			path = u.RawPath
		}
	case path == "":
		path = "/"
	}
	if u.RawQuery == "" && !u.ForceQuery {
		return u.Scheme + "://" + host + path, true
	}
	return u.Scheme + "://" + host + path + "?" + u.RawQuery, true
}

// originOf returns scheme, host and port of a key's URL.
func originOf(uri string) string {
	start := strings.Index(uri, "://") + len("://")
	if end := strings.IndexByte(uri[start:], '/'); end >= 0 {
		return uri[:start+end]
	}
	return uri
}

// hostOf returns the host of a key's URL, without the port.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
