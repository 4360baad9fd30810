package wire

import (
	"bufio"
	"bytes"
	"io"
)

// headTooLarge is the What of a [ProtocolError], or http2Fault, about the size of a head.
const headTooLarge = "head too large"

// readHead returns the next head in r: its lines with their CRLF, without the
// empty line that ends it, which is consumed. The bytes are valid until the
// next read from r; a head that fits r's buffer is not copied. A head that
// starts with the empty line is returned empty. With an error, what had come of
// the head is returned.
//
// If the head is not there in whole, early (unless nil) is called before each
// further read with what has come, the first time when at least one byte has;
// its error ends the reading, so that nobody waits for the rest of a head that
// is refused anyway.
//
// Errors are io.EOF before the first byte, io.ErrUnexpectedEOF within the
// head, a [*ProtocolError] for a line that ends without CR, a byte not of class may
// in an unfinished line or more than limit bytes, and those of r.
func readHead(r *bufio.Reader, limit int, may byte, early func([]byte) error) ([]byte, error) {
	var spill []byte // a head larger than r's buffer
	var line, pos int
	for want := max(1, r.Buffered()); ; want = r.Buffered() + 1 {
		if _, err := r.Peek(want); err != nil {
			if err == io.EOF && (spill != nil || r.Buffered() > 0) {
				err = io.ErrUnexpectedEOF
			}
			have, _ := r.Peek(r.Buffered())
			return append(spill, have...), err
		}
		head, _ := r.Peek(r.Buffered())
		fresh := len(head)
		if spill != nil {
			spill = append(spill, head...)
			head = spill
		}
		end, err := scanLines(head, may, &line, &pos)
		if err != nil {
			return head, err
		}
		if end > limit || end < 0 && len(head) >= limit {
			return head, &ProtocolError{431, headTooLarge}
		}
		if end >= 0 {
			r.Discard(fresh - (len(head) - end))
			return head[:end-2], nil
		}
		if early != nil {
			if err := early(head); err != nil {
				return head, err
			}
		}
		if spill == nil && fresh == r.Size() {
			spill = append(make([]byte, 0, 4*fresh), head...)
		}
		if spill != nil {
			r.Discard(fresh)
		}
	}
}

// scanLines looks for the empty line in head, from the line that starts at
// *line and the position *pos within it, and returns the offset after it, or
// -1 if it is still to come.
func scanLines(head []byte, may byte, line, pos *int) (end int, err error) {
	for {
		i := bytes.IndexByte(head[*pos:], '\n')
		if i < 0 {
			fresh := max(*line, *pos-1) // a CR may have been the last so far
			*pos = len(head)
			return -1, checkPartial(head[fresh:], may)
		}
		i += *pos
		if i == *line || head[i-1] != '\r' {
			return 0, malformed("line that does not end with CRLF")
		}
		if i-1 == *line {
			return i + 1, nil
		}
		*line, *pos = i+1, i+1
	}
}

// checkPartial refuses an unfinished line, of which b is the end, that can only
// become an invalid one.
func checkPartial(b []byte, may byte) error {
	for i, c := range b {
		if class[c]&may == 0 && (c != '\r' || i != len(b)-1) {
			return malformed("control in a head")
		}
	}
	return nil
}
