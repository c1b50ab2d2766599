package nodes

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// State is what a node's cloud says of it, in EC2's words.
type State string

const (
	// StateUnknown is the state of a node of which nobody has said one.
	StateUnknown State = "unknown"
	// StatePending is that of a node that starts.
	StatePending State = "pending"
	// StateRunning is that of a node that runs.
	StateRunning State = "running"
	// StateShuttingDown is that of a node on its way to be terminated.
	StateShuttingDown State = "shutting-down"
	// StateStopping is that of a node on its way to be stopped.
	StateStopping State = "stopping"
	// StateStopped is that of a node that can be started again.
	StateStopped State = "stopped"
	// StateTerminated is final.
	StateTerminated State = "terminated"
	// StateMissing is that of a node that ought to have reported and did not.
	StateMissing State = "missing"
)

// States are all states, in a fixed order.
func States() []State {
	return []State{
		StateUnknown, StatePending, StateRunning, StateShuttingDown, StateStopping, StateStopped,
		StateTerminated, StateMissing,
	}
}

// Alive reports whether a node in this state can still run.
func (s State) Alive() bool {
	switch s {
	case StatePending, StateRunning, StateStopping, StateStopped:
		return true
	}
	return false
}

// Status says if a node answers.
type Status string

const (
	// StatusUnknown is that of a node that nobody has tried to reach since it runs.
	StatusUnknown Status = "unknown"
	// StatusReachable is that of a node that answered.
	StatusReachable Status = "reachable"
	// StatusUnreachable is that of a node that did not answer, or does not run.
	StatusUnreachable Status = "unreachable"
)

// Statuses are all of them, in a fixed order.
func Statuses() []Status { return []Status{StatusUnknown, StatusReachable, StatusUnreachable} }

// Evidence is who said something of a node, and when.
type Evidence struct {
	Kind EvidenceKind `json:"kind,omitempty"`
	// By names it: a manager's id, a report's id, a person.
	By string `json:"by,omitempty"`
	// At is when it was so, not when it was told to us.
	At time.Time `json:"at,omitzero"`
	// Inferred is set where nobody said it: it follows from what was not there.
	Inferred bool `json:"inferred,omitempty"`
	// Note says more, for people.
	Note string `json:"note,omitempty"`
}

// EvidenceKind is the kind of it.
type EvidenceKind string

const (
	// ByScan is a complete scan that showed the node.
	ByScan EvidenceKind = "scan"
	// ByAbsence is an answer by id that there is no such node, after two complete scans without it.
	ByAbsence EvidenceKind = "absence"
	// ByEvent is a change of state that the cloud told.
	ByEvent EvidenceKind = "event"
	// ByReport is a report of the node.
	ByReport EvidenceKind = "report"
	// ByProbe is a try to reach it.
	ByProbe EvidenceKind = "probe"
	// ByCommand is a person's word.
	ByCommand EvidenceKind = "command"
	// ByDeletion is the deletion of the node's manager.
	ByDeletion EvidenceKind = "manager-deleted"
	// ByState is a status that follows from the state.
	ByState EvidenceKind = "state"
	// ByMerge is the merge of two nodes that turned out to be one.
	ByMerge EvidenceKind = "merge"
	// ByRevival is a revival that was asked for.
	ByRevival EvidenceKind = "revival"
)

// ranks order what was said for the same time: what comes later in the list holds.
var ranks = []EvidenceKind{
	ByState, ByMerge, ByReport, ByProbe, ByScan, ByEvent, ByAbsence, ByDeletion, ByCommand, ByRevival,
}

// outranks reports whether state s with evidence e holds over state old with evidence of: it is
// newer, or as new and of more weight. The order is total, so that arrival does not decide.
func outranks(s State, e Evidence, old State, of Evidence) bool {
	if c := e.At.Compare(of.At); c != 0 {
		return c > 0
	}
	return cmp.Or(
		cmp.Compare(slices.Index(ranks, e.Kind), slices.Index(ranks, of.Kind)),
		cmp.Compare(slices.Index(States(), s), slices.Index(States(), old)),
		strings.Compare(e.By, of.By),
	) > 0
}

// Change is one entry of a node's history.
type Change struct {
	NodeID string `json:"nodeId"`
	// At is when it was so, as the evidence has it, and RecordedAt when the store learnt of it.
	At         time.Time `json:"at"`
	RecordedAt time.Time `json:"recordedAt,omitzero"`
	// Field is state, status, name, managers, tag:KEY, added or merged.
	Field    string   `json:"field"`
	From     string   `json:"from"`
	To       string   `json:"to"`
	Evidence Evidence `json:"evidence"`
}

// setState takes a state over where its evidence is newer, and has the status follow. It is the one
// place where Terminated is final.
func (n *Node) setState(s State, e Evidence) []Change {
	switch {
	case s == "" || s == StateUnknown || n.State == StateTerminated:
		return nil
	case s != StateTerminated && n.State != StateUnknown && !outranks(s, e, n.State, n.Said):
		return nil
	}
	return n.takeState(s, e)
}

// takeState sets the state without asking if it may.
func (n *Node) takeState(s State, e Evidence) []Change {
	was := n.State
	n.State, n.Said, n.CloudState = s, e, ""
	if was == s {
		return nil
	}
	n.StateSince = e.At
	changes := []Change{n.change("state", string(was), string(s), e)}
	follows := Evidence{Kind: ByState, At: e.At}
	if s == StateRunning {
		return append(changes, n.takeStatus(StatusUnknown, follows, "")...)
	}
	return append(changes, n.takeStatus(StatusUnreachable, follows, "the node is "+string(s))...)
}

// setStatus takes a status over where its evidence is newer than what is known. A node that does
// not run is not reachable: a probe that says so was of another time.
func (n *Node) setStatus(s Status, e Evidence, why string) []Change {
	if e.At.Before(n.StatusSaid.At) || n.State != StateRunning && n.State != StateUnknown {
		return nil
	}
	return n.takeStatus(s, e, why)
}

func (n *Node) takeStatus(s Status, e Evidence, why string) []Change {
	was := n.Status
	n.Status, n.StatusSaid, n.ConnectionError = s, e, why
	if was == s {
		return nil
	}
	return []Change{n.change("status", string(was), string(s), e)}
}

func (n *Node) change(field, from, to string, e Evidence) Change {
	return Change{NodeID: n.ID, At: e.At, Field: field, From: from, To: to, Evidence: e}
}
