package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// parseJSON returns data's one value.
func parseJSON(file string, data []byte) (*node, error) {
	p := &jsonParser{builder{file: file}, json.NewDecoder(bytes.NewReader(data)), data}
	p.decoder.UseNumber()
	n, err := p.value(0)
	if err != nil {
		return nil, p.explain(err)
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &syntaxError{p.line(), "something follows the configuration's end"}
	}
	return n, nil
}

type jsonParser struct {
	builder
	decoder *json.Decoder
	data    []byte
}

// line returns the line of the token that was read last.
func (p *jsonParser) line() int {
	return 1 + bytes.Count(p.data[:p.decoder.InputOffset()], []byte("\n"))
}

func (p *jsonParser) explain(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		end := min(max(int(syntax.Offset)-1, 0), len(p.data))
		return &syntaxError{1 + bytes.Count(p.data[:end], []byte("\n")), syntax.Error() + jsonAdvice[syntax.Error()]}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &syntaxError{p.line(), "ends too early"}
	}
	if _, ok := errors.AsType[*syntaxError](err); ok {
		return err
	}
	return &syntaxError{p.line(), err.Error()}
}

// jsonAdvice is what mostly helps where JSON was written like JavaScript or YAML.
var jsonAdvice = map[string]string{
	"invalid character '/' looking for beginning of value":               "; JSON has no comments",
	"invalid character '/' looking for beginning of object key string":   "; JSON has no comments",
	"invalid character '#' looking for beginning of value":               "; JSON has no comments",
	"invalid character '#' looking for beginning of object key string":   "; JSON has no comments",
	"invalid character '}' looking for beginning of object key string":   "; no comma goes before it",
	"invalid character ']' looking for beginning of value":               "; no comma goes before it",
	"invalid character '\\'' looking for beginning of value":             "; JSON has double quotes alone",
	"invalid character '\\'' looking for beginning of object key string": "; JSON has double quotes alone",
}

func (p *jsonParser) value(depth int) (*node, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return p.list(depth)
		}
		return p.table(depth)
	case string:
		return p.node(p.line(), depth, text, v)
	case json.Number:
		return p.node(p.line(), depth, number, v.String())
	case bool:
		return p.node(p.line(), depth, boolean, strconv.FormatBool(v))
	}
	return p.node(p.line(), depth, null, "")
}

func (p *jsonParser) list(depth int) (*node, error) {
	n, err := p.node(p.line(), depth, list, "")
	for err == nil && p.decoder.More() {
		var item *node
		if item, err = p.value(depth + 1); err == nil {
			n.items = append(n.items, item)
		}
	}
	if err == nil {
		_, err = p.decoder.Token()
	}
	return n, err
}

func (p *jsonParser) table(depth int) (*node, error) {
	n, err := p.node(p.line(), depth, table, "")
	for err == nil && p.decoder.More() {
		var token json.Token
		if token, err = p.decoder.Token(); err != nil {
			break
		}
		name, _ := token.(string) // the decoder refuses any other key
		at := place{p.file, p.line()}
		var value *node
		if value, err = p.value(depth + 1); err == nil {
			n.keys = append(n.keys, entry{name, at, value})
		}
	}
	if err == nil {
		_, err = p.decoder.Token()
	}
	return n, err
}
