//go:build browser

package page_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"aws-provider-executor/pkg/internal/browser"
	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/service/page"
	"aws-provider-executor/pkg/nodes/store"
)

// serve serves a store as the page does it, to the caller ann.
func serve(t *testing.T, s *store.Store) string {
	t.Helper()
	h := page.Handler(s, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(service.WithCaller(r.Context(), "uid 0 (ann)")))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestOnScreens: on a wide, a narrow and a dark screen nothing overflows, all can be read and
// reached by the keyboard, and nothing is fetched but the page. PAGE_SCREENSHOTS names a directory
// to keep what was seen in.
func TestOnScreens(t *testing.T) {
	ctx := browser.Start(t)
	at := serve(t, fill(t))
	for name, path := range map[string]string{"all": "/", "node": "/node?id=i-0",
		"refused": "/?filter=" + url.QueryEscape(hostile)} {
		for _, s := range browser.Screens {
			t.Run(name+" "+s.Name, func(t *testing.T) { lookAt(t, ctx, at+path, name, s) })
		}
	}
}

// lookAt opens a page on a screen and holds what it looks like.
func lookAt(t *testing.T, ctx context.Context, address, name string, s browser.Screen) {
	tab, end := chromedp.NewContext(ctx)
	defer end()
	var mu sync.Mutex
	var asked []string
	if err := chromedp.Listen(tab, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, e.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Do(tab,
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.Scheme}}
			_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
			if err == nil {
				_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia,
					emulation.SetEmulatedMediaParams{Features: features})
			}
			return err
		}),
		chromedp.EmulateViewport(s.Width, s.Height),
		chromedp.Navigate(address),
	)
	if err != nil {
		t.Fatal(err)
	}
	faults, err := chromedp.Run(tab, chromedp.Evaluate[[]string](inspection))
	if err != nil {
		t.Fatal(err)
	}
	shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("PAGE_SCREENSHOTS"); dir != "" {
		file := filepath.Join(dir, fmt.Sprintf("%s-%s.png", name, s.Name))
		if err := os.WriteFile(file, shot, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range faults {
		t.Error(f)
	}
	mu.Lock()
	defer mu.Unlock()
	asked = slices.DeleteFunc(asked, func(u string) bool {
		return strings.HasSuffix(u, "/favicon.ico")
	})
	if len(asked) != 1 || asked[0] != address {
		t.Errorf("fetched: %v", asked)
	}
}

// inspection finds what is wrong with how a page looks, and with how it is reached without a mouse.
const inspection = `(() => {
  const faults = [], root = document.documentElement;
  const fault = (what, el) => faults.push(what + ': ' + el.tagName + ' ' +
    (el.textContent || '').trim().slice(0, 60));
  if (getComputedStyle(root).backgroundColor === 'rgba(0, 0, 0, 0)') fault('no style', root);
  if (root.scrollWidth > root.clientWidth) fault('wider than the screen', root);
  const clipped = el => {
    for (let e = el; e; e = e.parentElement)
      if (getComputedStyle(e).clipPath !== 'none') return true;
    return false;
  };
  const bits = [...document.querySelectorAll('body *')]
    .filter(el => el.checkVisibility() && !clipped(el));
  for (const el of bits) {
    const r = el.getBoundingClientRect();
    if (r.width > 0 && (r.right > root.clientWidth + 1 || r.left < -1))
      fault('out of the screen', el);
  }
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const rgb = text => (text.match(/[\d.]+/g) || []).map(Number);
  const behind = el => {
    for (let e = el; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  for (const el of bits) {
    if (![...el.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const ink = light(rgb(getComputedStyle(el).color));
    const [a, b] = [ink, light(behind(el))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) fault('contrast ' + contrast.toFixed(2), el);
  }
  for (const el of document.querySelectorAll('a, button, input')) {
    el.focus();
    if (document.activeElement !== el) { fault('no focus', el); continue; }
    const style = getComputedStyle(el);
    if (el.matches(':focus-visible') && style.outlineStyle === 'none') fault('unseen focus', el);
    if (el.tabIndex !== 0) fault('out of order', el);
    if (el.tagName === 'INPUT' && !el.labels.length) fault('no label', el);
    if (el.tagName !== 'INPUT' && !el.textContent.trim()) fault('no name', el);
  }
  for (const el of document.querySelectorAll('section'))
    if (!document.getElementById(el.getAttribute('aria-labelledby'))) fault('no name', el);
  for (const el of document.querySelectorAll('table'))
    if (!el.caption || !el.querySelector('th[scope=col]')) fault('no caption or header', el);
  if (document.querySelectorAll('script, img, iframe, object, link').length) fault('more', root);
  for (const sign of ['main', 'h1', 'title', 'html[lang]', '.skip'])
    if (!document.querySelector(sign)) fault('there is no ' + sign, root);
  return faults;
})()`
