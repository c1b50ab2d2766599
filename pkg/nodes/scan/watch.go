package scan

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Watcher scans each manager again and again. A manager is never scanned twice at a time, and
// none waits for another. A region that was throttled or gave no answer is left out for longer
// each time.
type Watcher struct {
	store   ManagerStore
	scanner *Scanner
	o       WatchOptions

	mu    sync.Mutex
	next  map[string]time.Time // when each manager is due
	sick  map[sickPlace]backing
	ended chan string // managers whose scan has ended
}

type sickPlace struct {
	manager string
	place
}

// backing is how a region that fails is left alone.
type backing struct {
	failures int
	until    time.Time
}

// WatchOptions are the settings of a watcher.
type WatchOptions struct {
	// Interval is for managers that have none of their own; an hour when zero.
	Interval time.Duration
	// Only are the ids of the managers to watch; empty is all.
	Only []string
	// Now is the clock, and After a timer; time.Now and time.After when nil.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Result is told what became of each region. It is not called concurrently.
	Result func(Result)
	// Failed is told of what failed in the store. The watcher goes on.
	Failed func(error)
}

const (
	usualInterval = time.Hour
	// lookAgain is how long a change of the managers may go unseen.
	lookAgain = time.Minute
	// longestBackoff bounds how long a region is left out.
	longestBackoff = 24 * time.Hour
)

// NewWatcher returns a watcher.
func NewWatcher(store ManagerStore, scanner *Scanner, o WatchOptions) *Watcher {
	o.Interval = cmp.Or(o.Interval, usualInterval)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Result == nil {
		o.Result = func(Result) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	return &Watcher{store: store, scanner: scanner, o: o, next: map[string]time.Time{},
		sick: map[sickPlace]backing{}, ended: make(chan string)}
}

// Run watches until the context ends. Scans under way are ended then, and nothing is half kept.
func (w *Watcher) Run(ctx context.Context) {
	running := map[string]bool{}
	for {
		wait := w.start(ctx, running)
		select {
		case <-ctx.Done():
			for len(running) > 0 {
				delete(running, <-w.ended)
			}
			return
		case id := <-w.ended:
			delete(running, id)
		case <-w.o.After(wait):
		}
	}
}

// start starts the scans that are due, and returns how long there is nothing more to start.
func (w *Watcher) start(ctx context.Context, running map[string]bool) time.Duration {
	managers, err := w.store.Managers(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.o.Failed(err)
		}
		return lookAgain
	}
	wait, now := lookAgain, w.o.Now()
	for _, m := range managers {
		if m.Type == nodes.ManagerOfManual || running[m.ID] ||
			len(w.o.Only) > 0 && !slices.Contains(w.o.Only, m.ID) {
			continue
		}
		if d := w.due(m, now).Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		running[m.ID] = true
		w.mu.Lock()
		w.next[m.ID] = now.Add(w.jittered(m))
		w.mu.Unlock()
		go w.scan(ctx, m)
	}
	return wait
}

// due is when a manager is to be scanned. One that was scanned by another process before is due an
// interval after that; at once where that was at a time to come, by a wrong clock.
func (w *Watcher) due(m nodes.Manager, now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if next, known := w.next[m.ID]; known {
		return next
	}
	next := now
	if !m.Checked.At.IsZero() && !m.Checked.At.After(now) {
		next = m.Checked.At.Add(w.jittered(m))
	}
	w.next[m.ID] = next
	return next
}

func (w *Watcher) interval(m nodes.Manager) time.Duration {
	return cmp.Or(m.Interval, w.o.Interval)
}

// jittered is a manager's interval, up to a tenth shorter, so that those that began together don't
// stay together.
func (w *Watcher) jittered(m nodes.Manager) time.Duration {
	d := w.interval(m)
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}

func (w *Watcher) scan(ctx context.Context, m nodes.Manager) {
	defer func() { w.ended <- m.ID }()
	_, err := w.scanner.Scan(ctx, Request{
		Managers: []nodes.Manager{m}, Skip: w.skip,
		Progress: func(r Result) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.note(r)
			w.o.Result(r)
		},
	})
	if err != nil {
		w.o.Failed(err)
	}
}

// skip says why a region is left out.
func (w *Watcher) skip(manager, account, region string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.sick[sickPlace{manager, place{account, region}}]
	if !w.o.Now().Before(b.until) {
		return ""
	}
	return "left alone until " + b.until.UTC().Format(time.RFC3339) +
		", for it gave no whole answer before"
}

// note has a region that was throttled or gave no answer left alone, twice as long each time. The
// first failure costs nothing: it is scanned with the others the next time.
func (w *Watcher) note(r Result) {
	at := sickPlace{r.Manager.ID, place{r.AccountID, r.Region}}
	switch r.Verdict {
	case "":
	case nodes.Throttled, nodes.Unreachable:
		b := w.sick[at]
		b.failures++
		if doublings := b.failures - 1; doublings > 0 {
			left := longestBackoff
			if doublings < 16 {
				left = min(w.interval(r.Manager)<<doublings, left)
			}
			b.until = w.o.Now().Add(left)
		}
		w.sick[at] = b
	default:
		delete(w.sick, at)
	}
}
