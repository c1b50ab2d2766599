package protocol

import (
	"fmt"
	"maps"
)

// FailureClass says why a request failed, in a form that programs may branch on.
type FailureClass string

// The failure classes.
const (
	InvalidRequest FailureClass = "invalid-request"
	Denied         FailureClass = "denied"
	Configuration  FailureClass = "configuration"
	Authentication FailureClass = "authentication"
	Authorization  FailureClass = "authorization"
	NotFound       FailureClass = "not-found"
	Conflict       FailureClass = "conflict"
	Drift          FailureClass = "drift"
	LimitExceeded  FailureClass = "limit-exceeded"
	Throttled      FailureClass = "throttled"
	Unavailable    FailureClass = "unavailable"
	Timeout        FailureClass = "timeout"
	Unverified     FailureClass = "unverified"
	Ambiguous      FailureClass = "ambiguous"
	SelfFence      FailureClass = "self-fence"
	StateStore     FailureClass = "state-store"
	CommandFailed  FailureClass = "command-failed"
	Internal       FailureClass = "internal"
)

// FailureClassDoc is a failure class and when it is used.
type FailureClassDoc struct {
	Class FailureClass
	Doc   string
	// Retryable is what retryable says unless the failure knows better.
	Retryable bool
}

// FailureClasses lists every class, in the contract's order.
func FailureClasses() []FailureClassDoc {
	return []FailureClassDoc{
		{InvalidRequest, "the request, or what it names, can't be right", false},
		{Denied, "the executor's own policy says no, or the lease of the assignment has ended", false},
		{
			Configuration,
			"the executor's own environment is wrong, or its identity is of another account than the " +
				"action to undo; nothing was changed",
			false,
		},
		{
			Authentication,
			"no credentials, expired, or unknown to the provider; retryable where their source was only " +
				"out of reach",
			false,
		},
		{Authorization, "the provider refused the identity this call", false},
		{
			NotFound,
			"the target does not exist, read twice some time apart: the provider shows new things late",
			true,
		},
		{
			Conflict,
			"held by another, the expected holder differs, the key is in use for another request, " +
				"facts contradict what is recorded, or another process is at work (then retryable)",
			false,
		},
		{Drift, "an undo found neither the state the action left nor the state before it", false},
		{LimitExceeded,
			"a provider quota; or the result would be larger than a core reads, and nothing was changed",
			false},
		{Throttled, "the provider throttled the calls until the deadline", true},
		{Unavailable, "the provider could not be reached or failed until the deadline", true},
		{Timeout, "the deadline passed", true},
		{Unverified, "the provider took the change and the state, read back, does not show it", true},
		{Ambiguous, "whether the change was made could not be found out", true},
		{SelfFence, "the target is the machine this runs on", false},
		{StateStore, "prior facts could not be kept: nothing was changed", false},
		{CommandFailed, "a command was run and did not succeed; it is not run again under its key",
			false},
		{Internal, "a bug", false},
	}
}

// Failure is the one error that reaches the wire. Anything else is Internal.
type Failure struct {
	Class FailureClass
	// Message is one line for the person who has to act: what was asked, what
	// is so now, what to do.
	Message string
	// Retryable overrides the class's own answer.
	Retryable *bool
	// Facts are added to the result's observed.
	Facts map[string]string
}

// Refuse makes a failure of a class with a message as fmt.Sprintf makes it.
func Refuse(class FailureClass, format string, args ...any) *Failure {
	return &Failure{Class: class, Message: fmt.Sprintf(format, args...)}
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// With returns a copy of the failure that carries one more fact.
func (f *Failure) With(fact, value string) *Failure {
	c := *f
	c.Facts = maps.Clone(f.Facts)
	if c.Facts == nil {
		c.Facts = map[string]string{}
	}
	c.Facts[fact] = value
	return &c
}

// MayRetry reports whether the same request may succeed later as it is.
func (f *Failure) MayRetry() bool {
	if f.Retryable != nil {
		return *f.Retryable
	}
	for _, d := range FailureClasses() {
		if d.Class == f.Class {
			return d.Retryable
		}
	}
	return false
}
