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
	// Inquiries, if not nil, makes the requests beside the verbs, which only ask. Few requests are
	// one, so they are made for a request that is no verb.
	Inquiries func() []Inquiry
	// Provider is the only spec.provider accepted.
	Provider string
	// Connect opens a region. The budget is the time for all calls together.
	Connect func(ctx context.Context, region string, budget time.Duration) (Connection, error)
	// OpenStore opens the store of prior facts, for a dry-run one that nothing is written to; nil
	// keeps none.
	OpenStore func(ctx context.Context, dryRun bool) (Store, error)
	// Turn, when not nil, waits until the request may be acted on. It is asked once the request is
	// known to be valid, and before anything else.
	Turn func(context.Context) error
	// Policy, when not nil, refuses a request by an error.
	Policy func(protocol.Request) error
	// ByFacts, when not nil, refuses by an error an undo that rests on facts which the request
	// carries: nothing is recorded of what it would take back.
	ByFacts func(protocol.Request) error
	// Timeout is the deadline of one request, counted from the call of Run; nothing is
	// done where none is left.
	Timeout time.Duration
	// Now is this machine's clock, which leases end by; nil is time.Now.
	Now func() time.Time
	// ObservePlan has each result tell the plan, and the plan of the undo.
	ObservePlan bool
	// ObserveCalls has each result tell how many calls were sent, and how long they took.
	ObserveCalls bool
	Log          *slog.Logger
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
	// Lock makes this process the only one that acts under the key and on the things.
	Lock(ctx context.Context, key string, things ...string) (release func(), err error)
	// LockKey does so for one more key.
	LockKey(ctx context.Context, key string) (release func(), err error)
	// Holding returns a context that ends once another request may have a lock of this one: no
	// change is begun then. Its cause is the failure to answer with.
	Holding(ctx context.Context) (context.Context, context.CancelFunc)
	// Get reads the record of a key.
	Get(ctx context.Context, key string) (ledger.Record, bool, error)
	// History reads the records that have an entry of an attribute.
	History(ctx context.Context, resource, attribute string) ([]ledger.Record, error)
	// Put writes a record whole. It survives a loss of power.
	Put(context.Context, ledger.Record) error
	// Done writes a record of which only the outcome is new. A loss of power may take that back to
	// what Put wrote, until another record of the attribute is written.
	Done(context.Context, ledger.Record) error
	// Remove removes the record of a key, if there is one.
	Remove(ctx context.Context, key string) error
	// Tidy removes other records of some attributes that no later answer rests on.
	Tidy(ctx context.Context, own string, attributes ...ledger.Attribute)
	// Sweep looks after the store for a short time, once the answer is known and all locks of the
	// request are given back.
	Sweep(ctx context.Context)
}

var _ Store = (*ledger.Ledger)(nil)

// Run answers one request. The context is the signal to stop: no new change is
// begun after it ends, what was begun is found out, and the answer is given soon.
func (e *Executor) Run(stop context.Context, request io.Reader) protocol.Result {
	return e.goThrough(stop, func(r *run) (protocol.Request, protocol.Faults, bool) {
		return plugin.Decode(r.times.plan,
			func() (protocol.Request, protocol.Faults) { return protocol.Decode(request) })
	})
}

// RunDecoded answers one request that was decoded, with these faults.
func (e *Executor) RunDecoded(
	stop context.Context, wire protocol.Request, faults protocol.Faults,
) protocol.Result {
	return e.goThrough(stop, func(*run) (protocol.Request, protocol.Faults, bool) {
		return wire, faults, true
	})
}

func (e *Executor) goThrough(
	stop context.Context, decode func(*run) (_ protocol.Request, _ protocol.Faults, ended bool),
) (result protocol.Result) {
	r := &run{Executor: e, times: newTimes(stop, e.Timeout), past: &action.Past{}}
	defer func() { r.times.cancel() }()
	defer r.tell(stop, time.Now(), &result)
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			result = r.failed(bug(p))
		}
	}()
	if e.Timeout <= 0 {
		return r.failed(tooLateToBegin())
	}
	wire, faults, ended := decode(r)
	if !ended && r.times.stopped() {
		return r.failed(r.outOfTime())
	}
	if !r.heedDeadline(stop, wire.Deadline) {
		return r.failed(tooLateToBegin())
	}
	r.trace(wire.Traceparent)
	if err := r.validate(wire, faults); err != nil {
		return r.failed(err)
	}
	if r.asks != nil {
		return r.ask()
	}
	answer, err := r.answer()
	switch {
	case err == nil:
		return answer
	case !r.began() && r.times.stopped():
		return r.failed(r.outOfTime())
	}
	return r.failed(err)
}

// bug is the answer to a request during which the executor panicked.
func bug(p any) error {
	return protocol.Refuse(protocol.Internal, "a bug in the executor stopped it: %v;"+
		" look at its log, and at the target before you try again", p)
}

// tooLateToBegin is the answer where the caller gave up before anything was begun.
func tooLateToBegin() error {
	return protocol.Refuse(protocol.Timeout,
		"the caller's deadline passed before the executor began; nothing was changed; try again")
}

