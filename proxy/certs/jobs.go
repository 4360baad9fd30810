package certs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap/zapcore"
)

// failedJobs is a log that tells options.Told of failures for which certmagic has no
// event, such as a storage that cannot be written. It is safe for concurrent use.
type failedJobs struct {
	options ACMEOptions

	mu   sync.Mutex
	last map[string]string // the error of the last event that had one, by domain
}

// jobLines are the messages of failures. Lines of other messages may name clients.
var jobLines = []string{"initiating certificate management", "job failed", "will retry"}

// told notes the error in an event's data, if any: the line that follows says the same.
func (f *failedJobs) told(data map[string]any) {
	domain, _ := data["identifier"].(string)
	if err, ok := data["error"].(error); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.last[domain] = err.Error()
	}
}

// Enabled implements [zapcore.LevelEnabler].
func (f *failedJobs) Enabled(level zapcore.Level) bool { return level >= zapcore.ErrorLevel }

// With implements [zapcore.Core].
func (f *failedJobs) With([]zapcore.Field) zapcore.Core { return f }

// Check implements [zapcore.Core].
func (f *failedJobs) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if slices.Contains(jobLines, e.Message) {
		return checked.AddCore(e, f)
	}
	return checked
}

// Write implements [zapcore.Core].
func (f *failedJobs) Write(_ zapcore.Entry, fields []zapcore.Field) error {
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok {
			f.failed(err)
		}
	}
	return nil
}

// Sync implements [zapcore.Core].
func (f *failedJobs) Sync() error { return nil }

// failed tells options.Told of err, unless an event did.
func (f *failedJobs) failed(err error) {
	domain, why := f.named(err)
	f.mu.Lock()
	last, before := f.last[domain]
	f.mu.Unlock()
	if before && strings.HasSuffix(why.Error(), last) || f.options.Told == nil || errors.Is(err, context.Canceled) {
		return
	}
	f.options.Told(domain, why)
}

// named splits err into the certificate's domain, with which its text begins, and the rest.
func (f *failedJobs) named(err error) (domain string, why error) {
	for _, domain := range f.options.Domains {
		for _, name := range []string{domain + ": ", "[" + domain + "] "} {
			if text, ok := strings.CutPrefix(err.Error(), name); ok {
				return domain, errors.New(text)
			}
		}
	}
	return f.options.Domains[0], err
}
