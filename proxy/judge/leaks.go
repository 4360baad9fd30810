package judge

import "strings"

// leaks returns what the trial betrayed, and which of its canaries did.
func (t *trial) leaks() (out []Leak, canaries []string) {
	leak := func(class Class, where, what string) {
		out = append(out, Leak{class, where, what, t.probe.name, ""})
	}
	found := func(p plant, what string) {
		canaries = append(canaries, p.canary)
		out = append(out, Leak{p.class, p.where, what, t.probe.name, p.canary})
	}
	listed := map[string]bool{} // by folded place
	// Through a tunnel the client's bytes have to arrive as they are.
	if t.probe.opaque {
		t.routeLeaks(leak, listed)
		return out, nil
	}
	for _, s := range t.seen {
		sight := look(s.Raw)
		for _, p := range t.draft.plants {
			if !sight.shows(p.canary) || listed[fold(p.where)] {
				continue
			}
			listed[fold(p.where)] = true
			found(p, "arrived at the origin")
		}
	}
	t.routeLeaks(leak, listed)
	for _, s := range t.seen {
		t.markLeaks(s, leak, listed)
	}
	back := look(t.got.all())
	for _, p := range t.draft.returned {
		if back.shows(p.canary) {
			found(p, "came back to the browser")
		}
	}
	return out, canaries
}

// routeLeaks looks for the client's own address, whoever wrote it.
func (t *trial) routeLeaks(leak func(Class, string, string), listed map[string]bool) {
	if !t.client.IsValid() {
		return
	}
	for _, s := range t.seen {
		if s.Remote.Addr() == t.client {
			leak(Route, "the connection", "it comes from the client's own address")
		}
		if !look(s.Raw).showsAddress(t.client) {
			continue
		}
		where, planted := "the body", false
		sent := parseHead(t.sent)
		for _, f := range s.Head.Fields {
			if look([]byte(f.Value)).showsAddress(t.client) {
				where, planted = f.Name, sent.Get(f.Name) == f.Value
				break
			}
		}
		if !planted {
			listed[fold(where)] = true
			leak(Route, where, "the proxy wrote the client's own address there")
		}
	}
}

// markLeaks looks for what shows a proxy and is not listed yet.
func (t *trial) markLeaks(s Seen, leak func(Class, string, string), listed map[string]bool) {
	for _, f := range s.Head.Fields {
		if name := fold(f.Name); classOf(f.Name) != 0 && !listed[name] {
			listed[name] = true
			leak(Visible, f.Name, "arrived at the origin")
		}
	}
	if _, rest, ok := strings.Cut(s.Head.Line, " "); ok && strings.Contains(rest, "://") && !strings.HasPrefix(rest, "/") {
		leak(Visible, "the request line", "it has the form that only proxies get")
	}
}
