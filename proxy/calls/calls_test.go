package calls

import (
	"bytes"
	"runtime/debug"
	"testing"
)

//go:noinline
func deep(client [4]uint32, stack func() []byte) (text []byte) {
	defer func() {
		recover()
		text = stack()
	}()
	panic("deep")
}

// TestStackHoldsNoArguments, which that of the runtime does.
func TestStackHoldsNoArguments(t *testing.T) {
	client := [4]uint32{0, 0, 0xffff, 0xc0000207}
	const written = "c0000207"
	if text := deep(client, debug.Stack); !bytes.Contains(text, []byte(written)) {
		t.Fatalf("the test shows nothing: %s", text)
	}
	text := deep(client, Stack)
	if bytes.Contains(text, []byte("0x")) || bytes.Contains(text, []byte(written)) {
		t.Errorf("arguments: %s", text)
	}
	if !bytes.Contains(text, []byte("calls.deep\n")) || !bytes.Contains(text, []byte("calls_test.go:")) {
		t.Errorf("it does not say where: %s", text)
	}
}
