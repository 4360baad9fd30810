package filters

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestRedirectsCarryNoClicks(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct {
		method     string
		status     int
		sent, want string
	}{
		{"GET", 302, "https://shop.example/a?id=7&fbclid=x#part", "https://shop.example/a?id=7#part"},
		{"GET", 301, "https://shop.example/a?gclid=x", "https://shop.example/a"},
		{"GET", 300, "https://shop.example/a?gclid=x", "https://shop.example/a"},
		{"GET", 302, `https:\\www.youtube.com\watch?v=a&si=1`, `https:\\www.youtube.com\watch?v=a`},
		{"GET", 302, "///www.youtube.com/watch?v=a&si=1", "///www.youtube.com/watch?v=a"},
		{"GET", 307, "/b?utm_source=x&b=%7e&&c", "/b?b=%7e&&c"},
		{"POST", 303, "//shop.example/?msclkid=x", "//shop.example/"},
		{"POST", 307, "https://shop.example/a?gclid=x", "https://shop.example/a?gclid=x"},
		{"GET", 302, "?utm_source=x", "?"},
		{"GET", 302, "https://shop.example/a?id=7", "https://shop.example/a?id=7"},
		{"GET", 302, "https://shop.example/a#x?gclid=1", "https://shop.example/a#x?gclid=1"},
		{"GET", 302, "https://shop.example/a#gclid=1", "https://shop.example/a#"},
		{"GET", 302, "https://shop.example/a?#part=2&utm_source=x", "https://shop.example/a?#part=2"},
		{"GET", 302, "https://shop.example/a?b=1&fbclid=x#mtm_campaign=x&c", "https://shop.example/a?b=1#c"},
		{"GET", 302, "#utm_source=x", "#"},
		{"GET", 302, "https://app.example/#/in?gclid=1", "https://app.example/#/in?gclid=1"},
		{"GET", 302, "https://app.example/in#access_token=a&state=b", "https://app.example/in#access_token=a&state=b"},
		{"GET", 302, "https://b.s3.example/k?gclid=1&X-Amz-Signature=a", "https://b.s3.example/k?gclid=1&X-Amz-Signature=a"},
		{"GET", 302, "https://www.youtube.com/watch?v=a&si=1", "https://www.youtube.com/watch?v=a"},
		{"GET", 302, "https://mail.example/pub/cc?_ri_=X0Gzc2X", "https://mail.example/pub/cc?_ri_=X0Gzc2X"},
		{"GET", 302, "https://shop.example/?_ri_=X0Gzc2X", "https://shop.example/"},
		{"GET", 302, "market://details?id=a&utm_source=b", "market://details?id=a&utm_source=b"},
		{"GET", 302, "https://%zz/?gclid=1", "https://%zz/?gclid=1"},
		{"GET", 302, "https://shop.example/-50%/a%zz?b=%&gclid=1", "https://shop.example/-50%/a%zz?b=%"},
		{"GET", 302, "//shop.example/%%?gclid=1", "//shop.example/%%"},
		{"GET", 302, "ht\ttps://shop.example/?a=1&gc\tlid=1", "https://shop.example/?a=1"},
		{"GET", 302, "/a\tb?c=1", "/a\tb?c=1"},
		{"GET", 201, "https://shop.example/a?gclid=x", "https://shop.example/a?gclid=x"},
	} {
		m := s.Read(newRequest(t, test.method, "https://site.example/out?q=1", http.Header{}), netip.Addr{})
		m.Response = &http.Response{StatusCode: test.status, Header: http.Header{"Location": {test.sent}}}
		log := s.Response(m, nil)
		if got := m.Response.Header.Get("Location"); got != test.want || (len(log) > 0) != (test.sent != test.want) {
			t.Errorf("%s %d %s: got %s, want %s: %v", test.method, test.status, test.sent, got, test.want, log)
		}
		if again := s.Response(m, nil); len(again) > 0 {
			t.Errorf("%s: a second time %v", test.sent, again)
		}
	}
}

