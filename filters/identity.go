package filters

// clientIdentity removes what names the person, their device or a trace.
type clientIdentity struct{}

// Apply implements [Filter].
func (clientIdentity) Apply(m *Message, log []Change) []Change { return log }
