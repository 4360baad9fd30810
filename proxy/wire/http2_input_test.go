package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestHTTP2InputIsInOrder: what comes in pieces of any size comes out as it went in,
// and one that is empty holds nothing.
func TestHTTP2InputIsInOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	sizes := []int{1, 100, len(inputPiece{}.b) - 1, len(inputPiece{}.b), 3 * len(inputPiece{}.b)}
	var in http2Input
	var want bytes.Buffer
	for i := range 2000 {
		b := make([]byte, rnd.IntN(sizes[rnd.IntN(len(sizes))])+1)
		switch {
		case rnd.IntN(100) == 0:
			in.free()
			want.Reset()
		case rnd.IntN(2) == 0:
			for j := range b {
				b[j] = byte(i + j>>8)
			}
			in.add(b)
			want.Write(b)
		default:
			expected := make([]byte, len(b))
			n, _ := want.Read(expected)
			if got := in.read(b); got != n || !bytes.Equal(b[:got], expected[:n]) {
				t.Fatalf("read %d of %d bytes, or others", got, n)
			}
		}
		if in.left() != want.Len() || in.left() == 0 && (in.first != nil || in.last != nil) {
			t.Fatalf("%d of %d bytes are left", in.left(), want.Len())
		}
	}
}
