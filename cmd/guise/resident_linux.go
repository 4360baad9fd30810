package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram gives back the pages of the program itself, its code and its
// tables, that starting touched: nearly all of them, of which serving needs
// less than half. What is needed again comes from the page cache.
func releaseProgram() {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return // the pages stay until the kernel wants them
	}
	for _, m := range unchangedMappings(string(text)) {
		// A failure leaves the pages where they are.
		unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// A mapping is a range of this process's addresses.
type mapping struct{ start, end uintptr }

// unchangedMappings returns, of mappings in the form of proc_pid_smaps(5),
// those that hold what is in a file and nothing else: they cannot be written,
// and no page of theirs was changed, as by the loader's relocations.
func unchangedMappings(smaps string) []mapping {
	var list []mapping
	var m mapping
	var file, changed bool // m is of a file and read-only; it has changed pages
	end := func() {
		if file && !changed {
			list = append(list, m)
		}
	}
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case !strings.HasSuffix(fields[0], ":"):
			end()
			var ok bool
			m, ok = parseRange(fields[0])
			file = ok && len(fields) >= 6 && fields[5][0] == '/' && (fields[1] == "r-xp" || fields[1] == "r--p")
			changed = false
		case fields[0] == "Anonymous:" || fields[0] == "Swap:":
			changed = changed || fields[1] != "0"
		}
	}
	end()
	return list
}

// parseRange reads start-end in hexadecimal.
func parseRange(s string) (mapping, bool) {
	first, last, _ := strings.Cut(s, "-")
	start, err := strconv.ParseUint(first, 16, strconv.IntSize)
	if err != nil {
		return mapping{}, false
	}
	end, err := strconv.ParseUint(last, 16, strconv.IntSize)
	return mapping{uintptr(start), uintptr(end)}, err == nil && start < end
}
