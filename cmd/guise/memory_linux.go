package main

import "golang.org/x/sys/unix"

// machineMemory returns the bytes of memory that this machine has, 0 if it does not say.
func machineMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit) // 32 bits wide on some machines
}
