package filters

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestAcceptOfScripts(t *testing.T) {
	s := newSet(t, Options{})
	most := "application/vnd.a" + strings.Join(strings.Split("abcdefghijklmnop", ""), "+json, application/vnd.a") + "+json"
	for _, test := range []struct{ in, want string }{
		{most + ", text/html", most},
		{"", "*/*"},
		{"*/*", "*/*"},
		{"application/json", "application/json"},
		{"Application/JSON", "application/json"},
		{"application/json,text/plain,*/*", "application/json, text/plain, */*"},
		{"application/json ;q=0.90 , text/html;Q=0.8", "application/json;q=0.9, text/html;q=0.8"},
		{"application/json;q=1.000", "application/json"},
		{"application/json;q=0", "application/json;q=0"},
		{"application/json;q=0.12345", "application/json;q=0.12"},
		{"application/json;q=0.999", "application/json"},
		{"application/json;q=7", "application/json"},
		{"application/json,*/*;q=0.5", "application/json,*/*;q=0.5"}, // modules, of all browsers
		{"application/json, */*; q=0.50", "application/json,*/*;q=0.5"},
		{"application/json;q=-1", "application/json"},
		{"application/json;q=much", "application/json"},
		{"application/json;q=NaN", "application/json"},
		{"application/json, application/json", "application/json"},
		{"application/json;q=0.5, application/json;q=0.62, application/json;q=0.11", "application/json;q=0.5"},
		{"text/event-stream", "text/event-stream"},
		{"application/vnd.api+json;version=2", "application/vnd.api+json;version=2"},
		{"application/vnd.github.v3+json", "application/vnd.github.v3+json"},
		{"application/vnd.github.raw+json", "application/vnd.github.raw+json"},
		{"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.v2+json"},
		{"application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.index.v1+json"},
		{`application/ld+json; profile="https://www.w3.org/ns/activitystreams"`, `application/ld+json;profile="https://www.w3.org/ns/activitystreams"`},
		{`application/ld+json; profile="https://me.example/4711"`, "application/ld+json"},
		{"application/json;odata.metadata=Minimal;IEEE754Compatible=true", "application/json;odata.metadata=minimal;IEEE754Compatible=true"},
		{"application/json;ieee754COMPATIBLE=true;IEEE754Compatible=false;exponentialdecimals=true", "application/json;IEEE754Compatible=true;ExponentialDecimals=true"}, // SAP CAP
		{"application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/json;as=Table;v=v1;g=meta.k8s.io, application/json"},
		{"application/openmetrics-text;version=1.0.0;charset=UTF-8;q=0.5", "application/openmetrics-text;version=1.0.0;charset=utf-8;q=0.5"},
		{"application/mercurial-0.1", "application/mercurial-0.1"}, // by which hosts know a client of Mercurial
		{"application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.object+json;nulls=stripped"},
		{"application/x-git-upload-pack-result", "application/x-git-upload-pack-result"},
		{"application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}, // kubectl
		{"application/*+json;version=37.0", "application/*+json;version=37.0"},                                                       // vCloud Director
		{"application/atom+xml;profile=opds-catalog;kind=navigation", `application/atom+xml;profile="opds-catalog";kind=navigation`},
		{"application/dc+sd-jwt", "application/dc+sd-jwt"},
		{"application/vnd.linkedin.normalized+json+2.1", "application/vnd.linkedin.normalized+json+2.1"},
		{"application/json+canvas-string-ids, application/json", "application/json+canvas-string-ids, application/json"}, // Canvas' own pages
		{"application/json;format=camelcase", "application/json;format=camelcase"},                                       // Tumblr's
		{"application/x-tss-framed, application/x-ndjson", "application/x-tss-framed, application/x-ndjson"},             // TanStack Start
		{
			"application/json;api-version=7.2-preview.1;excludeUrls=true;enumsAsNumbers=true;msDateFormat=true;noArrayWrap=true",
			"application/json;api-version=7.2-preview.1;excludeUrls=true;enumsAsNumbers=true;msDateFormat=true;noArrayWrap=true",
		}, // Azure DevOps'
		{
			`application/vnd.com.amazon.api+json; type="collection(product/v2)/v1"; expand="buyingOptions[].price(product.price/v1)"`,
			`application/vnd.com.amazon.api+json;type="collection(product/v2)/v1";expand="buyingOptions[].price(product.price/v1)"`,
		},
		{`application/vnd.com.amazon.api+json; type="visitor/v4711"`, "application/vnd.com.amazon.api+json"},
		{`application/json; type="cart.add-items/v1"`, "application/json"},
		{`application/json; profile="CamelCase"`, `application/json;profile="CamelCase"`}, // Jellyfin
		{"application/json+sarif", "application/json+sarif"},                              // GitHub, code scanning
		{"image/x-portable-arbitrarymap", "image/x-portable-arbitrarymap"},                // Orthanc
		{"application/vnd.heroku+json; version=3.docker-releases", "application/vnd.heroku+json;version=3.docker-releases"},
		{"application/json;version=3.7f3a9c51", "application/json"},
		{"application/json;version=3.xkcdqwrtzp", "application/json"},
		{"application/vnd.sdmx.data+json;version=1.0.0-wd", "application/vnd.sdmx.data+json;version=1.0.0-wd"}, // data-api.ecb.europa.eu
		{"application/vnd.sdmx.data+csv;version=1.0.0;labels=both", "application/vnd.sdmx.data+csv;version=1.0.0;labels=both"},
		{"application/vnd.sdmx.structurespecificdata+xml;version=2.1", "application/vnd.sdmx.structurespecificdata+xml;version=2.1"},
		{"application/vnd.createasyncreportrequest.v3+json", "application/vnd.createasyncreportrequest.v3+json"}, // Amazon Ads
		{"application/vnd.neo4j.jolt+json-seq;strict=true", "application/vnd.neo4j.jolt+json-seq;strict=true"},
		{"application/dns-message", "application/dns-message"},
		{"text/x-component", "text/x-component"},
		{"image/webp", "image/webp"},
		{"application/vnd.docker.distribution.manifest.v1+prettyjws", "application/vnd.docker.distribution.manifest.v1+prettyjws"},
		{"application/did+ld+json", "application/did+ld+json"},
		{"application/vnd.elasticsearch+json; compatible-with=8", "application/vnd.elasticsearch+json;compatible-with=8"},
		{"application/json; api-version=2.0", "application/json;api-version=2.0"},
		{"text/x-bibliography; style=APA; locale=nb-NO", "text/x-bibliography;style=apa"},
		{"text/csv; header=absent", "text/csv;header=absent"},
		{"application/vnd.ms-excel", "application/vnd.ms-excel"},
		{"application/vnd.7f3a9c51+json", "*/*"},
		{"application/vnd.7f3a.9c51.e2b8+json", "*/*"},
		{"application/vnd.192.0.2.7+json", "*/*"},
		{"application/vnd.192-0-2-7+json", "*/*"},
		{"application/vnd.acme.v1beta1.c2pa+json", "application/vnd.acme.v1beta1.c2pa+json"},
		{"application/vnd.w3c.es6+json", "application/vnd.w3c.es6+json"},
		{"application/x-amz-json-1.1", "application/x-amz-json-1.1"},
		{"application/x-trig, application/n-quads;q=0.9", "application/x-trig, application/n-quads;q=0.9"},
		{`application/json;charset="utf-8"`, "application/json;charset=utf-8"},
		{`application/json;charset="u\tf-8"`, "application/json;charset=utf-8"},
		{"application/vnd." + strings.Repeat("a.", 32) + "a+json", "*/*"},
		{"application/vnd.caf\u00e9+json", "*/*"},

		{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "*/*"}, // Java's, for programs that have no wish

		{"application/json;visitor=4711", "application/json"},
		{"application/json;q=0.5;visitor=4711", "application/json;q=0.5"},
		{"application/json;version=8716238716238", "application/json"},
		{"application/json;version=8716.238.716.238", "application/json"},
		{"application/json;v=10.0.0.7", "application/json"},
		{"application/json;version=1.2.3", "application/json;version=1.2.3"},
		{"audio/l16;rate=22050;channels=1", "audio/l16;rate=22050;channels=1"},
		{"audio/ogg;codecs=opus;rate=48000", "audio/ogg;codecs=opus;rate=48000"},
		{"audio/wav;rate=4711;codecs=visitor", "audio/wav"},
		{"application/vnd.vimeo.*+json;version=3.4", "application/vnd.vimeo.*+json;version=3.4"},
		{"application/json;version=2;version=87;v=1;V=62", "application/json;version=2;v=1"},
		{"application/json;version=2024-06-01", "application/json;version=2024-06-01"},
		{"application/json;charset=me", "application/json"},
		{"text/x-visitor-4711", "*/*"},
		{"application/x3fa9c81b2d", "*/*"},
		{"application/vnd.3fa9c81b2d77e0+json", "*/*"},
		{"application/vnd.a.b.c.1234.5678.9+json", "*/*"},
		{"application/a+visitor", "*/*"},
		{"application/vnd." + strings.Repeat("a", maxTypeWord+1) + "+json", "*/*"},
		{"application/json;pk=visitor4711", "application/json"},
		{"application/json;pk=BCpk.4711", "application/json"},
		{"application/json;pk=BCpk" + strings.Repeat("a", 253), "application/json"},
		{"visitor/json", "*/*"},
		{`application/json;charset="ut,f", text/html`, "application/json, text/html"},
		{"*/*, dn/1683134290-eb652b95,text/vnd.wap.wml;q=0.6,ss/360x640,UC/50", "*/*"},
		{"application/signed-exchange;v=b3;q=0.7,*/*;q=0.8", "*/*"}, // what Chromium prefetches with
		{"*/*;q=0.5, application/json;q=0.2", "*/*;q=0.5, application/json;q=0.2"},
		{"*/*;version=2;q=0.5", "*/*;version=2;q=0.5"},
		{"application", "*/*"},
		{";;,,;", "*/*"},
	} {
		h := http.Header{"Sec-Fetch-Dest": {"empty"}}
		if test.in != "" {
			h["Accept"] = []string{test.in}
		}
		m := s.Read(newRequest(t, "GET", "https://api.example/", h), netip.Addr{})
		s.Request(m, nil)
		if got := strings.Join(m.Request.Header["Accept"], "\n"); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.in, got, test.want)
		}
	}
}

