package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseYAML returns data's one document; nil if it holds none.
func parseYAML(file string, data []byte) (*node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlError(err, data)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, &syntaxError{second.Line, "a second document begins; a file holds one"}
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(err, data)
	}
	b := &builder{file: file}
	return b.yaml(&document, 0)
}

func (b *builder) yaml(y *yaml.Node, depth int) (*node, error) {
	switch y.Kind {
	case yaml.DocumentNode:
		return b.yaml(y.Content[0], depth)
	case yaml.AliasNode:
		// An alias inside its own anchor ends at the depth limit.
		return b.yaml(y.Alias, depth+1)
	case yaml.SequenceNode:
		n, err := b.node(y.Line, depth, list, "")
		for i := 0; err == nil && i < len(y.Content); i++ {
			var item *node
			item, err = b.yaml(y.Content[i], depth+1)
			if item != nil {
				n.items = append(n.items, item)
			}
		}
		return n, err
	case yaml.MappingNode:
		n, err := b.node(y.Line, depth, table, "")
		for i := 0; err == nil && i+1 < len(y.Content); i += 2 {
			key := y.Content[i]
			if key.Kind != yaml.ScalarNode {
				return nil, &syntaxError{key.Line, "a key is a word, not a list or table"}
			}
			if key.ShortTag() == "!!merge" {
				return nil, &syntaxError{key.Line, "merge keys (<<) are not read; write the keys out"}
			}
			var value *node
			value, err = b.yaml(y.Content[i+1], depth+1)
			if value != nil {
				n.keys = append(n.keys, entry{key.Value, place{b.file, key.Line}, value})
			}
		}
		return n, err
	}
	return b.node(y.Line, depth, yamlKind(y.ShortTag()), y.Value)
}

func yamlKind(tag string) kind {
	switch tag {
	case "!!null":
		return null
	case "!!bool":
		return boolean
	case "!!int", "!!float":
		return number
	}
	return text
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// yamlError keeps the parser's words and finds the line in them. A tab that
// indents is the one fault whose words ("cannot start any token") help nobody.
func yamlError(err error, data []byte) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return &syntaxError{1, err.Error()}
	}
	line, _ := strconv.Atoi(m[1])
	if m[1] == "" {
		line = unreadableLine(data)
	}
	line = max(line, 1)
	if strings.Contains(m[2], "cannot start any token") {
		if tab := tabLine(data, line); tab > 0 {
			return &syntaxError{tab, "a tab cannot indent; use spaces"}
		}
	}
	return &syntaxError{line, m[2]}
}

// unreadableLine returns the line of the first byte that no YAML stream may
// hold, which the parser reports without a line; 1 if it finds none.
func unreadableLine(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return 1 + bytes.Count(data[:i], []byte("\n"))
		}
		i += size
	}
	return 1
}

// tabLine returns the first line from near on that a tab indents, or 0. The
// parser may name the line before.
func tabLine(data []byte, near int) int {
	lines := bytes.Split(data, []byte("\n"))
	for n := max(near-1, 1); n <= min(near+1, len(lines)); n++ {
		l := lines[n-1]
		if indent := l[:len(l)-len(bytes.TrimLeft(l, " \t"))]; bytes.Contains(indent, []byte("\t")) {
			return n
		}
	}
	return 0
}
