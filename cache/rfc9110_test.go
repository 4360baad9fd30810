package cache

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
	"time"
)

// RFC 9110 §13, RFC 9111 §4.3.2: preconditions of the client.
func TestConditions(t *testing.T) {
	const stored = "Cache-Control: max-age=60\nETag: \"1\"\nLast-Modified: @-1h\nDate: @0s"
	inm := func(tags string) string { return "GET /\nIf-None-Match: " + tags }
	const yes = "304\nETag: \"1\"\nCache-Control: max-age=60\n!Content-Length\n\n"
	play(t, shared, map[string][]step{
		"the tag":               {given(stored), {do: inm(`"1"`), want: yes}},
		"weakly":                {given(stored), {do: inm(`W/"1"`), want: yes}},
		"first of several":      {given(stored), {do: inm(`"1", "2"`), want: yes}},
		"last of several":       {given(stored), {do: inm(`"2",W/"3" , "1"`), want: yes}},
		"among empty members":   {given(stored), {do: inm(`, "2",, "1",`), want: yes}},
		"empty members alone":   {given(stored), {do: inm(", ,"), want: "200\n\na"}},
		"on a second line":      {given(stored), {do: inm("\"2\"\nIf-None-Match: \"1\""), want: yes}},
		"with a comma in a tag": {given(stored), {do: inm(`"2,1", "1"`), want: yes}},
		"*":                     {given(stored), {do: inm("*"), want: yes}},
		"another tag":           {given(stored), {do: inm(`"2"`), want: "200\n\na"}},
		"case counts in tags":   {given("Cache-Control: max-age=60\nETag: \"a\""), {do: inm(`"A"`), want: "200\n\na"}},
		"no tag is stored":      {given("Cache-Control: max-age=60"), {do: inm(`"1"`), want: "200\n\na"}},
		"If-None-Match wins":    {given(stored), {do: inm("\"2\"\nIf-Modified-Since: @0s"), want: "200\n\na"}},
		"wins the other way":    {given(stored), {do: inm("\"1\"\nIf-Modified-Since: @-2h"), want: yes}},
		"not modified since":    {given(stored), {do: "GET /\nIf-Modified-Since: @-1h", want: yes}},
		"modified since":        {given(stored), {do: "GET /\nIf-Modified-Since: @-61m", want: "200\n\na"}},
		"an invalid date":       {given(stored), {do: "GET /\nIf-Modified-Since: 0", want: "200\n\na"}},
		"without Last-Modified, Date": {given("Cache-Control: max-age=60\nDate: @0s"),
			{do: "GET /\nIf-Modified-Since: @0s", want: "304"}},
		"older than Date": {given("Cache-Control: max-age=60\nDate: @0s"),
			{do: "GET /\nIf-Modified-Since: @-1s", want: "200\n\na"}},
		"a redirect is no 304": {{give: "301\nCache-Control: max-age=60\nETag: \"1\"", want: "301"},
			{do: inm(`"1"`), want: "301"}},
		"on HEAD": {given(stored), {do: "HEAD /\nIf-None-Match: \"1\"", want: yes}},
		"with nothing stored they go to the origin": {
			{do: inm(`"1"`), give: "304\nETag: \"1\"", sent: "If-None-Match: \"1\"", want: "304\nETag: \"1\""}},
		"on HEAD of something stale they speak of the client's copy": {given(stored),
			{after: hour, do: "HEAD /\nIf-None-Match: \"0\"", give: "304\nETag: \"0\"", sent: "If-None-Match: \"0\"", want: "304\nETag: \"0\""},
			{give: "304\nETag: \"1\"", sent: "If-None-Match: \"1\"", want: "200\n\na"}},
		"with something stale that has no validators": {given("Cache-Control: max-age=60"),
			{after: hour, do: inm(`"0"`), give: "304\nETag: \"0\"", sent: "If-None-Match: \"0\"", want: "304"}},
		"If-Match goes to the origin": {given(stored),
			{do: "GET /\nIf-Match: \"1\"", give: "412", sent: "If-Match: \"1\"", want: "412"}},
		"a 304 about another tag is not used": {given(stored),
			{after: hour, give: "304\nETag: \"2\"", want: "304"}},
	})
}

