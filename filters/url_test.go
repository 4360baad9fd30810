package filters

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What is of no use in an address that people share may be of use to a page.
func TestPartsOfPagesKeepTheirSitesParameters(t *testing.T) {
	const sent = "https://www.google.com/recaptcha/api2/anchor?k=a&sa=login&utm_source=x"
	for dest, want := range map[string]string{"iframe": "k=a&sa=login", "empty": "k=a&sa=login", "document": "k=a", "": "k=a"} {
		h := http.Header{}
		if dest != "" {
			h["Sec-Fetch-Dest"] = []string{dest}
		}
		r := newRequest(t, "GET", sent, h)
		scrubbed(t, newSet(t, Options{}), r)
		if r.URL.RawQuery != want {
			t.Errorf("for %q: got %s", dest, r.URL.RawQuery)
		}
	}
}

// Transmission 3.00 announces itself like this, and tells of one address by way of another.
func TestTrackersGetNoAddress(t *testing.T) {
	for sent, want := range map[string]string{
		"info_hash=%aa%26&peer_id=-TR3000-hs2x&port=51413&left=0&event=started&ipv6=2a02%3A8108%3A%3Abeef": "info_hash=%aa%26&peer_id=-TR3000-hs2x&port=51413&left=0&event=started",
		"ip=192.168.7.23&ipv4=192.0.2.1%3A6881&info_hash=a&peer_id=b&port=1":                               "info_hash=a&peer_id=b&port=1",
		"ip=192.0.2.1": "ip=192.0.2.1",
	} {
		r := newRequest(t, "GET", "http://tracker.example/announce?"+sent, http.Header{})
		if scrubbed(t, newSet(t, Options{}), r); r.URL.RawQuery != want {
			t.Errorf("%s: got %s", sent, r.URL.RawQuery)
		}
	}
}

// A preflight has the address of the request that it is about.
func TestPreflightsCarryNoClicks(t *testing.T) {
	for method, want := range map[string]string{"GET": "a=1", "HEAD": "a=1", "POST": "a=1&fbclid=x&utm_source=y", "PUT": "a=1&fbclid=x&utm_source=y"} {
		h := http.Header{"Origin": {"https://page.example"}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {"x-a"}}
		r := newRequest(t, "OPTIONS", "https://api.example/?a=1&fbclid=x&utm_source=y", h)
		if scrubbed(t, newSet(t, Options{}), r); r.URL.RawQuery != want {
			t.Errorf("before %s: got %s", method, r.URL.RawQuery)
		}
	}
	r := newRequest(t, "OPTIONS", "https://api.example/?a=1&fbclid=x", http.Header{"Access-Control-Request-Method": {"GET"}})
	if scrubbed(t, newSet(t, Options{}), r); r.URL.RawQuery != "a=1&fbclid=x" {
		t.Errorf("no page's: got %s", r.URL.RawQuery)
	}
}

// A page sends its forms, and what its scripts send, to its own address: the browser
// keeps there what the page came with, whatever its first request said. What is of use to
// one site's forms stays. Programs mean what they say.
func TestWhatBrowsersSendCarriesNoClicks(t *testing.T) {
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	s := newSet(t, Options{})
	for _, test := range []struct {
		method, agent, dest, sent, want string
	}{
		{"POST", agent, "document", "https://shop.example/p?id=1&fbclid=x&utm_source=y", "id=1"},
		{"POST", agent, "", "http://shop.example/p?id=1&fbclid=x", "id=1"},
		{"POST", agent, "empty", "https://shop.example/p?gclid=x", ""},
		{"PUT", agent, "empty", "https://shop.example/p?id=1&msclkid=x", "id=1"},
		{"POST", agent, "document", "https://www.facebook.com/login/?refid=8&eid=1&fbclid=x", "refid=8&eid=1"},
		{"POST", agent, "empty", "https://b.s3.example/k?gclid=x&X-Amz-Signature=a", "gclid=x&X-Amz-Signature=a"},
		{"POST", "tool/1", "", "https://api.example/conversions?gclid=x", "gclid=x"},
	} {
		h := http.Header{"User-Agent": {test.agent}}
		if test.dest != "" {
			h["Sec-Fetch-Dest"] = []string{test.dest}
		}
		r := newRequest(t, test.method, test.sent, h)
		r.ContentLength = 5
		if scrubbed(t, s, r); r.URL.RawQuery != test.want {
			t.Errorf("%s of %s for %q, %s: got %s", test.method, test.agent, test.dest, test.sent, r.URL.RawQuery)
		}
	}
	h := http.Header{"User-Agent": {agent}, "Origin": {"https://page.example"}, "Access-Control-Request-Method": {"PUT"}}
	r := newRequest(t, "OPTIONS", "https://api.example/?a=1&fbclid=x", h)
	if scrubbed(t, s, r); r.URL.RawQuery != "a=1" {
		t.Errorf("their preflights: got %s", r.URL.RawQuery)
	}
}

