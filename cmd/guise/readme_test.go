package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmeBlocks returns what README.md has people paste into a shell.
func readmeBlocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// TestREADMEIsTrue: its configurations are accepted, and its commands have the
// flags that it gives them.
func TestREADMEIsTrue(t *testing.T) {
	blocks := readmeBlocks(t)
	t.Chdir(t.TempDir())
	here, commands := regexp.MustCompile(`(?ms)^cat > (\S+) <<'EOF'\n(.*?)^EOF$`), 0
	for _, block := range blocks {
		for _, m := range here.FindAllStringSubmatch(block, -1) {
			if err := os.WriteFile(m[1], []byte(m[2]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var said strings.Builder
	p := &program{stdout: io.Discard, stderr: &said}
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("it writes %q, %v", files, err)
	}
	for _, p.file = range files {
		if _, err := p.load(checkRules); err != nil {
			p.report(err)
			t.Error(said.String())
		}
	}
	for _, block := range blocks {
		for line := range strings.Lines(here.ReplaceAllString(block, "")) {
			line, _, _ = strings.Cut(line, "#")
			_, args, ours := strings.Cut(line, "./guise")
			if _, run, isRun := strings.Cut(line, "./cmd/guise"); isRun {
				args, ours = run, true
			}
			if !ours || strings.Contains(line, "go build") {
				continue
			}
			args, _, _ = strings.Cut(args, ">")
			commands++
			said.Reset()
			words := append(strings.Fields(strings.ReplaceAll(args, "'", "")), "--help")
			if code := run(words, io.Discard, &said, nil); code != exitFine {
				t.Errorf("guise %s: %s", args, said.String())
			}
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands were tried", commands)
	}
}
