package tunnel

import (
	"errors"
	"time"
)

// An Opening says what a client has to begin with. Nothing of it goes to the origin
// before it is judged.
type Opening struct {
	// Judge looks at all that the client has sent, and returns nil if that, and whatever
	// follows, may go to the origin. An error cuts the tunnel. If missing is not 0, Judge
	// cannot tell yet, and wants to be asked again when there are that many bytes more.
	Judge func(sent []byte) (missing int, err error)

	Within time.Duration // from the client's first byte until Judge has to be able to tell; else the tunnel is cut
	First  bool          // the client has to speak before the origin; Within is from the tunnel's beginning
}

var (
	errUnheard  = errors.New("the client ended before it had begun as it has to")
	errTooEarly = errors.New("the origin spoke before the client")
)

// An opening is the state of an Opening. The tunnel's lock guards it.
type opening struct {
	Opening
	held   []byte // what the client has sent
	enough int    // how much held has to have before Judge is asked again
	judged bool
}

// opens sets the tunnel's opening; nil for none.
func (t *tunnel) opens(o *Opening) {
	if o == nil {
		return
	}
	t.up.opening = &opening{Opening: *o}
	if o.First {
		t.down.opening = t.up.opening
		t.openTill = o.Within
	}
}

// admit returns what may go on once b was read: nothing before the opening is judged,
// and all of it then.
func (s *stream) admit(b []byte) ([]byte, error) {
	s.tunnel.mu.Lock()
	defer s.tunnel.mu.Unlock()
	return s.admitLocked(b)
}

func (s *stream) admitLocked(b []byte) ([]byte, error) {
	t, o := s.tunnel, s.opening
	if s == &t.down {
		if !o.judged {
			return nil, errTooEarly
		}
		s.opening = nil
		return b, nil
	}
	o.held = append(o.held, b...)
	if len(o.held) < o.enough {
		return nil, nil
	}
	missing, err := o.Judge(o.held)
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		o.enough = len(o.held) + missing
		if t.openTill == 0 {
			t.openTill = time.Since(t.start) + o.Within
			t.watch()
		}
		return nil, nil
	}
	all := o.held
	o.held, o.judged = nil, true
	s.opening, t.openTill = nil, 0
	return all, nil
}

// unheard reports whether a client that ends now has said something that is not judged
// yet. One that said nothing leaves nothing to judge, unless it has to speak first.
func (s *stream) unheard() bool {
	o := s.opening
	return o != nil && s == &s.tunnel.up && (o.First || len(o.held) > 0)
}
