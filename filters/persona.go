package filters

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
)

//go:embed personas/*.json
var personaFiles embed.FS

// A personaFile is one file under personas: what one browser sends.
type personaFile struct {
	Browser  string `json:"browser"`
	Platform string `json:"platform"`
	Taken    string `json:"taken"`  // date, YYYY-MM-DD
	Source   string `json:"source"` // where the values come from

	// Of several fields of one name that apply to a request, the last holds.
	Fields []personaField `json:"fields"`

	// FetchMetadata says how the browser sends Sec-Fetch fields; nil passes
	// the client's.
	FetchMetadata *struct {
		Except        []string `json:"except"`        // kinds without any
		StorageAccess bool     `json:"storageAccess"` // sends Sec-Fetch-Storage-Access
	} `json:"fetchMetadata"`

	// OwnOrigin lists kinds whose requests to their own origin carry Origin,
	// although the Fetch standard asks for none.
	OwnOrigin []string `json:"ownOrigin"`

	// HTTP2 is what the browser's HTTP/2 connections begin with; without, they begin
	// as guise's own do.
	HTTP2 HTTP2 `json:"http2"`

	// Order lists the fields of HTTP/1.1 requests, by kind and in the
	// browser's case. "*" stands for those that scripts add.
	Order []struct {
		Kinds  []string `json:"kinds"`
		Wish   bool     `json:"wish"` // of those alone that a script wrote an Accept for
		Fields []string `json:"fields"`
	} `json:"order"`
}

// A personaField is sent with every request of its kinds and scheme.
type personaField struct {
	Name   string   `json:"name"`
	Value  string   `json:"value"`  // {language} stands for the language list
	Kinds  []string `json:"kinds"`  // none means all
	Except []string `json:"except"` // kinds without it
	Scheme string   `json:"scheme"` // "" means both
	Range  bool     `json:"range"`  // only with requests for a range
	HTTP2  bool     `json:"http2"`  // only over HTTP/2, and only where the request has none
}

// An HTTP2 is what tells one browser's HTTP/2 from another's before any field does
// (Akamai, "Passive Fingerprinting of HTTP/2 Clients", 2017).
type HTTP2 struct {
	Settings  [][2]uint32 `json:"settings"`  // numbers and values, in the browser's order
	Window    uint32      `json:"window"`    // by which it widens the connection's
	First     uint32      `json:"first"`     // number of its first stream; 0 means 1
	Weights   []int       `json:"weights"`   // of a stream (RFC 7540 §5.3.2), by the urgency in its Priority, 0 to 7; nil for none
	Exclusive bool        `json:"exclusive"` // a stream depends exclusively on another that is as urgent
}

// personaOnly are the fields of which no client's value ever passes: those that a persona does
// not send are removed.
var personaOnly = []string{
	"User-Agent", "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language",
	"Connection", "Dnt", "Priority", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform",
	"Sec-Gpc", "Upgrade-Insecure-Requests", "Save-Data",
}

// Personas names the personas that [New] knows. With "off" the client's own
// User-Agent, Accept fields, Sec-Fetch fields, DNT, Sec-GPC and Priority pass
// and tell the origin which browser this is; every other rule holds, so client
// hints and whatever names a device, a person or a route still go.
func Personas() []string {
	files, err := fs.Glob(personaFiles, "personas/*.json")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, "personas/"), ".json")
	}
	return files
}

// A persona makes all visitors send the same bytes.
type persona struct {
	sheets   [kindCount]sheets
	orders   [kindCount]fieldOrder
	wish     fieldOrder // of a Fetch that a script wrote an Accept for
	identity bool       // false for the persona that changes nothing
	http2    HTTP2

	fetchMetadata [kindCount]bool // which kinds carry Sec-Fetch fields
	storageAccess bool
	ownOrigin     [kindCount]bool
}

// A sheets holds the fields for plain http and https, without and with Range.
type sheets [2][2]sheet

// A sheet lists what is sent, one value a name, and which other names are
// not.
type sheet struct {
	names, values []string // the names are canonical
	absent        []string
}

func (s sheet) value(name string) string {
	if i := slices.Index(s.names, name); i >= 0 {
		return s.values[i]
	}
	return ""
}

// loadPersona reads the persona called name, for visitors that prefer
// language.
func loadPersona(name, language string) (*persona, error) {
	if !slices.Contains(Personas(), name) {
		return nil, fmt.Errorf("persona %q does not exist; there are %s", name, strings.Join(Personas(), ", "))
	}
	list, err := acceptLanguage(language)
	if err != nil {
		return nil, err
	}
	text, err := personaFiles.ReadFile("personas/" + name + ".json")
	if err != nil {
		return nil, err
	}
	var file personaFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("persona %s: %w", name, err)
	}
	p := &persona{identity: len(file.Fields) > 0, http2: file.HTTP2}
	for k := range kinds {
		for _, order := range file.Order {
			if !slices.Contains(order.Kinds, kinds[k].name) {
				continue
			}
			list := newFieldOrder(slices.Concat(order.Fields, file.overHTTP2(kinds[k].name)))
			if !order.Wish {
				p.orders[k] = list
			}
			if Kind(k) == Fetch {
				p.wish = list // if no order is for these alone, the others' is
			}
		}
		for i, scheme := range []string{"http", "https"} {
			p.sheets[k][i][0] = file.sheet(kinds[k].name, scheme, false, list)
			p.sheets[k][i][1] = file.sheet(kinds[k].name, scheme, true, list)
		}
		p.ownOrigin[k] = slices.Contains(file.OwnOrigin, kinds[k].name)
		if m := file.FetchMetadata; m != nil {
			p.fetchMetadata[k] = !slices.Contains(m.Except, kinds[k].name)
			p.storageAccess = m.StorageAccess
		}
	}
	return p, nil
}

