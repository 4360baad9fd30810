package judge

import "strings"

// A visitor is one person's browser: a family, and what sets this one
// apart from others of the family.
type visitor struct {
	browser  *browser
	agent    int // index into the family's agents
	language string
	quirks   quirk
}

// A quirk is something that some people's browsers do and others' do not.
type quirk uint16

const (
	noMetadata  quirk = 1 << iota // no Sec-Fetch fields over plain HTTP; over https all send them since Safari 16.4
	asksPrivacy                   // DNT and Sec-GPC
	savesData                     // Save-Data
	toProxy                       // Proxy-Connection instead of Connection
	smallNames                    // field names in lower case
	split                         // Accept and Accept-Language on two lines each
	inAnApp                       // a web view that names its app
	urgent                        // a Priority of its own
	spaced                        // white space around values
)

// visitors returns n visitors, no two of whom are alike.
func visitors(n int) []visitor {
	quirks := []quirk{0, noMetadata, asksPrivacy, toProxy | savesData, noMetadata | smallNames, split, inAnApp, urgent | spaced,
		toProxy, asksPrivacy | noMetadata, smallNames}
	out := make([]visitor, n)
	for i := range out {
		b := &browsers[i%len(browsers)]
		out[i] = visitor{b, i / len(browsers) % len(b.agents), languages[i%len(languages)], quirks[i%len(quirks)]}
	}
	return out
}

// fields returns what v's browser sends to ask host for something of kind
// k on a page of the same site, under scheme.
func (v visitor) fields(k kind, scheme, host string) []Field {
	b := v.browser
	values := map[string]string{
		"Host": host, "User-Agent": b.agents[v.agent], "Accept": b.accept[k], "Accept-Encoding": b.encoding,
		"Accept-Language": b.language(v.language), "Connection": "keep-alive",
	}
	v.addMetadata(values, k, scheme)
	if b.brands != nil {
		values["sec-ch-ua"], values["sec-ch-ua-mobile"], values["sec-ch-ua-platform"] = b.brands[v.agent], "?0", `"Windows"`
		if strings.Contains(b.agents[v.agent], "Mobile") {
			values["sec-ch-ua-mobile"], values["sec-ch-ua-platform"] = "?1", `"Android"`
		}
	}
	switch k {
	case aDocument:
		values["Upgrade-Insecure-Requests"] = "1"
	case aMedia:
		values["Range"], values["Accept-Encoding"] = "bytes=0-", "identity"
		if b.name == "Safari" {
			values["X-Playback-Session-Id"] = "2C6B1C0E-9D7B-4B6C-8E0B-5C1D1E7F4A21"
		}
	case aFont:
		// Chromium sends it even where the Fetch standard does not ask for
		// it. Other browsers' orders leave it out.
		values["Origin"] = scheme + "://" + host
	}
	if k != aDocument {
		values["Referer"] = scheme + "://" + host + "/articles/" + strings.ToLower(v.language) + "?page=3"
	}
	v.addQuirks(values)
	order := b.order
	if k != aDocument && b.parts != nil {
		order = b.parts
	}
	return v.spell(order, values)
}

func (v visitor) addMetadata(values map[string]string, k kind, scheme string) {
	// Without it, media and fonts could not be told from what a script fetches.
	if v.quirks&noMetadata != 0 && scheme == "http" && k != aMedia && k != aFont {
		return
	}
	values["Sec-Fetch-Dest"], values["Sec-Fetch-Mode"] = fetchMetadata[k][0], fetchMetadata[k][1]
	values["Sec-Fetch-Site"] = "same-origin"
	if k == aDocument {
		values["Sec-Fetch-Site"], values["Sec-Fetch-User"] = "none", "?1"
	}
}

func (v visitor) addQuirks(values map[string]string) {
	for _, q := range []struct {
		when        quirk
		name, value string
	}{
		{asksPrivacy, "DNT", "1"}, {asksPrivacy, "Sec-GPC", "1"}, {savesData, "Save-Data", "on"},
		{inAnApp, "X-Requested-With", "com.example.reader"}, {urgent, "Priority", "u=1, i"},
	} {
		if v.quirks&q.when != 0 {
			values[q.name] = q.value
		}
	}
	if v.quirks&toProxy != 0 {
		delete(values, "Connection")
		values["Proxy-Connection"] = "keep-alive"
	}
}

// spell puts the fields into the given order and the visitor's form.
func (v visitor) spell(order []string, values map[string]string) []Field {
	var out []Field
	for _, name := range order {
		value, ok := values[name]
		if !ok {
			continue
		}
		if v.quirks&smallNames != 0 {
			name = strings.ToLower(name)
		}
		first, rest, more := strings.Cut(value, ",")
		switch {
		case v.quirks&split != 0 && more && strings.HasPrefix(name, "Accept"):
			out = append(out, Field{name, first}, Field{name, strings.TrimSpace(rest)})
		case v.quirks&spaced != 0 && strings.HasPrefix(name, "Accept"):
			out = append(out, Field{name, "\t" + strings.ReplaceAll(value, ",", " ,  ") + " "})
		default:
			out = append(out, Field{name, value})
		}
	}
	return out
}
