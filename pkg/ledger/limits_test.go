package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
)

// The limits of sweeping, in figures of their own: a test that took them from the code would not
// see them change.
const (
	day       = 24 * time.Hour
	aTick     = time.Nanosecond
	mostNames = 256
)

// wide is a disk that lists all names at once, as a directory of few hundreds is.
type wide struct{ *memory }

func (w wide) ReadSome(dir string, from int64) ([]string, int64, error) {
	if from != 0 {
		return nil, 0, nil
	}
	names, err := w.list("ReadSome", dir)
	return names, int64(len(names)), err
}

// dueStore is a ledger on such a disk that was never swept, with its clock.
func dueStore(t *testing.T) (m *memory, l *Ledger, clock *time.Time) {
	t.Helper()
	m = newMemory()
	now := m.clock()
	l, err := Open(background, "/s", wide{m}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return m, l, &now
}

// again makes a store due, and sweeps it.
func again(m *memory, l *Ledger) {
	if f, swept := m.files["/s/swept"]; swept {
		m.files["/s/swept"] = file{data: f.data}
	}
	m.calls = map[string]int{}
	l.Sweep(background)
}

func TestASweepIsDueAfterADay(t *testing.T) {
	for _, c := range []struct {
		age  time.Duration
		want bool
	}{
		{0, false}, {day - aTick, false}, {day, true}, {30 * day, true}, {-aTick, true},
	} {
		m, l, now := dueStore(t)
		m.files["/s/swept"] = file{at: now.Add(-c.age)}
		m.calls = map[string]int{}
		l.Sweep(background)
		if swept := m.calls["ReadSome"] > 0; swept != c.want {
			t.Errorf("%s after the last one: %t", c.age, swept)
		}
	}
	m, l, _ := dueStore(t)
	m.calls = map[string]int{}
	l.Sweep(background)
	if m.calls["ReadSome"] != 2 || m.calls["Write"] != 1 {
		t.Errorf("never swept: %v", m.calls)
	}
	m.files["/s/swept"] = file{}
	m.before = func(_ int, name string) fault {
		if name == "ModTime" {
			return fails
		}
		return none
	}
	m.calls = map[string]int{}
	if l.Sweep(background); m.calls["ReadSome"] > 0 {
		t.Error("swept, and when it was last is not known")
	}
	dry := mustRead(t, m.clone())
	delete(m.files, "/s/swept")
	if dry.Sweep(background); dry.disk.(*memory).calls["ReadSome"] > 0 {
		t.Error("a dry-run sweeps")
	}
}

func TestAReleaseGoesAfterItsTimeAndItsSweeps(t *testing.T) {
	for _, c := range []struct {
		age    time.Duration
		sweeps int
		gone   bool
	}{
		{400 * day, 60, false},
		{400*day + aTick, 29, false},
		{400*day + aTick, 30, true},
	} {
		m, l, now := dueStore(t)
		put(t, l, release("k", "a"))
		*now = now.Add(c.age)
		for range c.sweeps {
			again(m, l)
		}
		if _, ok := mustGet(t, l, "k"); ok == c.gone {
			t.Errorf("%s old, after %d sweeps: it is there: %t", c.age, c.sweeps, ok)
		}
	}
}

// TestATemporaryFileGoesWhenNobodyWritesIt: whatever its time is, as after a step of the clock.
func TestATemporaryFileGoesWhenNobodyWritesIt(t *testing.T) {
	for _, age := range []time.Duration{-2 * time.Hour, 0, 2 * time.Hour} {
		m, l, now := dueStore(t)
		path := l.temporaryPath(keyName("k"))
		m.files[path] = file{at: now.Add(-age)}
		release, err := l.Lock(background, "k")
		if err != nil {
			t.Fatal(err)
		}
		for _, gone := range []bool{false, true} {
			again(m, l)
			if _, there := m.files[path]; there == gone {
				t.Errorf("%s old, its key free: %t, and it is there: %t", age, gone, there)
			}
			if !gone {
				release()
			}
		}
	}
}

func TestARunIsRepeatableForAMinute(t *testing.T) {
	for age, gone := range map[time.Duration]bool{
		time.Minute - aTick: false, time.Minute: true, -time.Minute + aTick: false, -time.Minute: true,
	} {
		m, l, now := dueStore(t)
		newPlayer(t, l).play("a: k S", "a: b S", "a: k undo", "a: b undo")
		*now = now.Add(age)
		l.Tidy(background, "", Attribute{"a", "value"})
		if n := len(m.recordFiles()); (n == 0) != gone {
			t.Errorf("%s after the undo %d records are left", age, n)
		}
	}
}

// TestASweepLooksAtSoManyAtMost: records, index entries, and names that wait for their age.
func TestASweepLooksAtSoManyAtMost(t *testing.T) {
	m, l, now := dueStore(t)
	const many = mostNames + 50
	for i := range many {
		put(t, l, release(strconv.Itoa(i), strconv.Itoa(i)))
	}
	*now = now.Add(401 * day)
	again(m, l)
	// Of a record its index entry is looked for, and of an index entry its record.
	if n := m.calls["ModTime"] - 1; n != 2*mostNames {
		t.Errorf("%d names were looked for, want %d", n, 2*mostNames)
	}
	counts := func() map[string]int {
		var last leftover
		decodeStamp(t, m, &last)
		return last.Old
	}
	first := counts()
	if len(first) != mostNames {
		t.Errorf("%d records wait for their age, want %d", len(first), mostNames)
	}
	// The same ones are looked at again, and no further ones.
	again(m, l)
	if second := counts(); !slices.Equal(sortedKeys(first), sortedKeys(second)) ||
		second[sortedKeys(second)[0]] != 2 {
		t.Errorf("%d counted, then %d", len(first), len(second))
	}
	for range 28 {
		again(m, l)
	}
	if n := len(m.recordFiles()); n != many-mostNames {
		t.Errorf("after 30 sweeps %d records are left, want %d", n, many-mostNames)
	}
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }

// TestASweepEndsInTime: after a tenth of a second nothing more is begun, and what was counted
// stays counted.
func TestASweepEndsInTime(t *testing.T) {
	for reads, want := range map[int]int{99: 1, 100: 0} {
		m, l, now := dueStore(t)
		undone := rec("k", "a", "D", "S")
		undone.Entries[0].State, undone.Entries[0].Undone = history.Withdrawn, 2
		put(t, l, undone)
		count := fmt.Sprintf(`{"old":{%q:7}}`, keyName("waits"))
		put(t, l, release("waits", "w"))
		m.files["/s/swept"] = file{data: count}
		m.before = func(_ int, name string) fault {
			if name == "ReadSome" {
				// The directories were listed slowly.
				*now = now.Add(time.Duration(reads) * time.Millisecond / 2)
			}
			return none
		}
		again(m, l)
		if gone := 2 - len(m.recordFiles()); gone != want {
			t.Errorf("%d ms for listing: %d records went, want %d", reads, gone, want)
		}
		var last leftover
		if decodeStamp(t, m, &last); want == 0 && last.Old[keyName("waits")] != 7 {
			t.Errorf("what was counted is forgotten: %v", last)
		}
	}
}

func decodeStamp(t *testing.T, m *memory, last *leftover) {
	t.Helper()
	if err := json.Unmarshal([]byte(m.files["/s/swept"].data), last); err != nil {
		t.Fatal(err)
	}
}

// TestASweepGoesOnWhereTheLastOneEnded: in parts of three each name is come to, and none twice
// before all were.
func TestASweepGoesOnWhereTheLastOneEnded(t *testing.T) {
	m := newMemory()
	l, err := Open(background, "/s", m, m.clock)
	if err != nil {
		t.Fatal(err)
	}
	const many = 3 * some
	for i := range many {
		put(t, l, rec(strconv.Itoa(i), strconv.Itoa(i), "off", "on"))
	}
	for round := range 2 {
		seen := map[string]bool{}
		for range many / some {
			var last leftover
			if _, swept := m.files["/s/swept"]; swept {
				decodeStamp(t, m, &last)
			}
			s := &sweep{Ledger: l}
			names, next := s.some(l.keys(), last.Keys)
			if len(names) != some || next == 0 {
				t.Fatalf("round %d: %v, %d", round, names, next)
			}
			for _, name := range names {
				seen[name] = true
			}
			again(m, l)
		}
		if len(seen) != many {
			t.Errorf("round %d: %d names of %d", round, len(seen), many)
		}
	}
}

// TestASweepTakesEmptyDirectoriesOfItsOwnOnly.
func TestASweepTakesEmptyDirectoriesOfItsOwnOnly(t *testing.T) {
	m, l, _ := dueStore(t)
	own, foreign := filepath.Join(l.indexes(), keyName("x")), filepath.Join(l.indexes(), "mine")
	m.mkdirAll(own)
	m.mkdirAll(foreign)
	again(m, l)
	if m.files[own].dir || !m.files[foreign].dir {
		t.Errorf("its own is there: %t, a foreign one: %t", m.files[own].dir, m.files[foreign].dir)
	}
}

// TestASweepTakesAllStraysOfADirectory that it comes to.
func TestASweepTakesAllStraysOfADirectory(t *testing.T) {
	m := newMemory()
	l, err := Open(background, "/s", m, m.clock)
	if err != nil {
		t.Fatal(err)
	}
	dir := l.indexPath(Attribute{"a", "value"})
	m.mkdirAll(dir)
	for _, key := range []string{"k", "b"} {
		m.files[dir+"/"+keyName(key)] = file{}
	}
	again(m, l)
	if left := m.indexFiles(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestASweepLooksAtNoForeignName: what is counted is read only under a name of the ledger's own.
func TestASweepLooksAtNoForeignName(t *testing.T) {
	m, l, _ := dueStore(t)
	m.files["/s/swept"] = file{data: `{"old":{"../../etc/x":29,"x":29}}`}
	again(m, l)
	if n := m.calls["ReadFile"]; n != 1 {
		t.Errorf("%d files were read, want the stamp alone", n)
	}
	var last leftover
	if decodeStamp(t, m, &last); len(last.Old) > 0 {
		t.Errorf("they are counted on: %v", last.Old)
	}
}

// TestNothingGoesWhenTheStampCannotBeWritten: else a store on a full disk would be swept each time.
func TestNothingGoesWhenTheStampCannotBeWritten(t *testing.T) {
	m, l, _ := dueStore(t)
	undone := rec("k", "a", "D", "S")
	undone.Entries[0].State, undone.Entries[0].Undone = history.Withdrawn, 2
	put(t, l, undone)
	m.before = func(_ int, name string) fault {
		if name == "Write" {
			return fails
		}
		return none
	}
	again(m, l)
	if len(m.recordFiles()) != 1 {
		t.Error("swept without a stamp")
	}
	m.before = nil
	again(m, l)
	if len(m.recordFiles()) != 0 {
		t.Error("not swept with one")
	}
}
