package fault

import (
	"errors"
	"testing"
)

func TestLastingFaultIsToldOnce(t *testing.T) {
	var l Lasting
	for _, look := range []struct {
		found string // "" for nothing
		told  bool
	}{
		{"", false}, {"half", false}, {"half", true}, {"half", false}, {"other", false}, {"other", true},
		{"", false}, {"other", false}, {"", false}, {"", false}, {"other", false}, {"other", true}, {"other", false},
	} {
		var err error
		if look.found != "" {
			err = errors.New(look.found)
		}
		got, want := "", ""
		if look.told {
			want = look.found
		}
		if l.Found(err, func(err error) { got += err.Error() }); got != want {
			t.Errorf("of %q it is told %q, want %q", look.found, got, want)
		}
	}
	l.Found(errors.New("for nobody"), nil)
	l.Found(errors.New("for nobody"), nil)
}
