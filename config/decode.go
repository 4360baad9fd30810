package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A setting is one key's value in one layer: typed, and with the node it
// came from, so that rules across keys can still name a line.
type setting struct {
	value reflect.Value
	node  *node
}

func (s *setting) fromProfile() bool { return strings.HasPrefix(s.node.at.file, profileFolder) }

// A decoder gives nodes the types of [Config] and collects what does not fit.
type decoder struct{ problems Problems }

func (d *decoder) fail(at place, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: at.file, Line: at.line, Key: path, What: fmt.Sprintf(format, args...)})
}

var (
	configType      = reflect.TypeFor[Config]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	allKeys         = keysOf(configType, "")
	itemKeys        = slices.Concat(keysOf(reflect.TypeFor[Listener](), "listeners[]."), keysOf(reflect.TypeFor[Site](), "sites[]."))
)

// parsers are for types without UnmarshalText: those of other packages, and enumerations.
var parsers = map[reflect.Type]func(string) (any, error){
	reflect.TypeFor[netip.Prefix]():   func(s string) (any, error) { return parsePrefix(s) },
	reflect.TypeFor[netip.Addr]():     func(s string) (any, error) { return parseAddr(s) },
	reflect.TypeFor[Profile]():        oneOf(Household, Public, PAC),
	reflect.TypeFor[Protocol]():       oneOf(HTTP, HTTPS, SOCKS5),
	reflect.TypeFor[Authentication](): oneOf(AuthNone, AuthBasic, AuthToken, AuthCertificate),
	reflect.TypeFor[Unknown]():        oneOf(Pass, Drop),
	reflect.TypeFor[CookiePolicy]():   oneOf(CookiesPass, CookiesSession, CookiesFirstParty, CookiesBlock),
	reflect.TypeFor[Persona]():        oneOf(PersonaOff, PersonaFirefox, PersonaChrome),
	reflect.TypeFor[Sharing]():        oneOf(SharingShared, SharingDisguised, SharingPerClient),
	reflect.TypeFor[Differing]():      oneOf(DifferingShare, DifferingSeparate),
	reflect.TypeFor[Level]():          oneOf(LevelDebug, LevelInfo, LevelWarn, LevelError, LevelOff),
	reflect.TypeFor[Openness]():       oneOf(Open, Closed),
	reflect.TypeFor[Tunnels]():        oneOf(TunnelsAny, TunnelsTLS),
	reflect.TypeFor[RequestLine]():    oneOf(RequestsNone, RequestsAnonymous),
	reflect.TypeFor[SiteInspection](): oneOf(InspectNever, InspectAlways, InspectAuto),
	reflect.TypeFor[SiteUpstream]():   oneOf(UpstreamChain, UpstreamDirect),
}

// Keys returns every key that holds a value, in full, as cache.memory.
func Keys() []string { return slices.Clone(allKeys) }

// keysOf returns the full name of every key that holds a value.
func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for f := range t.Fields() {
		path := prefix + f.Tag.Get("key")
		if isSection(f.Type) {
			keys = append(keys, keysOf(f.Type, path+".")...)
			continue
		}
		keys = append(keys, path)
	}
	return keys
}

// isSection reports whether t is a table of further keys. Layers merge such a table key
// by key, and replace all else whole.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isScalar(t)
}

func isScalar(t reflect.Type) bool {
	if parsers[t] != nil || reflect.PointerTo(t).Implements(textUnmarshaler) {
		return true
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Slice
}

// section types one table of a layer. The result is as viper merges it:
// tables as maps, every other key as its *setting.
func (d *decoder) section(n *node, t reflect.Type, path string) map[string]any {
	tree := make(map[string]any)
	if n == nil || n.kind == null {
		return tree
	}
	if n.kind != table {
		help := ""
		if n.kind == text && keyAsText.MatchString(n.text) {
			help = keyWants
		}
		d.fail(n.at, strings.TrimSuffix(path, "."), "want keys under it (%s), not %s%s", strings.Join(names(t), ", "), n.kind, help)
		return tree
	}
	for _, e := range d.known(n, t, path) {
		if isSection(e.field.Type) {
			tree[e.name] = d.section(e.value, e.field.Type, path+e.name+".")
			continue
		}
		v := reflect.New(e.field.Type).Elem()
		if d.value(e.value, v, path+e.name) {
			tree[e.name] = &setting{v, e.value}
		}
	}
	return tree
}

// A knownEntry is an entry with the field it belongs to.
type knownEntry struct {
	entry
	field reflect.StructField
}

// known returns n's entries that t has a field for, and reports the others
// and those written twice.
func (d *decoder) known(n *node, t reflect.Type, path string) []knownEntry {
	var found []knownEntry
	first := make(map[string]place)
	for _, e := range n.keys {
		if at, twice := first[e.name]; twice {
			if at.line > 0 {
				d.fail(e.at, path+e.name, "is set twice, first on line %d", at.line)
			} else {
				d.fail(e.at, path+e.name, "is set twice")
			}
			continue
		}
		first[e.name] = e.at
		if f, ok := fieldOf(t, e.name); ok {
			found = append(found, knownEntry{e, f})
			continue
		}
		d.unknown(e, t, path)
	}
	return found
}

func (d *decoder) unknown(e entry, t reflect.Type, path string) {
	what := "unknown key"
	if keyAsText.MatchString(e.name) {
		what += keyWants
	} else if i := strings.LastIndexByte(e.name, '.'); i > 0 && slices.Contains(allKeys, path+e.name) {
		what += fmt.Sprintf("; write %s under %s", e.name[i+1:], e.name[:i])
	} else if s := closest(e.name, names(t)); s != "" {
		what += "; did you mean " + path + s + "?"
	} else if below := keysEndingIn(allKeys, path, e.name); len(below) > 0 {
		what += "; did you mean " + strings.Join(below, " or ") + "?"
	} else {
		what += "; known here: " + strings.Join(names(t), ", ")
		if elsewhere := keysEndingIn(slices.Concat(allKeys, itemKeys), "", e.name); len(elsewhere) == 1 {
			what += "; or did you mean " + elsewhere[0] + "?"
		}
	}
	d.fail(e.at, path+e.name, "%s", what)
}

// keysEndingIn returns those of keys that are under path and whose last word is name.
func keysEndingIn(keys []string, path, name string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, path) || !strings.HasSuffix(k, "."+name) })
}

