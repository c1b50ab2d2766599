package ledger

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// rec makes a record of one entry in the history of a resource's value.
func rec(key, resource, from, to string) Record {
	return Record{
		Key: key, Action: "on", Target: map[string]string{"it": resource}, Digest: hash(key + resource),
		Entries: []Entry{{
			Entry: history.Entry{
				Seq: placeOf(hash(key)) % 1e6, Key: key, From: from, To: to, State: history.Pending,
			},
			Resource: resource, Attribute: "value",
		}},
	}
}

func open(t *testing.T, dir string, disk Disk) *Ledger {
	t.Helper()
	l, err := Open(background, dir, disk, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// inAWhile is the time when no undo is sent again any more.
func inAWhile() time.Time { return time.Now().Add(2 * repeatable) }

// later opens a ledger in a while.
func later(t *testing.T, dir string, disk Disk) *Ledger {
	t.Helper()
	l, err := Open(background, dir, disk, inAWhile)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func put(t *testing.T, l *Ledger, r Record) {
	t.Helper()
	if err := l.Put(background, r); err != nil {
		t.Fatal(err)
	}
}

// mustGet reads a key's record without what the ledger itself adds.
func mustGet(t *testing.T, l *Ledger, key string) (Record, bool) {
	t.Helper()
	r, ok, err := l.Get(background, key)
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
	entries, err := os.ReadDir(filepath.Join(dir, "keys"))
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
	got, ok, err := open(t, dir, OSDisk{}).Get(background, "k")
	if err != nil || !ok || got.Revision != 1 || time.Since(got.Written) > time.Hour {
		t.Fatalf("got %+v, %t, %v", got, ok, err)
	}
	if diff := cmp.Diff(want, bare(got)); diff != "" {
		t.Errorf("another process reads (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, "keys", recordNames(t, dir)[0]))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record is readable by others: %v, %v", info.Mode(), err)
	}

	want.Entries[0].State = history.Live
	put(t, l, want)
	if got, _, _ := l.Get(background, "k"); got.Revision != 2 || got.Entries[0].State != history.Live {
		t.Errorf("after a second write: %+v", got)
	}
	for range 2 {
		if err := l.Remove(background, "k"); err != nil {
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
	keys := []string{
		"k", "K", "k ", "k:undo", "../../etc/passwd", "a/b", "\x00", strings.Repeat("long", 5000), "鍵",
	}
	for _, k := range keys {
		put(t, l, rec(k, "a", "off", "on "+k))
	}
	for _, k := range keys {
		if r, ok := mustGet(t, l, k); !ok || r.Entries[0].To != "on "+k {
			t.Errorf("key %.20q: %t, %+v", k, ok, r)
		}
	}
}

func TestPutForOtherAttributes(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("k", "a", "off", "on"))
	put(t, l, both(rec("k", "b", "dim", "on"), rec("k", "c", "dim", "on")))
	if n := len(m.recordFiles()); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	if r, ok := mustGet(t, l, "k"); !ok || r.Entries[0].From != "dim" {
		t.Errorf("got %t, %+v", ok, r)
	}
	indexed(t, m, l)
	if n := len(m.indexFiles()); n != 2 {
		t.Errorf("%d index entries, want 2: %v", n, m.indexFiles())
	}
	if err := l.Remove(background, "k"); err != nil || len(m.indexFiles()) != 0 {
		t.Errorf("%v, left behind: %v", err, m.indexFiles())
	}
	if m.filled("/s/attributes") {
		t.Error("empty directories are left behind")
	}
}

// TestAnIndexDirectoryThatGoesMeanwhile: another process removes the directory of an attribute's
// index entries while it is empty, and this one makes it anew.
func TestAnIndexDirectoryThatGoesMeanwhile(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	gone := 0
	m.before = func(_ int, name string) fault {
		if dir := l.indexPath(Attribute{"a", "value"}); name == "Create" && gone < 3 && m.files[dir].dir {
			gone++
			delete(m.files, dir)
		}
		return none
	}
	put(t, l, rec("k", "a", "off", "on"))
	m.before = nil
	indexed(t, m, l)
	if all, err := l.History(background, "a", "value"); gone == 0 || err != nil || len(all) != 1 {
		t.Errorf("%d times gone: %v, %v", gone, all, err)
	}
}

func TestHistory(t *testing.T) {
	l := open(t, t.TempDir(), OSDisk{})
	brightness := rec("bright", "a", "off", "on")
	brightness.Entries[0].Attribute = "brightness"
	for _, r := range []Record{
		rec("one", "a", "off", "on"), both(rec("two", "a", "on", "on"), rec("two", "b", "x", "y")),
		rec("b's", "b", "off", "on"), brightness,
	} {
		put(t, l, r)
	}
	for _, tt := range []struct {
		name, resource, attribute string
		want                      []string
	}{
		{"of two keys", "a", "value", []string{"one", "two"}},
		{"of another resource", "b", "value", []string{"b's", "two"}},
		{"of another attribute", "a", "brightness", []string{"bright"}},
		{"of a resource that none has", "c", "value", nil},
		{"of an attribute that none has", "b", "brightness", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, err := l.History(background, tt.resource, tt.attribute)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, r := range all {
				keys = append(keys, r.Key)
				if r.Sum == "" || r.Entries[0].Key != r.Key || r.Action != "on" {
					t.Errorf("not whole: %+v", r)
				}
			}
			slices.Sort(keys)
			if diff := cmp.Diff(tt.want, keys); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnIndexEntryThatLeadsNowhereIsIgnored: one without a record, and one whose record has no
// entry of the attribute.
func TestAnIndexEntryThatLeadsNowhereIsIgnored(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("k", "a", "off", "on"))
	put(t, l, rec("other", "b", "off", "on"))
	for _, key := range []string{"never", "other"} {
		m.files[l.indexPath(Attribute{"a", "value"})+"/"+keyName(key)] = file{}
	}
	all, err := l.History(background, "a", "value")
	if err != nil || len(all) != 1 || all[0].Key != "k" {
		t.Errorf("%v, %v", all, err)
	}
}

// TestReadChangesNothing: what a dry-run opens creates, writes and locks nothing.
func TestReadChangesNothing(t *testing.T) {
	stores := map[string]func(*testing.T) *memory{
		"no directory": func(*testing.T) *memory { return newMemory() },
		"form 1":       oldStore,
		"form 2": func(t *testing.T) *memory {
			m := newMemory()
			put(t, open(t, "/s", m), rec("k", "a", "D", "S"))
			return m
		},
		"form 2 without its index": func(t *testing.T) *memory {
			m := newMemory()
			l := open(t, "/s", m)
			put(t, l, rec("k", "a", "D", "S"))
			maps.DeleteFunc(m.files, func(path string, _ file) bool { return within(path, l.indexes()) })
			return m
		},
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			m := store(t)
			before := maps.Clone(m.files)
			m.calls = map[string]int{}
			l := mustRead(t, m)
			release, err := l.Lock(t.Context(), "k", "a")
			if err != nil {
				t.Fatal(err)
			}
			again, err := l.LockKey(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			r, ok, err := l.Get(background, "k")
			if err != nil || ok != (name != "no directory") || ok && r.Entries[0].From != "D" {
				t.Errorf("got %t, %v, %+v", ok, err, r)
			}
			all, err := l.History(background, "a", "value")
			if err != nil || ok != slices.ContainsFunc(all, func(r Record) bool { return r.Key == "k" }) {
				t.Errorf("the history: %v, %v", all, err)
			}
			wantClass(t, l.Put(background, rec("k", "a", "new", "on")), protocol.Internal)
			wantClass(t, l.Remove(background, "k"), protocol.Internal)
			l.Tidy(background, "k", Attribute{"a", "value"})
			release()
			again()
			if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
			for _, call := range []string{"ModTime", "ReadDir", "ReadSome", "ReadFile"} {
				delete(m.calls, call)
			}
			if len(m.calls) != 0 {
				t.Errorf("calls that change or lock: %v", m.calls)
			}
		})
	}
	_, err := Read(background, "state", newMemory(), time.Now)
	wantClass(t, err, protocol.StateStore, "absolute")
}

// TestCalls counts what an execute asks of the disk. Before the first change one file is synced,
// the record, and the directories whose names are new. That it was made is written without a sync.
func TestCalls(t *testing.T) {
	m := newMemory()
	open(t, "/s", m)
	sweptNow(m)
	execute := func(r Record) map[string]int {
		m.calls = map[string]int{}
		l, err := Open(t.Context(), "/s", m, m.clock)
		if err != nil {
			t.Fatal(err)
		}
		release, err := l.Lock(t.Context(), r.Key, "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Get(t.Context(), r.Key); err != nil {
			t.Fatal(err)
		}
		if _, err := l.History(t.Context(), "a", "value"); err != nil {
			t.Fatal(err)
		}
		put(t, l, r)
		if err := l.Done(t.Context(), made(r)); err != nil {
			t.Fatal(err)
		}
		release()
		l.Sweep(t.Context())
		return maps.Clone(m.calls)
	}
	// Open looks for four names, Done for the record, and Sweep for the last sweep.
	const looks = 6
	want := map[string]map[string]int{
		"the first on an attribute": {
			"ModTime": looks, "TryLock": 2, "ReadFile": 1, "ReadDir": 1,
			// The index entry, in a directory that is not there yet, and the mark in it.
			"Mkdir": 1, "Create": 2 + 1, "Sync": 3,
			"Write": 1, "Rename": 1,
		},
		// The other's record is read, and its mark. That is recent, and synced: this one rests on it.
		"a second key": {
			"ModTime": looks + 1, "TryLock": 2, "ReadFile": 1 + 2, "ReadDir": 1,
			"Create": 1 + 1, "Sync": 1 + 3, "Write": 1, "Rename": 1, "SetModTime": 1,
		},
		"the first again": {
			"ModTime": looks + 1, "TryLock": 2, "ReadFile": 2 + 2, "ReadDir": 1,
			"Create": 1, "Sync": 1 + 1, "Write": 1, "Rename": 1, "SetModTime": 1,
		},
		// The other's mark was synced. Nothing of its own record is pending, so one look more tells
		// that the record's index entry is there.
		"it is so already": {
			"ModTime": looks + 1 + 1, "TryLock": 2, "ReadFile": 2 + 1, "ReadDir": 1,
			"Sync": 1, "Write": 1, "Rename": 1,
		},
	}
	got := map[string]map[string]int{
		"the first on an attribute": execute(rec("k", "a", "off", "on")),
		"a second key":              execute(rec("b", "a", "on", "on")),
		"the first again":           execute(rec("k", "a", "off", "on")),
	}
	execute(made(rec("k", "a", "off", "on")))
	got["it is so already"] = execute(made(rec("k", "a", "off", "on")))
	// The index entry by which a record is found is not looked for.
	put(t, open(t, "/s", m), made(rec("k", "b", "off", "on")))
	want["a history that nothing is pending of"] = map[string]int{"ReadDir": 1, "ReadFile": 1}
	l := open(t, "/s", m)
	m.calls = map[string]int{}
	if all, err := l.History(t.Context(), "b", "value"); len(all) != 1 || err != nil {
		t.Fatal(all, err)
	}
	got["a history that nothing is pending of"] = m.calls
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestCostDoesNotGrow: with 10,000 other records the same calls are made as with one.
func TestCostDoesNotGrow(t *testing.T) {
	cost := func(others int) map[string]int {
		m := newMemory()
		l := open(t, "/s", m)
		for i := range others {
			// Each has an attribute of its own and one that a hundred share.
			own, shared := strconv.Itoa(i), "shared "+strconv.Itoa(i/100)
			put(t, l, both(rec("key "+own, own, "off", "on"), rec("key "+own, shared, "off", "on")))
		}
		sweptNow(m)
		m.calls = map[string]int{}
		l = open(t, "/s", m)
		dry := mustRead(t, m)
		for _, l := range []*Ledger{dry, l} {
			if _, ok, err := l.Get(background, "key 0"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if all, err := l.History(background, "0", "value"); len(all) != 1 || err != nil {
				t.Fatal(all, err)
			}
		}
		put(t, l, rec("k", "0", "on", "off"))
		put(t, l, rec("k", "0", "on", "off"))
		put(t, l, both(rec("k", "0", "on", "off"), rec("k", "new", "off", "on")))
		l.Tidy(background, "k", Attribute{"0", "value"}, Attribute{"new", "value"})
		if err := l.Remove(background, "k"); err != nil {
			t.Fatal(err)
		}
		return m.calls
	}
	one, many := cost(1), cost(10_000)
	if diff := cmp.Diff(one, many); diff != "" {
		t.Errorf("calls (-with 1 record +with 10,000):\n%s", diff)
	}
	t.Logf("calls of one round of everything: %v", one)
}
