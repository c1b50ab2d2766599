package ledger

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// player plays actions on attributes as an executor does, and keeps their present values.
type player struct {
	t   *testing.T
	l   *Ledger
	now map[string]string
}

func newPlayer(t *testing.T, l *Ledger) *player {
	return &player{t, l, map[string]string{}}
}

// play does what some lines say, in order. None of them tidies.
//
//	a: k S        the key k wants S of the attribute a
//	a: k S cut    the same, cut short before its answer
//	a: k undo     the action of k is undone
//	a: k undoing  the same, cut short before its answer
//	a: k release  the key k takes away what is there
//	a: X          a stranger changes it
func (p *player) play(lines ...string) {
	p.t.Helper()
	for _, line := range lines {
		resource, rest, _ := strings.Cut(line, ": ")
		words := append(strings.Fields(rest), "", "")
		if words[1] == "" {
			p.now[resource] = words[0]
			continue
		}
		p.act(resource, words[0], words[1], words[2] == "cut")
	}
}

func (p *player) act(resource, key, what string, cut bool) {
	p.t.Helper()
	now, known := p.now[resource]
	if !known {
		now = "D"
	}
	seq, entries := int64(1), []history.Entry(nil)
	all, err := p.l.History(background, resource, "value")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range all {
		for _, e := range r.Entries {
			if e.Resource == resource {
				entries = append(entries, e.Entry)
				seq = max(seq, e.Seq+1, e.Again+1, e.Undone+1)
			}
		}
	}
	v := history.At(entries, now)
	switch what {
	case "undo", "undoing":
		aim := v.Undo(key).Aim
		changed := v.Undoing(key, seq, aim)
		if what == "undo" {
			changed = v.Withdrawn(key, seq, aim)
		}
		p.put(key, resource, changed...)
		now = aim
	case "release":
		e, ok := v.Release(key, now, "none", seq)
		if !ok {
			p.t.Fatal("nothing to release")
		}
		e.State = history.Live
		p.put(key, resource, e)
		now = "none"
	default:
		e := v.Begin(key, what, "", seq)
		if !cut {
			e.State = history.Live
		}
		p.put(key, resource, e)
		now = what
	}
	p.now[resource] = now
}

// put writes a key's record with entries of a resource, each in the place of the one before it.
func (p *player) put(key, resource string, entries ...history.Entry) {
	p.t.Helper()
	r, _, err := p.l.Get(background, key)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Key, r.Action = key, "on"
	for _, e := range entries {
		r.Entries = slices.DeleteFunc(r.Entries, func(old Entry) bool {
			return old.Resource == resource && old.Seq == e.Seq
		})
		r.Entries = append(r.Entries, Entry{Entry: e, Resource: resource, Attribute: "value"})
	}
	put(p.t, p.l, r)
}

// sweptNow makes a store that is not due for a sweep.
func sweptNow(m *memory) {
	m.files["/s/swept"] = file{at: m.clock()}
	m.kept["/s/swept"] = m.files["/s/swept"]
}

