package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"guise/config"
)

// readme returns README.md, and what it has people paste into a shell.
func readme(t *testing.T) (text string, blocks []string) {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shell := regexp.MustCompile("(?s)```sh\n(.*?)```")
	for _, m := range shell.FindAllSubmatch(data, -1) {
		blocks = append(blocks, string(m[1]))
	}
	return shell.ReplaceAllString(string(data), ""), blocks
}

// TestSnippetsOfTheREADMEAreAccepted, those that stand in its sentences.
func TestSnippetsOfTheREADMEAreAccepted(t *testing.T) {
	text, _ := readme(t)
	tried := 0
	for _, m := range regexp.MustCompile("`(?:([a-z_]+): ?)?([\\[{][^`]*[\\]}])`").FindAllStringSubmatch(text, -1) {
		set := m[1] + "=" + strings.ReplaceAll(m[2], "\n", " ")
		if m[1] == "" {
			set = "listeners=[" + strings.ReplaceAll(m[2], "\n", " ") + "]"
		} else if !slices.ContainsFunc(config.Keys(), func(k string) bool { return k == m[1] || strings.HasPrefix(k, m[1]+".") }) {
			continue // a part of one
		}
		tried++
		if _, problems := config.Load("", nil, []string{set}, checkRules); len(problems) > 0 {
			t.Errorf("%s: %s", set, problems)
		}
	}
	if tried < 4 {
		t.Errorf("only %d were found", tried)
	}
}

// TestREADMEIsTrue: its configurations are accepted, and its commands have the
// flags that it gives them.
func TestREADMEIsTrue(t *testing.T) {
	_, blocks := readme(t)
	t.Chdir(t.TempDir())
	here, commands := regexp.MustCompile(`(?ms)^cat > (\S+) <<'EOF'\n(.*?)^EOF$`), 0
	for _, block := range blocks {
		for _, m := range here.FindAllStringSubmatch(block, -1) {
			writeFile(t, m[1], m[2])
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
