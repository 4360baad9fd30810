package wire

import "testing"

// Large buffers are for what comes fast, and for so many at a time.
func TestLent(t *testing.T) {
	var all [maxLarge + 2]lent
	for i := range all {
		l := &all[i]
		l.take(smallBuffer)
		for _, step := range []struct{ read, size int }{
			{smallBuffer - 1, smallBuffer}, {smallBuffer, copyBuffer}, {copyBuffer - 1, copyBuffer},
		} {
			if l.fit(step.read); cap(*l.buf) != step.size {
				t.Fatalf("after a read of %d: %d bytes, want %d", step.read, cap(*l.buf), step.size)
			}
		}
		l.fit(copyBuffer)
		if large := cap(*l.buf) == largeBuffer; large != (i < maxLarge) {
			t.Errorf("the %d. got %d bytes", i+1, cap(*l.buf))
		}
	}
	all[0].fit(copyBuffer)
	if cap(*all[0].buf) != largeBuffer {
		t.Error("the rest of a fast copy has a smaller buffer")
	}
	all[0].fit(copyBuffer - 1)
	if cap(*all[0].buf) != copyBuffer {
		t.Error("a slow copy keeps its large buffer")
	}
	last := &all[len(all)-1]
	last.fit(copyBuffer)
	if cap(*last.buf) != largeBuffer {
		t.Error("one that was given back is not used again")
	}
	for i := range all {
		all[i].giveBack()
	}
	if n := largeInUse.Load(); n != 0 {
		t.Errorf("%d in use, want none", n)
	}
}

// Where very many copies go on at once, as to slow readers, most get by with small pieces.
func TestVeryManyCopiesTakeSmallPieces(t *testing.T) {
	var all [maxCopies + 2]lent
	for i := range all {
		l := &all[i]
		l.takeFor(1 << 20)
		l.fit(cap(*l.buf) - 1)
		if whole := cap(*l.buf) == copyBuffer; whole != (i < maxCopies) || !whole && cap(*l.buf) != pieceBuffer {
			t.Fatalf("the %d. got %d bytes", i+1, cap(*l.buf))
		}
	}
	last := &all[len(all)-1]
	if last.fit(pieceBuffer); cap(*last.buf) != pieceBuffer {
		t.Errorf("one more got %d bytes", cap(*last.buf))
	}
	all[0].fit(copyBuffer) // to a large one
	if last.fit(pieceBuffer - 1); cap(*last.buf) != pieceBuffer {
		t.Errorf("a slow copy got %d bytes", cap(*last.buf))
	}
	if last.fit(pieceBuffer); cap(*last.buf) != copyBuffer {
		t.Errorf("with room again, a fast copy got %d bytes", cap(*last.buf))
	}
	for i := range all {
		all[i].giveBack()
	}
	if n := copiesInUse.Load(); n != 0 {
		t.Errorf("%d in use, want none", n)
	}
}
