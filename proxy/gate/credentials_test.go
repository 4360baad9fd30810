package gate

import (
	"encoding/base64"
	"strings"
	"testing"
	"unsafe"
)

// Names of accounts are kept in memory for long; passwords are not to be with them.
func TestNamesHoldNoPasswords(t *testing.T) {
	const user, password = "ann+work", "correct horse"
	c := readCredentials([]string{"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))})
	if c.user != user || c.password != password {
		t.Fatalf("read %q, %q", c.user, c.password)
	}
	at := func(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }
	if at(c.user)+uintptr(len(user)+1) == at(c.password) {
		t.Error("the name is a part of the text that holds the password")
	}
}

// TestNamesOfAccounts: none can be mistaken for another, in a file or on a terminal, nor for
// a name and something else. A suffix may hold more.
func TestNamesOfAccounts(t *testing.T) {
	long := strings.Repeat("a", maxName)
	for name, valid := range map[string]bool{
		"ann": true, "Ann Lee": true, "ann@example.com": true, "\u00e4nn\u00a0e": true, "\u540d": true, long: true,
		"": false, " ann": false, "ann ": false, "\u00a0ann": false, "a:b": false, "a+b": false, "a#b": false, "a,b": false, long + "a": false,
		"a\tb": false, "a\x00": false, "a\x1f": false, "a\x7f": false, "a\u0080": false, "a\u009f": false, "a\xff": false,
	} {
		if validName(name) != valid {
			t.Errorf("%q is a name: %t", name, !valid)
		}
	}
	for suffix, valid := range map[string]bool{"": true, "+": true, " a, #": true, long: true, long + "a": false, "a\n": false, "a\u0085": false} {
		if got := readCredentials(basic("ann+"+suffix, "x")).user; (got == "ann+"+suffix) != valid || !valid && got != "" {
			t.Errorf("%q: %q", suffix, got)
		}
	}
}
