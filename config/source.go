package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// parseFile reads and parses a file by its extension; without one it is YAML. It returns
// a problem for a file that cannot be used at all.
func parseFile(file string) (*node, *Problem) {
	data, err := readFile(file)
	if err != nil {
		return nil, &Problem{File: file, Line: 1, Key: "file", What: err.Error()}
	}
	return parse(file, data)
}

func parse(file string, data []byte) (*node, *Problem) {
	var n *node
	var err error
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))
	switch format {
	case "yaml", "yml", "":
		format = "yaml"
		n, err = parseYAML(file, data)
	case "toml", "json":
		switch {
		case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
			err = &syntaxError{1, "is UTF-16, which YAML alone may be; save it as UTF-8"}
		case format == "toml":
			n, err = parseTOML(file, data)
		default:
			n, err = parseJSON(file, data)
		}
	default:
		return nil, &Problem{File: file, Line: 1, Key: "file", What: "unknown extension; use .yaml, .toml or .json"}
	}
	if syntax, ok := errors.AsType[*syntaxError](err); ok {
		return nil, &Problem{File: file, Line: syntax.line, Key: format, What: syntax.what}
	}
	if n != nil && n.kind != table && n.kind != null {
		what := "want keys such as listeners, not " + n.kind.String()
		if n.kind == text {
			what += keyWants
		}
		return nil, &Problem{File: file, Line: n.at.line, Key: format, What: what}
	}
	return n, nil
}

func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, unreadable(err)
	case len(data) > maxFile:
		return nil, errors.New("larger than 1 MiB")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors write it
	if len(bytes.TrimSpace(data)) == 0 {
		// Somebody is about to write it, the disk is full, or it is a pipe that was
		// read before: the defaults, which may be less strict, are not meant.
		return nil, errors.New("is empty")
	}
	return data, nil
}

// unreadable is err without the file's name, which the problem names already.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("does not exist")
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// A cluster that runs services named guise or guise-something puts these in the
// environment of every container; they are not meant for us. A misspelt key (PORT for
// PORTS) may look like them, and is told apart by its value.
var foreignVariable = regexp.MustCompile(`^GUISE_(SERVICE|PORT)_|^GUISE_(\w+_)?PORT=(tcp|udp|sctp)://|` +
	`^GUISE_\w+_(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=)`)

// parseEnvironment returns one tree for each GUISE_ variable that is set to
// something, in the order of environ ("NAME=value").
func parseEnvironment(environ []string) (layers []*node, problems Problems) {
	paths := make(map[string]string)
	var names []string
	for _, path := range allKeys {
		name := variable(path)
		paths[name] = path
		names = append(names, strings.ToLower(name))
	}
	for _, assignment := range environ {
		name, value, _ := strings.Cut(assignment, "=")
		if !strings.HasPrefix(name, "GUISE_") || foreignVariable.MatchString(assignment) || value == "" {
			continue
		}
		path, known := paths[name]
		if !known {
			p := Problem{File: printable(name), What: "unknown key"}
			if s := closest(name, names); s != "" {
				p.What += "; did you mean " + strings.ToUpper(s) + "?"
			} else if name == "GUISE_CONFIG" {
				p.What += "; a file is named with --config"
			} else {
				p.What += "; those of guise help configuration are known, as GUISE_CACHE_MEMORY for cache.memory"
			}
			problems = append(problems, p)
			continue
		}
		n, err := looseValue(name, value)
		if err != nil {
			problems = append(problems, Problem{File: name, Key: path, What: err.Error()})
			continue
		}
		layers = append(layers, wrap(path, n))
	}
	return layers, problems
}

// variable returns the environment variable for a key: GUISE_CACHE_MEMORY
// for cache.memory.
func variable(path string) string {
	return "GUISE_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// parseSets returns one tree for each key=value.
func parseSets(sets []string) (layers []*node, problems Problems) {
	for _, s := range sets {
		path, value, found := strings.Cut(s, "=")
		path = strings.TrimSpace(path)
		if !found || path == "" {
			problems = append(problems, Problem{File: setSource, Key: path, What: "want key=value, such as cache.memory=128MiB"})
			continue
		}
		n, err := looseValue(setSource, value)
		if err != nil {
			problems = append(problems, Problem{File: setSource, Key: path, What: err.Error()})
			continue
		}
		layers = append(layers, wrap(path, n))
	}
	return layers, problems
}

// looseValue returns the value of a variable or --set: a YAML flow list or
// table if it begins like one, else text that takes the type of its key.
func looseValue(source, value string) (*node, error) {
	switch s := strings.TrimSpace(value); {
	case strings.ContainsAny(s, pageQuotes):
		return nil, errors.New(plainOnes)
	case !strings.HasPrefix(s, "[") && !strings.HasPrefix(s, "{"), bracketed(s):
		return &node{at: place{file: source}, kind: loose, text: value}, nil
	case s[0] == '[' && strings.HasSuffix(s, "]") && !strings.ContainsAny(s, `{"'`):
		// YAML would want ::1 in quotes here.
		return commaList(&node{at: place{file: source}, text: s[1 : len(s)-1]}), nil
	}
	n, err := parseYAML(source, []byte(value))
	if syntax, ok := errors.AsType[*syntaxError](err); ok {
		return nil, errors.New(syntax.what)
	}
	if n != nil {
		n.placeAt(place{file: source})
	}
	return n, err
}

// bracketed reports whether s begins with an IPv6 address in brackets, as a
// listener or a comma list of them does.
func bracketed(s string) bool {
	inner, rest, closed := strings.Cut(strings.TrimPrefix(s, "["), "]")
	ip, err := netip.ParseAddr(inner)
	return closed && strings.HasPrefix(rest, ":") && err == nil && ip.Is6()
}

func (n *node) placeAt(at place) {
	n.at = at
	for i := range n.keys {
		n.keys[i].at = at
		n.keys[i].value.placeAt(at)
	}
	for _, item := range n.items {
		item.placeAt(at)
	}
}

// wrap returns the tree in which n stands at path.
func wrap(path string, n *node) *node {
	names := strings.Split(path, ".")
	for _, name := range slices.Backward(names) {
		n = &node{at: n.at, kind: table, keys: []entry{{name, n.at, n}}}
	}
	return n
}