// A date says nothing of what the origin has just sent without Last-Modified (RFC 9110 §13.1.3):
// a page that changes each time comes, also where the origin's clock is behind the client's.
func TestNoDateStandsForThatOfAChange(t *testing.T) {
	const since = "GET /\nIf-Modified-Since: @0s"
	for name, o := range map[string]Options{"disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			for _, fields := range []string{"X: y", "Date: @-1h", "Date: @-1h\nCache-Control: no-store"} {
				newScene(t, o).run(
					step{as: "a", do: since, give: "200\n" + fields + "\n\na", sent: "!If-Modified-Since", want: "200\n\na"},
					step{as: "a", do: since, give: "200\n" + fields + "\n\nb", want: "200\n\nb"})
			}
			kept := step{do: since, give: "200\nCache-Control: max-age=600\n\na", want: "200\n\na"}
			first, other := kept, kept
			first.as, other.as = "a", "b"
			newScene(t, o).run(first, other, // which seems fetched, and so comes as well
				step{as: "a", do: since, want: "304"}, step{as: "b", do: "GET /\nIf-Modified-Since: @-1s", want: "200\n\na"})
		})
	}
}

// RFC 9111 §5.2.1, §5.4: request directives.
func TestRequestDirectives(t *testing.T) {
	do := func(cc string) string { return "GET /\nCache-Control: " + cc }
	asked := func(cc string) step {
		return step{after: 10 * time.Second, do: do(cc), give: "200\n\nb", want: "200\n\nb"}
	}
	hit := func(cc string) step { return step{after: 10 * time.Second, do: do(cc), want: "200\n\na"} }
	first := given("Cache-Control: max-age=60\nETag: \"1\"")
	play(t, shared, map[string][]step{
		"max-age=0":            {first, asked("max-age=0")},
		"max-age too small":    {first, asked("max-age=9")},
		"max-age large enough": {first, hit("max-age=10")},
		"min-fresh":            {first, hit("min-fresh=50")},
		"min-fresh too large":  {first, asked("min-fresh=51")},
		"no-store":             {first, asked("no-store")},
		"no-cache validates": {first, {do: do("no-cache"), give: "304\nETag: \"1\"",
			sent: "If-None-Match: \"1\"", want: "200\n\na"}},
		"Pragma":                      {first, {do: "GET /\nPragma: no-cache", give: "304", want: "200\n\na"}},
		"Pragma beside Cache-Control": {first, {do: "GET /\nPragma: no-cache\nCache-Control: foo", want: "200\n\na"}},
		"only-if-cached, cached":      {first, hit("only-if-cached")},
		"only-if-cached, not":         {{do: do("only-if-cached"), want: "504\n\n"}},
		"only-if-cached, stale":       {first, {after: hour, do: do("only-if-cached"), want: "504\n\n"}},
		"immutable ignores a reload (RFC 8246)": {
			given("Cache-Control: max-age=60, immutable"), hit("max-age=0")},
		"immutable and stale": {
			given("Cache-Control: max-age=60, immutable"), {after: hour, do: do("max-age=0"), give: "200\n\nb", want: "200\n\nb"}},
		"immutable and no-cache": {
			given("Cache-Control: max-age=60, immutable"), asked("no-cache")},
	})
}

