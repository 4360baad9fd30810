package proxy

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startChromium runs Debian's Chromium with a home of its own, and returns the
// context of a tab. Chromium on Linux keeps what it trusts under its home.
func startChromium(t *testing.T, home string, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: install Debian's package, as scripts/test does")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Env("HOME="+home),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.WSURLReadTimeout(2*time.Minute), // a cold start on a busy machine
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(options, flags...)...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return tab
}

// title opens url in tab and returns the title of what is shown.
func title(t *testing.T, tab context.Context, url string) string {
	t.Helper()
	limited, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	if err := chromedp.Do(limited, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	got, err := chromedp.Run(limited, chromedp.Title())
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return got
}
