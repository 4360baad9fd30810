package egress

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOwnAddressesStayClosedWithoutADescriptor: clients can see to it that none is left to
// ask the system by, and to nothing of this machine comes open by that.
func TestOwnAddressesStayClosedWithoutADescriptor(t *testing.T) {
	own, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("8.8.4.4")
	known, unknown := new(machine), new(machine)
	if !known.has(own) || known.has(other) {
		t.Skip("the system does not say which addresses it has")
	}
	withoutDescriptors(t, func() {
		known.asked = time.Now().Add(-2 * machineFresh)
		if !known.has(own) || known.has(other) {
			t.Error("what was known is forgotten")
		}
		if !unknown.has(other) {
			t.Error("an address is taken for none of this machine's before anybody could ask")
		}
	})
	if !unknown.has(own) || unknown.has(other) {
		t.Error("nobody asks again")
	}
}

// withoutDescriptors calls do while the process can open nothing.
func withoutDescriptors(t *testing.T, do func()) {
	t.Helper()
	if conn, err := net.ListenPacket("udp", "127.0.0.1:0"); err == nil { // with what the runtime waits by
		conn.Close()
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	do()
}
