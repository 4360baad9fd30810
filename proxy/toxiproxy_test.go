package proxy

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// toxicOrigin is the variable that names the origin in the environment of a
// process that runs toxiproxy.
const toxicOrigin = "GUISE_TEST_TOXIC_ORIGIN"

// A faultyWay is a toxiproxy in front of an origin. It runs in a process of its
// own: it loses goroutines when a connection breaks in its hands, and they are
// not to be counted as guise's.
type faultyWay struct{ *part }

// startFaultyWay puts a way without faults in front of origin. It ends with
// the test.
func startFaultyWay(t *testing.T, origin string) faultyWay {
	t.Helper()
	return faultyWay{startPart(t, toxicOrigin, origin)}
}

// replaceFault ends the fault that there is and puts fault, a toxic in JSON,
// in its place; "" is none.
func (w faultyWay) replaceFault(t *testing.T, fault string) {
	t.Helper()
	fmt.Fprintln(w.orders, fault)
	if answer := w.answer(t); answer != "done" {
		t.Fatalf("%s: %s", fault, answer)
	}
}

// runToxiproxy is the process of a faultyWay: it prints its address, then takes
// a fault a line until its input ends.
func runToxiproxy(origin string) error {
	zerolog.SetGlobalLevel(zerolog.Disabled) // its parts write to standard error
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "origin", "127.0.0.1:0", origin)
	if err := proxy.Start(); err != nil {
		return err
	}
	fmt.Println(proxy.Listen)
	faults := bufio.NewScanner(os.Stdin)
	for faults.Scan() {
		proxy.Toxics.ResetToxics(context.Background())
		answer := "done"
		if fault := faults.Text(); fault != "" {
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(fault)); err != nil {
				answer = err.Error()
			}
		}
		fmt.Println(answer)
	}
	return faults.Err()
}