func TestCleanURL(t *testing.T) {
	const o = "http://origin.example"
	for _, test := range []struct{ method, sent, got string }{
		{"GET", o + "/a?b=c", o + "/a?b=c"},
		{"GET", "http://user:secret@origin.example/a", o + "/a"},
		{"POST", "http://user@origin.example/a?utm_source=x#y", o + "/a?utm_source=x"},
		{"GET", o + "/a#frag", o + "/a"},
		{"GET", o + "/a?b#frag", o + "/a?b"},
		{"GET", o + "/?utm_source=x", o + "/"},
		{"HEAD", o + "/?utm_source=x", o + "/"},
		{"PUT", o + "/?utm_source=x", o + "/?utm_source=x"},
		{"GET", o + "/?a=1&utm_source=x&b=2", o + "/?a=1&b=2"},
		{"GET", o + "/?utm_source=x&b=2&utm_medium=y", o + "/?b=2"},
		{"GET", o + "/?b=%7e+%2B&gclid=1&a=;x;&&c", o + "/?b=%7e+%2B&a=;x;&&c"},
		{"GET", o + "/?a=1&", o + "/?a=1&"},
		{"GET", o + "/?utm_source=x&a=1&", o + "/?a=1&"},
		{"GET", o + "/?", o + "/?"},
		{"GET", o + "/?UTM_Source=x&FBCLID=1&a", o + "/?a"},
		{"GET", o + "/?%75tm_source=x&fb%63lid=1&a", o + "/?a"},
		{"GET", o + "/?a=1&amp;utm_source=x", o + "/?a=1"},
		{"GET", o + "/?a=1&%3Futm_source=x", o + "/?a=1"},
		{"GET", o + "/?utm_made_up=1&utm=2&a", o + "/?a"},
		{"GET", o + "/p?a=1&omnisendAttributionID=email_campaign_5cbb3dcb&omnisendContactID=597763cf&omnisendScopeID=59776357_2_15601473", o + "/p?a=1"},
		{"GET", o + "/?a=utm_source=1;fbclid=2", o + "/?a=utm_source=1;fbclid=2"},
		{"GET", o + "/?a;utm_source=x", o + "/?a;utm_source=x"},
		{"GET", o + "/?futm_source=1&gclidx=2", o + "/?futm_source=1&gclidx=2"},
		{"GET", o + "/?fbclid", o + "/"},
		{"GET", o + "/?a=1&newclid=x&acme_click_id=y&AdClickID=z", o + "/?a=1"},
		{"GET", o + "/?clkid=1&euclid=2&cliddy=3&click=4", o + "/?clkid=1&euclid=2&cliddy=3&click=4"},
		{"GET", o + "/?clid=1", o + "/?clid=1"},
		{"GET", "https://email.shop.example/pub/cc?_ri_=X0Gzc2X&_ei_=EW2tf9", "https://email.shop.example/pub/cc?_ri_=X0Gzc2X&_ei_=EW2tf9"}, // where it leads
		{"GET", "https://www.awin1.com/cread.php?awinmid=1&awinaffid=2&clickref=x&ued=https%3A%2F%2Fa.example", "https://www.awin1.com/cread.php?awinmid=1&awinaffid=2&ued=https%3A%2F%2Fa.example"},
		{"GET", "https://s.click.aliexpress.com/deep_link.htm?aff_short_key=U&aff_trace_key=x&dl_target_url=a", "https://s.click.aliexpress.com/deep_link.htm?aff_short_key=U&dl_target_url=a"},
		{"GET", o + "/?_ri_=X0Gzc2X&_ei_=EW2tf9&awinaffid=2&fclid=3&a", o + "/?a"},
		{"GET", "https://www.bing.com/ck/a?!&&p=4f0a&fclid=27cd&u=a1aHR0&ntb=1", "https://www.bing.com/ck/a?!&&p=4f0a&fclid=27cd&u=a1aHR0&ntb=1"},
		{"GET", "https://urldefense.com/v3/__https://a.example/?a=1&utm_source=x&utm_medium=y__;!!B4_x!Ew2tf9$", "https://urldefense.com/v3/__https://a.example/?a=1&utm_source=x&utm_medium=y__;!!B4_x!Ew2tf9$"},
		{"GET", o + "/v3/__https://a.example/?a=1&utm_source=x", o + "/v3/__https://a.example/?a=1"},
		{"GET", "https://clk.tradedoubler.com/click?p=1&tduid=4f0a&a=2", "https://clk.tradedoubler.com/click?p=1&tduid=4f0a&a=2"},
		{"GET", "https://shop.adj.st/sr?adjust_t=h9ybh70&adjust_campaign=x&adjust_deeplink=shop%3A%2F%2Fsr", "https://shop.adj.st/sr?adjust_t=h9ybh70&adjust_deeplink=shop%3A%2F%2Fsr"},
		{"GET", o + "/sr?adjust_t=h9ybh70&a", o + "/sr?a"},
		{"GET", "https://login.aliexpress.us/sync_cookie_write.htm?acs_rand_id=1&_ga=2.1", "https://login.aliexpress.us/sync_cookie_write.htm?acs_rand_id=1&_ga=2.1"},
		{"GET", o + "/UnsubscribePage.html?mkt_unsubscribe=1&mkt_tok=NDg4&utm_source=x", o + "/UnsubscribePage.html?mkt_unsubscribe=1&mkt_tok=NDg4"},
		{"GET", o + "/index.php/email/emailWebview?mkt_tok=NDg4&md_id=5", o + "/index.php/email/emailWebview?mkt_tok=NDg4&md_id=5"},
		{"GET", o + "/?mkt_tok=NDg4&a&unsubscribe=yes", o + "/?mkt_tok=NDg4&a&unsubscribe=yes"},
		{"GET", o + "/unsubscribe?ck_subscriber_id=39&gclid=1", o + "/unsubscribe?ck_subscriber_id=39"},
		{"GET", o + "/unsubscribe?elq=51&elqTrackId=28&elqaid=2&_kx=6_c&vero_id=7", o + "/unsubscribe?elq=51&_kx=6_c"},
		{"GET", "https://app.hive.co/email/elt/?h_sid=3d&hash=20&next=a", "https://app.hive.co/email/elt/?h_sid=3d&hash=20&next=a"},
		{"GET", o + "/?mkt_tok=NDg4&elq=51&ck_subscriber_id=39&_kx=6_c&h_sid=3d&h_slt=eyJ&a", o + "/?a"},
		{"GET", o + "/?p.utm_source=x&depth_1-utm_medium=y&a", o + "/?a"},
		{"GET", o + "/?NaPm=ct%3Dx%7Cci%3Dy&n_query=shoes&bd_vid=x&qz_gdt=y&_sp=4f0a.17&__utma=1.2.3&ampDeviceId=x&_gcl_gb=y&_ga_4F0A=z&a", o + "/?a"},
		{"GET", o + "/?utm_source[]=x&fbclid%5B0%5D=y&+gclid=1&%20gclid=2&a[]=3", o + "/?a[]=3"},
		{"GET", o + "/?a=1&gclid=&gclid&b=2&gclid=x&b=2", o + "/?a=1&b=2&b=2"},
		{"GET", o + "/?to=https%3A%2F%2Fb.example%2F%3Futm_source%3Dx%26c%3D1&d", o + "/?to=https%3A%2F%2Fb.example%2F%3Futm_source%3Dx%26c%3D1&d"},
		{"GET", o + "/?analytics_trace_id=8e03978e&analytics_context=x&bance_xuid=4711&winflncrtag=1&vs_campaign_id=2&lt_r=3&srclt=x&a", o + "/?a"},
		{"GET", o + "/?_cio_id=0307a6&mi_u=4711&sh_kit=9f86d081&aleid=8e03978e&alart=1&ttdimp=8e03978e&cntr_auctionId=bs-4711&a", o + "/?a"},
		{"GET", "https://www.google.com/search?q=a&oq=abc&sa=X&hl=de", "https://www.google.com/search?q=a&hl=de"},
		{"GET", "https://www.eventbrite.de/e/1?aff=ebdsshios", "https://www.eventbrite.de/e/1"},
		{"GET", o + "/?si=1&t=2&s=3&ref=4&source=5", o + "/?si=1&t=2&s=3&ref=4&source=5"},
		{"GET", "https://www.youtube.com/watch?v=a&si=1&t=20&pp=x", "https://www.youtube.com/watch?v=a&t=20"},
		{"GET", o + "/?google_gid=CAESEA&pmUserId=4711&sa-user-id-v3=s%253A0-8e03&3rdpcid=x&d_uuid=y&a", o + "/?a"},
		{"GET", "https://reddit.app.link/?mweb_user_name=ann&mweb_loid=8e03&user_agent=x&$canonical_url=y", "https://reddit.app.link/?$canonical_url=y"},
		{"GET", "https://www.ebay.de/itm/1?euid=8e03&bu=4711&emsid=e11021&hash=item2a", "https://www.ebay.de/itm/1?hash=item2a"},
		{"GET", "https://youtube.com/shorts/e-yFr4GZKZk?is=kSt8b&t=20&embeds_origin=https%3A%2F%2Fa.example", "https://youtube.com/shorts/e-yFr4GZKZk?t=20"},
		{"GET", "https://youtu.be/a?si=1", "https://youtu.be/a"},
		{"GET", "https://X.COM./a/status/1?s=20&t=abc", "https://X.COM./a/status/1"},
		{"GET", "https://notx.com/?s=20&t=abc", "https://notx.com/?s=20&t=abc"},
		{"GET", "https://www.amazon.co.uk/dp/B1?pf_rd_p=1&qid=2&th=1", "https://www.amazon.co.uk/dp/B1?th=1"},
		{"GET", "https://amazon.evil.example/?qid=2", "https://amazon.evil.example/?qid=2"},
		{"GET", "https://www.google.de/search?q=a&ved=1&ei=2&start=10", "https://www.google.de/search?q=a&start=10"},
		{"GET", o + "/metalink?repo=fedora-40&arch=x86_64&countme=4", o + "/metalink?repo=fedora-40&arch=x86_64"},
		{"GET", o + "/?a=1&msockid=27cd4352&_fbp=fb.1.2&idfa=8E03978E&ajs_trait_email=x", o + "/?a=1"},
		{"GET", o + "/?android_id=9774d56d682e549c&androidId=x&gps_adid_lower_md5=y&idfa_sha1=z&sha1_imei=1&a=1", o + "/?a=1"},
		{"GET", o + "/?aaid=38400000-8cf0-11bd-b23e-10b96e40000d&rdid=38400000-8CF0-11BD-B23E-10B96E40000D&oaid=446d5df91c5944ec968490c4245dd09f1b622455b6283a6dcd5e3c610c461137&a=1", o + "/?a=1"},
		{"GET", o + "/?google_advertising_id=38400000-8cf0-11bd-b23e-10b96e40000d&device[ifa]=38400000-8cf0-11bd-b23e-10b96e40000d&device%5Bifa%5D=38400000-8cf0-11bd-b23e-10b96e40000d&advertisingId=38400000-8cf0-11bd-b23e-10b96e40000d&DEVICE_IFA=38400000-8cf0-11bd-b23e-10b96e40000d&apple_ifa=38400000-8cf0-11bd-b23e-10b96e40000d&a=1", o + "/?a=1"},
		{"GET", o + "/?_fw_vcid2=512116:413d7e29&ads._fw_did=413d7e29&did=google_advertising_id%3A38400000-8cf0-11bd-b23e-10b96e40000d&f1=idfa:38400000-8cf0-11bd-b23e-10b96e40000d&ifa=38400000%2D8cf0%2D11bd%2Db23e%2D10b96e40000d&a=1", o + "/?a=1"},
		{"GET", o + "/?ad_id=38400000-8cf0-11bd-b23e-10b96e40000d&adId=38400000-8cf0-11bd-b23e-10b96e40000d&advertiser_id=38400000-8cf0-11bd-b23e-10b96e40000d&did=web:38400000-8cf0-11bd-b23e-10b96e40000d&tariff=38400000-8cf0-11bd-b23e-10b96e40000d&device[ifa]=1", o + "/?ad_id=38400000-8cf0-11bd-b23e-10b96e40000d&adId=38400000-8cf0-11bd-b23e-10b96e40000d&advertiser_id=38400000-8cf0-11bd-b23e-10b96e40000d&did=web:38400000-8cf0-11bd-b23e-10b96e40000d&tariff=38400000-8cf0-11bd-b23e-10b96e40000d&device[ifa]=1"}, // other things
		{"GET", o + "/?gaid_md5=7c687d7812ae6ca319aecea51d0d7750&ios_ifa_sha1=a9993e364706816aba3e25717850c26c9cd0d89d&adid=7c687d7812ae6ca319aecea51d0d7750&idfamd5=77D06CB28C1771E8019BE4F4FB6E1938&md5imei=ed0427f06978ac06d73e2d6f2049aa9d&oaid=446d5df91c5944ec968490c4245dd09f&a=1", o + "/?a=1"},
		{"GET", o + "/?windows_aid=38400000-8cf0-11bd-b23e-10b96e40000d&ios_ifv=38400000-8cf0-11bd-b23e-10b96e40000d&vida=38400000-8cf0-11bd-b23e-10b96e40000d&a=1", o + "/?a=1"},
		{"GET", o + "/?imei=869634020728636&aid=7c687d7812ae6ca319aecea51d0d7750&vida=sana&md5=7c687d7812ae6ca319aecea51d0d7750&id=7c687d7812ae6ca319aecea51d0d7750", o + "/?imei=869634020728636&aid=7c687d7812ae6ca319aecea51d0d7750&vida=sana&md5=7c687d7812ae6ca319aecea51d0d7750&id=7c687d7812ae6ca319aecea51d0d7750"}, // other things
		{"GET", o + "/?aaid=90&adid=4711&oaid=4184792993048491848&rdid=book-XtY-AAAAYAAJ&ifa=1&device_id=9774d56d682e549c&a=1", o + "/?aaid=90&adid=4711&oaid=4184792993048491848&rdid=book-XtY-AAAAYAAJ&ifa=1&device_id=9774d56d682e549c&a=1"},                                                                             // other things
		{"GET", o + "/?adId=38400000-8cf0-11bd-b23e-10b96e40000d&imei=490154203237518&androidx=1", o + "/?adId=38400000-8cf0-11bd-b23e-10b96e40000d&imei=490154203237518&androidx=1"},
		{"GET", o + "/?ifa=book0000-8cf0-11bd-b23e-10b96e40000d&oaid=" + strings.Repeat("book", 16), o + "/?ifa=book0000-8cf0-11bd-b23e-10b96e40000d&oaid=" + strings.Repeat("book", 16)}, // other things
		{"GET", o + "/1.m4s?CMCD=mtp%3D25400%2Csid%3D%226e2fb550-c457-11e9%22&t=1", o + "/1.m4s?t=1"},
		{"GET", "https://en.wikipedia.org/wiki/A?wprov=sfla1", "https://en.wikipedia.org/wiki/A"},
		{"GET", "https://www.pinterest.de/pin/1/?invite_code=x&sender=4711", "https://www.pinterest.de/pin/1/"},
		{"GET", "https://b.s3.amazonaws.com/k?utm_source=1&X-Amz-Signature=a", "https://b.s3.amazonaws.com/k?utm_source=1&X-Amz-Signature=a"},
		{"GET", "https://a.blob.core.windows.net/k?sv=1&utm_source=1&sig=a", "https://a.blob.core.windows.net/k?sv=1&utm_source=1&sig=a"},
	} {
		u, err := url.Parse(test.sent)
		if err != nil {
			t.Fatal(err)
		}
		m := &Message{Request: &http.Request{Method: test.method, URL: u, Host: u.Host, Header: http.Header{}}}
		log := cleanURL{}.Apply(m, nil)
		if got := u.String(); got != test.got {
			t.Errorf("%s %s became %s, want %s", test.method, test.sent, got, test.got)
		}
		if (len(log) > 0) != (test.sent != test.got) {
			t.Errorf("%s: logged %v", test.sent, log)
		}
		if log := (cleanURL{}).Apply(m, nil); len(log) > 0 {
			t.Errorf("%s: a second time it changed %v", test.sent, log)
		}
	}
}