func TestAcceptsCoding(t *testing.T) {
	for _, test := range []struct {
		lines  []string
		coding string
		want   bool
	}{
		{nil, "gzip", false},
		{nil, "identity", true},
		{[]string{""}, "gzip", false},
		{[]string{""}, "identity", true},
		{[]string{"gzip, deflate"}, "gzip", true},
		{[]string{"gzip, deflate"}, "br", false},
		{[]string{"gzip", "br"}, "br", true},
		{[]string{"GZIP"}, "gzip", true},
		{[]string{"x-gzip"}, "gzip", true},
		{[]string{"gzip;q=0"}, "gzip", false},
		{[]string{"gzip;q=0.000, *"}, "gzip", false},
		{[]string{"gzip; Q=0.001"}, "gzip", true},
		{[]string{"*"}, "zstd", true},
		{[]string{"*;q=0"}, "zstd", false},
		{[]string{"*;q=0"}, "identity", false},
		{[]string{"identity;q=0, gzip"}, "identity", false},
		{[]string{"identity;q=1, *;q=0"}, "identity", true},
		{[]string{"identity;q=1, *;q=0"}, "gzip", false},
		{[]string{"gzip"}, "", true},
	} {
		if got := AcceptsCoding(test.lines, test.coding); got != test.want {
			t.Errorf("%q, %q: got %t", test.lines, test.coding, got)
		}
	}
}

