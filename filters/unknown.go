package filters

// unknownFields judges every field that no other rule names.
func unknownFields(policy UnknownPolicy, allow func(m *Message) []string) Filter {
	return unknownFilter{policy, allow}
}

type unknownFilter struct {
	policy UnknownPolicy
	allow  func(m *Message) []string
}

// Apply implements [Filter].
func (f unknownFilter) Apply(m *Message, log []Change) []Change { return log }