// TestPathsOfAllBrowsersAreOne: Firefox 153 asks for /a|b as the page has it, Chromium 156
// for /a%7Cb.
func TestPathsOfAllBrowsersAreOne(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ agent, authorization, target, want string }{
		{"Mozilla/5.0", "", "/a|b/%7e?c|d", "/a%7Cb/%7e?c|d"},
		{"Mozilla/5.0", "", "/a%7Cb/%7e?c|d", "/a%7Cb/%7e?c|d"},
		{"Mozilla/5.0", "", "/[\"<>^`{|}]%2f", "/[%22%3C%3E%5E%60%7B%7C%7D]%2f"},
		{"Mozilla/5.0", `Digest username="ann", uri="/a|b"`, "/a|b", "/a|b"},
		{"app/1.0", "", "/a|b", "/a|b"},
	} {
		h := http.Header{"User-Agent": {test.agent}}
		if test.authorization != "" {
			h["Authorization"] = []string{test.authorization}
		}
		r := newRequest(t, "GET", "https://site.example/", h)
		u, err := url.ParseRequestURI(test.target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		scrubbed(t, s, r)
		got := r.URL.RawPath
		if got == "" {
			got = r.URL.EscapedPath()
		}
		if r.URL.RawQuery != "" {
			got += "?" + r.URL.RawQuery
		}
		if got != test.want || r.URL.Path != u.Path {
			t.Errorf("%s of %s: got %s, path %s", test.target, test.agent, got, r.URL.Path)
		}
	}
}