func FuzzRebuildAccept(f *testing.F) {
	f.Add("application/json;q=0.5, text/html;charset=\"utf-8\"")
	f.Add("application/vnd.api+json;version=2;ext=\"https://jsonapi.org/ext/atomic\"")
	f.Fuzz(func(t *testing.T, s string) {
		once := rebuildAccept([]string{s})
		if hasControl(once) || strings.ContainsAny(once, "\t") {
			t.Fatalf("%q gives %q", s, once)
		}
		if again := rebuildAccept([]string{once}); again != once {
			t.Errorf("%q gives %q, then %q", s, once, again)
		}
	})
}

// What is prefetched, and what a service worker hands on, says that it is for
// nothing in particular, and is asked for with the browser's own Accept.
func TestBrowsersOwnAcceptIsThePersonas(t *testing.T) {
	all := visitors()
	for _, persona := range []string{"firefox", "chrome"} {
		s := newSet(t, Options{Persona: persona})
		for _, kind := range []Kind{Document, Image, Style, Font, Video} {
			seen := map[string]string{} // request: first visitor
			for _, v := range all {
				if !v.fetchMetadata() || v.accept(kind) == "*/*" {
					continue
				}
				h := v.header(kind, "same-origin", true)
				h["Sec-Fetch-Dest"] = []string{"empty"}
				h["Sec-Purpose"] = []string{"prefetch"}
				got := scrubbed(t, s, newRequest(t, "GET", "https://www.site.example/thing", h))
				if _, known := seen[got]; !known {
					seen[got] = v.name
				}
			}
			if len(seen) != 1 {
				t.Errorf("%s, %s: %d different requests: %v", persona, kind, len(seen), seen)
			}
		}
	}
	for accept, want := range map[string]string{
		"text/html, application/xhtml+xml, */*;q=0.8":                                      "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"image/jxl,image/avif,*/*;q=0.8":                                                   "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
		"text/vnd.turbo-stream.html, text/html, application/xhtml+xml":                     "text/vnd.turbo-stream.html, text/html, application/xhtml+xml",
		"text/javascript, application/javascript, */*; q=0.01":                             "text/javascript, application/javascript, */*;q=0.01",
		"application/font-woff2;q=1.0,application/font-woff;q=0.9,*/*;q=0.8":               "*/*", // what Chromium sends for the same font
		"video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5": "*/*",
		"image/png":                         "image/png",
		"application/json, text/plain, */*": "application/json, text/plain, */*",
	} {
		h := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {accept}}
		scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://site.example/", h))
		if got := h.Get("Accept"); got != want {
			t.Errorf("%s became %s", accept, got)
		}
	}
	h := http.Header{"User-Agent": {"curl/8"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html, application/xhtml+xml"}}
	scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "https://site.example/", h))
	if got := h.Get("Accept"); got != "text/html, application/xhtml+xml" {
		t.Errorf("a program's became %s", got)
	}
}

