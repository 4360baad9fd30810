package wire

import (
	"bufio"
	"cmp"
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// eachPiece hands the next n bytes of r to take, in pieces as they come. A
// piece is valid until take returns: nothing is copied.
func eachPiece(r *bufio.Reader, n int, take func(piece []byte) error) error {
	for n > 0 {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		piece, _ := r.Peek(min(n, r.Buffered()))
		if err := take(piece); err != nil {
			return err
		}
		n -= len(piece)
		r.Discard(len(piece))
	}
	return nil
}

// decodeFields feeds the next n bytes of r, a part of a field block, to d. Once
// d's receiver has set *full, d tells it of no further field, but still decodes
// them: what the table holds depends on every field that came. It returns
// errFieldTooLarge once all n bytes are read.
func decodeFields(r *bufio.Reader, d *hpack.Decoder, n int, full *bool) error {
	var tooLarge error
	err := eachPiece(r, n, func(piece []byte) error {
		if tooLarge != nil {
			return nil
		}
		_, err := d.Write(piece)
		switch {
		case err == hpack.ErrStringLength:
			tooLarge = errFieldTooLarge
		case err != nil:
			return connFault(codeCompression, "invalid field block")
		}
		if *full {
			d.SetEmitEnabled(false)
		}
		return nil
	})
	return cmp.Or(err, tooLarge)
}

var errFieldTooLarge = connFault(codeEnhanceYourCalm, "field too large")

// readHeadersStart reads what a HEADERS frame has in front of its field block (RFC
// 9113 §6.2), and returns the length of that and of the padding behind it. parent
// is the stream that it depends on by its priority, 0 without.
func readHeadersStart(r *bufio.Reader, f frameHead) (length, padding int, parent uint32, err error) {
	if length, padding, err = readPadding(r, f); err != nil || !f.has(flagPriority) {
		return length, padding, 0, err
	}
	const priority = 5
	if length < priority {
		return 0, 0, 0, connFault(codeFrameSize, "HEADERS without its priority")
	}
	b, err := r.Peek(priority)
	if err != nil {
		return 0, 0, 0, err
	}
	parent = binary.BigEndian.Uint32(b) &^ (1 << 31)
	r.Discard(priority)
	return length - priority, padding, parent, nil
}
