package filters

// ownAddress removes fields whose value holds the client's own address.
type ownAddress struct{}

// Apply implements [Filter].
func (ownAddress) Apply(m *Message, log []Change) []Change { return log }
