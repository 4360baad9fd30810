package filters

import (
	"net/http"
	"slices"
	"testing"
)

// What a browser answers without asking anybody, and only that of few makers can, tells
// who made the device.
func TestBrowsersAreAskedForNoToken(t *testing.T) {
	const token = `PrivateToken challenge="abc=", token-key="123,", max-age="10"`
	browser := http.Header{"User-Agent": {"Mozilla/5.0"}}
	for _, test := range []struct {
		request    http.Header
		sent, want []string
	}{
		{browser, []string{token}, nil},
		{browser, []string{`privatetoken challenge=abc,token-key=123 , PrivateToken challenge="b"`}, nil},
		{browser, []string{token, `Basic realm="a, b"`}, []string{`Basic realm="a, b"`}},
		{browser, []string{`Basic realm="x", charset="UTF-8", ` + token}, []string{`Basic realm="x", charset="UTF-8"`}},
		{browser, []string{token + `, Digest realm = "x", nonce="n", Negotiate`}, []string{`Digest realm = "x", nonce="n", Negotiate`}},
		{browser, []string{`Negotiate YWJj==, NTLM`}, []string{`Negotiate YWJj==, NTLM`}},
		{browser, []string{`Bearer realm="PrivateToken x"`}, []string{`Bearer realm="PrivateToken x"`}},
		{browser, []string{`Bearer PrivateToken=1`}, []string{`Bearer PrivateToken=1`}},
		{http.Header{"User-Agent": {"curl/8.5.0"}}, []string{token}, []string{token}},
	} {
		h, log := answer(t, newSet(t, Options{}), "https://site.example/", test.request.Clone(), http.Header{"Www-Authenticate": slices.Clone(test.sent)})
		if got := h["Www-Authenticate"]; !slices.Equal(got, test.want) || (len(log) > 0) != !slices.Equal(test.sent, test.want) {
			t.Errorf("%q: got %q, %v", test.sent, got, log)
		}
	}
}
