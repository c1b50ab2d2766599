package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// TestWhatLiesInTheFile: the columns as cores and other programs read them. What there is none of
// is empty, and of objects {}.
func TestWhatLiesInTheFile(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	bare := action("bare")
	bare.Undo, bare.Target = nil, nil
	a := apply(t, j, gate.Change{Action: bare, Event: event(gate.EventImported)})[0]
	later := event(gate.EventClaimed)
	later.At = start.Add(time.Hour).In(time.FixedZone("", 3600))
	a.Status, a.MayHaveChanged, a.Target = gate.Running, true, map[string]string{"b": "<", "a": ""}
	a.Undo = &gate.Undo{Action: "unassign-secondary-ip"}
	a = apply(t, j, gate.Change{Action: a, Event: later})[0]
	if !a.UpdatedAt.Equal(later.At) || !a.CreatedAt.Equal(start) ||
		a.UpdatedAt.Location() != time.UTC {
		t.Errorf("created %s, updated %s", a.CreatedAt, a.UpdatedAt)
	}
	other := action("other")
	other.Undo, other.Target = nil, nil
	apply(t, j, gate.Change{Action: other, Event: event(gate.EventImported)})
	rows, err := j.db.Query("SELECT idempotency_key, target_json, parameters_json, undo_json, " +
		"observed_json, created_at, updated_at, executed_at, may_have_changed, claim_process " +
		"FROM action_executions JOIN actionctl_states ON action_id = id ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var row [10]string
		if err := rows.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6], &row[7],
			&row[8], &row[9]); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(row[:], " "))
	}
	const at, then = "2026-03-03T12:00:00.123456789Z", "2026-03-03T13:00:00.123456789Z"
	want := []string{
		`bare {"a":"","b":"<"} {} {"action":"unassign-secondary-ip"} {} ` + at + " " + then + "  1 ",
		`other {} {} {} {} ` + at + " " + at + "  0 ",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if a, err := j.Find(t.Context(), "other"); err != nil || a.Undo != nil || len(a.Target) != 0 ||
		a.MayHaveChanged {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestAFlushedFileIsWholeByItself: without the log beside it.
func TestAFlushedFileIsWholeByItself(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	add(t, j, "k")
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "alone.db")
	copied(t, path)(alone)
	if _, err := open(t, alone).Find(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("flushed after its time: %v", err)
	}
}

// TestNothingStaysOpen: neither of a journal that was closed, nor of a file that was refused.
func TestNothingStaysOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	add(t, open(t, path), "k")
	other := filepath.Join(dir, "other.db")
	if err := os.WriteFile(other, []byte(strings.Repeat("x", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	try := func() {
		for _, name := range []string{path, other, dir, filepath.Join(dir, "none")} {
			if j, err := Open(t.Context(), name); err == nil {
				_ = j.Close()
			}
		}
	}
	try()
	before := count()
	for range 5 {
		try()
	}
	if after := count(); after > before+4 {
		t.Errorf("%d files are open, and %d were", after, before)
	}
}

// TestAFileThatLacksItsEndIsRefused, with how much of it is there.
func TestAFileThatLacksItsEndIsRefused(t *testing.T) {
	path := newPath(t)
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	want := "it is truncated: 4096 of " + decimal(info.Size()) + " bytes are there"
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestAServerThatIsNotThereIsNoFile: what is named by a URL is not looked for on the disk.
func TestAServerThatIsNotThereIsNoFile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, opens := range []func(context.Context, string) (*Journal, error){Open, OpenOrCreate} {
		_, err := opens(ctx, "postgres://ann:secret@127.0.0.1:1/j")
		if err == nil || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "secret") ||
			!strings.Contains(err.Error(), "cannot open the journal postgres://ann@127.0.0.1:1/j: ") {
			t.Errorf("%v", err)
		}
	}
}

// TestARowThatWasPutInIsNamed, and what a report has of many faults.
func TestARowThatWasPutInIsNamed(t *testing.T) {
	j := open(t, newPath(t))
	add(t, j, "k")
	var many strings.Builder
	for i := range int64(2 * maxFaults) {
		many.WriteString("INSERT INTO action_executions SELECT " + decimal(100+i) + ", '" + decimal(i) +
			"', source, provider, provider_ref, action, target_json, parameters_json, undo_json, " +
			"risk_level, status, approved_by, approved_at, executed_at, result_message, error, " +
			"created_at, updated_at, observed_json FROM action_executions WHERE id = 1;")
	}
	if err := behindTriggers(j, many.String()); err != nil {
		t.Fatal(err)
	}
	a, err := j.Get(t.Context(), 100)
	if err != nil || a.Altered != "the row of action 100 was put in: the log knows nothing of it" {
		t.Errorf("%+v, %v", a.Altered, err)
	}
	if f := faults(t, j); len(f) != maxFaults ||
		f[0] != `action 100 ("0"): the log knows nothing of it` {
		t.Errorf("%d faults: %v", len(f), f[:1])
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
