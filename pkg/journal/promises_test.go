package journal

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	"aws-provider-executor/pkg/gate"
)

// TestALogWithoutAHeadIsNotWrittenTo: what was done may be what is missing.
func TestALogWithoutAHeadIsNotWrittenTo(t *testing.T) {
	j := open(t, newPath(t))
	a := add(t, j, "k")
	if _, err := j.db.Exec("DELETE FROM actionctl_journal"); err != nil {
		t.Fatal(err)
	}
	ctx, change := context.Background(), gate.Change{Action: a, Event: event(gate.EventApproved)}
	_, applied := j.Apply(ctx, change)
	for what, err := range map[string]error{
		"a change": applied, "a note": j.Note(ctx, event(gate.EventDenied)),
	} {
		const want = "the log has no head; journal --verify tells more"
		if !errors.Is(err, gate.ErrAltered) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var n int
	if err := j.db.QueryRow("SELECT count(*) FROM actionctl_events").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestDataThatIsWrittenOtherwiseIsNamed: the same JSON in another spelling is not what was written.
func TestDataThatIsWrittenOtherwiseIsNamed(t *testing.T) {
	for name, tt := range map[string]struct{ data, want string }{
		"another spelling":     {`{"list": ["x", "y"]}`, "its data is not as it was written"},
		"a key twice":          {`{"a":"1","a":"2"}`, "its data is not as it was written"},
		"no JSON":              {`{"list"`, "its data is no JSON"},
		"more than a document": {`{} {}`, "its data is no JSON"},
		"other data":           {`{"text":"x"}`, "its content does not have its hash"},
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t, newPath(t))
			add(t, j, "k")
			statement := "UPDATE actionctl_events SET data_json = '" + tt.data + "' WHERE seq = 1"
			if err := behindTriggers(j, statement); err != nil {
				t.Fatal(err)
			}
			found := strings.Join(faults(t, j), "\n")
			if !strings.Contains(found, "event 1") || !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want %q", found, tt.want)
			}
			if _, err := j.History(context.Background(), 1); !errors.Is(err, gate.ErrAltered) {
				t.Errorf("its history: %v", err)
			}
		})
	}
}

// TestEachNoteIsLogged: several at once, in their order, or none where one of them can't be.
func TestEachNoteIsLogged(t *testing.T) {
	j, ctx := open(t, newPath(t)), context.Background()
	kinds := func() (all []string) {
		t.Helper()
		events, err := j.Events(ctx, gate.EventQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			all = append(all, string(e.Kind))
		}
		return all
	}
	if err := j.Note(ctx, event(gate.EventDenied), event(gate.EventDryRun)); err != nil {
		t.Fatal(err)
	}
	unfit := event(gate.EventDenied)
	unfit.Data = map[string]any{"function": func() {}}
	if err := j.Note(ctx, event(gate.EventApproved), unfit); err == nil {
		t.Error("noted what is no JSON")
	}
	if got := strings.Join(kinds(), " "); got != "denied dry-run" {
		t.Errorf("logged: %s", got)
	}
}

// TestNothingIsReadAfterItsTime: an answer that was not read is no empty one.
func TestNothingIsReadAfterItsTime(t *testing.T) {
	j := open(t, newPath(t))
	add(t, j, "k")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, list := j.List(ctx, gate.Query{})
	_, get := j.Get(ctx, 1)
	_, find := j.Find(ctx, "k")
	_, history := j.History(ctx, 1)
	_, events := j.Events(ctx, gate.EventQuery{})
	_, verify := j.Verify(ctx)
	for what, err := range map[string]error{
		"list": list, "get": get, "find": find, "history": history, "events": events, "verify": verify,
	} {
		const want = "cannot read the journal"
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := j.Note(ctx, event(gate.EventDenied)); !errors.Is(err, context.Canceled) {
		t.Errorf("note: %v", err)
	}
}

// TestAHeaderThatCannotBeReadIsNoVerdict on what the file is.
func TestAHeaderThatCannotBeReadIsNoVerdict(t *testing.T) {
	const start = "SQLite format 3\x00"
	halfWay := io.MultiReader(strings.NewReader(start), iotest.ErrReader(fs.ErrInvalid))
	for name, tt := range map[string]struct {
		file io.Reader
		want string
	}{
		"broken":          {iotest.ErrReader(fs.ErrInvalid), fs.ErrInvalid.Error()},
		"broken half-way": {halfWay, fs.ErrInvalid.Error()},
		"empty":           {strings.NewReader(""), "it is empty"},
		"short":           {strings.NewReader(start), "it is no SQLite database"},
		"another's":       {strings.NewReader(strings.Repeat("x", 100)), "it is no SQLite database"},
	} {
		if _, err := readHeader(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	whole := start + strings.Repeat("x", 100-len(start))
	if got, err := readHeader(strings.NewReader(whole + "more")); err != nil || string(got) != whole {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAKeyTwiceIsUnreadable: of a core's row that can be read in two ways neither is taken.
func TestAKeyTwiceIsUnreadable(t *testing.T) {
	for name, tt := range map[string]struct {
		text     string
		readable bool
	}{
		"as a core writes it": {`{"nicRef":"eni-1"}`, true},
		"absent":              {"", true}, "null": {"null", true},
		"a key twice":      {`{"nicRef":"eni-1","nicRef":"eni-2"}`, false},
		"two documents":    {`{} {}`, false},
		"half a surrogate": {`{"nicRef":"\ud800"}`, false},
		"another kind":     {`["eni-1"]`, false},
	} {
		a := gate.Action{Unreadable: map[string]string{}}
		object(&a, "target", text(tt.text), &a.Target)
		if said, bad := a.Unreadable["target"]; bad == tt.readable || bad && said != tt.text {
			t.Errorf("%s: %v, %v", name, a.Target, a.Unreadable)
		}
		if !tt.readable && a.Target != nil {
			t.Errorf("%s: taken as %v", name, a.Target)
		}
	}
}