// isOf reports whether requests of a kind have the field.
func (f personaField) isOf(kind string) bool {
	return (len(f.Kinds) == 0 || slices.Contains(f.Kinds, kind)) && !slices.Contains(f.Except, kind)
}

// overHTTP2 returns the fields that requests of a kind have over HTTP/2 alone, for
// the end of their order: whether it will be that, only the wire knows.
func (f *personaFile) overHTTP2(kind string) (lines []string) {
	for _, field := range f.Fields {
		if field.HTTP2 && field.isOf(kind) {
			lines = append(lines, field.Name+": "+field.Value)
		}
	}
	return lines
}

func (f *personaFile) sheet(kind, scheme string, ranged bool, language string) sheet {
	var s sheet
	for _, field := range f.Fields {
		if field.HTTP2 || !field.isOf(kind) || field.Scheme != "" && field.Scheme != scheme || field.Range && !ranged {
			continue
		}
		name := http.CanonicalHeaderKey(field.Name)
		value := strings.ReplaceAll(field.Value, "{language}", language)
		if i := slices.Index(s.names, name); i >= 0 {
			s.values[i] = value
			continue
		}
		s.names = append(s.names, name)
		s.values = append(s.values, value)
	}
	for _, name := range personaOnly {
		if !slices.Contains(s.names, name) {
			s.absent = append(s.absent, name)
		}
	}
	return s
}

// acceptLanguage returns the list that both browsers send when set to tag:
// the language, then without its region, then English, each 0.1 less wanted.
func acceptLanguage(tag string) (string, error) {
	base, _, _ := strings.Cut(tag, "-")
	valid := len(base) == 2 || len(base) == 3
	for subtag := range strings.SplitSeq(tag, "-") {
		valid = valid && len(subtag) > 0 && len(subtag) <= 8 && madeOf(strings.ToLower(subtag), smallLetters+decimalDigits)
	}
	if !valid {
		return "", fmt.Errorf("language %q is not a language tag such as en-US", tag)
	}
	tags := []string{tag}
	if base != tag {
		tags = append(tags, base)
	}
	if base != "en" {
		tags = append(tags, "en-US", "en")
	}
	for i := range tags[1:] {
		tags[i+1] += fmt.Sprintf(";q=0.%d", 9-i)
	}
	return strings.Join(tags, ","), nil
}

// on returns the fields for m.
func (p *persona) on(m *Message) *sheet {
	return p.of(m.Visit.Kind.on(m.Request.URL.Scheme), m.Request)
}

// of returns the fields with which r would go if it were of kind k.
func (p *persona) of(k Kind, r *http.Request) *sheet {
	secure, ranged := 0, 0
	if r.URL.Scheme == "https" {
		secure = 1
	}
	if r.Header["Range"] != nil {
		ranged = 1
	}
	return &p.sheets[k][secure][ranged]
}

// Apply implements [Filter].
func (p *persona) Apply(m *Message, log []Change) []Change {
	if !p.identity {
		return log
	}
	s := p.on(m)
	h := m.Request.Header
	for _, name := range s.absent {
		log = put(h, name, "", whyPersona, log)
	}
	negotiated := m.Visit.Kind.on(m.Request.URL.Scheme) == Fetch
	if !negotiated || m.Visit.browser {
		// Firefox sends it on every HTTP/2 request, others on none; only
		// programs such as gRPC clients mean it.
		log = put(h, "Te", "", whyPersona, log)
	}
	var backing []string
	for i, name := range s.names {
		if name == "Accept" && negotiated {
			continue // negotiation did it
		}
		lines := h[name]
		if len(lines) == 1 && lines[0] == s.values[i] {
			continue
		}
		if backing == nil {
			backing = slices.Clone(s.values) // the message's own: others may edit it
		}
		did := Rewritten
		if len(lines) == 0 {
			did = Added
		}
		h[name] = backing[i : i+1 : i+1]
		log = append(log, Change{name, did, whyPersona})
	}
	return log
}

const whyPersona = "the persona's: the same for all visitors"

// order returns the order of the fields of a request of kind k with header h. Blink puts an
// Accept that a script wrote among the fields of its page, and its own behind them.
func (p *persona) order(k Kind, h http.Header) *fieldOrder {
	if k == Fetch && single(h["Accept"]) != "*/*" {
		return &p.wish
	}
	return &p.orders[k]
}

// A fieldOrder lists field names as a browser writes them.
type fieldOrder struct {
	listed []string
	star   int             // where fields that are not listed go
	known  map[string]bool // listed, in canonical form
}

func newFieldOrder(names []string) fieldOrder {
	star := slices.Index(names, "*")
	o := fieldOrder{listed: slices.Delete(names, star, star+1), star: star, known: map[string]bool{}}
	for _, name := range o.listed {
		o.known[http.CanonicalHeaderKey(name)] = true
	}
	return o
}

// of returns the order for a request with header h: the listed names, and the
// others in h sorted, so that nothing depends on the client's order. The
// caller must not change the slice.
func (o *fieldOrder) of(h http.Header) []string {
	var others []string
	for name := range h {
		if !o.known[name] {
			others = append(others, name)
		}
	}
	if others == nil {
		return o.listed
	}
	slices.Sort(others)
	return slices.Concat(o.listed[:o.star], others, o.listed[o.star:])
}
