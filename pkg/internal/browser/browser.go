//go:build browser

package browser

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Start starts a headless Chromium, which ends with the test.
func Start(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("there is no chromium; make browser installs it: ", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if _, err := chromedp.Run(ctx, chromedp.Title()); err != nil {
		t.Fatal("chromium does not start: ", err)
	}
	return ctx
}

// Screen is what a page is looked at on.
type Screen struct {
	Name          string
	Width, Height int64
	// Scheme is light or dark.
	Scheme string
}

// Screens are a wide, a narrow and two dark ones.
var Screens = []Screen{
	{"wide", 1440, 900, "light"}, {"narrow", 340, 700, "light"}, {"dark", 1024, 768, "dark"},
	{"narrow-dark", 400, 800, "dark"},
}
