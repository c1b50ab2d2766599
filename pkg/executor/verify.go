package executor

import (
	"context"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// maxRefused is how many refusals of the identity end the reading: the next would be refused too.
const maxRefused = 3

// await reads until what is expected shows, or the context ends. Needed is how many
// readings in a row must show it: one when the first does and the change was answered;
// two when the answer was lost, or as soon as one reading did not show it, since
// one reading may be right and the next one stale. The error is that of the last reading,
// nil when that one was good and showed something else.
func (r *run) await(
	ctx context.Context, needed int, expected func(action.Seen) bool,
) (bool, error) {
	var last error
	read, refused := false, 0
	for inARow, pause := 0, firstPause; ; pause = min(2*pause, lastPause) {
		seen, err := r.plan.Read(ctx)
		switch {
		case err == nil && expected(seen):
			r.seen, last, read = seen, nil, true
			if inARow++; inARow >= needed {
				return true, nil
			}
		case err == nil:
			r.seen, last, read = seen, nil, true
			inARow, needed = 0, 2
			r.Log.Info("not shown yet", "seen", seen.Values)
		case ctx.Err() != nil && read:
			// Time ran out during one more reading; the one before it stands.
			return false, last
		default:
			last = err
			inARow, needed = 0, 2
			r.Log.Warn("cannot read back", "error", err)
			if asFailure(err).Class != protocol.Authorization {
				break
			}
			if refused++; refused >= maxRefused {
				return false, last
			}
		}
		if !sleep(ctx, pause) {
			return false, last
		}
	}
}
