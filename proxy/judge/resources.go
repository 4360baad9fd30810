package judge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer returns the origin's reply. /, /json and what a browser asks for
// by itself are for visitors; /p/PROBE/RESOURCE is for probes, and only
// where requests are recorded.
func (o *Origin) answer(req *http.Request, s Seen) reply {
	probe, resource := splitTarget(req.RequestURI)
	if probe == "" || !o.Record {
		return visit(req, s)
	}
	if serve, ok := resources[resource]; ok {
		return serve(o, probe, req, s)
	}
	return text(http.StatusNotFound, "no such test resource\n")
}

type resource func(o *Origin, probe string, req *http.Request, s Seen) reply

// resources is what probes ask for. Bodies are the same for everyone.
var resources = map[string]resource{
	"document": fixed("text/html; charset=utf-8", "<!doctype html><title>Test</title><p>A document."),
	"image":    fixed("image/gif", "GIF89a\x01\x00\x01\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"),
	"style":    fixed("text/css", "p { color: inherit }"),
	"script":   fixed("text/javascript", "void 0;"),
	"font":     fixed("font/woff2", "wOF2"),
	"media":    fixed("video/mp4", "\x00\x00\x00\x18ftypmp42"),
	"data":     fixed("application/json", `{"ok":true}`),
	"redirect": func(_ *Origin, probe string, _ *http.Request, _ Seen) reply {
		return reply{status: http.StatusFound}.with("Location", "/p/"+probe+"/document?next=%2Fa&b=")
	},
	"answer":    answerPrepared,
	"negotiate": negotiate,
	"upload":    upload,
	"ranged":    ranged,
	"validated": validated,
	"private":   private,
	"cors":      cors,
	"coded":     coded,
	"early":     early,
	"trailers":  trailers,
	"edges":     edges,
	"cut":       cut,
	"large":     large,
	"events":    events,
	"socket":    socket,
}

func fixed(contentType, body string) resource {
	return func(*Origin, string, *http.Request, Seen) reply {
		return reply{status: http.StatusOK, body: []byte(body)}.with("Content-Type", contentType)
	}
}

// answerPrepared says what a probe has prepared.
func answerPrepared(o *Origin, probe string, _ *http.Request, _ Seen) reply {
	r := text(http.StatusOK, "answered\n")
	for _, f := range o.prepared(probe) {
		r = r.with(f.Name, f.Value)
	}
	return r
}

func negotiate(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	accept := strings.ToLower(req.Header.Get("Accept"))
	if strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
		return reply{status: 200, body: []byte(`{"kind":"json"}`)}.with("Content-Type", "application/json")
	}
	return reply{status: 200, body: []byte("<p>html")}.with("Content-Type", "text/html")
}

// upload confirms what it got: the length and the hash of the body.
func upload(_ *Origin, _ string, _ *http.Request, s Seen) reply {
	return text(http.StatusOK, receipt(s.Body))
}

func receipt(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%d bytes, sha256 %s\n", len(body), hex.EncodeToString(sum[:]))
}

// filler returns n bytes of which no two stretches look alike.
func filler(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := 0; len(b) < n; i++ {
		b = strconv.AppendInt(b, int64(i), 36)
		b = append(b, '.')
	}
	return b[:n]
}

const rangedLength = 10_000

