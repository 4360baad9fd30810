package filters

// clientRoute removes what names the client's address, its place, or the way
// its request took: by table and family. Names that no table lists are left
// to unknownFields, which judges their words.
type clientRoute struct{}

// Apply implements [Filter].
func (clientRoute) Apply(m *Message, log []Change) []Change {
	h, n := m.Request.Header, len(log)
	for name := range h {
		if v := names.judge(name); v.class == route && !isSitesOwn(m, name) {
			log = drop(h, name, v.why, log)
		}
	}
	return sorted(log, n)
}
