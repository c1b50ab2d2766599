// Package action says what an action is: a verb with a descriptor, and one
// function that reads, decides and returns a plan of transitions.
//
// The descriptor is the single source for validation, the JSON Schemas, the
// reference tables, the IAM policies and the permission hints. The package knows
// no provider: how a transition is carried out is the verb's own.
package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Verb is one action: what it takes, what it reports, what it needs, and how it
// is planned.
type Verb struct {
	// Name is the action on the wire.
	Name string
	// Undo is the verb that takes this one back; empty when there is none.
	Undo string
	// Irreversible marks an action that no verb takes back. A verb that is neither this nor has an
	// undo takes others back.
	Irreversible bool
	// ByPolicy marks a verb that a preflight takes for unused unless a policy allows it. Without a
	// policy a role that may not do what it needs is whole: cores have roles without it.
	ByPolicy bool
	// Doc is one sentence, for the reference.
	Doc string
	// Risk is what a person weighs who is to approve it.
	Risk Risk
	// Target and Parameters are the fields the verb uses; any other is ignored.
	Target, Parameters []Field
	// Choice, when not nil, lets a request for this verb mean another one.
	Choice *Choice
	// Facts are what the verb's result adds to observed.
	Facts []Field
	// Permissions are the IAM actions the verb's calls need.
	Permissions []Permission
	// Plan decides. It only reads.
	Plan PlanFunc
}

// Level is how much is at stake.
type Level string

// The levels.
const (
	Low    Level = "low"
	Medium Level = "medium"
	High   Level = "high"
)

// Risk is what can go wrong for others when an action succeeds.
type Risk struct {
	Level Level
	// Doc is one sentence.
	Doc string
}

// Field is one entry of target, parameters or observed.
type Field struct {
	// Name is the key; one with a <placeholder> stands for a family of keys,
	// with texts of the form Key in that place.
	Name string
	Key  Form
	Form Form
	// Required fields must be there. An optional field may be empty, which is
	// the same as absent, unless its form is Boolean or its empty text counts.
	Required bool
	// Exclusive fields name a thing that one process at a time may act on.
	Exclusive bool
	// Decides marks a field that decides what the action leaves behind. A request under a key in
	// use is another one if such a field differs. A guard, which only refuses, decides nothing.
	Decides bool
	// Default is what leaving out a field means that decides; of a Boolean, empty is false.
	Default string
	// EmptyCounts marks an optional field whose empty text is a value: it is not the same as absent.
	EmptyCounts bool
	// Newer marks a field that no program declared whose records have digests of the first form.
	// Every field that is added gets it.
	Newer bool
	// Pool marks a field that names what something is taken from, as a pool of addresses.
	Pool bool
	// Echoes names the field of target that a fact repeats, where their names differ.
	Echoes string
	// Doc is one line, for the reference.
	Doc string
}

// Choice is a text of target by which a request means another verb than it names. Every other text,
// and none, means the verb itself.
type Choice struct {
	// Field is the name of the text, and Doc one line for the reference.
	Field, Doc string
	// Value means the verb Verb.
	Value, Verb string
}

// Permission is one IAM action.
type Permission struct {
	// Action is the IAM action, as in ec2:AssignPrivateIpAddresses.
	Action string
	// Change tells an action that changes something from one that reads.
	Change bool
	// Resource is the IAM resource type the action is authorised on, as in
	// network-interface; "*" where IAM knows none.
	Resource string
	// For says what the call is made for.
	For string
	// Family is that of the addresses whose requests need the action: IPv4 or IPv6. It is empty where
	// the addresses do not matter.
	Family AddressFamily
	// Of is a kind of resource. Only a request whose target names one of it needs the action. It is
	// empty where the kind does not matter.
	Of Kind
	// With names parameters, of the request or of the action that it undoes. Only a request with one
	// of them needs the action. Without any every request does.
	With []string
	// Foresees marks an action that a dry-run foresees refusals with. Without it nothing fails, and
	// what could not be foreseen is told.
	Foresees bool
	// TagKeys are the keys of the tags that the action writes or removes, where it does. A * stands
	// for any text.
	TagKeys []string
}

