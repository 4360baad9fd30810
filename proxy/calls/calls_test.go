package calls

import (
	"bytes"
	"runtime"
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

//go:noinline
func wait(client [4]uint32, began chan<- struct{}, end <-chan struct{}) [4]uint32 {
	close(began)
	<-end
	return client
}

func TestAllHoldsNoArguments(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	go wait([4]uint32{0, 0, 0xffff, 0xc0000207}, began, end)
	defer close(end)
	<-began
	const written = "c0000207"
	if text := make([]byte, 1<<20); !bytes.Contains(text[:runtime.Stack(text, true)], []byte(written)) {
		t.Fatalf("the test shows nothing: %s", text)
	}
	text := All()
	if bytes.Contains(text, []byte("(0x")) || bytes.Contains(text, []byte(written)) {
		t.Errorf("arguments: %s", text)
	}
	if !bytes.Contains(text, []byte("calls.wait")) || !bytes.Contains(text, []byte("calls_test.go:")) {
		t.Errorf("it does not say where: %s", text)
	}
}
