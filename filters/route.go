package filters

// clientRoute removes what names the client's address, its place, or the way
// its request took: by table and family. Names that no table lists are left
// to unknownFields, which judges their words.
type clientRoute struct{}

// Apply implements [Filter].
func (clientRoute) Apply(m *Message, log []Change) []Change {
	return dropClass(m.Request.Header, route, log)
}
