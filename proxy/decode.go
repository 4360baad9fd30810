package proxy

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"guise/filters"
)

// decodeForClient undoes a content coding that the persona asked for and the
// client cannot read: every client sends the same Accept-Encoding to an
// origin, whatever it understands itself.
func decodeForClient(e *exchange, resp *http.Response) *http.Response {
	coding := e.codingToUndo(resp)
	if coding == "" || resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusSwitchingProtocols {
		if e.hasDecoded(resp) {
			tellDecoded(resp.Header)
		}
		return resp // part of a coded body cannot be decoded; see ask
	}
	open := decoders[coding]
	hasBody := resp.Request.Method != http.MethodHead && resp.StatusCode != http.StatusNotModified && resp.StatusCode != http.StatusNoContent
	if hasBody && largeWindows[coding] {
		var ok bool
		if e.visit.decoded, ok = e.assembly.gate.Decode(&e.ctx, e.visit.Entrant); !ok {
			return undecoded.response(resp.Request, e.html)
		}
	}
	h := resp.Header
	delete(h, "Content-Encoding")
	delete(h, "Content-Length")
	delete(h, "Accept-Ranges")
	withoutDigests(h)
	withoutDigests(resp.Trailer)
	tellDecoded(h)
	resp.ContentLength = -1
	if hasBody {
		// Decoded bytes count as the client's volume, not the few coded ones that
		// they may come of.
		body := e.body.responseBody
		e.body.use = nil
		u := resp.Request.URL
		decoded := &decodedBody{source: resp.Body, open: open, exchange: e, damaged: func() { e.assembly.store.Drop(e.visitor.Client, u) }}
		body.ReadCloser = &trailerBody{decoded, func() { withoutDigests(resp.Trailer) }}
		resp.Body = &body
	}
	return resp
}

// decodedMark ends the entity tag of a decoded response.
const decodedMark = `;decoded"`

// markDecoded returns the tag of what is decoded from a response with a strong one: other
// bytes, same meaning (RFC 9110 §8.8.1). Of any other it returns "".
func markDecoded(tag string) string {
	if !strings.HasPrefix(tag, `"`) {
		return ""
	}
	return "W/" + strings.TrimSuffix(tag, `"`) + decodedMark
}

// tellDecoded gives h the tag and Vary of a response that is decoded for its client.
func tellDecoded(h http.Header) {
	if tag := markDecoded(h.Get("Etag")); tag != "" {
		h["Etag"] = []string{tag}
	}
	if !slices.ContainsFunc(h["Vary"], func(v string) bool {
		return strings.Contains(v, "*") || strings.Contains(strings.ToLower(v), "accept-encoding")
	}) {
		h["Vary"] = append(h["Vary"], "Accept-Encoding")
	}
}

// hasDecoded reports whether resp is a 304 about a response that was decoded for the
// client; a 304 has no Content-Encoding to tell. By the origin's strong tag the client's
// own cache would update nothing (RFC 9111 §4.3.4), or the wrong response.
func (e *exchange) hasDecoded(resp *http.Response) bool {
	if e.sentTags == "" || resp.StatusCode != http.StatusNotModified {
		return false
	}
	tag := resp.Header.Get("Etag")
	decoded := markDecoded(tag)
	return decoded != "" && strings.Contains(e.sentTags, decoded) && !strings.Contains(e.sentTags, tag)
}

// restoreTags gives marked tags of decoded responses back the strong form that the origin
// knows: a weak one in If-Match is never met (RFC 9110 §13.1.1). Tags that were weak at
// the origin have no mark and stay, as some compare them as they are.
func restoreTags(e *exchange, r *http.Request) (*http.Request, *failure) {
	marked := func(line string) bool { return strings.Contains(line, decodedMark) }
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lines := r.Header[name]; slices.ContainsFunc(lines, marked) {
			e.sentTags = strings.Join(lines, ", ")
			r.Header[name] = []string{decodedTag.ReplaceAllString(e.sentTags, `$1"`)}
		}
	}
	if lines := r.Header["If"]; slices.ContainsFunc(lines, marked) { // RFC 4918 §10.4
		known := make([]string, len(lines))
		for i, line := range lines {
			known[i] = decodedTag.ReplaceAllString(line, `$1"`)
		}
		r.Header["If"] = known
	}
	if marked(r.Header.Get("If-Range")) { // a weak tag is never met (RFC 9110 §13.1.5)
		r = unranged(r)
	}
	return r, nil
}

var decodedTag = regexp.MustCompile(`W/("[^"]*)` + decodedMark)