// A browser sends its form on to where a 307 leads.
func TestRedirectsOfFormsCarryNoClicks(t *testing.T) {
	s := newSet(t, Options{})
	for agent, want := range map[string]string{"Mozilla/5.0 (X11; Linux x86_64)": "https://www.youtube.com/a?si=1", "curl/8.5": "https://www.youtube.com/a?si=1&gclid=x"} {
		m := s.Read(newRequest(t, "POST", "https://site.example/out", http.Header{"User-Agent": {agent}}), netip.Addr{})
		m.Response = &http.Response{StatusCode: 307, Header: http.Header{"Location": {"https://www.youtube.com/a?si=1&gclid=x"}}}
		s.Response(m, nil)
		if got := m.Response.Header.Get("Location"); got != want {
			t.Errorf("%s: got %s", agent, got)
		}
	}
}

// Browsers follow a target that is said twice.
func TestRedirectSaidTwiceCarriesNoClick(t *testing.T) {
	m := newSet(t, Options{}).Read(newRequest(t, "GET", "https://site.example/out", http.Header{}), netip.Addr{})
	m.Response = &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://a.example/?gclid=x", "https://a.example/?gclid=x"}}}
	newSet(t, Options{}).Response(m, nil)
	if got := m.Response.Header["Location"]; len(got) != 1 || got[0] != "https://a.example/" {
		t.Errorf("got %q", got)
	}
}

// What a redirect leads to is asked for by the proxy, or not at all.
func TestRedirectsLeadNobodyPastTheProxy(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct {
		status int
		sent   []string
		keeps  bool
	}{
		{302, []string{"ftp://track.example/1"}, false},
		{301, []string{"FTP://track.example/1"}, false},
		{302, []string{" f\ttp://track.example/1"}, false},
		{300, []string{"ftps://track.example/1"}, false},
		{308, []string{"file://track.example/share/a"}, false},
		{302, []string{"nntp://track.example/a.b/1"}, false}, // seen with Lynx, w3m and ELinks
		{302, []string{"news://track.example/a.b"}, false},
		{302, []string{"snews://track.example/a.b"}, false},
		{302, []string{"newsreply://track.example/a"}, false}, // with Lynx, as the next
		{302, []string{`"ftp://track.example/1"`}, false},
		{302, []string{"<ftp://track.example/1>"}, false}, // with Emacs
		{302, []string{"cso://track.example/"}, false},
		{302, []string{"finger://track.example/a"}, false}, // with ELinks
		{302, []string{"fish://track.example/a"}, false},   // with lftp
		{302, []string{"irc://track.example/a"}, false},    // with Emacs, as the next
		{302, []string{"rlogin://track.example/"}, false},  // runs rlogin, with its user's name
		{302, []string{"mms://track.example/a"}, false},    // with VLC, as those below
		{302, []string{"mmsh://track.example/a"}, false},
		{302, []string{"tcp://track.example:80"}, false},
		{302, []string{"icyx://track.example/a"}, false},
		{302, []string{"ftpes://track.example/a"}, false},
		{302, []string{"nfs://track.example/a"}, false},
		{302, []string{"pnm://track.example/a"}, false},
		{302, []string{"rist://track.example:80"}, false},
		{302, []string{"srt://track.example:80"}, false},
		{302, []string{"udp://track.example:80"}, false}, // its name is looked up
		{302, []string{"upnp://track.example/a.xml"}, false},
		{302, []string{"avio://tcp://track.example:80"}, false},
		{302, []string{"any://track.example:80"}, false},
		{301, []string{"svn://track.example/a"}, false},     // with Subversion, as the next
		{301, []string{"svn+ssh://track.example/a"}, false}, // runs ssh
		{301, []string{"bzr://track.example/a"}, false},     // with Breezy, as the next
		{301, []string{"git+ssh://track.example/a"}, false},
		{301, []string{"readonly+bzr://track.example/a"}, false},
		{302, []string{"fsp://track.example/a"}, false}, // with ELinks
		{303, []string{"smb:\\\\track.example\\a"}, false},
		{302, []string{"https://a.example/", "ftp://track.example/"}, false},
		{305, []string{"http://proxy.example:3128/"}, false},
		{201, []string{"ftp://track.example/1"}, false}, // with VLC
		{202, []string{"ftp://track.example/1"}, true},  // nobody follows it
		{302, []string{"https://a.example/ftp://b"}, true},
		{302, []string{"/ftp:a"}, true},
		{302, []string{"com.example.app:/signed-in?code=1"}, true}, // the person is asked first
		{302, []string{"mailto:ann@a.example"}, true},
		{302, []string{"a+b/ftp:c"}, true},
		{302, []string{"git+https://a.example/b"}, true},
	} {
		m := s.Read(newRequest(t, "GET", "http://site.example/out", http.Header{}), netip.Addr{})
		m.Response = &http.Response{StatusCode: test.status, Header: http.Header{"Location": slices.Clone(test.sent)}}
		s.Response(m, nil)
		if got := m.Response.Header["Location"]; slices.Equal(got, test.sent) != test.keeps || !test.keeps && got != nil {
			t.Errorf("%d %q: got %q", test.status, test.sent, got)
		}
	}
}

