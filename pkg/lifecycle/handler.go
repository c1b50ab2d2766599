package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Cloud is what a handler reads of a region, and the one thing that it says there by itself: that a
// hook is to wait on.
type Cloud interface {
	// Account asks in which account calls are made.
	Account(ctx context.Context) (string, error)
	DescribeScalingInstance(ctx context.Context, instance string) (ec2model.ScalingInstance, error)
	DescribeLifecycleHooks(ctx context.Context, group string) ([]ec2model.LifecycleHook, error)
	RecordLifecycleActionHeartbeat(ctx context.Context, of ec2model.LifecycleAction) error
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeInterface(ctx context.Context, id string) (ec2model.InterfaceDetail, error)
	DescribeTaggedInterfaces(
		ctx context.Context, key, beginning string,
	) ([]ec2model.InterfaceDetail, error)
	DescribeTaggedAddresses(ctx context.Context, key, beginning string) ([]ec2model.Address, error)
}

// Claims make a run the only one that is at work on an instance.
type Claims interface {
	// Claim waits for its turn until the context ends, and then fails. The context that it returns
	// ends once another run may be at work.
	Claim(ctx context.Context, name string) (held context.Context, release func(), err error)
}

// Doer carries out steps.
type Doer interface {
	// Do carries a step out, or finds that it was. Begun is how many the run let through before.
	Do(ctx context.Context, s Step, begun int) Done
	// Undo takes back all steps whose keys begin so, last first, and tells of each. It goes on where
	// one can't be.
	Undo(ctx context.Context, keys string) ([]Done, error)
	// Adopt has Undo know of what was made, where it does not yet.
	Adopt(ctx context.Context, made []Made) error
	// Note logs a decision on an event, and why.
	Note(ctx context.Context, e Event, decision, reason string) error
	// Rehearse and RehearseUndo tell what Do and Undo would do now, once made was adopted.
	Rehearse(ctx context.Context, s Step) Done
	RehearseUndo(ctx context.Context, keys string, made []Made) ([]Done, error)
}

// Verdict is how a step came out.
type Verdict string

// The verdicts.
const (
	// StepDone is read back, as it was asked for.
	StepDone Verdict = "done"
	// StepFailed can't be, now or later.
	StepFailed Verdict = "failed"
	// StepLater may be at another time.
	StepLater Verdict = "later"
)

// Done is how a step, or its undo, came out.
type Done struct {
	Step    string  `json:"step"`
	Key     string  `json:"key,omitempty"`
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message,omitempty"`
	// Optional is set for a step that failed and that the launch does not need.
	Optional bool `json:"optional,omitempty"`
	// OutOfStock is set where there is none of what the step takes.
	OutOfStock bool `json:"-"`
	// Denied is set where the gate or a policy is against it.
	Denied bool `json:"-"`
	// Let reports whether the gate let it through.
	Let bool `json:"-"`
	// Facts are what the executor observed.
	Facts map[string]string `json:"facts,omitempty"`
}

// Outcome is what became of an event.
type Outcome string

// The outcomes.
const (
	// WentOn is a launch that the group goes on with, GaveUp one that was undone.
	WentOn Outcome = "continued"
	GaveUp Outcome = "abandoned"
	// Cleared is a terminate after which nothing is left of the launch, but for what is told.
	Cleared Outcome = "terminated"
	// Nothing is an event that asks for nothing, or for nothing more.
	Nothing Outcome = "acknowledged"
	// Refused is an event that is for somebody else, or that a policy is against. Its message is left.
	Refused Outcome = "refused"
	// Postponed is an event that can't be handled now. Its message is left, and comes again.
	Postponed Outcome = "postponed"
)

