package proxy

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"guise/cache"
	"guise/proxy/gate"
)

// gzipped returns text as one member of gzip data.
func gzipped(text string) string {
	var coded bytes.Buffer
	w := gzip.NewWriter(&coded)
	io.WriteString(w, text)
	w.Close()
	return coded.String()
}

// A client that cannot decode gets the decoded content, and when it resumes, the
// rest of that: not of the coded bytes that are stored.
func TestDecodedContentIsResumed(t *testing.T) {
	text := strings.Repeat("a line of text\n", 1000)
	coded := gzipped(text)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60") // and no Vary
		w.Header().Set("Etag", `"1"`)
		content := []byte(text)
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			content = []byte(coded)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	defer origin.Close()
	for _, sharing := range []cache.Sharing{cache.Disguised, cache.Shared, cache.PerClient} {
		t.Run(fmt.Sprint(sharing), func(t *testing.T) {
			through := &url.URL{Scheme: "http", Host: serveProxy(t, func(o *Options) { o.Cache.Sharing = sharing })}
			client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), DisableCompression: true, DisableKeepAlives: true}}
			get := func(fields ...string) (*http.Response, string) {
				r, err := http.NewRequest("GET", origin.URL+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range fields {
					name, value, _ := strings.Cut(f, ": ")
					r.Header.Set(name, value)
				}
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return resp, string(body)
			}
			for range 2 {
				if resp, body := get(); body != text || resp.Header.Get("Content-Encoding") != "" {
					t.Fatalf("%d bytes, %v", len(body), resp.Header)
				}
				if resp, body := get("Range: bytes=1000-"); resp.StatusCode != 206 || body != text[1000:] || resp.Header.Get("Content-Encoding") != "" {
					t.Fatalf("%d, %d bytes, %v", resp.StatusCode, len(body), resp.Header)
				}
				if resp, body := get("Accept-Encoding: gzip"); body != coded || resp.Header.Get("Content-Encoding") != "gzip" {
					t.Fatalf("%d bytes, %v", len(body), resp.Header)
				}
			}
		})
	}
}

// TestWhatWasDecodedIsChangedByItsTag: a program that reads no coding has what it got
// decoded, and writes it back where nobody else has in between.
func TestWhatWasDecodedIsChangedByItsTag(t *testing.T) {
	coded := gzipped("a line of text\n")
	var got atomic.Value
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("If-Match") + "|" + r.Header.Get("If-None-Match") + r.Header.Get("If-Range") + r.Header.Get("If"))
		w.Header()["Etag"] = []string{map[string]string{"/strong": `"1"`, "/weak": `W/"1"`}[r.URL.Path]}
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, coded)
	}))
	defer origin.Close()
	for _, sharing := range []cache.Sharing{cache.Disguised, cache.Shared, cache.PerClient} {
		through := &url.URL{Scheme: "http", Host: serveProxy(t, func(o *Options) { o.Cache.Sharing = sharing })}
		client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), DisableCompression: true, DisableKeepAlives: true}}
		do := func(method, path, field, value string) string {
			r, err := http.NewRequest(method, origin.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer token")
			r.Header.Set(field, value)
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.Header.Get("Etag")
		}
		for path, known := range map[string]string{"/strong": `"1"`, "/weak": `W/"1"`} {
			tag := do("GET", path, "Accept", "*/*")
			if !strings.HasPrefix(tag, "W/") {
				t.Errorf("%v: %s has the tag %s", sharing, path, tag)
			}
			for field, want := range map[string]string{"If-Match": known + `, "2"|`, "If-None-Match": "|" + known + `, "2"`} {
				if do("PUT", path, field, tag+`, "2"`); got.Load() != want {
					t.Errorf("%v: %s of %s went out as %v, want %s", sharing, field, path, got.Load(), want)
				}
			}
			if do("PUT", path, "If", "(<urn:uuid:1> ["+tag+"])"); got.Load() != "|(<urn:uuid:1> ["+known+"])" {
				t.Errorf("%v: If of %s went out as %v", sharing, path, got.Load())
			}
			if do("GET", path, "If-Range", tag); strings.Contains(fmt.Sprint(got.Load()), "decoded") {
				t.Errorf("%v: If-Range of %s went out as %v", sharing, path, got.Load())
			}
		}
	}
}

