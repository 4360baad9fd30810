package cache

import "testing"

// TestRedirectsOfOneClientAreNotKept: a browser that keeps a redirect brings
// its target back on every visit, so one that not everybody gets is told as no-cache,
// fetched or stored; one that all get stays as it is. With cookies it is no other: it
// would bring back those that were cleared.
func TestRedirectsOfOneClientAreNotKept(t *testing.T) {
	const (
		give = "301\nCache-Control: max-age=600\nExpires: @600s\nLocation: /to/1"
		told = "301\nCache-Control: no-cache\n!Expires\nLocation: /to/1"
	)
	for sharing, want := range map[Sharing]string{PerClient: told, Disguised: "301\nCache-Control: max-age=300\nLocation: /to/1", Shared: "301\nCache-Control: max-age=600\nLocation: /to/1"} {
		cookied := told
		if sharing == Shared {
			cookied = want
		}
		s := newScene(t, Options{Sharing: sharing})
		s.run(
			step{as: "a", give: give, want: want},
			step{as: "a", want: want},
			step{as: "a", do: "GET /other", give: "308\nLocation: /to/2", want: map[bool]string{
				false: "308\nCache-Control: no-cache\nLocation: /to/2", true: "308\n!Cache-Control\nLocation: /to/2"}[sharing == Shared]},
			step{as: "a", do: "GET /third\nCookie: id=1", give: give, want: cookied},
			step{as: "a", do: "GET /third\nCookie: id=1", want: cookied},
			step{as: "a", do: "GET /fourth\nCookie: id=1", give: "301\nCache-Control: private, max-age=600\nLocation: /to/4", want: map[bool]string{
				false: "301\nCache-Control: no-cache\nLocation: /to/4", true: "301\nCache-Control: private, max-age=600\nLocation: /to/4"}[sharing == Shared]},
			step{as: "a", do: "GET /fifth", give: "302\nCache-Control: private, max-age=0, stale-while-revalidate=600\nLocation: /to/5", want: map[bool]string{
				false: "302\nCache-Control: no-cache\nLocation: /to/5", true: "302\nCache-Control: private, max-age=0, stale-while-revalidate=600\nLocation: /to/5"}[sharing == Shared]},
			step{as: "a", do: "GET /sixth\nCookie: id=1", give: "307\nCache-Control: max-age=600\nLocation: /to/6", want: map[bool]string{
				false: "307\nCache-Control: no-cache\nLocation: /to/6", true: "307\nCache-Control: max-age=600\nLocation: /to/6"}[sharing == Shared]},
			step{as: "a", do: "GET /seventh", give: "303\nLocation: /to/7", want: "303\n!Cache-Control\nLocation: /to/7"},
		)
	}
}
