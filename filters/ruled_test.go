package filters

import (
	"net/http"
	"net/netip"
	"testing"
)

// TestRuledFieldsAreThoseThatAllowDoesNotChange, in a script's request.
func TestRuledFieldsAreThoseThatAllowDoesNotChange(t *testing.T) {
	for _, name := range []string{"X-My-Field", "X-Acme-Device-Id", "Pink-Pony", "ETag", "X-Request-ID", "x_forwarded_for", "Via", "From", "TE",
		"User-Agent", "Cookie", "Sec-Fetch-Site", "Transfer-Encoding", "X-UIDH", "HTTP_CLIENT_IP"} {
		passes := func(allow ...string) bool {
			s, err := New(Options{Sites: []Site{{Match: "site.example", Allow: allow}}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequest("GET", "http://site.example/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(name, "8e03978e-40d5-43dd-bc93-6894a57f9324")
			s.Request(s.Read(r, netip.Addr{}), nil)
			return r.Header.Get(name) == "8e03978e-40d5-43dd-bc93-6894a57f9324"
		}
		if why, without, with := Ruled(name), passes(), passes(name); (why == "") != (without != with) {
			t.Errorf("%s passes: %t, allowed %t; ruled by %q", name, without, with, why)
		}
	}
}
