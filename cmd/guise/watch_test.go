package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestFoldersOf a file are those in which its place can be taken by another.
func TestFoldersOf(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, folder := range []string{"plain", "a/b", "links"} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"plain/f", "a/b/f"} {
		writeFile(t, file, "")
	}
	for link, target := range map[string]string{
		"links/file": "../a/b/f", "links/folder": "../a//b/", "links/whole": filepath.Join(dir, "a"), "links/round": "round", "links/lost": "nowhere/f",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string][]string{
		"plain/f":         {"plain"},
		"plain/none":      {"plain"},
		"none/none/f":     {""},
		"links/file":      {"a/b", "links"},
		"links/folder/f":  {"a/b", "links"},
		"links/whole/b/f": {"a/b", "links"},
		"links/round":     {"links"},
		"links/lost":      {"links"},
	} {
		got := foldersOf(file)
		slices.Sort(got)
		got = slices.Compact(got)
		for i := range want {
			want[i] = filepath.Join(dir, want[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}