func TestFragmentOfARequestTargetGoes(t *testing.T) {
	for sent, want := range map[string]string{
		"http://origin.example/a#canary":     "http://origin.example/a",
		"http://origin.example/a#canary?b=c": "http://origin.example/a",
		"http://origin.example/a%23b":        "http://origin.example/a%23b",
		"http://origin.example/%2f?b#canary": "http://origin.example/%2f?b",
	} {
		u, err := url.ParseRequestURI(sent)
		if err != nil {
			t.Fatal(err)
		}
		cleanURL{}.Apply(&Message{Request: &http.Request{Method: "GET", URL: u}}, nil)
		if got := u.String(); got != want {
			t.Errorf("%s became %s, want %s", sent, got, want)
		}
	}
}

func TestHostKeepsNoUserinfo(t *testing.T) {
	r := &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "origin.example", Path: "/"}, Host: "user:secret@origin.example"}
	cleanURL{}.Apply(&Message{Request: r}, nil)
	if r.Host != "origin.example" {
		t.Errorf("Host is %q", r.Host)
	}
}

// gvfs names its person in what it moves a file to.
func TestReferencesKeepNoUserinfo(t *testing.T) {
	for _, test := range []struct{ field, sent, got string }{
		{"Destination", "https://ann.lee@dav.example:8080/b@c", "https://dav.example:8080/b@c"},
		{"Destination", "http://ann:p@ss@dav.example", "http://dav.example"},
		{"Destination", "/dav/ann@example.org/b", "/dav/ann@example.org/b"},
		{"Destination", "http://dav.example/ann@example.org/?a=http:b@c", "http://dav.example/ann@example.org/?a=http:b@c"},
		{"If", "<HTTPS://ann:secret@dav.example/b> (<urn:uuid:58f202ac>) <https://ann@dav.example/c> (Not <DAV:no-lock>)", "<HTTPS://dav.example/b> (<urn:uuid:58f202ac>) <https://dav.example/c> (Not <DAV:no-lock>)"},
		{"Link", `<http://ann@a.example/>; rel="type"`, `<http://a.example/>; rel="type"`},
	} {
		s := newSet(t, Options{})
		m := s.Read(newRequest(t, "MOVE", "http://dav.example:8080/a", http.Header{test.field: {test.sent}}), netip.Addr{})
		log := s.Request(m, nil)
		if got := m.Request.Header.Get(test.field); got != test.got {
			t.Errorf("%s: %s: got %s, want %s; %v", test.field, test.sent, got, test.got, log)
		}
	}
}

