package gate

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"guise/proxy/fault"
)

// maxFile bounds the files that the gate reads: some hundred thousand users.
const maxFile = 32 << 20

// lookAgain is how often a file is looked at for a change.
const lookAgain = time.Second

// A watching is what watched files have in common.
type watching struct {
	now    func() time.Time
	unread func(error) // is told why a change cannot be used; nil for nobody
}

// A watchedFile is a file whose content is parsed again when it changes. If a change
// cannot be parsed, the content before stays. It is looked at only when it is asked for:
// no goroutine watches it. It is safe for concurrent use.
type watchedFile[T any] struct {
	watching
	path  string
	named func(error) error // adds the file to an error
	parse func([]byte) (T, error)

	mu     sync.Mutex
	looked time.Time
	seen   fs.FileInfo // of the content; nil if it is to be read again
	sum    uint64      // of the content
	value  T
	loads  uint64        // how often value was set
	fault  fault.Lasting // of the looks, told once
}

var sumSeed = maphash.MakeSeed()

// newWatchedFile reads path for the first time.
func newWatchedFile[T any](path string, common watching, named func(error) error, parse func([]byte) (T, error)) (*watchedFile[T], error) {
	w := &watchedFile[T]{watching: common, path: path, named: named, parse: parse, looked: common.now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w, w.load()
}

// load reads the file if it is not the one read last; w.mu is held.
func (w *watchedFile[T]) load() error {
	if err := w.read(); err != nil {
		return w.named(err)
	}
	return nil
}

func (w *watchedFile[T]) read() error {
	info, err := os.Stat(w.path)
	if err != nil {
		return fileError(err)
	}
	if w.seen != nil && os.SameFile(info, w.seen) && info.ModTime().Equal(w.seen.ModTime()) && info.Size() == w.seen.Size() {
		return nil
	}
	data, err := readFile(w.path)
	if err != nil {
		return err
	}
	sum := maphash.Bytes(sumSeed, data)
	if w.loads == 0 || sum != w.sum {
		value, err := w.parse(data)
		if err != nil {
			return err
		}
		w.value, w.sum = value, sum
		w.loads++
	}
	// A file that was written a moment ago may be written again without its
	// times telling; so it is read again next time.
	if w.seen = info; w.now().Sub(info.ModTime()) <= 2*lookAgain {
		w.seen = nil
	}
	return nil
}

// get returns what the file holds now, or held when it was last in order. Of a nil file
// that is the zero T.
func (w *watchedFile[T]) get() (value T) {
	if w == nil {
		return value
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	return w.value
}

// version changes when the content does. It is 0 for a nil file.
func (w *watchedFile[T]) version() uint64 {
	if w == nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	return w.loads
}

// look reads a file that may have changed, once in lookAgain; w.mu is held.
func (w *watchedFile[T]) look() {
	if now := w.now(); now.Sub(w.looked) >= lookAgain || now.Before(w.looked) {
		w.looked = now
		w.fault.Found(w.load(), w.unread) // the content before stays: half a file must not lock everybody out
	}
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fileError(err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	return data, nil
}

var errMissing = errors.New("does not exist")

// advised adds to the error of a missing file how to make it.
func advised(err error, how string) error {
	if errors.Is(err, errMissing) {
		return fmt.Errorf("%w; %s", err, how)
	}
	return err
}

func fileError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("cannot be read: %w", err)
}
