package journal

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// various is a journal with actions of many kinds.
func various(t *testing.T) (*Journal, []gate.Action) {
	t.Helper()
	j := open(t, newPath(t))
	keys := []string{"a", "a/b", "a/bc", "a0", "A/b", "ä/b", "a\x7f", "a%b", "a_b", `a\*`, "b", "~~"}
	targets := []map[string]string{
		{"nicRef": "eni-1", "address": "10.0.0.9/32"}, {"nicRef": "eni-1", "address": "10.0.0.9"},
		{"nicRef": "eni-12", "address": "10.0.0.9/24"}, {"nicRef": "ENI-1", "address": "2001:db8::1"},
		{"nicRef": "eni_1", "address": "2001:DB8:0::1/128"}, {"nicRef": "eni%\"1"}, {},
	}
	verbs := []string{"assign-secondary-ip", "ensure-forwarding-enabled"}
	var all []gate.Action
	for i := range 72 {
		a := action(keys[i%len(keys)])
		if i >= len(keys) {
			a.IdempotencyKey += fmt.Sprint("/", i)
		}
		a.Status, a.Plan.Action = gate.Statuses()[i%5], verbs[i%2]
		a.Target = targets[i%len(targets)]
		e := event(gate.EventImported)
		e.At = start.Add(time.Duration(i) * time.Minute)
		all = append(all, apply(t, j, gate.Change{Action: a, Event: e})[0])
	}
	return j, all
}

// fitting are the actions that a query asks for, by what it says itself.
func fitting(all []gate.Action, q gate.Query) (ids []int64) {
	all = slices.Clone(all)
	if q.Newest {
		slices.Reverse(all)
	}
	for _, a := range all {
		beyond := q.After == 0 || a.ID > q.After && !q.Newest || a.ID < q.After && q.Newest
		if beyond && q.Matches(a) && (q.Limit == 0 || len(ids) < q.Limit) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// TestSQLFindsWhatAQueryAsksFor, however much of it SQL can tell.
func TestSQLFindsWhatAQueryAsksFor(t *testing.T) {
	j, all := various(t)
	several := []gate.Status{gate.Pending, gate.Failed, gate.Running}
	var filters []gate.Query
	for _, key := range []string{"a", "a*", "a/b*", "*b", "a?b", "ä*", "a\x7f*", "a%*", "a_*", `a\*`,
		"~*", "", "*", "\xff", "zz*"} {
		filters = append(filters, gate.Query{Keys: []string{key}})
	}
	for _, target := range []string{"eni-1", "10.0.0.9", "10.0.0.9/32", "10.0.0.9/24", "2001:db8::1",
		"2001:db8::1/128", "eni_1", "eni%\"1", "ENI-1", "", "%"} {
		filters = append(filters, gate.Query{Targets: []string{target}})
	}
	filters = append(filters,
		gate.Query{}, gate.Query{Keys: []string{"a", "b*"}},
		gate.Query{Only: []string{"a", "nothing", "b"}},
		gate.Query{Targets: []string{"eni-12", "2001:db8::1"}}, gate.Query{Actions: []string{"none"}},
		gate.Query{Actions: []string{"assign-secondary-ip"}, Targets: []string{"eni-1"}},
		gate.Query{Since: start.Add(30 * time.Minute)}, gate.Query{Since: start.Add(time.Hour)},
	)
	for _, q := range filters {
		for _, q.Statuses = range [][]gate.Status{nil, several[:1], several} {
			for _, q.Limit = range []int{0, 1, 3, 100} {
				for _, q.After = range []int64{0, 7, 71} {
					for _, q.Newest = range []bool{false, true} {
						checkQuery(t, j, all, q)
					}
				}
			}
		}
	}
}

func checkQuery(t *testing.T, j *Journal, all []gate.Action, q gate.Query) {
	t.Helper()
	found, err := j.List(context.Background(), q)
	var got []int64
	for _, a := range found {
		got = append(got, a.ID)
	}
	if d := cmp.Diff(fitting(all, q), got); d != "" || err != nil {
		t.Errorf("%+v: %s %v", q, d, err)
	}
}

// TestOnlyTheKeysThatAreAskedForAreHeldAgainstTheLog.
func TestOnlyTheKeysThatAreAskedForAreHeldAgainstTheLog(t *testing.T) {
	j, _ := various(t)
	if err := tamper(j, "DELETE FROM action_executions WHERE id = 3;"+
		"UPDATE action_executions SET risk_level = 'none' WHERE id < 3"); err != nil {
		t.Fatal(err)
	}
	q := gate.Query{Checked: true, Only: []string{"a", "b"}}
	found, err := j.List(context.Background(), q)
	if err != nil || len(found) != 2 || found[0].Altered == "" || found[1].Altered != "" {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestWhatIsAskedForMayLieFarBehind: as many are found as are asked for, however many others that
// SQL can't tell from them come before, and none twice.
func TestWhatIsAskedForMayLieFarBehind(t *testing.T) {
	j := open(t, newPath(t))
	var changes []gate.Change
	for i := range 2*leastPage + 30 {
		key, kind := fmt.Sprint("other/", i), gate.EventImported
		if i%leastPage > 90 {
			key, kind = fmt.Sprint("wanted/", i), gate.EventAdopted
		}
		changes = append(changes, gate.Change{Action: action(key), Event: event(kind)})
	}
	all := apply(t, j, changes...)
	events, err := j.Events(t.Context(), gate.EventQuery{})
	if err != nil || len(events) != len(all) {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for _, keys := range [][]string{nil, {"wanted/*", "none"}, {"none", "never"}} {
		for _, limit := range []int{0, 1, 9, 10, 18, 101} {
			for _, after := range []int64{0, 95} {
				for _, newest := range []bool{false, true} {
					checkQuery(t, j, all, gate.Query{Keys: keys, Limit: limit, After: after, Newest: newest})
					checkEvents(t, j, events,
						gate.EventQuery{Keys: keys, Limit: limit, After: after, Newest: newest})
				}
			}
		}
	}
	checkEvents(t, j, events, gate.EventQuery{Kind: gate.EventAdopted, Limit: 12})
	checkEvents(t, j, events,
		gate.EventQuery{Kinds: []gate.EventKind{gate.EventAdopted, gate.EventDenied}, Keys: []string{
			"wanted/1*", "wanted/2*"}, Limit: 3, Newest: true})
}

func checkEvents(t *testing.T, j *Journal, all []gate.Event, q gate.EventQuery) {
	t.Helper()
	var got []int64
	found, err := j.Events(t.Context(), q)
	for _, e := range found {
		got = append(got, e.Seq)
	}
	if d := cmp.Diff(fittingEvents(all, q), got); d != "" || err != nil {
		t.Errorf("%+v: %s %v", q, d, err)
	}
}

// fittingEvents are the events that a query asks for, by what it says itself.
func fittingEvents(all []gate.Event, q gate.EventQuery) (numbers []int64) {
	all = slices.Clone(all)
	if q.Newest {
		slices.Reverse(all)
	}
	for _, e := range all {
		beyond := q.After == 0 || e.Seq > q.After && !q.Newest || e.Seq < q.After && q.Newest
		fits := q.Matches(e) && (q.Kind == "" || e.Kind == q.Kind)
		if beyond && fits && (q.Limit == 0 || len(numbers) < q.Limit) {
			numbers = append(numbers, e.Seq)
		}
	}
	return numbers
}
