// Command guise is an anonymizing HTTP proxy: sites see one visitor that all
// its users share, and nothing about the person behind it.
//
// One file for each subcommand; [run] is the whole program, for main and for
// the tests.
package main

import (
	"io"
	"log"
	"os"
)

func main() {
	log.SetOutput(io.Discard) // net/http logs there what name servers answer, whatever log.level is
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
}
