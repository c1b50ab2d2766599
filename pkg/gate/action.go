package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aws-provider-executor/pkg/protocol"
)

// Status is how far an action has come.
type Status string

// The states, under the core's names where it has one.
const (
	Pending    Status = "pending"
	Approved   Status = "approved"
	Running    Status = "running"
	Succeeded  Status = "succeeded"
	Failed     Status = "failed"
	Skipped    Status = "skipped"
	RolledBack Status = "rolledBack"
	// Rejected is the gate's own: no core takes it for one to be run.
	Rejected Status = "rejected"
)

// Statuses lists the states, in their order.
func Statuses() []Status {
	return []Status{Pending, Approved, Running, Succeeded, Failed, Skipped, RolledBack, Rejected}
}

// Plan is what a planner proposes.
type Plan struct {
	Name, Description, RiskLevel string
	// Mode is the planner's wish, kept and not obeyed: execute is only ever said to the gate.
	Mode                          string
	Provider, ProviderRef, Action string
	Target, Parameters            map[string]string
	IdempotencyKey                string
	// Undo is nil for an action that nothing can undo.
	Undo *Undo
	// Selected is nil for a plan that is not one of a selection's.
	Selected *Selected
	// Lines are those of the plan and of its values; a value that has none is on the line of what is
	// around it. Nil where the plan was not read from a document.
	Lines []LineOf
}

// Undo is how an action is undone.
type Undo struct {
	Action     string            `json:"action"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Digest is that of exactly what runs, of how it is undone, and of the selection that it is one of;
// an approval is bound to it. It is SHA-256 over JSON as encoding/json writes it, with sorted keys.
func (p Plan) Digest() string {
	b := make([]byte, 0, 512)
	b = appendText(append(b, `{"action":`...), p.Action)
	b = appendText(append(b, `,"idempotencyKey":`...), p.IdempotencyKey)
	b = appendTexts(append(b, `,"parameters":`...), p.Parameters)
	b = appendText(append(b, `,"provider":`...), p.Provider)
	b = appendText(append(b, `,"providerRef":`...), p.ProviderRef)
	b = appendTexts(append(b, `,"target":`...), p.Target)
	if p.Undo != nil {
		b = appendText(append(b, `,"undo":{"action":`...), p.Undo.Action)
		b = appendTexts(append(b, `,"parameters":`...), p.Undo.Parameters)
		b = append(b, '}')
	}
	if s := p.Selected; s != nil {
		b = appendText(append(b, `,"selected":{"digest":`...), s.Digest)
		b = append(appendText(append(b, `,"node":`...), s.Node), '}')
	}
	sum := sha256.Sum256(append(b, '}'))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// appendText appends a text as JSON.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || strings.IndexByte(`"\<>&`, c) >= 0 {
			// A text has no value that JSON lacks.
			text, _ := json.Marshal(s)
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendTexts appends a map as JSON; absent and empty are the same.
func appendTexts(b []byte, m map[string]string) []byte {
	var few [16]string
	keys := few[:0]
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(appendText(b, key), ':'), m[key])
	}
	return append(b, '}')
}

// full makes absent and empty the same.
func full(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// Request is the plan on the wire.
func (p Plan) Request(mode protocol.Mode) protocol.Request {
	return protocol.Request{
		Action: p.Action, Provider: p.Provider, ProviderRef: p.ProviderRef,
		Target: full(p.Target), Parameters: full(p.Parameters),
		Mode: mode, IdempotencyKey: p.IdempotencyKey,
	}
}

// Action is one action in the journal.
type Action struct {
	ID     int64
	Source string
	Plan
	Status        Status
	ApprovedBy    string
	ApprovedAt    time.Time
	ExecutedAt    time.Time
	ResultMessage string
	Error         string
	// Observed are the executor's facts: those of the last run, or while something may be changed
	// those of every run since nothing was.
	Observed             map[string]string
	CreatedAt, UpdatedAt time.Time

	// MayHaveChanged is set from when a run may have changed something until that is rolled back.
	MayHaveChanged bool
	// Imported is when it was imported or requeued last.
	Imported time.Time
	// Altered says how the row is not as the log left it; empty when it is.
	Altered string
	// Unreadable are values of another program that mean nothing here, by the names of a Row.
	Unreadable map[string]string
	// Revision counts the writes, for compare-and-set.
	Revision int64
	// Claim is who is at work on it, nil when nobody is.
	Claim *Claim
}

// Claim is one process's right to act on an action.
type Claim struct {
	// Purpose is what is being done.
	Purpose Purpose
	// By names the process, which is Process where that is known.
	By      string
	Process Process
	At      time.Time
	// Until is when the executor has ended, by the claimant's clock.
	Until time.Time
	// From is the status before.
	From Status
}

// Purpose is what a claim is for.
type Purpose string

// The purposes.
const (
	ToExecute  Purpose = "execute"
	ToRollBack Purpose = "rollback"
)

// undoRequest makes the request that undoes the action.
func (a Action) undoRequest(mode protocol.Mode) protocol.Request {
	return protocol.UndoOf(a.Request(mode), a.Undo.Action, a.Observed, a.Undo.Parameters)
}

// SeemsToHaveChanged is what a row tells that was written without the mark MayHaveChanged: whether
// it should bear it.
func (a Action) SeemsToHaveChanged() bool {
	switch a.Status {
	case Succeeded, Running:
		return true
	case Failed:
		// A failure without a class is one without a result.
		return a.Observed[protocol.FactChanged] == "true" ||
			uncertain(a.Observed[protocol.FactFailureClass]) ||
			a.Observed[protocol.FactFailureClass] == ""
	}
	return false
}

// uncertain tells the classes of failures after which something may be changed.
func uncertain(class string) bool {
	return slices.Contains(
		[]protocol.FailureClass{protocol.Ambiguous, protocol.Unverified, protocol.Internal,
			protocol.CommandFailed},
		protocol.FailureClass(class),
	)
}

// mayHaveChanged reports whether what had this result may have changed something.
func mayHaveChanged(r protocol.Result) bool {
	s := r.Status
	return s.Status == protocol.Succeeded || s.UndoAvailable ||
		s.Observed[protocol.FactChanged] == "true" ||
		s.Status == protocol.Failed && uncertain(s.Observed[protocol.FactFailureClass])
}

// learn takes a run's facts, and whether it may have changed something. Facts from when nothing was
// changed are those of a run that is over and done with; what is to be undone keeps its first prior
// facts.
func (a *Action) learn(facts map[string]string, changed bool) {
	facts = maps.Clone(facts)
	for _, name := range planFacts {
		delete(facts, name)
	}
	if a.MayHaveChanged {
		facts = merge(a.Observed, facts)
	}
	a.Observed, a.MayHaveChanged = facts, a.MayHaveChanged || changed
}

// planFacts tell a plan. They are in the log, and no facts to undo by.
var planFacts = []string{protocol.FactPlan, protocol.FactUndoPlan}

// failureFacts say why something failed; they go with the failure.
var failureFacts = []string{
	protocol.FactFailureClass, protocol.FactRetryable, protocol.FactAWSErrorCode,
	protocol.FactRequestID, protocol.FactPermissionHint,
}

// merge adds the facts of a later run: they win, but for prior facts, of which the first do.
func merge(before, later map[string]string) map[string]string {
	all := maps.Clone(full(before))
	maps.DeleteFunc(all, func(name, _ string) bool { return slices.Contains(failureFacts, name) })
	for name, value := range later {
		if _, known := all[name]; !known || !strings.HasPrefix(name, protocol.PriorPrefix) {
			all[name] = value
		}
	}
	return all
}
