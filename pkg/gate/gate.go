// Package gate lets actions through: import, approve, execute, dry-run and roll back, by a policy
// and with a journal of everything.
//
// It guarantees that what runs is exactly what was approved; that nothing runs twice, however many
// processes try and whenever one of them is killed; that nothing changes a provider unless Execute
// or Rollback was called for it; that every decision and every outcome is in the journal; and that
// facts once learnt are never dropped. Without a policy nothing is executed.
//
// The executor's result is the truth. It runs as a process of its own, and finds its credentials by
// itself: none pass through here. The gate knows no provider's SDK and no store's language.
package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Gate is one way through.
type Gate struct {
	Store Store
	// Policy is nil when none is configured: then nothing runs.
	Policy *policy.Policy
	// Registry holds the verbs, and Provider is whose they are. Only plans of it are taken, and of
	// those whose verbs the registry has beside them.
	Registry *action.Registry
	Provider string
	// Run hands a request to the executor.
	Run Runner
	// Program, when not nil, tells what Run runs. Programs are those of other providers.
	Program  Program
	Programs map[string]Program
	// Timeout is how long a claim holds where nobody can ask after its process. An executor gets the
	// time until shortly before, and ends by then.
	Timeout time.Duration
	Now     func() time.Time
	// Machine tells which claims are of processes that have ended.
	Machine Machine
	// Actor is the user of the operating system, for the journal; Claimant names this process.
	Actor, Claimant string
	// Names, when not nil, tells what people call the things that a dry-run told of, by their ids.
	// The log keeps it for whoever approves.
	Names func(ctx context.Context, a Action, said protocol.Status) map[string]string
	// Event, when not nil, is the lifecycle event on whose behalf the gate acts. A policy may waive
	// approval for it.
	Event *policy.Event
	// Progress, when not nil, is told each outcome as it comes, one at a time.
	Progress func(Outcome)
	// Selections, when not nil, remembers those that were read.
	Selections *SelectionCache
}

// Runner carries out one request, and has ended what it began by the deadline of the context. An
// error means that there is no result, and that nothing is known of what became of it, unless it is
// a *NotStarted.
type Runner interface {
	Run(ctx context.Context, r protocol.Request) (protocol.Result, error)
}

// ManyRunner is a Runner that is told when it is about to get several requests.
type ManyRunner interface {
	Runner
	ExpectMany()
}

// NotStarted says that an executor could not be started, so that nothing was changed.
type NotStarted struct{ Cause error }

// Error tells the cause.
func (e *NotStarted) Error() string { return "cannot start the executor: " + e.Cause.Error() }

// Unwrap is the cause.
func (e *NotStarted) Unwrap() error { return e.Cause }

// Verdict is how an operation on one action ended.
type Verdict string

// The verdicts.
const (
	// Done is what was asked for, or what was so already.
	Done Verdict = "done"
	// Refused is what the gate did not let through; nothing was changed.
	Refused Verdict = "refused"
	// Unsuccessful is what was let through and did not succeed.
	Unsuccessful Verdict = "failed"
	// NotReached is what was not tried, because of what came before it.
	NotReached Verdict = "not reached"
)

// Outcome is how an operation on one action ended.
type Outcome struct {
	// Action is the action as it is now.
	Action  Action
	Verdict Verdict
	// Message is one line on what happened.
	Message string
	// Reasons are every reason against, when Refused.
	Reasons policy.Denial
	// Result is the executor's, nil when it was not asked or did not answer.
	Result *protocol.Result
	// Names are what people call the things in it, by their ids.
	Names map[string]string
	// NotStarted is set where the executor could not be started, or was not to be any more.
	NotStarted bool
}

// takes reports whether plans of a provider are taken.
func (g *Gate) takes(provider string) bool {
	return provider == g.Provider || slices.Contains(g.Registry.Providers(), provider)
}

// providers are those whose plans are taken, for an error.
func (g *Gate) providers() string {
	text := protocol.Quote(g.Provider)
	for _, p := range g.Registry.Providers() {
		text += " or " + protocol.Quote(p)
	}
	return text
}

