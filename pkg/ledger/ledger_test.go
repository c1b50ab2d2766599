package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// rec makes a record of one transition of a resource's value.
func rec(key, resource, from, to string) Record {
	return Record{
		Key: key, Action: "on", Digest: hash(key + resource), State: Intended,
		Transitions: []Transition{{Resource: resource, Attribute: "value", From: from, To: to}},
	}
}

func open(t *testing.T, dir string, disk Disk) *Ledger {
	t.Helper()
	l, err := Open(dir, disk, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func put(t *testing.T, l *Ledger, r Record) {
	t.Helper()
	if err := l.Put(r); err != nil {
		t.Fatal(err)
	}
}

// mustGet reads a key's record without what the ledger itself adds.
func mustGet(t *testing.T, l *Ledger, key string) (Record, bool) {
	t.Helper()
	r, ok, err := l.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	return bare(r), ok
}

func bare(r Record) Record {
	r.Version, r.Revision, r.Written, r.Sum = 0, 0, time.Time{}, ""
	return r
}

// wantClass fails unless the error is of the class and its message has all the words.
func wantClass(t *testing.T, err error, class protocol.FailureClass, words ...string) {
	t.Helper()
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != class {
		t.Fatalf("got %v, want a failure of class %s", err, class)
	}
	for _, w := range words {
		if !strings.Contains(f.Message, w) {
			t.Errorf("the message %q does not say %q", f.Message, w)
		}
	}
}

func recordNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "records"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestFirstWriteReadRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "down")
	l := open(t, dir, OSDisk{})
	if _, ok := mustGet(t, l, "k"); ok {
		t.Error("a key that was never written has a record")
	}
	want := rec("k", "a", "off", "on")
	put(t, l, want)
	got, ok, err := open(t, dir, OSDisk{}).Get("k")
	if err != nil || !ok || got.Revision != 1 || time.Since(got.Written) > time.Hour {
		t.Fatalf("got %+v, %t, %v", got, ok, err)
	}
	if diff := cmp.Diff(want, bare(got)); diff != "" {
		t.Errorf("another process reads (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, "records", recordNames(t, dir)[0]))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record is readable by others: %v, %v", info.Mode(), err)
	}

	want.State = InForce
	put(t, l, want)
	if got, _, _ := l.Get("k"); got.Revision != 2 || got.State != InForce {
		t.Errorf("after a second write: %+v", got)
	}
	for range 2 {
		if err := l.Remove("k"); err != nil {
			t.Fatal(err)
		}
		if _, ok := mustGet(t, l, "k"); ok {
			t.Error("a removed key has a record")
		}
	}
	if names := recordNames(t, dir); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestKeysOfAnyTextAreApart(t *testing.T) {
	l := open(t, t.TempDir(), OSDisk{})
	keys := []string{"k", "K", "k ", "k:undo", "../../etc/passwd", "a/b", "\x00", strings.Repeat("long", 5000), "鍵"}
	for _, k := range keys {
		put(t, l, rec(k, "a", "off", "on "+k))
	}
	for _, k := range keys {
		if r, ok := mustGet(t, l, k); !ok || r.Transitions[0].To != "on "+k {
			t.Errorf("key %.20q: %t, %+v", k, ok, r)
		}
	}
}

func TestPutOverAnotherNameLeavesOne(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	put(t, l, rec("k", "a", "off", "on"))
	before := recordNames(t, dir)
	put(t, l, rec("k", "b", "dim", "on"))
	if after := recordNames(t, dir); len(after) != 1 || after[0] == before[0] {
		t.Errorf("files before %v, after %v", before, after)
	}
	if r, ok := mustGet(t, l, "k"); !ok || r.Transitions[0].From != "dim" {
		t.Errorf("got %t, %+v", ok, r)
	}
	if others, err := l.Others("", "a"); err != nil || len(others) != 0 {
		t.Errorf("the old record is still there: %+v, %v", others, err)
	}
}

func TestOthers(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	l, err := Open(t.TempDir(), OSDisk{}, func() time.Time { at = at.Add(time.Second); return at })
	if err != nil {
		t.Fatal(err)
	}
	two := rec("two", "a", "off", "on")
	two.Transitions = append(two.Transitions, Transition{Resource: "b", Attribute: "value", From: "off", To: "on", Via: "dim"})
	for _, r := range []Record{rec("one", "a", "off", "on"), two, rec("already", "a", "on", "on"), rec("b's", "b", "off", "on")} {
		put(t, l, r)
	}
	// Released, the first one is not the latest.
	released, _, err := l.Get("one")
	if err != nil {
		t.Fatal(err)
	}
	released.State = Released
	put(t, l, released)
	for _, tt := range []struct {
		name, except string
		resources    []string
		want         []string
	}{
		{"the latest first", "x", []string{"a"}, []string{"already", "two", "one"}},
		{"not the one's own", "two", []string{"a"}, []string{"already", "one"}},
		{"another resource", "x", []string{"b"}, []string{"b's", "two"}},
		{"of several, each once", "x", []string{"a", "b"}, []string{"b's", "already", "two", "one"}},
		{"a resource that none has", "x", []string{"c"}, nil},
		{"of none", "x", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			others, err := l.Others(tt.except, tt.resources...)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, r := range others {
				keys = append(keys, r.Key)
			}
			if diff := cmp.Diff(tt.want, keys); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// sweepAt makes the ledger at dir due for a sweep, as often as said, and opens it at the time.
func sweepAt(t *testing.T, dir string, disk Disk, now time.Time, times int) {
	t.Helper()
	for range times {
		long := now.Add(-48 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, "swept"), long, long); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, disk, func() time.Time { return now }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweep(t *testing.T) {
	now := time.Now()
	temporary := func(age time.Duration) func(*testing.T, *Ledger) {
		return func(t *testing.T, l *Ledger) {
			path := filepath.Join(l.records(), temporaryPrefix+"x.json")
			if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	record := func(*testing.T, *Ledger) {}
	tests := []struct {
		name string
		// at is how long after the record is written the sweep comes.
		at   time.Duration
		make func(*testing.T, *Ledger)
		left int
	}{
		{"a record is kept for its time", MaxAge - time.Hour, record, 1},
		{"a record that is too old goes", MaxAge + time.Hour, record, 0},
		{"a temporary file on its way stays", 0, temporary(temporaryAge / 2), 2},
		{"a temporary file that a kill left goes", 0, temporary(2 * temporaryAge), 1},
		{"an old record in use stays", MaxAge + time.Hour, func(t *testing.T, l *Ledger) {
			release, err := l.Lock(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(release)
		}, 1},
		{"an old record that can't be read stays", MaxAge + time.Hour, func(t *testing.T, l *Ledger) {
			path := filepath.Join(l.records(), recordNames(t, l.dir)[0])
			data, _ := os.ReadFile(path)
			if err := os.WriteFile(path, append(data, 'x'), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"a foreign file stays", MaxAge + time.Hour, func(t *testing.T, l *Ledger) {
			if err := os.WriteFile(filepath.Join(l.records(), "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, OSDisk{})
			put(t, l, rec("k", "a", "off", "on"))
			tt.make(t, l)
			sweepAt(t, dir, OSDisk{}, now.Add(tt.at), oldSweeps)
			if names := recordNames(t, dir); len(names) != tt.left {
				t.Errorf("left are %v, want %d", names, tt.left)
			}
		})
	}
}

func TestSweepComesAtMostOnceADay(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	l.now = func() time.Time { return time.Now().Add(-2 * MaxAge) }
	put(t, l, rec("k", "a", "off", "on"))
	for range 2 * oldSweeps {
		open(t, dir, OSDisk{})
	}
	if names := recordNames(t, dir); len(names) != 1 {
		t.Errorf("swept again: %v", names)
	}
	sweepAt(t, dir, OSDisk{}, time.Now(), oldSweeps)
	if names := recordNames(t, dir); len(names) != 0 {
		t.Errorf("not swept the next days: %v", names)
	}
}

// TestAWrongClockLosesNoRecord: a record that was written, or looked at, by a clock that was wrong for some days is not
// old.
func TestAWrongClockLosesNoRecord(t *testing.T) {
	right := time.Now()
	for name, clocks := range map[string][2]time.Time{
		"when it was written": {time.Unix(0, 0), right},
		"when it is swept":    {right, right.Add(50 * 365 * 24 * time.Hour)},
	} {
		dir := t.TempDir()
		l := open(t, dir, OSDisk{})
		l.now = func() time.Time { return clocks[0] }
		put(t, l, rec("k", "a", "off", "on"))
		sweepAt(t, dir, OSDisk{}, clocks[1], oldSweeps-1)
		// Put right, and asked for again.
		l.now = func() time.Time { return right }
		if r, ok := mustGet(t, l, "k"); !ok {
			t.Errorf("%s: the record is gone", name)
		} else {
			put(t, l, r)
		}
		sweepAt(t, dir, OSDisk{}, right, 2*oldSweeps)
		if _, ok := mustGet(t, l, "k"); !ok {
			t.Errorf("%s: the record is gone after all", name)
		}
	}
}

// TestACountThatCannotBeReadBeginsAnew: what is in the file of the sweeps is no reason to take a record.
func TestACountThatCannotBeReadBeginsAnew(t *testing.T) {
	for _, text := range []string{"", "null", "[1]", `{"x": 99`, `{"x": "99"}`} {
		dir := t.TempDir()
		l := open(t, dir, OSDisk{})
		put(t, l, rec("k", "a", "off", "on"))
		text = strings.ReplaceAll(text, "x", recordNames(t, dir)[0])
		if err := os.WriteFile(l.stamp(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sweepAt(t, dir, OSDisk{}, time.Now().Add(2*MaxAge), oldSweeps-1)
		if _, ok := mustGet(t, l, "k"); !ok {
			t.Errorf("%q: the record is gone", text)
		}
	}
}

// meanwhile is a disk on which something happens before a record is read for the third time.
type meanwhile struct {
	OSDisk
	reads *int
	do    func()
}

func (m meanwhile) ReadFile(path string) ([]byte, error) {
	if isRecordName(filepath.Base(path)) {
		*m.reads++
	}
	if *m.reads == 3 {
		*m.reads++
		m.do()
	}
	return m.OSDisk.ReadFile(path)
}

func TestSweepLeavesARecordThatIsWrittenAnewMeanwhile(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	put(t, l, rec("k", "a", "off", "on"))
	later := time.Now().Add(MaxAge + time.Hour)
	l.now = func() time.Time { return later }
	sweepAt(t, dir, OSDisk{}, later, oldSweeps-1)
	sweepAt(t, dir, meanwhile{reads: new(int), do: func() { put(t, l, rec("k", "a", "dim", "on")) }}, later, 1)
	if r, ok := mustGet(t, l, "k"); !ok || r.Transitions[0].From != "dim" {
		t.Errorf("the sweep took a record that was new: %t, %+v", ok, r)
	}
}

// TestSweepIsNoReasonToFail: a directory that can be read and not swept still serves.
func TestSweepIsNoReasonToFail(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("k", "a", "off", "on"))
	for n := 1; n <= 8; n++ {
		broken := m.clone()
		broken.before = func(step int, name string) fault {
			if name != "MkdirAll" && step >= n {
				return fails
			}
			return none
		}
		if _, err := Open("/s", broken, func() time.Time { return m.clock().Add(2 * MaxAge) }); err != nil {
			t.Errorf("step %d: %v", n, err)
		}
	}
}