// codingToUndo returns the coding of resp if guise has to undo it, as its client cannot;
// else "".
func (e *exchange) codingToUndo(resp *http.Response) string {
	lines := resp.Header["Content-Encoding"]
	if len(lines) == 0 {
		return ""
	}
	coding := codingOf(lines)
	if decoders[coding] == nil || filters.AcceptsCoding(e.accepts, coding) || keptCoded(resp, coding) {
		return ""
	}
	return coding
}

// ask gets the answer to r. A client that resumes what was decoded for it means a range
// of the decoded bytes. Range asks for no coding; from an origin that codes all the same,
// the client gets the whole again, decoded, not a part of bytes that it has none of.
func (e *exchange) ask(r *http.Request) (*http.Response, error) {
	resp, err := e.assembly.way.RoundTrip(r)
	if err != nil || len(r.Header["Range"]) == 0 || r.Method != http.MethodGet || r.ContentLength != 0 || !e.isOfCoded(r, resp) {
		return resp, err
	}
	resp.Body.Close()
	return e.assembly.way.RoundTrip(unranged(r))
}

// isOfCoded reports whether resp, the answer to r with its Range, is about content that
// is decoded for the client when it asks for the whole. For a 416 that has to be asked:
// the coded bytes may just be fewer than the client has, which would take its part for
// the whole.
func (e *exchange) isOfCoded(r *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		return e.codingToUndo(resp) != ""
	case http.StatusRequestedRangeNotSatisfiable:
		if filters.AcceptsCoding(e.accepts, "gzip") || !hasMore(r, resp) {
			return false
		}
		head := unranged(r)
		head.Method = http.MethodHead
		whole, err := e.assembly.way.RoundTrip(head)
		if err != nil {
			return false
		}
		whole.Body.Close()
		return e.codingToUndo(whole) != ""
	}
	return false
}

// hasMore reports whether the range of r begins beyond the length that resp, a 416,
// gives. A client whose range begins just there has the whole.
func hasMore(r *http.Request, resp *http.Response) bool {
	var has, is int64
	n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &has)
	m, _ := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes */%d", &is)
	return n+m == 2 && has > is
}

// unranged returns r without its range.
func unranged(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	delete(r.Header, "Range")
	delete(r.Header, "If-Range")
	return r
}

// codingOf returns the content codings that lines name, in lower case, with commas
// between. Empty elements and identity are left out (RFC 9110 §5.6.1.2). Several are not
// undone: each could make a few bytes a thousand times as many for the next.
func codingOf(lines []string) string {
	var room [2]string
	codings := room[:0]
	for _, line := range lines {
		for element := range strings.SplitSeq(strings.ToLower(line), ",") {
			if element = strings.Trim(element, " \t"); element != "" && element != "identity" {
				codings = append(codings, element)
			}
		}
	}
	return strings.Join(codings, ",")
}

// withoutDigests drops digests: they are of the coded bytes.
func withoutDigests(h http.Header) {
	for _, digest := range []string{"Content-Digest", "Content-Md5", "Digest", "Repr-Digest"} {
		delete(h, digest)
	}
}

// keptCoded reports whether resp is, by its name, a compressed file whose compression the
// server calls a content coding, as Apache's AddEncoding does for .gz and .tgz. A client
// that cannot decode it gets it as without guise: it is saved under this name and held
// against a checksum. A media type such as application/gzip is no sign: some servers
// guess it from what they have just compressed.
func keptCoded(resp *http.Response, coding string) bool {
	coding = strings.TrimPrefix(coding, "x-")
	return compressedNames[strings.ToLower(path.Ext(resp.Request.URL.Path))] == coding && !(coding == "gzip" && isCodedTwice(resp))
}

// isCodedTwice reports whether what the gzip coding of resp holds is gzip data again:
// nginx with gzip_types *, Apache with SetOutputFilter DEFLATE and Django's
// GZipMiddleware compress compressed files, too. It reads no more than twiceShown bytes:
// empty blocks can go on without end.
func isCodedTwice(resp *http.Response) bool {
	const twiceShown = 4 << 10
	var start bytes.Buffer
	coded, err := openGzip(io.TeeReader(io.LimitReader(resp.Body, twiceShown), &start))
	inner := make([]byte, len(gzipMagic))
	if err == nil {
		_, err = io.ReadFull(coded, inner)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&start, resp.Body), resp.Body}
	return err == nil && string(inner) == gzipMagic
}

