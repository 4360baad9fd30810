package cache

import (
	"net/http"
	"testing"
	"time"
)

const (
	minute = time.Minute
	hour   = time.Hour
)

var shared = Options{Sharing: Shared}

// again is a request that the store must answer, miss one that it must not.
var (
	again = step{want: "200\n\na"}
	miss  = step{give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"}
)

func after(d time.Duration, s step) step { s.after = d; return s }

// given answers "a" to a plain GET with the given fields.
func given(fields string) step { return step{give: "200\n" + fields + "\n\na", want: "200\n\na"} }

// RFC 9111 §3: what may be stored.
func TestStoring(t *testing.T) {
	play(t, shared, map[string][]step{
		"max-age":                    {given("Cache-Control: max-age=60"), again},
		"s-maxage":                   {given("Cache-Control: s-maxage=60"), again},
		"Expires":                    {given("Date: @0s\nExpires: @60s"), again},
		"nothing said, no validator": {given("X: y"), miss},
		"no-store":                   {given("Cache-Control: max-age=60, no-store"), miss},
		"no-store in any case":       {given("Cache-Control: max-age=60, No-STORE"), miss},
		"private":                    {given("Cache-Control: max-age=60, private"), miss},
		"private, and no comma":      {given("Cache-Control: private; max-age=60\nLast-Modified: @-100h"), miss},
		"private behind a semicolon": {given("Cache-Control: max-age=60; private\nETag: \"1\""), {give: "error", want: "error"}},
		"private behind a blank":     {given("Cache-Control: max-age=60 private\nETag: \"1\""), {give: "error", want: "error"}},
		"no-store in quotes":         {given("Cache-Control: \"no-store\", max-age=60"), miss},
		"a new no-store leaves the old": {
			given("Cache-Control: max-age=60"),
			{do: "GET /\nCache-Control: no-cache", give: "200\nCache-Control: no-store\n\nb", want: "200\n\nb"},
			again,
		},
		"a request's no-store": {
			{do: "GET /\nCache-Control: no-store", give: "200\nCache-Control: max-age=60\n\na"}, miss,
		},
		"must-understand beats no-store for a known status": {
			given("Cache-Control: max-age=60, no-store, must-understand"), again,
		},
		"must-understand forbids an unknown status": {
			{give: "599\nCache-Control: max-age=60, must-understand\n\na", want: "599\n\na"}, miss,
		},
		"unknown status with explicit freshness": {
			{give: "299\nCache-Control: max-age=60\n\na", want: "299\n\na"}, {want: "299\n\na"},
		},
		"unknown status without": {
			{give: "299\nLast-Modified: @-100h\n\na", want: "299\n\na"}, miss,
		},
		"999 passes as it is": {
			{give: "999\nX: y\n\na", want: "999\nX: y\n\na"}, miss,
		},
		"an error with explicit freshness": {
			{give: "503\nCache-Control: max-age=60\n\na", want: "503\n\na"}, {want: "503\n\na"},
		},
		"204": {
			{give: "204\nCache-Control: max-age=60", want: "204\n\n"}, {want: "204\n\n"},
		},
		"a part without a request for one": {
			{give: "206\nCache-Control: max-age=60\nContent-Range: bytes 0-0/5\n\na", want: "206"}, miss,
		},
		"Vary: *": {given("Cache-Control: max-age=60\nVary: *"), miss},
		"POST is written through": {
			given("Cache-Control: max-age=60"),
			{do: "POST /\n\nbody", give: "500\n\nc", want: "500\n\nc"},
			again,
		},
		"POST that describes its target": {
			{do: "POST /\n\nbody", give: "200\nCache-Control: max-age=60\nContent-Location: /\n\na", want: "200\n\na"},
			again,
		},
		"POST that describes its target, but not for how long": {
			{do: "POST /\n\nbody", give: "200\nContent-Location: /\nLast-Modified: Mon, 01 Jan 2001 00:00:00 GMT\n\na"}, miss,
		},
		"POST that describes its target to some": {
			{do: "POST /\n\nbody", give: "200\nCache-Control: max-age=60\nVary: Accept-Language\nContent-Location: /\n\na"}, miss,
		},
		"POST that describes its target under a condition": {
			{do: "POST /\nIf-Match: \"a\"\n\nbody", give: "200\nCache-Control: max-age=60\nContent-Location: /\n\na"}, miss,
		},
		"POST that describes something else": {
			{do: "POST /\n\nbody", give: "200\nCache-Control: max-age=60\nContent-Location: /x\n\na"}, miss,
		},
		"a request with a body": {
			{do: "GET /\n\nbody", give: "200\nCache-Control: max-age=60\n\na"}, miss,
		},
		"an upgrade": {
			{do: "GET /\nUpgrade: websocket", give: "200\nCache-Control: max-age=60\n\na"}, miss,
		},
	})
}

// RFC 9111 §3.1, RFC 9110 §7.6.1: which fields are stored.
func TestStoringFields(t *testing.T) {
	play(t, shared, map[string][]step{
		"unknown fields": {
			given("Cache-Control: max-age=60\nFoo: 1\nFoo: 2"),
			{want: "200\nFoo: 1, 2\n\na"},
		},
		"Connection and what it names": {
			{give: "200\nCache-Control: max-age=60\nConnection: Foo, bar\nFoo: 1\nBar: 2\nBaz: 3\n\na",
				want: "200\n!Connection\n!Foo\n!Bar\nBaz: 3\n\na"},
			{want: "200\n!Connection\n!Foo\n!Bar\nBaz: 3\n\na"},
		},
		"fields of the client's proxy": {
			given("Cache-Control: max-age=60\nProxy-Authenticate: x\nProxy-Authentication-Info: x"),
			{want: "200\n!Proxy-Authenticate\n!Proxy-Authentication-Info\n\na"},
		},
		"no-cache with fields": {
			given("Cache-Control: max-age=60, no-cache=\"foo, Bar\"\nFoo: 1\nBar: 2\nBaz: 3"),
			{want: "200\n!Foo\n!Bar\nBaz: 3\n\na"},
		},
		"no-cache with no field but the empty one": {given("Cache-Control: max-age=60, no-cache=\"\""), miss},
		"no-cache with empty members":              {given("Cache-Control: max-age=60, no-cache=\", ,\""), miss},
		"no-cache with empty members beside a field": {
			given("Cache-Control: max-age=60, no-cache=\",foo,\"\nFoo: 1\nBaz: 3"),
			{want: "200\n!Foo\nBaz: 3\n\na"},
		},
		"no-cache with a field in escapes": {
			given("Cache-Control: max-age=60, no-cache=\"\\f\\oo\"\nFoo: 1\nBaz: 3"),
			{want: "200\n!Foo\nBaz: 3\n\na"},
		},
		"private with fields": {
			given("Cache-Control: max-age=60, private=foo\nFoo: 1\nBaz: 3"),
			{want: "200\n!Foo\nBaz: 3\n\na"},
		},
		"a response that sets a cookie": {given("Cache-Control: max-age=60\nSet-Cookie: a=b"), miss},
		"a public one is stored without it": {
			{give: "200\nCache-Control: max-age=60, public\nSet-Cookie: a=b\n\na", want: "200\nSet-Cookie: a=b\n\na"},
			{want: "200\n!Set-Cookie\n\na"},
		},
		"targeted fields pass and are not obeyed (RFC 9213)": {
			given("Cache-Control: max-age=60\nCDN-Cache-Control: no-store"),
			{want: "200\nCDN-Cache-Control: no-store\n\na"},
		},
	})
}

// RFC 9111 §3.2, §4.3.4: updating what is stored by a 304.
func TestFreshening(t *testing.T) {
	const stored = "Cache-Control: max-age=60\nETag: \"1\"\nA: 1\nB: 1\nContent-Encoding: x"
	play(t, shared, map[string][]step{
		"new fields replace, others stay, the length stays": {
			given(stored),
			{after: hour, give: "304\nCache-Control: max-age=120\nETag: \"1\"\nA: 2\nContent-Length: 77",
				sent: "If-None-Match: \"1\"",
				want: "200\nA: 2\nB: 1\nCache-Control: max-age=120\n!Content-Length\n\na"},
			{after: 119 * time.Second, want: "200\nA: 2\nB: 1\n\na"},
		},
		"by date": {
			given("Cache-Control: max-age=60\nLast-Modified: Wed, 28 Feb 2024 12:00:00 GMT"),
			{after: hour, give: "304\nA: 2", sent: "If-Modified-Since: Wed, 28 Feb 2024 12:00:00 GMT\n!If-None-Match",
				want: "200\nA: 2\n\na"},
			again,
		},
		"an error's date is not asked about, which a page that comes to be there can be older than": {
			{give: "404\nCache-Control: max-age=60\nLast-Modified: Wed, 28 Feb 2024 12:00:00 GMT\nETag: \"1\"\n\nnone", want: "404"},
			{after: hour, give: "200\nCache-Control: max-age=60\nLast-Modified: Tue, 27 Feb 2024 12:00:00 GMT\n\nold",
				sent: "!If-Modified-Since\n!If-None-Match", want: "200\n\nold"},
			{want: "200\n\nold"},
		},
		"a weak tag": {
			given("Cache-Control: max-age=60\nETag: W/\"1\""),
			{after: hour, give: "304\nETag: W/\"1\"", sent: "If-None-Match: W/\"1\"", want: "200\n\na"},
			again,
		},
		"a full answer replaces": {
			given(stored),
			{after: hour, give: "200\nCache-Control: max-age=60\n\nb", want: "200\n!A\n\nb"},
			{want: "200\n!A\n\nb"},
		},
		"a 304 with no-store ends the storing": {
			given(stored),
			{after: hour, give: "304\nCache-Control: no-store", want: "200\n\na"},
			miss,
		},
		"the client's own conditions do not go out with it": {
			given(stored),
			{after: hour, do: "GET /\nIf-None-Match: \"0\"\nIf-Modified-Since: @0s", give: "304\nETag: \"1\"",
				sent: "If-None-Match: \"1\"\n!If-Modified-Since", want: "200\n\na"},
		},
		"they are answered after it": {
			given(stored),
			{after: hour, do: "GET /\nIf-None-Match: \"1\"", give: "304\nETag: \"1\"", want: "304\nETag: \"1\"\n\n"},
		},
		"the coding is that of the stored bytes": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{after: hour, give: "304\nETag: \"1\"\nContent-Encoding: gzip", want: "200\n!Content-Encoding\n\na"},
			{want: "200\n!Content-Encoding\n\na"},
		},
		"so is the type": { // github.com/h3js/h3, 603
			given("Cache-Control: max-age=60\nETag: \"1\"\nContent-Type: image/svg+xml"),
			{after: hour, give: "304\nETag: \"1\"\nContent-Type: text/html", want: "200\nContent-Type: image/svg+xml\n\na"},
			{want: "200\nContent-Type: image/svg+xml\n\na"},
		},
		"a digest of a 304's content is not that of the stored bytes": {
			given("Cache-Control: max-age=60\nETag: \"1\"\nContent-Digest: sha-256=:YQ==:"),
			{after: hour, give: "304\nETag: \"1\"\nContent-Digest: sha-256=:Yg==:", want: "200\nContent-Digest: sha-256=:YQ==:\n\na"},
			{want: "200\nContent-Digest: sha-256=:YQ==:\n\na"},
		},
		"a cookie is for who asked": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{after: hour, give: "304\nETag: \"1\"\nSet-Cookie: a=b", want: "200\nSet-Cookie: a=b\n\na"},
			{want: "200\n!Set-Cookie\n\na"},
		},
		"also after HEAD": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{do: "HEAD /\nCache-Control: no-cache", give: "200\nETag: \"1\"\nContent-Encoding: gzip", want: "200"},
			{want: "200\n!Content-Encoding\n\na"},
		},
		"a stored Age is not the new one's": {
			given("Cache-Control: max-age=60\nETag: \"1\"\nAge: 30"),
			{after: hour, give: "304", want: "200\n\na"},
			{after: 40 * time.Second, want: "200\nAge: 40\n\na"},
		},
	})
}

