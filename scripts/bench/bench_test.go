//go:build linux

package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == originArgument {
		serveOrigin()
		return
	}
	goleak.VerifyTestMain(m)
}

// TestQuickMeasuresGuise runs every workload once, without peers: the program
// that the README names works, and guise answers all of it right.
func TestQuickMeasuresGuise(t *testing.T) {
	p, _, err := parsePlan([]string{"-quick", "-peers", "guise"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(p, false, &out); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(out.String()) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		rows++
		if strings.TrimSpace(cells[2]) == "" {
			t.Errorf("nothing was measured in %q", line)
		}
	}
	want := 2 // head and rule
	for _, w := range workloads {
		want += len(w.measures)
	}
	if rows != want {
		t.Errorf("%d rows, want %d:\n%s", rows, want, &out)
	}
}

// TestWrongAnswersCount shows that the load would see a proxy's mistakes.
func TestWrongAnswersCount(t *testing.T) {
	for head, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n":                         "",
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\n":    "",
		"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n":                "answered",
		"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n":                                 "without Content-Length",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n":                "without Content-Length",
		"HTTP/1.1 200 OK\r\nContent-Length: five\r\nConnection: close\r\n\r\n": "invalid syntax",
	} {
		_, _, err := readHead([]byte(head))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", head, err, want)
		}
	}
}

// TestWrkCountsWrongAnswers: its load sees them too.
func TestWrkCountsWrongAnswers(t *testing.T) {
	if _, err := findProgram("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	for _, wrong := range []bool{false, true} {
		s := newSeries("fresh", 100, "a.test", "http://a.test")
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wrong && strings.HasSuffix(r.URL.Path, "/7") {
				w.Write(make([]byte, 100))
				return
			}
			w.Write(s.bodies[0])
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		done, _, err := closedLoopByWrk(2, 0, l.Addr().String(), s)
		if (err != nil) != wrong || !wrong && done == 0 {
			t.Errorf("wrong answers %v: %d answers, %v", wrong, done, err)
		}
		server.Close()
		<-served
	}
}
