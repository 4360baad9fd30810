//go:build !linux

package main

// A processors leaves the choice to the system and the runtime.
type processors struct{}

func (*processors) use()     {}
func (*processors) release() {}