func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if f.Tag.Get("key") == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func names(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		names = append(names, f.Tag.Get("key"))
	}
	return names
}

// value sets v from n, and reports whether n has v's shape. Parts of a list
// or table that are wrong are reported and left zero, so that what is right
// can still be compared with the rest.
func (d *decoder) value(n *node, v reflect.Value, path string) bool {
	switch {
	case n.kind == null:
		d.fail(n.at, path, "has no value")
		return false
	case isScalar(v.Type()):
		return d.scalar(n, v, path)
	case v.Kind() == reflect.Slice:
		return d.list(n, v, path)
	case v.Type() == reflect.TypeFor[Listener]() && n.kind != table && n.kind != list:
		return d.scalar(n, v.FieldByName("Address"), path)
	case n.kind != table:
		d.fail(n.at, path, "want keys (%s), not %s", strings.Join(names(v.Type()), ", "), n.kind)
		return false
	}
	for _, e := range d.known(n, v.Type(), path+".") {
		d.value(e.value, v.FieldByIndex(e.field.Index), path+"."+e.name)
	}
	return true
}

func (d *decoder) list(n *node, v reflect.Value, path string) bool {
	if n.kind == loose {
		n = commaList(n)
	}
	if n.kind != list {
		help := "; put [ ] around it"
		switch {
		case n.kind == table:
			help += ", or a dash before each item"
		case n.kind == text && strings.HasPrefix(n.text, "-"):
			help = itemWants
		}
		d.fail(n.at, path, "want a list, not %s%s", n.kind, help)
		return false
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	return true
}

// commaList turns the text of a variable or --set into a list, in place so
// that the setting's node keeps one item for each value.
func commaList(n *node) *node {
	n.kind = list
	if strings.TrimSpace(n.text) == "" {
		return n
	}
	for part := range strings.SplitSeq(n.text, ",") {
		n.items = append(n.items, &node{at: n.at, kind: loose, text: strings.TrimSpace(part)})
	}
	return n
}

func (d *decoder) scalar(n *node, v reflect.Value, path string) bool {
	if n.kind == list || n.kind == table {
		d.fail(n.at, path, "want one value, not %s", n.kind)
		return false
	}
	if err := setScalar(n, v); err != nil {
		d.fail(n.at, path, "%s", err)
		return false
	}
	if v.Kind() == reflect.String && strings.HasPrefix(v.String(), "~/") {
		d.fail(n.at, path, "~ is for shells alone; write the path in full")
	}
	return true
}

func setScalar(n *node, v reflect.Value) error {
	if parse := parsers[v.Type()]; parse != nil {
		value, err := parse(n.text)
		if err == nil {
			v.Set(reflect.ValueOf(value))
		}
		return err
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(n.text))
	}
	switch v.Kind() {
	case reflect.Bool:
		right := n.text == "true" || n.text == "false"
		if n.kind == text && right {
			return fmt.Errorf("is text; write %s without quotes", n.text)
		}
		if n.kind != boolean && !right {
			return fmt.Errorf("want true or false, not %s", quote(n.text))
		}
		// YAML has true, True and TRUE.
		v.SetBool(n.text[0] == 't' || n.text[0] == 'T')
	case reflect.Int:
		i, err := strconv.Atoi(n.text)
		if n.kind == text && err == nil {
			return fmt.Errorf("is text; write %s without quotes", n.text)
		}
		if err != nil {
			return fmt.Errorf("want a whole number, not %s", quote(n.text))
		}
		v.SetInt(int64(i))
	case reflect.String:
		if n.kind != text && n.kind != loose {
			return errors.New("want text, in quotes, not " + n.kind.String())
		}
		v.SetString(n.text)
	}
	return nil
}
