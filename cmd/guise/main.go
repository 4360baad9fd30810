// Command guise is an anonymizing HTTP proxy: sites see one visitor that all
// its users share, and nothing about the person behind it.
//
// One file for each subcommand; [run] is the whole program, for main and for
// the tests.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Environ())) }