// compressedNames are ends of the names of compressed files, and their codings.
var compressedNames = map[string]string{
	".gz": "gzip", ".tgz": "gzip", ".taz": "gzip", ".svgz": "gzip",
	".br": "br", ".zst": "zstd", ".tzst": "zstd",
}

var decoders = map[string]func(io.Reader) (io.Reader, error){
	"gzip":    openGzip,
	"x-gzip":  openGzip,
	"deflate": openDeflate,
	"br":      func(r io.Reader) (io.Reader, error) { return unbrotli{brotli.NewReader(r)}, nil },
	"zstd":    openZstd,
}

// largeWindows are the codings whose decoders keep megabytes of output to refer back to.
// The others take some 40 KB.
var largeWindows = map[string]bool{"br": true, "zstd": true}

// A gunzip reads the members of gzip data (RFC 1952 §2.2), and ignores what else follows
// them, as browsers do: some servers pad, or append a line.
type gunzip struct {
	source *bufio.Reader
	member *gzip.Reader
}

// gzipMagic begins each member.
const gzipMagic = "\x1f\x8b\x08"

func openGzip(r io.Reader) (io.Reader, error) {
	source := bufio.NewReader(r)
	member, err := gzip.NewReader(source)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gunzip{source, member}, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.member.Read(p)
	if err != io.EOF {
		return n, err
	}
	if next, _ := g.source.Peek(len(gzipMagic)); string(next) != gzipMagic {
		// To its end: the body may have been cut short.
		if _, err := io.Copy(io.Discard, g.source); err != nil {
			return n, err
		}
		return n, io.EOF
	}
	if err := g.member.Reset(g.source); err != nil {
		return n, err
	}
	g.member.Multistream(false)
	return n, nil
}

// An unbrotli reads Brotli data (RFC 7932), and ignores what follows it, as gunzip does.
type unbrotli struct{ data *brotli.Reader }

func (u unbrotli) Read(p []byte) (int, error) {
	n, err := u.data.Read(p)
	if err == errBehindBrotli() {
		err = io.EOF
	}
	return n, err
}

// errBehindBrotli returns package brotli's error for bytes behind the data, which has no name.
var errBehindBrotli = sync.OnceValue(func() error {
	const empty = "\x06"
	_, err := brotli.NewReader(strings.NewReader(empty + "more")).Read(make([]byte, 1))
	return err
})

// openDeflate reads zlib data (RFC 9110 §8.4.1.2) and the raw deflate data
// that some servers send instead.
func openDeflate(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) == 2 && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(buffered)
	}
	return flate.NewReader(buffered), nil
}

// openZstd decodes on the caller's goroutine, within the window that RFC 8878
// §3.1.1.1.2 asks of every decoder.
func openZstd(r io.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
}

// A decodedBody decodes source. It ends with an error if source does not decode, or
// breaks off behind the coded data.
type decodedBody struct {
	source   io.ReadCloser
	open     func(io.Reader) (io.Reader, error)
	buffered *bufio.Reader // of source
	decoder  io.Reader     // nil until the first Read
	exchange *exchange
	damaged  func() // called if what arrived whole does not decode; may be nil
}

func (b *decodedBody) Read(p []byte) (int, error) {
	if b.decoder == nil {
		b.buffered = bufio.NewReader(b.source)
		if _, err := b.buffered.Peek(1); err == io.EOF {
			return 0, io.EOF // an empty body carries no coding
		}
		decoder, err := b.open(b.buffered)
		if err != nil {
			return 0, b.fail(err)
		}
		b.decoder = decoder
	}
	n, err := b.decoder.Read(p)
	switch {
	case err == nil:
	case err != io.EOF:
		err = b.fail(err)
	case n > 0:
		err = nil // the data first
	default:
		if _, cut := io.Copy(io.Discard, b.buffered); cut != nil {
			err = b.fail(cut)
		}
	}
	return n, err
}

// A codingError says that a body does not decode.
type codingError struct{ err error }

func (e *codingError) Error() string { return "decode content coding: " + e.err.Error() }
func (e *codingError) Unwrap() error { return e.err }

// fail notes why the body breaks off.
func (b *decodedBody) fail(err error) error {
	if b.damaged != nil && b.exchange.broken.cause() == nil {
		b.damaged() // else it stays stored, damaged as it is
	}
	err = &codingError{err}
	b.exchange.broken.note(err)
	return err
}

func (b *decodedBody) Close() error {
	if d, ok := b.decoder.(*zstd.Decoder); ok {
		d.Close()
	}
	return b.source.Close()
}