// Where else the same is, who asks for it asks the proxy for, or not at all.
func TestLinksLeadNobodyPastTheProxy(t *testing.T) {
	s := newSet(t, Options{})
	for _, test := range []struct{ sent, want []string }{
		{[]string{"<ftp://track.example/1>; rel=duplicate; pri=1"}, nil},
		{[]string{`<FTP://track.example/a,b">; rel=duplicate, <https://b.example/>; rel=duplicate`}, nil}, // the quote has no end
		{[]string{"<ftp://track.example/a,b>; rel=duplicate,<https://b.example/>; rel=duplicate"}, []string{"<https://b.example/>; rel=duplicate"}},
		{[]string{"<https://b.example/a,b>; rel=duplicate, < ftp://track.example/>; rel=duplicate"}, []string{"<https://b.example/a,b>; rel=duplicate"}},
		{[]string{`<https://b.example/"a>; rel=duplicate, <ftp://track.example/>; rel=duplicate`}, nil},
		{[]string{`</a.css>; rel=preload;as=style , +ftp://b/c,d">; rel=duplicate, <https://e/>; title="<ftp://f"`}, nil}, // +ftp: is behind < as well
		{[]string{"<ftps://track.example/>; rel=duplicate", "</a.css>; rel=preload"}, []string{"</a.css>; rel=preload"}},
		{[]string{`</a.css>; rel=preload;as=style , </b>; title="<, ftp://c"`}, []string{`</a.css>; rel=preload;as=style , </b>; title="<, ftp://c"`}},
		{[]string{"<https://b.example/ftp://c>; rel=next,, <mailto:ann@b.example>; rel=author"}, []string{"<https://b.example/ftp://c>; rel=next,, <mailto:ann@b.example>; rel=author"}},
	} {
		h, log := answer(t, s, "http://site.example/f", http.Header{}, http.Header{"Link": slices.Clone(test.sent)})
		if got := h["Link"]; !slices.Equal(got, test.want) || (len(log) > 0) == slices.Equal(test.sent, test.want) {
			t.Errorf("%q: got %q, want %q: %v", test.sent, got, test.want, log)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`</a.css>; rel=preload;as=style , <ftp://b/c,d">; rel=duplicate, <https://e/>; title="<ftp://f"`)
	f.Fuzz(func(t *testing.T, line string) {
		once := withoutLinksPastProxy(line)
		if withoutLinksPastProxy(once) != once || slices.ContainsFunc(strings.Split(once, "<")[1:], leadsPastProxy) {
			t.Errorf("%q gives %q", line, once)
		}
	})
}

func FuzzClicks(f *testing.F) {
	for _, reference := range []string{"https://a.example/%?b=1&gclid=2#c", "/?#a&gclid=2", `\\a@b?fbclid=1`, "?utm_a=1", "https:?gclid=1"} {
		f.Add(reference)
	}
	m := newSet(f, Options{}).Read(newRequest(f, "GET", "https://site.example/out?q=1", http.Header{}), netip.Addr{})
	f.Fuzz(func(t *testing.T, reference string) {
		once, _ := withoutClicks(m, reference, true)
		if again, changed := withoutClicks(m, once, true); changed {
			t.Errorf("%q gives %q, then %q", reference, once, again)
		}
	})
}
