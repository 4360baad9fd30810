package filters

import (
	"net/http"
	"strings"
	"testing"
)

// Whose a file is, is in the way to it.
func TestFilesAreSentWithoutTheirOwnersFolder(t *testing.T) {
	s := newSet(t, Options{})
	for sent, want := range map[string]string{
		`Content-Disposition: attachment; filename="C:\Users\ann\Desktop\a b.jpg"; size=5`:                  `attachment; filename="a b.jpg"; size=5`,
		`Content-Disposition: attachment; filename="C:\\Users\\ann.larsen\\a.jpg"`:                          `attachment; filename="a.jpg"`,
		`Content-Disposition: attachment; filename=/home/ann/a.jpg`:                                         `attachment; filename=a.jpg`,
		`Content-Disposition: form-data; name="/home/ann"; filename*=UTF-8''%2FUsers%2Fann%2Fp%20q%2Fa.jpg`: `form-data; name="/home/ann"; filename*=UTF-8''a.jpg`,
		`X-File-Name: C%3A%5CDocuments%20and%20Settings%5Cann%20l%5Ca.jpg`:                                  `a.jpg`,
		`X-Filename: file:///Users/ann/Pictures/a.jpg`:                                                      `a.jpg`,
		`Slug: /home/ann/a.jpg`: `a.jpg`,
		`Content-Disposition: attachment; filename="photos/2026/a.jpg"`:                                                 `attachment; filename="photos/2026/a.jpg"`,
		`Content-Disposition: attachment; filename="/mnt/c/Users/ann/a.jpg"`:                                            `attachment; filename="a.jpg"`,
		`Content-Disposition: attachment; filename=\\nas\ann\a.jpg; size=5`:                                             `attachment; filename=a.jpg; size=5`,
		`Content-Disposition: attachment; FileName = "/media/ann/a disk/a.jpg"`:                                         `attachment; FileName = "a.jpg"`,
		`Content-Disposition: attachment; filename="~ann/a.jpg"; filename*=utf-8'de'file:%2F%2F%2Ftmp%2Fa`:              `attachment; filename="a.jpg"; filename*=utf-8'de'a`,
		`Content-Disposition: attachment; modification-date="Fri, 27 Nov 2026 08:31:08 +0100"; filename=a; read-date=x`: `attachment; filename=a`,
		`Content-Disposition: attachment; canary=4f0a; filename="a; owner=b.jpg"; owner="ann"`:                          `attachment; filename="a; owner=b.jpg"`,
		`Slug: /export/home/ann/a.jpg`:      `a.jpg`,
		`X-File-Name: /volume1/share/a.jpg`: `/volume1/share/a.jpg`,
		`Slug: home/a.jpg`:                  `home/a.jpg`,
	} {
		name, value, _ := strings.Cut(sent, ": ")
		h := http.Header{"User-Agent": {"tool/1"}, "Content-Type": {"image/jpeg"}, name: {value}}
		r := newRequest(t, "POST", "https://api.example/media", h)
		r.ContentLength = 5
		scrubbed(t, s, r)
		if got := h.Get(name); got != want {
			t.Errorf("%s became %s, want %s", sent, got, want)
		}
		if log := (fileNames{}).Apply(&Message{Request: r}, nil); len(log) > 0 {
			t.Errorf("%s: a second time %v", sent, log)
		}
	}
}

func FuzzFileNames(f *testing.F) {
	f.Add(`attachment; filename="C:\Users\ann\a.jpg"`)
	f.Add(`a; filename="~a/b"; creation-date="Fri, 27 Nov 2026"; filename=filename*=UTF-8''c:%5c`)
	f.Add(`a; filename=///"~a/b"`)
	f.Add(`a; filename=// "~a/b; filename=/"  /`)
	f.Add("file:%2Fhome/%5cUsers\\a//b;/home/home/a/b")
	f.Fuzz(func(t *testing.T, value string) {
		m := scriptRequest("Content-Disposition", value)
		m.Request.Method = http.MethodPost
		fileNames{}.Apply(m, nil)
		if log := (fileNames{}).Apply(m, nil); len(log) > 0 {
			t.Errorf("%q: a second time left %q", value, m.Request.Header)
		}
	})
}
