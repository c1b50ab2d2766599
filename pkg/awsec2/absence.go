package awsec2

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// lastAbsencePause is the longest pause between two readings of what EC2 does not know.
const lastAbsencePause = 2 * time.Second

// absences confirm that something does not exist. EC2 shows a new thing late, and one part of it
// later than another, so one reading that does not show it proves nothing. Two that lie a pause
// apart do. What was found costs nothing, and an absence is paused for once only.
//
// It is safe for concurrent use.
type absences struct {
	pause time.Duration
	// wait waits, and reports whether the context let it.
	wait func(ctx context.Context, d time.Duration) bool
	log  *slog.Logger

	mu sync.Mutex
	// missed are the ids that were not found a pause ago or earlier, and not since.
	missed map[string]bool
}

// newAbsences makes absences for a connection whose calls may take so long together.
func newAbsences(timeout time.Duration, log *slog.Logger) *absences {
	return &absences{
		pause: min(lastAbsencePause, timeout/10), wait: waitFor, log: log, missed: map[string]bool{},
	}
}

func waitFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// again reports whether the reading that did not find these ids has to be made again. It pauses
// before it says so. A timeout is returned if there is no time for the pause, or the call's lease
// ends before.
func (a *absences) again(ctx context.Context, ids ...string) (bool, error) {
	unconfirmed := a.unconfirmed(ids)
	if len(unconfirmed) == 0 {
		return false, nil
	}
	names := strings.Join(unconfirmed, ", ")
	a.log.Info("EC2 does not know it, asking again", "ids", names, "in", a.pause)
	until, leased := action.LeaseOf(ctx)
	if leased && !time.Now().Add(a.pause).Before(until) || !a.wait(ctx, a.pause) {
		return false, protocol.Refuse(protocol.Timeout,
			"EC2 did not know %s, and the time was up before it could be asked a second time; try again",
			names)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range unconfirmed {
		a.missed[id] = true
	}
	return true, nil
}

func (a *absences) unconfirmed(ids []string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, id := range ids {
		if !a.missed[id] {
			all = append(all, id)
		}
	}
	return all
}

// found forgets that an id was missed: the next absence has to be confirmed anew.
func (a *absences) found(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.missed, id)
}

// readExisting makes a reading of one id, or a change that names it. If EC2 does not know the id,
// it is made again after a pause, and only the second answer is believed.
func readExisting[T any](
	ctx context.Context, a *absences, id string, read func(context.Context) (T, error),
) (T, error) {
	for {
		value, err := read(ctx)
		if !isNotFound(err) {
			if err == nil {
				a.found(id)
			}
			return value, err
		}
		again, waitErr := a.again(ctx, id)
		switch {
		case waitErr != nil:
			return value, waitErr
		case !again:
			return value, askedTwice(err)
		}
	}
}

// askedTwice adds to a not-found failure what its reader has to know of it.
func askedTwice(err error) error {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Message += ", in the account of this identity; EC2 was asked twice; check the id, the" +
		" region and the account," +
		" and try again if it was made a moment ago"
	return &told
}

func isNotFound(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.NotFound
}