// AddressFamily is a family of IP addresses.
type AddressFamily string

// The families.
const (
	IPv4 AddressFamily = "ipv4"
	IPv6 AddressFamily = "ipv6"
)

// PlanFunc plans a validated request. The reader has the reading methods that the verb
// needs, and no other. An error that is a *protocol.Failure is the answer;
// any other is a bug.
type PlanFunc func(ctx context.Context, reader any, r Request) (*Plan, error)

// PlanWith makes a PlanFunc of a function that declares the reader it needs.
func PlanWith[R any](plan func(context.Context, R, Request) (*Plan, error)) PlanFunc {
	return func(ctx context.Context, reader any, r Request) (*Plan, error) {
		typed, ok := reader.(R)
		if !ok {
			return nil, fmt.Errorf("the reader %T lacks what the verb reads with", reader)
		}
		return plan(ctx, typed, r)
	}
}

// Request is a request reduced to what the verb declares, every field checked against its form
// and in canonical text.
type Request struct {
	Target, Parameters map[string]string
	// Strays are the keys that the verb does not know.
	Strays Strays
	// Past is what is recorded. Nil knows nothing.
	Past *Past
	// Undoes reports whether the request's key names an action to take back.
	Undoes bool
	// Answered reports whether the request carries what that action answered of its effect, beside
	// prior facts: so it was carried out on this very target.
	Answered bool
	// Recent reports whether the action's record is so fresh that the provider may still show what was
	// before it.
	Recent bool
	// Elsewhere reports whether the action's record is of another target than the request's, if only
	// in its region.
	Elsewhere bool
	// Durable reports whether prior facts are kept where a kill can't reach them, by the execution of
	// this request if this is a dry-run.
	Durable bool
}

// Bool is a Boolean parameter; false when it is absent.
func (r Request) Bool(parameter string) bool { return r.Parameters[parameter] == "true" }

// Plan is what a verb decided.
type Plan struct {
	// Transitions are what has to become so, in order. One whose From equals
	// its To is so already.
	Transitions []Transition
	// Seen is what the decision rests on: the first reading.
	Seen Seen
	// Read reads again.
	Read func(context.Context) (Seen, error)
	// Foresee looks, by reading, for what the provider itself would refuse
	// atomically when asked to change. Only a dry-run has to ask. May be nil.
	// Unforeseen names what this identity may not read for that; the plan stands without it.
	Foresee func(context.Context) (unforeseen []string, err error)
	// Facts are the verb's facts, given the transitions with the From that
	// counts and a reading; they must hold whether the transitions were
	// carried out or not.
	Facts func(t []Transition, seen Seen) map[string]string
	// Dangers says what is dangerous about a success, from the same as Facts; each is told after
	// the words. May be nil.
	Dangers func(t []Transition, seen Seen) []string
	// Judge says why an action is no success although its transitions are so, or why it is not known
	// to be one while a value passes by Via. It goes by a reading, and is nil where nothing is wrong.
	// May be nil.
	Judge func(Seen) *protocol.Failure
	// Skip, when not empty, says why there is nothing this undo may restore.
	Skip string
	// Moot, when not empty, says why the action has nothing to change and nothing to record. It
	// succeeds, and there is nothing to undo.
	Moot string
	// Finally, when not nil, is called once a change has begun, whatever became of the transitions.
	// It corrects what an end part-way would leave untrue, by the last reading, and returns what to
	// add to the sentence.
	Finally func(ctx context.Context, writer any, last Seen) string
	// TargetGone reports whether what the action changed does not exist any more. What is to be undone
	// elsewhere is in Transitions; without any there is nothing left.
	TargetGone bool
	// Unseen reports whether nothing was found of what the action changed. The same is read in
	// another account, so an undo, or an action with a record of an earlier attempt, rests on it only
	// in the account of the action.
	Unseen bool
	// KeepRecord reports whether the action stays in force after this undo: its record is kept.
	KeepRecord bool
	// Words tell the plan.
	Words Words
}

