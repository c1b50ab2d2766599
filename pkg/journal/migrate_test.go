package journal

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// backToVersion1 makes a journal what version 1 made of one whose rows bear no mark.
//
//go:embed testdata/version1.sql
var backToVersion1 string

// version1 is a journal of version 1, with an action in each state; one was changed behind the log's back.
func version1(t *testing.T) (path string) {
	t.Helper()
	path = newPath(t)
	j := open(t, path)
	for _, x := range []struct {
		key    string
		status gate.Status
		facts  map[string]string
	}{
		{"pending", gate.Pending, nil}, {"succeeded", gate.Succeeded, nil}, {"rolled back", gate.RolledBack, map[string]string{"changed": "true"}},
		{"conflict", gate.Failed, map[string]string{"failureClass": "conflict"}}, {"changed", gate.Failed, map[string]string{"failureClass": "conflict", "changed": "true"}},
		{"ambiguous", gate.Failed, map[string]string{"failureClass": "ambiguous"}}, {"lost", gate.Failed, nil}, {"running", gate.Running, nil}, {"altered", gate.Succeeded, nil},
	} {
		a := add(t, j, x.key)
		a.Status, a.Observed = x.status, x.facts
		apply(t, j, gate.Change{Action: a, Event: event(gate.EventResult)})
	}
	if _, err := j.db.Exec("UPDATE action_executions SET risk_level = 'none' WHERE idempotency_key = 'altered';" + backToVersion1); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	return path
}

func marked(t *testing.T, j *Journal) (keys []string) {
	t.Helper()
	all, err := j.List(context.Background(), gate.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.MayHaveChanged {
			keys = append(keys, a.IdempotencyKey)
		}
	}
	return keys
}

func TestAJournalOfVersion1IsBroughtToThisOne(t *testing.T) {
	path := version1(t)
	for range 2 {
		j := open(t, path)
		if d := cmp.Diff([]string{"succeeded", "changed", "ambiguous", "lost", "running"}, marked(t, j)); d != "" {
			t.Error(d)
		}
		if f := faults(t, j); len(f) != 1 || !strings.HasPrefix(f[0], `action 9 ("altered") is not as event`) {
			t.Error(f)
		}
		events, err := j.Events(context.Background(), gate.EventQuery{Kind: gate.EventMigrated})
		if err != nil || len(events) != 5 {
			t.Errorf("%d events, %v", len(events), err)
		}
		_ = j.Close()
	}
}

// TestAJournalOfVersion1IsReadByWhoMayNotWriteIt, as it is.
func TestAJournalOfVersion1IsReadByWhoMayNotWriteIt(t *testing.T) {
	path := version1(t)
	f, err := look(path)
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{path: path, idColumn: "id"}
	if err := j.connectReading(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.checkVersion(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := marked(t, j); !slices.Equal(got, []string{"succeeded", "changed", "ambiguous", "lost", "running", "altered"}) || !j.ReadOnly() {
		t.Error(got)
	}
	if f := faults(t, j); len(f) != 1 {
		t.Error(f)
	}
}
