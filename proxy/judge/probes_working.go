package judge

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// workingProbes find out what a proxy breaks. One that hides everything by
// letting nothing through is of no use.
func workingProbes() []probe {
	out := slices.Concat(readingProbes(), writingProbes(), sharingProbes(), streamingProbes())
	for i := range out {
		out[i].section = working
	}
	return out
}

// keeps returns a check that the named fields arrive with the value they
// were sent with, and that the answer is one of the statuses.
func keeps(statuses []int, names ...string) func(*trial) error {
	return func(t *trial) error {
		seen, err := t.arrived()
		if err != nil {
			return err
		}
		sent := Head{Fields: t.draft.fields}
		for _, name := range names {
			if seen.Head.Get(name) != sent.Get(name) {
				return fmt.Errorf("%s did not arrive as it was sent", name)
			}
		}
		return t.answered(statuses...)
	}
}

var wholePage = []int{http.StatusOK}

func readingProbes() []probe {
	return []probe{
		{name: "A part of a file (Range)", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.resource = "ranged"
			d.add("Range", "bytes=100-299")
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusPartialContent), want(bytes.Equal(t.got.body, filler(rangedLength)[100:300]), "the wrong part came back"))
		}},
		{name: "A page that the browser has already (If-None-Match)", build: func(d *draft) {
			d.ask(firefox, aFetch)
			d.resource = "validated"
			d.add("If-None-Match", `"validated"`)
		}, check: func(t *trial) error {
			if t.got.status == http.StatusNotModified {
				return t.answered(http.StatusNotModified)
			}
			return all(t.answered(http.StatusOK), want(string(t.got.body) == "validated\n", "neither 304 nor the page came back"))
		}},
		{name: "JSON for those who ask for it (Accept)", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.resource = "negotiate"
			d.set("Accept", "application/json")
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(string(t.got.body) == `{"kind":"json"}`, "something else than JSON came back"))
		}},
		{name: "A query with its order and spelling", build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.suffix = "?b=2&a=1&a=%7e&c&=x&q=a+b%20c&;d"
		}, check: func(t *trial) error {
			seen, err := t.arrived()
			return all(err, want(strings.Contains(seen.Head.Line, t.draft.suffix+" "), "the query was changed"), t.answered(http.StatusOK))
		}},
		{name: "A page for a client without compression", build: func(d *draft) {
			d.ask(firefox, aFetch)
			d.resource = "coded"
			d.drop("Accept-Encoding")
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(bytes.Equal(t.got.body, filler(4096)), "the client cannot read what came back"))
		}},
		{name: "A compressed page", build: func(d *draft) {
			d.ask(firefox, aFetch)
			d.resource = "coded"
		}, check: func(t *trial) error { return all(t.answered(http.StatusOK), unpacks(t.got)) }},
		{name: "A redirect", build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "redirect"
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusFound),
				want(t.got.head.Get("Location") == "/p/"+t.draft.id+"/document?next=%2Fa&b=", "Location was changed"))
		}},
		{name: "A head without its body (HEAD)", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.method, d.resource = http.MethodHead, "large"
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(t.got.head.Get("Content-Length") == fmt.Sprint(1<<20), "the length was changed"))
		}},
		{name: "A large download", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.resource = "large"
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(bytes.Equal(t.got.body, filler(1<<20)), "other bytes came back"))
		}},
		{name: "A download that breaks off is not passed off as whole", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.resource = "cut"
		}, check: func(t *trial) error {
			return want(t.got.err != nil || t.got.status >= 500, "the client cannot tell that something is missing")
		}},
	}
}

// unpacks checks that a body is the test text, compressed or not.
func unpacks(got received) error {
	var r io.Reader = bytes.NewReader(got.body)
	if got.head.Get("Content-Encoding") == "gzip" {
		zr, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		r = zr
	}
	body, err := io.ReadAll(r)
	return all(err, want(bytes.Equal(body, filler(4096)), "other bytes came back"))
}

