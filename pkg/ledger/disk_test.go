package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// begin is what is on a disk before a step of it breaks. Other keys' records are there as well.
type begin struct {
	name string
	make func(*testing.T, *memory)
	// has is the key's record, by its From.
	has string
}

const absent = "(no record)"

// operations on the key k, and what it has once they return nil.
var operations = []struct {
	name string
	do   func(*Ledger) error
	has  string
}{
	{"put", func(l *Ledger) error { return l.Put(background, rec("k", "a", "new", "on")) }, "new"},
	{"put for another attribute", func(l *Ledger) error {
		return l.Put(background, rec("k", "c", "new", "on"))
	}, "new"},
	{"put for one more attribute", func(l *Ledger) error {
		return l.Put(background, both(rec("k", "a", "new", "on"), rec("k", "c", "new", "on")))
	}, "new"},
	{"remove", func(l *Ledger) error { return l.Remove(background, "k") }, absent},
}

func begins(t *testing.T) []begin {
	others := func(t *testing.T, m *memory) *Ledger {
		l := open(t, "/s", m)
		put(t, l, rec("other", "a", "off", "on"))
		put(t, l, rec("third", "b", "off", "on"))
		return l
	}
	return []begin{
		{"no record", func(t *testing.T, m *memory) { others(t, m) }, absent},
		{"a record", func(t *testing.T, m *memory) {
			put(t, others(t, m), rec("k", "a", "old", "on"))
		}, "old"},
		{"a record of a shared and an own attribute", func(t *testing.T, m *memory) {
			put(t, others(t, m), both(rec("k", "a", "old", "on"), rec("k", "d", "old", "on")))
		}, "old"},
		{"an index entry that leads nowhere", func(t *testing.T, m *memory) {
			stray(t, m, others(t, m))
		}, absent},
	}
}

// both is a record with the entries of two.
func both(r, other Record) Record {
	r.Entries = append(r.Entries, other.Entries...)
	return r
}

// stray leaves index entries of the key k without its record, as a kill does.
func stray(t *testing.T, m *memory, l *Ledger) {
	t.Helper()
	m.before = func(_ int, name string) fault {
		if name == "Write" {
			return killed
		}
		return none
	}
	r := both(rec("k", "a", "older", "on"), rec("k", "e", "older", "on"))
	if !dies(func() { put(t, l, r) }) || len(m.recordFiles()) != 2 || len(m.indexFiles()) != 4 {
		t.Fatalf("%d records, %d index entries", len(m.recordFiles()), len(m.indexFiles()))
	}
	m.before = nil
}

// dies runs do, and reports whether a step of it killed the process.
func dies(do func()) (died bool) {
	defer func() {
		if p := recover(); p != nil {
			_, died = p.(dead)
			if !died {
				panic(p)
			}
		}
	}()
	do()
	return false
}

// has returns which record the key has, by its From.
func has(t *testing.T, l *Ledger, key string) string {
	t.Helper()
	r, ok := mustGet(t, l, key)
	if !ok {
		return absent
	}
	return r.Entries[0].From
}

// check looks at a disk that works again, after an operation that was broken.
func check(t *testing.T, m *memory, before, after string, done bool) {
	t.Helper()
	l := open(t, "/s", m)
	switch got := has(t, l, "k"); {
	case done && got != after:
		t.Errorf("the operation was done, and the key has %q, not %q", got, after)
	case got != before && got != after:
		t.Errorf("the key has %q, neither %q as before nor %q as after", got, before, after)
	}
	for _, key := range []string{"other", "third"} {
		if got := has(t, l, key); got != "off" {
			t.Errorf("the record of %q is %q", key, got)
		}
	}
	indexed(t, m, l)
	// And everything can go on.
	put(t, l, rec("k", "a", "next", "on"))
	if got := has(t, l, "k"); got != "next" || len(m.recordFiles()) != 3 {
		t.Errorf("afterwards the key has %q, in %d records", got, len(m.recordFiles()))
	}
	if err := l.Remove(background, "k"); err != nil || has(t, l, "k") != absent {
		t.Errorf("afterwards it can't be removed: %v", err)
	}
}

// indexed checks that each record on a disk is found by each attribute that it has an entry of,
// and by no other.
func indexed(t *testing.T, m *memory, l *Ledger) {
	t.Helper()
	for _, resource := range []string{"a", "b", "c", "d", "e"} {
		var want, got []string
		for file := range m.recordFiles() {
			name, _ := recordName(file)
			if r, ok, err := l.readFile(name); err == nil && ok && r.Has(Attribute{resource, "value"}) {
				want = append(want, r.Key)
			}
		}
		all, err := l.History(background, resource, "value")
		if err != nil {
			t.Errorf("the history of %s: %v", resource, err)
		}
		for _, r := range all {
			got = append(got, r.Key)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("the history of %s has the keys %q, want %q", resource, got, want)
		}
	}
}

