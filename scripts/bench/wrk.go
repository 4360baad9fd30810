//go:build linux

package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// wrkSays is the line that the script ends with.
var wrkSays = regexp.MustCompile(`(?m)^bench (\d+) (\d+) (\d+)$`)

// closedLoopByWrk is closedLoop with wrk for the users. It asks them for s.
func closedLoopByWrk(users int, d time.Duration, proxy string, s *series) (done int64, took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "guise-bench-wrk")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	files := map[string][]byte{"wrk.lua": wrkScript}
	for i := range s.requests {
		files[fmt.Sprint("request.", i)], files[fmt.Sprint("body.", i)] = s.requests[i], s.bodies[i]
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return 0, 0, err
		}
	}
	// wrk counts whole seconds.
	seconds := max(1, int(d.Round(time.Second).Seconds()))
	wrk := exec.Command("wrk", "-t", strconv.Itoa(min(2, users)), "-c", strconv.Itoa(users), "-d", fmt.Sprint(seconds, "s"),
		"--timeout", fmt.Sprint(int(patience.Seconds()), "s"), "-s", filepath.Join(dir, "wrk.lua"), "http://"+proxy, dir, strconv.Itoa(len(s.requests)))
	out, err := wrk.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	said := wrkSays.FindSubmatch(out)
	if said == nil {
		return 0, 0, fmt.Errorf("wrk said:\n%s", out)
	}
	if wrong := string(said[3]); wrong != "0" {
		return 0, 0, fmt.Errorf("%s wrong answers", wrong)
	}
	done, _ = strconv.ParseInt(string(said[1]), 10, 64)
	micros, _ := strconv.ParseInt(string(said[2]), 10, 64)
	return done, time.Duration(micros) * time.Microsecond, nil
}
