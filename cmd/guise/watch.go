package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"guise/proxy/egress"
)

// A change is left alone until nothing has happened for settle, but no longer
// than settleMost: an editor writes in several steps, and a part of a file may
// well be a configuration, though not the one that is meant.
const (
	settle     = 200 * time.Millisecond
	settleMost = 2 * time.Second
)

// A watcher tells when the content of the configuration file has changed, or of a file
// that it names. It watches the folders in which these, and links to them, are, not the
// files: editors put a new file in the place of the old, Kubernetes swaps a link beside
// it, and others a link that leads to its folder.
type watcher struct {
	events chan struct{} // one event for any number of changes
	cancel context.CancelFunc
	done   chan struct{}
	look   chan struct{} // wakes it to look

	mu    sync.Mutex
	named map[string]stamp // named files, as they were when they were read
}

// A stamp tells whether a file was written. A list of hosts is too large to be read for
// that.
type stamp struct {
	modified time.Time
	size     int64
}

// watch starts a watcher, which runs until ctx ends or it is stopped. loaded is the
// fingerprint of file as it was loaded; nil leaves file unwatched. For named see follow.
// watch calls cannot with the error if it cannot watch.
func watch(ctx context.Context, file string, loaded []byte, named []string, cannot func(error)) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{events: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), look: make(chan struct{}, 1)}
	if loaded == nil && len(named) == 0 {
		close(w.done)
		return w
	}
	w.follow(named, nil)
	notify, err := fsnotify.NewWatcher()
	if err == nil && loaded != nil {
		err = setFolders(notify, file)
	}
	if err != nil {
		cannot(err)
	}
	if notify == nil {
		close(w.done)
		return w
	}
	go w.run(ctx, notify, file, loaded)
	return w
}

// follow makes named the files to watch. read has stamps from before they were read; a
// file without one is taken to be unchanged.
func (w *watcher) follow(named []string, read map[string]stamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.named = stampsOf(named)
	for file := range w.named {
		if before, ok := read[file]; ok {
			w.named[file] = before
		}
	}
	select {
	case w.look <- struct{}{}:
	default: // it will look anyway
	}
}

// names returns the named files.
func (w *watcher) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.named))
}

// namedChanged reports whether one of the named files was written since the last time.
func (w *watcher) namedChanged() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := false
	for file, before := range w.named {
		if now := stampOf(file); now != before {
			w.named[file], changed = now, true
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
	if last == nil {
		file = ""
	}
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
			files := w.names()
			if file != "" {
				files = append(files, file)
			}
			setFolders(notify, files...) // a link may lead elsewhere by now
			now, changed, err := w.compare(file, last)
			if err != nil {
				timer.Reset(settleMost)
				continue
			}
			last = now
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

// compare returns the fingerprint of file, nil for "", and whether that or a named file
// has changed. It fails if too few descriptors are left to tell, or to load a change.
func (w *watcher) compare(file string, last []byte) (now []byte, changed bool, err error) {
	if file != "" {
		if now, err = fingerprint(file); egress.Short(err) {
			return last, false, err
		}
	}
	return now, w.namedChanged() || !bytes.Equal(now, last), nil
}

// setFolders makes the folders of files those that are watched. Watching one again
// changes nothing.
func setFolders(notify *fsnotify.Watcher, files ...string) error {
	var folders []string
	for _, file := range files {
		folders = append(folders, foldersOf(file)...)
	}
	for _, before := range notify.WatchList() {
		if !slices.Contains(folders, before) {
			notify.Remove(before)
		}
	}
	var failed error
	for _, folder := range folders {
		failed = errors.Join(failed, notify.Add(folder))
	}
	return failed
}

// foldersOf returns the folders in which something happens when another file comes to be
// at the path file: those of the file itself and of each link on the way to it. For a
// missing folder it is the folder that it was in.
func foldersOf(file string) (folders []string) {
	const (
		separator = string(filepath.Separator)
		mostLinks = 40 // of one path (path_resolution(7))
	)
	path, err := filepath.Abs(file)
	if err != nil {
		return []string{filepath.Dir(file)}
	}
	folder := ""
	from := func(path string) (rest string) {
		folder = filepath.VolumeName(path) + separator
		return strings.TrimPrefix(path, folder)
	}
	for rest, links := from(path), 0; links <= mostLinks; {
		var name string
		name, rest, _ = strings.Cut(rest, separator)
		rest = strings.TrimLeft(rest, separator)
		at := filepath.Join(folder, name)
		info, err := os.Lstat(at)
		if err == nil && info.Mode()&fs.ModeSymlink == 0 && rest != "" {
			folder = at
			continue
		}
		folders = append(folders, folder)
		target, err := os.Readlink(at)
		if err != nil { // it is no link, or nothing
			break
		}
		links++
		if filepath.IsAbs(target) {
			target = from(target)
		}
		rest = target + separator + rest
	}
	return folders
}

// fingerprint returns a digest of file's content; nil for what is no regular file (a pipe
// can be read once), and with an error if it cannot be read.
func fingerprint(file string) ([]byte, error) {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, 8<<20)); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