// TestWhatWasDecodedSaysSo: by its tag if it has a strong one, and by Vary.
func TestWhatWasDecodedSaysSo(t *testing.T) {
	for _, c := range []struct {
		tag, want  string
		vary, says []string
	}{
		{`"1"`, `W/"1;decoded"`, nil, []string{"Accept-Encoding"}},
		{`W/"1"`, `W/"1"`, []string{"Cookie"}, []string{"Cookie", "Accept-Encoding"}},
		{"", "", []string{"Cookie, accept-encoding"}, []string{"Cookie, accept-encoding"}},
		{"", "", []string{"*"}, []string{"*"}},
	} {
		h := http.Header{"Vary": c.vary}
		if c.tag != "" {
			h["Etag"] = []string{c.tag}
		}
		if tellDecoded(h); h.Get("Etag") != c.want || !slices.Equal(h["Vary"], c.says) {
			t.Errorf("%s, %q: got %v", c.tag, c.vary, h)
		}
	}
}

// TestWhatWasDecodedIsConfirmedByItsTag: a client's cache updates nothing by the strong tag
// of other bytes (RFC 9111 §4.3.4), whoever says that what it has still stands.
func TestWhatWasDecodedIsConfirmedByItsTag(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Cache-Control", strings.TrimPrefix(r.URL.Path, "/"))
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, gzipped("a line of text\n"))
	}))
	defer origin.Close()
	for _, sharing := range []cache.Sharing{cache.Disguised, cache.Shared, cache.PerClient} {
		proxy := serveProxy(t, func(o *Options) { o.Cache.Sharing = sharing })
		for _, kept := range []string{"max-age=60", "no-store"} {
			page := origin.URL + "/" + kept
			resp, _ := get(t, proxy, page, "Accept-Encoding: identity", "Authorization: Bearer token")
			tag := resp.Header.Get("Etag")
			for _, accepts := range []string{"identity", "gzip"} {
				resp, _ = get(t, proxy, page, "Accept-Encoding: "+accepts, "Authorization: Bearer token", `If-None-Match: "2", `+tag)
				if got := resp.Header.Get("Etag"); resp.StatusCode != http.StatusNotModified || got != tag {
					t.Errorf("%v, %s, %s: %d with the tag %s, want a 304 with %s", sharing, kept, accepts, resp.StatusCode, got, tag)
				}
			}
		}
	}
}

// TestResumingWhatIsAlwaysCoded: where an origin sends a coding whatever is asked for, as
// stores of files do whose objects are kept compressed, a client that resumes what was
// decoded for it gets that whole again: no part of the coded bytes, nor the word that
// there is no more.
func TestResumingWhatIsAlwaysCoded(t *testing.T) {
	text := strings.Repeat("a line of text\n", 1000)
	coded := gzipped(text)
	var asked atomic.Int32
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "no-store")
		content := text
		if r.URL.Path != "/plain" {
			w.Header().Set("Content-Encoding", "gzip")
			content = coded
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}))
	defer origin.Close()
	through := &url.URL{Scheme: "http", Host: serveProxy(t, nil)}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), DisableCompression: true, DisableKeepAlives: true}}
	few, many := len(coded)/2, len(text)-10
	for _, test := range []struct {
		path, accepts string
		from          int
		status        int
		body          string
		asked         int32
	}{
		{"/data.json", "identity", few, 200, text, 2},
		{"/data.json", "identity", many, 200, text, 3},
		{"/data.json", "gzip", few, 206, coded[few:], 1},
		{"/data.json", "gzip", many, 416, "", 1},
		{"/data.json.gz", "identity", few, 206, coded[few:], 1},
		{"/data.json.gz", "identity", many, 416, "", 2},
		{"/plain", "identity", many, 206, text[many:], 1},
		{"/plain", "identity", len(text), 416, "", 1},
		{"/plain", "identity", len(text) + 1, 416, "", 2},
	} {
		asked.Store(0)
		r, err := http.NewRequest("GET", origin.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", test.accepts)
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", test.from))
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != test.status || test.status != 416 && string(body) != test.body || asked.Load() != test.asked {
			t.Errorf("%s from %d in %s: %d, %d bytes, asked %d times, %v", test.path, test.from, test.accepts, resp.StatusCode, len(body), asked.Load(), err)
		}
	}
}

