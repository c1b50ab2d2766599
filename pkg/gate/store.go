package gate

import (
	"context"
	"errors"
	"time"

	"aws-provider-executor/pkg/policy"
)

// Store keeps actions, approvals and the log of events. A write of it is whole or not there, and
// takes place only where nobody else has written in between.
type Store interface {
	// Get finds an action by its id, Find by its idempotency key; ErrNotFound when there is none. They
	// hold the action against the log, and set Altered.
	Get(ctx context.Context, id int64) (Action, error)
	Find(ctx context.Context, key string) (Action, error)
	// List looks into the log only where it is asked to.
	List(ctx context.Context, q Query) ([]Action, error)
	// History is the log of an action, from its last import or adoption on; ErrAltered when an event
	// is not as it was written.
	History(ctx context.Context, id int64) ([]Event, error)
	// Apply makes all of the changes, each with its event, or none; ErrChanged when the action has
	// another revision than the change was decided on, or a new one's key is there already; ErrAltered
	// when it is not as the log left it.
	Apply(ctx context.Context, changes ...Change) ([]Action, error)
	// ApplyEach is Apply of so many changes that they are not to be there at once. It asks for one
	// after the other, by its number from 0, and tells each action. Where it has to begin anew it asks
	// and tells again; what it told holds if it returns no error.
	ApplyEach(ctx context.Context, n int, change func(int) Change, made func(int, Action)) error
	// Note logs events that change no action.
	Note(ctx context.Context, events ...Event) error
	Events(ctx context.Context, q EventQuery) ([]Event, error)
	// Flush brings what was written into the journal's main file: the log beside it may be lost
	// alone.
	Flush(ctx context.Context) error
	// ID is the journal's own, empty where it has none.
	ID() string
	// ReadOnly tells a journal that another program owns, or that can't be written to.
	ReadOnly() bool
}

// What a store answers besides failures of its own.
var (
	ErrNotFound = errors.New("there is no such action in the journal")
	ErrChanged  = errors.New("the action was changed by someone else at the same time")
	ErrAltered  = errors.New("the journal was changed by something that is not the gate")
	ErrReadOnly = errors.New(
		"the journal is only read here: it belongs to another program, or may not be written by this " +
			"user, or the disk is full, or too many open files are in the way",
	)
)

// Change is one write: the action as it is to be, on the revision it has; a zero ID makes a new
// one.
type Change struct {
	Action Action
	// Approval, when not nil, is recorded with it.
	Approval *policy.Approval
	// Before are events of no action that are logged before it.
	Before []Event
	Event  Event
}

// Event is one entry of the log. Each carries the hash of the one before.
type Event struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// Kind is what happened.
	Kind EventKind `json:"kind"`
	// ActionID is 0 where there is no action.
	ActionID int64  `json:"actionId,omitempty"`
	Key      string `json:"idempotencyKey,omitempty"`
	// Actor is the person or program on whose behalf.
	Actor string `json:"actor,omitempty"`
	// Data holds strings, and lists and maps of them.
	Data map[string]any `json:"data,omitempty"`
	Prev string         `json:"prev"`
	Hash string         `json:"hash"`
}

// text is a text of the event's data, empty where there is none.
func (e Event) text(name string) string {
	s, _ := e.Data[name].(string)
	return s
}

// EventKind is what happened.
type EventKind string

// What is logged.
const (
	EventMigrated       EventKind = "migrated"
	EventImported       EventKind = "imported"
	EventAdopted        EventKind = "adopted"
	EventSelected       EventKind = "selected"
	EventSelectionSeen  EventKind = "selection-seen"
	EventRequeued       EventKind = "requeued"
	EventDenied         EventKind = "denied"
	EventApproved       EventKind = "approved"
	EventRejected       EventKind = "rejected"
	EventClaimed        EventKind = "claimed"
	EventTakenUp        EventKind = "taken-up"
	EventClaimSeen      EventKind = "claim-seen"
	EventClaimBroken    EventKind = "claim-broken"
	EventDryRun         EventKind = "dry-run"
	EventResult         EventKind = "result"
	EventNoResult       EventKind = "no-result"
	EventLateResult     EventKind = "late-result"
	EventRollbackClaim  EventKind = "rollback-claimed"
	EventRollbackDryRun EventKind = "rollback-dry-run"
	EventRolledBack     EventKind = "rolled-back"
	EventRollbackFailed EventKind = "rollback-failed"
	// EventLifecycle is a decision on a lifecycle event, which is of no action of its own.
	EventLifecycle EventKind = "lifecycle"
)

// EventKinds are all kinds of events.
func EventKinds() []EventKind {
	return []EventKind{
		EventMigrated, EventImported, EventAdopted, EventSelected, EventSelectionSeen, EventRequeued,
		EventDenied, EventApproved, EventRejected, EventClaimed, EventTakenUp, EventClaimSeen,
		EventClaimBroken, EventDryRun, EventResult, EventNoResult, EventLateResult,
		EventRollbackClaim, EventRollbackDryRun, EventRolledBack, EventRollbackFailed, EventLifecycle,
	}
}