// RFC 9110 §14, RFC 9111 §3.3, §3.4: ranges.
func TestRanges(t *testing.T) {
	// A date is strong if it lies a while before Date (RFC 9110 §8.8.2.2).
	dated := func(modified string) step {
		return step{give: "200\nCache-Control: max-age=600\nDate: @0s\nLast-Modified: " + modified + "\n\n0123456789"}
	}
	const fields = "Cache-Control: max-age=60\nETag: \"1\""
	whole := step{give: "200\n" + fields + "\n\n0123456789"}
	get := func(spec string) string { return "GET /\nRange: bytes=" + spec }
	part := func(spec, where, data string) step {
		return step{do: get(spec), give: "206\n" + fields + "\nContent-Range: bytes " + where + "\n\n" + data,
			sent: "Range: bytes=" + spec, want: "206\n\n" + data}
	}
	from := func(spec, where, data string) step {
		return step{do: get(spec), want: "206\nContent-Range: bytes " + where + "\n\n" + data}
	}
	play(t, shared, map[string][]step{
		"a digest is of what is sent": {
			{give: "200\n" + fields + "\nContent-Digest: sha-256=:YQ==:\nContent-MD5: YQ==\n\n0123456789"},
			{do: get("0-1"), want: "206\n!Content-Digest\n!Content-Md5\n\n01"},
			{do: get("0-1,4-5"), want: "206\n!Content-Digest\n!Content-Md5"},
			{do: get("10-"), want: "416\n!Content-Digest\n!Content-Md5\n\n"},
			{do: "GET /\nIf-None-Match: *", want: "304\n!Content-Digest\n!Content-Md5\n\n"},
			{want: "200\nContent-Digest: sha-256=:YQ==:\nContent-Md5: YQ==\n\n0123456789"},
		},
		"a digest of a part is not the whole's": {
			{do: get("0-4"), give: "206\n" + fields + "\nContent-Range: bytes 0-4/10\nContent-Digest: sha-256=:YQ==:\n\n01234"},
			{give: "206\n" + fields + "\nContent-Range: bytes 5-9/10\nContent-Digest: sha-256=:Yg==:\n\n56789",
				sent: "Range: bytes=5-", want: "200\n!Content-Digest\n\n0123456789"},
			{want: "200\n!Content-Digest\n\n0123456789"},
		},
		"the rest in another coding is not the rest": {
			{do: get("0-4"), give: "206\n" + fields + "\nContent-Range: bytes 0-4/10\nContent-Encoding: gzip\n\n01234"},
			{do: get("5-9"), give: "206\n" + fields + "\nContent-Range: bytes 5-9/10\n\n56789", want: "206\n\n56789"},
			{give: "200\n" + fields + "\n\nabcdefghij", want: "200\n\nabcdefghij"},
		},
		"first bytes":                  {whole, from("0-1", "0-1/10", "01")},
		"open end":                     {whole, from("8-", "8-9/10", "89")},
		"suffix":                       {whole, from("-3", "7-9/10", "789")},
		"long suffix":                  {whole, from("-99", "0-9/10", "0123456789")},
		"past the end":                 {whole, from("5-99", "5-9/10", "56789")},
		"a huge number":                {whole, from("5-99999999999999999999", "5-9/10", "56789")},
		"behind the end":               {whole, {do: get("10-"), want: "416\nContent-Range: bytes */10\n\n"}},
		"empty suffix":                 {whole, {do: get("-0"), want: "416"}},
		"backwards goes to the origin": {whole, {do: get("5-4"), give: "200\n\nx", want: "200\n\nx"}},
		"several of nothing stored go to the origin": {
			{do: get("0-1,5-6"), give: "206\n" + fields + "\n\nx", sent: "Range: bytes=0-1,5-6", want: "206"},
			{do: get("0-1,5-6"), give: "206\n" + fields + "\n\ny", want: "206\n\ny"}},
		"several, of which one is there":          {whole, {do: get("0-1 , ,20-30"), want: "206\nContent-Range: bytes 0-1/10\n\n01"}},
		"several, of which none is":               {whole, {do: get("10-,20-"), want: "416\nContent-Range: bytes */10\n\n"}},
		"several that overlap":                    {whole, {do: get("0-,0-,0-"), want: "200\n!Content-Range\n\n0123456789"}},
		"several, of another validator":           {whole, {do: get("0-1,5-6\nIf-Range: \"2\""), want: "200\n\n0123456789"}},
		"another unit goes to the origin":         {whole, {do: "GET /\nRange: lines=1-2", give: "200\n\nx", want: "200\n\nx"}},
		"HEAD ignores Range":                      {whole, {do: "HEAD /\nRange: bytes=0-1", want: "200\nContent-Length: \n\n"}},
		"If-Range with the tag":                   {whole, {do: get("0-1\nIf-Range: \"1\""), want: "206\n\n01"}},
		"If-Range with another":                   {whole, {do: get("0-1\nIf-Range: \"2\""), want: "200\n\n0123456789"}},
		"If-Range, weakly":                        {whole, {do: get("0-1\nIf-Range: W/\"1\""), want: "200\n\n0123456789"}},
		"If-Range with the date":                  {dated("@-1h"), {do: get("0-1\nIf-Range: @-1h"), want: "206\n\n01"}},
		"If-Range with another date":              {dated("@-1h"), {do: get("0-1\nIf-Range: @-30m"), want: "200\n\n0123456789"}},
		"If-Range with a later one":               {dated("@-1h"), {do: get("0-1\nIf-Range: @0s"), want: "200\n\n0123456789"}},
		"If-Range with a date that may be of two": {dated("@0s"), {do: get("0-1\nIf-Range: @0s"), want: "200\n\n0123456789"}},
		"If-None-Match comes first":               {whole, {do: get("0-1\nIf-None-Match: \"1\""), want: "304"}},
		"a range of coded content is not one of the content": {
			{do: "GET /\nAccept-Encoding: gzip", give: "200\n" + fields + "\nContent-Encoding: gzip\n\nGZGZGZ", want: "200"},
			part("2-3", "2-3/10", "23"), from("3-3", "3-3/10", "3"),
			{do: get("2-3\nAccept-Encoding: gzip;q=0"), want: "206\n\n23"},
			{do: get("0-1\nAccept-Encoding: br, gzip"), want: "206\nContent-Encoding: gzip\n\nGZ"},
			{do: "GET /\nAccept-Encoding: gzip", want: "200\nContent-Encoding: gzip\n\nGZGZGZ"}},
		"nor is one of a coded part": {
			{do: get("0-3\nAccept-Encoding: gzip"), give: "206\n" + fields + "\nContent-Encoding: gzip\nContent-Range: bytes 0-3/6\n\nGZGZ"},
			{do: get("1-2\nAccept-Encoding: gzip"), want: "206\nContent-Encoding: gzip\n\nZG"}, part("1-2", "1-2/10", "12")},
		"a redirect has no parts": {{give: "301\n" + fields + "\n\nabc", want: "301"}, {do: get("0-1"), want: "301\n\nabc"}},

		"a stored part":         {part("2-5", "2-5/10", "2345"), from("3-4", "3-4/10", "34")},
		"the whole of it":       {part("2-5", "2-5/10", "2345"), from("2-5", "2-5/10", "2345")},
		"a suffix of a part":    {part("-4", "6-9/10", "6789"), from("-2", "8-9/10", "89")},
		"an open end of a part": {part("-4", "6-9/10", "6789"), from("7-", "7-9/10", "789")},
		"beyond a part":         {part("2-5", "2-5/10", "2345"), part("4-7", "4-7/10", "4567")},
		"of unknown length":     {part("2-5", "2-5/*", "2345"), from("3-4", "3-4/*", "34"), part("3-", "3-9/10", "3456789")},
		"parts join":            {part("2-5", "2-5/10", "2345"), part("4-7", "4-7/10", "4567"), from("2-7", "2-7/10", "234567")},
		"parts make a whole": {
			part("0-5", "0-5/10", "012345"), part("5-9", "5-9/10", "56789"), {want: "200\n!Content-Range\n\n0123456789"}},
		"a part can be the whole": {part("0-", "0-9/10", "0123456789"), {want: "200\n!Content-Range\n\n0123456789"}, from("8-", "8-9/10", "89")},
		"a part is no whole": {
			part("2-5", "2-5/10", "2345"), {give: "200\n" + fields + "\n\n0123456789", want: "200\n\n0123456789"}},
		"parts of something new do not join": {
			part("0-5", "0-5/10", "012345"),
			{do: get("5-9"), give: "206\nCache-Control: max-age=60\nETag: \"2\"\nContent-Range: bytes 5-9/10\n\nVWXYZ", want: "206"},
			{do: get("0-9"), give: "206\n" + fields + "\nContent-Range: bytes 0-9/10\n\n0123456789", want: "206\n\n0123456789"}},
		"nor do parts of another length": {
			part("0-5", "0-5/10", "012345"), part("6-9", "6-9/12", "6789"), part("0-9", "0-9/12", "0123456789")},
		"nor parts beyond the length": {
			part("0-5", "0-5/8", "012345"), part("6-9", "6-9/*", "6789"), part("0-5", "0-5/8", "012345")},
		"a part of unknown length joins one of a known": {
			part("2-5", "2-5/10", "2345"), part("6-7", "6-7/*", "67"), from("2-7", "2-7/10", "234567")},
		"weak tags do not join parts": {
			{do: get("0-5"), give: "206\nCache-Control: max-age=60\nETag: W/\"1\"\nContent-Range: bytes 0-5/10\n\n012345"},
			{do: get("6-9"), give: "206\nCache-Control: max-age=60\nETag: W/\"1\"\nContent-Range: bytes 6-9/10\n\n6789"},
			{do: get("0-9"), give: "200\n\nx", want: "200\n\nx"}},
		"nor do tags that are none": {
			{do: get("0-5"), give: "206\nCache-Control: max-age=60\nETag: w/\"1\"\nContent-Range: bytes 0-5/10\n\n012345"},
			{do: get("6-9"), give: "206\nCache-Control: max-age=60\nETag: w/\"1\"\nContent-Range: bytes 6-9/10\n\n6789"},
			{do: get("0-9"), give: "200\n\nx", want: "200\n\nx"}},
		"the rest is fetched": {
			part("0-5", "0-5/10", "012345"),
			{give: "206\n" + fields + "\nB: 2\nContent-Range: bytes 6-9/10\n\n6789",
				sent: "Range: bytes=6-\nIf-Range: \"1\"", want: "200\nB: 2\n!Content-Range\n\n0123456789"},
			{want: "200\nB: 2\n\n0123456789"}},
		"the rest of something new is the whole": {
			part("0-5", "0-5/10", "012345"), {give: "200\n\nnew", want: "200\n\nnew"}},
		"the rest comes in another coding": {
			part("0-5", "0-5/10", "012345"),
			{give: "206\n" + fields + "\nContent-Encoding: gzip\nContent-Range: bytes 6-9/10\n\n6789", want: "206"},
			{give: "200\n\nnew", sent: "!Range", want: "200\n\nnew"}},
		"the rest is refused": {
			part("0-5", "0-5/10", "012345"),
			{give: "416\nContent-Range: bytes */3", want: "416"},
			{give: "200\n\nnew", sent: "!Range", want: "200\n\nnew"}},
		"a rest that does not fit is asked for whole": {
			part("0-5", "0-5/10", "012345"),
			{give: "206\n" + fields + "\nContent-Range: bytes 7-9/10\n\n789", want: "206"}},
		"a part that contradicts itself answers only the same": {
			{do: get("-5"), give: "206\n" + fields + "\nContent-Range: bytes 4-9/10\n\n01234"},
			{do: get("-5"), want: "206\nContent-Range: bytes 4-9/10\n\n01234"},
			{do: get("5-6"), give: "200\n\nx", want: "200\n\nx"}},
		"a 206 updates what it is part of": {whole,
			{after: hour, do: get("0-1"), give: "206\n" + fields + "\nContent-Range: bytes 0-1/10\n\n01", want: "206\n\n01"},
			from("0-1", "0-1/10", "01")},
	})
}

