// Package executor is the one way through: decode, validate, policy, plan,
// record, apply, verify, answer. It knows no verb and no provider.
//
// It guarantees one true result for any input: "succeeded" is said only of what
// was read back, a failure keeps the prior facts it had learnt, and nothing is
// changed before what was there is on the disk.
package executor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Executor carries out requests.
type Executor struct {
	// Registry holds the verbs.
	Registry *action.Registry
	// Provider is the only spec.provider accepted.
	Provider string
	// Connect opens a region. The budget is the time for all calls together.
	Connect func(ctx context.Context, region string, budget time.Duration) (Connection, error)
	// OpenStore opens the store of prior facts; nil keeps none.
	OpenStore func() (Store, error)
	// Policy, when not nil, refuses a request by an error.
	Policy func(protocol.Request) error
	// Timeout is the deadline of one request, counted from the call of Run; nothing is
	// done where none is left.
	Timeout time.Duration
	// Now is this machine's clock, which leases end by; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Connection is one region of a provider.
type Connection interface {
	// Reader has the reading methods that verbs declare, and no changing ones.
	Reader() any
	// Writer has the changing methods that verbs declare.
	Writer() any
}

// Store keeps prior facts; *ledger.Ledger is one.
type Store interface {
	Lock(ctx context.Context, key string, things ...string) (release func(), err error)
	Get(key string) (ledger.Record, bool, error)
	Others(except string, resources ...string) ([]ledger.Record, error)
	Put(ledger.Record) error
	Remove(key string) error
}

var _ Store = (*ledger.Ledger)(nil)

// Run answers one request. The context is the signal to stop: no new change is
// begun after it ends, what was begun is found out, and the answer is given soon.
func (e *Executor) Run(stop context.Context, request io.Reader) (result protocol.Result) {
	r := &run{Executor: e, times: newTimes(stop, e.Timeout)}
	defer r.times.cancel()
	defer func() {
		if p := recover(); p != nil {
			e.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			result = r.failed(action.Refuse(protocol.Internal, "a bug in the executor stopped it: %v; look at its log, and at the target before you try again", p))
		}
	}()
	if e.Timeout <= 0 {
		return r.failed(action.Refuse(protocol.Timeout, "the caller's deadline passed before the executor began; nothing was changed; try again"))
	}
	wire, faults, ended := plugin.Decode(r.times.plan,
		func() (protocol.Request, protocol.Faults) { return protocol.Decode(request) })
	if !ended && r.times.stopped() {
		return r.failed(r.outOfTime())
	}
	if err := r.validate(wire, faults); err != nil {
		return r.failed(err)
	}
	answer, err := r.answer()
	switch {
	case err == nil:
		return answer
	case !r.began && r.times.stopped():
		return r.failed(r.outOfTime())
	}
	return r.failed(err)
}

// run is one request on its way through.
type run struct {
	*Executor
	times times

	wire protocol.Request
	verb action.Verb
	req  action.Request

	conn   Connection
	reader any
	store  Store
	// record is the live record of the key that this run's record belongs to.
	record    ledger.Record
	hasRecord bool
	// gone is the record that was found, if somebody else's undo took away all that is in it.
	gone *ledger.Record
	// earlier is when the record that was found was written.
	earlier time.Time

	plan *action.Plan
	// settled tells that the plan has the prior facts that count.
	settled bool
	// seen is the last reading.
	seen action.Seen
	// made marks the transitions that were read to be so, before or after a change.
	made []bool
	// held tells that all that is known of an earlier attempt under this key was in force when it ended.
	held bool
	// began is set once a change may have left, touched while one may be in force.
	began, touched bool
	// warnings are what went wrong without making the result a failure.
	warnings []string
	// overruled names the holders that the request says to ignore.
	overruled string
	// note is what the plan's Finally adds to the sentence.
	note string
}

// answer goes the way from a valid request to a result.
func (r *run) answer() (protocol.Result, error) {
	if r.Policy != nil {
		if err := r.Policy(r.wire); err != nil {
			return protocol.Result{}, err
		}
	}
	conn, err := r.Connect(r.times.plan, r.req.Target["region"], r.Timeout)
	if err != nil {
		return protocol.Result{}, err
	}
	r.conn, r.reader = conn, conn.Reader()
	r.req.Keeps = r.OpenStore != nil
	r.req.Undoes, r.req.Answered = r.undoes() != "", r.answered()
	r.req.Orphan = !r.req.Keeps && r.undoes() != ""
	if r.wire.Mode == protocol.DryRun {
		return r.dryRun()
	}
	release, err := r.openStore()
	if err != nil {
		return protocol.Result{}, err
	}
	defer release()
	return r.execute()
}

func (r *run) dryRun() (protocol.Result, error) {
	if err := r.makePlan(); err != nil {
		return protocol.Result{}, err
	}
	switch {
	case r.plan.Moot != "":
		return r.moot(), nil
	case r.plan.Skip != "":
		return r.skipped(r.plan.Skip), nil
	case r.isSo():
		return r.nothingToDo(), nil
	}
	if ended := r.leaseEnded(); ended != nil {
		return protocol.Result{}, r.tooLate(ended, false)
	}
	if r.plan.Foresee == nil {
		return r.would(nil), nil
	}
	unforeseen, err := r.plan.Foresee(r.times.plan)
	if err != nil {
		return protocol.Result{}, err
	}
	return r.would(unforeseen), nil
}

func (r *run) execute() (protocol.Result, error) {
	if err := r.makePlan(); err != nil {
		return protocol.Result{}, err
	}
	if r.plan.Moot != "" {
		r.settled = true
		return r.moot(), nil
	}
	if err := r.settle(); err != nil {
		return protocol.Result{}, err
	}
	if err := r.heedLease(); err != nil {
		return protocol.Result{}, err
	}
	r.settled = true
	if r.plan.Skip != "" {
		r.recordDone()
		return r.skipped(r.plan.Skip), nil
	}
	holders, err := r.holders()
	switch {
	case r.req.Bool(action.IgnoreHolders.Name):
		// Which they are is only told, so that not knowing it is no reason to stop.
		r.overruled = holders
	case err != nil:
		return protocol.Result{}, err
	case holders != "":
		r.recordReleased()
		return r.heldBy(holders), nil
	}
	if err := r.recordIntent(); err != nil {
		return protocol.Result{}, err
	}
	if r.isSo() {
		r.recordDone()
		return r.nothingToDo(), nil
	}
	err = r.apply()
	r.finish()
	if err != nil {
		return protocol.Result{}, err
	}
	r.recordDone()
	return r.done(), nil
}

// outOfTime is the answer when the deadline or a signal came before all was changed.
func (r *run) outOfTime() error {
	why := "the time for it was up"
	if r.times.stopped() {
		why = "a signal stopped the executor"
	}
	what := "anything"
	if r.began {
		what = "the rest"
	}
	return action.Refuse(protocol.Timeout, "%s before %s was changed; try again", why, what)
}
