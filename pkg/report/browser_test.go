//go:build browser

package report_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"aws-provider-executor/pkg/internal/browser"
	"aws-provider-executor/pkg/report"
)

// fault is something wrong that the browser found.
type fault struct{ What, Where string }

// TestOnScreens: on a wide, a narrow and a dark screen nothing overflows. No text lies over another
// or out of its box, and all can be told from what lies below. Nothing is fetched.
// REPORT_SCREENSHOTS names a directory to keep what was seen in.
func TestOnScreens(t *testing.T) {
	ctx := browser.Start(t)
	hostile := takeover()
	long := strings.Repeat("長い名前", 30) + strings.Repeat("w", 80)
	hostile.Says, hostile.Network.Instances[0].Name, hostile.Status = long, long, "running"
	hostile.Target = append(hostile.Target, report.Fact{Name: strings.Repeat("n", 60), Value: long})
	for name, p := range map[string]report.Page{
		"sample": page(takeover(), fence(), unfence()), "one": page(fence()), "hostile": page(hostile),
	} {
		text := rendered(t, p)
		path := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, s := range browser.Screens {
			t.Run(name+" "+s.Name, func(t *testing.T) { lookAt(t, ctx, path, name, s) })
		}
	}
}

// lookAt opens a page on a screen and holds what it looks like.
func lookAt(t *testing.T, ctx context.Context, path, name string, s browser.Screen) {
	tab, end := chromedp.NewContext(ctx)
	defer end()
	var mu sync.Mutex
	var asked []string
	watch := func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, e.Request.URL)
		}
	}
	if err := chromedp.Listen(tab, watch); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
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
	ask := `getComputedStyle(document.documentElement).backgroundColor`
	scheme, err := chromedp.Run(tab, chromedp.Evaluate[string](ask))
	if err != nil {
		t.Fatal(err)
	}
	faults, err := chromedp.Run(tab, chromedp.Evaluate[[]fault](inspection))
	if err != nil {
		t.Fatal(err)
	}
	shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("REPORT_SCREENSHOTS"); dir != "" {
		file := filepath.Join(dir, fmt.Sprintf("%s-%s.png", name, s.Name))
		if err := os.WriteFile(file, shot, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if light := scheme == "rgb(255, 255, 255)"; light != (s.Scheme == "light") {
		t.Errorf("the page lies on %s", scheme)
	}
	for _, f := range faults {
		t.Errorf("%s: %s", f.What, f.Where)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 || asked[0] != address {
		t.Errorf("fetched: %v", asked)
	}
}

// inspection finds what is wrong with how a page looks. It runs in the browser, past the page's
// policy, which keeps the page itself from running anything.
const inspection = `(() => {
  const faults = [];
  const fault = (What, el) => faults.push({What, Where: el.tagName + ' ' +
    (el.textContent || '').trim().slice(0, 60)});
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) fault('the page is wider than the screen', root);
  const clipped = el => {
    for (let e = el; e; e = e.parentElement)
      if (getComputedStyle(e).clipPath !== 'none') return true;
    return false;
  };
  const seen = el => el.checkVisibility() && !el.closest('title, desc') && !clipped(el);
  const bits = [...document.querySelectorAll('body *')].filter(seen);
  for (const el of bits) {
    const r = el.getBoundingClientRect();
    if (r.width > 0 && (r.right > root.clientWidth + 1 || r.left < -1))
      fault('out of the screen', el);
  }
  const own = el => [...el.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  const words = bits.filter(own);
  const places = words.map(el => {
    const range = document.createRange();
    const text = [...el.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    range.setStartBefore(text[0]); range.setEndAfter(text[text.length - 1]);
    const rects = [...range.getClientRects()].filter(r => r.width > 1 && r.height > 1);
    return {el, rects};
  });
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3.5;
  places.forEach((p, i) => places.slice(i + 1).forEach(q => {
    if (p.el.contains(q.el) || q.el.contains(p.el)) return;
    if (p.rects.some(a => q.rects.some(b => over(a, b))))
      fault('over ' + q.el.textContent.slice(0, 40), p.el);
  }));
  for (const t of document.querySelectorAll('svg text')) {
    const box = t.getBBox(), svg = t.ownerSVGElement.viewBox.baseVal;
    const rects = [...t.ownerSVGElement.querySelectorAll('rect.box, rect.deep')];
    const around = rects.map(r => r.getBBox())
      .filter(r => r.x < box.x && r.y < box.y + 6 && r.y + r.height > box.y + 6);
    const inner = around.sort((a, b) => a.width - b.width)[0];
    if (!inner || box.x + box.width > inner.x + inner.width || box.x + box.width > svg.width)
      fault('out of its box', t);
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
  for (const el of words) {
    const style = getComputedStyle(el), inSVG = el.closest('svg');
    const ink = rgb(inSVG ? style.fill : style.color);
    let papers = [behind(el)];
    if (inSVG) {
      const b = el.getBBox();
      papers = [...inSVG.querySelectorAll('rect')].filter(r => {
        const q = r.getBBox();
        return q.x <= b.x && q.y <= b.y + 8 && q.y + q.height >= b.y + 8 &&
          q.x + q.width >= b.x + b.width;
      }).map(r => rgb(getComputedStyle(r).fill)).slice(-1);
    }
    for (const paper of papers) {
      const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < 4.5) fault('contrast ' + contrast.toFixed(2), el);
    }
  }
  for (const sign of ['main', 'h1', 'svg[role=img]'])
    if (!document.querySelector(sign)) fault('there is no ' + sign, root);
  return faults;
})()`
