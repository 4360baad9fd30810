package judge

import "slices"

// A Grade sums up what a proxy hides.
type Grade uint8

// The grades, from the worst.
const (
	Ungraded    Grade = iota // nothing arrived, so nothing can be said
	Transparent              // the origin learns the client's address, or the way the request took
	Anonymous                // not that, but that there is a proxy, or something about the person; or the proxy breaks the web
	Elite                    // none of it
)

var gradeNames = [...]string{"none", "transparent", "anonymous", "elite"}

func (g Grade) String() string { return gradeNames[g] }

// MarshalText writes the grade as a word.
func (g Grade) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// A Report is what [Run] found out.
type Report struct {
	Grade    Grade      `json:"grade"`
	Planted  int        `json:"planted"` // identifying things that were sent
	Hidden   int        `json:"hidden"`  // of these, how many did not arrive
	Leaks    []Leak     `json:"leaks"`   // what arrived, or came back, and should not have
	Broken   []Fault    `json:"broken"`  // what no longer works
	Off      []Fault    `json:"off"`     // what the proxy's settings may have turned off
	Works    int        `json:"works"`   // checks of function that succeeded
	Checks   int        `json:"checks"`  // of how many
	Entropy  []Entropy  `json:"entropy"`
	Requests []Exchange `json:"requests"`
	Notes    []string   `json:"notes"` // what could not be judged
}

// Clean reports whether nothing leaked and nothing broke.
func (r *Report) Clean() bool { return r.Grade == Elite }

// A Leak is one thing that reached the wrong side.
type Leak struct {
	Class Class  `json:"class"`
	Where string `json:"where"`          // such as "X-Forwarded-For" or "a third-party cookie"
	What  string `json:"what"`           // what happened to it
	Probe string `json:"probe"`          // the request in which it happened
	Text  string `json:"text,omitempty"` // the planted text by which it was found
}

// A Fault is something that a proxy broke.
type Fault struct {
	Probe string `json:"probe"`
	What  string `json:"what"`
}

// An Exchange is one request as it was sent and as it was seen.
type Exchange struct {
	Name    string   `json:"name"`
	Section string   `json:"section"`
	Sent    []Field  `json:"sent"` // the request line is a field without a name
	Seen    []Field  `json:"seen"` // empty if the proxy refused
	Refused int      `json:"refused,omitempty"`
	Planted int      `json:"planted"`
	Leaked  []string `json:"leaked,omitempty"` // texts of these that arrived or came back
	Fault   string   `json:"fault,omitempty"`  // what does not work
}

// grade draws the conclusion from everything else in r.
func (r *Report) grade(arrived int) Grade {
	switch {
	case arrived == 0:
		return Ungraded
	case slices.ContainsFunc(r.Leaks, func(l Leak) bool { return l.Class == Route }):
		return Transparent
	case len(r.Leaks) > 0 || len(r.Broken) > 0:
		return Anonymous
	}
	return Elite
}
