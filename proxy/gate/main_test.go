package gate

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustNew(t *testing.T, o Options) *Gate {
	t.Helper()
	g, err := New(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
