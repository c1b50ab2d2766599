package gate

import (
	"context"
	"fmt"
	"time"

	"aws-provider-executor/pkg/policy"
)

// Process is one process of one start of a machine.
type Process struct {
	// Host is the machine's name, and Machine its lasting id where it has one.
	Host    string `json:"host,omitempty"`
	Machine string `json:"machine,omitempty"`
	// Boot is new with every start of the machine.
	Boot string `json:"boot,omitempty"`
	// Namespace is that of the process's number: containers count by themselves.
	Namespace string `json:"namespace,omitempty"`
	PID       int    `json:"pid,omitempty"`
	// Start is when the process was started, by no clock that people set.
	Start string `json:"start,omitempty"`
}

// String is how people are told of a process.
func (p Process) String() string {
	if p.PID == 0 {
		return "an unknown process"
	}
	return fmt.Sprintf("process %d on %s", p.PID, p.Host)
}

// Life is what is known of a process.
type Life int

// The answers.
const (
	// LifeUnknown is the answer for another machine's processes.
	LifeUnknown Life = iota
	Lives
	// Ended is said only of a process that has certainly ended.
	Ended
)

// Machine tells processes apart. *host.Machine is the real one.
type Machine interface {
	Self() Process
	Life(Process) Life
	// Uptime counts on while the machine sleeps, and no setting of its clock changes it.
	Uptime() time.Duration
}

// atWork refuses an action that another process is, or may be, at work on.
//
// A claim belongs to a process. It holds while that process lives, and ends with it; an executor
// ends with its gate. No clock plays a part. Where the process can't be asked after, as on another
// machine, the claim ends when it has been seen for as long as it holds, by a time that nobody
// sets, or when a person says that it has.
func (g *Gate) atWork(ctx context.Context, a Action) (policy.Denial, error) {
	if a.Claim == nil {
		return nil, nil
	}
	who := fmt.Sprintf("%s is at work on it (%s) since %s",
		a.Claim.By, a.Claim.Purpose, a.Claim.At.Format(time.RFC3339))
	switch g.Machine.Life(a.Claim.Process) {
	case Lives:
		return against("claim", "%s; wait for its end", who), nil
	case Ended:
		return nil, nil
	}
	left, err := g.claimLeft(ctx, a)
	if err != nil || left <= 0 {
		return nil, err
	}
	return against("claim", "%s; if that is no more, it can be taken up in %s;"+
		" if you know that it is no more, --break-claim ends it now",
		who, left.Round(time.Second)), nil
}

// claimLeft is for how much longer a claim holds whose process can't be asked after. The first look
// at it is logged: the time that it holds is counted from there.
func (g *Gate) claimLeft(ctx context.Context, a Action) (time.Duration, error) {
	holds := max(a.Claim.Until.Sub(a.Claim.At), 0)
	if holds == 0 || holds > longestClaim {
		holds = g.Timeout
	}
	revision, self := fmt.Sprint(a.Revision), g.Machine.Self()
	for _, kind := range []EventKind{EventClaimBroken, EventClaimSeen} {
		events, err := g.Store.Events(ctx, EventQuery{ActionID: a.ID, Kind: kind, Newest: true})
		if err != nil {
			return 0, err
		}
		for _, e := range events {
			if e.text("revision") != revision {
				continue
			}
			seen, err := time.ParseDuration(e.text("uptime"))
			switch {
			case kind == EventClaimBroken:
				return 0, nil
			case err == nil && e.text("boot") == self.Boot:
				return holds + 1 - (g.Machine.Uptime() - seen), nil
			}
		}
	}
	if g.Store.ReadOnly() {
		return holds, nil
	}
	return holds, g.Store.Note(ctx, g.event(EventClaimSeen, a, map[string]any{
		"claimant": a.Claim.By, "revision": revision,
		"boot": self.Boot, "uptime": g.Machine.Uptime().String(),
	}))
}

// longestClaim is how long a claim is believed to hold: beyond it a clock was set meanwhile.
const longestClaim = 2 * time.Hour

// BreakClaim ends the claims of processes that can't be asked after, on a person's word, and logs
// it. A claim whose process lives on this machine stays.
func (g *Gate) BreakClaim(ctx context.Context, ids []int64) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	return g.each(ctx, ids, func(ctx context.Context, id int64) (Outcome, error) {
		a, err := g.Store.Get(ctx, id)
		if err != nil {
			return Outcome{}, err
		}
		if a.Claim == nil || g.Machine.Life(a.Claim.Process) == Ended {
			return Outcome{Action: a, Verdict: Done, Message: "no claim holds it"}, nil
		}
		if g.Machine.Life(a.Claim.Process) == Lives {
			return g.deny(ctx, a, "break-claim", against("claim",
				"%s lives on this machine; end it, and the claim ends with it", a.Claim.Process))
		}
		err = g.Store.Note(ctx, g.event(EventClaimBroken, a, map[string]any{
			"claimant": a.Claim.By, "revision": fmt.Sprint(a.Revision),
		}))
		return Outcome{Action: a, Verdict: Done, Message: "the claim of " + a.Claim.By + " is ended"}, err
	})
}