// TestNoStepOfADiskCanLoseARecord breaks every step of every operation in every way, and cuts the
// power after it.
func TestNoStepOfADiskCanLoseARecord(t *testing.T) {
	for _, b := range begins(t) {
		for _, op := range operations {
			t.Run(b.name+", "+op.name, func(t *testing.T) {
				start := newMemory()
				b.make(t, start)
				breakEach(t, start, func(m *memory) error {
					l, err := Open(background, "/s", m, m.clock)
					if err != nil {
						return err
					}
					return op.do(l)
				}, func(t *testing.T, m *memory, done bool) {
					check(t, m, b.has, op.has, done)
				})
			})
		}
	}
}

// TestARecordSurvivesALossOfPowerFromTheFirst: the very first record, in directories that were made
// for it.
func TestARecordSurvivesALossOfPowerFromTheFirst(t *testing.T) {
	m := newMemory()
	put(t, open(t, "/s", m), rec("k", "a", "off", "on"))
	if got := has(t, open(t, "/s", m.afterPowerLoss(0)), "k"); got != "off" {
		t.Errorf("Put had returned, and after a loss of power the key has %q", got)
	}
}

func TestAStoreThatCannotBeReadIsRefused(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	put(t, l, rec("k", "a", "off", "on"))
	before := maps.Clone(m.files)
	step := ""
	m.before = func(_ int, name string) fault {
		if name == step {
			return fails
		}
		return none
	}
	step = "ReadFile"
	_, _, err := l.Get(background, "k")
	wantClass(t, err, protocol.StateStore, "/s/keys/", errBroken.Error())
	wantClass(t, l.Put(background, rec("k", "a", "new", "on")), protocol.StateStore, "/s/keys/")
	wantClass(t, l.Remove(background, "k"), protocol.StateStore, "/s/keys/")
	_, err = l.History(background, "a", "value")
	wantClass(t, err, protocol.StateStore, "/s/keys/")
	step = "ReadDir"
	_, err = l.History(background, "a", "value")
	wantClass(t, err, protocol.StateStore, "/s/attributes/")
	step = "ModTime"
	_, err = Open(background, "/s", m, time.Now)
	wantClass(t, err, protocol.StateStore, "/s/records/"+marker)
	_, err = Read(background, "/s", m, time.Now)
	wantClass(t, err, protocol.StateStore, "/s/records/"+marker)
	if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

// foreign are names that this package makes for no record and no index entry.
var foreign = []string{
	"notes.txt", "x.json", "records.json~", strings.Repeat("0", 31), strings.Repeat("0", 33),
	strings.Repeat("0", 32) + ".bak", strings.Repeat("0", 31) + "G", strings.Repeat("A", 32), ".json",
}

func TestAForeignIndexEntryIsRefusedByName(t *testing.T) {
	for _, name := range foreign {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			put(t, l, rec("k", "a", "off", "on"))
			path := filepath.Join(l.indexPath(Attribute{"a", "value"}), name)
			m.files[path] = file{data: "mine"}
			_, err := l.History(background, "a", "value")
			wantClass(t, err, protocol.StateStore, path)
			l.Tidy(background, "k", Attribute{"a", "value"})
			if m.files[path].data != "mine" {
				t.Error("the foreign file was touched")
			}
			delete(m.files, path)
			if all, err := l.History(background, "a", "value"); err != nil || len(all) != 1 {
				t.Errorf("with the file moved away: %v, %v", all, err)
			}
		})
	}
}

// attempt is run in a process of its own, as a user of its own: it says what each step of a run on
// the ledger at dir comes to.
func attempt(dir string) {
	l, err := Open(background, dir, OSDisk{}, timeNow)
	say := func(step string, err error) { fmt.Printf("%s: %v\n", step, err) }
	say("open", err)
	if err != nil {
		return
	}
	release, err := l.Lock(background, "k", "a")
	say("lock", err)
	if err != nil {
		return
	}
	defer release()
	r, ok, err := l.Get(background, "k")
	say("get", err)
	if ok {
		say("has", fmt.Errorf("%s", r.Entries[0].From))
	}
	say("put", l.Put(background, rec("k", "a", "new", "on")))
	r, _, err = l.Get(background, "k")
	if err == nil && len(r.Entries) > 0 {
		say("then", fmt.Errorf("%s", r.Entries[0].From))
	}
	if err := l.Put(background, rec("k", "elsewhere", "new", "on")); err != nil && r.Entries != nil {
		say("put elsewhere", err)
	}
}