// What follows the members of gzip data and is none does not break a response off; a
// body that was cut short does, wherever that was.
func TestGarbageBehindGzipIsPassedOver(t *testing.T) {
	cut := errors.New("cut")
	one := gzipped("text")
	for _, c := range []struct {
		coded string
		end   error
		want  string
		fails bool
	}{
		{one, io.EOF, "text", false},
		{one + gzipped(" and more"), io.EOF, "text and more", false},
		{one + gzipped(""), io.EOF, "text", false},
		{one + "\r\n", io.EOF, "text", false},
		{one + gzipped(" and more") + "\r\n", io.EOF, "text and more", false},
		{one + strings.Repeat("\x00", 9000), io.EOF, "text", false},
		{one + "\x1f\x8bnothing", io.EOF, "text", false},
		{one[:len(one)-1], io.EOF, "text", true},
		{one + one[:10], io.EOF, "text", true},
		{one, cut, "text", true},
		{one + "\x00", cut, "text", true},
		{one[:len(one)-5] + "xxxxx", io.EOF, "text", true}, // another sum
	} {
		r, err := openGzip(io.MultiReader(strings.NewReader(c.coded), iotest.ErrReader(c.end)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(r))
		if string(got) != c.want || (err != nil) != c.fails {
			t.Errorf("%q: %q, %v", c.coded, got, err)
		}
	}
}

// What follows Brotli data breaks a response off no more than what follows gzip data.
func TestGarbageBehindBrotliIsPassedOver(t *testing.T) {
	var coded bytes.Buffer
	w := brotli.NewWriter(&coded)
	io.WriteString(w, "text")
	w.Close()
	whole := coded.String()
	for _, c := range []struct {
		coded string
		end   error
		fails bool
	}{
		{whole + "\r\n", io.EOF, false},
		{whole + whole, io.EOF, false},
		{whole + strings.Repeat("\x00", 90000), io.EOF, false},
		{whole + "\x00", errors.New("cut"), true},
		{whole[:len(whole)-1], io.EOF, true},
		{"\xff" + whole, io.EOF, true},
	} {
		for _, source := range []io.Reader{strings.NewReader(c.coded), iotest.OneByteReader(strings.NewReader(c.coded))} {
			source = io.MultiReader(source, iotest.ErrReader(c.end))
			body := &decodedBody{source: io.NopCloser(source), open: decoders["br"], exchange: &exchange{}}
			got, err := io.ReadAll(body)
			if (err != nil) != c.fails || !c.fails && string(got) != "text" {
				t.Errorf("%q: %q, %v", c.coded[:min(len(c.coded), 20)], got, err)
			}
		}
	}
}

// A body that was cut short breaks off in every coding, even where its content was
// there; and whole means read to its end, where the trailer is.
func TestDecodedBodiesAreReadToTheirEnd(t *testing.T) {
	const text = "text"
	encoders := map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			encoder, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return encoder
		},
		"deflate without its head": func(w io.Writer) io.WriteCloser {
			encoder, err := flate.NewWriter(w, flate.BestSpeed)
			if err != nil {
				t.Fatal(err)
			}
			return encoder
		},
	}
	for coding, encode := range encoders {
		var coded bytes.Buffer
		w := encode(&coded)
		io.WriteString(w, text)
		w.Close()
		open, _, _ := strings.Cut(coding, " ")
		for _, c := range []struct {
			coded []byte
			end   error
			want  string
			fails bool
		}{
			{coded.Bytes(), io.EOF, text, false},
			{coded.Bytes(), errors.New("cut"), "", true},
			{coded.Bytes()[:coded.Len()-1], io.EOF, "", true},
			{nil, io.EOF, "", false}, // an empty body carries no coding
		} {
			ended := false
			source := &trailerBody{io.NopCloser(io.MultiReader(bytes.NewReader(c.coded), iotest.ErrReader(c.end))), func() { ended = true }}
			body := &decodedBody{source: source, open: decoders[open], exchange: &exchange{}}
			got, err := io.ReadAll(body)
			if (err != nil) != c.fails || (body.exchange.broken.cause() != nil) != c.fails || !c.fails && (string(got) != c.want || !ended) {
				t.Errorf("%s, %d of %d bytes, %v: %q, %v, read to the end %v", coding, len(c.coded), coded.Len(), c.end, got, err, ended)
			}
			body.Close()
		}
	}
}

