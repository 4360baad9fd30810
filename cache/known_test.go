package cache

import "testing"

// What an origin says to whom it knows, of a response that others have as well, is
// for that client alone unless it is said to be for all.
func TestFreshenedForWhomTheSiteKnows(t *testing.T) {
	const give = "200\nCache-Control: max-age=10\nETag: \"1\"\nX-For: all\n\na"
	for _, field := range []string{"Cookie: a=b", "Authorization: Basic YTpi"} {
		for how, do := range map[string]string{"GET": "GET /\n", "HEAD": "HEAD /\n"} {
			for name, o := range map[string]Options{"shared": shared, "disguised": disguised} {
				status, body := "304", ""
				switch {
				case how == "HEAD":
					status = "200"
				case name == "disguised": // the origin is told no validator
					status, body = "200", "\n\na"
				}
				t.Run(name+", "+how+", "+field, func(t *testing.T) {
					s := newScene(t, o)
					s.run(step{as: "a", give: give, want: "200\nX-For: all\n\na"},
						step{as: "a", after: 20 * 1e9, do: do + field,
							give: status + "\nCache-Control: max-age=100\nETag: \"1\"\nContent-Length: 1\nX-For: a" + body, want: "200\nX-For: a"},
						step{as: "b", give: give, want: "200\nX-For: all\n\na"})
				})
			}
		}
	}
}

// A client's copy that it got before the site knew it still stands afterwards.
func TestTagFromBeforeTheSiteKnewTheClient(t *testing.T) {
	s := newScene(t, disguised)
	const give = "200\nCache-Control: max-age=10\nETag: \"1\"\n\na"
	resp, _ := s.step(0, step{as: "a", give: give})
	s.run(step{as: "a", after: 20 * 1e9, do: "GET /\nCookie: a=b\nIf-None-Match: " + resp.Header.Get("ETag"),
		give: "304\nETag: \"1\"", sent: "If-None-Match: \"1\"", want: "304"})
}

// What confirms or completes a copy has the copy's tag, or the client may not use it for that
// (RFC 9111 §4.3.4, RFC 9110 §15.3.7.3).
func TestCopyFromBeforeTheSiteKnewTheClientKeepsItsTag(t *testing.T) {
	const fields = "\nCache-Control: no-cache\nETag: \"1\""
	for name, o := range map[string]Options{"disguised": disguised, "per-client": apart} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, o)
			resp, _ := s.step(0, step{as: "a", give: "200" + fields + "\n\nab"})
			tag := resp.Header.Get("ETag")
			condition, own := "\nIf-None-Match: \"0\", "+tag, "\nETag: "+tag
			for _, known := range []string{"Cookie: a=b", "Authorization: Basic YTpi"} {
				s.run(
					step{as: "a", do: "GET /\n" + known + condition, give: "304" + fields, want: "304" + own},
					step{as: "a", do: "HEAD /\n" + known + condition, give: "304" + fields, want: "304" + own},
					step{as: "a", do: "GET /\n" + known + "\nRange: bytes=1-\nIf-Range: " + tag,
						give: "206" + fields + "\nContent-Range: bytes 1-1/2\n\nb", sent: "If-Range: \"1\"", want: "206" + own + "\n\nb"},
					step{as: "a", do: "GET /\n" + known + "\nIf-None-Match: \"1\", " + tag, give: "304" + fields, want: "304\nETag: \"1\""},
					step{as: "a", do: "GET /\n" + known + condition, give: "200\nETag: \"2\"\n\nc", want: "200\nETag: \"2\"\n\nc"})
			}
		})
	}
}

// What an origin says to whom it knows, of that client's own copy, is for nobody else.
func TestAnswerAboutAKnownClientsCopyIsItsOwn(t *testing.T) {
	const give = "200\nCache-Control: public, max-age=100\nETag: \"2\"\n\n"
	s := newScene(t, disguised)
	s.run(step{as: "a", do: "GET /\nCookie: a=b\nIf-None-Match: \"1\"", give: give + "a, of 1", sent: "If-None-Match: \"1\"", want: "200\n\na, of 1"},
		step{as: "b", do: "GET /\nCookie: c=d", give: give + "b", want: "200\n\nb"},
		step{as: "a", do: "GET /\nCookie: a=b", want: "200\n\na, of 1"})
}
