//go:build !linux

package main

// Processors are left to the system and the runtime.
type processors struct{}

func (*processors) use()     {}
func (*processors) release() {}