// TestManyCodingsAreReadOnce: what names thousands of codings is not copied for each of them.
func TestManyCodingsAreReadOnce(t *testing.T) {
	lines := []string{strings.Repeat("gzip,", 20000)}
	if allocations := testing.AllocsPerRun(1, func() { codingOf(lines) }); allocations > 100 {
		t.Errorf("%v allocations", allocations)
	}
	if got := codingOf([]string{"GZip, identity", "br,"}); got != "gzip,br" {
		t.Errorf("got %q", got)
	}
}

// TestACodingAmongWhatCodesNothingIsUndone: elements of the list may be empty (RFC 9110
// §5.6.1.2), or say that there is no coding.
func TestACodingAmongWhatCodesNothingIsUndone(t *testing.T) {
	const text = "text"
	coded := gzipped(text)
	for fields, undone := range map[string]bool{
		"Content-Encoding: ,GZIP,\r\n":                             true,
		"Content-Encoding: identity, gzip\r\n":                     true,
		"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n": true,
		"Content-Encoding: gzip, foo\r\n":                          false,
		"Content-Encoding: gzip, gzip\r\n":                         false,
		"Content-Encoding: identity\r\n":                           false,
	} {
		want := coded
		if undone {
			want = text
		}
		o := serveOrigin(t, answer(fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(coded), coded)))
		resp, body := get(t, serveProxy(t, nil), "http://"+o.address+"/")
		if body != want || (resp.Header["Content-Encoding"] == nil) != undone {
			t.Errorf("%q: got %q, %v", fields, body, resp.Header)
		}
	}
}

// TestDamagedContentIsNotKept: what does not decode is asked for anew, however long it
// may be stored.
func TestDamagedContentIsNotKept(t *testing.T) {
	const text = "a line of text"
	coded := gzipped(text)
	damaged := []byte(coded)
	damaged[len(damaged)-5] ^= 1
	for name, first := range map[string][]byte{"damaged": damaged, "cut": []byte(coded[:len(coded)-4]), "none": []byte("no gzip at all")} {
		for _, sharing := range []cache.Sharing{cache.Disguised, cache.Shared, cache.PerClient} {
			t.Run(fmt.Sprint(name, sharing), func(t *testing.T) {
				var asked atomic.Int32
				origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", "max-age=60")
					w.Header().Set("Content-Encoding", "gzip")
					if asked.Add(1) == 1 {
						w.Write(first)
					} else {
						io.WriteString(w, coded)
					}
				}))
				defer origin.Close()
				through := &url.URL{Scheme: "http", Host: serveProxy(t, func(o *Options) { o.Cache.Sharing = sharing })}
				client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), DisableCompression: true, DisableKeepAlives: true}}
				get := func() string {
					resp, err := client.Get(origin.URL + "/")
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					body, err := io.ReadAll(resp.Body)
					if err != nil || resp.StatusCode != http.StatusOK {
						return ""
					}
					return string(body)
				}
				if got := get(); got != "" {
					t.Fatalf("what does not decode came as %q", got)
				}
				for range 2 {
					if got := get(); got != text {
						t.Errorf("then came %q", got)
					}
				}
				if n := asked.Load(); n != 2 {
					t.Errorf("the origin was asked %d times", n)
				}
			})
		}
	}
}

// TestCodedContentOfUntoldLengthIsNotKept: what a FIN cut came as a whole to a client that
// decodes by itself. The next ones are not given that.
func TestCodedContentOfUntoldLengthIsNotKept(t *testing.T) {
	const text = "a line of text"
	const head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
	whole := gzipped(text)
	cut := whole[:len(whole)-4]
	for _, sharing := range []cache.Sharing{cache.Disguised, cache.Shared, cache.PerClient} {
		var asked atomic.Int32
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if asked.Add(1) == 1 {
				io.WriteString(conn, head+cut)
			} else {
				io.WriteString(conn, head+whole)
			}
		})
		proxy := serveProxy(t, func(o *Options) { o.Cache.Sharing = sharing })
		for _, c := range []struct{ accepts, want string }{{"gzip", cut}, {"gzip", whole}, {"identity", text}} {
			if _, got := get(t, proxy, "http://"+o.address+"/", "Accept-Encoding: "+c.accepts); got != c.want {
				t.Errorf("%v: who accepts %s gets %q, want %q", sharing, c.accepts, got, c.want)
			}
		}
	}
}