func ranged(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	body := filler(rangedLength)
	r := reply{status: http.StatusOK, body: body}.with("Content-Type", "application/octet-stream").
		with("Accept-Ranges", "bytes").with("ETag", `"ranged"`)
	var first, last int
	if _, err := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil || first > last || last >= len(body) {
		return r
	}
	r.status, r.body = http.StatusPartialContent, body[first:last+1]
	return r.with("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(body)))
}

func validated(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	r := text(http.StatusOK, "validated\n").with("ETag", `"validated"`).with("Cache-Control", "max-age=60")
	if strings.Contains(req.Header.Get("If-None-Match"), `"validated"`) {
		r.status, r.body = http.StatusNotModified, nil
	}
	return r
}

func private(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	if req.Header.Get("Authorization") == "" {
		return text(http.StatusUnauthorized, "who are you?\n").with("WWW-Authenticate", `Basic realm="judge"`)
	}
	return text(http.StatusOK, "welcome\n")
}

func cors(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	r := reply{status: http.StatusNoContent}
	if req.Method != http.MethodOptions {
		r = text(http.StatusOK, "shared\n")
	}
	if origin := req.Header.Get("Origin"); origin != "" {
		r = r.with("Access-Control-Allow-Origin", origin).with("Access-Control-Allow-Credentials", "true").with("Vary", "Origin")
	}
	if method := req.Header.Get("Access-Control-Request-Method"); method != "" {
		r = r.with("Access-Control-Allow-Methods", method).with("Access-Control-Max-Age", "600")
	}
	if names := req.Header.Get("Access-Control-Request-Headers"); names != "" {
		r = r.with("Access-Control-Allow-Headers", names)
	}
	return r
}

// coded answers with gzip to those who say that they understand it.
func coded(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	body := filler(4096)
	r := text(http.StatusOK, string(body)).with("Vary", "Accept-Encoding")
	if !strings.Contains(strings.ToLower(req.Header.Get("Accept-Encoding")), "gzip") {
		return r
	}
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	zw.Write(body)
	zw.Close()
	r.body = packed.Bytes()
	return r.with("Content-Encoding", "gzip")
}

func early(*Origin, string, *http.Request, Seen) reply {
	r := text(http.StatusOK, "in time\n")
	r.early = []Field{{"Link", "</style.css>; rel=preload; as=style"}}
	return r
}

func trailers(*Origin, string, *http.Request, Seen) reply {
	const body = "with a trailer\n"
	sum := sha256.Sum256([]byte(body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	return chunked(func(w io.Writer, _ *bufio.Reader) error {
		_, err := io.WriteString(w, chunk(body)+"0\r\nRepr-Digest: "+digest+"\r\n\r\n")
		return err
	}).with("Trailer", "Repr-Digest")
}

// edges says what a probe has prepared before its answer and behind it.
func edges(o *Origin, probe string, _ *http.Request, _ Seen) reply {
	prepared := o.prepared(probe)
	r := chunked(func(w io.Writer, _ *bufio.Reader) error {
		var b strings.Builder
		b.WriteString(chunk("in between\n") + "0\r\n")
		writeFields(&b, prepared)
		_, err := io.WriteString(w, b.String()+"\r\n")
		return err
	}).with("Trailer", strings.Join(names(Head{Fields: prepared}), ", "))
	r.early = prepared
	return r
}

// cut breaks its answer off; nobody may take it as whole.
func cut(*Origin, string, *http.Request, Seen) reply {
	r := text(http.StatusOK, "only the beginn").with("Content-Length", "1000")
	r.takeOver = func(io.Writer, *bufio.Reader) error { return io.EOF }
	return r
}

func large(*Origin, string, *http.Request, Seen) reply {
	return text(http.StatusOK, string(filler(1<<20)))
}

// events holds its second half back until the first one has arrived.
func events(o *Origin, probe string, _ *http.Request, _ Seen) reply {
	held := o.releases.of(probe)
	r := chunked(func(w io.Writer, _ *bufio.Reader) error {
		if _, err := io.WriteString(w, chunk("data: one\n\n")); err != nil {
			return err
		}
		wait := time.NewTimer(visitorTime)
		defer wait.Stop()
		select {
		case <-held:
		case <-wait.C:
			return errors.New("the client never got the first event")
		}
		_, err := io.WriteString(w, chunk("data: two\n\n")+"0\r\n\r\n")
		return err
	})
	r.fields[0].Value = "text/event-stream"
	return r
}

func chunked(write func(io.Writer, *bufio.Reader) error) reply {
	r := reply{status: http.StatusOK, takeOver: write}
	return r.with("Content-Type", "text/plain").with("Transfer-Encoding", "chunked")
}

// socket accepts a WebSocket handshake and sends the first text message
// back (RFC 6455 §1.3).
func socket(_ *Origin, _ string, req *http.Request, _ Seen) reply {
	if !strings.EqualFold(req.Header.Get("Upgrade"), "websocket") {
		return text(http.StatusUpgradeRequired, "this is a WebSocket\n").with("Upgrade", "websocket")
	}
	r := reply{status: http.StatusSwitchingProtocols}.with("Upgrade", "websocket").with("Connection", "Upgrade").
		with("Sec-WebSocket-Accept", acceptKey(req.Header.Get("Sec-WebSocket-Key")))
	r.takeOver = func(w io.Writer, br *bufio.Reader) error {
		message, err := readMasked(br)
		if err != nil {
			return err
		}
		_, err = w.Write(append([]byte{0x81, byte(len(message))}, message...))
		return err
	}
	return r
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// readMasked reads one masked frame of up to 125 bytes (RFC 6455 §5.2).
func readMasked(r io.Reader) ([]byte, error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(head[1] & 0x7f)
	if head[1]&0x80 == 0 || n > 125 {
		return nil, errors.New("not a short masked frame")
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	for i := range data {
		data[i] ^= head[2+i%4]
	}
	return data, nil
}
