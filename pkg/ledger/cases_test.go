package ledger

import (
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
)

// TestCaseGatePlugin5: the sweep comes sixty times, by a clock that is 500 days ahead of the times
// of the files, or behind them. A live record stays, and the withdrawn one that it rests on.
func TestCaseGatePlugin5(t *testing.T) {
	const days = 24 * time.Hour
	for _, ahead := range []time.Duration{500 * days, -500 * days} {
		dir := t.TempDir()
		l := open(t, dir, OSDisk{})
		below, live := rec("below", "a", "D", "A"), rec("live", "a", "A", "S")
		below.Entries[0].Seq, below.Entries[0].State = 1, history.Withdrawn
		below.Entries[0].Undone = 3
		live.Entries[0].Seq, live.Entries[0].State = 2, history.Live
		put(t, l, below)
		put(t, l, live)
		sweepAt(t, dir, OSDisk{}, time.Now().Add(ahead), 60)
		if names := recordNames(t, dir); len(names) != 2 {
			t.Errorf("by a clock %s ahead left are %v", ahead, names)
		}
	}
}
