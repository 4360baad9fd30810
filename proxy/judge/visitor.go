package judge

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// A Verdict says what a field tells a site about its visitor.
type Verdict string

// The verdicts on a field.
const (
	Identifying Verdict = "identifying" // it sets this visitor apart, or names them
	Common      Verdict = "common"      // very many visitors send the same
	Missing     Verdict = "missing"     // nearly every browser sends it, this one did not
)

// A Visit is what a site sees of one request, in the form of /json.
type Visit struct {
	Grade   Grade          `json:"grade"`
	Address string         `json:"address"` // whoever connected, without the port
	Line    string         `json:"line"`    // the request line
	Fields  []JudgedField  `json:"fields"`  // in the order and case in which they came
	Count   map[string]int `json:"count"`   // fields for each verdict
}

// A JudgedField is a field and what it tells.
type JudgedField struct {
	Field
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"`
}

//go:embed page.html
var pageFile embed.FS

var page = template.Must(template.ParseFS(pageFile, "page.html"))

// visit answers somebody who came to look.
func visit(req *http.Request, s Seen) reply {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return text(http.StatusMethodNotAllowed, "this origin only answers GET\n").with("Allow", "GET, HEAD")
	}
	v := judgeVisit(s)
	switch _, resource := splitTarget(req.RequestURI); resource {
	case "":
		var b bytes.Buffer
		if err := page.Execute(&b, v); err != nil {
			return text(http.StatusInternalServerError, "the page cannot be shown\n")
		}
		return reply{status: http.StatusOK, body: b.Bytes()}.with("Content-Type", "text/html; charset=utf-8").
			with("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'").
			with("Referrer-Policy", "no-referrer").with("X-Content-Type-Options", "nosniff")
	case "json":
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return text(http.StatusInternalServerError, "the visit cannot be told\n")
		}
		return reply{status: http.StatusOK, body: append(b, '\n')}.with("Content-Type", "application/json")
	default:
		return text(http.StatusNotFound, "this origin has / and /json\n")
	}
}

// expected are the fields that nearly every browser sends with a document.
var expected = []string{"Host", "User-Agent", "Accept", "Accept-Language", "Accept-Encoding", "Connection"}

// judgeVisit says what one request shows. It cannot know whether the
// address is the visitor's own or a proxy's.
func judgeVisit(s Seen) Visit {
	v := Visit{Address: s.Remote.Addr().String(), Line: s.Head.Line, Count: map[string]int{}, Grade: Elite}
	for _, f := range s.Head.Fields {
		verdict, why, class := judgeField(f, s.Head.Get("Host"))
		v.Fields = append(v.Fields, JudgedField{f, verdict, why})
		switch {
		case class == Route:
			v.Grade = Transparent
		case verdict == Identifying && v.Grade == Elite:
			v.Grade = Anonymous
		}
	}
	for _, name := range expected {
		if !s.Head.Has(name) {
			v.Fields = append(v.Fields, JudgedField{Field{Name: name}, Missing, "nearly every browser sends this"})
		}
	}
	for _, f := range v.Fields {
		v.Count[string(f.Verdict)]++
	}
	return v
}

// judgeField says what one field tells a site that is reached as host.
func judgeField(f Field, host string) (Verdict, string, Class) {
	switch class := classOf(f.Name); class {
	case Route:
		return Identifying, "says where a request came from", Route
	case Identity:
		return Identifying, "tells one visitor from all others", Identity
	case Visible:
		return Identifying, "shows that a proxy was used", Visible
	}
	name := fold(f.Name)
	if usual, known := habits[name]; known {
		if usual.common(f.Value, host) {
			return Common, usual.why, 0
		}
		return Identifying, usual.otherwise, Identity
	}
	if holdsAddress(f.Value) {
		return Identifying, "holds a network address", Route
	}
	if strings.HasPrefix(name, "sec-ch-") {
		return Identifying, "describes the device", Identity
	}
	return Identifying, "few browsers send this", Identity
}

// A habit says when a field is common, and what it tells otherwise.
type habit struct {
	common         func(value, host string) bool
	why, otherwise string
}

func oneOf(values ...string) func(string, string) bool {
	return func(v, _ string) bool { return slices.Contains(values, strings.ToLower(v)) }
}

func like(pattern string) func(string, string) bool {
	re := regexp.MustCompile("^(?:" + pattern + ")$")
	return func(v, _ string) bool { return re.MatchString(v) }
}

func always(string, string) bool { return true }
func never(string, string) bool  { return false }