func TestEveryTrackingParameterGoesInEverySpelling(t *testing.T) {
	for _, g := range trackingParams {
		if g.source == "" || strings.TrimSpace(g.names) == "" {
			t.Errorf("a row lacks its source or names: %v", g)
		}
		sites := strings.Fields(g.sites)
		if len(sites) == 0 {
			sites = []string{"origin.example"}
		}
		for _, site := range sites {
			if strings.HasSuffix(site, ".") {
				site += "co.uk"
			}
			for name := range strings.FieldsSeq(g.names) {
				name = strings.Replace(name, "*", "x", 1)
				encoded := "%" + strings.ToUpper(hexByte(name[0])) + name[1:]
				for _, spelled := range []string{name, strings.ToUpper(name), encoded} {
					u := &url.URL{Scheme: "https", Host: "www." + site, Path: "/", RawQuery: "a=1&" + spelled + "=canary&b=2"}
					cleanURL{}.Apply(&Message{Request: &http.Request{Method: "GET", URL: u}}, nil)
					if u.RawQuery != "a=1&b=2" {
						t.Errorf("%s: %s left %s", site, spelled, u.RawQuery)
					}
				}
			}
		}
	}
}

func hexByte(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

func FuzzCleanURL(f *testing.F) {
	for _, q := range []string{"a=1&utm_source=x&b", "&&fbclid&", "%3Futm_a", "amp;gclid=1&x#y", "X-Amz-Signature=1&gclid", "%", "a&&&"} {
		f.Add(q, "www.youtube.com")
	}
	f.Fuzz(func(t *testing.T, query, host string) {
		u := &url.URL{Scheme: "https", Host: host, Path: "/", RawQuery: query}
		m := &Message{Request: &http.Request{Method: "GET", URL: u}}
		log := cleanURL{}.Apply(m, nil)
		if len(log) == 0 && u.RawQuery != query {
			t.Errorf("%q became %q and nobody said so", query, u.RawQuery)
		}
		// What is left are parameters of the query, in order and byte by byte.
		before, _, _ := strings.Cut(query, "#")
		sent := strings.Split(before, "&")
		for _, kept := range strings.Split(u.RawQuery, "&") {
			i := slices.Index(sent, kept)
			if i < 0 && u.RawQuery != "" {
				t.Fatalf("%q became %q", query, u.RawQuery)
			}
			sent = sent[i+1:]
		}
		if again := (cleanURL{}).Apply(m, nil); len(again) > 0 {
			t.Errorf("%q: a second time %v", query, again)
		}
	})
}