// RFC 9110 §9.3.2, RFC 9111 §4.3.5: HEAD.
func TestHead(t *testing.T) {
	first := given("Cache-Control: max-age=60\nETag: \"1\"\nContent-Length: 1")
	play(t, shared, map[string][]step{
		"from a stored GET": {first, {do: "HEAD /", want: "200\nContent-Length: 1\n\n"}},
		"without a validator it may speak of something else": {given("Cache-Control: max-age=60"),
			{after: hour, do: "HEAD /", give: "200\nCache-Control: max-age=60\nContent-Type: b", want: "200"}, miss},
		"is not stored": {{do: "HEAD /", give: "200\nCache-Control: max-age=60", want: "200"}, miss},
		"is written through when stale, and freshens": {first,
			{after: hour, do: "HEAD /", give: "200\nCache-Control: max-age=60\nETag: \"1\"\nContent-Length: 1\nB: 2", sent: "!If-None-Match", want: "200"},
			{want: "200\nB: 2\n\na"}},
		"another length drops what is stored": {first,
			{after: hour, do: "HEAD /", give: "200\nCache-Control: max-age=60\nContent-Length: 2", want: "200"}, miss},
		"another tag drops what is stored": {first,
			{after: hour, do: "HEAD /", give: "200\nETag: \"2\"", want: "200"},
			{give: "200\n\nb", sent: "!If-None-Match", want: "200\n\nb"}},
		"an error changes nothing": {first,
			{after: hour, do: "HEAD /", give: "410", want: "410"},
			{give: "304", sent: "If-None-Match: \"1\"", want: "200\n\na"}},
	})
}

