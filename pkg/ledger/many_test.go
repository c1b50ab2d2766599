package ledger

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"

	"github.com/google/go-cmp/cmp"
)

// manyVar is how many records the largest store of these tests has; "make bench" sets a million.
const manyVar = "LEDGER_RECORDS"

// weighed is the machine's disk. It counts the calls, and how many names and bytes they hand out.
type weighed struct {
	OSDisk
	calls map[string]int
}

func (w weighed) count(call string, names, bytes int) {
	w.calls[call]++
	w.calls["names"] += names
	w.calls["bytes"] += bytes
}

func (w weighed) MkdirAll(dir string) error {
	w.count("MkdirAll", 0, 0)
	return w.OSDisk.MkdirAll(dir)
}

func (w weighed) Mkdir(dir string) error {
	w.count("Mkdir", 0, 0)
	return w.OSDisk.Mkdir(dir)
}

func (w weighed) ReadDir(dir string) ([]string, error) {
	names, err := w.OSDisk.ReadDir(dir)
	w.count("ReadDir", len(names), 0)
	return names, err
}

func (w weighed) ReadSome(dir string, from int64) ([]string, int64, error) {
	names, next, err := w.OSDisk.ReadSome(dir, from)
	w.count("ReadSome", len(names), 0)
	return names, next, err
}

func (w weighed) ReadFile(path string) ([]byte, error) {
	data, err := w.OSDisk.ReadFile(path)
	w.count("ReadFile", 0, len(data))
	return data, err
}

func (w weighed) Create(path string, data []byte) error {
	w.count("Create", 0, len(data))
	return w.OSDisk.Create(path, data)
}

func (w weighed) Write(path string, data []byte) error {
	w.count("Write", 0, len(data))
	return w.OSDisk.Write(path, data)
}

func (w weighed) Rename(from, to string) error {
	w.count("Rename", 0, 0)
	return w.OSDisk.Rename(from, to)
}

func (w weighed) Remove(path string) error {
	w.count("Remove", 0, 0)
	return w.OSDisk.Remove(path)
}

func (w weighed) ModTime(path string) (time.Time, error) {
	w.count("ModTime", 0, 0)
	return w.OSDisk.ModTime(path)
}

func (w weighed) SetModTime(path string, at time.Time) error {
	w.count("SetModTime", 0, 0)
	return w.OSDisk.SetModTime(path, at)
}

func (w weighed) Sync(paths ...string) error {
	w.count("Sync", 0, 0)
	return w.OSDisk.Sync(paths...)
}

func (w weighed) SyncTree(dir string) error {
	w.count("SyncTree", 0, 0)
	return w.OSDisk.SyncTree(dir)
}

func (w weighed) TryLock(path string, place int64) (func(), error) {
	w.count("TryLock", 0, 0)
	return w.OSDisk.TryLock(path, place)
}

func (w weighed) TryOldLock(path string) (func(), error) {
	w.count("TryOldLock", 0, 0)
	return w.OSDisk.TryOldLock(path)
}

var _ Disk = weighed{}

// fill makes records without a sync, as Put makes them. A few have an attribute in common.
func fill(t *testing.T, l *Ledger, many int) {
	t.Helper()
	at := time.Now().Add(-48 * time.Hour).UTC()
	for i := range many {
		n := strconv.Itoa(i)
		r := made(rec("other "+n, "resource "+strconv.Itoa(i/4), "off", "on"))
		r.Entries[0].Seq = int64(i%4 + 1)
		r.Version, r.Revision, r.Written, r.Acted = version, 2, at, at
		data, _, err := encode(r)
		if err == nil {
			err = l.makeIndex(l.indexPath(r.Entries[0].attribute()), keyName(r.Key))
		}
		if err == nil {
			err = os.WriteFile(l.recordPath(keyName(r.Key)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// round is a dry-run, an execution and its undo, with all that they ask of a ledger.
func round(t *testing.T, dir string, disk Disk) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	look := func(l *Ledger) {
		t.Helper()
		_, _, err := l.Get(background, "k")
		check(err)
		_, err = l.History(background, "a", "value")
		check(err)
	}
	// As many digits each time, so that records are equally long.
	at := time.Unix(time.Now().Unix()+2, 123456789)
	now := func() time.Time { return at }
	dry, err := Read(background, dir, disk, now)
	check(err)
	look(dry)
	r := rec("k", "a", "off", "on")
	l, err := Open(background, dir, disk, now)
	check(err)
	check(act(l, r))
	l.Sweep(background)

	l, err = Open(background, dir, disk, now)
	check(err)
	release, err := l.Lock(background, "k", "a")
	check(err)
	look(l)
	r.Entries[0].State, r.Entries[0].Undone, r.Entries[0].Aim = history.Undoing, 2, "off"
	check(l.Put(background, r))
	check(l.Remove(background, "k"))
	l.Tidy(background, "k", Attribute{"a", "value"})
	release()
	l.Sweep(background)
}

// TestCallsAreTheSameWithManyRecords: with none and with many records the disk is asked the same,
// and hands out as many names and bytes. A sweep that is due is bounded.
func TestCallsAreTheSameWithManyRecords(t *testing.T) {
	most := 10_000
	if n, err := strconv.Atoi(os.Getenv(manyVar)); err == nil {
		most = n
	}
	var none map[string]int
	for _, many := range []int{0, 1_000, most} {
		dir := t.TempDir()
		fill(t, open(t, dir, OSDisk{}), many)
		stamp := filepath.Join(dir, "swept")
		if err := os.WriteFile(stamp, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		w := weighed{calls: map[string]int{}}
		began := time.Now()
		round(t, dir, w)
		took := time.Since(began)
		if none == nil {
			none = w.calls
		}
		if diff := cmp.Diff(none, w.calls); diff != "" {
			t.Errorf("asked of the disk (-with no records +with %d):\n%s", many, diff)
		}

		long := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(stamp, long, long); err != nil {
			t.Fatal(err)
		}
		w = weighed{calls: map[string]int{}}
		open(t, dir, w).Sweep(background)
		// One name of each directory's part for each look, and its history.
		if all := w.calls["ReadFile"] + w.calls["ModTime"] + w.calls["ReadDir"] +
			w.calls["ReadSome"]; all > 10*sweepNames || w.calls["names"] > 10*sweepNames {
			t.Errorf("a sweep of %d records asks %v", many, w.calls)
		}
		t.Logf("%d records: %s, %v", many, took.Round(10*time.Microsecond), none)
	}
}