// TestDecodedContentCountsAsItIsRead: a client that reads no coding is held to its
// volume by what it gets, which may be a thousand times what an origin sent.
func TestDecodedContentCountsAsItIsRead(t *testing.T) {
	coded := gzipped(string(make([]byte, 1<<20)))
	o := serveOrigin(t, answer(fmt.Sprintf("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(coded), coded)))
	daily := int64(2*len(coded) + 1<<20 + 1) // one more than two coded answers and a decoded one
	proxy := serveProxy(t, func(o *Options) { o.Gate.Client.Daily = daily })
	for _, c := range []struct {
		accepts string
		status  int
	}{{"gzip", 200}, {"gzip", 200}, {"identity", 200}, {"gzip", 200}, {"gzip", 429}} {
		if resp, body := get(t, proxy, "http://"+o.address+"/", "Accept-Encoding: "+c.accepts); resp.StatusCode != c.status {
			t.Errorf("%s: status %d after %d bytes, want %d", c.accepts, resp.StatusCode, len(body), c.status)
		}
	}
}

// TestFilesKeptCompressedStaySo: a server that calls the compression of its archives
// a coding sends them so to everybody, and a client that knows no coding saves them
// as what their name says.
func TestFilesKeptCompressedStaySo(t *testing.T) {
	coded := gzipped("a tape archive")
	for _, c := range []struct {
		path, kind, coding string
		kept               bool
	}{
		{"/pool/hello_2.10.orig.tar.gz", "application/x-tar", "x-gzip", true},
		{"/src/contrib/A3_1.0.0.TGZ?x=1", "application/x-gzip", "x-gzip", true},
		{"/dists/Packages.gz", "text/plain", "gzip", true},
		{"/guessed", "application/x-gzip", "gzip", false},
		{"/page", "text/html", "gzip", false},
		{"/page.gz.html", "text/html", "gzip", false},
		{"/archive.zst", "application/octet-stream", "gzip", false}, // the server's doing
	} {
		o := serveOrigin(t, answer(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\nEtag: \"1\"\r\nContent-Length: %d\r\n\r\n%s", c.kind, c.coding, len(coded), coded)))
		want, coding := "a tape archive", ""
		if c.kept {
			want, coding = coded, c.coding
		}
		resp, body := get(t, serveProxy(t, nil), "http://"+o.address+c.path)
		if body != want || resp.Header.Get("Content-Encoding") != coding {
			t.Errorf("%s, %s: got %q, %v", c.path, c.kind, body, resp.Header)
		}
	}
}

// TestFilesCompressedTwiceComeAsTheyAre: a server that compresses all it sends compresses
// archives as well, for who asks for a coding as the persona does. A client that knows
// none gets the archive, and part of it as broken off.
func TestFilesCompressedTwiceComeAsTheyAre(t *testing.T) {
	archive := gzipped("a tape archive")
	coded := gzipped(archive)
	for _, c := range []struct {
		accepts, want string
		sent          int
	}{{"identity", archive, len(coded)}, {"gzip", coded, len(coded)}, {"identity", "", len(coded) - 1}, {"identity", "", 3}} {
		o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(coded), coded[:c.sent])
		})
		conn := dial(t, serveProxy(t, nil))
		fmt.Fprintf(conn, "GET http://%s/A3.tar.gz HTTP/1.1\r\nHost: %[1]s\r\nAccept-Encoding: %s\r\n\r\n", o.address, c.accepts)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if whole := err == nil && resp.StatusCode == http.StatusOK; whole != (c.want != "") || whole && string(body) != c.want {
			t.Errorf("%s, %d of %d bytes: got %d %q, %v", c.accepts, c.sent, len(coded), resp.StatusCode, body, err)
		}
	}
}

// TestLookIntoCompressedFileEnds: gzip data can go on without end and come to nothing. An
// answer that has sent some of that begins for its client, and what was looked at is not all
// of it that there will ever be, kept in memory.
func TestLookIntoCompressedFileEnds(t *testing.T) {
	const begin, emptyBlock = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\x00\x00\x00\xff\xff" // RFC 1952 §2.3, RFC 1951 §3.2.4
	begun := make(chan struct{})
	o := serveOrigin(t, func(conn net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"+begin+strings.Repeat(emptyBlock, 2000))
		select {
		case <-begun:
		case <-time.After(patience):
		}
	})
	conn := dial(t, serveProxy(t, nil))
	fmt.Fprintf(conn, "GET http://%s/A3.tar.gz HTTP/1.1\r\nHost: %[1]s\r\nAccept-Encoding: identity\r\n\r\n", o.address)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	close(begun)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("got %v, %v", resp, err)
	}
}

