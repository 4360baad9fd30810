package gate

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func memoryLimitIsSet() bool {
	_, set := os.LookupEnv("GOMEMLIMIT")
	return set
}

const cgroupRoot = "/sys/fs/cgroup"

// cgroupMemory returns the bytes that this process's cgroup holds, apart from
// files that can be dropped, and its limit, 0 for none. With version 2 any
// cgroup above may set the limit that counts.
func cgroupMemory() (used, limit int64) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(membership)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch {
		case controllers == "":
			return cgroupV2(cgroupRoot, path)
		case strings.Contains(","+controllers+",", ",memory,"):
			return cgroupV1(path)
		}
	}
	return 0, 0
}

func cgroupV2(root, path string) (used, limit int64) {
	for dir := filepath.Clean("/" + path); ; dir = filepath.Dir(dir) {
		at := filepath.Join(root, dir)
		if most := readNumber(filepath.Join(at, "memory.max")); most > 0 && (limit == 0 || most < limit) {
			limit = most
			used = readNumber(filepath.Join(at, "memory.current")) - readStat(filepath.Join(at, "memory.stat"), "inactive_file")
		}
		if dir == "/" {
			return used, limit
		}
	}
}

func cgroupV1(path string) (used, limit int64) {
	at := filepath.Join(cgroupRoot, "memory", path)
	if _, err := os.Stat(at); err != nil {
		at = filepath.Join(cgroupRoot, "memory") // a container sees its own as the root
	}
	limit = readNumber(filepath.Join(at, "memory.limit_in_bytes"))
	if limit > 1<<60 { // the way to write none there
		return 0, 0
	}
	return readNumber(filepath.Join(at, "memory.usage_in_bytes")) - readStat(filepath.Join(at, "memory.stat"), "total_inactive_file"), limit
}

// readNumber returns the number in a file, 0 if there is none ("max").
func readNumber(file string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	return n
}

func readStat(file, name string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}

// descriptorsInUse counts what is open. Since Linux 6.2 the size of the
// directory tells, without a look at each.
func descriptorsInUse() (used, limit int64) {
	var rlimit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rlimit) != nil {
		return 0, 0
	}
	limit = int64(min(rlimit.Cur, 1<<62))
	const folder = "/proc/self/fd"
	if info, err := os.Stat(folder); err == nil && info.Size() > 0 {
		return info.Size(), limit
	}
	open, err := os.Open(folder)
	if err != nil {
		return 0, 0
	}
	defer open.Close()
	names, err := open.Readdirnames(-1)
	if err != nil {
		return 0, 0
	}
	return int64(len(names)), limit
}
