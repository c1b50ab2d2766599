package lifecycle

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/protocol"
)

// link is one machine's way to the table that it shares with others.
type link struct {
	table.Backend
	// dead has nothing done and nothing answered; unanswered has writes done and not answered.
	dead, unanswered atomic.Bool
	// dies has it be dead after the next write that is not answered.
	dies bool
}

func (l *link) Read(
	ctx context.Context, places []table.Place,
) (map[table.Place]table.Item, error) {
	if l.dead.Load() {
		return nil, protocol.Refuse(protocol.Unavailable, "no answer")
	}
	return l.Backend.Read(ctx, places)
}

func (l *link) Write(ctx context.Context, changes []table.Change) error {
	if l.dead.Load() {
		return protocol.Refuse(protocol.Unavailable, "no answer")
	}
	err := l.Backend.Write(ctx, changes)
	if err == nil && l.unanswered.Load() {
		l.dead.Store(l.dead.Load() || l.dies)
		return protocol.Refuse(protocol.Unavailable, "no answer")
	}
	return err
}

// machines are so many with one table.
func machines(n int) (all []*link, claims []TableClaims) {
	shared := table.NewMemory()
	for range n {
		l := &link{Backend: shared}
		all, claims = append(all, l), append(claims, TableClaims{Backend: l, Name: "edge"})
	}
	return all, claims
}

// claimed claims a name within some time, and wants to get it.
func claimed(
	t *testing.T, c TableClaims, within time.Duration,
) (held context.Context, release func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	held, release, err := c.Claim(ctx, "i-1")
	if err != nil {
		t.Fatal(err)
	}
	return held, release
}

// refused claims a name within some time, and wants to be refused because another has it.
func refused(t *testing.T, c TableClaims, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, _, err := c.Claim(ctx, "i-1")
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Conflict {
		t.Fatalf("a second machine is answered %v", err)
	}
}

// TestClaimsOfTwoMachines: one has the claim for as long as it is at work, also after the time that
// there was to wait for it. The other one has it once it is given back.
func TestClaimsOfTwoMachines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := machines(2)
		held, release := claimed(t, c[0], time.Second)
		refused(t, c[1], 10*time.Minute)
		if held.Err() != nil {
			t.Fatalf("the claim ended: %v", context.Cause(held))
		}
		began := time.Now()
		time.AfterFunc(time.Minute, release)
		other, give := claimed(t, c[1], 2*time.Minute)
		if took := time.Since(began); took < time.Minute || took > time.Minute+5*time.Second {
			t.Errorf("the second one had it after %s", took)
		}
		if held.Err() == nil || other.Err() != nil {
			t.Errorf("the first: %v, the second: %v", held.Err(), other.Err())
		}
		give()
		if other.Err() == nil {
			t.Error("what was given back is held")
		}
		_, give = claimed(t, c[0], time.Second)
		give()
	})
}

// TestAClaimThatStandsStill: the claim of a machine that reaches the table no more ends for itself
// first, and only then another one has it. To give it back late takes nothing from that one.
func TestAClaimThatStandsStill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		links, c := machines(3)
		held, release := claimed(t, c[0], time.Second)
		links[0].dead.Store(true)
		other, give := claimed(t, c[1], time.Minute)
		defer give()
		if held.Err() == nil {
			t.Fatal("two have one claim")
		}
		var f *protocol.Failure
		if !errors.As(context.Cause(held), &f) || f.Class != protocol.Conflict {
			t.Errorf("it ended by %v", context.Cause(held))
		}
		links[0].dead.Store(false)
		release()
		refused(t, c[2], time.Minute)
		if other.Err() != nil {
			t.Errorf("the claim was taken from the second one: %v", context.Cause(other))
		}
	})
}

// TestAClaimWhoseAnswerIsLost: a machine that does not know that it has the claim does not act, and
// keeps others from it no longer than one that died. One that has it keeps it.
func TestAClaimWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			links, c := machines(2)
			links[0].unanswered.Store(true)
			links[0].dies = dies
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, _, err := c[0].Claim(ctx, "i-1"); err == nil {
				t.Fatal("it has a claim of which it knows nothing")
			}
			began := time.Now()
			held, release := claimed(t, c[1], time.Minute)
			defer release()
			// What it could give back stands in nobody's way.
			if waited := time.Since(began) > 0; waited != dies {
				t.Errorf("the second one waited %s", time.Since(began))
			}
			// Answers that are lost while it is at work take nothing from it, for a while.
			links[1].unanswered.Store(true)
			time.Sleep(2 * time.Second)
			links[1].unanswered.Store(false)
			time.Sleep(time.Minute)
			if held.Err() != nil {
				t.Errorf("the claim ended: %v", context.Cause(held))
			}
			links[0].dead.Store(false)
			links[0].unanswered.Store(false)
			refused(t, c[0], time.Minute)
		})
	}
}
