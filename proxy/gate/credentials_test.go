package gate

import (
	"encoding/base64"
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
