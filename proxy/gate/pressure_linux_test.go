package gate

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// What is counted is all there is, in more pieces than one.
func TestEntriesAreCounted(t *testing.T) {
	folder := t.TempDir()
	for _, n := range []int{0, 1, 1000} {
		for i := range n {
			write(t, filepath.Join(folder, strconv.Itoa(i)), "")
		}
		open, err := os.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		if got := countEntries(int(open.Fd())); got != int64(n)+2 {
			t.Errorf("%d of %d entries, and of . and ..", got, n)
		}
		open.Close()
	}
}

// TestSmallestLimitAboveCounts: a cgroup is bound by those it is in.
func TestSmallestLimitAboveCounts(t *testing.T) {
	root := t.TempDir()
	for path, content := range map[string]string{
		"a/memory.max": "1000000\n", "a/memory.current": "500000\n", "a/memory.stat": "anon 1\ninactive_file 100000\n",
		"a/b/memory.max": "max\n", "a/b/memory.current": "7\n",
		"a/c/memory.max": "400000\n", "a/c/memory.current": "8\n",
		"a/d/memory.max": "max\n", "a/d/memory.high": "300000\n", "a/d/memory.current": "9\n",

		"1/memory.limit_in_bytes": "1000000\n", "1/memory.usage_in_bytes": "500000\n", "1/memory.stat": "inactive_file 5\ntotal_inactive_file 100000\n",
		"1/b/memory.limit_in_bytes": "9223372036854771712\n", "1/b/memory.usage_in_bytes": "7\n",
		"1/c/memory.limit_in_bytes": "400000\n", "1/c/memory.usage_in_bytes": "8\n",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, file, content)
	}
	for _, c := range []struct {
		files       cgroupFiles
		path        string
		used, limit int64
	}{
		{cgroupV2, "/a/b", 400000, 1000000}, {cgroupV2, "/a/c", 8, 400000}, {cgroupV2, "/a/d", 9, 300000},
		{cgroupV2, "/", 0, 0}, {cgroupV2, "/none/../..", 0, 0}, {cgroupV2, "/a/not/seen", 400000, 1000000},
		{cgroupV1, "/1/b", 400000, 1000000}, {cgroupV1, "/1/c", 8, 400000}, {cgroupV1, "/1/not/seen", 400000, 1000000}, {cgroupV1, "/", 0, 0},
	} {
		if used, limit := c.files.memory(root, c.path); used != c.used || limit != c.limit {
			t.Errorf("%s: %d of %d, want %d of %d", c.path, used, limit, c.used, c.limit)
		}
	}
}