// RFC 9111 §3.5: requests with Authorization; and with Cookie, which RFC 9111
// does not speak of.
func TestCredentials(t *testing.T) {
	const authorized = "GET /\nAuthorization: Basic eA=="
	const cookied = "GET /\nCookie: id=1"
	play(t, shared, map[string][]step{
		"Authorization": {{do: authorized, give: "200\nCache-Control: max-age=60\n\na"}, miss},
		"Authorization, public": {
			{do: authorized, give: "200\nCache-Control: max-age=60, public\n\na"}, again},
		"Authorization, s-maxage": {
			{do: authorized, give: "200\nCache-Control: s-maxage=60\n\na"}, again},
		"Authorization, must-revalidate": {
			{do: authorized, give: "200\nCache-Control: max-age=60, must-revalidate\n\na"}, again},
		"what is public answers Authorization": {
			given("Cache-Control: max-age=60"), {do: authorized, want: "200\n\na"}},
		"other credentials": {{proof: true, give: "200\nCache-Control: max-age=60\n\na"}, miss},
		"other credentials, without a lifetime": {
			{proof: true, give: "200\nLast-Modified: @-1000h\n\na"},
			{proof: true, give: "200\nLast-Modified: @-1000h\n\nb", want: "200\n\nb"}},
		"other credentials, must-revalidate": {
			{proof: true, give: "200\nCache-Control: max-age=60, must-revalidate\n\na"}, miss},
		"other credentials, public": {{proof: true, give: "200\nCache-Control: max-age=60, public\n\na"}, again},
		"Cookie":                    {{do: cookied, give: "200\nCache-Control: max-age=60\n\na"}, miss},
		"the same Cookie": {
			{do: cookied, give: "200\nCache-Control: max-age=60\n\na"}, {do: cookied, want: "200\n\na"}},
		"another Cookie": {
			{do: cookied, give: "200\nCache-Control: max-age=60\n\na"},
			{do: "GET /\nCookie: id=2", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"}},
		"the same Cookie of another client": {
			{as: "a", do: cookied, give: "200\nCache-Control: max-age=60\n\na"},
			{as: "b", do: cookied, give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"}},
		"Cookie, public": {
			{do: cookied, give: "200\nCache-Control: max-age=60, public\n\na"}, again},
		"an error to Authorization, public": {
			{do: authorized, give: "400\nCache-Control: max-age=60, public\n\nb"}, miss},
		"an error to other credentials, public": {
			{proof: true, give: "400\nCache-Control: max-age=60, public\n\nb"}, miss},
		"an error to Cookie, public": {
			{do: cookied, give: "400\nCache-Control: s-maxage=60, public\n\na"}, miss},
		"an error to Cookie, public, for another Cookie": {
			{do: cookied, give: "404\nCache-Control: max-age=60, public\n\na"},
			{do: "GET /\nCookie: id=2", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"}},
		"an error to Cookie, for the same": {
			{do: cookied, give: "404\nCache-Control: max-age=60\n\na"}, {do: cookied, want: "404\n\na"}},
		"an error to none, for Cookie": {
			{give: "404\nCache-Control: max-age=60\n\na"}, {do: cookied, want: "404\n\na"}},
		"what came without answers a request with Cookie": {
			given("Cache-Control: max-age=60"), {do: cookied, want: "200\n\na"}},
		"unless it varies by it": {
			given("Cache-Control: max-age=60\nVary: Cookie"),
			{do: cookied, give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"}},
	})
}

// RFC 9111 §4.1: Vary.
func TestVary(t *testing.T) {
	with := func(fields, vary string) step {
		return step{do: "GET /\n" + fields, give: "200\nCache-Control: max-age=60\nVary: " + vary + "\n\na"}
	}
	hit := func(fields string) step { return step{do: "GET /\n" + fields, want: "200\n\na"} }
	other := func(fields string) step {
		return step{do: "GET /\n" + fields, give: "200\nCache-Control: max-age=60\nVary: Foo\n\nb", want: "200\n\nb"}
	}
	play(t, shared, map[string][]step{
		"match":                     {with("Foo: 1", "Foo"), hit("Foo: 1\nBar: 2")},
		"no match":                  {with("Foo: 1", "Foo"), other("Foo: 2")},
		"absent and present":        {with("", "Foo"), other("Foo: 1")},
		"present and absent":        {with("Foo: 1", "Foo"), other("")},
		"absent is not empty":       {with("", "Foo"), other("Foo:")},
		"both absent":               {with("Bar: 1", "Foo, Bar"), hit("Bar: 1")},
		"names in any case":         {with("Foo: 1", "fOO"), other("Foo: 2")},
		"several lines of Vary":     {with("Foo: 1\nBar: 1", "Foo\nVary: Bar"), other("Foo: 1\nBar: 2")},
		"lines combine":             {with("Foo: 1, 2", "Foo"), hit("Foo: 1\nFoo: 2")},
		"whitespace":                {with("Foo: 1,2", "Foo"), hit("Foo:  1 ,  2")},
		"members stay apart":        {with("Foo: 1, 2", "Foo"), other("Foo: 12")},
		"fields stay apart":         {with("Bar: 1\nFoo: 2+3", "Bar, Foo"), other("Bar: 1+2\nFoo: 3")},
		"which one is absent":       {with("Bar: 1", "Bar, Foo"), other("Foo: 1")},
		"absent is no hyphen":       {with("", "Foo"), other("Foo: -")},
		"text has its blanks":       {with("User-Agent: a (b,c)", "User-Agent"), other("User-Agent: a (b, c)")},
		"order counts":              {with("Foo: 1, 2", "Foo"), other("Foo: 2, 1")},
		"languages have no order":   {with("Accept-Language: en, de", "Accept-Language"), hit("Accept-Language: DE,en")},
		"codings have no order":     {with("Accept-Encoding: gzip, br;q=0.50", "Accept-Encoding"), hit("Accept-Encoding: br; Q=0.5 , GZIP")},
		"weights count":             {with("Accept-Encoding: gzip, br;q=0.5", "Accept-Encoding"), other("Accept-Encoding: gzip, br")},
		"a weight of 1 is none":     {with("Accept-Encoding: gzip;q=1.000", "Accept-Encoding"), hit("Accept-Encoding: gzip")},
		"* among others":            {with("Foo: 1", "Foo, *"), other("Foo: 1")},
		"* on a line of its own":    {with("Foo: 1", "Foo\nVary: *"), other("Foo: 1")},
		"no names":                  {with("Foo: 1", "Foo Bar"), other("Foo: 2")},
		"empty members of Vary":     {with("Foo: 1", ", Foo,, "), hit("Foo: 1"), other("Foo: 2")},
		"Vary of nothing":           {with("Foo: 1", ","), hit("Foo: 2")},
		"empty members":             {with("Foo: 1, 2", "Foo"), hit("Foo: ,1,,2,")},
		"parameters count":          {with("Accept-Language: en;x=1", "Accept-Language"), hit("Accept-Language: EN ; x=1"), other("Accept-Language: en")},
		"two variants side by side": {with("Foo: 1", "Foo"), other("Foo: 2"), hit("Foo: 1"), {do: "GET /\nFoo: 2", want: "200\n\nb"}},
		"the latest of two that match": {
			with("Foo: 1", "Foo"),
			{after: time.Second, do: "GET /\nFoo: 1\nCache-Control: no-cache", give: "200\nCache-Control: max-age=60\nVary: Bar\n\nb"},
			{do: "GET /\nFoo: 1", want: "200\n\nb"},
		},
	})
}

// RFC 9111 §4.2.1: the freshness lifetime.
func TestFreshness(t *testing.T) {
	fresh := func(fields string, d time.Duration) []step { return []step{given(fields), after(d, again)} }
	stale := func(fields string, d time.Duration) []step { return []step{given(fields), after(d, miss)} }
	play(t, shared, map[string][]step{
		"until max-age":                   fresh("Cache-Control: max-age=60", 59*time.Second),
		"not at max-age":                  stale("Cache-Control: max-age=60", 60*time.Second),
		"s-maxage before max-age":         fresh("Cache-Control: max-age=1, s-maxage=60", 59*time.Second),
		"s-maxage shorter":                stale("Cache-Control: max-age=60, s-maxage=1", 2*time.Second),
		"s-maxage on another line":        stale("Cache-Control: max-age=60\nCache-Control: s-maxage=1", 2*time.Second),
		"max-age before Expires":          fresh("Cache-Control: max-age=60\nExpires: @-5s\nDate: @0s", minute/2),
		"max-age=0 before Expires":        stale("Cache-Control: max-age=0\nExpires: @1h\nDate: @0s", 0),
		"Expires minus Date":              stale("Expires: @400s\nDate: @390s", 11*time.Second),
		"Expires without Date":            fresh("Expires: @60s", 59*time.Second),
		"Expires with an invalid Date":    fresh("Expires: @60s\nDate: yesterday", 59*time.Second),
		"Expires before Date":             stale("Expires: @300s\nDate: @400s", 0),
		"Expires: 0":                      stale("Expires: 0\nDate: @0s", 0),
		"the first Expires":               fresh("Expires: @60s\nExpires: @0s\nDate: @0s", minute/2),
		"Expires with s-maxage":           fresh("Cache-Control: s-maxage=60\nExpires: @-5s\nDate: @0s", minute/2),
		"the first max-age, fresh":        fresh("Cache-Control: max-age=1800, max-age=1", minute),
		"the first max-age, stale":        stale("Cache-Control: max-age=1, max-age=1800", minute),
		"a huge max-age":                  fresh("Cache-Control: max-age=99999999999999999999999", 24*365*hour),
		"2³¹":                             fresh("Cache-Control: max-age=2147483648", 24*365*hour),
		"leading zeros":                   fresh("Cache-Control: max-age=00060", minute/2),
		"a negative max-age":              stale("Cache-Control: max-age=-60", 0),
		"a fraction":                      stale("Cache-Control: max-age=60.5", 0),
		"letters":                         stale("Cache-Control: max-age=60a", 0),
		"an empty max-age":                stale("Cache-Control: max-age=", 0),
		"single quotes":                   stale("Cache-Control: max-age='60'", 0),
		"double quotes":                   fresh("Cache-Control: max-age=\"60\"", minute/2),
		"a max-age within quotes is none": stale("Cache-Control: x=\"max-age=60\", max-age=1", 2*time.Second),
		"an escaped quote":                stale("Cache-Control: x=\"\\\", max-age=60, \", max-age=1", 2*time.Second),
		"any case":                        fresh("Cache-Control: MaX-aGe=60", minute/2),
		"extensions":                      fresh("Cache-Control: foo, bar=baz, max-age=60", minute/2),
		"empty members":                   fresh("Cache-Control: ,, max-age=60,,", minute/2),
	})
}

// RFC 9111 §4.2.2: heuristic freshness.
func TestHeuristics(t *testing.T) {
	table := map[string][]step{
		"a tenth of the time since Last-Modified": {
			given("Date: @0s\nLast-Modified: @-100m"), after(9*minute, again), after(2*minute, miss)},
		"at most a day": {
			given("Date: @0s\nLast-Modified: @-10000h"), after(23*hour, again), after(2*hour, miss)},
		"not with explicit freshness": {
			given("Date: @0s\nLast-Modified: @-1000h\nExpires: 0"), miss},
		"nor without Last-Modified": {given("Date: @0s\nETag: \"1\""), miss},
		"nor with Pragma: no-cache": {given("Date: @0s\nLast-Modified: @-1000h\nPragma: no-cache"), miss},
		"public makes any status cacheable": {
			{give: "599\nCache-Control: public\nDate: @0s\nLast-Modified: @-100m\n\na", want: "599"}, {want: "599\n\na"}},
	}
	for status, cacheable := range map[string]bool{
		"200": true, "203": true, "204": true, "300": true, "301": true, "308": true, "404": true, "405": true,
		"410": true, "414": true, "501": true, "201": false, "202": false, "302": false, "307": false, "400": false,
		"403": false, "500": false, "502": false, "503": false, "504": false, "599": false,
	} {
		steps := []step{{give: status + "\nDate: @0s\nLast-Modified: @-100m", want: status}, {want: status}}
		if !cacheable {
			steps[1] = step{give: "200\n\nb", want: "200\n\nb"}
		}
		table[status] = steps
	}
	play(t, shared, table)
}

// RFC 9111 §4.2.3, §5.1: Age.
func TestAge(t *testing.T) {
	age := func(fields, want string) []step {
		return []step{given("Cache-Control: max-age=3600\n" + fields), {after: 10 * time.Second, want: "200\nAge: " + want + "\n\na"}}
	}
	stale := func(fields string) []step {
		return []step{given("Cache-Control: max-age=3600\n" + fields), miss}
	}
	play(t, shared, map[string][]step{
		"time in the store":      age("X: y", "10"),
		"the origin's Age":       age("Age: 30", "40"),
		"Date in the past":       age("Date: @-20s", "30"),
		"the larger of the two":  age("Age: 30\nDate: @-100s", "110"),
		"Date in the future":     age("Date: @100s", "10"),
		"letters":                age("Age: abc", "10"),
		"negative":               age("Age: -7200", "10"),
		"a fraction":             age("Age: 7200.0", "10"),
		"a parameter":            age("Age: 7200;foo=bar", "10"),
		"the first of a list":    age("Age: 0, 7200", "10"),
		"the first of two lines": age("Age: 0\nAge: 7200", "10"),
		"the first, stale":       stale("Age: 7200, 0"),
		"first line, stale":      stale("Age: 7200\nAge: 0"),
		"2³¹-1":                  stale("Age: 2147483647"),
		"2³¹":                    stale("Age: 2147483648"),
		"past 64 bits":           stale("Age: 99999999999999999999999999"),
		"too old by Date":        stale("Date: @-2h"),
		"none on a first answer": {{give: "200\nCache-Control: max-age=60\n\na", want: "200\n!Age\n\na"}},
		"Date stays as it was": {
			given("Cache-Control: max-age=3600\nDate: @-20s"), {after: 10 * time.Second, want: "200\nDate: @-30s\n\na"}},
		"Date where there was none": {
			{give: "200\nCache-Control: max-age=3600\n\na", want: "200\nDate: @0s\n\na"},
			{after: 10 * time.Second, want: "200\nDate: @-10s\n\na"}},
	})
}

// RFC 9111 §4.2.4, RFC 5861: serving stale.
func TestStale(t *testing.T) {
	failing := step{after: hour, give: "error", want: "error"}
	unavailable := step{after: hour, give: "503\n\ndown", want: "503\n\ndown"}
	standIn := func(give string) step { return step{after: hour, give: give, want: "200\nAge: 3600\n\na"} }
	play(t, shared, map[string][]step{
		"no answer":                 {given("Cache-Control: max-age=60"), standIn("error")},
		"no answer, too late":       {given("Cache-Control: max-age=60"), {after: 25 * hour, give: "error", want: "error"}},
		"no answer, no-cache asked": {given("Cache-Control: max-age=60"), {after: hour, do: "GET /\nCache-Control: no-cache", give: "error", want: "error"}},
		"not for a 503 unasked":     {given("Cache-Control: max-age=60"), unavailable},
		"stale-if-error, no answer": {given("Cache-Control: max-age=60, stale-if-error=7200"), standIn("error")},
		"stale-if-error, 503":       {given("Cache-Control: max-age=60, stale-if-error=7200"), standIn("503\n\ndown")},
		"stale-if-error, too late":  {given("Cache-Control: max-age=60, stale-if-error=600"), unavailable},
		"stale-if-error, 404": {given("Cache-Control: max-age=60, stale-if-error=7200"),
			{after: hour, give: "404\n\ngone", want: "404\n\ngone"}},
		"stale-if-error and must-revalidate":  {given("Cache-Control: max-age=60, stale-if-error=7200, must-revalidate"), failing},
		"stale-if-error and proxy-revalidate": {given("Cache-Control: max-age=60, stale-if-error=7200, proxy-revalidate"), unavailable},
		"stale-if-error and s-maxage":         {given("Cache-Control: s-maxage=60, stale-if-error=7200"), failing},
		"stale-if-error in the request": {given("Cache-Control: max-age=60"),
			{after: hour, do: "GET /\nCache-Control: stale-if-error=7200", give: "error", want: "200\n\na"}},
		"no-cache is never stale": {given("Cache-Control: max-age=60, no-cache, stale-if-error=7200\nETag: \"1\""), failing},
		"stale-while-revalidate refreshes behind": {
			given("Cache-Control: max-age=60, stale-while-revalidate=600\nETag: \"1\""),
			{after: 2 * minute, give: "200\nCache-Control: max-age=60\n\nb", sent: "If-None-Match: \"1\"", want: "200\nAge: 120\n\na"},
			{want: "200\n\nb"},
		},
		"a refresh that fails is nobody's failure": {
			given("Cache-Control: max-age=60, stale-while-revalidate=600, stale-if-error=600"),
			{after: 2 * minute, give: "error", want: "200\nAge: 120\n\na"}},
		"stale-while-revalidate, too late": {
			given("Cache-Control: max-age=60, stale-while-revalidate=600"), after(hour, miss)},
		"stale-while-revalidate, only-if-cached": {
			given("Cache-Control: max-age=60, stale-while-revalidate=600"),
			{after: 2 * minute, do: "GET /\nCache-Control: only-if-cached", want: "200\nAge: 120\n\na"}},
		"stale-while-revalidate and must-revalidate": {
			given("Cache-Control: max-age=60, stale-while-revalidate=600, must-revalidate"), after(2*minute, miss)},
		"max-stale": {given("Cache-Control: max-age=60"),
			{after: 2 * minute, do: "GET /\nCache-Control: max-stale=100", want: "200\nAge: 120\n\na"}},
		"max-stale without a value": {given("Cache-Control: max-age=60"),
			{after: 2 * minute, do: "GET /\nCache-Control: max-stale", want: "200\n\na"}},
		"max-stale, too stale": {given("Cache-Control: max-age=60"),
			{after: 2 * minute, do: "GET /\nCache-Control: max-stale=10", give: "200\n\nb", want: "200\n\nb"}},
		"max-stale and must-revalidate": {given("Cache-Control: max-age=60, must-revalidate"),
			{after: 2 * minute, do: "GET /\nCache-Control: max-stale", give: "200\n\nb", want: "200\n\nb"}},
	})
}

// TestHeadThatTellsAnotherLength drops what is stored (RFC 9111 §4.3.5), though the tag
// is the same: one of the two is wrong.
func TestHeadThatTellsAnotherLength(t *testing.T) {
	newScene(t, shared).run(
		step{give: "200\nCache-Control: max-age=60\nETag: \"1\"\nContent-Length: 1\n\na", want: "200\n\na"},
		step{after: time.Hour, do: "HEAD /", give: "200\nCache-Control: max-age=60\nETag: \"1\"\nContent-Length: 2", want: "200"},
		step{give: "200\n\nb", sent: "!If-None-Match", want: "200\n\nb"})
}

// TestPartOfAnotherLengthFreshensNothing, though the tag is the same: what has grown, as logs
// do under one tag, would else count as whole for longer.
func TestPartOfAnotherLengthFreshensNothing(t *testing.T) {
	const fields = "\nCache-Control: max-age=60\nETag: \"1\""
	for _, o := range []Options{shared, disguised, apart} {
		newScene(t, o).run(
			step{as: "a", give: "200" + fields + "\n\n01234", want: "200\n\n01234"},
			step{after: time.Hour, as: "a", do: "GET /\nRange: bytes=5-", give: "206" + fields + "\nContent-Range: bytes 5-9/10\n\n56789", want: "206\n\n56789"},
			step{as: "a", do: "GET /\nRange: bytes=0-9", give: "206" + fields + "\nContent-Range: bytes 0-9/10\n\n0123456789", want: "206\n\n0123456789"},
			step{as: "a", want: "200\n\n0123456789"})
	}
}

// TestRestOfAnotherLengthIsNotJoined: that the tag is the same makes no whole of two
// parts that contradict each other.
func TestRestOfAnotherLengthIsNotJoined(t *testing.T) {
	const fields = "Cache-Control: max-age=60\nETag: \"1\""
	s := newScene(t, shared)
	s.run(step{do: "GET /\nRange: bytes=0-5", give: "206\n" + fields + "\nContent-Range: bytes 0-5/10\n\n012345", want: "206"})
	s.mu.Lock()
	s.give = "206\n" + fields + "\nContent-Range: bytes 6-11/12\n\n6789ab"
	s.mu.Unlock()
	resp, err := s.rt.RoundTrip(s.request(step{}))
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode == 200 {
		t.Errorf("it is told to be whole: %v", resp.Header)
	}
}

// TestOnlyASharedCacheHoldsWhatPostsDescribe: no client's own cache
// would, and others must not tell that it was there.
func TestOnlyASharedCacheHoldsWhatPostsDescribe(t *testing.T) {
	for name, o := range map[string]Options{"disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			newScene(t, o).run(step{do: "POST /\n\nbody", give: "200\nCache-Control: max-age=60\nContent-Location: /\n\na", want: "200\n\na"}, miss)
		})
	}
}

// TestA304OfSomethingElseAnswersNobody: whoever asked without a condition gets what a request
// without one brings.
func TestA304OfSomethingElseAnswersNobody(t *testing.T) {
	s := newScene(t, shared)
	s.rt = s.c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := s.origin(r)
		if r.Header.Get("If-None-Match") != "" {
			resp = parseResponse("304\nETag: \"2\"", r)
		}
		return resp, err
	}))
	s.run(given("Cache-Control: max-age=60\nETag: \"1\""),
		step{after: 2 * minute, give: "200\n\nb", sent: "If-None-Match: \"1\"", want: "200\n\nb"})
}

// What is easily missed in RFC 9111 §3.2, §4.3.3, §4.3.4, §5.2, and RFC 5861 §4.
func TestEasilyMissed(t *testing.T) {
	play(t, shared, map[string][]step{
		"a 304 that names other selecting fields": {
			{do: "GET /\nFoo: 1", give: "200\nCache-Control: max-age=60\nETag: \"1\"\n\na", want: "200\n\na"},
			{after: 2 * minute, do: "GET /\nFoo: 1", give: "304\nETag: \"1\"\nVary: Foo", want: "200\nVary: Foo\n\na"},
			{do: "GET /\nFoo: 1", want: "200\n\na"},
			{do: "GET /\nFoo: 2", give: "200\nCache-Control: max-age=60\nVary: Foo\n\nb", want: "200\n\nb"},
			{do: "GET /\nFoo: 1", want: "200\n\na"},
		},
		"a 304 that can select nothing again": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{after: 2 * minute, give: "304\nETag: \"1\"\nVary: *", want: "200\nVary: *\n\na"},
			{give: "200\n\nb", want: "200\n\nb"},
		},
		"a 304 that was last changed at another time": {
			given("Cache-Control: max-age=60\nLast-Modified: @-1h"),
			{after: 2 * minute, give: "304\nLast-Modified: @-2h", want: "304"}, // and again without a condition, which this origin answers alike
		},
		"a 304 with a tag for what has none": {
			given("Cache-Control: max-age=60\nLast-Modified: @-1h"),
			{after: 2 * minute, give: "304\nETag: \"1\"", want: "304"}, // and again without a condition
			{give: "200\n\nb", sent: "!If-Modified-Since", want: "200\n\nb"},
		},
		"a 304 with a tag for what has none, and the date": { // nginx of before 1.7.3, of what it compresses on the fly
			{give: "200\nCache-Control: max-age=60\nLast-Modified: Wed, 28 Feb 2024 12:00:00 GMT\n\na"},
			{after: 2 * minute, give: "304\nETag: \"1\"\nLast-Modified: Wed, 28 Feb 2024 12:00:00 GMT", want: "200\n\na"},
			again,
		},
		"what one field of is private, where a 304 does not say so again": {
			given("Cache-Control: max-age=60, private=\"Foo\"\nETag: \"1\"\nFoo: 1"),
			{after: 2 * minute, give: "304\nETag: \"1\"\nFoo: 2", want: "200\n\na"},
			{want: "200\n!Foo\n\na"},
		},
		"what one field of is private by a 304": {
			given("Cache-Control: max-age=60\nETag: \"1\"\nFoo: 1"),
			{after: 2 * minute, give: "304\nETag: \"1\"\nCache-Control: max-age=60, private=\"Foo\"", want: "200\n\na"},
			{want: "200\n!Foo\n\na"},
		},
		"two dates are no condition": {
			given("Cache-Control: max-age=60\nLast-Modified: @-1h"),
			{do: "GET /\nIf-Modified-Since: @0s\nIf-Modified-Since: @-2h", want: "200\n\na"},
		},
		"that there is no such range is for nobody else": {
			given("Cache-Control: max-age=60\nExpires: @60s"),
			{do: "GET /\nRange: bytes=5-", want: "416\nCache-Control: no-store\n!Expires\nContent-Range: bytes */1\n\n"},
		},
		"a client's own condition where the stored validator was sent": {
			given("Cache-Control: max-age=60\nETag: \"1\""),
			{after: 2 * minute, do: "GET /\nIf-None-Match: \"2\"", sent: "If-None-Match: \"1\"",
				give: "200\nCache-Control: max-age=60\nETag: \"2\"\n\nb", want: "304\nETag: \"2\"\n\n"},
			{want: "200\nETag: \"2\"\n\nb"},
		},
		"a client's own condition where the rest of a part was asked for": {
			{do: "GET /\nRange: bytes=0-4", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-4/10\n\n01234"},
			{do: "GET /\nIf-None-Match: \"1\"", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 5-9/10\n\n56789",
				sent: "Range: bytes=5-\nIf-Range: \"1\"\n!If-None-Match", want: "304\nETag: \"1\"\n\n"},
			{want: "200\n\n0123456789"},
		},
		"the rest of a part without a date": {
			{do: "GET /\nRange: bytes=0-4", give: "206\nCache-Control: max-age=60\nDate: @0s\nETag: \"1\"\nContent-Range: bytes 0-4/10\n\n01234"},
			{after: 50 * time.Second, give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 5-9/10\n\n56789", want: "200\nDate: @0s\n\n0123456789"},
			{after: 50 * time.Second, want: "200\nAge: 50\n\n0123456789"},
		},
		"min-fresh of an origin that cannot be reached": {
			given("Cache-Control: max-age=60, stale-if-error=600"),
			{after: 2 * minute, do: "GET /\nCache-Control: min-fresh=1", give: "error", want: "error"},
		},
		"a client's own condition where a part is stored": {
			{do: "GET /\nRange: bytes=0-4", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-4/10\n\n01234"},
			{do: "GET /\nRange: bytes=0-4\nIf-None-Match: \"1\"", want: "304\n!Content-Range\n\n"},
		},
		"a range of nothing": {
			{give: "200\nCache-Control: max-age=60\n\n", want: "200"},
			{do: "GET /\nRange: bytes=0-", want: "200\n!Content-Range\n\n"},
			{do: "GET /\nRange: bytes=-5", want: "200\n\n"},
		},
		"a 304 with a strong tag for what has a weak one": { // nginx, of what it compresses on the fly
			given("Cache-Control: max-age=60\nETag: W/\"1\""),
			{after: 2 * minute, give: "304\nETag: \"1\"\nA: 2", sent: "If-None-Match: W/\"1\"", want: "200\nETag: W/\"1\"\nA: 2\n\na"},
			{do: "GET /\nRange: bytes=0-0\nIf-Range: \"1\"", want: "200\n\na"},
		},
		"what was one's own is for all by now": {
			{do: "GET /\nCookie: a=b", give: "200\nCache-Control: max-age=60\n\na", want: "200\n\na"},
			{after: time.Second, do: "GET /\nCookie: a=b\nCache-Control: no-cache", give: "200\nCache-Control: public, max-age=60\n\nb", want: "200\n\nb"},
			{do: "GET /\nCookie: a=b", want: "200\n\nb"},
		},
		"only-if-cached of what is not": {
			{do: "GET /\nCache-Control: only-if-cached", want: "504\nProxy-Status: guise;error=proxy_internal_response\nCache-Control: no-store\n\n"}},
		"only-if-cached and no-store": {
			{do: "GET /\nCache-Control: only-if-cached, no-store", want: "504"}},
		"only-if-cached and a range of another unit": {
			{do: "GET /\nCache-Control: only-if-cached\nRange: lines=1-2", want: "504"}},
		"stale-if-error is about 500, 502, 503 and 504": {
			given("Cache-Control: max-age=60, stale-if-error=7200"),
			{after: hour, give: "501\n\nno", want: "501\n\nno"},
			{give: "502\n\nno", want: "200\n\na"},
			{give: "504\n\nno", want: "200\n\na"},
			{give: "500\n\nno", want: "200\n\na"},
			{give: "507\n\nno", want: "507\n\nno"}},
		"a failure that may be stored leaves what stands in for it": {
			given("Cache-Control: max-age=60, stale-if-error=7200"),
			{after: hour, give: "503\nCache-Control: max-age=600\n\nno", want: "200\n\na"},
			{after: minute, give: "503\nCache-Control: max-age=600\n\nno", want: "200\n\na"},
			{after: 2 * hour, give: "503\nCache-Control: max-age=600\n\nno", want: "503\n\nno"},
			{want: "503\n\nno"}},
		"a quoted string without an end hides nothing": {
			{give: "200\nCache-Control: max-age=60, foo=\"bar, no-store\n\na", want: "200\n\na"},
			{give: "200\n\nb", want: "200\n\nb"}},
		"private with half a quoted string": {
			{give: "200\nCache-Control: max-age=60, private=\"foo\n\na", want: "200\n\na"},
			{give: "200\n\nb", want: "200\n\nb"}},
		"no-cache with names that are none": {
			{give: "200\nCache-Control: max-age=60, no-cache=\"foo bar\"\nETag: \"1\"\n\na", want: "200\n\na"},
			{give: "304", want: "200\n\na"}},
	})
}

// What a status answers that was not the target is no answer to others (RFC 6585 §3 to
// §6; RFC 9110 §15.5), whatever its lifetime.
func TestAnswersToOneRequestAreNobodyElses(t *testing.T) {
	for _, o := range []Options{shared, disguised, apart} {
		table := map[string][]step{
			"a range behind the end": {
				{as: "a", do: "GET /\nRange: bytes=99-", give: "416\nCache-Control: max-age=60\nContent-Range: bytes */1\n\nno", want: "416"},
				{as: "a", give: "200\nCache-Control: max-age=60\n\na", want: "200\n\na"}},
			"a range that cannot be had": {
				{as: "a", do: "GET /\nRange: bytes=0-0", give: "503\nCache-Control: max-age=60\n\nno", want: "503"},
				{as: "a", give: "200\nCache-Control: max-age=60\n\na", want: "200\n\na"}},
			"credentials that were missing": {
				{as: "a", give: "401\nCache-Control: max-age=60\n\nwho?", want: "401"},
				{as: "a", do: "GET /\nAuthorization: Basic eA==", give: "200\n\na", want: "200\n\na"}},
			"what a feed has had since": {
				{as: "a", do: "GET /\nA-IM: feed\nIf-None-Match: \"1\"", give: "226\nCache-Control: max-age=60\nETag: \"2\"\n\nnew", want: "226\n\nnew"},
				{as: "a", do: "GET /\nA-IM: feed", give: "200\nCache-Control: max-age=60\nETag: \"2\"\n\na", want: "200\n\na"}},
		}
		for _, status := range []string{"407", "412", "416", "417", "421", "425", "428", "429", "431", "511"} {
			table[status] = []step{{as: "a", give: status + "\nCache-Control: public, max-age=60\n\nno", want: status}, {as: "a", give: "200\n\na", want: "200\n\na"}}
		}
		play(t, o, table)
	}
}

// Who asks for what is new since its own copy (RFC 3229 §10.5.3) is not told what is new since
// the stored one, and who has no copy gets all.
func TestStoredValidatorsAskForNoDelta(t *testing.T) {
	const ask, all = "GET /\nA-IM: feed", "200\nCache-Control: max-age=60\nETag: \"1\"\n\na"
	first := step{after: 2 * minute, do: ask, give: all, sent: "A-IM: feed\n!If-None-Match", want: "200\n\na"}
	next := step{after: 2 * minute, do: ask, give: "304\nETag: \"1\"", sent: "If-None-Match: \"1\"\n!A-IM", want: "200\n\na"}
	newScene(t, shared).run(first, next)
	newScene(t, disguised).run(first, first, next)
}

// RFC 9211 §2: what the cache says that it did.
func TestCacheStatus(t *testing.T) {
	const give = "200\nCache-Control: max-age=60\nETag: \"1\"\n\na"
	status := func(s step, what string) step { s.want = "200\nCache-Status: guise; " + what; return s }
	play(t, shared, map[string][]step{
		"new":     {status(step{give: give}, "fwd=miss"), status(step{}, "hit")},
		"stale":   {given("Cache-Control: max-age=60\nETag: \"1\""), status(step{after: hour, give: "304"}, "fwd=stale; fwd-status=304")},
		"changed": {given("Cache-Control: max-age=60\nETag: \"1\""), status(step{after: hour, give: give}, "fwd=stale")},
		"changed, but not for its client": {given("Cache-Control: max-age=60\nETag: \"0\""),
			{after: hour, do: "GET /\nIf-None-Match: \"1\"", give: give, want: "304\nCache-Status: guise; fwd=stale; fwd-status=200"}},
		"the rest of what its client has": {
			{do: "GET /\nRange: bytes=0-0", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-0/2\n\na"},
			{do: "GET /\nIf-None-Match: \"1\"", give: "206\nETag: \"1\"\nContent-Range: bytes 1-1/2\n\nb", want: "304\nCache-Status: guise; fwd=partial; fwd-status=206"}},
		"on demand": {given("Cache-Control: max-age=60\nETag: \"1\""), status(step{do: "GET /\nCache-Control: no-cache", give: "304"}, "fwd=request; fwd-status=304")},
		"not to be stored": {status(step{do: "GET /\nCache-Control: no-store", give: give}, "fwd=miss"), given("Cache-Control: max-age=60"),
			status(step{do: "GET /\nCache-Control: no-store", give: give}, "fwd=request"),
			status(step{after: hour, do: "GET /\nCache-Control: no-store", give: give}, "fwd=stale")},
		"the rest": {
			{do: "GET /\nRange: bytes=0-0", give: "206\nCache-Control: max-age=60\nETag: \"1\"\nContent-Range: bytes 0-0/2\n\na"},
			status(step{give: "206\nETag: \"1\"\nContent-Range: bytes 1-1/2\n\nb"}, "fwd=partial")},
		"by another cache": {{give: "200\nCache-Control: max-age=60\nCache-Status: other; hit\n\na", want: "200\nCache-Status: other; hit, guise; fwd=miss"}},
		"in place of a 503": {given("Cache-Control: max-age=60, stale-if-error=7200"), status(step{}, "hit"),
			status(step{after: hour, give: "503\n\ndown"}, "fwd=stale; fwd-status=503"), status(step{give: "error"}, "hit")},
	})
}
