package cache

import (
	"testing"
	"time"
)

// Who is given later what says when it was made sees by it that somebody asked then.
func TestWhatSaysWhenItWasMadeIsNotShared(t *testing.T) {
	for fields, shared := range map[string]bool{
		"Last-Modified: @-2h":                           true,
		"Last-Modified: @0s":                            false,
		"Last-Modified: @-1s\nDate: @0s":                false,
		"Last-Modified: @200s\nDate: @200s":             false, // by the origin's own clock
		"X-Made: 2024-02-29T12:00:00Z":                  false,
		"X-Made: 2024-02-29 11:59\nDate: @0s":           false,
		"X-Made: 2024-02-29T11:58:00Z\nDate: @0s":       true,
		"X-Made: 1709208000":                            false, // 12:00:00
		"Link: </x?1709208000123>; rel=preload":         false,
		"Link: </x?1709108000123>; rel=preload":         true,
		"Content-Location: /x?Expires=1709211600&Sig=a": false, // 13:00:00
		"Content-Location: /x?v=1719211600":             true,
		"X-Ratelimit-Remaining: 17":                     false,
		"Ratelimit: limit=60, remaining=17, reset=5":    false,
		"X-Process-Time: 0.0023":                        false, // how long it took
		"Sprequestduration: 47":                         false,
		"X-Latency: 12.4ms":                             false,
		"X-Took: D=1234":                                false,
		"X-Render: 34.5 ms":                             false,
		"X-Generated-In: 0.034s":                        false,
		"X-Backend-Ms: 34":                              false,
		"X-Ms-Blob-Committed-Block-Count: 34":           true,
		"X-Size: 34 MB":                                 true,
		"X-Build-Time: 2024-02-28T10:07:30Z":            true,
		"X-Build-Time: v1.2.3":                          true,
		"Timing-Allow-Origin: *":                        true,
		"Replay-Nonce: abc":                             false,
		"Signature-Input: sig=();created=1":             false,
		"X-Made: 20240229120000":                        false,
		"X-Made: z-20240229T120000Z-00000abc":           false,
		"X-Made: Thu Feb 29 12:00:00 2024":              false,
		"X-Made: [29/Feb/2024:12:00:00 +0000]":          false,
		"X-Made: 02/29/2024 12:00:00":                   false,
		"X-Made: 29.02.2024 13:00:00":                   false, // elsewhere
		"X-Made: 2024-02-29T17:29:57+05:30":             false,
		"X-Made: 2024-02-29T13:01:00+01:00":             true,
		"X-Made: 20240229-115959.123":                   false, // without colons
		"X-Made: build_20240229_120000":                 false,
		"X-Made: 20240229T130000+0100":                  false,
		"X-Made: 2024022920000000000ABC":                false,
		"X-Made: 2024-02-28_16-00-00":                   false,
		"X-Made: 29.02.2024 12.00":                      false,
		"X-Made: 2024/2/29 12:00":                       false,
		"X-Made: Thursday, 29-Feb-2024 12:00 GMT":       false,
		"X-Made: February 29, 2024, 12:00 PM":           false,
		"Link: </?2024-02-29T12%3A00%3A00>; rel=next":   false,
		"X-Made: 20240228120000":                        true,
		"X-Made: 28022023120000":                        true,
		"X-Made: 2024-02-29-11-58":                      true,
		"X-Made: 20240229":                              true,
		"Last-Modified: Thu, 29 Feb 2024 11:15:00 GMT":  true,
		"Last-Modified: Wed, 28 Feb 2024 12:00:00 GMT":  true,
		"X-Build: 1:2:30, ::1":                          true,
		"X-Made: by web1 at 12:00:00":                   false, // a clock alone
		"X-Made: 17:29:57 Asia/Kolkata":                 false,
		"X-Made: 12:07:03":                              true,
		"X-Req: 1-65e071c0-5e8b8a4c":                    false, // hexadecimal seconds
		"X-Req: 65E071C0c4a2f8d1e0b3a7f6":               false,
		"X-Req: 018df4bc5600c4a2f8d1e0b3a7f6c4a2":       false, // or milliseconds
		"X-Req: a/018df4bc-5600-7a2f-8d1e-0b3a7f6c4a2f": false, // UUIDs, RFC 9562 §5.7
		"X-Req: 1060a000-d6fa-11ee-8d1e-0b3a7f6c4a2f":   false, // §5.1
		"X-Req: 1eed6fa1-060a-6000-8d1e-0b3a7f6c4a2f":   false, // §5.6
		"X-Req: 01HQTBRNG0ABCDEFGHJKMNPQRS":             false, // ULID
		"X-Req: 9f86d081-884c-4d63-8d1e-0b3a7f6c4a2f":   true,
		"X-Req: 01AAAAAAAAABCDEFGHJKMNPQRS":             true,
		"X-Req: 9f86d081884c7d659a2feaa0":               true,
		"X-Req: 1060a000-d6fa-11ge-8d1e-0b3a7f6c4a2f":   true, // no digits
		"X-Req: 01HQTBRNU0ABCDEFGHJKMNPQRS":             true,
		"Server: x\nX-Frame-Options: DENY":              true,
	} {
		give := "200\nCache-Control: max-age=60\n" + fields + "\n\n"
		other := step{after: 2 * time.Second, as: "b", give: give + "b", want: "200\n\nb"}
		if shared {
			other.want = "200\n\na"
		}
		t.Run(fields, func(t *testing.T) {
			newScene(t, disguised).run(step{as: "a", give: give + "a", want: "200\n\na"}, other, step{as: "a", want: "200\nAge: 2\n\na"})
		})
	}
	// Nor what a 304 says.
	newScene(t, disguised).run(
		step{as: "a", give: "200\nCache-Control: no-cache\nETag: \"1\"\n\na"}, step{as: "a", give: "200\nCache-Control: no-cache\nETag: \"1\"\n\na"},
		step{after: time.Second, as: "a", give: "304\nCache-Control: max-age=60\nX-Ratelimit-Remaining: 17", want: "200\n\na"},
		step{as: "b", give: "200\n\nb", want: "200\n\nb"})
}
