package executor

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/preflight"
)

// StateStoreCheck is the name of the check that CheckStateStore makes.
const StateStoreCheck = "ledger"

// CheckStateStore looks, for a preflight, at where an executor with this environment would keep
// prior facts. It leaves nothing behind.
func CheckStateStore(ctx context.Context, env map[string]string) preflight.Check {
	if table := env[StateTableVariable]; table != "" {
		return preflight.Check{Name: StateStoreCheck, Verdict: preflight.Unknown,
			Seen:   "whether the table " + table + " can be used was not tried",
			Advice: "send the executor a request for the action preflight, which tries it",
			Facts:  map[string]any{"table": table}}
	}
	c := checkStateStore(ctx, stateDir(env), ledger.OSDisk{})
	if c.Verdict == preflight.Pass {
		lookElsewhere(&c, env)
	}
	return c
}

// lookElsewhere warns of records in the other directories that systemd gives. No execution finds
// those.
func lookElsewhere(c *preflight.Check, env map[string]string) {
	dir := stateDir(env)
	for other := range strings.SplitSeq(env["STATE_DIRECTORY"], ":") {
		if other == "" || filepath.Clean(other) == filepath.Clean(dir) {
			continue
		}
		held, err := ledger.HoldsRecords(other, ledger.OSDisk{})
		switch {
		case err != nil:
			c.Verdict = preflight.Unknown
			c.Seen += "; whether " + other + " holds records of a ledger can't be read: " + err.Error()
			c.Advice = "look as the user who owns the state"
		case held:
			c.Verdict = preflight.Warn
			c.Seen += "; " + other + " holds records of another ledger, which executions don't find"
			c.Advice = "move that ledger to " + dir + " if this one has no records; never merge two"
			return
		}
	}
}

func checkStateStore(ctx context.Context, dir string, disk ledger.Disk) preflight.Check {
	c := preflight.Check{
		Name: StateStoreCheck, Verdict: preflight.Pass, Facts: map[string]any{"directory": dir},
	}
	if dir == noState {
		c.Verdict, c.Seen = preflight.Warn, "EXECUTOR_STATE_DIR=none keeps no prior facts"
		c.Advice = "an undo has only the facts that it is given: name a directory to keep them in"
		return c
	}
	p, err := ledger.Try(ctx, dir, disk, time.Now)
	switch {
	case errors.Is(err, ledger.ErrNotTried):
		c.Verdict, c.Seen = preflight.Unknown, "whether "+p.Tried+" can be written was not tried: "+
			err.Error()
		c.Advice = "name a directory on a local disk with EXECUTOR_STATE_DIR, or try an execution"
	case err != nil:
		c.Verdict, c.Seen = preflight.Fail, asFailure(err).Message
		c.Advice = "repair it, or name another directory with EXECUTOR_STATE_DIR"
	case p.Migrates:
		c.Verdict, c.Seen = preflight.Warn, dir+" can be written, and holds records of an older program"
		c.Advice = "executions bring them to the present form as they are used, and the older program " +
			"refuses the directory after the first"
	case !p.Exists:
		c.Seen = dir + " is not there yet; the first execution makes it in " + p.Tried +
			", which can be written"
	default:
		c.Seen = dir + " can be written"
	}
	return c
}
