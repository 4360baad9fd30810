package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms lists what each package of the project may import: other packages of
// the project, and modules beside the standard library. Arrows point down.
var rooms = map[string]struct{ project, modules []string }{
	"guise/filters":         {modules: []string{"golang.org/x/net"}},
	"guise/cache":           {project: []string{"guise/cache/ending", "guise/cache/lru"}, modules: []string{"github.com/hashicorp/golang-lru/v2", "golang.org/x/net", "golang.org/x/sys"}},
	"guise/cache/ending":    {},
	"guise/cache/lru":       {modules: []string{"github.com/hashicorp/golang-lru/v2"}},
	"guise/config":          {modules: []string{"golang.org/x/net", "github.com/spf13", "go.yaml.in/yaml", "github.com/pelletier/go-toml"}},
	"guise/proxy/gate":      {project: []string{"guise/cache/lru", "guise/proxy/fault", "guise/proxy/owner"}, modules: []string{"github.com/hashicorp/golang-lru/v2", "github.com/tg123/go-htpasswd", "golang.org/x/crypto"}},
	"guise/proxy/telemetry": {modules: []string{"github.com/prometheus/client_golang"}},
	"guise/proxy/egress":    {modules: []string{"code.dny.dev/ssrf", "golang.org/x/net", "golang.org/x/sys"}},
	"guise/proxy/calls":     {},
	"guise/proxy/fault":     {},
	"guise/proxy/owner":     {},
	"guise/proxy/pipe":      {modules: []string{"golang.org/x/sys"}},
	"guise/proxy/tunnel":    {project: []string{"guise/proxy/calls", "guise/proxy/pipe"}, modules: []string{"golang.org/x/sys"}},
	"guise/proxy/wire":      {project: []string{"guise/cache/ending", "guise/proxy/calls", "guise/proxy/pipe"}, modules: []string{"golang.org/x/net", "golang.org/x/sys"}},
	"guise/proxy/console":   {},
	"guise/proxy/inspect":   {project: []string{"guise/cache/lru", "guise/proxy/owner"}, modules: []string{"github.com/hashicorp/golang-lru/v2", "golang.org/x/net"}},
	"guise/proxy/socks":     {},
	"guise/proxy/certs":     {project: []string{"guise/proxy/fault", "guise/proxy/owner"}, modules: []string{"github.com/caddyserver/certmagic", "go.uber.org/zap"}},
	"guise/proxy/judge":     {modules: []string{"golang.org/x/net"}},
	"guise/proxy": {
		project: []string{"guise/filters", "guise/cache", "guise/cache/ending", "guise/proxy/gate", "guise/proxy/egress", "guise/proxy/pipe", "guise/proxy/tunnel", "guise/proxy/wire", "guise/proxy/console", "guise/proxy/telemetry", "guise/proxy/inspect", "guise/proxy/socks", "guise/proxy/calls"},
		modules: []string{"github.com/elazarl/goproxy", "github.com/pires/go-proxyproto", "github.com/andybalholm/brotli", "github.com/klauspost/compress", "golang.org/x/crypto", "golang.org/x/net", "golang.org/x/sys"},
	},
	"guise/proxy/wire/http2test": {modules: []string{"golang.org/x/net"}}, // for tests alone

	"guise/scripts/bench": {modules: []string{"golang.org/x/sys"}},
	"guise/cmd/guise": {
		project: []string{"guise/config", "guise/filters", "guise/cache", "guise/proxy", "guise/proxy/gate", "guise/proxy/egress", "guise/proxy/wire", "guise/proxy/judge", "guise/proxy/inspect", "guise/proxy/telemetry", "guise/proxy/certs", "guise/proxy/calls"},
		modules: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/fsnotify/fsnotify", "golang.org/x/term", "golang.org/x/sys"},
	},
}

// TestImportRules holds the arrows between the rooms: cmd above proxy above
// its own rooms above filters and cache; config is cmd's, goproxy is proxy's.
func TestImportRules(t *testing.T) {
	out, err := exec.Command("go", "list", "-pgo=off", "-json=ImportPath,Imports", "guise/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		room, known := rooms[p.ImportPath]
		if !known {
			t.Errorf("%s is no room of the design; add it with its rules or move it", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			first, _, _ := strings.Cut(path, "/")
			switch {
			case first == "guise":
				if !slices.Contains(room.project, path) {
					t.Errorf("%s may not import %s", p.ImportPath, path)
				}
			case strings.Contains(first, "."):
				if !slices.ContainsFunc(room.modules, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }) {
					t.Errorf("%s may not import %s", p.ImportPath, path)
				}
			}
		}
	}
	if seen < len(rooms) {
		t.Errorf("go list shows %d packages, the rules speak of %d", seen, len(rooms))
	}
}
