package config

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML returns data as one table. The library's decoder judges the
// document first (it knows the rules on redefinition); its parser, which
// knows lines but not those rules, then builds the tree.
func parseTOML(file string, data []byte) (*node, error) {
	var judged map[string]any
	if err := toml.Unmarshal(data, &judged); err != nil {
		return nil, tomlError(err)
	}
	p := &tomlParser{builder: builder{file: file}}
	p.Reset(data)
	root, err := p.node(1, 0, table, "")
	if err != nil {
		return nil, err
	}
	current := root
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			current, err = p.header(root, e)
		case unstable.KeyValue:
			err = p.keyValue(current, e, 1)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Error(); err != nil {
		return nil, tomlError(err)
	}
	return root, nil
}

func tomlError(err error) error {
	what := strings.TrimPrefix(err.Error(), "toml: ")
	if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := decode.Position()
		return &syntaxError{max(line, 1), what}
	}
	return &syntaxError{1, what}
}

type tomlParser struct {
	builder
	unstable.Parser
}

// line returns the line on which key begins.
func (p *tomlParser) line(key *unstable.Node) int {
	if key.Raw.Length == 0 {
		return 1
	}
	return p.Shape(key.Raw).Start.Line
}

// header returns the table that [a.b] or [[a.b]] opens.
func (p *tomlParser) header(root *node, e *unstable.Node) (*node, error) {
	at, err := root, error(nil)
	keys := e.Key()
	for depth := 1; err == nil && keys.Next(); depth++ {
		key := keys.Node()
		if e.Kind != unstable.ArrayTable || !keys.IsLast() {
			at, err = p.enter(at, key, depth)
			continue
		}
		items := at.get(string(key.Data))
		if items == nil {
			if items, err = p.node(p.line(key), depth, list, ""); err != nil {
				return nil, err
			}
			at.keys = append(at.keys, entry{string(key.Data), items.at, items})
		}
		if at, err = p.node(p.line(key), depth+1, table, ""); err == nil {
			items.items = append(items.items, at)
		}
	}
	return at, err
}

// enter returns the table that at holds under key, and makes it if there is
// none. In an array of tables it is the newest one.
func (p *tomlParser) enter(at *node, key *unstable.Node, depth int) (*node, error) {
	name := string(key.Data)
	if inner := at.get(name); inner != nil {
		if inner.kind == list && len(inner.items) > 0 {
			return inner.items[len(inner.items)-1], nil
		}
		return inner, nil
	}
	inner, err := p.node(p.line(key), depth, table, "")
	if err == nil {
		at.keys = append(at.keys, entry{name, inner.at, inner})
	}
	return inner, err
}

func (p *tomlParser) keyValue(at *node, e *unstable.Node, depth int) error {
	keys := e.Key()
	for keys.Next() {
		key := keys.Node()
		if !keys.IsLast() {
			var err error
			if at, err = p.enter(at, key, depth); err != nil {
				return err
			}
			depth++
			continue
		}
		value, err := p.value(e.Value(), p.line(key), depth)
		if err != nil {
			return err
		}
		at.keys = append(at.keys, entry{string(key.Data), place{p.file, p.line(key)}, value})
	}
	return nil
}

// value returns v as a node. Scalars have no position of their own in the
// parser's tree; line is that of the key, or of the item before.
func (p *tomlParser) value(v *unstable.Node, line, depth int) (*node, error) {
	if v.Raw.Length > 0 {
		line = p.Shape(v.Raw).Start.Line
	}
	switch v.Kind {
	case unstable.Array:
		n, err := p.node(line, depth, list, "")
		for items := v.Children(); err == nil && items.Next(); {
			var item *node
			if item, err = p.value(items.Node(), line, depth+1); err == nil {
				n.items = append(n.items, item)
				line = item.at.line
			}
		}
		return n, err
	case unstable.InlineTable:
		n, err := p.node(line, depth, table, "")
		for pairs := v.Children(); err == nil && pairs.Next(); {
			if pair := pairs.Node(); pair.Kind == unstable.KeyValue {
				err = p.keyValue(n, pair, depth+1)
			}
		}
		return n, err
	case unstable.Bool:
		return p.node(line, depth, boolean, string(v.Data))
	case unstable.Integer, unstable.Float:
		return p.node(line, depth, number, string(v.Data))
	}
	return p.node(line, depth, text, string(v.Data))
}
