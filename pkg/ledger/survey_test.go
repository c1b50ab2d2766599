package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"

	"github.com/google/go-cmp/cmp"
)

// TestSurvey counts what there is, by action and by the state that matters most, and says what
// can't be read.
func TestSurvey(t *testing.T) {
	dir := t.TempDir()
	if s, err := open(t, dir, OSDisk{}).Survey(t.Context()); err != nil || len(s.Actions) > 0 ||
		s.Bytes+int64(s.Unreadable) > 0 || !s.OldestPending.IsZero() {
		t.Errorf("of nothing: %+v, %v", s, err)
	}
	now := time.Unix(1_700_000_000, 0).UTC()
	l, err := Open(background, dir, OSDisk{}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		key, action string
		at          int
		states      []history.State
		ends        int64
	}{
		{"a", "fence", 50, []history.State{history.Live, history.Live}, 0},
		{"b", "fence", 40, []history.State{history.Live, history.Pending}, 0},
		{"c", "fence", 30, []history.State{history.Withdrawn, history.Undoing}, 0},
		{"d", "assign", 20, []history.State{history.Withdrawn}, 0},
		{"e", "assign", 10, []history.State{history.Live}, 7},
	} {
		record := Record{Key: r.key, Action: r.action}
		for i, state := range r.states {
			e := Entry{Resource: "eni-" + r.key, Attribute: string(rune('a' + i))}
			e.State, e.Ends, e.Seq = state, r.ends, 1
			record.Entries = append(record.Entries, e)
		}
		now = time.Unix(1_700_000_000+int64(r.at), 0).UTC()
		if err := l.Put(background, record); err != nil {
			t.Fatal(err)
		}
	}
	keys := filepath.Join(dir, "keys")
	for _, file := range []string{"00000000000000000000000000000000.json", "stray", ".tmp-x.json"} {
		if err := os.WriteFile(filepath.Join(keys, file), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Survey{
		Actions: map[string]map[string]int{
			"fence":  {"live": 1, "pending": 1, "undoing": 1},
			"assign": {"withdrawn": 1, "released": 1},
		},
		Bytes: got.Bytes, Unreadable: 1, OldestPending: time.Unix(1_700_000_030, 0).UTC(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if size := sizeOf(t, keys); got.Bytes != size {
		t.Errorf("%d bytes, want %d", got.Bytes, size)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Survey(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// sizeOf is the size of all files of a directory with the names of records.
func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "[0-9a-f]*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// TestCountsOfALedger: a record that is new, one that is removed, and nothing for one that is
// written again.
func TestCountsOfALedger(t *testing.T) {
	l := open(t, t.TempDir(), OSDisk{})
	e := Entry{Resource: "eni-1", Attribute: "x"}
	e.State, e.Seq = history.Live, 1
	for range 2 {
		if err := l.Put(background, Record{Key: "k", Action: "a", Entries: []Entry{e}}); err != nil {
			t.Fatal(err)
		}
	}
	if created, removed := l.Counts(); created != 1 || removed != 0 {
		t.Errorf("%d, %d", created, removed)
	}
	for range 2 {
		if err := l.Remove(background, "k"); err != nil {
			t.Fatal(err)
		}
	}
	if created, removed := l.Counts(); created != 1 || removed != 1 {
		t.Errorf("%d, %d", created, removed)
	}
}
