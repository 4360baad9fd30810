package judge

import (
	"bytes"
	"strings"
)

// A Field is one header field line in the sender's own spelling.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Head is the start of a message: the request or status line, and the
// fields in their order and case.
type Head struct {
	Line   string
	Fields []Field
}

// parseHead reads the bytes up to and including the empty line that ends a
// head; what follows is left alone. It refuses nothing, because it has to
// show malformed requests too: a line without a colon becomes a field with
// an empty value, and a folded line (RFC 9112 §5.2) continues the value
// before it.
func parseHead(raw []byte) Head {
	var h Head
	for first := true; len(raw) > 0; first = false {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		raw = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case first:
			h.Line = string(line)
		case len(line) == 0:
			return h
		case (line[0] == ' ' || line[0] == '\t') && len(h.Fields) > 0:
			last := &h.Fields[len(h.Fields)-1]
			last.Value += " " + trimOWS(string(line))
		default:
			name, value, _ := strings.Cut(string(line), ":")
			h.Fields = append(h.Fields, Field{Name: name, Value: trimOWS(value)})
		}
	}
	return h
}

// headLength returns how many bytes of raw the head takes, its empty line
// included; all of them if there is no empty line.
func headLength(raw []byte) int {
	for i, first := 0, true; i < len(raw); first = false {
		end := bytes.IndexByte(raw[i:], '\n')
		if end < 0 {
			return len(raw)
		}
		line := raw[i : i+end]
		i += end + 1
		if !first && len(bytes.TrimSuffix(line, []byte("\r"))) == 0 {
			return i
		}
	}
	return len(raw)
}

// Get returns the value of the first field with the given name, in any
// case, and "" if there is none.
func (h Head) Get(name string) string {
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Has reports whether a field with the given name is there, in any case.
func (h Head) Has(name string) bool { return len(h.values(name)) > 0 }

func trimOWS(s string) string { return strings.Trim(s, " \t") }
