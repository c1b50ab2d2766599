package scan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"aws-provider-executor/pkg/nodes"
)

// turns are the limits of all places, for all that calls there.
type turns struct {
	mu       sync.Mutex
	limiters map[place]*rate.Limiter
}

type place struct{ account, region string }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask asks for suspects by their ids, and hands over what is said of them.
func (s *Scanner) ask(
	ctx, kept context.Context, cloud Cloud, at Region, scan *nodes.Scan, x *Result,
) error {
	suspects := slices.DeleteFunc(slices.Clone(x.Summary.Suspects), func(s nodes.Suspect) bool {
		return s.Source.ID == ""
	})
	for batch := range slices.Chunk(suspects, askedAtOnce) {
		answer := nodes.Answer{ManagerID: scan.ManagerID, AccountID: scan.AccountID,
			Tenant: scan.Tenant, Region: scan.Region, Type: scan.Type, Revive: scan.Revive}
		f := s.call(ctx, place{scan.AccountID, scan.Region}, scan, func(ctx context.Context) error {
			answer.Begun = s.now()
			said, err := cloud.Ask(ctx, at, batch)
			scan.Calls += max(said.Calls-1, 0)
			answer.Found, answer.NotFound = said.Found, said.NotFound
			return err
		})
		if f != nil {
			// The region is complete all the same. Who is suspected is asked for after the next scan.
			x.Reason = fmt.Sprintf("%d nodes that are not shown could not be asked for: %s",
				len(suspects), f.Reason)
			return nil
		}
		summary, err := s.store.ApplyAnswer(kept, answer)
		if err != nil {
			return err
		}
		x.Summary.Gone += summary.Gone
		x.Summary.Changed += summary.Changed
	}
	return nil
}

// call sends a call once the limit of its place lets it, and again where that may help. The scan,
// when not nil, counts.
func (s *Scanner) call(
	ctx context.Context, at place, scan *nodes.Scan, send func(context.Context) error,
) *Failure {
	for attempt := 1; ; attempt++ {
		if err := s.turn(ctx, at); err != nil {
			return failureOf(err)
		}
		err := send(ctx)
		if scan != nil {
			scan.Calls++
		}
		if err == nil {
			return nil
		}
		f := failureOf(err)
		if f.Verdict == nodes.Throttled && scan != nil {
			scan.Throttled++
		}
		wait := f.After + s.backoff(attempt)
		if !f.Again || attempt == s.limits.Attempts || !s.hasTime(ctx, wait) ||
			s.wait(ctx, wait) != nil {
			return f
		}
	}
}

// hasTime reports whether a wait ends before what the call is for does. What has no end of its own
// is not waited for longer than one region takes.
func (s *Scanner) hasTime(ctx context.Context, wait time.Duration) bool {
	if until, bounded := ctx.Deadline(); bounded && time.Until(until) <= wait {
		return false
	}
	return ctx.Err() == nil && wait <= s.limits.Region
}

// turn waits until a call may be sent.
func (s *Scanner) turn(ctx context.Context, at place) error {
	if at == (place{}) {
		return ctx.Err()
	}
	l := s.turns.of(at, s.limits)
	now := s.now()
	r := l.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		return s.wait(ctx, d)
	}
	return ctx.Err()
}

// of is the limit of a place.
func (t *turns) of(at place, limits Limits) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.limiters[at]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(limits.Rate), limits.Burst)
		t.limiters[at] = l
	}
	return l
}

// backoff is the wait before another attempt: any part of a window that doubles, so that many
// callers that were refused at once don't come back at once.
func (s *Scanner) backoff(attempt int) time.Duration {
	window := s.limits.LastWait
	if attempt < 16 {
		window = min(s.limits.FirstWait<<(attempt-1), window)
	}
	return time.Duration(rand.Int64N(int64(window) + 1))
}
