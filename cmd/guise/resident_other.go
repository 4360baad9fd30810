//go:build !linux

package main

// releaseProgram leaves the program's pages to the system.
func releaseProgram() {}
