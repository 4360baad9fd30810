package wire

import (
	"bufio"

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
// them: what the table holds depends on every field that came.
func decodeFields(r *bufio.Reader, d *hpack.Decoder, n int, full *bool) error {
	return eachPiece(r, n, func(piece []byte) error {
		_, err := d.Write(piece)
		switch {
		case err == hpack.ErrStringLength:
			return connFault(codeEnhanceYourCalm, "field too large")
		case err != nil:
			return connFault(codeCompression, "invalid field block")
		}
		if *full {
			d.SetEmitEnabled(false)
		}
		return nil
	})
}