// RFC 9111 §4.4: invalidation.
func TestInvalidation(t *testing.T) {
	first := given("Cache-Control: max-age=600")
	at := func(uri string) step { return step{do: "GET " + uri, give: "200\nCache-Control: max-age=600\n\na"} }
	post := func(give string) step { return step{do: "POST /\n\nx", give: give} }
	gone := func(uri string) step { return step{do: "GET " + uri, give: "200\n\nb", want: "200\n\nb"} }
	kept := func(uri string) step { return step{do: "GET " + uri, want: "200\n\na"} }
	table := map[string][]step{
		"a redirect counts as success": {first, post("303\nLocation: /x"), gone("/")},
		"Location":                     {at("/x?1"), post("201\nLocation: /x?1"), gone("/x?1")},
		"Location in full":             {at("/x"), post("201\nLocation: HTTP://ORIGIN.example:80/x"), gone("/x")},
		"Content-Location":             {at("/x"), post("200\nContent-Location: x"), gone("/x")},
		"not on another host": {at("http://other.example/x"),
			post("201\nLocation: http://other.example/x"), kept("http://other.example/x")},
		"not on another port": {at("http://origin.example:81/x"),
			post("201\nLocation: http://origin.example:81/x"), kept("http://origin.example:81/x")},
		"not by another URL":       {at("/x"), post("200\n\nok"), kept("/x")},
		"not after an error":       {first, post("500\n\nno"), kept("/")},
		"not after a client error": {first, post("404\nLocation: /\n\nno"), kept("/")},
		"in every partition": {
			{site: "a", give: "200\nCache-Control: max-age=600\n\na"}, post("200\n\nok"),
			{site: "a", give: "200\n\nb", want: "200\n\nb"}},
		"all variants": {
			{do: "GET /\nFoo: 1", give: "200\nCache-Control: max-age=600\nVary: Foo\n\na"}, post("200\n\nok"),
			{do: "GET /\nFoo: 1", give: "200\n\nb", want: "200\n\nb"}},
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "UNHEARD-OF"} {
		table[method] = []step{first, {do: method + " /\n\nx", give: "204"}, gone("/")}
	}
	for _, method := range []string{"OPTIONS", "PROPFIND", "TRACE"} {
		table[method] = []step{first, {do: method + " /", give: "200"}, kept("/")}
	}
	play(t, shared, table)
}

