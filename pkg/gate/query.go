package gate

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/wildcard"
)

// Query selects actions, in the order of their ids. Of each list one must fit, and an empty one
// asks for nothing.
type Query struct {
	Statuses []Status
	// Actions are verbs, Keys idempotency keys in which * and ? stand for any text and any
	// character.
	Actions, Keys []string
	// Only are idempotency keys as they are: of no other action anything is looked at.
	Only []string
	// Targets are ids or addresses: an action fits that has one among the values of its target.
	Targets []string
	// Selection is the digest of a selection: an action fits that is one of its.
	Selection string
	// Since is the earliest time of the last change.
	Since time.Time
	// After is the id to begin behind.
	After int64
	// Newest turns the order round; After is then the id to end before.
	Newest bool
	// Limit is the most to return; 0 is all.
	Limit int
	// Checked holds each against the log and sets Altered, as Get does. An action that only the log
	// tells of then comes too, behind the others, with nothing but its ID and Altered; no filter
	// but Only leaves it out.
	Checked bool
}

// Filters reports whether the query asks for anything of an action but its place.
func (q Query) Filters() bool {
	return len(q.Statuses)+len(q.Actions)+len(q.Keys)+len(q.Only)+len(q.Targets) > 0 ||
		q.Selection != "" || !q.Since.IsZero()
}

// Matches reports whether an action is one that the filters ask for.
func (q Query) Matches(a Action) bool {
	return (len(q.Statuses) == 0 || slices.Contains(q.Statuses, a.Status)) &&
		(len(q.Actions) == 0 || slices.Contains(q.Actions, a.Plan.Action)) &&
		(len(q.Only) == 0 || slices.Contains(q.Only, a.IdempotencyKey)) &&
		matchesKey(q.Keys, a.IdempotencyKey) &&
		(len(q.Targets) == 0 || slices.ContainsFunc(q.Targets, a.isAimedAt)) &&
		(q.Selection == "" || a.Selected != nil && a.Selected.Digest == q.Selection) &&
		!a.UpdatedAt.Before(q.Since)
}

// matchesKey reports whether a key is one that patterns ask for.
func matchesKey(patterns []string, key string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		return wildcard.Plain.Match(p, key)
	})
}

// isAimedAt reports whether an id or an address is among the values of the target.
func (a Action) isAimedAt(what string) bool {
	for _, value := range a.Target {
		if value == what || sameNetwork(value, what) {
			return true
		}
	}
	return false
}

// sameNetwork reports whether two texts are one address or network. An address is the network that
// holds it alone.
func sameNetwork(x, y string) bool {
	p, ok := network(x)
	q, also := network(y)
	return ok && also && p == q
}

func network(text string) (netip.Prefix, bool) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		return netip.PrefixFrom(addr, addr.BitLen()), err == nil
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}

// EventQuery selects events, in their order.
type EventQuery struct {
	ActionID int64
	// NoAction asks for events of no action.
	NoAction bool
	Kind     EventKind
	// Kinds and Keys are as in a Query: of each one must fit, and an empty one asks for nothing.
	Kinds []EventKind
	Keys  []string
	// Since is the earliest time.
	Since time.Time
	// After is the event to begin behind.
	After int64
	// Newest turns the order round.
	Newest bool
	Limit  int
}

// Matches reports whether an event is one that Kinds, Keys and Since ask for.
func (q EventQuery) Matches(e Event) bool {
	return (len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) &&
		matchesKey(q.Keys, e.Key) && !e.At.Before(q.Since)
}
