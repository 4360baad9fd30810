package cache

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSmoke(t *testing.T) {
	n := 0
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "hello")
	}))
	defer origin.Close()
	for _, s := range []Sharing{Shared, Disguised, PerClient} {
		n = 0
		c := New(Options{Sharing: s})
		rt := c.Transport(http.DefaultTransport)
		for range 3 {
			r, _ := http.NewRequest("GET", origin.URL, nil)
			resp, err := rt.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(b) != "hello" || err != nil {
				t.Fatal(string(b), err)
			}
			t.Log(resp.Header)
		}
		if n != 1 {
			t.Error(s, n)
		}
		c.Close()
	}
}
