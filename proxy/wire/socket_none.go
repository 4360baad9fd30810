//go:build !unix

package wire

import "errors"

const canCall = false

func readNow(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func writeNow(uintptr, [][]byte) (int, error) { return 0, errors.ErrUnsupported }

func asleep(uintptr) bool { return false }
