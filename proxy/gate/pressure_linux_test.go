package gate

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
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

// TestNoDescriptorLeftIsShort: to find out how many are in use takes one on Linux before
// 6.2, and that there is none is no reason to take in more.
func TestNoDescriptorLeftIsShort(t *testing.T) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 3, Max: was.Max} // there are standard input, output and error
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	used, limit := lookAtDescriptors(3)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if used != 3 || limit != 3 {
		t.Errorf("%d descriptors of %d are in use, with no one left", used, limit)
	}
	if used, limit := lookAtDescriptors(1000); used < 3 || limit != 1000 {
		t.Errorf("%d descriptors of %d are in use", used, limit)
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