// RFC 9111 §2: the key.
func TestKey(t *testing.T) {
	first := step{do: "GET http://a.example/x?q=1", give: "200\nCache-Control: max-age=60\n\na"}
	same := func(uri string) []step { return []step{first, {do: "GET " + uri, want: "200\n\na"}} }
	other := func(uri string) []step { return []step{first, {do: "GET " + uri, give: "200\n\nb", want: "200\n\nb"}} }
	play(t, shared, map[string][]step{
		"same":           same("http://a.example/x?q=1"),
		"host's case":    same("http://A.EXAMPLE/x?q=1"),
		"default port":   same("http://a.example:80/x?q=1"),
		"query":          other("http://a.example/x?q=2"),
		"no query":       other("http://a.example/x"),
		"path's case":    other("http://a.example/X?q=1"),
		"scheme":         other("https://a.example/x?q=1"),
		"port":           other("http://a.example:81/x?q=1"),
		"another site":   {first, {site: "b", do: "GET http://a.example/x?q=1", give: "200\n\nb", want: "200\n\nb"}},
		"part of a page": {first, {part: true, do: "GET http://a.example/x?q=1", give: "200\n\nb", want: "200\n\nb"}},
		"another client": {first, {as: "b", do: "GET http://a.example/x?q=1", want: "200\n\na"}},
		"default port of https": {
			{do: "GET https://a.example:443/x", give: "200\nCache-Control: max-age=60\n\na"},
			{do: "GET https://a.example/x", want: "200\n\na"},
		},
		"an escape beside what browsers leave bare": {
			{do: "GET /a|b%2Fc", give: "200\nCache-Control: max-age=60\n\na"},
			{do: "GET /a|b/c", give: "200\nCache-Control: max-age=60\n\nb", want: "200\n\nb"},
			{do: "GET /a%7Cb/c", give: "200\nCache-Control: max-age=60\n\nc", want: "200\n\nc"},
			{do: "GET /a|b%2Fc", want: "200\n\na"},
			{do: "PUT /a|b%2Fc\n\nx", give: "204"},
			{do: "GET /a|b/c", want: "200\n\nb"}},
	})
}

