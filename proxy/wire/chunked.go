package wire

import (
	"bufio"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxChunkExtension and maxChunkOverhead bound the bytes of the extensions of one
// chunk, and of all of one body, so that a body of one-byte chunks cannot carry a mile
// of them.
const (
	maxChunkExtension = 256
	maxChunkOverhead  = 16 << 10
)

// A chunkedReader decodes a chunked body (RFC 9112 §7.1) from its buffer. It
// takes the grammar at its word: CRLF line ends, and a size of hexadecimal digits
// alone unless padded is set. Extensions are read and dropped.
// Read returns io.EOF after the trailer section, together with the last data
// where all of it has come; io.ErrUnexpectedEOF for a body that is cut anywhere
// before; and a [*ProtocolError] for bad syntax. Errors stay.
type chunkedReader struct {
	r        *bufio.Reader
	limits   Limits      // with defaults
	left     int64       // bytes left of the chunk
	overhead int         // bytes of extensions so far
	began    bool        // a chunk's CRLF is due before the next size
	padded   bool        // white space may follow a size, as some servers send it
	named    []string    // the message's Connection; fields that it names are left out of trailer (RFC 9110 §7.6.1)
	trailer  http.Header // the trailer section, without forbiddenTrailer; nil until it came, or if it was empty
	err      error
}

func newChunkedReader(r *bufio.Reader, limits Limits) *chunkedReader {
	return &chunkedReader{r: r, limits: limits.withDefaults()}
}

func (c *chunkedReader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.err == nil {
		if c.left == 0 {
			// Do not block for the next chunk with data in hand.
			if n > 0 && !c.lineBuffered() {
				return n, nil
			}
			c.err = c.next()
			continue
		}
		if n == len(p) || n > 0 && c.r.Buffered() == 0 {
			return n, nil
		}
		m, err := c.r.Read(p[n:][:min(int64(len(p)-n), c.left)]) // no sum of the two: a chunk may be as large as a number can be
		n += m
		c.left -= int64(m)
		if err != nil {
			c.err = cut(err)
		}
	}
	if n > 0 && c.err != io.EOF {
		return n, nil // the data first, the error next time
	}
	return n, c.err
}

// lineBuffered tells whether next can run without reading. For a last chunk
// that includes an empty trailer section, the usual case.
func (c *chunkedReader) lineBuffered() bool {
	b, _ := c.r.Peek(c.r.Buffered())
	if c.began {
		b = b[min(2, len(b)):]
	}
	for i := range b {
		if b[i] == '\n' {
			return b[0] != '0' || len(b) >= i+3 && b[i+1] == '\r' && b[i+2] == '\n'
		}
	}
	return false
}

// next reads up to the next chunk's data, or to the body's end with io.EOF.
func (c *chunkedReader) next() error {
	if c.began {
		crlf, err := c.r.Peek(2)
		if len(crlf) > 0 && crlf[0] != '\r' || len(crlf) > 1 && crlf[1] != '\n' {
			return malformed("chunk that does not end with CRLF")
		}
		if err != nil {
			return cut(err)
		}
		c.r.Discard(2)
	}
	size, err := c.size()
	if err != nil {
		return err
	}
	c.began = true
	if c.left = size; size > 0 {
		return nil
	}
	// The section's first line is no start line, but has the same form.
	section, err := readHead(c.r, c.limits.Trailer, isValue, nil)
	if err != nil {
		return cut(err)
	}
	if len(section) > 0 {
		c.trailer, err = parseFields(string(section), fieldRules{count: c.limits.Fields, line: c.limits.Line})
		if err != nil {
			return err
		}
		dropForbidden(c.trailer)
		dropNamed(c.trailer, c.named)
	}
	return io.EOF
}

// dropNamed deletes from h the fields that options, the values of Connection, name (RFC 9110
// §7.6.1). Both may be long: each option is looked at once.
func dropNamed(h http.Header, options []string) {
	for _, line := range options {
		for option := range strings.SplitSeq(line, ",") {
			if name, ok := canonicalName(trimSpace(option)); ok {
				delete(h, name)
			}
		}
	}
}

// size reads a chunk-size line.
func (c *chunkedReader) size() (n int64, err error) {
	digits := 0
	for ; ; digits++ {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, cut(err)
		}
		v, ok := hexDigit(b)
		if !ok {
			c.r.UnreadByte()
			break
		}
		if digits == 16 || n >= 1<<59 {
			return 0, malformed("chunk size out of range")
		}
		n = n<<4 | int64(v)
	}
	if digits == 0 {
		return 0, malformed("chunk size that is not a number")
	}
	ext := extensionReader{c: c}
	if err := ext.read(); err != nil {
		return 0, err
	}
	return n, nil
}

