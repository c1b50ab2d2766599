// Package scan looks at the regions of managers, and hands what it sees to a store of nodes.
//
// It guarantees:
//
//   - Each region of each account that a manager covers ends with one verdict. Only one that was
//     read to the end is complete; the store concludes nothing of any other.
//   - A region is handed over once, as a whole: a kill leaves none half applied.
//   - One region, account or manager that is sick neither blocks another nor empties it. What is
//     denied, throttled or silent is told, and its nodes stay as they are.
//   - Not more workers than asked for read at a time for a manager, and not more calls than the
//     limit are sent per account and region, whichever managers they are for.
//   - A node that two complete scans did not show is asked for by its id before it is taken for
//     gone.
package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"aws-provider-executor/pkg/nodes"
)

// Store is what a scanner needs of a store of nodes.
type Store interface {
	RecordCheck(ctx context.Context, managerID string, c nodes.Check) error
	ApplyScan(ctx context.Context, s nodes.Scan) (nodes.Summary, error)
	ApplyAnswer(ctx context.Context, a nodes.Answer) (nodes.Summary, error)
	Regions(ctx context.Context, managerID string) ([]nodes.RegionScan, error)
}

// Opener makes a cloud of a manager's access. It sends no call that needs credentials of a node.
type Opener func(ctx context.Context, m nodes.Manager) (Cloud, error)

// Limits bound a scanner. What is zero is as in DefaultLimits.
type Limits struct {
	// Managers are how many are scanned at a time, and Workers how many regions of each.
	Managers, Workers int
	// Rate is how many calls per second are sent per account and region, and Burst how many at once.
	Rate  float64
	Burst int
	// Attempts are how often a call is sent at most.
	Attempts int
	// Region bounds the time that one region takes, with all attempts and waits.
	Region time.Duration
	// FirstWait and LastWait bound the wait before another attempt, which doubles.
	FirstWait, LastWait time.Duration
}

// DefaultLimits stay below what EC2 grants an account, for others call it too.
var DefaultLimits = Limits{
	Managers: 8, Workers: 4, Rate: 10, Burst: 10, Attempts: 5, Region: 3 * time.Minute,
	FirstWait: 500 * time.Millisecond, LastWait: 20 * time.Second,
}

// Scanner scans managers. It is safe for concurrent use.
type Scanner struct {
	store  Store
	open   Opener
	limits Limits
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
	log    *slog.Logger
	turns  *turns
}

// Options are the settings of a scanner.
type Options struct {
	Limits Limits
	// Now is the clock, and Wait waits; time.Now and a timer when nil.
	Now  func() time.Time
	Wait func(context.Context, time.Duration) error
	Log  *slog.Logger
}

