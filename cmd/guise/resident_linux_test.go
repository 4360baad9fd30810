package main

import (
	"os"
	"slices"
	"testing"
)

// Pages that the loader or the program changed are in no file: giving them
// back would lose them.
func TestOnlyUnchangedPagesAreReleased(t *testing.T) {
	const smaps = `00400000-00d29000 r-xp 00000000 fe:00 247741                     /usr/bin/guise
Size:               9380 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
00d29000-016eb000 r--p 00929000 fe:00 247741                     /usr/bin/guise (deleted)
Anonymous:             0 kB
Swap:                  0 kB
016eb000-016ec000 r--p 012eb000 fe:00 247741                     /usr/bin/guise
Anonymous:             4 kB
Swap:                  0 kB
016ec000-016ed000 r--p 012ec000 fe:00 247741                     /usr/bin/guise
Anonymous:             0 kB
Swap:                  4 kB
016ed000-017a3000 rw-p 012ed000 fe:00 247741                     /usr/bin/guise
Anonymous:             0 kB
Swap:                  0 kB
7b296c00000-7b297400000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
7ffc0a5f2000-7ffc0a5f4000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
Swap:                  0 kB
`
	want := []mapping{{0x400000, 0xd29000}, {0xd29000, 0x16eb000}}
	if got := unchangedMappings(smaps); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestProgramRunsOnAfterRelease(t *testing.T) {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	if len(unchangedMappings(string(smaps))) == 0 {
		t.Fatal("nothing of this program could be released")
	}
	releaseProgram()
}
