// Package fault tells of what is wrong with files that are looked at again and again.
package fault

// A Lasting tells of a fault that one look after another finds, once: a file that is being
// written, or one of two that belong together, is whole a moment later. The zero value has
// found none. It is for one goroutine at a time.
type Lasting struct {
	last string // what the last look found; "" for nothing
	told bool   // of last
}

// Found takes what a look found, nil for nothing. tell is told of it if it is to be; nil
// tells nobody.
func (l *Lasting) Found(err error, tell func(error)) {
	found := ""
	if err != nil {
		found = err.Error()
	}
	if found != l.last {
		l.last, l.told = found, false
		return
	}
	if err != nil && !l.told && tell != nil {
		tell(err)
	}
	l.told = true
}
