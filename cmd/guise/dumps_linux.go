package main

import "golang.org/x/sys/unix"

// forbidDumps keeps the kernel from writing this process's memory to disk, and
// other processes of the same user from reading it: requests are in there.
func forbidDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
