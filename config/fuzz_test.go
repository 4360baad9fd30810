package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a file holds, loading it returns a configuration or problems of
// one line each that name a line of the file, and never both.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Ext(file), string(data))
	}
	household, err := profiles.ReadFile(profileFolder + "household.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(".yaml", string(household))
	f.Add(".yaml", "a: &a [*a, *a, *a]")
	f.Add(".yaml", "\r\r0")
	f.Add(".toml", "[[sites]]\nmatch='a'\n[sites.headers]\nallow=[1,\n'x']\n[a.b]\nc.d={e=1}")
	f.Add(".json", `{"sites":[{"match":"a"}],"cache":{"memory":"1MiB"}}`)
	f.Fuzz(func(t *testing.T, ext, data string) {
		if ext != ".toml" && ext != ".json" {
			ext = ".yaml"
		}
		file := "fuzz" + ext
		var c *Config
		var problems Problems
		if root, problem := parse(file, []byte(data)); problem != nil {
			problems = Problems{*problem}
		} else {
			c, problems = newLoader().finish(root, nil, nil)
		}
		if (c == nil) != (len(problems) > 0) {
			t.Fatalf("a configuration: %t, problems: %q", c != nil, problems)
		}
		for _, p := range problems {
			if lines := lineCount(data); p.File == file && (p.Line < 1 || p.Line > lines+1) {
				t.Errorf("line %d of %d: %s", p.Line, lines, p)
			}
			if p.What == "" || strings.ContainsAny(p.String(), "\r\n\x1b") {
				t.Errorf("not one line: %q", p.String())
			}
		}
	})
}

// lineCount counts as YAML does, which knows five line breaks.
func lineCount(s string) int {
	breaks := 0
	for _, r := range s {
		if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) {
			breaks++
		}
	}
	return 1 + breaks
}

// The environment and --set take any text as well.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"cache.memory=1MiB", "listeners=[::1]:0", "sites=[{match: a}]", "access.networks=[::1/128]", "a.b.c.d", "=", "limits={head: 1KiB}", "cache=[", "cache={&a a: *a}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, problems := Load("", []string{"GUISE_" + s}, []string{s})
		if (c == nil) != (len(problems) > 0) {
			t.Fatalf("a configuration: %t, problems: %q", c != nil, problems)
		}
		for _, p := range problems {
			if strings.ContainsAny(p.String(), "\r\n\x1b") {
				t.Errorf("not one line: %q", p.String())
			}
		}
	})
}
