package main

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"guise/config"
	"guise/proxy/inspect"
)

// prose returns what a file tells people: all of it, of Go code its comments and texts.
func prose(t *testing.T, path string) string {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) != ".go" {
		return string(source)
	}
	var said strings.Builder
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile(path, -1, len(source)), source, nil, scanner.ScanComments)
	for {
		_, kind, text := s.Scan()
		switch kind {
		case token.EOF:
			return said.String()
		case token.COMMENT, token.STRING:
			said.WriteString(text + "\n")
		}
	}
}

// TestDocumentedKeysExist: whatever text names a key of the configuration, or its
// variable in the environment, there is one.
func TestDocumentedKeysExist(t *testing.T) {
	known, sections := make(map[string]bool), make(map[string]bool)
	for _, key := range config.Keys() {
		for i, c := range key {
			if c == '.' {
				known[key[:i]] = true
			}
		}
		known[key], known["GUISE_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = true, true
		if section, _, inside := strings.Cut(key, "."); inside {
			sections[section] = true
		}
	}
	names := regexp.MustCompile(`[\w./-]*[a-z]+\.[a-z_.]*[a-z]|\bGUISE_[A-Z_]+[A-Z]\b`)
	found := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == ".git" || entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		case !slices.Contains([]string{".go", ".md", ".yaml", ".html", ".service", ".socket"}, filepath.Ext(path)) && entry.Name() != "Containerfile":
			return nil
		}
		for _, name := range names.FindAllString(prose(t, path), -1) {
			section, rest, _ := strings.Cut(name, ".")
			if variable, ok := strings.CutPrefix(name, "GUISE_"); ok {
				section, _, _ = strings.Cut(strings.ToLower(variable), "_")
			}
			if !sections[section] || slices.Contains([]string{"yaml", "go", "html"}, rest) {
				continue
			}
			found++
			if !known[name] {
				t.Errorf("%s speaks of %s, and there is no such key", path, name)
			}
		}
		return nil
	})
	if err != nil || found < 100 {
		t.Errorf("%d keys were found, %v", found, err)
	}
}

// TestNamesOfTheHouseAreOneList: what is looked up here alone, as the configuration says,
// is what an authority does not sign for, beside what is never looked up.
func TestNamesOfTheHouseAreOneList(t *testing.T) {
	said := regexp.MustCompile(`(?s)those without a dot, and below (.*?) and\W+(\w+)\.`).FindStringSubmatch(config.Reference())
	if said == nil {
		t.Fatal("the configuration does not say which names are the house's")
	}
	listed := regexp.MustCompile(`[a-z][a-z.]*`).FindAllString(said[1]+" "+said[2], -1)
	authority, err := inspect.Create(inspect.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unsigned := slices.DeleteFunc(slices.Clone(authority.Certificate().ExcludedDNSDomains), func(name string) bool {
		return name == "localhost" || name == "onion"
	})
	slices.Sort(listed)
	slices.Sort(unsigned)
	if !slices.Equal(listed, unsigned) {
		t.Errorf("looked up here are %q, and not signed for %q", listed, unsigned)
	}
}
