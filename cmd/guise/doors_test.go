package main

import (
	"strings"
	"testing"
	"time"

	"guise/config"
)

// TestEndOfACertificateIsSaid while there is time, and once it is over.
func TestEndOfACertificateIsSaid(t *testing.T) {
	end := time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		left       time.Duration
		selfSigned bool
		want       string
	}{
		{15 * 24 * time.Hour, false, ""},
		{13 * 24 * time.Hour, false, "proxy.pem from 2030-05-17 on; put a new one"},
		{-time.Hour, false, "proxy.pem from 2030-05-17 on; put a new one"},
		{-time.Hour, true, "proxy.pem from 2030-05-17 on; move it and its key away"},
	} {
		var out strings.Builder
		l := config.Listener{Certificate: "proxy.pem", SelfSigned: c.selfSigned}
		announceEnd(&out, l, end, end.Add(-c.left))
		if got := out.String(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v before its end: %q", c.left, got)
		}
	}
}
