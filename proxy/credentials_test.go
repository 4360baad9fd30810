package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"guise/cache"
)

// TestNoOneGetsWhatAnothersSecretBought, also of an origin that says nothing of
// how long its answer lasts or for whom it is: stores of objects do not.
func TestNoOneGetsWhatAnothersSecretBought(t *testing.T) {
	o := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", "Sat, 29 Oct 1994 19:43:31 GMT")
		io.WriteString(w, r.Header.Get("X-Auth-Token"))
	}))
	t.Cleanup(o.Close)
	address := serveProxy(t, func(o *Options) { o.Cache.Sharing = cache.Shared })
	for _, secret := range []string{"alice", "bob", ""} {
		if _, body := get(t, address, o.URL+"/object", "X-Auth-Token: "+secret); body != secret {
			t.Errorf("with %q: got %q", secret, body)
		}
	}
}
