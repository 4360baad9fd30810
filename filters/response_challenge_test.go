package filters

import (
	"net/http"
	"slices"
	"testing"
)

// What a device answers without asking anybody, and only those of few makers can, tells
// who made it.
func TestDevicesAreAskedForNoToken(t *testing.T) {
	const token = `PrivateToken challenge="abc=", token-key="123,", max-age="10"`
	for _, test := range []struct {
		sent, want []string
	}{
		{[]string{token}, nil},
		{[]string{`privatetoken challenge=abc,token-key=123 , PrivateToken challenge="b"`}, nil},
		{[]string{token, `Basic realm="a, b"`}, []string{`Basic realm="a, b"`}},
		{[]string{`Basic realm="x", charset="UTF-8", ` + token}, []string{`Basic realm="x", charset="UTF-8"`}},
		{[]string{token + `, Digest realm = "x", nonce="n", Negotiate`}, []string{`Digest realm = "x", nonce="n", Negotiate`}},
		{[]string{`Negotiate YWJj==, NTLM`}, []string{`Negotiate YWJj==, NTLM`}},
		{[]string{`Bearer realm="PrivateToken x"`}, []string{`Bearer realm="PrivateToken x"`}},
		{[]string{`Bearer PrivateToken=1`}, []string{`Bearer PrivateToken=1`}},
	} {
		h, log := answer(t, newSet(t, Options{}), "https://site.example/", http.Header{}, http.Header{"Www-Authenticate": slices.Clone(test.sent)})
		if got := h["Www-Authenticate"]; !slices.Equal(got, test.want) || (len(log) > 0) != !slices.Equal(test.sent, test.want) {
			t.Errorf("%q: got %q, %v", test.sent, got, log)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Basic realm="a, b", PrivateToken challenge="c=", token-key=d, Negotiate e==`)
	f.Add(`PrivateToken , realm = x`)
	f.Fuzz(func(t *testing.T, s string) {
		once := withoutPrivateToken(s)
		if again := withoutPrivateToken(once); again != once {
			t.Errorf("%q gives %q, then %q", s, once, again)
		}
	})
}
