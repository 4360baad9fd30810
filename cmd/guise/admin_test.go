package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The operator's listener takes orders to purge, and by no other method.
func TestAdminPurges(t *testing.T) {
	purged := 0
	a := newAdmin(func() bool { return true }, func(http.ResponseWriter, *http.Request) { purged++ })
	for method, want := range map[string]int{"GET": 0, "POST": 1} {
		purged = 0
		a.handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/purge", nil))
		if purged != want {
			t.Errorf("%s: purged %d times", method, purged)
		}
	}
}
