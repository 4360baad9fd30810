package judge

import (
	"fmt"
	"net/http"
	"strings"
)

// A crowd is many visitors who ask for the same thing, each with another
// browser. No origin may tell them apart.
type crowd struct {
	name string // in a sentence: "many visitors ask for ..."
	kind kind
	edit func(d *draft, v visitor) // what the thing needs beyond its kind; nil for nothing
}

// crowds is what visitors are compared for.
var crowds = []crowd{
	{name: "a document", kind: aDocument},
	{name: "an image", kind: anImage},
	{name: "a style sheet", kind: aStyle},
	{name: "a script", kind: aScript},
	{name: "a font", kind: aFont},
	{name: "a video", kind: aMedia},
	{name: "data", kind: aFetch},
	{name: "JSON", kind: aFetch, edit: func(d *draft, _ visitor) { d.set("Accept", "application/json") }},
	{name: "a third-party image", kind: anImage, edit: fromElsewhere},
	{name: "an image by a service worker", kind: anImage, edit: func(d *draft, _ visitor) {
		if strings.HasPrefix(d.site(), "https:") {
			d.set("Sec-Fetch-Dest", "empty") // with the Accept of an image all the same
			return
		}
		for _, name := range []string{"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site"} {
			d.drop(name) // plain http has no such fields, and no workers
		}
	}},
	{name: "a linked document", kind: aDocument, edit: func(d *draft, v visitor) {
		fromElsewhere(d, v)
		d.suffix = "?id=7&utm_source=" + strings.ToLower(v.language)
	}},
	{name: "a form's answer", kind: aDocument, edit: func(d *draft, v visitor) {
		d.method, d.body = http.MethodPost, "name=value"
		if v.blink() {
			d.add("Cache-Control", "max-age=0")
		}
		d.add("Origin", d.site())
		d.add("Content-Type", "application/x-www-form-urlencoded")
		d.add("Content-Length", fmt.Sprint(len(d.body)))
	}},
	{name: "events", kind: aFetch, edit: func(d *draft, _ visitor) {
		d.set("Accept", "text/event-stream")
		d.add("Pragma", "no-cache")
		d.add("Cache-Control", "no-cache")
	}},
	{name: "a permission", kind: aFetch, edit: func(d *draft, _ visitor) {
		d.method, d.resource = http.MethodOptions, "cors"
		d.elsewhere()
		d.drop("Referer")
		d.add("Referer", "http://shop.example/")
		d.add("Origin", "http://shop.example")
		d.add("Access-Control-Request-Method", "PUT")
		d.add("Access-Control-Request-Headers", "content-type")
	}},
	{name: "a WebSocket", kind: aFetch, edit: shakeHands},
}

// gecko reports whether v has one of the Firefoxes.
func (v visitor) gecko() bool { return strings.HasSuffix(v.browser.name, "Firefox") }

// blink reports whether v has a browser with Chromium inside.
func (v visitor) blink() bool { return v.browser.brands != nil }

// elsewhere moves the request to a page of another site.
func (d *draft) elsewhere() {
	if (Head{Fields: d.fields}).Has("Sec-Fetch-Site") {
		d.set("Sec-Fetch-Site", "cross-site")
	}
}

// fromElsewhere says from which page each visitor comes, and what a third
// party stored with them.
func fromElsewhere(d *draft, v visitor) {
	d.elsewhere()
	tag := strings.ToLower(v.language)
	d.set("Referer", "http://news-"+tag+".example/story?from="+tag)
	if d.resource == string(anImage) {
		d.add("Cookie", "uid="+tag+strings.ToLower(v.browser.name[:2]))
	}
}

// shakeHands asks for a WebSocket as each browser does. The key is random
// by standard (RFC 6455 §4.1), so it is the same for all here.
func shakeHands(d *draft, v visitor) {
	d.resource = "socket"
	for _, name := range []string{"Connection", "Proxy-Connection", "Referer", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"} {
		d.drop(name)
	}
	extensions := "permessage-deflate"
	switch {
	case v.blink():
		extensions += "; client_max_window_bits"
		for _, name := range []string{"Accept", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site"} {
			d.drop(name)
		}
	case (Head{Fields: d.fields}).Has("Sec-Fetch-Dest"):
		d.set("Sec-Fetch-Dest", "websocket")
		d.set("Sec-Fetch-Mode", "websocket")
	}
	fields := []Field{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Origin", d.site()},
		{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
		{"Sec-WebSocket-Extensions", extensions}, {"Cache-Control", "no-cache"}, {"Pragma", "no-cache"}}
	if v.gecko() {
		fields[0].Value = "keep-alive, Upgrade"
	}
	d.fields = append(d.fields, fields...)
}