// TestEveryDestinationHasThePersonasAccept: Firefox asks for style sheets of XML with
// anything, Chromium as for others. What is for scripts alone is negotiated.
func TestEveryDestinationHasThePersonasAccept(t *testing.T) {
	for persona, own := range map[string]map[string]string{
		"firefox": {"xslt": "*/*", "json": "application/json,*/*;q=0.5", "text": "text/plain,*/*;q=0.5", "embed": "*/*"},
		"chrome":  {"xslt": "text/css,*/*;q=0.1", "json": "application/json,*/*;q=0.5", "text": "text/plain,*/*;q=0.5", "font": "*/*"},
	} {
		s := newSet(t, Options{Persona: persona})
		for k := range kinds {
			for _, dest := range kinds[k].dests {
				if Kind(k) == Fetch || dest == "empty" || Kind(k) == WebSocket {
					continue
				}
				seen := map[string]bool{}
				for _, accept := range []string{"", "*/*", "text/css,*/*;q=0.1", "image/png,*/*", "application/json,*/*;q=0.5", "text/plain,*/*;q=0.5", "text/x-me"} {
					h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {dest}, "Accept": {accept}}
					scrubbed(t, s, newRequest(t, "GET", "https://site.example/a", h))
					seen[h.Get("Accept")] = true
				}
				if len(seen) != 1 || own[dest] != "" && !seen[own[dest]] {
					t.Errorf("%s: %s is asked for with %v", persona, dest, seen)
				}
			}
		}
	}
	// Over plain http nothing tells of a module but its Accept, byte by byte the standard's.
	h := http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"text/plain,*/*;q=0.5"}}
	scrubbed(t, newSet(t, Options{}), newRequest(t, "GET", "http://site.example/a", h))
	if got := h.Get("Accept"); got != "text/plain,*/*;q=0.5" {
		t.Errorf("a module of text is asked for with %q", got)
	}
}