// left are the keys that have a record.
func left(t *testing.T, m *memory, l *Ledger) []string {
	t.Helper()
	keys := []string{}
	for file := range m.recordFiles() {
		name, _ := recordName(file)
		if r, ok, err := l.read(name); err == nil && ok {
			keys = append(keys, r.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

var tidies = []struct {
	name string
	play []string
	// own is the key of the one that tidies the attribute a.
	own  string
	want []string
}{
	{"what is live stays", []string{"a: k S", "a: b S"}, "b", []string{"b", "k"}},
	{"what is pending stays", []string{"a: k S cut"}, "k", []string{"k"}},
	{"what is being undone stays", []string{"a: k S", "a: k undoing"}, "k", []string{"k"}},
	{"what is undone alone goes", []string{"a: k S", "a: k undo"}, "k", nil},
	{"what is undone below a live one stays", []string{"a: k S", "a: b S", "a: k undo"}, "k",
		[]string{"b", "k"}},
	{"the last undo takes all with it",
		[]string{"a: k S", "a: b S", "a: k undo", "a: b undo"}, "b", nil},
	{"of two runs the one that is undone goes",
		[]string{"a: k S", "a: X", "a: b T", "a: b undo"}, "b", []string{"k"}},
	{"a release stays, and what it ended goes",
		[]string{"a: k S", "a: b S", "a: op release"}, "op", []string{"op"}},
	{"a release below what is live goes with what it ended",
		[]string{"a: k S", "a: op release", "a: b S"}, "b", []string{"b"}},
	{"what has another entry that is live stays whole",
		[]string{"a: k S", "b: k T", "a: k undo"}, "k", []string{"k"}},
	{"what another attribute does not need either goes",
		[]string{"a: k S", "b: k T", "a: k undo", "b: k undo"}, "k", nil},
	{"of other attributes nothing goes", []string{"b: k S", "b: k undo", "a: own S"}, "own",
		[]string{"k", "own"}},
	{"one's own goes wherever it is", []string{"b: k S", "b: k undo"}, "k", nil},
}

func TestTidy(t *testing.T) {
	for _, tt := range tidies {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			newPlayer(t, l).play(tt.play...)
			sweptNow(m)
			l = later(t, "/s", m)
			release, err := l.Lock(t.Context(), tt.own, "a")
			if err != nil {
				t.Fatal(err)
			}
			l.Tidy(background, tt.own, Attribute{"a", "value"})
			release()
			if diff := cmp.Diff(append([]string{}, tt.want...), left(t, m, l)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			indexed(t, m, l)
			if n := len(m.below("/s/locks/")); n != 0 {
				t.Errorf("%d locks left", n)
			}
		})
	}
}

// TestNoStepOfATidyTakesWhatIsNeeded breaks each step of each tidy.
func TestNoStepOfATidyTakesWhatIsNeeded(t *testing.T) {
	for _, tt := range tidies {
		t.Run(tt.name, func(t *testing.T) {
			start := newMemory()
			newPlayer(t, open(t, "/s", start)).play(tt.play...)
			sweptNow(start)
			breakEach(t, start, func(m *memory) error {
				l, err := Open(background, "/s", m, inAWhile)
				if err == nil {
					l.Tidy(background, tt.own, Attribute{"a", "value"})
				}
				return err
			}, func(t *testing.T, m *memory, _ bool) {
				l := later(t, "/s", m)
				indexed(t, m, l)
				for _, key := range tt.want {
					if _, ok := mustGet(t, l, key); !ok {
						t.Errorf("the record of %s is gone", key)
					}
				}
				// And the next one takes what this one left.
				l.Tidy(background, tt.own, Attribute{"a", "value"})
				if diff := cmp.Diff(append([]string{}, tt.want...), left(t, m, l)); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTidyLeavesWhatIsInUse(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	newPlayer(t, l).play("a: k S", "a: b S", "a: k undo", "a: b undo")
	l = later(t, "/s", m)
	release, err := l.LockKey(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	l.Tidy(background, "b", Attribute{"a", "value"})
	if diff := cmp.Diff([]string{"k"}, left(t, m, l)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	release()
	l.Tidy(background, "", Attribute{"a", "value"})
	if diff := cmp.Diff([]string{}, left(t, m, l)); diff != "" {
		t.Errorf("records, later (-want +got):\n%s", diff)
	}
}

// TestTidyLeavesWhatIsWrittenMeanwhile: a record that is written before its lock is taken stays.
func TestTidyLeavesWhatIsWrittenMeanwhile(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	p := newPlayer(t, l)
	p.play("a: k S", "a: b S", "a: k undo", "a: b undo")
	m.before = func(_ int, name string) fault {
		if name == "TryLock" {
			m.before = nil
			p.play("a: k S")
		}
		return none
	}
	later(t, "/s", m).Tidy(background, "b", Attribute{"a", "value"})
	if m.before != nil {
		t.Fatal("no lock was taken")
	}
	if diff := cmp.Diff([]string{"k"}, left(t, m, l)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestARunIsKeptForAWhile: several actions made up a run, and all are undone. Their records stay
// until no undo of them is sent again; that of a single action goes at once.
func TestARunIsKeptForAWhile(t *testing.T) {
	for _, tt := range []struct {
		name string
		play []string
		want []string
	}{
		{"of several actions", []string{"a: k S", "a: b S", "a: k undo", "a: b undo"},
			[]string{"b", "k"}},
		{"of one action", []string{"a: b S", "a: b undo"}, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			newPlayer(t, l).play(tt.play...)
			sweptNow(m)
			l.Tidy(background, "b", Attribute{"a", "value"})
			if diff := cmp.Diff(tt.want, left(t, m, l)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			later(t, "/s", m).Tidy(background, "b", Attribute{"a", "value"})
			if diff := cmp.Diff([]string{}, left(t, m, l)); diff != "" {
				t.Errorf("records, later (-want +got):\n%s", diff)
			}
		})
	}
}

// TestABackupKeepsNothing: a record goes with its last entry that is no backup.
func TestABackupKeepsNothing(t *testing.T) {
	for _, undone := range []bool{false, true} {
		m := newMemory()
		l := open(t, "/s", m)
		r := both(rec("k", "a", "off", "on"), rec("k", "b", "x", "x"))
		r.Entries[1].Backup = true
		if undone {
			r.Entries[0].State, r.Entries[0].Undone, r.Entries[0].Aim = history.Withdrawn, 2, "off"
		}
		put(t, l, r)
		l.Tidy(background, "k", Attribute{"a", "value"}, Attribute{"b", "value"})
		if _, ok := mustGet(t, l, "k"); ok == undone {
			t.Errorf("undone: %t, and there is a record: %t", undone, ok)
		}
	}
	m := newMemory()
	l := open(t, "/s", m)
	r := rec("k", "a", "x", "x")
	r.Entries[0].Backup = true
	put(t, l, r)
	l.Tidy(background, "k", Attribute{"a", "value"})
	if _, ok := mustGet(t, l, "k"); ok {
		t.Error("a backup alone is kept")
	}
}

// TestWhatCannotBeReadKeepsAll: beside a torn record nothing on its attribute is removed.
func TestWhatCannotBeReadKeepsAll(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	p := newPlayer(t, l)
	p.play("a: k S", "a: b S", "a: k undo", "a: b undo")
	torn := pathOf(rec("b", "a", "", ""))
	m.files[torn] = file{data: "torn"}
	before := maps.Clone(m.files)
	l.Tidy(background, "k", Attribute{"a", "value"})
	delete(m.files, "/s/swept")
	if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	wantClass(t, func() error { _, err := l.History(background, "a", "value"); return err }(),
		protocol.StateStore, torn)
}

// TestTidyTakesStrayIndexEntries: those that lead nowhere go, but for those of a key in use.
func TestTidyTakesStrayIndexEntries(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("other", "b", "off", "on"))
	sweptNow(m)
	dir := l.indexPath(Attribute{"a", "value"})
	m.mkdirAll(dir)
	for _, key := range []string{"never", "other", "busy", "own"} {
		m.files[dir+"/"+keyName(key)] = file{}
	}
	release, err := l.LockKey(t.Context(), "busy")
	if err != nil {
		t.Fatal(err)
	}
	l.Tidy(background, "own", Attribute{"a", "value"})
	names, err := m.ReadDir(dir)
	if diff := cmp.Diff([]string{keyName("busy")}, names); err != nil || diff != "" {
		t.Errorf("%v, index entries (-want +got):\n%s", err, diff)
	}
	release()
	l.Tidy(background, "own", Attribute{"a", "value"})
	if m.files[dir].dir {
		t.Error("the empty directory stays")
	}
	indexed(t, m, l)
}

// TestWhatAReleaseEndedNeverComesBack: as long as a record that a release ended is in use, the
// release stays. Without it that action would be live again.
func TestWhatAReleaseEndedNeverComesBack(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	newPlayer(t, l).play("a: k S", "a: op release", "a: b S")
	unlock, err := l.LockKey(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	l.Tidy(background, "b", Attribute{"a", "value"})
	if diff := cmp.Diff([]string{"b", "k", "op"}, left(t, m, l)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	unlock()
	l.Tidy(background, "b", Attribute{"a", "value"})
	if diff := cmp.Diff([]string{"b"}, left(t, m, l)); diff != "" {
		t.Errorf("records, later (-want +got):\n%s", diff)
	}

	// An old release stays as long, too.
	m = newMemory()
	l = open(t, "/s", m)
	newPlayer(t, l).play("a: k S", "a: op release")
	unlock, err = l.LockKey(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	l.now = func() time.Time { return time.Now().Add(2 * MaxAge) }
	for range 2 * oldSweeps {
		m.files["/s/swept"] = file{data: m.files["/s/swept"].data}
		l.Sweep(background)
	}
	if diff := cmp.Diff([]string{"k", "op"}, left(t, m, l)); diff != "" {
		t.Errorf("records, old (-want +got):\n%s", diff)
	}
	unlock()
	for range 2 * oldSweeps {
		m.files["/s/swept"] = file{data: m.files["/s/swept"].data}
		l.Sweep(background)
	}
	if diff := cmp.Diff([]string{}, left(t, m, l)); diff != "" {
		t.Errorf("records, in the end (-want +got):\n%s", diff)
	}
}

// TestOneRecordHasToGoBeforeAnother: the record of op, the lower one, has to wait for that of z.
func TestOneRecordHasToGoBeforeAnother(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	newPlayer(t, l).play("b: z S", "a: op S", "a: op undo", "b: op release", "b: c T")
	sweptNow(m)
	l.Tidy(background, "c", Attribute{"a", "value"}, Attribute{"b", "value"})
	if diff := cmp.Diff([]string{"c"}, left(t, m, l)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}