// heedDeadline shortens the time of a request that has a deadline of its own. It reports whether
// any is left.
func (r *run) heedDeadline(stop context.Context, deadline time.Time) bool {
	if deadline.IsZero() || r.times.end().Before(deadline) {
		return true
	}
	own := *r.Executor
	own.Timeout = time.Until(deadline)
	r.times.cancel()
	r.Executor, r.times = &own, newTimes(stop, own.Timeout)
	return own.Timeout > 0
}

// run is one request on its way through.
type run struct {
	*Executor
	times times

	wire protocol.Request
	verb action.Verb
	req  action.Request
	// asks is the inquiry that the request is; nil for a verb.
	asks *Inquiry

	conn   Connection
	reader any

	store Store
	// locks give back what is held of the store.
	locks []func()
	// past is what the plan may know, histories what was read for it.
	past      *action.Past
	histories map[ledger.Attribute][]action.Recorded
	// ledgerUnread reports whether a dry-run goes on without prior facts.
	ledgerUnread bool
	// record is that of the key, before as it was found, and earlier when its action was last tried.
	record  ledger.Record
	before  *ledger.Record
	earlier time.Time
	// entries are what an action records of its transitions.
	entries []ledger.Entry

	plan *action.Plan
	// settled reports whether the plan has the prior facts that count.
	settled bool
	// seen is the last reading.
	seen action.Seen
	// moves are the plan's transitions on their way.
	moves []move
	// changedBefore reports whether an earlier attempt changed something, and is not undone.
	changedBefore bool
	// touched is set while a change may be in force.
	touched bool
	// lost reports whether the record of this action was removed by somebody, once it was written.
	lost bool
	// warnings are what went wrong without making the result a failure.
	warnings []string
	// note is what the plan's Finally adds to the sentence.
	note string
}

// answer goes the way from a valid request to a result.
func (r *run) answer() (protocol.Result, error) {
	if r.Turn != nil {
		if err := r.Turn(r.times.plan); err != nil {
			return protocol.Result{}, err
		}
	}
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
	if err := r.inNamedAccount(); err != nil {
		return protocol.Result{}, err
	}
	defer r.closeStore()
	if err := r.openStore(); err != nil {
		return protocol.Result{}, err
	}
	r.req.Durable = r.OpenStore != nil
	r.req.Undoes, r.req.Answered = r.undoes() != "", r.answered()
	if err := r.makePlan(); err != nil {
		return protocol.Result{}, err
	}
	if r.wire.Mode == protocol.DryRun {
		return r.dryRun()
	}
	return r.execute()
}

// dryRun tells the plan.
func (r *run) dryRun() (protocol.Result, error) {
	if err := r.settle(); err != nil {
		return protocol.Result{}, err
	}
	if ended := r.leaseEnded(); ended != nil && !r.isSo() {
		return protocol.Result{}, r.tooLate(ended, r.mayBeInForce())
	}
	r.settled = true
	if over, answer := r.nothingToDo(); over {
		if err := r.judged(); err != nil {
			return protocol.Result{}, err
		}
		return answer, r.checkSize(answer)
	}
	if err := r.checkSize(r.done()); err != nil {
		return protocol.Result{}, err
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

// execute carries the plan out.
func (r *run) execute() (protocol.Result, error) {
	r.touched = !r.takesBack() && r.mayBeInForce()
	if err := r.settle(); err != nil {
		return protocol.Result{}, err
	}
	if err := r.heedLease(); err != nil {
		return protocol.Result{}, err
	}
	r.settled = true
	over, answer := r.nothingToDo()
	if r.plan.Moot != "" {
		return answer, nil
	}
	if r.ByFacts != nil && r.byFacts() {
		if err := r.ByFacts(r.wire); err != nil {
			return protocol.Result{}, err
		}
	}
	if !over {
		answer = r.done()
	}
	if err := r.checkSize(answer); err != nil {
		return protocol.Result{}, err
	}
	if over && r.takesBack() {
		r.recordUndone()
		return answer, nil
	}
	if err := r.recordIntent(); err != nil {
		return protocol.Result{}, err
	}
	if over {
		return answer, r.judged()
	}
	err := r.apply()
	r.finish()
	if err != nil {
		return protocol.Result{}, err
	}
	r.recordDone()
	return r.done(), r.judged()
}

// judged refuses to call a success what the plan's Judge says is none, though its transitions are
// so and are recorded.
func (r *run) judged() error {
	if r.plan.Judge == nil {
		return nil
	}
	if f := r.plan.Judge(r.seen); f != nil {
		return f
	}
	return nil
}

// outOfTime is the answer when the deadline or a signal came before all was changed.
func (r *run) outOfTime() error {
	why := "the time for it was up"
	if r.times.stopped() {
		why = "a signal stopped the executor"
	}
	what := "anything"
	if r.began() {
		what = "the rest"
	}
	return protocol.Refuse(protocol.Timeout, "%s before %s was changed; try again", why, what)
}
