package filters

import (
	"net/http"
	"testing"
)

func TestKindOf(t *testing.T) {
	for _, test := range []struct {
		name string
		h    http.Header
		want Kind
	}{
		{"nothing said", http.Header{}, Fetch},
		{"curl", http.Header{"Accept": {"*/*"}}, Fetch},
		{"destination decides", http.Header{"Sec-Fetch-Dest": {"image"}, "Accept": {"text/html,application/xhtml+xml,*/*"}}, Image},
		{"frames of all sorts", http.Header{"Sec-Fetch-Dest": {"fencedframe"}}, Frame},
		{"workers of all sorts", http.Header{"Sec-Fetch-Dest": {"sharedworker"}}, Worker},
		{"worklets are scripts", http.Header{"Sec-Fetch-Dest": {"paintworklet"}}, Script},
		{"a script's request", http.Header{"Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html,application/xhtml+xml,*/*"}}, Fetch},
		{"a made-up destination is not understood", http.Header{"Sec-Fetch-Dest": {"me"}, "Accept": {"text/css,*/*;q=0.1"}}, Style},
		{"contradicting destinations", http.Header{"Sec-Fetch-Dest": {"image", "script"}, "Accept": {"*/*"}}, Fetch},

		{"Internet Explorer 8", http.Header{"Accept": {"image/jpeg, application/x-ms-application, image/gif, application/xaml+xml, image/pjpeg, application/x-ms-xbap, application/x-shockwave-flash, application/msword, */*"}}, Document},
		{"Internet Explorer 6", http.Header{"Accept": {"image/gif, image/x-xbitmap, image/jpeg, image/pjpeg, */*"}}, Document},
		{"Netscape 4", http.Header{"Accept": {"image/gif, image/x-xbitmap, image/jpeg, image/pjpeg, image/png, */*"}}, Document},
		{"Netscape 4 image", http.Header{"Accept": {"image/gif, image/x-xbitmap, image/jpeg, image/pjpeg, image/png"}}, Image},
		{"Edge 18", http.Header{"Accept": {"text/html, application/xhtml+xml, application/xml; q=0.9, */*; q=0.8"}}, Document},
		{"Internet Explorer 11", http.Header{"Accept": {"text/html, application/xhtml+xml, image/jxr, */*"}}, Document},
		{"Opera 12", http.Header{"Accept": {"text/html, application/xml;q=0.9, application/xhtml+xml, image/png, image/webp, image/jpeg, image/gif, image/x-xbitmap, */*;q=0.1"}}, Document},
		{"WebKit 5", http.Header{"Accept": {"application/xml,application/xhtml+xml,text/html;q=0.9,text/plain;q=0.8,image/png,*/*;q=0.5"}}, Document},
		{"Chromium 156", http.Header{"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"}}, Document},
		{"Lynx", http.Header{"Accept": {"text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"}}, Document},
		{"Lynx of Debian", http.Header{"Accept": {"text/html, text/plain, text/sgml, text/css, */*;q=0.01"}}, Document},
		{"w3m", http.Header{"Accept": {"text/html, text/*;q=0.5, image/*, application/*"}}, Document},
		{"Dillo", http.Header{"Accept": {"text/*,image/*,*/*;q=0.2"}}, Document},
		{"Konqueror", http.Header{"Accept": {"text/html, text/*;q=0.9, image/jpeg;q=0.9, image/png;q=0.9, image/*;q=0.9, */*;q=0.8"}}, Document},
		{"Nokia, Series 40", http.Header{"Accept": {"text/html,text/css,multipart/mixed,application/java-archive, application/java, application/x-java-archive, text/vnd.sun.j2me.app-descriptor, application/vnd.oma.drm.message, application/vnd.oma.drm.content, application/vnd.oma.dd+xml, application/x-nokia-widget, */*"}}, Document},
		{"BlackBerry", http.Header{"Accept": {"application/vnd.rim.html,text/html,application/xhtml+xml,application/vnd.wap.xhtml+xml,text/vnd.sun.j2me.app-descriptor,image/vnd.rim.png,image/jpeg,*/*;q=0.5"}}, Document},
		{"UP.Browser", http.Header{"Accept": {`application/octet-stream,application/vnd.phonecom.mmc-xml,application/xhtml+xml;profile="http://www.wapforum.org/xhtml",image/png,text/html,text/plain,application/x-smaf,*/*`}}, Document},
		{"UC Browser", http.Header{"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8, dn/1683134290-eb652b95,text/vnd.wap.wml;q=0.6,ss/360x640,UC/50"}}, Document},
		{"UC Browser style", http.Header{"Accept": {"text/css,*/*;q=0.1, dn/1683134290-eb652b95,text/vnd.wap.wml;q=0.6,ss/360x640,UC/50"}}, Style},
		{"UC Browser script", http.Header{"Accept": {"*/*, dn/1683134290-eb652b95,text/vnd.wap.wml;q=0.6,ss/360x640,UC/50"}}, Fetch},
		{"text alone", http.Header{"Accept": {"text/*"}}, Fetch},
		{"a device of LwM2M", http.Header{"Accept": {"application/vnd.oma.lwm2m+json, */*;q=0.1"}}, Fetch},
		{"an RDF client", http.Header{"Accept": {"text/turtle, application/rdf+xml, text/html;q=0.5, application/xhtml+xml;q=0.4, */*;q=0.1"}}, Fetch},
		{"a feature phone", http.Header{"Accept": {"text/html, text/vnd.wap.wml, application/vnd.wap.xhtml+xml, application/xhtml+xml, text/css, multipart/mixed, application/vnd.wap.multipart.mixed, */*"}}, Document},
		{"a television", http.Header{"Accept": {"application/vnd.hbbtv.xhtml+xml, application/xhtml+xml, text/html, */*;q=0.1"}}, Document},
		{"a television of CE-HTML", http.Header{"Accept": {"text/html,application/xhtml+xml,application/ce-html+xml,*/*;q=0.8"}}, Document},
		{"linked data beside pages is a wish", http.Header{"Accept": {"application/ld+json, text/html, application/xhtml+xml, */*"}}, Fetch},
		{"lines are one list", http.Header{"Accept": {"text/html", "application/xhtml+xml,*/*"}}, Document},
		{"in any case", http.Header{"Accept": {"TEXT/HTML,Application/XHTML+xml,*/*"}}, Document},
		{"html alone is a wish", http.Header{"Accept": {"text/html"}}, Fetch},
		{"html alone from a browser", http.Header{"Accept": {"text/html"}, "Upgrade-Insecure-Requests": {"1"}}, Document},
		{"a browser with a type more", http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8,application/rf+html;q=0.001"}, "Upgrade-Insecure-Requests": {"1"}}, Document},
		{"a browser that takes anything", http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Upgrade-Insecure-Requests": {"1"}}, Document},
		{"a browser that says of no type", http.Header{"User-Agent": {"Mozilla/5.0"}, "Upgrade-Insecure-Requests": {"1"}}, Document},
		{"a program with a browser's field", http.Header{"Accept": {"*/*"}, "Upgrade-Insecure-Requests": {"1"}}, Fetch},
		{"another type alone is a wish", http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"application/json"}, "Upgrade-Insecure-Requests": {"1"}}, Fetch},
		{"a script's, with a browser's field", http.Header{"User-Agent": {"Mozilla/5.0"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"*/*"}, "Upgrade-Insecure-Requests": {"1"}}, Fetch},
		{"Turbo streams are a script's", http.Header{"Accept": {"text/vnd.turbo-stream.html, text/html, application/xhtml+xml"}}, Fetch},

		{"Edge 18 image", http.Header{"Accept": {"image/png, image/svg+xml, image/*; q=0.8, */*; q=0.5"}}, Image},
		{"Safari image", http.Header{"Accept": {"image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"}}, Image},
		{"Safari 10 image", http.Header{"Accept": {"image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"}}, Image},
		{"one image type is a wish", http.Header{"Accept": {"image/png"}}, Fetch},
		{"Edge style", http.Header{"Accept": {"text/css, */*"}}, Style},
		{"style alone is a wish", http.Header{"Accept": {"text/css"}}, Fetch},
		{"Edge 18 script", http.Header{"Accept": {"application/javascript, */*; q=0.8"}}, Script},
		{"jQuery", http.Header{"Accept": {"text/javascript, application/javascript, application/ecmascript, application/x-ecmascript, */*; q=0.01"}, "X-Requested-With": {"XMLHttpRequest"}}, Fetch},
		{"Firefox font", http.Header{"Accept": {"application/font-woff2;q=1.0,application/font-woff;q=0.9,*/*;q=0.8"}}, Font},
		{"a font by its new type", http.Header{"Accept": {"font/woff2;q=1.0,*/*;q=0.8"}}, Font},
		{"a style among images is a wish", http.Header{"Accept": {"text/css,image/png,*/*"}}, Fetch},
		{"an image among fonts is a wish", http.Header{"Accept": {"image/png,font/woff2,*/*"}}, Fetch},
		{"Firefox audio", http.Header{"Accept": {"audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5"}}, Video},
		{"axios", http.Header{"Accept": {"application/json, text/plain, */*"}}, Fetch},
		{"event stream", http.Header{"Accept": {"text/event-stream"}}, Fetch},
		{"GraphQL", http.Header{"Accept": {"application/graphql-response+json, application/json;q=0.9"}}, Fetch},

		{"handshake", http.Header{"Upgrade": {"WebSocket"}, "Connection": {"keep-alive, Upgrade"}, "Sec-Fetch-Dest": {"empty"}}, WebSocket},
		{"another upgrade", http.Header{"Upgrade": {"h2c"}, "Connection": {"Upgrade, HTTP2-Settings"}}, Fetch},
		{"upgrade that Connection does not name", http.Header{"Upgrade": {"websocket"}}, Fetch},
	} {
		r := newRequest(t, "GET", "http://site.example/", test.h)
		if got := kindOf(r); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	preflight := newRequest(t, "OPTIONS", "http://site.example/", http.Header{"Origin": {"http://a.example"}, "Access-Control-Request-Method": {"PUT"}})
	if got := kindOf(preflight); got != Preflight {
		t.Errorf("preflight: got %s", got)
	}
}

func TestEveryDestinationHasOneKind(t *testing.T) {
	seen := map[string]Kind{}
	for k := range kinds {
		for _, dest := range kinds[k].dests {
			if other, taken := seen[dest]; taken && dest != "empty" {
				t.Errorf("%s is both %s and %s", dest, other, Kind(k))
			}
			seen[dest] = Kind(k)
		}
	}
}