// deny refuses, and logs it.
func (g *Gate) deny(
	ctx context.Context,
	a Action,
	what string,
	reasons policy.Denial,
) (Outcome, error) {
	o := Outcome{
		Action:  a,
		Verdict: Refused,
		Message: what + " refused: " + reasons.Error(),
		Reasons: reasons,
	}
	if g.Store.ReadOnly() {
		return o, nil
	}
	return o, g.Store.Note(
		ctx,
		g.event(EventDenied, a, map[string]any{"what": what, "reasons": texts(reasons)}),
	)
}

// NoteLifecycle logs a decision on a lifecycle event: what was decided, of which instance, and why.
func (g *Gate) NoteLifecycle(ctx context.Context, key, decision, reason string) error {
	return g.Store.Note(ctx, g.event(EventLifecycle, Action{Plan: Plan{IdempotencyKey: key}},
		map[string]any{"decision": decision, "reason": reason}))
}

func texts(d policy.Denial) []string {
	all := make([]string, len(d))
	for i, r := range d {
		all[i] = r.Field + ": " + r.Text
	}
	return all
}

func (g *Gate) event(kind EventKind, a Action, data map[string]any) Event {
	return Event{
		At:       g.Now(),
		Kind:     kind,
		ActionID: a.ID,
		Key:      a.IdempotencyKey,
		Actor:    g.Actor,
		Data:     data,
	}
}

// resultData is a result as an event keeps it: whole, but no text twice.
func resultData(mode protocol.Mode, digest string, r protocol.Result) map[string]any {
	data := map[string]any{"mode": string(mode), "digest": digest, "status": string(r.Status.Status)}
	message, failure := r.Status.Lines()
	for name, text := range map[string]string{"message": message, "error": failure} {
		if text != "" {
			data[name] = text
		}
	}
	if len(r.Status.Observed) > 0 {
		data["observed"] = r.Status.Observed
	}
	return data
}

// against makes a denial of the gate's own.
func against(field, format string, args ...any) policy.Denial {
	return policy.Denial{{Field: field, Text: fmt.Sprintf(format, args...)}}
}

// noPolicy is why nothing runs without one.
func noPolicy() policy.Denial {
	return against("policy", "there is none, and without one nothing runs")
}

// subject is what the policy decides on.
func (g *Gate) subject(p Plan) policy.Subject {
	r := p.Request(protocol.Execute)
	// A key that ends like an undo's makes an action no undo.
	r.IdempotencyKey = ""
	s := policy.RequestSubject(g.Registry, r)
	s.Irreversible = p.Undo == nil
	return s
}

// undoSubject is what the policy decides on for a rollback. It is an undo whatever its verb is,
// since that of a release takes again what was released.
func (g *Gate) undoSubject(a Action) policy.Subject {
	s := policy.RequestSubject(g.Registry, a.undoRequest(protocol.Execute))
	s.Undo, s.Undoes = true, append(s.Undoes, a.Plan.Action)
	return s
}

// intact refuses an action whose row is not as the log left it, or can't be read.
func intact(a Action) policy.Denial {
	var reasons policy.Denial
	if a.Altered != "" {
		reasons = against("journal", "%s; journal --verify tells more", a.Altered)
	}
	for _, column := range []string{"target", "parameters", "undo", "observed", "selected"} {
		if text, ok := a.Unreadable[column]; ok {
			reasons = append(
				reasons,
				against("journal", "its %s can't be read: %s", column, protocol.Quote(text))...)
		}
	}
	return reasons
}

// Failures reports whether anything was let through and did not succeed, and whether anything was
// not let through.
func Failures(outcomes []Outcome) (failed, refused bool) {
	for _, o := range outcomes {
		failed = failed || o.Verdict == Unsuccessful
		refused = refused || o.Verdict == Refused
	}
	return failed, refused
}

// Refusal is the error of an operation that the gate refused as a whole.
type Refusal struct {
	// What was refused; empty where the reasons say it.
	What    string
	Reasons []string
}

// Error names every reason, a line each.
func (r *Refusal) Error() string {
	reasons := strings.Join(r.Reasons, "\n")
	if r.What == "" {
		return reasons
	}
	return r.What + " refused:\n" + reasons
}

// IsRefusal tells a refusal from a failure.
func IsRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}
