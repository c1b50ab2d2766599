package cli

import (
	"fmt"
	"strings"
	"sync"
)

// progress is a bar that shows how far something has come. The zero value shows nothing.
type progress struct {
	a     *app
	total int64

	mu       sync.Mutex
	n, drawn int64
	cleared  bool
}

// barWidth is how many steps a bar is drawn in: no total has it drawn more often.
const barWidth = 40

// progress draws a bar for a total, on a terminal only.
func (a *app) progress(total int64) *progress {
	p := &progress{total: total, drawn: -1}
	if total > 1 && isTerminal(a.tty) && a.env["TERM"] != "dumb" {
		p.a = a
		p.set(0)
	}
	return p
}

// add draws that much more.
func (p *progress) add(n int64) {
	p.mu.Lock()
	n += p.n
	p.mu.Unlock()
	p.set(n)
}

// set draws that so much is done. Of a large total only what shows is drawn.
func (p *progress) set(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n = min(n, p.total)
	if p.a == nil || p.cleared {
		return
	}
	full := p.n * barWidth / p.total
	few := p.total <= 10*barWidth
	if full == p.drawn && !few && p.n < p.total {
		return
	}
	p.drawn = full
	fmt.Fprintf(p.a.tty, "\r[%s%s] %d/%d", strings.Repeat("#", int(full)),
		strings.Repeat(".", barWidth-int(full)), p.n, p.total)
}

// clear takes the bar off the terminal, for good.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.a != nil && !p.cleared {
		fmt.Fprint(p.a.tty, "\r\x1b[K")
	}
	p.cleared = true
}
