package inspect

import (
	"fmt"
	"testing"
	"time"
)

// newTimedMemory returns a memory for which it is *now.
func newTimedMemory() (m *Memory, now *time.Time) {
	m, now = NewMemory(), new(time.Now())
	m.now = func() time.Time { return *now }
	return m, now
}

// givenUpLast wants the phone's site given up after so many silences as strike, and no
// sooner.
func givenUpLast(t *testing.T, m *Memory, silence func()) {
	t.Helper()
	for i := range silentStrikes {
		if _, left := m.Fallback("phone", "a.example"); left {
			t.Fatalf("given up after %d", i)
		}
		silence()
	}
	if why, left := m.Fallback("phone", "a.example"); !left || why != Pinned {
		t.Error("never given up")
	}
}

func TestMemory(t *testing.T) {
	m, now := newTimedMemory()
	fallback := func(client, host string, want bool, reason Reason) {
		t.Helper()
		if why, got := m.Fallback(client, host); got != want || got && why != reason {
			t.Errorf("Fallback(%s, %s) = %v, %v", client, host, why, got)
		}
	}
	m.Refused("phone", "pinned.example", 0)
	fallback("phone", "pinned.example", true, Pinned)
	fallback("laptop", "pinned.example", false, 0)
	fallback("phone", "other.example", false, 0)
	fallback("phonep", "inned.example", false, 0)

	m.AsksForCertificate("office.example")
	fallback("phone", "office.example", true, ClientCertificate)
	fallback("laptop", "office.example", true, ClientCertificate)

	*now = now.Add(memoryTime + time.Second)
	fallback("phone", "pinned.example", false, 0)
	fallback("phone", "office.example", false, 0)
}

// TestWhatOthersFoundHoldsForAMoment: who is let through where another was finds out no
// more by it than by a connection that is kept.
func TestWhatOthersFoundHoldsForAMoment(t *testing.T) {
	m, now := newTimedMemory()
	m.AsksForCertificate("office.example")
	m.Leave("phone", "office.example", ClientCertificate)
	*now = now.Add(hearsayTime + time.Second)
	if _, left := m.Fallback("phone", "office.example"); !left {
		t.Error("the client that found it has to find it again")
	}
	if _, left := m.Fallback("laptop", "office.example"); left {
		t.Error("another one gets a tunnel for what the first found")
	}
}

// What is forgotten of one client is all that is known for it alone.
func TestMemoryForgetsOneClient(t *testing.T) {
	m := NewMemory()
	for _, client := range []string{"phone", "laptop"} {
		m.Refused(client, "pinned.example", 0)
		for range silentStrikes {
			m.Silent(client, "a.example", 0, m.now(), m.now())
		}
	}
	m.AsksForCertificate("office.example")
	m.Forget("phone")
	for _, c := range []struct {
		client, host string
		want         bool
	}{
		{"phone", "pinned.example", false}, {"phone", "a.example", false}, {"phone", "office.example", true},
		{"laptop", "pinned.example", true}, {"laptop", "a.example", true},
	} {
		if _, got := m.Fallback(c.client, c.host); got != c.want {
			t.Errorf("%s at %s: a tunnel %t", c.client, c.host, got)
		}
	}
}

func TestSilentClientsCountSeveralTimes(t *testing.T) {
	m, now := newTimedMemory()
	givenUpLast(t, m, func() { m.Silent("phone", "a.example", 0, *now, *now) })
	// One that made a request accepts the certificate, whatever comes later.
	m.Works("laptop", "a.example")
	for range 2 * silentStrikes {
		m.Silent("laptop", "a.example", 0, *now, *now)
	}
	if _, left := m.Fallback("laptop", "a.example"); left {
		t.Error("idle connections pass for refusals")
	}
	// Now and then is not in a row.
	for range 2 * silentStrikes {
		m.Silent("tv", "a.example", 0, *now, *now)
		*now = now.Add(strikeInterval + time.Second)
	}
	if _, left := m.Fallback("tv", "a.example"); left {
		t.Error("rare silence passes for a refusal")
	}
}

// TestWhatBeganTogetherCountsOnce: a browser that goes to another page, or network, ends
// all that it had begun to open.
func TestWhatBeganTogetherCountsOnce(t *testing.T) {
	m, now := newTimedMemory()
	givenUpLast(t, m, func() {
		came := *now
		for range 2 * silentStrikes {
			*now = now.Add(time.Millisecond)
			m.Silent("phone", "a.example", 0, came, *now)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory()
	for i := range 3 * memorySize {
		m.Refused("phone", fmt.Sprint(i), 0)
	}
	if n := m.kept.Len(); n > memorySize {
		t.Errorf("%d entries", n)
	}
}

func TestRules(t *testing.T) {
	rules, err := NewRules([]Site{{"*.Bank.example", Never}, {"api.example.", Always}, {"[2001:db8::1]", Never}}, Auto)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]Mode{
		"my.bank.example": Never,
		"bank.example":    Auto,
		"api.example":     Always,
		"xapi.example":    Auto,
		"mybank.example":  Auto,
		".bank.example":   Auto,
		"2001:db8::1":     Never,
	} {
		if got := rules.Mode(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	for _, match := range []string{"", "*.", "a/b", "*.*.example"} {
		if _, err := NewRules([]Site{{match, Never}}, Auto); err == nil {
			t.Errorf("%q passes for a host", match)
		}
	}
}

// TestARefusalIsOfOneProgram: what else runs on the machine, and trusts the authority, is
// inspected as before, also if it makes requests when another refuses.
func TestARefusalIsOfOneProgram(t *testing.T) {
	m, now := newTimedMemory()
	const browser, updater, player, game = 1, 2, 3, 4
	m.Refused("laptop", "a.example", updater)
	m.Refused("laptop", "a.example", game)
	m.Works("laptop", "a.example")
	for range silentStrikes {
		m.Silent("phone", "a.example", player, *now, *now)
	}
	for _, c := range []struct {
		client  string
		program uint64
		want    bool
	}{
		{"laptop", browser, false}, {"laptop", updater, true}, {"laptop", game, true}, {"laptop", player, false},
		{"phone", browser, false}, {"phone", updater, false}, {"phone", player, true},
	} {
		if got := m.RefusedBy(c.client, "a.example", c.program); got != c.want {
			t.Errorf("program %d of the %s: a tunnel %t", c.program, c.client, got)
		}
	}
	*now = now.Add(memoryTime + time.Second)
	if m.RefusedBy("laptop", "a.example", game) {
		t.Error("a refusal holds for good")
	}
	m.Refused("laptop", "a.example", player)
	if m.RefusedBy("laptop", "a.example", updater) {
		t.Error("what another refuses later prolongs it")
	}
	for i := range uint64(3 * mostRefusers) {
		m.Refused("laptop", "a.example", i)
	}
	if known, _ := m.kept.Peek(m.key("laptop", "a.example")); len(known.refusers) != mostRefusers {
		t.Errorf("%d programs kept", len(known.refusers))
	}
}
