package certs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap/zapcore"
)

// failedJobs is a log that hears of what failed around a certificate, as of a storage
// that cannot be written: of that comes no event, and some is not tried again. It is
// safe for concurrent use.
type failedJobs struct {
	options ACMEOptions

	mu   sync.Mutex
	last map[string]string // what an event told of a failure last, by domain
}

// jobLines are the lines that say so. Others may name clients.
var jobLines = []string{"initiating certificate management", "job failed", "will retry"}

// told tells that an event came with data: a line will follow, which says the same.
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

// failed tells of err, unless an event did.
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

// named parts err at the certificate's name, which it begins with.
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