// Words tell one thing in three ways, each to follow its lead word.
type Words struct {
	// Would follows "would": assign 10.0.0.9 to eni-….
	Would string
	// Did is the same, done: assigned 10.0.0.9 to eni-….
	Did string
	// Already follows "nothing to do:": eni-… has 10.0.0.9.
	Already string
}

// Transition is one attribute of one resource, with a before and an after.
type Transition struct {
	// Resource and Attribute name what changes, the same way in every verb.
	Resource, Attribute string
	// From and To are values in canonical text.
	From, To string
	// Via, when not empty, is a value to pass through on the way to To. Found
	// later, it is as much our own doing as To is.
	Via string
	// Passes reports whether the provider passes by Via on its own. No change leads there: the one
	// that leads to To is waited for as long as Via shows.
	Passes bool
	// Echoed reports whether the provider's answer to the change that leads to Via shows that it is
	// so. Then it is not read back before the next change.
	Echoed bool
	// Drawn is a part of the values that is drawn anew for each plan. It is left out of a plan that is
	// told.
	Drawn string
	// AtVia says what it means that a value is left at Via, for the message: wide open.
	AtVia string
	// Stage orders transitions: those of one stage are made together and read
	// back before the next stage begins, and put back together when one of
	// them fails. What an earlier stage brought about stays.
	Stage int
	// Backup marks a transition that is not the action itself but prepares for
	// its undo: it alone holds nothing in force. When the action fails it is taken back last, once
	// all else is read to be back; that it can't be is a warning.
	Backup bool
	// Lasting marks a transition that the undo does not take back unless it is asked to.
	Lasting bool
	// MayFail lets the action go on without this transition, with a warning.
	MayFail bool
	// Adopted reports whether the provider shows that the action under the key brought about what is
	// so, though nothing is recorded of it: what was before it is From.
	Adopted bool
	// Below, if not nil, is an action on the attribute that only the provider tells of.
	Below *Below
	// Back is what the undo decided of the attribute. It is nil in an action, and for what
	// an undo changes beside what the action recorded.
	Back *Back
	// Call is the IAM action of the change from From to To.
	Call string
	// Set moves the attribute from one value to another: from From to To to
	// apply, the other way round to revert. It is nil where Together is not.
	Set SetFunc
	// Together, if not nil, moves the attribute beside others of its step that have the same one.
	Together *Together
}

// Together moves several attributes by few calls, one after the other.
type Together struct {
	// Set carries the changes out. It returns what SetFunc does, for each.
	Set func(ctx context.Context, writer any, changes []Change) []error
}

// Change is one attribute on its way from one value to another.
type Change struct{ Resource, Attribute, From, To string }

// TogetherWith makes a Together of a function that declares the writer it needs.
func TogetherWith[W any](
	set func(ctx context.Context, w W, changes []Change) []error,
) *Together {
	return &Together{func(ctx context.Context, writer any, changes []Change) []error {
		typed, ok := writer.(W)
		if !ok {
			err := fmt.Errorf("the writer %T lacks what the verb changes with", writer)
			return slices.Repeat([]error{err}, len(changes))
		}
		return set(ctx, typed, changes)
	}}
}

// SetFunc carries out a change with a writer that has the methods it needs. A nil error means
// that the provider took the change, not that it is so.
type SetFunc func(ctx context.Context, writer any, from, to string) error

// SetWith makes a SetFunc of a function that declares the writer it needs.
func SetWith[W any](set func(ctx context.Context, w W, from, to string) error) SetFunc {
	return func(ctx context.Context, writer any, from, to string) error {
		typed, ok := writer.(W)
		if !ok {
			return fmt.Errorf("the writer %T lacks what the verb changes with", writer)
		}
		return set(ctx, typed, from, to)
	}
}

// Seen is one reading.
type Seen struct {
	// Values are the present values of the transitions, in their order.
	Values []string
	// Facts are what else was read and is worth reporting.
	Facts map[string]string
	// Owner is the account that has the target. It is empty if the reading did not tell it.
	Owner string
}

type leaseKey struct{}

// WithLease is a context for a changing call that may not be sent at until or later.
func WithLease(ctx context.Context, until time.Time) context.Context {
	return context.WithValue(ctx, leaseKey{}, until)
}