// habits is what browsers send, by folded name.
var habits = map[string]habit{
	"host":       {always, "the site itself", ""},
	"connection": {oneOf("keep-alive", "close"), "every browser sends this", "names something unusual"},
	"user-agent": {like(`Mozilla/5\.0 \((Windows NT 10\.0; Win64; x64|X11; Linux x86_64|Macintosh; Intel Mac OS X 10\.15|Android \d+; Mobile); rv:\d+\.0\) Gecko/(20100101|\d+\.0) Firefox/\d+\.0|` +
		`Mozilla/5\.0 \((Windows NT 10\.0; Win64; x64|X11; Linux x86_64|Macintosh; Intel Mac OS X 10_15_7|Linux; Android 10; K)\) AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/\d+\.0\.0\.0( Mobile)? Safari/537\.36( Edg/\d+\.0\.0\.0)?|` +
		`Mozilla/5\.0 \((Macintosh; Intel Mac OS X 10_15_7|iPhone; CPU iPhone OS [\d_]+ like Mac OS X)\) AppleWebKit/605\.1\.15 \(KHTML, like Gecko\) Version/[\d.]+( Mobile/15E148)? Safari/(605\.1\.15|604\.1)`),
		"a browser as many others", "names a rare browser or a device"},
	"accept":                    {acceptIsCommon, "as browsers send it", "not as a browser sends it"},
	"accept-language":           {like(`en-US,en;q=0\.[59]`), "the most common language", "tells the language, often the country"},
	"accept-encoding":           {oneOf("gzip, deflate", "gzip, deflate, br", "gzip, deflate, br, zstd", "identity"), "as browsers send it", "not as a browser sends it"},
	"upgrade-insecure-requests": {oneOf("1"), "every browser sends this", "not as a browser sends it"},
	"sec-fetch-site":            {oneOf("none", "same-origin", "same-site", "cross-site"), "how the page was reached", "not as a browser sends it"},
	"sec-fetch-mode":            {oneOf("navigate", "no-cors", "cors", "same-origin"), "how the page was reached", "not as a browser sends it"},
	"sec-fetch-dest":            {oneOf("document", "iframe", "empty"), "how the page was reached", "not as a browser sends it"},
	"sec-fetch-user":            {oneOf("?1"), "how the page was reached", "not as a browser sends it"},
	"sec-ch-ua":                 {like(`("[^"]{1,32}";v="\d+"(, )?){2,4}`), "names the browser, as User-Agent does", "names a rare browser"},
	"sec-ch-ua-mobile":          {oneOf("?0", "?1"), "phone or not", "not as a browser sends it"},
	"sec-ch-ua-platform":        {oneOf(`"windows"`, `"macos"`, `"linux"`, `"android"`, `"chrome os"`, `"chromium os"`), "names the system", "names a rare system"},
	"dnt":                       {oneOf("1"), "many visitors send this", "few visitors send this"},
	"sec-gpc":                   {oneOf("1"), "many visitors send this", "not as a browser sends it"},
	"priority":                  {like(`u=[0-7](, i)?`), "as browsers send it", "not as a browser sends it"},
	"cache-control":             {oneOf("max-age=0", "no-cache"), "the page was reloaded", "not as a browser sends it"},
	"pragma":                    {oneOf("no-cache"), "the page was reloaded", "not as a browser sends it"},
	"te":                        {oneOf("trailers"), "as browsers send it", "not as a browser sends it"},
	"referer":                   {func(v, host string) bool { return v == "http://"+host+"/" || v == "https://"+host+"/" }, "no more than this site", "tells what was read before"},
	"cookie":                    {never, "", "recognises a visitor who was here before"},
	"if-none-match":             {never, "", "recognises a visitor who was here before"},
	"if-modified-since":         {never, "", "recognises a visitor who was here before"},
	"save-data":                 {never, "", "tells about the visitor's connection"},
	"authorization":             {never, "", "names an account"},
}

// acceptIsCommon reports whether a browser of the table would send every
// media range of v. Which of them come together changes with each version.
func acceptIsCommon(v, _ string) bool {
	for member := range strings.SplitSeq(v, ",") {
		if !commonRanges[strings.TrimSpace(member)] {
			return false
		}
	}
	return true
}

var commonRanges = func() map[string]bool {
	all := map[string]bool{}
	for _, b := range browsers {
		for _, accept := range b.accept {
			for member := range strings.SplitSeq(accept, ",") {
				all[member] = true
			}
		}
	}
	return all
}()

// holdsAddress reports whether a value has an IP address among its words.
func holdsAddress(value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ,;=\"'[]()<>", r) }) {
		if addr, err := netip.ParseAddr(word); err == nil && (addr.Is4() || len(word) > 4) {
			return true
		}
		if _, err := netip.ParseAddrPort(word); err == nil {
			return true
		}
	}
	return false
}