// TestABadDirectory runs on the machine's own file system, as an ordinary user.
func TestABadDirectory(t *testing.T) {
	cannot := func(what, path, why string) string {
		return fmt.Sprintf("%s %q, where prior facts are kept: %s", what, filepath.Join("DIR", path), why)
	}
	same := func(_ *testing.T, dir string) string { return dir }
	mode := func(below string, mode os.FileMode) func(*testing.T, string) string {
		return func(t *testing.T, dir string) string {
			chmod(t, filepath.Join(dir, below), mode)
			return dir
		}
	}
	under := func(names ...string) func(*testing.T, string) string {
		return func(_ *testing.T, dir string) string {
			return filepath.Join(append([]string{dir}, names...)...)
		}
	}
	const denied, full = "permission denied", "no space left on device"
	got := []string{"open: <nil>", "lock: <nil>", "get: <nil>", "has: old"}
	tests := []struct {
		name string
		// bad spoils a ledger that holds a record, and may give another directory.
		bad func(t *testing.T, dir string) string
		// in runs the attempt in a file system of its own.
		in   func(*exec.Cmd)
		want []string
	}{
		{"fine", same, nil, append(got[:4:4], "put: <nil>", "then: new")},
		{"it is a file", under("records", marker), nil,
			[]string{cannot("open: cannot read", "records/MARKER", "not a directory")}},
		{"it is below a file", under("records", marker, "x"), nil,
			[]string{cannot("open: cannot read", "records/MARKER", "not a directory")}},
		{"it is not absolute", func(*testing.T, string) string { return "state" }, nil,
			[]string{`open: cannot use "DIR", where prior facts are kept: want an absolute path`}},
		{"it can't be made", func(t *testing.T, dir string) string {
			chmod(t, dir, 0o500)
			return filepath.Join(dir, "new")
		}, nil, []string{cannot("open: cannot create", "", denied)}},
		{"it can't be entered", mode("", 0), nil,
			[]string{cannot("open: cannot read", "records/MARKER", denied)}},
		{"the records can't be written", mode("keys", 0o500), nil, append(got[:4:4],
			cannot("put: cannot write", "keys/.tmp-NAME", denied), "then: old",
			cannot("put elsewhere: cannot write", "keys/.tmp-NAME", denied))},
		{"the records can't be read", mode("keys", 0o200), nil, append(got[:2:2],
			cannot("get: cannot read", "keys/NAME", denied),
			cannot("put: cannot read", "keys/NAME", denied))},
		{"the index can't be written", mode("attributes", 0o500), nil, append(got[:4:4],
			"put: <nil>", "then: new",
			cannot("put elsewhere: cannot write", "attributes/INDEX/KEY", denied))},
		{"the index can't be read", mode("attributes", 0o300), nil, append(got[:4:4],
			"put: <nil>", "then: new", cannot("put elsewhere: cannot sync", "attributes", denied))},
		{"the lock can't be written", mode("lock", 0o400), nil,
			[]string{"open: <nil>", cannot("lock: cannot lock", "lock", denied)}},
		{"read-only", same, mounted("mount --bind $DIR $DIR && mount -o remount,bind,ro $DIR"),
			[]string{"open: <nil>", cannot("lock: cannot lock", "lock", "read-only file system")}},
		{"full", same, mounted("cp -r $DIR $DIR.kept && mount -t tmpfs -o size=64k,mode=777 x $DIR" +
			" && cp -r $DIR.kept/. $DIR" +
			" && (dd if=/dev/zero of=$DIR/filler bs=1k || true) 2>/dev/null"),
			append(got[:4:4], cannot("put: cannot write", "keys/.tmp-NAME", full), "then: old",
				cannot("put elsewhere: cannot write", "keys/.tmp-NAME", full))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(ordinaryDir(t), "state")
			put(t, open(t, dir, OSDisk{}), rec("k", "a", "old", "on"))
			if tt.in == nil {
				own(t, dir)
			}
			dir = tt.bad(t, dir)
			cmd := child(t, "attempt", dir)
			if tt.in == nil {
				asOrdinaryUser(cmd)
			} else if tt.in(cmd); !canMount() {
				t.Skip("this machine gives no file system of one's own")
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			text := strings.NewReplacer(
				dir, "DIR", marker, "MARKER", advice, "", keyName("k")+recordEnding, "NAME",
				keyName("k"), "KEY", indexName(Attribute{"elsewhere", "value"}), "INDEX",
			).Replace(string(out))
			got := strings.Split(strings.TrimSpace(text), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// advice ends every message.
const advice = "; nothing was changed; repair it, or name another directory with EXECUTOR_STATE_DIR"

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
}

const nobody = 65534

// ordinaryDir is a directory that an ordinary user may enter.
func ordinaryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ledger-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	chmod(t, dir, 0o755)
	return dir
}

// own gives what is below dir to the user that asOrdinaryUser runs as.
func own(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// asOrdinaryUser has the command run without root's power over permissions.
func asOrdinaryUser(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}

// mounted has the command run after a mount that only it sees. DIR is its last argument.
func mounted(script string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		dir := cmd.Args[len(cmd.Args)-1]
		script = "DIR=" + dir + "; " + script + `; exec "$0" "$@"`
		cmd.Args = append([]string{"sh", "-ec", script}, cmd.Args...)
		cmd.Path = "/bin/sh"
		cmd.SysProcAttr = ownMounts()
	}
}

func ownMounts() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

func canMount() bool {
	cmd := exec.Command("/bin/sh", "-c", "mount -t tmpfs x /tmp")
	cmd.SysProcAttr = ownMounts()
	return cmd.Run() == nil
}

// TestOSDisk: what is written replaces what was there, for the owner only, and what is no file is
// not waited for.
func TestOSDisk(t *testing.T) {
	dir, d := filepath.Join(t.TempDir(), "made"), OSDisk{}
	if err := d.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x")
	for _, text := range []string{"a longer text", "short", ""} {
		if err := d.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := d.ReadFile(path); string(got) != text || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for name, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, dir, filepath.Join(dir, "none")} {
		if _, err := d.ReadFile(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// TestOSDiskWaitsForNoPipe: who opens a pipe waits for its other end, without end. No step does.
func TestOSDiskWaitsForNoPipe(t *testing.T) {
	d, pipe := OSDisk{}, filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, step := range map[string]func() error{
		"Create":   func() error { return d.Create(pipe, []byte("x")) },
		"Write":    func() error { return d.Write(pipe, []byte("x")) },
		"ReadFile": func() error { _, err := d.ReadFile(pipe); return err },
		"ReadDir":  func() error { _, err := d.ReadDir(pipe); return err },
		"ReadSome": func() error { _, _, err := d.ReadSome(pipe, 0); return err },
	} {
		if step() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if info, err := os.Stat(pipe); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := d.Sync(pipe); err != nil {
		t.Error(err)
	}
}

// TestSyncTree: a tree of few files and one of many are synced without an error, and one that is
// not there is an error.
func TestSyncTree(t *testing.T) {
	dir := t.TempDir()
	for _, files := range []int{1, manyFiles + 1} {
		for i := range files {
			if err := (OSDisk{}).Create(filepath.Join(dir, strconv.Itoa(i)), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := (OSDisk{}).SyncTree(dir); err != nil {
			t.Errorf("%d files: %v", files, err)
		}
	}
	if err := (OSDisk{}).SyncTree(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there was synced")
	}
	if err := syncFileSystem(filepath.Join(dir, "none")); err == nil {
		t.Error("the file system of a directory that is not there was synced")
	}
}

// TestReadSome: the parts of a directory are all of it, each name once, and each part is small.
func TestReadSome(t *testing.T) {
	dir := t.TempDir()
	const many = 2000
	for i := range many {
		if err := (OSDisk{}).Create(filepath.Join(dir, keyName(strconv.Itoa(i))), nil); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	place, parts := int64(0), 0
	for {
		names, next, err := OSDisk{}.ReadSome(dir, place)
		if err != nil {
			t.Fatal(err)
		}
		if len(names) > 700 {
			t.Errorf("%d names at once", len(names))
		}
		for _, name := range names {
			seen[name]++
		}
		if next == 0 {
			break
		}
		place, parts = next, parts+1
	}
	for name, times := range seen {
		if times != 1 || !isName(name) {
			t.Errorf("%s was listed %d times", name, times)
		}
	}
	if len(seen) != many {
		t.Errorf("%d names in %d parts, want %d", len(seen), parts, many)
	}
	_, _, err := OSDisk{}.ReadSome(filepath.Join(dir, "none"), 0)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}
