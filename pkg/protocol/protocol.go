// Package protocol is the wire between a core and an action executor: one
// ExecuteActionRequest in, one ExecuteActionResult out, both JSON.
//
// It guarantees that a request which Decode accepts is one unambiguous
// document (no duplicate keys, no second document, valid UTF-8, bounded in size
// and depth), and that Encode gives the same bytes for the same result.
// The names and values here are the contract and change only with APIVersion.
// The package imports nothing of this module, so a core in Go may import it.
package protocol

import "time"

// The document types of the wire.
const (
	APIVersion  = "provideraction.routerd.net/v1alpha1"
	RequestKind = "ExecuteActionRequest"
	ResultKind  = "ExecuteActionResult"
)

// The bounds of the wire.
const (
	// MaxRequestBytes is the largest request that is read.
	MaxRequestBytes = 1 << 20
	// MaxRequestDepth is how deep objects and arrays may nest in a request.
	MaxRequestDepth = 64
	// MaxResultBytes is how much of a result a core reads.
	MaxResultBytes = 4 << 20
	// MaxLogBytes is how much a core bears on standard error before it calls
	// the answer a protocol failure.
	MaxLogBytes = 64 << 10
)

// UndoKeySuffix joins an action's idempotency key to make its undo's key.
const UndoKeySuffix = ":undo"

// Mode is what a request may do.
type Mode string

// The modes.
const (
	DryRun  Mode = "dry-run"
	Execute Mode = "execute"
)

// Request is an ExecuteActionRequest whose envelope was found right by Decode.
type Request struct {
	// Action is the verb.
	Action string
	// Provider names the cloud, ProviderRef the core's own name for the account.
	Provider, ProviderRef string
	// Target says what is acted on, Parameters how. Neither is nil.
	Target, Parameters map[string]string
	Mode               Mode
	// IdempotencyKey is the same for every attempt at one action.
	IdempotencyKey string
	// Approvals are those that the request carries in its context. Only a policy asks for them.
	Approvals Approvals
	// Ignored names the fields of the document that nothing reads, sorted.
	Ignored []string
	// Traceparent is the caller's trace, as the context has it; it may be malformed. It is no part of
	// what is asked.
	Traceparent string
	// Deadline, if it is not zero, is when the caller gives up, as the context has it: nothing is
	// begun after it. It is no part of what is asked either.
	Deadline time.Time
	// TargetAccount, if it is not empty, is the account that the caller knows the target to be of, as
	// the context has it. It only refuses, and is no part of what is asked.
	TargetAccount string
}

// State is the outcome of a request.
type State string

// The outcomes.
const (
	// Succeeded is said only of what was read back from the provider.
	Succeeded State = "succeeded"
	// Failed says what is so now as far as it is known.
	Failed State = "failed"
	// Skipped is said only where an undo finds nothing it may restore.
	Skipped State = "skipped"
)

// Result is an ExecuteActionResult.
type Result struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     Status `json:"status"`
}

// Status is what a Result says.
type Status struct {
	Status State `json:"status"`
	// Message is one line on what was done, or would be; else the same as Error.
	Message string `json:"message,omitempty"`
	// Error is one line that a person can act on; empty with Succeeded.
	Error string `json:"error,omitempty"`
	// Observed holds facts, never a secret.
	Observed map[string]string `json:"observed,omitempty"`
	// UndoAvailable says that the undo verb, sent with Observed as its
	// parameters, can be answered.
	UndoAvailable bool `json:"undoAvailable,omitempty"`
}

// Say makes a status that says one line. What is no success has it as its error too: of the two
// texts, some callers print the one and some the other.
func Say(state State, line string) Status {
	s := Status{Status: state, Message: line}
	if state != Succeeded {
		s.Error = line
	}
	return s
}

// Lines are the texts of a status without repetition: the message and the error, the one of them
// empty if both say the same. What failed has an error, even if only its message says why.
func (s Status) Lines() (message, failure string) {
	switch {
	case s.Status == Failed && (s.Error == "" || s.Error == s.Message):
		return "", s.Message
	case s.Error == s.Message:
		return s.Message, ""
	}
	return s.Message, s.Error
}

// NewResult puts a status in its envelope.
func NewResult(s Status) Result {
	return Result{APIVersion: APIVersion, Kind: ResultKind, Status: s}
}
