package config

import (
	"cmp"
	"embed"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// The household profile sets every key; the others only what they change.
//
//go:embed profiles/*.yaml
var profiles embed.FS

const profileFolder = "profiles/"

// Load returns the configuration that the profile, then file ("" for none),
// then environ ("NAME=value", as [os.Environ]), then sets ("key=value") give,
// later ones overriding earlier ones. The profile key may come from any of
// them. If anything is wrong in any layer, Load returns no configuration
// and all that is wrong, else the configuration and the notes of checks on it.
//
// The checks run last, on a configuration that may have problems.
func Load(file string, environ, sets []string, checks ...Check) (*Config, Problems) {
	l := newLoader()
	l.checks = checks
	var root *node
	if file != "" {
		var problem *Problem
		if root, problem = parseFile(file); problem != nil {
			l.problems = append(l.problems, *problem)
		}
	}
	return l.finish(root, environ, sets)
}

// A Check tells what is wrong with c that its text does not show, such as
// files that cannot be used, and notes what may not be meant. Keys are as in
// access.users or listeners[0].certificate.
type Check func(c *Config, fail, note Say)

// Say says something about a key, as [fmt.Sprintf] would.
type Say func(key, format string, args ...any)

// Reference returns the household profile: every key with its default and, in
// comments, what it means.
func Reference() string { return written(Household) }

// Others returns the other profiles, which say what they change.
func Others() string { return written(Public) + "\n" + written(PAC) }

// written returns the text of a profile.
func written(p Profile) string {
	data, err := profiles.ReadFile(profileFolder + string(p) + ".yaml")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(data)
}

// A loader layers the sources. It is used once.
type loader struct {
	decoder
	viper  *viper.Viper
	checks []Check
	notes  Problems
}

func newLoader() *loader { return &loader{viper: viper.New()} }

// finish layers everything over the file's tree and checks the whole.
func (l *loader) finish(root *node, environ, sets []string) (*Config, Problems) {
	merged := append([]map[string]any{l.section(root, configType, "")}, l.layers(parseEnvironment(environ))...)
	setLayers := l.layers(parseSets(sets))

	chosen := Household
	for _, layer := range slices.Concat(merged, setLayers) {
		if s, ok := layer["profile"].(*setting); ok {
			chosen = s.value.Interface().(Profile)
		}
	}
	for _, name := range []Profile{Household, chosen} {
		l.merge(l.profile(name))
	}
	for _, layer := range merged {
		l.merge(layer)
	}
	for _, layer := range setLayers {
		l.override(layer, "")
	}
	cfg := new(Config)
	l.assign(reflect.ValueOf(cfg).Elem(), "")
	for i := range cfg.Listeners {
		cfg.Listeners[i].Protocol = cmp.Or(cfg.Listeners[i].Protocol, HTTP)
	}
	l.rules(cfg)
	l.check(cfg)
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	l.notes.sort()
	return cfg, l.notes
}

// check runs the checks, of sections in which nothing was wrong so far.
func (l *loader) check(cfg *Config) {
	part := func(key string) string { return key[:strings.IndexAny(key+".", ".[")] }
	wrong := make(map[string]bool)
	for _, p := range l.problems {
		wrong[part(p.Key)] = true
	}
	for _, check := range l.checks {
		check(cfg, func(key, format string, args ...any) {
			if !wrong[part(key)] {
				l.refuse(key, format, args...)
			}
		}, func(key, format string, args ...any) {
			at := l.place(key)
			if strings.HasPrefix(at.file, profileFolder) {
				return // what a profile says is meant
			}
			l.notes = append(l.notes, Problem{at.file, at.line, key, fmt.Sprintf(format, args...), true})
		})
	}
}

func (l *loader) layers(nodes []*node, problems Problems) []map[string]any {
	l.problems = append(l.problems, problems...)
	var layers []map[string]any
	for _, n := range nodes {
		layers = append(layers, l.section(n, configType, ""))
	}
	return layers
}

// profile returns an embedded profile as a layer. A fault in one shows as a
// problem; the tests load them all.
func (l *loader) profile(name Profile) map[string]any {
	n, problem := parse(profileFolder+string(name)+".yaml", []byte(written(name)))
	if problem != nil {
		l.problems = append(l.problems, *problem)
	}
	return l.section(n, configType, "")
}

func (l *loader) merge(layer map[string]any) {
	if err := l.viper.MergeConfigMap(layer); err != nil {
		l.fail(place{file: "layers"}, "", "%s", err)
	}
}

// override gives viper a --set layer, which stands above all merged ones.
func (l *loader) override(layer map[string]any, path string) {
	for name, v := range layer {
		if inner, ok := v.(map[string]any); ok {
			l.override(inner, path+name+".")
			continue
		}
		l.viper.Set(path+name, v)
	}
}

// assign fills v with the topmost value of each of its keys.
func (l *loader) assign(v reflect.Value, path string) {
	for f, field := range v.Fields() {
		name := path + f.Tag.Get("key")
		if isSection(f.Type) {
			l.assign(field, name+".")
			continue
		}
		field.Set(l.setting(name).value)
	}
}

// setting returns the topmost value of a key. There always is one: the household profile
// sets every key.
func (l *loader) setting(name string) *setting { return l.viper.Get(name).(*setting) }