// RFC 9110 §15.3.7.2: several ranges of a stored response come as a multipart.
func TestSeveralRanges(t *testing.T) {
	for name, o := range map[string]Options{"shared": {Sharing: Shared}, "disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, o)
			s.run(step{as: "a", give: "200\nCache-Control: max-age=60\nContent-Type: text/x\nETag: \"1\"\n\n0123456789"})
			resp, body := s.step(2, step{as: "a", do: "GET /\nRange: bytes=0-1, 4-5,-2", want: "206\n!Content-Range"})
			kind, parameters, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
			if err != nil || kind != "multipart/byteranges" {
				t.Fatalf("Content-Type %q: %v", resp.Header.Get("Content-Type"), err)
			}
			parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
			for _, want := range [][2]string{{"bytes 0-1/10", "01"}, {"bytes 4-5/10", "45"}, {"bytes 8-9/10", "89"}} {
				p, err := parts.NextPart()
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(p)
				if err != nil || string(text) != want[1] || p.Header.Get("Content-Range") != want[0] || p.Header.Get("Content-Type") != "text/x" {
					t.Errorf("part %v %q, %v; want %v", p.Header, text, err, want)
				}
			}
			if _, err := parts.NextPart(); err != io.EOF {
				t.Errorf("after the parts: %v", err)
			}
			// The stored response has not become one of parts.
			s.run(step{as: "a", want: "200\nContent-Type: text/x\n\n0123456789"})
		})
	}
}

// In the modes with validators of the cache's own no form of request for a
// representation carries the client's to the origin, where they could be its name.
func TestNoFormCarriesValidators(t *testing.T) {
	for name, o := range map[string]Options{"disguised": disguised, "per client": apart} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, o)
			resp, _ := s.step(0, step{as: "a", give: "200\nCache-Control: no-store\nETag: \"origin\"\n\n0123456789"})
			mine := "\nIf-None-Match: " + resp.Header.Get("ETag") + "\nIf-Modified-Since: @0s\nIf-Range: " + resp.Header.Get("ETag")
			for _, form := range []string{"GET /", "HEAD /", "GET /\nRange: bytes=0-1", "GET /\nRange: bytes=0-1,4-5", "GET /\nRange: lines=1-2",
				"GET /\nRange: bytes=5-4", "GET /\nCache-Control: no-store", "GET /\nCache-Control: no-cache", "GET /\nIf-Unmodified-Since: @0s",
				"GET /\nUpgrade: websocket\nConnection: Upgrade"} {
				s.run(step{as: "a", do: form + mine, give: "200\nCache-Control: no-store\nETag: \"other\"\n\n0123456789",
					sent: "!If-None-Match\n!If-Modified-Since\n!If-Range", want: "200"})
			}
			// A range that nobody here understands is asked for only without its condition.
			for _, odd := range []string{"lines=1-2", "bytes=5-4", "bytes=" + strings.Repeat("0-0,", maxRanges) + "0-0", "bytes=0-1\nRange: bytes=4-5"} {
				s.run(step{as: "a", do: "GET /\nRange: " + odd + mine, give: "200\nCache-Control: no-store\n\n0123456789", sent: "!Range\n!If-Range", want: "200"})
			}
		})
	}
}