func hexDigit(b byte) (v byte, ok bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

// cut is the error of a body that ended with err before its end.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// An extensionReader reads chunk-ext (RFC 9112 §7.1.1) and the line's CRLF.
type extensionReader struct {
	c    *chunkedReader
	b    byte // the byte read last
	size int
	err  error
}

// take reads the next byte into e.b, which is 0 after an error.
func (e *extensionReader) take() {
	if e.b = 0; e.err != nil {
		return
	}
	if e.b, e.err = e.c.r.ReadByte(); e.err != nil {
		e.err = cut(e.err)
		return
	}
	if e.b == '\r' || e.b == '\n' {
		return
	}
	e.size++
	e.c.overhead++
	if e.size > maxChunkExtension || e.c.overhead > maxChunkOverhead {
		e.fail("chunk extensions too long")
	}
}

func (e *extensionReader) fail(what string) {
	if e.err == nil {
		e.b, e.err = 0, malformed(what)
	}
}

// space skips white space from e.b on.
func (e *extensionReader) space() (skipped bool) {
	for ; e.b == ' ' || e.b == '\t'; e.take() {
		skipped = true
	}
	return skipped
}

// token skips a token from e.b on.
func (e *extensionReader) token() {
	if class[e.b]&isToken == 0 {
		e.fail("invalid chunk extension")
	}
	for class[e.b]&isToken != 0 {
		e.take()
	}
}

// quoted skips a quoted-string from its first quote on.
func (e *extensionReader) quoted() {
	for e.take(); e.b != '"'; e.take() {
		if e.b == '\\' {
			e.take()
		}
		if class[e.b]&isValue == 0 {
			e.fail("invalid chunk extension")
			return
		}
	}
	e.take()
}

func (e *extensionReader) read() error {
	e.take()
	space := e.space()
	if space && e.c.padded && e.b == '\r' {
		space = false
		e.c.overhead -= e.size // a server that pads one size pads all, which is no overhead to count
	}
	for e.b == ';' {
		e.take()
		e.space()
		e.token()
		if space = e.space(); e.b != '=' {
			continue
		}
		e.take()
		e.space()
		if e.b == '"' {
			e.quoted()
		} else {
			e.token()
		}
		space = e.space()
	}
	if space || e.b != '\r' { // white space belongs before ";" and "=" alone
		e.fail("chunk size line with more than a size")
	}
	if e.take(); e.b != '\n' {
		e.fail("chunk size line that does not end with CRLF")
	}
	return e.err
}

// appendChunkSize appends the line before n bytes of data.
func appendChunkSize(b []byte, n int) []byte {
	b = strconv.AppendUint(b, uint64(n), 16)
	return append(b, "\r\n"...)
}

// appendLastChunk appends the last chunk and the trailer section, without
// forbiddenTrailer.
func appendLastChunk(b []byte, trailer http.Header) []byte {
	b = append(b, "0\r\n"...)
	for _, name := range trailerNames(trailer) {
		for _, v := range trailer[name] {
			b = appendFieldLine(b, name, v)
		}
	}
	return append(b, "\r\n"...)
}
