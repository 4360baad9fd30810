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
			if pasted(key) {
				return nil, &syntaxError{key.Line, plainOnes}
			}
			if key.ShortTag() == "!!merge" {
				return nil, &syntaxError{key.Line, "merge keys (<<) are not read; write the keys out"}
			}
			var value *node
			value, err = b.yaml(y.Content[i+1], depth+1)
			if value != nil {
				if value.kind >= list {
					value.at.line = key.Line // a block begins below its key, which is what a person looks for
				}
				n.keys = append(n.keys, entry{key.Value, place{b.file, key.Line}, value})
			}
		}
		return n, err
	}
	if pasted(y) {
		return nil, &syntaxError{y.Line, plainOnes}
	}
	return b.node(y.Line, depth, yamlKind(y.ShortTag()), y.Value)
}

// Web pages and word processors write quotes and spaces of their own. YAML takes them
// for part of the text, and a denied host of that name closes nothing.
const (
	pageQuotes = "“”„"
	pageSigns  = pageQuotes + "‘’‚«»\u00a0"
	plainOnes  = `curly quotes and no-break spaces are taken for text; write plain ones, or put " around what is to hold them`
)

// pasted reports whether a scalar that YAML does not quote has signs of web pages.
func pasted(y *yaml.Node) bool {
	return y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && strings.ContainsAny(y.Value, pageSigns)
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

// yamlError keeps the parser's words and finds the line that they mean.
func yamlError(err error, data []byte) error {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return &syntaxError{1, err.Error()}
	}
	line, _ := strconv.Atoi(m[1])
	if m[1] == "" {
		line = unreadableLine(data)
	}
	if first := firstBadLine(data); strings.Contains(m[2], "end of stream") {
		line = first // where the quote that never ends began
	} else {
		line = max(line, first)
	}
	if tabIndents(data, line) {
		return &syntaxError{line, "a tab cannot indent; use spaces"}
	}
	if bytes.Contains(lineOf(data, line), []byte("\u00a0")) {
		return &syntaxError{line, plainOnes}
	}
	for at := max(1, line-1); at <= line; at++ {
		if wants := lacksSpace(string(lineOf(data, at))); wants != "" {
			return &syntaxError{at, m[2] + wants} // YAML may blame the line below
		}
	}
	return &syntaxError{line, m[2] + yamlAdvice[m[2]]}
}

// lacksSpace returns what a line wants that YAML takes for text, "" for any other line.
func lacksSpace(line string) string {
	switch line = strings.TrimSpace(line); {
	case itemAsText.MatchString(line):
		return itemWants
	case keyAsText.MatchString(line):
		return keyWants
	}
	return ""
}

// A key or an item without its space, which YAML takes for text.
var (
	keyAsText  = regexp.MustCompile(`^\w+:[^\s/]`) // not a URL
	itemAsText = regexp.MustCompile(`^-[^\s-]`)
)

const (
	keyWants  = "; a key has a colon and a space behind it"
	itemWants = "; an item has a space behind its dash"
)

// yamlAdvice explains words of the parser that are for those who know YAML's grammar.
var yamlAdvice = map[string]string{
	"did not find expected alphabetic or numeric character":  "; put quotes around text that begins with * or &",
	"found unexpected end of stream":                         "; a quote is never closed",
	"did not find expected key":                              "; is the line indented as its neighbours are?",
	"could not find expected ':'":                            keyWants,
	"mapping values are not allowed in this context":         "; indent it as its neighbours are, and put quotes around text with a colon",
	"did not find expected '-' indicator":                    "; indent it as the other items of its list are",
	"found character that cannot start any token":            "; put quotes around text that begins with it",
	"did not find expected ',' or ']'":                       "; a list in brackets has commas, and a ] at its end",
	"did not find expected ',' or '}'":                       "; keys in braces have commas, and a } at their end",
	"did not find expected node content":                     "; an item is missing, or begins with a colon and needs quotes",
	"block sequence entries are not allowed in this context": "; a list begins on a line of its own",
	"did not find expected <document start>":                 "; keys end above it: each has a colon and a space behind it, and braces go around all",
	"found incompatible YAML document":                       "; leave the line %YAML out",
	"invalid leading UTF-8 octet":                            "; save the file as UTF-8",
	"invalid trailing UTF-8 octet":                           "; save the file as UTF-8",
	"incomplete UTF-8 octet sequence":                        "; save the file as UTF-8",
}

// firstBadLine returns the line after the longest beginning of data that can be parsed.
// The parser itself often names the line on which the innermost table begins. It returns
// 1 for data too large to be parsed over and over.
func firstBadLine(data []byte) int {
	if len(data) > 64<<10 {
		return 1
	}
	bad := bytes.Count(data, []byte("\n")) + 1
	for rest := data; bad > 1; bad-- {
		rest = rest[:max(bytes.LastIndexByte(rest, '\n'), 0)]
		if isYAML(rest) {
			break
		}
	}
	return bad
}

// isYAML reports whether all documents of data can be parsed.
func isYAML(data []byte) bool {
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var ignored yaml.Node
		if err := decoder.Decode(&ignored); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
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

// tabIndents reports whether a tab indents line. The parser's words for it,
// "cannot start any token", help nobody.
func tabIndents(data []byte, line int) bool {
	l := lineOf(data, line)
	return bytes.Contains(l[:len(l)-len(bytes.TrimLeft(l, " \t"))], []byte("\t"))
}

// lineOf returns a line of data, counted from 1, nil if there are not as many.
func lineOf(data []byte, line int) []byte {
	if lines := bytes.Split(data, []byte("\n")); line <= len(lines) {
		return lines[line-1]
	}
	return nil
}
