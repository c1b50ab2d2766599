package ledger

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// told is what one entry of a store says, in one line.
func told(r Record, e Entry) string {
	words := []string{r.Key, e.Resource, e.Attribute, e.From, ">", e.To, string(e.State)}
	if e.Begins {
		words = append(words, "begins")
	}
	if e.Backup {
		words = append(words, "backup")
	}
	if e.Aim != "" || (e.State == history.Withdrawn) != (e.Undone > e.Seq) {
		words = append(words, "MARRED")
	}
	return strings.Join(words, " ")
}

// tell returns the entries of some records, each attribute's in order.
func tell(records []Record) []string {
	type place struct {
		Attribute
		seq int64
	}
	lines := map[place]string{}
	for _, r := range records {
		for _, e := range r.Entries {
			lines[place{e.attribute(), e.Seq}] = told(r, e)
		}
	}
	places := slices.SortedFunc(maps.Keys(lines), func(a, b place) int {
		if c := strings.Compare(a.Resource+a.Name, b.Resource+b.Name); c != 0 {
			return c
		}
		return int(a.seq - b.seq)
	})
	var all []string
	for _, p := range places {
		all = append(all, lines[p])
	}
	return all
}

// fixture is a copy of a store that the last program of form 1 wrote.
func fixture(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(dir, os.DirFS("testdata/form1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "README.md")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wantFixture is what the fixture is in form 2.
var wantFixture = []string{
	"forward-1 eni-01088600000000012 sourceDestCheck true > false pending begins",
	"fence-1 eni-01088600000000020 securityGroups sg-01088000000000000,sg-01088000000000002" +
		" > sg-01088000000000003 live begins",
	"fence-1 eni-01088600000000021 securityGroups sg-01088000000000002" +
		" > sg-01088000000000003 live begins",
	"fence-1 i-01088600000000020 fenceBackup none > 1795893301" +
		" eni-01088600000000020=sg-01088000000000000,sg-01088000000000002" +
		" eni-01088600000000021=sg-01088000000000002 live begins backup",
	"route-1 rtb-01088000000000060/10.99.9.0/24 target none" +
		" > eni-01088600000000011 withdrawn begins",
	"route-2 rtb-01088000000000060/10.99.9.0/24 target eni-01088600000000011" +
		" > eni-01088600000000011 live",
	"gone-1 vpc-01088000000000000/10.88.60.40 holder none" +
		" > eni-01088600000000011 withdrawn begins",
	"cut-1 vpc-01088000000000000/10.88.60.41 holder none" +
		" > eni-01088600000000011 pending begins",
	"address-1 vpc-01088000000000000/10.88.60.9 holder none" +
		" > eni-01088600000000011 live begins",
	"address-2 vpc-01088000000000000/10.88.60.9 holder eni-01088600000000011" +
		" > eni-01088600000000012 live",
}

// TestCaseAStoreOfTheLastProgram: what the last program of form 1 wrote is read as form 2 by a
// dry-run, which changes nothing, and migrated by an execute.
func TestCaseAStoreOfTheLastProgram(t *testing.T) {
	dir := fixture(t)
	before := listing(t, dir)
	dry, err := Read(background, dir, OSDisk{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	wantStore(t, dry)
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("the dry-run changed files (-before +after):\n%s", diff)
	}

	wantStore(t, open(t, dir, OSDisk{}))
	dry, err = Read(background, dir, OSDisk{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	wantStore(t, dry)
	// All records were asked for, so none of form 1 is left. A sweep sees that.
	for _, want := range []string{migrating, marker} {
		if diff := cmp.Diff([]string{want}, entries(t, filepath.Join(dir, "records"))); diff != "" {
			t.Errorf("left in records (-want +got):\n%s", diff)
		}
		open(t, dir, OSDisk{}).Sweep(background)
	}

	// It serves, with the digests and facts of then.
	l := open(t, dir, OSDisk{})
	r, ok, err := l.Get(background, "address-2")
	if err != nil || !ok || !strings.HasPrefix(r.Digest, "2:1e7c754e") || r.Revision != 2 ||
		r.Facts["priorHolder"] != "eni-01088600000000011" || r.Target != nil ||
		!r.Acted.Equal(time.Date(2026, 11, 28, 19, 15, 1, 245108231, time.UTC)) {
		t.Errorf("address-2: %t, %v, %+v", ok, err, r)
	}
	put(t, l, r)
	l.Tidy(background, "address-2", Attribute{"vpc-01088000000000000/10.88.60.40", "holder"})
	if _, ok := mustGet(t, l, "gone-1"); ok {
		t.Error("what was withdrawn and holds nothing is kept for ever")
	}
}

// wantStore checks a ledger against wantFixture, by key and by attribute.
func wantStore(t *testing.T, l *Ledger) {
	t.Helper()
	var all []Record
	for _, line := range wantFixture {
		key := strings.Fields(line)[0]
		r, ok, err := l.Get(background, key)
		if err != nil || !ok {
			t.Fatalf("%s: %t, %v", key, ok, err)
		}
		all = append(all, r)
	}
	if diff := cmp.Diff(wantFixture, tell(all)); diff != "" {
		t.Errorf("by key (-want +got):\n%s", diff)
	}
	for _, line := range wantFixture {
		words := strings.Fields(line)
		found, err := l.History(background, words[1], words[2])
		if err != nil || !slices.ContainsFunc(found, func(r Record) bool { return r.Key == words[0] }) {
			t.Errorf("by attribute, %q: %v, %v", line, found, err)
		}
	}
}

// listing is the files below a directory.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestAnOlderProgramRefusesTheMarkers: a program of form 1 uses a directory of records only if
// each name in it is that of a record or of a file on its way.
func TestAnOlderProgramRefusesTheMarkers(t *testing.T) {
	for _, name := range []string{marker, migrating} {
		if isForm1Name(name) || strings.HasPrefix(name, ".tmp-") {
			t.Errorf("an older program takes %q for its own", name)
		}
	}
}

// old1 writes a record of form 1, as its program did.
func old1(t *testing.T, m *memory, r form1) string {
	t.Helper()
	r.Version = 1
	data, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	path := "/s/records/" + r.fileName()
	m.mkdirAll("/s/records")
	m.files[path] = file{data: string(data), at: m.clock()}
	m.kept = maps.Clone(m.files)
	m.late = nil
	return path
}

func at(minute int) time.Time { return time.Date(2026, 4, 1, 10, minute, 0, 0, time.UTC) }

// one is a record of form 1 of one transition, as "key state from>to", with "via" after "~" and
// "!" for what is gone.
func one(t *testing.T, text string, written time.Time) form1 {
	t.Helper()
	words := strings.Fields(text)
	from, to, ok := strings.Cut(words[2], ">")
	if !ok {
		t.Fatalf("%q", text)
	}
	to, gone := strings.CutSuffix(to, "!")
	to, via, _ := strings.Cut(to, "~")
	return form1{
		Key: words[0], Action: "on", Digest: "2:x", State: words[1], Revision: 1, Written: written,
		Transitions: []transition1{{
			Resource: "a", Attribute: "value", From: from, To: to, Via: via, Gone: gone,
		}},
	}
}

func TestConvert(t *testing.T) {
	tests := []struct {
		name string
		// old are the records in the order of their times.
		old  []string
		want []string
	}{
		{"one in force", []string{"k in-force D>S"}, []string{"k a value D > S live begins"}},
		{"one cut short", []string{"k intended D>S~V"}, []string{"k a value D > S pending begins"}},
		{"one upon the other", []string{"k in-force D>S", "b in-force S>S", "c in-force S>T"},
			[]string{
				"k a value D > S live begins", "b a value S > S live", "c a value S > T live",
			}},
		{"a stranger between", []string{"k in-force D>S", "b in-force X>S"},
			[]string{"k a value D > S live begins", "b a value X > S live begins"}},
		{"upon one that was cut short, before its change", []string{"k intended D>S", "b in-force D>T"},
			[]string{"k a value D > S pending begins", "b a value D > T live"}},
		{"upon one that was cut short, on its way", []string{"k intended D>S~V", "b in-force V>T"},
			[]string{"k a value D > S pending begins", "b a value V > T live"}},
		{"an undo put off, its holder in force", []string{"k released D>S", "b in-force S>S"},
			[]string{"k a value D > S withdrawn begins", "b a value S > S live"}},
		{"an undo put off, its holder cut short", []string{"k released D>S", "b intended S>S"},
			[]string{"k a value D > S withdrawn begins", "b a value S > S pending"}},
		{"an undo put off between two in force",
			[]string{"k in-force D>A", "b released A>S", "c in-force S>S"},
			[]string{
				"k a value D > A live begins", "b a value A > S withdrawn", "c a value S > S live",
			}},
		{"an undo put off, its holder undone", []string{"k released D>S"},
			[]string{"k a value D > S pending begins"}},
		{"two undos put off, their holder undone", []string{"k released D>S", "b released S>S"},
			[]string{"k a value D > S pending begins", "b a value S > S pending"}},
		{"taken away by another's undo", []string{"k released D>S!"},
			[]string{"k a value D > S withdrawn begins"}},
		{"taken away, and made anew", []string{"k released D>S!", "b in-force D>S"},
			[]string{"k a value D > S withdrawn begins", "b a value D > S live begins"}},
		{"an undo put off beside what was taken away", []string{"k released D>S", "b released S>S!"},
			[]string{"k a value D > S pending begins", "b a value S > S withdrawn"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			for i, text := range tt.old {
				old1(t, m, one(t, text, at(i)))
			}
			l := open(t, "/s", m)
			all, err := l.History(background, "a", "value")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tell(all)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConvertKeepsWhatARecordSays(t *testing.T) {
	m := newMemory()
	r := one(t, "k intended D>S~V", at(1))
	r.Transitions = append(r.Transitions,
		transition1{Resource: "b", Attribute: "tags", From: "x", To: "x", Backup: true})
	r.Facts, r.Revision, r.Digest = map[string]string{"prior": "D"}, 7, "an older form"
	old1(t, m, r)
	// A kill left the record before it, under the name for other resources.
	older := r
	older.Revision, older.Transitions = 6, r.Transitions[:1]
	older.Transitions[0].To = "Z"
	old1(t, m, older)
	older.Transitions[0].To = "S"
	old1(t, m, r)
	got, ok, err := open(t, "/s", m).Get(background, "k")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	got.Sum = ""
	want := Record{
		Version: 2, Key: "k", Action: "on", Digest: "an older form",
		Facts: map[string]string{"prior": "D"}, Acted: at(1), Revision: 7, Written: at(1),
		Entries: []Entry{
			{Entry: history.Entry{
				Seq: 1, Key: "k", From: "D", To: "S", Via: "V", State: history.Pending, Begins: true,
			}, Resource: "a", Attribute: "value"},
			{Entry: history.Entry{
				Seq: 1, Key: "k", From: "x", To: "x", State: history.Pending, Begins: true,
			}, Resource: "b", Attribute: "tags", Backup: true},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTiesAreBrokenByKey: of records written at one time the order is still the same each time.
func TestTiesAreBrokenByKey(t *testing.T) {
	m := newMemory()
	for _, key := range []string{"b", "a", "c"} {
		old1(t, m, one(t, key+" in-force S>S", at(1)))
	}
	all, err := open(t, "/s", m).History(background, "a", "value")
	want := []string{
		"a a value S > S live begins", "b a value S > S live", "c a value S > S live",
	}
	if diff := cmp.Diff(want, tell(all)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// oldStore is a store of form 1 with four records on two attributes, and a file on its way.
func oldStore(t *testing.T) *memory {
	m := newMemory()
	for i, text := range []string{"k released D>S", "b in-force S>S", "c intended S>T"} {
		old1(t, m, one(t, text, at(i)))
	}
	other := one(t, "d in-force off>on", at(4))
	other.Transitions[0].Resource = "b"
	old1(t, m, other)
	m.files["/s/records/.tmp-half.json"] = file{data: "{"}
	m.kept = maps.Clone(m.files)
	return m
}

var wantOldStore = []string{
	"k a value D > S withdrawn begins", "b a value S > S live", "c a value S > T pending",
	"d b value off > on live begins",
}

// wantMigrated checks that the records of oldStore are there, by key and by attribute.
func wantMigrated(t *testing.T, l *Ledger) {
	t.Helper()
	var byKey, byAttribute []Record
	for _, key := range []string{"k", "b", "c", "d"} {
		r, _, err := l.Get(background, key)
		if err != nil {
			t.Fatal(err)
		}
		byKey = append(byKey, r)
	}
	for _, resource := range []string{"a", "b"} {
		all, err := l.History(background, resource, "value")
		if err != nil {
			t.Fatal(err)
		}
		byAttribute = append(byAttribute, all...)
	}
	for _, got := range [][]Record{byKey, byAttribute} {
		if diff := cmp.Diff(wantOldStore, tell(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// ways are the ways in which a step can end other than well.
var ways = []struct {
	name string
	at   fault
	on   bool
}{
	{"fails once", fails, false}, {"fails from there on", fails, true},
	{"is half done once", tears, false}, {"is half done, and all that come after", tears, true},
	{"kill before", killed, false}, {"kill after", finished, false},
}

// breakEach breaks each step of an operation on a disk in each way. Then the check looks at what
// a kill leaves, and at what a loss of power leaves. It is told whether the operation was done.
func breakEach(
	t *testing.T, start *memory, do func(*memory) error, check func(*testing.T, *memory, bool),
) {
	cases := 0
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			for n := 1; ; n++ {
				m := start.clone()
				m.before = func(step int, _ string) fault {
					if step == n || way.on && step > n {
						return way.at
					}
					return none
				}
				var err error
				died := dies(func() { err = do(m) })
				m.before = nil
				if !died && err != nil {
					wantClass(t, err, protocol.StateStore, `"/`, "nothing was changed")
				}
				for late := range len(m.late) + 1 {
					cases++
					check(t, m.afterPowerLoss(late), !died && err == nil)
				}
				cases++
				check(t, m.clone(), !died && err == nil)
				if t.Failed() {
					t.Fatalf("step %d, of a %s", n, way.name)
				}
				if m.steps < n {
					return // nothing was broken
				}
			}
		})
	}
	t.Logf("%d ends of the operation, all found to be whole", cases)
}

func openAt(m *memory) error {
	_, err := Open(background, "/s", m, m.clock)
	return err
}

// migrateAt asks for some records of oldStore, and has the rest swept.
func migrateAt(m *memory) error {
	l, err := Open(background, "/s", m, m.clock)
	if err != nil {
		return err
	}
	if _, _, err := l.Get(background, "b"); err != nil {
		return err
	}
	if _, err := l.History(background, "a", "value"); err != nil {
		return err
	}
	l.Sweep(background)
	return nil
}

// TestNoStepOfAMigrationLosesARecord breaks each step of a migration, and migrates again.
func TestNoStepOfAMigrationLosesARecord(t *testing.T) {
	breakEach(t, oldStore(t), migrateAt, func(t *testing.T, m *memory, _ bool) {
		dry, err := Read(background, "/s", m, m.clock)
		if err != nil {
			t.Fatal(err)
		}
		wantMigrated(t, dry)
		// An older program may go on where none of the old records is gone, or refuses.
		files := m.below("/s/records/")
		_, ready := files[marker]
		_, begun := files[migrating]
		if !ready && !begun && len(files) != 4 {
			t.Errorf("no marker, and an older program finds %d records of 4", len(files))
		}
		l := open(t, "/s", m)
		wantMigrated(t, l)
		put(t, l, rec("new", "a", "T", "U"))
		wantTidyStore(t, m)
		if err := l.Remove(background, "d"); err != nil {
			t.Error(err)
		}
	})
}

// wantTidyStore checks that nothing is left of a migration but its marker.
func wantTidyStore(t *testing.T, m *memory) {
	t.Helper()
	for range 2 {
		open(t, "/s", m).Sweep(background)
	}
	left := m.below("/s/records/")
	if _, ready := left[marker]; !ready || len(left) != 1 || len(m.below("/s/building/")) != 0 {
		t.Errorf("left of the migration: %v, %v", left, m.below("/s/building/"))
	}
	for path := range m.files {
		if within(path, "/s/locks/") || strings.HasPrefix(path, "/s/"+asidePrefix) {
			t.Errorf("of the locks of older programs %s is left", path)
		}
	}
	wantNoOldLock(t, m)
}

// TestNoStepOfANewStoreIsInTheWay breaks each step of making a store.
func TestNoStepOfANewStoreIsInTheWay(t *testing.T) {
	breakEach(t, newMemory(), openAt, func(t *testing.T, m *memory, _ bool) {
		if _, ok, err := mustRead(t, m).Get(background, "k"); ok || err != nil {
			t.Error(ok, err)
		}
		l := open(t, "/s", m)
		wantTidyStore(t, m)
		put(t, l, rec("k", "a", "off", "on"))
		if got := has(t, open(t, "/s", m.afterPowerLoss(0)), "k"); got != "off" {
			t.Errorf("after a loss of power the key has %q", got)
		}
	})
}

func mustRead(t *testing.T, m *memory) *Ledger {
	t.Helper()
	l, err := Read(background, "/s", m, m.clock)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestTheIndexIsMadeAnew: without its attributes directory a store finds all again, whichever
// step breaks.
func TestTheIndexIsMadeAnew(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, both(rec("k", "a", "off", "on"), rec("k", "b", "off", "on")))
	put(t, l, rec("other", "a", "off", "on"))
	want := m.indexFiles()
	maps.DeleteFunc(m.files, func(path string, _ file) bool { return within(path, l.indexes()) })
	m.kept, m.late = maps.Clone(m.files), nil
	breakEach(t, m, openAt, func(t *testing.T, m *memory, _ bool) {
		indexed(t, m, mustRead(t, m))
		l := open(t, "/s", m)
		indexed(t, m, l)
		if diff := cmp.Diff(want, m.indexFiles()); diff != "" {
			t.Errorf("index (-want +got):\n%s", diff)
		}
		wantTidyStore(t, m)
	})

	m.files[pathOf(rec("k", "a", "", ""))] = file{data: "torn"}
	before := maps.Clone(m.files)
	wantClass(t, openAt(m), protocol.StateStore, pathOf(rec("k", "a", "", "")), "torn")
	if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

// TestATornRecordOfForm1IsRefusedByName: what can't be read is not migrated, and nothing else is.
func TestATornRecordOfForm1IsRefusedByName(t *testing.T) {
	path := "/s/records/" + one(t, "b in-force S>S", at(1)).fileName()
	spoil := map[string]struct {
		do   func(*memory) string
		says string
	}{
		"a bit flipped": {func(m *memory) string {
			data := []byte(m.files[path].data)
			data[len(data)/2] ^= 1
			m.files[path] = file{data: string(data)}
			return path
		}, "torn"},
		"cut": {func(m *memory) string {
			m.files[path] = file{data: m.files[path].data[:40]}
			return path
		}, "torn"},
		"with a sum, and not as written": {func(m *memory) string {
			m.files[path] = file{data: " " + m.files[path].data}
			return path
		}, "torn"},
		"another's": {func(m *memory) string {
			d := one(t, "c intended S>T", at(2))
			m.files[path] = m.files["/s/records/"+d.fileName()]
			return path
		}, "another key or resource"},
		"a foreign file": {func(m *memory) string {
			m.files["/s/records/notes.txt"] = file{data: "mine"}
			return "/s/records/notes.txt"
		}, "no record of this ledger"},
		"newer": {func(m *memory) string {
			m.files[path] = file{data: `{"ledger":3,"key":7}`}
			return path
		}, "newer version"},
	}
	for name, s := range spoil {
		t.Run(name, func(t *testing.T) {
			m := oldStore(t)
			bad := s.do(m)
			before := m.below("/s/records/")
			for _, l := range []*Ledger{mustRead(t, m), open(t, "/s", m)} {
				_, err := l.History(background, "a", "value")
				wantClass(t, err, protocol.StateStore, bad, s.says, "nothing was changed")
				_, _, err = l.Get(background, "k")
				wantClass(t, err, protocol.StateStore, bad, s.says, "nothing was changed")
				// It is in the way only of what it has to do with. A foreign name is of all.
				_, ok, err := l.Get(background, "d")
				if foreign := name == "a foreign file"; ok == foreign || (err != nil) != foreign {
					t.Errorf("another resource: %t, %v", ok, err)
				}
				l.Sweep(background)
			}
			after := m.below("/s/records/")
			delete(after, migrating)
			for _, other := range []form1{one(t, "d in-force off>on", at(4))} {
				other.Transitions[0].Resource = "b"
				delete(before, other.fileName())
				delete(after, other.fileName())
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("records of form 1 (-before +after):\n%s", diff)
			}
			// Moved away, the others are migrated.
			delete(m.files, bad)
			for _, key := range []string{"k", "c", "d"} {
				if _, ok, err := open(t, "/s", m).Get(background, key); !ok || err != nil {
					t.Error(key, ok, err)
				}
			}
		})
	}
	for _, name := range slices.Concat(foreign, []string{strings.Repeat("0", 32) + "-0123.json"}) {
		if isForm1Name(name) {
			t.Errorf("%q passes for a record of form 1", name)
		}
	}
}

// TestAMarkerMovedAway: a store whose marker somebody moved away, as the older program says, goes
// on unless that program has recorded something there.
func TestAMarkerMovedAway(t *testing.T) {
	m := newMemory()
	put(t, open(t, "/s", m), rec("k", "a", "off", "on"))
	delete(m.files, "/s/records/"+marker)
	path := old1(t, m, one(t, "k in-force D>S", at(1)))
	before := maps.Clone(m.files)
	_, err := Read(background, "/s", m, m.clock)
	wantClass(t, err, protocol.StateStore, path, "an older program wrote it beside")
	wantClass(t, openAt(m), protocol.StateStore, path, "an older program wrote it beside")
	if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	// Its action undone by that program, there is no such record.
	delete(m.files, path)
	for _, l := range []*Ledger{mustRead(t, m), open(t, "/s", m)} {
		if got := has(t, l, "k"); got != "off" {
			t.Errorf("the key has %q", got)
		}
	}
	wantTidyStore(t, m)
}

// TestKeysThatAreMissingAreRefused: a store that has lost its records does not begin anew.
func TestKeysThatAreMissingAreRefused(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("k", "a", "off", "on"))
	maps.DeleteFunc(m.files, func(path string, _ file) bool { return within(path, l.keys()) })
	_, err := Read(background, "/s", m, m.clock)
	wantClass(t, err, protocol.StateStore, "/s/keys", "missing")
	wantClass(t, openAt(m), protocol.StateStore, "/s/keys", "missing")
	// The lock alone says so, too.
	maps.DeleteFunc(m.files, func(path string, _ file) bool {
		return within(path, "/s/records") || within(path, l.indexes())
	})
	wantClass(t, openAt(m), protocol.StateStore, "/s/keys", "missing")
}

// TestAnIndexAloneIsRefused: a store of which only the index is left does not begin anew. One that
// holds nothing, as a kill leaves it, does.
func TestAnIndexAloneIsRefused(t *testing.T) {
	start := newMemory()
	l := open(t, "/s", start)
	put(t, l, rec("k", "a", "off", "on"))
	for _, gone := range [][]string{
		{"keys", "records", "lock"}, {"keys", "records", "lock", "locks"},
		{"keys", "records", "lock", "locks", "swept"},
	} {
		m := start.clone()
		for _, name := range gone {
			maps.DeleteFunc(m.files, func(path string, _ file) bool { return within(path, "/s/"+name) })
		}
		before := maps.Clone(m.files)
		_, err := Read(background, "/s", m, m.clock)
		for _, err := range []error{err, openAt(m)} {
			wantClass(t, err, protocol.StateStore, "/s/keys", "missing", "restore it from a backup",
				"move the whole directory away")
		}
		if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
			t.Errorf("files (-before +after):\n%s", diff)
		}
		maps.DeleteFunc(m.files, func(path string, f file) bool {
			return within(path, l.indexes()) && path != l.indexes()
		})
		put(t, open(t, "/s", m), rec("k", "a", "new", "on"))
	}
	// A migration to form 2 that was killed had made the index, and no keys yet.
	m := oldStore(t)
	m.files["/s/records/"+migrating2] = file{}
	m.mkdirAll(l.indexPath(Attribute{"a", "value"}))
	m.files[l.indexEntry(Attribute{"a", "value"}, keyName("k"))] = file{}
	wantMigrated(t, mustRead(t, m))
	wantMigrated(t, open(t, "/s", m))
}

// TestAMigrationWaitsForTheOlderProgram: as long as one is at work, nothing is migrated.
func TestAMigrationWaitsForTheOlderProgram(t *testing.T) {
	defer func(before time.Duration) { prepareWait = before }(prepareWait)
	prepareWait = 20 * time.Millisecond
	dir := fixture(t)
	if err := os.Mkdir(filepath.Join(dir, "locks"), 0o700); err != nil {
		t.Fatal(err)
	}
	unlock, err := OSDisk{}.TryOldLock(filepath.Join(dir, "locks", keyName("the key address-1")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(background, dir, OSDisk{}, time.Now)
	wantClass(t, err, protocol.Conflict, "try again")
	var f *protocol.Failure
	if errors.As(err, &f); !f.MayRetry() {
		t.Error("it may not be tried again")
	}
	files, err := filepath.Glob(filepath.Join(dir, "records", "*.json"))
	if err != nil || len(files) != 8 {
		t.Errorf("%d records of form 1 are left, want 8 (%v)", len(files), err)
	}
	unlock()
	wantStore(t, open(t, dir, OSDisk{}))
}

// TestTwoProcessesMigrateOnce: of several that find a store of form 1, one migrates.
func TestTwoProcessesMigrateOnce(t *testing.T) {
	dir := fixture(t)
	done := make(chan error)
	const programs = 4
	for range programs {
		go func() {
			l, err := Open(background, dir, OSDisk{}, time.Now)
			if err == nil {
				var release func()
				if release, err = l.Lock(context.Background(), "address-1"); err == nil {
					var r Record
					if r, _, err = l.Get(background, "address-1"); err == nil {
						err = l.Put(background, r)
					}
					release()
				}
			}
			done <- err
		}()
	}
	for range programs {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	l := open(t, dir, OSDisk{})
	wantStore(t, l)
	if r, _, err := l.Get(background, "address-1"); err != nil || r.Revision != 2+programs {
		t.Errorf("revision %d, want %d: somebody's write was lost (%v)", r.Revision, 2+programs, err)
	}
}

// TestReadMeanwhile: a dry-run that begins before a migration and goes on after it misses nothing.
func TestReadMeanwhile(t *testing.T) {
	for n := 1; ; n++ {
		m := oldStore(t)
		other := false
		m.before = func(step int, _ string) fault {
			if step == n {
				m.before = nil
				other = true
				if err := openAt(m); err != nil {
					t.Error(err)
				}
			}
			return none
		}
		dry, err := Read(background, "/s", m, m.clock)
		if err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		if !other {
			return
		}
		wantMigrated(t, dry)
		if t.Failed() {
			t.Fatalf("step %d", n)
		}
	}
}

// TestWhatWasBuiltBeforeIsNotTaken: after a migration that was cut short the records of form 1 are
// the truth, and not what was made of them before.
func TestWhatWasBuiltBeforeIsNotTaken(t *testing.T) {
	m := oldStore(t)
	m.before = func(_ int, name string) fault {
		if name == "Rename" {
			return killed
		}
		return none
	}
	if !dies(func() { _ = migrateAt(m) }) {
		t.Fatal("no record got its place")
	}
	m = m.clone()
	delete(m.files, "/s/records/"+one(t, "c intended S>T", at(2)).fileName())
	l := open(t, "/s", m)
	if r, ok := mustGet(t, l, "c"); ok {
		t.Errorf("there is a record of c: %+v", r)
	}
	all, err := l.History(background, "a", "value")
	want := []string{"k a value D > S withdrawn begins", "b a value S > S live"}
	if diff := cmp.Diff(want, tell(all)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestWhatWasUndoneSinceDoesNotComeBack: a kill that leaves a record of form 1 beside the migrated
// one does not bring the record back, once that is removed.
func TestWhatWasUndoneSinceDoesNotComeBack(t *testing.T) {
	for n := 1; ; n++ {
		m, removals := oldStore(t), 0
		m.before = func(_ int, name string) fault {
			if name == "Remove" {
				removals++
			}
			if removals == n {
				return killed
			}
			return none
		}
		died := dies(func() { _ = migrateAt(m) })
		m.before = nil
		for late := range len(m.late) + 1 {
			m := m.afterPowerLoss(late)
			l := open(t, "/s", m)
			if err := l.Remove(background, "c"); err != nil {
				t.Fatal(err)
			}
			for lost := range len(m.late) + 1 {
				if r, ok := mustGet(t, open(t, "/s", m.afterPowerLoss(lost)), "c"); ok {
					t.Fatalf("killed at removal %d, then a loss of power: %+v", n, r)
				}
			}
		}
		if !died {
			return
		}
	}
}

// TestAMigrationIsOfWhatIsAskedFor: records of other resources stay as they are until they are
// asked for, or a sweep comes to them.
func TestAMigrationIsOfWhatIsAskedFor(t *testing.T) {
	m := oldStore(t)
	l := open(t, "/s", m)
	if n := len(m.below("/s/records/")); n != 5 || len(m.recordFiles()) != 0 {
		t.Errorf("opened, and %d names are in records, %d records migrated", n, len(m.recordFiles()))
	}
	put(t, l, rec("new", "b", "on", "off"))
	if _, ok := m.recordFiles()[keyName("d")+recordEnding]; !ok || len(m.recordFiles()) != 2 {
		t.Errorf("written to b, and there are %v", m.recordFiles())
	}
	// A dry-run sees both kinds.
	dry := mustRead(t, m)
	dry.disk = withoutNew{m}
	wantMigrated(t, dry)
	l.Sweep(background)
	if n := len(m.recordFiles()); n != 5 {
		t.Errorf("swept, and %d records are migrated, want 5", n)
	}
	wantMigrated(t, &Ledger{dir: l.dir, disk: withoutNew{m}, now: l.now})
}

// withoutNew is a disk without the record of the key "new".
type withoutNew struct{ Disk }

func (d withoutNew) ReadFile(path string) ([]byte, error) {
	if path == pathOf(Record{Key: "new"}) {
		return nil, os.ErrNotExist
	}
	return d.Disk.ReadFile(path)
}

// TestManyOldRecordsAreMigratedInParts: a sweep migrates a bounded number, and the store is ready
// after the last.
func TestManyOldRecordsAreMigratedInParts(t *testing.T) {
	m, many := newMemory(), 3*oldBatch
	for i := range many {
		r := one(t, "key-"+strconv.Itoa(i)+" in-force D>S", at(i))
		r.Transitions[0].Resource = strconv.Itoa(i)
		old1(t, m, r)
	}
	sweeps := 0
	for before := 0; ; sweeps++ {
		done := len(m.recordFiles())
		if done-before > oldBatch {
			t.Errorf("%d records at once", done-before)
		}
		if _, ready := m.below("/s/records/")[marker]; ready {
			break
		}
		if sweeps > many {
			t.Fatalf("%d records are left", many-done)
		}
		before = done
		open(t, "/s", m).Sweep(background)
	}
	if n := len(m.recordFiles()); n != many || len(m.below("/s/records/")) != 1 {
		t.Errorf("%d records of %d after %d sweeps, and %v", n, many, sweeps, m.below("/s/records/"))
	}
}

// TestAStoreOfForm2 is ready at once. An older program is refused, and waited for.
func TestAStoreOfForm2(t *testing.T) {
	m := newMemory()
	put(t, open(t, "/s", m), rec("k", "a", "off", "on"))
	for _, name := range []string{"/s/lock", "/s/records/" + marker} {
		delete(m.files, name)
	}
	m.files["/s/records/"+marker2] = file{}
	m.mkdirAll("/s/locks")
	m.files["/s/locks/key-x"] = file{}
	m.kept, m.late = maps.Clone(m.files), nil
	if got := has(t, mustRead(t, m), "k"); got != "off" {
		t.Errorf("a dry-run finds %q", got)
	}
	breakEach(t, m, openAt, func(t *testing.T, m *memory, _ bool) {
		if got := has(t, mustRead(t, m), "k"); got != "off" {
			t.Errorf("a dry-run finds %q", got)
		}
		l := open(t, "/s", m)
		if got := has(t, l, "k"); got != "off" {
			t.Errorf("the key has %q", got)
		}
		if _, there := m.files["/s/records/"+marker2]; there {
			t.Error("a program of form 2 would go on")
		}
		wantTidyStore(t, m)
	})
	// A kill between the steps leaves nothing that such a program could lock beside this one.
	defer func(before time.Duration) { prepareWait = before }(prepareWait)
	prepareWait = time.Millisecond
	held, err := m.TryOldLock("/s/locks/key-x")
	if err != nil {
		t.Fatal(err)
	}
	defer held()
	for range 2 {
		wantClass(t, openAt(m), protocol.Conflict, "key-x", "try again")
		if _, ready := m.files["/s/lock"]; ready {
			t.Error("it is ready although an older program is at work")
		}
		wantNoOldLock(t, m)
	}
}

// wantNoOldLock checks that an older program gets no lock, as it takes them: it makes the directory
// where that is missing.
func wantNoOldLock(t *testing.T, disk Disk) {
	t.Helper()
	dir := "/s/locks"
	if _, err := disk.TryOldLock(dir + "/key-y"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("an older program locks with %v", err)
	}
	if err := disk.MkdirAll(dir); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("an older program makes the directory of its locks with %v", err)
	}
}

// TestAnOlderProgramThatWasPausedGetsNoLock: it found no marker and was paused before its lock,
// with the lock's file open or not. The store was migrated meanwhile.
func TestAnOlderProgramThatWasPausedGetsNoLock(t *testing.T) {
	dir := fixture(t)
	locks := filepath.Join(dir, "locks")
	if err := os.Mkdir(locks, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(locks, "key-x")
	opened, err := openFile(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	wantStore(t, open(t, dir, OSDisk{}))
	if err := lockFile(opened); err != nil {
		t.Fatal(err)
	}
	if err := stillThere(opened, path); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("the file that it opened before is its lock: %v", err)
	}
	if _, err := (OSDisk{}).TryOldLock(path); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("it locks with %v", err)
	}
	if err := (OSDisk{}).MkdirAll(locks); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("it makes the directory of its locks with %v", err)
	}
	want := []string{"attributes", "keys", "lock", "locks", "records", "swept"}
	if diff := cmp.Diff(want, entries(t, dir)); diff != "" {
		t.Errorf("names in the store (-want +got):\n%s", diff)
	}
}

// TestAnOlderProgramMakesItsLocksAnew: one takes a lock between any two steps of a migration, and
// makes the directory for that where it is missing. It is waited for.
func TestAnOlderProgramMakesItsLocksAnew(t *testing.T) {
	defer func(before time.Duration) { prepareWait = before }(prepareWait)
	prepareWait = time.Millisecond
	waited, refused := 0, 0
	for n := 1; ; n++ {
		m := oldStore(t)
		m.mkdirAll("/s/locks")
		m.files["/s/locks/key-x"] = file{}
		var unlock func()
		m.before = func(step int, _ string) fault {
			if step != n {
				return none
			}
			m.before = nil
			if m.MkdirAll("/s/locks") == nil {
				unlock, _ = m.TryOldLock("/s/locks/key-y")
			}
			return none
		}
		err := openAt(m)
		if m.before != nil {
			break
		}
		if unlock == nil {
			refused++
			if err != nil {
				t.Errorf("step %d: it got no lock, and this one: %v", n, err)
			}
			continue
		}
		waited++
		wantClass(t, err, protocol.Conflict, "key-y")
		if len(m.recordFiles()) != 0 {
			t.Errorf("step %d: records are migrated", n)
		}
		unlock()
		if err := openAt(m); err != nil {
			t.Errorf("step %d: it has ended, and %v", n, err)
		}
	}
	if waited < 3 || refused < 3 {
		t.Errorf("%d were waited for, %d got no lock: want some of each", waited, refused)
	}
}
