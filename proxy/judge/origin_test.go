package judge

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// What the origin keeps is what was sent, byte by byte.
func TestOriginKeepsTheExactBytes(t *testing.T) {
	for _, c := range []struct{ name, request, body string }{
		{"order and case", "GET /p/x/document HTTP/1.1\r\nhOST: a\r\nB: 1\r\na:2 \r\nb:   3\r\n\r\n", ""},
		{"chunk extensions and trailers", "POST /p/x/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;u=1\r\nhello\r\n0;v\r\nX-T: 9\r\n\r\n", "hello"},
		{"a length", "POST /p/x/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "abc"},
		{"bytes beyond ASCII", "GET /p/x/document HTTP/1.1\r\nHost: a\r\nX: \xe9\xff\r\n\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &Origin{Record: true}
			read(t, listening(t, o), c.request)
			seen := o.record.of("x")
			if len(seen) != 1 || string(seen[0].Raw) != c.request || string(seen[0].Body) != c.body || seen[0].Err != nil {
				t.Errorf("saw %q", seen)
			}
			if !seen[0].Remote.Addr().IsLoopback() {
				t.Errorf("from %v", seen[0].Remote)
			}
		})
	}
}

// Requests that come in one packet are told apart.
func TestOriginTellsPipelinedRequestsApart(t *testing.T) {
	o := &Origin{Record: true}
	conn, err := net.Dial("tcp", listening(t, o))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all strings.Builder
	for i := range 3 {
		fmt.Fprintf(&all, "POST /p/n%d/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n#%d", i, i)
	}
	all.WriteString("GET /p/last/document HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	io.WriteString(conn, all.String())
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	var got string
	for _, probe := range []string{"n0", "n1", "n2", "last"} {
		for _, s := range o.record.of(probe) {
			got += string(s.Raw)
		}
	}
	if got != all.String() {
		t.Errorf("saw %q", got)
	}
}

func TestOriginAnswersWhatIsNoRequest(t *testing.T) {
	o := &Origin{Record: true}
	address := listening(t, o)
	resp, _ := read(t, address, "SMTP?\r\n\r\n")
	if seen := o.record.of(""); resp.StatusCode != 400 || len(seen) != 1 || seen[0].Err == nil {
		t.Errorf("status %d, saw %v", resp.StatusCode, seen)
	}
	visitor := listening(t, new(Origin))
	resp, _ = read(t, visitor, "GET / HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", pageLimit)+"\r\n\r\n")
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a head over the limit has status %d", resp.StatusCode)
	}
}

// An origin for visitors keeps nothing and has no test resources.
func TestOriginForVisitorsRemembersNothing(t *testing.T) {
	o := new(Origin)
	resp, _ := read(t, listening(t, o), "GET /p/x/large HTTP/1.1\r\nHost: a\r\n\r\n")
	if resp.StatusCode != http.StatusNotFound || len(o.record.seen) != 0 {
		t.Errorf("status %d, %d kept", resp.StatusCode, len(o.record.seen))
	}
}

func TestPageShowsTheVisitor(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: <script>alert(1)</script>\r\nX-Forwarded-For: 192.0.2.7\r\nAccept-Language: en-US,en;q=0.5\r\n\r\n"
	address := listening(t, new(Origin))
	resp, body := read(t, address, request)
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	for _, want := range []string{"127.0.0.1", "transparent", "192.0.2.7", "&lt;script&gt;", "width=device-width", "missing"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if policy := resp.Header.Get("Content-Security-Policy"); strings.Contains(body, "<script") || !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "script") {
		t.Errorf("the page holds a script, or its policy, %q, lets one run", policy)
	}
	_, body = read(t, address, strings.Replace(request, "GET /", "GET /json", 1))
	var v struct {
		Grade, Address string
		Fields         []struct{ Name, Value, Verdict, Why string }
		Count          map[string]int
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if v.Grade != "transparent" || v.Address != "127.0.0.1" || v.Fields[2].Verdict != "identifying" || v.Fields[3].Verdict != "common" || v.Count["missing"] != 3 {
		t.Errorf("%+v", v)
	}
	if resp, _ = read(t, address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST has status %d", resp.StatusCode)
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        Verdict
		class       Class
	}{
		{"Host", "a", Common, 0},
		{"user-agent", firefox.browser.agents[0], Common, 0},
		{"User-Agent", "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0.5481.154 Mobile Safari/537.36", Identifying, Identity},
		{"User-Agent", chrome.browser.agents[2], Common, 0},
		{"Accept", blinkAccept[anImage], Common, 0},
		{"Accept", "text/html;uid=7", Identifying, Identity},
		{"Accept-Language", "en-US,en;q=0.9", Common, 0},
		{"Accept-Language", "nb-NO,nb;q=0.9", Identifying, Identity},
		{"Referer", "http://a/", Common, 0},
		{"Referer", "http://a/diary", Identifying, Identity},
		{"Cookie", "a=b", Identifying, Identity},
		{"x_real_ip", "x", Identifying, Route},
		{"Via", "1.1 a", Identifying, Route},
		{"X-Cache", "MISS", Identifying, Visible},
		{"X-Whatever", "seen from [2001:db8::1]:80", Identifying, Route},
		{"X-Whatever", "1.2.3", Identifying, Identity},
		{"Sec-CH-UA-Model", `"X"`, Identifying, Identity},
	} {
		got, why, class := judgeField(Field{c.name, c.value}, "a")
		if got != c.want || class != c.class || why == "" {
			t.Errorf("%s: %s is %s (%v, %q)", c.name, c.value, got, class, why)
		}
	}
}

// What most people use is common. Only the language may tell.
func TestBrowsersAreCommon(t *testing.T) {
	for _, b := range browsers {
		if b.name == "Samsung Internet" || b.name == "Opera" || b.name == "an older Firefox" {
			continue
		}
		for _, f := range (visitor{browser: &b, language: "en-US"}).fields(aDocument, "http", "a") {
			if got, why, _ := judgeField(f, "a"); got != Common && f.Name != "Accept-Language" {
				t.Errorf("%s: %s: %s is %s: %s", b.name, f.Name, f.Value, got, why)
			}
		}
	}
}