// LeaseOf is the time that WithLease set, if any.
func LeaseOf(ctx context.Context) (until time.Time, ok bool) {
	until, ok = ctx.Value(leaseKey{}).(time.Time)
	return until, ok
}

type aloneKey struct{}

// Alone is a context for calls that are made for no other request at the same time.
func Alone(ctx context.Context) context.Context { return context.WithValue(ctx, aloneKey{}, true) }

// IsAlone reports whether Alone made the context.
func IsAlone(ctx context.Context) bool { return ctx.Value(aloneKey{}) != nil }

// LeaseOver refuses a change whose time is over; nil while it is not.
func LeaseOver(until, now time.Time) *protocol.Failure {
	if now.Before(until) {
		return nil
	}
	return protocol.Refuse(protocol.Denied,
		"the lease ended at %s (%s), and it is %s by this machine's clock",
		until.Format(time.RFC3339Nano), Lease.Name, now.UTC().Format(time.RFC3339))
}

// Lease is the parameter of verbs that a core assigns to one node for a time. When it is over
// another node may have the assignment.
var Lease = Field{
	Name: "mobilityAssignmentLeaseUntil", Form: Instant, Newer: true,
	Doc: "until when the assignment is this node's; later by this machine's clock no changing call " +
		"is begun",
}

// The parameters that every undo verb takes.
var (
	// OnDrift says what an undo does when it finds neither before nor after.
	OnDrift = Field{Name: "onDrift", Form: OneOf("fail", "restore"),
		Doc: "what an undo does when it finds neither the state before nor the state after: " +
			"`fail` (default), or `restore` the state before over whatever is there"}
	// IgnoreHolders lets an undo take away what another action still needs.
	IgnoreHolders = Field{Name: "ignoreHolders", Form: Boolean,
		Doc: "undo although other actions count on what is so now; `heldBy` names them"}
)

// Restore decides an undo from the three states: before the action, after it,
// and now. A nil error means that before is to be so again; overwrites is then
// the third state that is there instead, empty when it is one of the two.
func Restore(r Request, what, before, after, now string) (overwrites string, err error) {
	switch now {
	case before, after:
		return "", nil
	}
	if r.Parameters[OnDrift.Name] == "restore" {
		return now, nil
	}
	if after == "" {
		return "", protocol.Refuse(protocol.Drift,
			"%s is %s now, not %s, as it was before, and no fact tells how the action left it: look who"+
				" changed it, then undo with that fact, by hand or with onDrift=restore",
			what, now, before).With("drift", now)
	}
	return "", protocol.Refuse(protocol.Drift,
		"%s is %s now: neither %s, as the action left it, nor %s, as it was before;"+
			" someone else changed it: look who, then undo by hand or with onDrift=restore",
		what, now, after, before).With("drift", now)
}

// Merge joins maps of facts; the later one wins.
func Merge(facts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, f := range facts {
		maps.Copy(all, f)
	}
	return all
}

// Unknown says that a change may or may not have been made: its answer was
// lost. It is never an outcome, only a reason to read back.
type Unknown struct{ Cause *protocol.Failure }

// Error tells the cause.
func (u *Unknown) Error() string { return u.Cause.Message }

// NoFacts decides an undo without a record (NoRecord) that was sent without facts. Where prior
// facts are kept, there is nothing to undo, and skip says so. Where none are kept, nobody knows,
// and the error says so.
func NoFacts(r Request, stays string) (skip string, err error) {
	if r.Durable {
		return "nothing to undo is known under this key: no facts are given, and none are recorded; " +
			stays, nil
	}
	return "", protocol.Refuse(protocol.InvalidRequest,
		"nothing tells what was there before: no facts of the action are given, and"+
			" EXECUTOR_STATE_DIR=none keeps none; give them, or undo by hand; %s; nothing was changed",
		stays)
}

// Unforeseen tells of a reading that the provider refused to this identity what can't be foreseen
// for that. It is empty where the reading ended in any other way.
func Unforeseen(err error, what string) string {
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Authorization {
		return ""
	}
	refused := cmp.Or(f.Facts[protocol.FactPermissionHint], "reading it")
	return what + " (" + refused + " is not allowed)"
}
