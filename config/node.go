package config

import "fmt"

// setSource is how problems name the --set arguments.
const setSource = "--set"

// A place is where a value was written.
type place struct {
	file string // file, environment variable or "--set"
	line int    // from 1; 0 for sources that have no lines
}

// A kind is the shape of a value as its source wrote it.
type kind uint8

const (
	null kind = iota
	text
	number
	boolean
	loose // from the environment or --set, where everything is text
	list
	table
)

var kindNames = [...]string{"nothing", "text", "a number", "true or false", "text", "a list", "a table of keys"}

func (k kind) String() string { return kindNames[k] }

// A node is one value of a source, before it has a type. The formats all
// become nodes, so that typing, layering and messages are written once.
type node struct {
	at    place
	kind  kind
	text  string  // scalars, as written
	items []*node // list
	keys  []entry // table, in the order of the source
}

// An entry is one key of a table.
type entry struct {
	name  string
	at    place
	value *node
}

// Limits on a tree. A configuration is small; what is not is an accident or
// an attack on whoever runs guise check (YAML aliases multiply).
const (
	maxFile  = 1 << 20 // bytes
	maxNodes = 20_000
	maxDepth = 32
)

// A builder counts nodes while a source becomes a tree.
type builder struct {
	file  string
	nodes int
}

// A syntaxError is why a source could not become a tree.
type syntaxError struct {
	line int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.what) }

func (b *builder) node(line, depth int, k kind, s string) (*node, error) {
	b.nodes++
	if b.nodes > maxNodes || depth > maxDepth {
		return nil, &syntaxError{line, "too large or too deeply nested for a configuration"}
	}
	return &node{at: place{b.file, line}, kind: k, text: s}, nil
}

// get returns the value of key name, or nil.
func (n *node) get(name string) *node {
	for _, e := range n.keys {
		if e.name == name {
			return e.value
		}
	}
	return nil
}
