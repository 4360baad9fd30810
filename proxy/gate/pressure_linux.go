package gate

import (
	"bytes"
	"encoding/binary"
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

// Files of a memory cgroup, by version. What is over memory.high is slowed down
// until nothing moves, so that is a limit as much as memory.max.
type cgroupFiles struct {
	limits    []string
	used      string
	droppable string // line of memory.stat: files that can be read again
}

var (
	cgroupV1 = cgroupFiles{[]string{"memory.limit_in_bytes"}, "memory.usage_in_bytes", "total_inactive_file"}
	cgroupV2 = cgroupFiles{[]string{"memory.max", "memory.high"}, "memory.current", "inactive_file"}
)

// cgroupMemory returns the bytes that this process's cgroup holds, apart from
// files that can be dropped, and its limit, 0 for none.
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
			return cgroupV2.memory(cgroupRoot, path)
		case strings.Contains(","+controllers+",", ",memory,"):
			return cgroupV1.memory(filepath.Join(cgroupRoot, "memory"), path)
		}
	}
	return 0, 0
}

// memory looks at the cgroup of path and all above it, any of which may set the
// limit that counts. Those that a container does not see are passed over.
func (f cgroupFiles) memory(root, path string) (used, limit int64) {
	const none = 1 << 60 // version 1 writes no limit as a number beyond
	for dir := filepath.Clean("/" + path); ; dir = filepath.Dir(dir) {
		at := filepath.Join(root, dir)
		for _, file := range f.limits {
			if most := readNumber(filepath.Join(at, file)); most > 0 && most < none && (limit == 0 || most < limit) {
				limit = most
				used = readNumber(filepath.Join(at, f.used)) - readStat(filepath.Join(at, "memory.stat"), f.droppable)
			}
		}
		if dir == "/" {
			return used, limit
		}
	}
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
	if info, err := os.Stat(descriptorFolder); err == nil && info.Size() > 0 {
		return info.Size(), limit
	}
	return lookAtDescriptors(limit)
}

const descriptorFolder = "/proc/self/fd"

// lookAtDescriptors is descriptorsInUse where it takes a look at each, for which one
// more is needed: where there is none, all are in use.
func lookAtDescriptors(limit int64) (used, of int64) {
	open, err := syscall.Open(descriptorFolder, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err == syscall.EMFILE {
		return limit, limit
	}
	if err != nil {
		return 0, 0
	}
	defer syscall.Close(open)
	return countEntries(open) - 3, limit // ".", ".." and this one
}

// countEntries counts what is in a directory without making names of it, which
// would be garbage by the megabyte while there are many connections.
func countEntries(directory int) int64 {
	var entries int64
	var buf [8 << 10]byte
	for {
		n, err := syscall.ReadDirent(directory, buf[:])
		if err != nil || n <= 0 {
			return entries
		}
		for at := 0; at < n; entries++ {
			at += int(binary.NativeEndian.Uint16(buf[at+16:])) // d_reclen of struct linux_dirent64, getdents(2)
		}
	}
}