// TestDecodedContentHasNoDigestOfAnother: not in the trailer section either.
func TestDecodedContentHasNoDigestOfAnother(t *testing.T) {
	coded := gzipped("hello")
	o := serveOrigin(t, answer(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nAccept-Ranges: bytes\r\nDigest: sha-256=YWJj\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Digest\r\n\r\n"+
		"%x\r\n%s\r\n0\r\nContent-Digest: sha-256=:YWJj:\r\nRepr-Digest: sha-256=:YWJj:\r\nX-Other: 1\r\n\r\n", len(coded), coded)))
	proxy := serveProxy(t, nil)
	resp, body := get(t, proxy, "http://"+o.address+"/")
	if body != "hello" || resp.Trailer.Get("X-Other") != "1" || len(resp.Trailer) != 1 {
		t.Errorf("got %q with %v", body, resp.Trailer)
	}
	if resp.Header["Digest"] != nil {
		t.Errorf("the head has a digest of what was decoded on the way: %v", resp.Header)
	}
	if resp.Header["Accept-Ranges"] != nil || resp.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("what was decoded on the way is said to have parts, or to be for all: %v", resp.Header)
	}
	if resp, _ = get(t, proxy, "http://"+o.address+"/", "Accept-Encoding: gzip"); resp.Trailer.Get("Content-Digest") == "" || resp.Header["Digest"] == nil {
		t.Errorf("got %v and %v with the content that was digested", resp.Header, resp.Trailer)
	}
}

// TestDecodingWaitsForItsTurn: an answer in a coding with a large window is decoded when
// fewer of its client's are. One that takes little does not wait, nor one that the
// client decodes.
func TestDecodingWaitsForItsTurn(t *testing.T) {
	const text = "text"
	var br, gz strings.Builder
	for _, w := range []io.WriteCloser{brotli.NewWriter(&br), gzip.NewWriter(&gz)} {
		io.WriteString(w, text)
		w.Close()
	}
	answered := make(chan struct{}, 3)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coding := r.URL.Path[1:]
		w.Header().Set("Content-Encoding", coding)
		io.WriteString(w, map[string]string{"br": br.String(), "gzip": gz.String()}[coding])
		answered <- struct{}{}
	}))
	defer origin.Close()
	p, proxy := newProxy(t, nil)
	client := gate.Entrant{Address: netip.MustParseAddr("127.0.0.1")}
	all := func() (ends []func()) {
		for range 64 {
			end, ok := p.current.Load().gate.Decode(t.Context(), client)
			if !ok {
				t.Fatal("fewer are decoded at once")
			}
			ends = append(ends, end)
		}
		return ends
	}
	ends := all()

	decoded := make(chan string, 1)
	go func() {
		_, body := get(t, proxy, origin.URL+"/br")
		decoded <- body
	}()
	<-answered
	if _, body := get(t, proxy, origin.URL+"/gzip"); body != text {
		t.Errorf("gzip came as %q", body)
	}
	if _, body := get(t, proxy, origin.URL+"/br", "Accept-Encoding: br"); body != br.String() {
		t.Errorf("what the client decodes came as %q", body)
	}
	select {
	case body := <-decoded:
		t.Fatalf("one more than may be decoded at once came as %q", body)
	default:
	}
	ends[0]()
	if body := <-decoded; body != text {
		t.Errorf("then it came as %q", body)
	}
	for _, end := range ends[1:] {
		end()
	}
	for _, end := range all() { // also the proxy's own have ended
		end()
	}
}

// TestZstdTakesNoMoreThanItsWindow of RFC 8878 §3.1.1.1.2: 8 MiB, whatever a frame says.
func TestZstdTakesNoMoreThanItsWindow(t *testing.T) {
	for exponent, ok := range map[byte]bool{13: true, 14: false, 31: false} {
		r, err := openZstd(strings.NewReader("\x28\xb5\x2f\xfd\x00" + string([]byte{exponent << 3}) + "\x01\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); (err == nil) != ok {
			t.Errorf("a window of 1 KiB << %d: %v", exponent, err)
		}
	}
}
