package journal

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// TestWhatASelectionBrings: the event before a row is written with it or not at all, the row keeps
// which selection it is one of, and a change of that is found.
func TestWhatASelectionBrings(t *testing.T) {
	j := open(t, newPath(t))
	add(t, j, "batch/other")
	mine := &gate.Selected{Digest: "sha256:1", Node: "n1"}
	selected := gate.Event{
		At:   start,
		Kind: gate.EventSelected,
		Key:  "batch",
		Data: map[string]any{"x": "y"},
	}
	change := gate.Change{
		Action: gate.Action{
			Plan:   gate.Plan{IdempotencyKey: "batch/i-1", Action: "a", Selected: mine},
			Status: gate.Pending,
		},
		Before: []gate.Event{selected}, Event: event(gate.EventImported),
	}
	made := apply(t, j, change)[0]
	if _, err := j.Apply(t.Context(), change); !errors.Is(err, gate.ErrChanged) {
		t.Errorf("the key again: %v", err)
	}
	ofAction := selected
	ofAction.ActionID = made.ID
	if err := j.Note(t.Context(), ofAction); err != nil {
		t.Fatal(err)
	}
	q := gate.EventQuery{NoAction: true, Kind: gate.EventSelected, Keys: []string{"batch"}}
	events, err := j.Events(t.Context(), q)
	if err != nil || len(events) != 1 || events[0].ActionID != 0 || events[0].Data["x"] != "y" {
		t.Errorf("%+v, %v", events, err)
	}
	q.Keys = []string{"batc"}
	if events, err := j.Events(t.Context(), q); err != nil || len(events) != 0 {
		t.Errorf("of another key: %+v, %v", events, err)
	}
	keepsSelection(t, j, made.ID, mine)
}

// keepsSelection holds that a row keeps its selection, and that a change of it is found.
func keepsSelection(t *testing.T, j *Journal, id int64, mine *gate.Selected) {
	t.Helper()
	found, err := j.List(t.Context(), gate.Query{Selection: "sha256:1", Checked: true})
	if err != nil || len(found) != 1 || found[0].ID != id || found[0].Altered != "" {
		t.Fatal(found, err)
	}
	if d := cmp.Diff(mine, found[0].Selected); d != "" {
		t.Error(d)
	}
	if err := tamper(j, "UPDATE actionctl_states SET selected = ''"); err != nil {
		t.Fatal(err)
	}
	if a, err := j.Get(t.Context(), id); err != nil || a.Altered == "" {
		t.Errorf("%+v, %v", a, err)
	}
}
