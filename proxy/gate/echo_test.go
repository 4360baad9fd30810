package gate

import (
	"fmt"
	"strings"
	"testing"
)

// TestEchoesAreKnown, in each form that has the password or lets it be guessed; what proves
// something else is none. The first two digests are those of RFC 7616 §3.9.1.
func TestEchoesAreKnown(t *testing.T) {
	const (
		rest = `username="Mufasa", realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html", response="%s"`
		auth = `, nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
		md5  = "8ca523f5e9506fed4657c9700eebdbec"
	)
	digest := func(response, more string) string { return "Digest " + fmt.Sprintf(rest, response) + more }
	mufasa, token := basic("Mufasa", "Circle of Life"), []string{"Bearer abc"}
	pride := basic("Mufasa+pride", "Circle of Life")
	for _, c := range []struct {
		shown []string
		sent  string
		echo  bool
	}{
		{mufasa, mufasa[0], true},
		{mufasa, strings.Replace(mufasa[0], "Basic ", "bASIC  ", 1), true},
		{basic("Müfasa", "ü"), "Basic TfxmYXNhOvw=", true}, // the same in ISO 8859-1
		{token, "bearer abc", true},
		{[]string{"Unknown x"}, "Unknown x", true},
		{append(basic("Scar", "x"), "Unknown x"), basic("Scar", "x")[0], true},
		{append(basic("Scar", "x"), "Unknown x"), "Unknown x", true},
		{mufasa, digest(md5, auth+", algorithm=MD5"), true},
		{mufasa, digest("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", auth+", algorithm=SHA-256"), true},
		{mufasa, digest("e783283f46242139c486a698fec7211d", auth+", algorithm=MD5-sess"), true},
		{mufasa, digest("7b2cc3b30e75b4777ea31027084363fd", ""), true}, // RFC 2069

		{pride, mufasa[0], true},
		{mufasa, pride[0], true},
		{pride, digest(md5, auth+", algorithm=MD5"), true},
		{token, basic("Mufasa", "abc")[0], true},
		{basic("Mufasa", "abc"), token[0], true},

		{nil, mufasa[0], false},
		{nil, "", false},
		{mufasa, "", false},
		{mufasa, "Negotiate YII=", false},
		{mufasa, basic("Mufasa", "Another")[0], false},
		{mufasa, basic("Scar", "Circle of Life")[0], false},
		{token, "Bearer ab", false},
		{token, mufasa[0], false},
		{pride, basic("Mufasa+pride", "Another")[0], false},
		{basic("Mufasa", ""), "Negotiate YII=", false},
		{basic("Mufasa", "Another"), digest(md5, auth+", algorithm=MD5"), false},
		{mufasa, digest(md5, auth+", algorithm=SHA-256"), false},
		{mufasa, digest(md5, auth+", algorithm=X"), false},
	} {
		if Echoes(c.shown, "GET", c.sent) != c.echo {
			t.Errorf("%q beside %q: an echo: %t", c.sent, c.shown, !c.echo)
		}
	}
}
