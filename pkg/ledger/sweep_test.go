package ledger

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"

	"github.com/google/go-cmp/cmp"
)

// release makes a record that holds only a release.
func release(key, resource string) Record {
	r := rec(key, resource, "on", "off")
	r.Entries[0].State, r.Entries[0].Ends = history.Live, 1
	return r
}

// sweepAt makes the ledger at dir due for a sweep, as often as said, and sweeps it at the time.
func sweepAt(t *testing.T, dir string, disk Disk, now time.Time, times int) {
	t.Helper()
	for range times {
		long := now.Add(-48 * time.Hour)
		stamp := filepath.Join(dir, "swept")
		if err := os.Chtimes(stamp, long, long); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		l, err := Open(background, dir, disk, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		l.Sweep(background)
	}
}

func TestSweep(t *testing.T) {
	now := time.Now()
	temporary := func(t *testing.T, l *Ledger) {
		if err := os.WriteFile(l.temporaryPath(keyName("x")), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	with := func(more ...Record) func(*testing.T, *Ledger) {
		return func(t *testing.T, l *Ledger) {
			for _, r := range more {
				put(t, l, r)
			}
		}
	}
	live, undone, pending := rec("b", "b", "D", "S"), rec("b", "b", "D", "S"), rec("b", "b", "D", "S")
	live.Entries[0].State = history.Live
	undone.Entries[0].State, undone.Entries[0].Undone = history.Withdrawn, 2
	above := rec("b", "a", "off", "on")
	above.Entries[0].State, above.Entries[0].Seq = history.Live, 2
	alsoLive := both(release("b", "b"), live)
	alsoLive.Entries[1].Resource = "c"
	tests := []struct {
		name string
		// at is how long after the records are written the sweeps come.
		at   time.Duration
		make func(*testing.T, *Ledger)
		left int
	}{
		{"a release is kept for its time", MaxAge - time.Hour, with(), 1},
		{"a release that is too old goes", MaxAge + time.Hour, with(), 0},
		{"what is live stays", 10 * MaxAge, with(live), 1},
		{"what is pending stays", 10 * MaxAge, with(pending), 1},
		{"what is undone goes at once", 0, with(undone), 1},
		{"a release that something lies upon stays", 10 * MaxAge, with(above), 2},
		{"a release beside what is live stays", 10 * MaxAge, with(alsoLive), 1},
		{"a temporary file that a kill left goes", 0, temporary, 1},
		{"an old release in use stays", MaxAge + time.Hour, func(t *testing.T, l *Ledger) {
			unlock, err := l.Lock(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(unlock)
		}, 1},
		{"an old record that can't be read stays", MaxAge + time.Hour, func(t *testing.T, l *Ledger) {
			path := filepath.Join(l.keys(), recordNames(t, l.dir)[0])
			data, _ := os.ReadFile(path)
			if err := os.WriteFile(path, append(data, 'x'), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"a foreign file stays", MaxAge + time.Hour, func(t *testing.T, l *Ledger) {
			if err := os.WriteFile(filepath.Join(l.keys(), "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, OSDisk{})
			put(t, l, release("k", "a"))
			tt.make(t, l)
			sweepAt(t, dir, OSDisk{}, now.Add(tt.at), oldSweeps)
			if names := recordNames(t, dir); len(names) != tt.left {
				t.Errorf("left are %v, want %d", names, tt.left)
			}
		})
	}
}

// TestSweepTakesStrayIndexEntries: those that lead nowhere go, wherever they are, and those that a
// key in use may need stay.
func TestSweepTakesStrayIndexEntries(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("k", "a", "off", "on"))
	for i := range 2 * some {
		dir := l.indexPath(Attribute{strconv.Itoa(i), "value"})
		m.mkdirAll(dir)
		m.files[dir+"/"+keyName("killed")] = file{}
		m.files[dir+"/"+keyName("busy")] = file{}
	}
	empty := l.indexPath(Attribute{"empty", "value"})
	m.mkdirAll(empty)
	foreign := l.indexPath(Attribute{"a", "value"}) + "/notes.txt"
	m.files[foreign] = file{}
	unlock, err := l.LockKey(t.Context(), "busy")
	if err != nil {
		t.Fatal(err)
	}
	sweeps := func(n int) {
		for range n {
			delete(m.files, "/s/swept.old")
			m.files["/s/swept"] = file{data: m.files["/s/swept"].data}
			l.Sweep(background)
		}
	}
	sweeps(4)
	want := map[string]string{}
	for i := range 2 * some {
		want[indexName(Attribute{strconv.Itoa(i), "value"})+"/"+keyName("busy")] = ""
	}
	want[indexName(Attribute{"a", "value"})+"/"+keyName("k")] = ""
	want[indexName(Attribute{"a", "value"})+"/notes.txt"] = ""
	if diff := cmp.Diff(want, m.indexFiles()); diff != "" {
		t.Errorf("index entries (-want +got):\n%s", diff)
	}
	unlock()
	sweeps(8)
	if n := len(m.indexFiles()); n != 2 || m.files[empty].dir {
		t.Errorf("later: %v, an empty directory: %t", m.indexFiles(), m.files[empty].dir)
	}
}

func TestSweepComesAtMostOnceADay(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	l.now = func() time.Time { return time.Now().Add(-2 * MaxAge) }
	put(t, l, release("k", "a"))
	for range 2 * oldSweeps {
		open(t, dir, OSDisk{}).Sweep(background)
	}
	if names := recordNames(t, dir); len(names) != 1 {
		t.Errorf("swept again: %v", names)
	}
	sweepAt(t, dir, OSDisk{}, time.Now(), oldSweeps)
	if names := recordNames(t, dir); len(names) != 0 {
		t.Errorf("not swept the next days: %v", names)
	}
}

// TestSweepIsBounded: of many records and index entries a sweep looks at some hundreds, and the
// next sweeps at the others.
func TestSweepIsBounded(t *testing.T) {
	const many = 700
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	for i := range many {
		name := keyName(strconv.Itoa(i))
		if err := (OSDisk{}).Create(filepath.Join(l.keys(), temporaryPrefix+name), nil); err != nil {
			t.Fatal(err)
		}
		index := filepath.Join(l.indexes(), name)
		if err := os.Mkdir(index, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := (OSDisk{}).Create(filepath.Join(index, name), nil); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now()
	counting := &counted{calls: map[string]int{}}
	before, sweeps := many+1, 0
	for ; before > 0; sweeps++ {
		clear(counting.calls)
		sweepAt(t, dir, counting, later.Add(time.Duration(sweeps)*sweepEvery), 1)
		all := 0
		for _, n := range counting.calls {
			all += n
		}
		if all > 4000 || counting.calls["ReadDir"] > 0 {
			t.Fatalf("sweep %d makes %v calls", sweeps, counting.calls)
		}
		names, _ := os.ReadDir(l.keys())
		dirs, _ := os.ReadDir(l.indexes())
		if before = len(names) + len(dirs); sweeps > many {
			t.Fatalf("after %d sweeps %d names are left", sweeps, before)
		}
	}
	t.Logf("%d temporary files and index entries went in %d sweeps", 2*many, sweeps)
}

// counted counts the calls to a disk that a sweep makes.
type counted struct {
	OSDisk
	calls map[string]int
}

func (c *counted) ReadDir(dir string) ([]string, error) {
	c.calls["ReadDir"]++
	return c.OSDisk.ReadDir(dir)
}

func (c *counted) ReadSome(dir string, from int64) ([]string, int64, error) {
	c.calls["ReadSome"]++
	return c.OSDisk.ReadSome(dir, from)
}

func (c *counted) ReadFile(path string) ([]byte, error) {
	c.calls["ReadFile"]++
	return c.OSDisk.ReadFile(path)
}

func (c *counted) ModTime(path string) (time.Time, error) {
	c.calls["ModTime"]++
	return c.OSDisk.ModTime(path)
}

func (c *counted) Remove(path string) error {
	c.calls["Remove"]++
	return c.OSDisk.Remove(path)
}

func (c *counted) TryLock(path string, place int64) (func(), error) {
	c.calls["TryLock"]++
	return c.OSDisk.TryLock(path, place)
}

// TestAWrongClockLosesNoRecord: a record that was written, or looked at, by a clock that was wrong
// for some days is not old.
func TestAWrongClockLosesNoRecord(t *testing.T) {
	right := time.Now()
	for name, clocks := range map[string][2]time.Time{
		"when it was written": {time.Unix(0, 0), right},
		"when it is swept":    {right, right.Add(50 * 365 * 24 * time.Hour)},
	} {
		dir := t.TempDir()
		l := open(t, dir, OSDisk{})
		l.now = func() time.Time { return clocks[0] }
		put(t, l, release("k", "a"))
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

// TestACountThatCannotBeReadBeginsAnew: what is in the file of the sweeps is no reason to take a
// record.
func TestACountThatCannotBeReadBeginsAnew(t *testing.T) {
	for _, text := range []string{
		"", "null", "[1]", `{"old":{"x": 99}`, `{"old":{"x": "99"}}`,
		`{"old":{"x": 99, "y": "z"}}`, `{"x": 99}`, `{"keys":-7}`,
		`{"keys":4611686018427387904,"attributes":"x"}`,
	} {
		dir := t.TempDir()
		l := open(t, dir, OSDisk{})
		put(t, l, release("k", "a"))
		text = strings.ReplaceAll(text, `"x"`, strconv.Quote(keyName("k")))
		if err := os.WriteFile(l.stamp(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sweepAt(t, dir, OSDisk{}, time.Now().Add(2*MaxAge), oldSweeps-1)
		if _, ok := mustGet(t, l, "k"); !ok {
			t.Errorf("%q: the record is gone", text)
		}
		sweepAt(t, dir, OSDisk{}, time.Now().Add(2*MaxAge), 1)
		if _, ok := mustGet(t, l, "k"); ok {
			t.Errorf("%q: no sweep takes the record", text)
		}
	}
}

// TestSweepLeavesARecordThatIsWrittenAnewMeanwhile: a release that is written before its lock is
// taken stays.
func TestSweepLeavesARecordThatIsWrittenAnewMeanwhile(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, release("k", "a"))
	later := m.clock().Add(MaxAge + time.Hour)
	l.now = func() time.Time { return later }
	r, _, err := l.Get(background, "k")
	if err != nil {
		t.Fatal(err)
	}
	r.Written = m.clock()
	data, _, err := encode(r)
	if err != nil {
		t.Fatal(err)
	}
	m.files[pathOf(r)] = file{data: string(data)}
	count := `{"old":{"` + keyName("k") + `":29}}`
	for _, meanwhile := range []bool{true, false} {
		m := m.clone()
		l.disk = m
		m.files["/s/swept"] = file{data: count}
		m.before = func(_ int, name string) fault {
			if meanwhile && name == "TryLock" {
				m.before = nil
				put(t, l, release("k", "a"))
			}
			return none
		}
		l.Sweep(background)
		if _, ok := mustGet(t, l, "k"); ok != meanwhile {
			t.Errorf("written meanwhile: %t, and it is there: %t", meanwhile, ok)
		}
	}
}

// TestSweepIsNoReasonToFail: a store that can be read and not swept still serves.
func TestSweepIsNoReasonToFail(t *testing.T) {
	start := newMemory()
	l := open(t, "/s", start)
	put(t, l, rec("k", "a", "off", "on"))
	start.files["/s/keys/.tmp-x.json"] = file{}
	start.mkdirAll("/s/attributes/" + keyName("empty"))
	before := start.recordFiles()
	for n := 1; ; n++ {
		m := start.clone()
		l := open(t, "/s", m)
		m.steps, m.before = 0, func(step int, name string) fault {
			if step >= n {
				return fails
			}
			return none
		}
		l.Sweep(background)
		m.before = nil
		if got := m.recordFiles(); !maps.Equal(before, got) {
			t.Errorf("step %d: %v", n, got)
		}
		if got := has(t, open(t, "/s", m), "k"); got != "off" {
			t.Errorf("step %d: the key has %q", n, got)
		}
		if m.steps < n {
			return
		}
	}
}
