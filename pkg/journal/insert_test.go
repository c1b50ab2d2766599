package journal

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// some are changes with new actions, of which one is changed further.
func some(n int, change func(int, *gate.Change)) []gate.Change {
	all := make([]gate.Change, n)
	for i := range all {
		all[i] = gate.Change{Action: action(fmt.Sprint("key-", n, "-", i)),
			Event: event(gate.EventImported)}
		all[i].Event.At = start.Add(time.Duration(i))
		if change != nil {
			change(i, &all[i])
		}
	}
	return all
}

// TestManyAreInsertedInTheirOrder: whatever number of them, and with what comes between them.
func TestManyAreInsertedInTheirOrder(t *testing.T) {
	j := open(t, newPath(t))
	there := add(t, j, "there")
	seq, id := int64(1), there.ID
	for n := range 3*insertSizes[0] + 2 {
		all := some(n, func(i int, c *gate.Change) {
			switch i % 11 {
			case 3:
				c.Before = []gate.Event{event(gate.EventSelected)}
			case 5:
				c.Approval = &policy.Approval{By: "bob", At: start, Digest: "d"}
				c.Event.Kind = gate.EventApproved
				c.Event.Data = map[string]any{"by": "bob", "digest": "d"}
				c.Event.At = start
			case 9:
				c.Action = there
				there.Revision++
			}
		})
		made := apply(t, j, all...)
		var ids []int64
		for range n {
			id++
			ids = append(ids, id)
		}
		for i, a := range made {
			if all[i].Action.ID != 0 {
				id--
				ids = slices.Insert(ids, i, there.ID)[:n]
			}
			if a.IdempotencyKey != all[i].Action.IdempotencyKey || a.ID != ids[i] {
				t.Fatalf("change %d of %d made action %d (%s)", i, n, a.ID, a.IdempotencyKey)
			}
		}
		seq = sameEvents(t, j, seq, all, made)
	}
	if found := faults(t, j); len(found) > 0 {
		t.Error(found)
	}
}

// sameEvents holds the events after one against the changes that they are of, and returns the last.
func sameEvents(
	t *testing.T, j *Journal, after int64, changes []gate.Change, made []gate.Action,
) int64 {
	t.Helper()
	events, err := j.Events(context.Background(), gate.EventQuery{After: after})
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range made {
		events = events[len(changes[i].Before):]
		e := events[0]
		events = events[1:]
		if e.ActionID != a.ID || e.Key != a.IdempotencyKey || !e.At.Equal(changes[i].Event.At) {
			t.Fatalf("event %d is of action %d (%s) at %s, want %d (%s) at %s", e.Seq, e.ActionID, e.Key,
				e.At, a.ID, a.IdempotencyKey, changes[i].Event.At)
		}
		after = e.Seq
	}
	if len(events) > 0 {
		t.Errorf("%d events more than changes", len(events))
	}
	return after
}

// TestNothingIsLeftOfAnInsertionThatFails: wherever the key that is there already comes.
func TestNothingIsLeftOfAnInsertionThatFails(t *testing.T) {
	j := open(t, newPath(t))
	add(t, j, "there")
	n := 2*insertSizes[0] + 2
	for at := range n {
		for _, key := range []string{"there", fmt.Sprint("key-", n, "-", (at+1)%n)} {
			_, err := j.Apply(context.Background(), some(n, func(i int, c *gate.Change) {
				if i == at {
					c.Action.IdempotencyKey = key
				}
			})...)
			if !errors.Is(err, gate.ErrChanged) {
				t.Fatalf("%s as number %d: %v", key, at, err)
			}
		}
	}
	all, err := j.List(context.Background(), gate.Query{Checked: true})
	if err != nil || len(all) != 1 {
		t.Errorf("%d actions, %v", len(all), err)
	}
	if found := faults(t, j); len(found) > 0 {
		t.Error(found)
	}
	if made := apply(t, j, some(n, nil)...); len(made) != n {
		t.Errorf("%d were made", len(made))
	}
}

// TestAQuickLookSaysWhatACloseOneSays of events, whole and changed in one value.
func TestAQuickLookSaysWhatACloseOneSays(t *testing.T) {
	base := stored{seq: 7, at: formatTime(start), kind: "imported", action: 3, key: "k", actor: "ann",
		prev: "aa"}
	for _, data := range []string{
		`{}`, `{"row":"12ab"}`, `{"row":""}`, `{"row":"\""}`, `{"row":["x"]}`, `{"row":1}`,
		`{"a":{"row":"12ab"}}`, `{"a":"b","row":"12ab","z":"c"}`, `{"row":"12ab"} `, ``, `{"a":1}`,
	} {
		s := base
		s.data = data
		s.hash, _ = s.sum()
		values := func(s stored) []any {
			return []any{s.seq, s.at, s.kind, s.action, s.key, s.actor, s.data, s.prev, s.hash}
		}
		for _, kind := range []string{"imported", "approved", "denied"} {
			s.kind = kind
			s.hash = s.quickSum()
			c := check(s)
			whole := c.err == nil && c.sum == s.hash
			switch got := checkQuickly(toDriver(values(s))); {
			case got == "":
			case !whole:
				t.Errorf("%s: %q, and a close look finds %v", data, got, c.err)
			case got == noRow && c.wrote, got != noRow && (got != c.row || !c.wrote):
				t.Errorf("%s: %q, and a close look finds %q, %v", data, got, c.row, c.wrote)
			}
		}
		for i := range eventLength {
			v := values(s)
			if text, is := v[i].(string); is {
				v[i] = text + "x"
			} else {
				v[i] = v[i].(int64) + 1
			}
			if got := checkQuickly(toDriver(v)); got != "" {
				t.Errorf("%s with another value %d: %q", data, i, got)
			}
			v[i] = nil
			if got := checkQuickly(toDriver(v)); got != otherKinds {
				t.Errorf("%s without value %d: %q", data, i, got)
			}
		}
	}
	s := base
	s.data = `{"a":"b","row":"12ab","z":"c"}`
	s.hash = s.quickSum()
	if got := checkQuickly(toDriver([]any{s.seq, s.at, s.kind, s.action, s.key, s.actor, s.data,
		s.prev, s.hash})); got != "12ab" {
		t.Errorf("%q", got)
	}
}

func toDriver(values []any) []sqldriver.Value {
	all := make([]sqldriver.Value, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// TestAnEventIsToldWithWhatItIs, though nothing is wrong with it but what comes before it.
func TestAnEventIsToldWithWhatItIs(t *testing.T) {
	j := open(t, newPath(t))
	for _, key := range []string{"first", "second"} {
		e := event(gate.EventImported)
		e.Data = nil
		apply(t, j, gate.Change{Action: action(key), Event: e})
	}
	if err := tamper(j, "DROP TRIGGER actionctl_events_are_not_deleted; "+
		"DELETE FROM actionctl_events WHERE seq = 1"); err != nil {
		t.Fatal(err)
	}
	const want = `event 2 (imported of "second" at `
	if found := strings.Join(faults(t, j), "\n"); !strings.Contains(found, want) {
		t.Errorf("%s\nlacks %s", found, want)
	}
}