func writingProbes() []probe {
	whole := func(t *trial) error {
		seen, err := t.arrived()
		return all(err, t.answered(http.StatusOK), want(string(t.got.body) == receipt(seen.Body), "another answer came back"),
			want(bytes.Equal(seen.Body, t.draft.uploaded()), "the upload did not arrive whole"))
	}
	post := func(d *draft, method string) {
		d.ask(chrome, aFetch)
		d.method, d.resource = method, "upload"
		d.add("Origin", d.site())
	}
	return []probe{
		{name: "An upload of a form with a file", build: func(d *draft) {
			post(d, http.MethodPost)
			const boundary = "----WebKitFormBoundaryq3f6hT8LwZ0bS2Xk"
			d.body = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n" +
				string(filler(256<<10)) + "\r\n--" + boundary + "--\r\n"
			d.add("Content-Type", "multipart/form-data; boundary="+boundary)
			d.add("Content-Length", fmt.Sprint(len(d.body)))
		}, check: func(t *trial) error {
			return all(whole(t), keeps(wholePage, "Content-Type", "Content-Length", "Origin")(t))
		}},
		{name: "An upload of unknown length", build: func(d *draft) {
			post(d, http.MethodPost)
			d.add("Content-Type", "application/octet-stream")
			d.add("Transfer-Encoding", "chunked")
			data := string(filler(10_000))
			d.body = chunk(data[:1]) + chunk(data[1:5000]) + chunk(data[5000:]) + "0\r\n\r\n"
		}, check: whole},
		{name: "A change that must not overwrite another (PUT, If-Match)", build: func(d *draft) {
			post(d, http.MethodPut)
			d.body = `{"a":1}`
			d.add("Content-Type", "application/json")
			d.add("If-Match", `"v7"`)
			d.add("Content-Length", "7")
		}, check: func(t *trial) error { return all(whole(t), keeps(wholePage, "If-Match", "Content-Type")(t)) }},
		{name: "A payment that must not happen twice (Idempotency-Key)", build: func(d *draft) {
			post(d, http.MethodPost)
			d.add("Idempotency-Key", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`)
			d.add("Content-Length", "0")
		}, check: keeps(wholePage, "Idempotency-Key")},
		{name: "A body that waits to be asked for (Expect)", build: func(d *draft) {
			post(d, http.MethodPost)
			d.body = "patience"
			d.add("Expect", "100-continue")
			d.add("Content-Length", "8")
		}, check: whole},
		{name: "A copy on a WebDAV server", build: func(d *draft) {
			post(d, "COPY")
			d.add("Destination", d.site()+"/b")
			d.add("Depth", "infinity")
			d.add("Overwrite", "F")
		}, check: keeps(wholePage, "Destination", "Depth", "Overwrite")},
		{name: "The rest of an upload that broke off (tus)", choice: true, build: func(d *draft) {
			post(d, http.MethodPatch)
			d.body = "the rest"
			d.add("Tus-Resumable", "1.0.0")
			d.add("Upload-Offset", "1048576")
			d.add("Content-Type", "application/offset+octet-stream")
			d.add("Content-Length", "8")
		}, check: func(t *trial) error {
			return all(whole(t), keeps(wholePage, "Tus-Resumable", "Upload-Offset", "Content-Type")(t))
		}},
		{name: "An API's key, tenant and version", choice: true, build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.set("Accept", "application/json")
			d.add("X-Api-Key", "q9wE2kLm0Zx8b1")
			d.add("X-Tenant-Id", "8e03978e-40d5-43dd-bc93-6894a57f9324")
			d.add("X-Api-Version", "2026-01-01")
		}, check: keeps(wholePage, "X-Api-Key", "X-Tenant-Id", "X-Api-Version")},
		{name: "Fields that scripts need", choice: true, build: func(d *draft) {
			post(d, http.MethodPost)
			d.add("X-CSRF-Token", "q9wE2kLm")
			d.add("X-Requested-With", "XMLHttpRequest")
			d.add("Content-Length", "0")
		}, check: keeps(wholePage, "X-CSRF-Token", "X-Requested-With")},
	}
}

// uploaded is the body of the draft without its framing.
func (d *draft) uploaded() []byte {
	if !(Head{Fields: d.fields}).Has("Transfer-Encoding") {
		return []byte(d.body)
	}
	return filler(10_000)
}

func sharingProbes() []probe {
	return []probe{
		{name: "Asking another site for permission (CORS preflight)", build: (*draft).askPermission, check: func(t *trial) error {
			return all(keeps([]int{204, 200}, "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")(t),
				want(t.got.head.Get("Access-Control-Allow-Headers") == "content-type,x-csrf-token" &&
					t.got.head.Get("Access-Control-Allow-Methods") == "PUT", "the permission did not come back"))
		}},
		{name: "Reading from another site (CORS)", build: func(d *draft) {
			d.ask(firefox, aFetch)
			d.resource = "cors"
			d.set("Sec-Fetch-Site", "cross-site")
			d.drop("Referer")
			d.add("Origin", "http://shop.example")
		}, check: func(t *trial) error {
			return all(keeps(wholePage, "Origin")(t),
				want(t.got.head.Get("Access-Control-Allow-Origin") == "http://shop.example", "the permission did not come back"))
		}},
		{name: "Logging in (Authorization)", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.resource = "private"
			d.add("Authorization", "Bearer "+base64.RawURLEncoding.EncodeToString([]byte("a token")))
		}, check: keeps(wholePage, "Authorization")},
		{name: "Being asked to log in", build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "private"
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusUnauthorized), want(t.got.head.Has("WWW-Authenticate"), "the question did not come back"))
		}},
		{name: "A cookie of the site itself", choice: true, build: func(d *draft) {
			d.ask(firefox, aDocument)
			d.resource = "answer"
			d.set("Sec-Fetch-Site", "same-origin")
			d.add("Cookie", "cart=3; theme=dark")
			d.answer = []Field{{"Set-Cookie", "cart=4; Path=/; HttpOnly"}}
		}, check: func(t *trial) error {
			return all(keeps(wholePage, "Cookie")(t), want(strings.HasPrefix(t.got.head.Get("Set-Cookie"), "cart=4"), "the cookie was not set"))
		}},
		{name: "Fields of an answer that browsers need", build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "answer"
			d.answer = []Field{{"Content-Security-Policy", "default-src 'self'"}, {"Link", "</a.css>; rel=preload; as=style"},
				{"SourceMap", "/a.js.map"}, {"Content-Disposition", `attachment; filename="a.txt"`}, {"Content-Language", "nb"},
				{"X-Content-Type-Options", "nosniff"}, {"X-Total-Count", "17"}}
			if !d.https { // there a proxy may keep it for all clients
				d.answer = append(d.answer, Field{"Strict-Transport-Security", "max-age=31536000"})
			}
		}, check: func(t *trial) error {
			for _, f := range t.draft.answer {
				if t.got.head.Get(f.Name) != f.Value {
					return fmt.Errorf("%s did not come back", f.Name)
				}
			}
			return t.answered(http.StatusOK)
		}},
	}
}

func streamingProbes() []probe {
	return []probe{
		{name: "Events that come one by one", build: func(d *draft) {
			d.ask(chrome, aFetch)
			d.resource = "events"
			d.set("Accept", "text/event-stream")
		}, send: func(ctx context.Context, c client, t *trial) (err error) {
			t.got, err = c.stream(ctx, t.sent, "data: one\n\n", func() { t.origin.releases.release(t.draft.id) })
			return err
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(string(t.got.body) == "data: one\n\ndata: two\n\n", "events were lost"))
		}},
		{name: "A WebSocket", build: (*draft).askSocket, send: func(ctx context.Context, c client, t *trial) error {
			got, back, err := c.socket(ctx, t.sent, "hello")
			got.body = []byte(back)
			t.got = got
			return err
		}, check: func(t *trial) error {
			_, err := t.arrived()
			key := Head{Fields: t.draft.fields}.Get("Sec-WebSocket-Key")
			return all(err, t.answered(http.StatusSwitchingProtocols), want(string(t.got.body) == "hello", "the message did not come back"),
				want(t.got.head.Get("Sec-WebSocket-Accept") == acceptKey(key), "the handshake does not match"))
		}},
		{name: "A client of HTTP/1.0", build: func(d *draft) {
			d.resource = "large"
			d.raw = []byte("GET " + d.target() + " HTTP/1.0\r\n")
			if d.https {
				d.raw = append(d.raw, "Host: "+d.host+"\r\n"...)
			}
			d.raw = append(d.raw, "\r\n"...)
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(bytes.Equal(t.got.body, filler(1<<20)), "other bytes came back"))
		}},
		{name: "A tunnel (CONNECT), with bytes that come early", choice: true, opaque: true, outside: true, build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.raw = request(d.method, d.path(), d.fields, "")
		}, send: func(ctx context.Context, c client, t *trial) error {
			connect, inside, err := c.tunnel(ctx, t.draft.host, t.sent)
			t.got = inside
			if inside.status == 0 && inside.err == nil {
				t.got = connect
			}
			return err
		}, check: func(t *trial) error {
			seen, err := t.arrived()
			return all(err, t.answered(http.StatusOK), want(bytes.Equal(seen.Raw, t.sent), "the tunnel changed the bytes"))
		}},
		{name: "Early hints (103)", build: func(d *draft) {
			d.ask(chrome, aDocument)
			d.resource = "early"
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(slices.Contains(t.got.interim, http.StatusEarlyHints), "the hints did not come back"))
		}},
		{name: "A trailer with the answer's digest", build: func(d *draft) {
			d.ask(firefox, aFetch)
			d.resource = "trailers"
			d.add("TE", "trailers")
		}, check: func(t *trial) error {
			return all(t.answered(http.StatusOK), want(string(t.got.body) == "with a trailer\n", "other bytes came back"),
				want(t.got.trailer.Get("Repr-Digest") != "", "the trailer did not come back"))
		}},
	}
}
