package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A change is left alone until nothing has happened for settle, but no longer
// than settleMost: an editor writes in several steps, and a part of a file may
// well be a configuration, though not the one that is meant.
const (
	settle     = 200 * time.Millisecond
	settleMost = 2 * time.Second
)

// A watcher tells when the content of a file has changed, or one of the lists that the
// file names. It watches the folders that they and what they link to are in, not the
// files: editors put a new file in the place of the old, and Kubernetes swaps a link
// beside it.
type watcher struct {
	events chan struct{} // one event for any number of changes
	cancel context.CancelFunc
	done   chan struct{}
	look   chan struct{} // has the watcher look

	mu    sync.Mutex
	lists map[string]stamp // as they were when they were read
}

// A stamp tells a file that was written from what it was before. A list is too large to
// be read for that.
type stamp struct {
	modified time.Time
	size     int64
}

// watch starts a watcher for file until ctx ends or it is stopped. loaded is the
// fingerprint of what was loaded; without one file is not watched. For lists see follow.
// If they cannot be watched, watch calls cannot.
func watch(ctx context.Context, file string, loaded []byte, lists []string, cannot func(error)) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{events: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), look: make(chan struct{}, 1)}
	if loaded == nil && len(lists) == 0 {
		close(w.done)
		return w
	}
	w.follow(lists, nil)
	notify, err := fsnotify.NewWatcher()
	if err == nil && loaded != nil {
		err = addFolders(notify, file)
	}
	if err != nil {
		if notify != nil {
			notify.Close()
		}
		cannot(err)
		close(w.done)
		return w
	}
	go w.run(ctx, notify, file, loaded)
	return w
}

// follow has the watcher watch lists, and no others. read are stamps of before they were
// read; one without is taken to be as it was then.
func (w *watcher) follow(lists []string, read map[string]stamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lists = stampsOf(lists)
	for list := range w.lists {
		if before, ok := read[list]; ok {
			w.lists[list] = before
		}
	}
	select {
	case w.look <- struct{}{}:
	default: // it will look anyway
	}
}

// listsChanged watches the folders of the lists, and reports whether one was written
// since the last time.
func (w *watcher) listsChanged(notify *fsnotify.Watcher) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := false
	for list, before := range w.lists {
		addFolders(notify, list)
		if now := stampOf(list); now != before {
			w.lists[list], changed = now, true
		}
	}
	return changed
}

func stampsOf(files []string) map[string]stamp {
	stamps := make(map[string]stamp)
	for _, file := range files {
		stamps[file] = stampOf(file)
	}
	return stamps
}

// stampOf returns the zero stamp of a file that is not there.
func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// stop ends the watcher and waits for it.
func (w *watcher) stop() {
	w.cancel()
	<-w.done
}

func (w *watcher) run(ctx context.Context, notify *fsnotify.Watcher, file string, last []byte) {
	defer close(w.done)
	defer notify.Close()
	own := last != nil
	timer := time.NewTimer(settle)
	defer timer.Stop()
	// The first look is due at once: the file may have changed after it was
	// loaded and before it was watched.
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.look:
		case <-notify.Errors: // the queue ran over; look at the file itself
		case _, ok := <-notify.Events:
			if !ok {
				return
			}
		case <-timer.C:
			began = time.Time{}
			changed := w.listsChanged(notify)
			if own {
				addFolders(notify, file) // a link may lead elsewhere by now
				now := fingerprint(file)
				changed = changed || !bytes.Equal(now, last)
				last = now
			}
			if changed {
				select {
				case w.events <- struct{}{}:
				default: // one is waiting to be read
				}
			}
			continue
		}
		if began.IsZero() {
			began = time.Now()
		}
		timer.Reset(min(settle, max(0, settleMost-time.Since(began))))
	}
}

// addFolders watches the folders of file and of what it links to. Watching
// one again changes nothing.
func addFolders(notify *fsnotify.Watcher, file string) error {
	err := notify.Add(filepath.Dir(file))
	if target, linkErr := filepath.EvalSymlinks(file); linkErr == nil {
		if dir := filepath.Dir(target); dir != filepath.Dir(file) {
			notify.Add(dir)
		}
	}
	return err
}

// fingerprint returns a digest of file's content, nil if it is no regular
// file (a pipe can be read once) or cannot be read.
func fingerprint(file string) []byte {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, 8<<20)); err != nil {
		return nil
	}
	return h.Sum(nil)
}