// TestWeakTagsStayWeak where the client sees another: by If-Range or for parts of it, a
// strong one would promise the same bytes (RFC 9110 §8.8.1).
func TestWeakTagsStayWeak(t *testing.T) {
	for tag, weak := range map[string]bool{`"1"`: false, `W/"1"`: true} {
		s := newScene(t, disguised)
		resp, _ := s.step(1, step{as: "a", give: "200\nCache-Control: max-age=60\nETag: " + tag + "\n\na", want: "200"})
		if got := resp.Header.Get("ETag"); got == tag || strings.HasPrefix(got, "W/") != weak {
			t.Errorf("%s becomes %s", tag, got)
		}
	}
}

// A part that freshens the whole says no more about caching than it says (RFC 9111 §3.4).
func TestPartKeepsWhatTheWholeSaid(t *testing.T) {
	const stored = "Cache-Control: max-age=60, must-revalidate\nETag: \"1\""
	part := step{do: "GET /\nRange: bytes=0-0\nCache-Control: no-cache",
		give: "206\nETag: \"1\"\nContent-Range: bytes 0-0/1\n\na", want: "206\n\na"}
	play(t, shared, map[string][]step{
		"its lifetime":   {given(stored), part, again},
		"its strictness": {given(stored), part, {after: hour, do: "GET /\nCache-Control: max-stale", give: "304", want: "200\n\na"}},
		"unless it does": {given(stored), {do: part.do, give: "206\nCache-Control: max-age=0\nETag: \"1\"\nContent-Range: bytes 0-0/1\n\na"},
			{do: "GET /", give: "304", want: "200\n\na"}},
	})
}

// TestDatesHaveThreeForms (RFC 9110 §5.6.7), in any case, and nothing that looks alike is one.
func TestDatesHaveThreeForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]string{
		"Sun, 06 Nov 1994 08:49:37 GMT": "1994-11-06T08:49:37Z", " sun, 06 NOV 1994 08:49:37 gmt\t": "1994-11-06T08:49:37Z", "Sun Nov  6 08:49:37 1994": "1994-11-06T08:49:37Z",
		"Sunday, 06-Nov-94 08:49:37 GMT": "1994-11-06T08:49:37Z", "Friday, 06-Nov-76 08:49:37 GMT": "2076-11-06T08:49:37Z", "Saturday, 06-Nov-77 08:49:37 GMT": "1977-11-06T08:49:37Z",
		"Sat, 31 Dec 2016 23:59:60 GMT": "2017-01-01T00:00:00Z", "Fri, 31 Apr 1994 08:49:60 GMT": "",
		"Sun, 06 Nov 1994 24:49:37 GMT": "", "Sun, 06 Nov 1994 08:60:37 GMT": "", "Sun, 00 Nov 1994 08:49:37 GMT": "", "Sun, 32 Nov 1994 08:49:37 GMT": "",
		"Sun, 06 Nov 1994 08:49:3/ GMT": "", "Sun, 06 Nov 1994 08:49:3: GMT": "", "Sun, 06 Nov 1994 08:49:37 UTC": "", "Sun, 6 Nov 1994 08:49:37 GMT": "", "0": "", "": "",
	} {
		got, ok := parseDate(text, now)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %t, want %q", text, got, ok, want)
		}
	}
}

// TestContentRangesAreOfBytes (RFC 9110 §14.4), and none contradicts itself.
func TestContentRangesAreOfBytes(t *testing.T) {
	for field, want := range map[string]bool{
		"bytes 0-4/10": true, "BYTES 0-4/*": true, "bytes 9-9/10": true, "pages 0-4/10": false, "bytes */10": false,
		"bytes 5-4/10": false, "bytes 0-10/10": false, "bytes=0-4/10": false, "bytes 0-4": false, "bytes -4/10": false, "": false,
	} {
		if got, ok := parseContentRange(field); ok != want {
			t.Errorf("%q is %+v, %t", field, got, ok)
		}
	}
}