// New returns a scanner.
func New(store Store, open Opener, o Options) *Scanner {
	s := &Scanner{
		store: store, open: open, limits: o.Limits.orDefault(), now: o.Now, wait: o.Wait, log: o.Log,
		turns: &turns{limiters: map[place]*rate.Limiter{}},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.wait == nil {
		s.wait = sleep
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// On is a scanner that hands over to another store. The limits hold for both together.
func (s *Scanner) On(store Store) *Scanner {
	on := *s
	on.store = store
	return &on
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	return Limits{
		Managers: cmp.Or(l.Managers, d.Managers), Workers: cmp.Or(l.Workers, d.Workers),
		Rate: cmp.Or(l.Rate, d.Rate), Burst: cmp.Or(l.Burst, d.Burst),
		Attempts: cmp.Or(l.Attempts, d.Attempts), Region: cmp.Or(l.Region, d.Region),
		FirstWait: cmp.Or(l.FirstWait, d.FirstWait), LastWait: cmp.Or(l.LastWait, d.LastWait),
	}
}

// Request says what to scan, and how.
type Request struct {
	Managers []nodes.Manager
	// Revive has terminated nodes live again that the cloud shows alive. By is who asked for it.
	Revive bool
	By     string
	// Skip, when not nil, says why a region is left out this time; empty where it is not.
	Skip func(managerID, accountID, region string) string
	// Progress, when not nil, is called when a region or a manager has ended. It is not called
	// concurrently.
	Progress func(Result)
}

// Result is what became of one region of a manager, or of a manager whose regions are not known:
// the region is empty then.
type Result struct {
	Manager   nodes.Manager
	AccountID string
	Region    string
	Verdict   nodes.Verdict
	Reason    string
	Took      time.Duration
	Calls     int
	Throttled int
	Summary   nodes.Summary
	// Skipped says why the region was left out; the verdict is empty then.
	Skipped string
}

// Whole reports whether the result concludes something of all that it is about.
func (r Result) Whole() bool { return r.Verdict == nodes.Complete }

// Scan scans the managers, all that can be, and returns what became of each region, in the order of
// managers, accounts and regions. The error is that of the store: what the cloud does not give is a
// verdict.
func (s *Scanner) Scan(ctx context.Context, r Request) ([]Result, error) {
	var (
		mu   sync.Mutex
		all  []Result
		errs []error
		done sync.WaitGroup
		free = make(chan struct{}, s.limits.Managers)
	)
	report := func(x Result, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot keep what was seen of %s: %w", x.place(), err))
			return
		}
		all = append(all, x)
		if r.Progress != nil {
			r.Progress(x)
		}
	}
	for _, m := range r.Managers {
		if m.Type == nodes.ManagerOfManual {
			continue
		}
		free <- struct{}{}
		done.Go(func() {
			defer func() { <-free }()
			s.manager(ctx, m, r, report)
		})
	}
	done.Wait()
	slices.SortStableFunc(all, func(a, b Result) int {
		return cmp.Or(managerAt(r.Managers, a)-managerAt(r.Managers, b),
			strings.Compare(a.AccountID, b.AccountID), strings.Compare(a.Region, b.Region))
	})
	return all, errors.Join(errs...)
}

func managerAt(managers []nodes.Manager, r Result) int {
	return slices.IndexFunc(managers, func(m nodes.Manager) bool { return m.ID == r.Manager.ID })
}

func (r Result) place() string {
	return strings.TrimRight(r.Manager.Name+"/"+r.AccountID+"/"+r.Region, "/")
}

// manager scans all regions of a manager.
func (s *Scanner) manager(
	ctx context.Context, m nodes.Manager, r Request, report func(Result, error),
) {
	begun := s.now()
	failed := func(account string, f *Failure) {
		x := Result{Manager: m, AccountID: account, Verdict: f.Verdict, Reason: f.Reason,
			Took: s.now().Sub(begun)}
		if ctx.Err() != nil {
			x.Verdict, x.Reason, x.Skipped = "", "", ended
			report(x, nil)
			return
		}
		report(x, s.store.RecordCheck(keep(ctx), m.ID, nodes.Check{
			At: begun, Status: nodes.StatusUnreachable, Reason: f.Reason, AccountID: account,
		}))
	}
	cloud, account, f := s.connect(ctx, m)
	if f != nil {
		failed(account, f)
		return
	}
	regions, f := s.regions(ctx, m, cloud, account)
	if f != nil {
		failed(account, f)
		return
	}
	if err := s.store.RecordCheck(keep(ctx), m.ID, nodes.Check{
		At: begun, Status: nodes.StatusReachable, AccountID: account,
	}); err != nil {
		report(Result{Manager: m, AccountID: account}, err)
		return
	}
	work := make(chan Region)
	var workers sync.WaitGroup
	for range min(s.limits.Workers, len(regions)) {
		workers.Go(func() {
			for at := range work {
				report(s.region(ctx, m, cloud, at, r))
			}
		})
	}
	for _, at := range regions {
		work <- at
	}
	close(work)
	workers.Wait()
}

// ended is why a region was left out when the scan was ended.
const ended = "the scan was ended first"

// keep is a context for what is to be kept though the scan was ended: a write is never cut short.
func keep(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// connect opens a manager's cloud and finds out whose it is.
func (s *Scanner) connect(ctx context.Context, m nodes.Manager) (Cloud, string, *Failure) {
	cloud, err := s.open(ctx, m)
	if err != nil {
		return nil, "", failureOf(err)
	}
	var account string
	f := s.call(ctx, place{}, nil, func(ctx context.Context) error {
		account, err = cloud.Account(ctx)
		return err
	})
	switch {
	case f != nil:
		return nil, "", f
	case !m.SeesSeveral() && !m.Covers(account, ""):
		return nil, account, &Failure{Verdict: nodes.Denied, Reason: fmt.Sprintf(
			"the identity is of the account %s, and the manager may look at %s only",
			account, strings.Join(m.Accounts, ", "))}
	}
	return cloud, account, nil
}

// Connect reports who a manager's identity is, or why that could not be found out. It keeps
// nothing.
func (s *Scanner) Connect(ctx context.Context, m nodes.Manager) nodes.Check {
	c := nodes.Check{At: s.now(), Status: nodes.StatusReachable}
	cloud, account, f := s.connect(ctx, m)
	c.AccountID = account
	if f == nil {
		_, f = s.listed(ctx, m, cloud)
	}
	if f != nil {
		c.Status, c.Reason = nodes.StatusUnreachable, f.Reason
	}
	return c
}

// region scans one region and hands it over.
func (s *Scanner) region(
	ctx context.Context, m nodes.Manager, cloud Cloud, at Region, r Request,
) (Result, error) {
	x := Result{Manager: m, AccountID: at.Account, Region: at.Name}
	if r.Skip != nil {
		if x.Skipped = r.Skip(m.ID, at.Account, at.Name); x.Skipped != "" {
			return x, nil
		}
	}
	if at.Failed != nil && at.Name == "" && TypeOf(m.Type) != nodes.TypeSubscription {
		// No region of the account is known.
		x.Verdict, x.Reason = at.Failed.Verdict, at.Failed.Reason
		return x, nil
	}
	scan := nodes.Scan{
		ManagerID: m.ID, AccountID: at.Account, Tenant: at.Tenant, Region: at.Name,
		Type:  TypeOf(m.Type),
		Begun: s.now(), Revive: r.Revive, By: r.By,
	}
	limited, cancel := context.WithTimeout(ctx, s.limits.Region)
	defer cancel()
	scan.Verdict = nodes.Complete
	if f := s.read(limited, cloud, at, &scan); f != nil {
		if ctx.Err() != nil {
			// Who ends a scan says nothing of the region.
			x.Skipped = ended
			return x, nil
		}
		scan.Verdict, scan.Reason, scan.Seen = f.Verdict, f.Reason, nil
	}
	scan.Ended = s.now()
	var err error
	if x.Summary, err = s.store.ApplyScan(keep(ctx), scan); err != nil {
		return x, err
	}
	if suspects := x.Summary.Suspects; len(suspects) > 0 {
		err = s.ask(limited, keep(ctx), cloud, at, &scan, &x)
	}
	x.Verdict, x.Reason, x.Took = scan.Verdict, cmp.Or(x.Reason, scan.Reason), s.now().Sub(scan.Begun)
	x.Calls, x.Throttled = scan.Calls, scan.Throttled
	s.log.Debug("scanned", "manager", m.Name, "account", at.Account, "region", at.Name,
		"verdict", x.Verdict, "seen", x.Summary.Seen, "calls", x.Calls, "reason", x.Reason)
	return x, err
}

// read reads a region to the end.
func (s *Scanner) read(ctx context.Context, cloud Cloud, at Region, scan *nodes.Scan) *Failure {
	if at.Failed != nil {
		return at.Failed
	}
	if !at.Enabled {
		return &Failure{Verdict: nodes.Disabled, Reason: "the account has not opted into the region"}
	}
	seen := map[string]int{}
	tokens := map[string]bool{}
	for token := ""; ; {
		var page Page
		sent := s.now()
		f := s.call(ctx, place{scan.AccountID, at.Name}, scan, func(ctx context.Context) (err error) {
			sent = s.now()
			page, err = cloud.Page(ctx, at, token)
			return err
		})
		if f != nil {
			return f
		}
		for _, x := range page.Seen {
			if x.At.IsZero() {
				x.At = sent
			}
			// What moved from one page to a later one while they were read is there twice.
			if i, twice := seen[x.ID]; twice {
				scan.Seen[i] = x
				continue
			}
			seen[x.ID] = len(scan.Seen)
			scan.Seen = append(scan.Seen, x)
		}
		if page.Next == "" {
			return nil
		}
		if tokens[page.Next] {
			return &Failure{Verdict: nodes.Unreachable, Reason: "it gives the same pages over and over"}
		}
		tokens[page.Next] = true
		token = page.Next
	}
}

// askedAtOnce is how many ids one call names.
const askedAtOnce = 100
