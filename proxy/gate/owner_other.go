//go:build !unix

package gate

import "os"

func giveAway(*os.File, string) error { return nil }