// Result is what became of an event, and of each step.
type Result struct {
	Event   Event   `json:"event"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	Steps   []Done  `json:"steps,omitempty"`
	Undone  []Done  `json:"undone,omitempty"`
	// Left names what could not be undone.
	Left []string `json:"left,omitempty"`
	// Heartbeats is how often the hook was told to wait on.
	Heartbeats int `json:"heartbeats,omitempty"`
}

// Handled reports whether the message need not come again.
func (r Result) Handled() bool { return r.Outcome != Refused && r.Outcome != Postponed }

// Well reports whether all is as the event asks for.
func (r Result) Well() bool {
	return r.Handled() && r.Outcome != GaveUp && len(r.Left) == 0
}

// Handler handles events. It is safe for concurrent use.
type Handler struct {
	Configuration *Configuration
	Policy        *policy.Policy
	// Open opens a region.
	Open    func(ctx context.Context, region string) (Cloud, error)
	Records Records
	Claims  Claims
	Doer    func(e Event) Doer
	// Roster opens the members of an event's group.
	Roster func(e Event) Roster
	// Licenses reads who has which licence of a pool.
	Licenses func(ctx context.Context, pool string) ([]licensemodel.License, error)
	Now      func() time.Time
	// Wait returns after a time, or with the context's error if that ends first.
	Wait func(ctx context.Context, d time.Duration) error
	Log  *slog.Logger
}

// Handle handles one delivery of an event.
func (h *Handler) Handle(ctx context.Context, e Event) Result {
	g, refusal := h.mine(&e)
	switch {
	case refusal != "":
		return Result{Event: e, Outcome: Refused, Reason: refusal}
	case e.Kind == Told:
		return Result{Event: e, Outcome: Nothing, Reason: "it asks for nothing"}
	}
	cloud, err := h.Open(ctx, e.Region)
	if err != nil {
		return Result{Event: e, Outcome: Postponed, Reason: err.Error()}
	}
	r := &run{Handler: h, event: e, group: g, cloud: cloud, doer: h.Doer(e),
		result: Result{Event: e}, facts: map[string]map[string]string{},
		known: known{kind: e.Kind, undoExpired: g.ExpiredHook == UndoExpired}}
	return r.handle(ctx)
}

// mine finds the group of an event, or says why it is not for this handler. It gives the event the
// region that its group is in.
func (h *Handler) mine(e *Event) (*Group, string) {
	g := h.Configuration.Group(*e)
	if g == nil {
		return nil, fmt.Sprintf("the configuration has no group %s in the account %s",
			protocol.Quote(e.Group), e.Account)
	}
	if other := h.Configuration.elsewhere(*e, g.Region); e.Kind != Told && other != "" {
		return nil, fmt.Sprintf("it does not say its region, and the configuration has the group "+
			"%s in %s and in %s: have EventBridge or SNS send it, or give each region a handler of its own",
			protocol.Quote(e.Group), g.Region, other)
	}
	e.Region = g.Region
	if hook := g.Hook(e.Kind); hook != "" && hook != e.Hook {
		return nil, fmt.Sprintf(
			"it is of the hook %s, and this handler answers %s",
			protocol.Quote(e.Hook),
			protocol.Quote(hook),
		)
	}
	if e.WarmPool {
		return nil, "the instance comes from a warm pool or goes to one, which is not handled"
	}
	if h.Policy == nil {
		return nil, "there is no policy, and without one nothing is done"
	}
	if reasons := h.Policy.Unattends(policy.Event{Account: e.Account, Group: e.Group}); len(
		reasons) > 0 {
		return nil, reasons.Error()
	}
	return g, ""
}

// maxMoves bounds a run whose world never stands still.
const maxMoves = 500

// run is one delivery of an event on its way.
type run struct {
	*Handler
	event  Event
	group  *Group
	cloud  Cloud
	doer   Doer
	known  known
	record Record
	result Result
	// reason says why the launch is abandoned, or why the run ends early.
	reason string

	// base ends once another run may be at work on the instance; release gives the claim back. Held
	// ends with it, and once the run has to look again what is so.
	base, held context.Context
	release    func()
	// asked ends once the program is asked to stop.
	asked context.Context
	beats *heartbeats
	steps []runStep
	// instance is what was read of it, facts are what steps told, by their names.
	instance Instance
	facts    map[string]map[string]string
	// primary is the primary by the last election, and elects the place of that among the steps.
	primary members.Primary
	elects  int
	// begun counts the actions that were let through.
	begun    int
	prepared bool
}

// handle makes moves until the run ends.
func (r *run) handle(ctx context.Context) Result {
	defer func() {
		if r.beats != nil {
			r.beats.stop()
		}
		if r.release != nil {
			r.release()
		}
	}()
	for range maxMoves {
		m := r.known.move()
		if m == stop || m == acknowledge {
			return r.ended(m)
		}
		a := r.make(ctx, m)
		r.Log.Debug("move", "move", int(m), "answer", int(a), "instance", r.event.Instance)
		r.known = r.known.after(m, a)
	}
	r.reason = "the instance, or its record, changes all the time"
	return r.ended(stop)
}

// ended is what the run came to.
func (r *run) ended(m move) Result {
	o := &r.result
	o.Reason = r.reason
	if r.beats != nil {
		o.Heartbeats = r.beats.count()
	}
	switch {
	case m == stop:
		o.Outcome = Postponed
		return *o
	case !r.known.undone && len(o.Left) == 0:
		// Another run undid it, and what that left is still left.
		o.Left = r.record.Left
	}
	switch {
	case r.event.Kind != Launch:
		o.Outcome = Cleared
	case r.known.terminate != "":
		o.Outcome, o.Reason = GaveUp, "the instance is terminated"
	case r.known.launch == Abandoned:
		o.Outcome, o.Reason = GaveUp, r.record.Reason
	default:
		o.Outcome = WentOn
	}
	return *o
}

// make makes one move.
func (r *run) make(ctx context.Context, m move) answer {
	switch m {
	case retire:
		return r.retire(ctx)
	case ask:
		return r.ask(ctx)
	case claim:
		return r.claim(ctx)
	case read:
		return r.read(ctx)
	case look:
		return r.look(ctx)
	case step:
		return r.step()
	case undo:
		return r.undo()
	case sayContinue:
		return r.complete("CONTINUE")
	case sayAbandon:
		return r.complete("ABANDON")
	case end:
		return r.end()
	case giveUp:
		if err := r.doer.Note(r.base, r.event, "abandon", r.why()); err != nil {
			return r.orLater(err)
		}
	}
	return r.write(r.says(m))
}

// says is what a move writes in the record.
func (r *run) says(m move) func(rec *Record) {
	return func(rec *Record) {
		switch m {
		case begin:
			rec.Launch = Begun
		case goOn:
			rec.Launch = Continuing
		case giveUp:
			rec.Launch, rec.Reason = Abandoning, r.why()
		case clean:
			rec.Terminate, rec.Left = Cleaned, r.result.Left
		}
	}
}

// end writes that the event was handled.
func (r *run) end() answer {
	if r.event.Kind == Launch && r.record.Launch == Continuing && r.group.Protection != ProtectNever {
		if a := r.still(); a != done {
			return a
		}
		if a := r.protect(); a != done {
			return a
		}
	}
	if len(r.result.Left) > 0 {
		err := r.doer.Note(r.base, r.event, "left", strings.Join(r.result.Left, "; "))
		if err != nil {
			return r.orLater(err)
		}
	}
	return r.write(r.finish)
}

// finish is the record of an event that was handled.
func (r *run) finish(rec *Record) {
	switch {
	case r.event.Kind != Launch:
		rec.Terminate = Ended
	case rec.Launch == Continuing:
		rec.Launch, rec.Left = Continued, r.result.Left
	default:
		rec.Launch, rec.Left = Abandoned, r.result.Left
	}
}

// why says why a launch is abandoned.
func (r *run) why() string {
	switch {
	case r.reason != "":
		return r.reason
	case r.known.stand == Leaving:
		return "the instance is on its way out of the group"
	}
	return "the hook did not wait for the end of the launch"
}

// ask writes that a terminate was asked for. A launch that is under way then stops.
func (r *run) ask(ctx context.Context) answer {
	const attempts = 20
	for range attempts {
		rec, err := r.Records.Read(ctx, r.event)
		if err == nil && rec.Terminate == "" {
			rec.Terminate = Asked
			_, err = r.Records.Write(ctx, r.event, rec)
		}
		if !errors.Is(err, errMoved) {
			return r.orLater(err)
		}
	}
	return r.orLater(errMoved)
}

// orLater is done, or later for an error.
func (r *run) orLater(err error) answer {
	if err == nil {
		return done
	}
	r.reason = err.Error()
	return later
}

// leastClaim is how long a run waits for its turn at least: longer than the lease of one that died
// stands still until it is taken over.
const leastClaim = 20 * time.Second

// claim waits until no other run is at work on the instance. The hook is told to wait on from here.
func (r *run) claim(ctx context.Context) answer {
	if r.beats == nil {
		r.asked, r.beats = ctx, r.beat(ctx)
	}
	if r.release != nil {
		r.release()
		r.release = nil
	}
	waiting, cancel := context.WithTimeout(ctx, max(r.group.Patience, leastClaim))
	defer cancel()
	held, release, err := r.Claims.Claim(waiting, KeysOf(r.event, "claim"))
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		r.reason = fmt.Sprintf("another run is at work on %s: %s", r.event.Instance, err)
		return busy
	}
	if err != nil {
		return r.orLater(err)
	}
	base, end := context.WithCancelCause(held)
	// Who asks the program to stop asks each run.
	unhook := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	r.base, r.release = base, func() {
		unhook()
		end(nil)
		release()
	}
	r.interruptible()
	return done
}

func (r *run) read(ctx context.Context) answer {
	rec, err := r.Records.Read(ctx, r.event)
	if err == nil {
		r.record, r.known = rec, r.known.reads(rec)
	}
	return r.orLater(err)
}

// write writes the record as it is to be, if it is still as it was read.
func (r *run) write(change func(*Record)) answer {
	if a := r.still(); a != done {
		return a
	}
	rec := r.record
	change(&rec)
	_, err := r.Records.Write(r.held, r.event, rec)
	if errors.Is(err, errMoved) {
		return moved
	}
	return r.orLater(err)
}

// The causes for which a run stops what it does.
var (
	errOver  = errors.New("the hook does not wait any more")
	errAsked = errors.New("the instance is terminated meanwhile")
)

// still reports by done that the run may go on with the instance.
func (r *run) still() answer {
	if r.asked.Err() != nil {
		return r.orLater(fmt.Errorf("the run was stopped: %w", context.Cause(r.asked)))
	}
	switch cause := context.Cause(r.held); {
	case cause == nil:
		return done
	case errors.Is(cause, errAsked):
		return r.again(moved)
	case errors.Is(cause, errOver):
		return r.again(over)
	}
	return lost
}

// again has the run go on after it was interrupted for a cause that it now knows.
func (r *run) again(a answer) answer {
	r.interruptible()
	return a
}

// interruptible makes a context that the heartbeats end where something else is so.
func (r *run) interruptible() {
	held, end := context.WithCancelCause(r.base)
	r.held = held
	r.beats.tell(end)
}
