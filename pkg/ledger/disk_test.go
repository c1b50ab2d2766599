package ledger

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
	{"put", func(l *Ledger) error { return l.Put(rec("k", "a", "new", "on")) }, "new"},
	{"put under another name", func(l *Ledger) error { return l.Put(rec("k", "c", "new", "on")) }, "new"},
	{"remove", func(l *Ledger) error { return l.Remove("k") }, absent},
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
		{"a record", func(t *testing.T, m *memory) { put(t, others(t, m), rec("k", "a", "old", "on")) }, "old"},
		{"two records, as a kill leaves them", func(t *testing.T, m *memory) { two(t, m, others(t, m), "d", "a") }, "old"},
		{"two records, named the other way round", func(t *testing.T, m *memory) { two(t, m, others(t, m), "a", "d") }, "old"},
	}
}

// two leaves two records of the key k, as a kill before the removal of the older one does.
func two(t *testing.T, m *memory, l *Ledger, older, newer string) {
	t.Helper()
	put(t, l, rec("k", older, "older", "on"))
	m.before = func(_ int, name string) fault {
		if name == "Remove" {
			return killed
		}
		return none
	}
	dies(func() { put(t, l, rec("k", newer, "old", "on")) })
	m.before = nil
	if n := len(m.recordFiles()); n != 4 {
		t.Fatalf("%d records, want 4", n)
	}
}

// dies runs do, and tells whether a step of it killed the process.
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

// has tells which record the key has, by its From.
func has(t *testing.T, l *Ledger, key string) string {
	t.Helper()
	r, ok := mustGet(t, l, key)
	if !ok {
		return absent
	}
	return r.Transitions[0].From
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
	// And everything can go on.
	put(t, l, rec("k", "a", "next", "on"))
	if got := has(t, l, "k"); got != "next" || len(m.recordFiles()) != 3 {
		t.Errorf("afterwards the key has %q, in %d records", got, len(m.recordFiles()))
	}
	if err := l.Remove("k"); err != nil || has(t, l, "k") != absent {
		t.Errorf("afterwards it can't be removed: %v", err)
	}
}

// TestNoStepOfADiskCanLoseARecord breaks every step of every operation, once and from there
// on, in every way, and cuts the power after every step.
func TestNoStepOfADiskCanLoseARecord(t *testing.T) {
	cases := 0
	for _, b := range begins(t) {
		for _, op := range operations {
			ways := []struct {
				name string
				at   fault
				on   bool
			}{
				{"fails once", fails, false}, {"fails from there on", fails, true},
				{"is half done once", tears, false}, {"is half done, and all that come after", tears, true},
				{"kill before", killed, false}, {"kill after", finished, false},
			}
			for _, way := range ways {
				t.Run(b.name+", "+op.name+", "+way.name, func(t *testing.T) {
					start := newMemory()
					b.make(t, start)
					for n := 1; ; n++ {
						m := start.clone()
						l := open(t, "/s", m)
						m.steps, m.before = 0, func(step int, _ string) fault {
							if step == n || way.on && step > n {
								return way.at
							}
							return none
						}
						var err error
						died := dies(func() { err = op.do(l) })
						m.before = nil
						cases++
						if !died && err != nil {
							wantClass(t, err, protocol.StateStore, "/s/records", "nothing was changed")
						}
						for late := range len(m.late) + 1 {
							cases++
							check(t, m.afterPowerLoss(late), b.has, op.has, !died && err == nil)
						}
						check(t, m.clone(), b.has, op.has, !died && err == nil)
						if m.steps < n {
							return // nothing was broken
						}
					}
				})
			}
		}
	}
	t.Logf("%d ends of operations, all found to be whole", cases)
}

// TestARecordSurvivesALossOfPowerFromTheFirst: the very first record, in directories that were made for it.
func TestARecordSurvivesALossOfPowerFromTheFirst(t *testing.T) {
	m := newMemory()
	put(t, open(t, "/s", m), rec("k", "a", "off", "on"))
	if got := has(t, open(t, "/s", m.afterPowerLoss(0)), "k"); got != "off" {
		t.Errorf("Put had returned, and after a loss of power the key has %q", got)
	}
}

func TestAStoreThatCannotBeReadIsRefused(t *testing.T) {
	for _, step := range []string{"ReadDir", "ReadFile"} {
		t.Run(step, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			put(t, l, rec("k", "a", "off", "on"))
			before := maps.Clone(m.files)
			m.before = func(_ int, name string) fault {
				if name == step {
					return fails
				}
				return none
			}
			_, _, err := l.Get("k")
			wantClass(t, err, protocol.StateStore, "/s/records", errBroken.Error())
			wantClass(t, l.Put(rec("k", "a", "new", "on")), protocol.StateStore, "/s/records")
			wantClass(t, l.Remove("k"), protocol.StateStore, "/s/records")
			_, err = l.Others("x", "a")
			wantClass(t, err, protocol.StateStore, "/s/records")
			if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAForeignFileIsRefusedByName(t *testing.T) {
	whole := strings.Repeat("0", 32)
	for _, name := range []string{
		"notes.txt", "x.json", "records.json~", whole + ".json.bak", whole, whole + "-0123.json",
		whole + "-0123456G.json", strings.ToUpper(strings.Repeat("a", 32)) + ".json", whole + "-01234567-.json", "-.json", ".json",
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			put(t, l, rec("k", "a", "off", "on"))
			path := filepath.Join("/s/records", name)
			m.files[path] = file{data: "mine"}
			_, _, err := l.Get("k")
			wantClass(t, err, protocol.StateStore, path)
			wantClass(t, l.Put(rec("k", "a", "new", "on")), protocol.StateStore, path)
			wantClass(t, l.Remove("k"), protocol.StateStore, path)
			if m.files[path].data != "mine" {
				t.Error("the foreign file was touched")
			}
			delete(m.files, path)
			if got := has(t, l, "k"); got != "off" {
				t.Errorf("with the file moved away the key has %q", got)
			}
		})
	}
}

// attempt is run in a process of its own, as a user of its own: it says what each step of a run on
// the ledger at dir comes to.
func attempt(dir string) {
	l, err := Open(dir, OSDisk{}, timeNow)
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
	r, ok, err := l.Get("k")
	say("get", err)
	if ok {
		say("has", fmt.Errorf("%s", r.Transitions[0].From))
	}
	say("put", l.Put(rec("k", "a", "new", "on")))
	r, _, err = l.Get("k")
	if err == nil && len(r.Transitions) > 0 {
		say("then", fmt.Errorf("%s", r.Transitions[0].From))
	}
}

// TestABadDirectory runs on the machine's own file system, as an ordinary user.
func TestABadDirectory(t *testing.T) {
	tests := []struct {
		name string
		// bad spoils a ledger that holds a record, and may give another directory.
		bad func(t *testing.T, dir string) string
		// in runs the attempt in a file system of its own.
		in   func(*exec.Cmd)
		want []string
	}{
		{"fine", func(_ *testing.T, dir string) string { return dir }, nil,
			[]string{"open: <nil>", "lock: <nil>", "get: <nil>", "has: old", "put: <nil>", "then: new"}},
		{"it is a file", func(t *testing.T, dir string) string { return filepath.Join(dir, "swept") }, nil,
			[]string{`open: cannot create "DIR/records", where prior facts are kept: not a directory`}},
		{"it is below a file", func(t *testing.T, dir string) string { return filepath.Join(dir, "swept", "x") }, nil,
			[]string{`open: cannot create "DIR/records", where prior facts are kept: not a directory`}},
		{"it is not absolute", func(t *testing.T, dir string) string { return "state" }, nil,
			[]string{`open: cannot use "DIR", where prior facts are kept: want an absolute path`}},
		{"it can't be made", func(t *testing.T, dir string) string { chmod(t, dir, 0o500); return filepath.Join(dir, "new") }, nil,
			[]string{`open: cannot create "DIR/records", where prior facts are kept: permission denied`}},
		{"it can't be entered", func(t *testing.T, dir string) string { chmod(t, dir, 0); return dir }, nil,
			[]string{`open: cannot create "DIR/records", where prior facts are kept: permission denied`}},
		{"the records can't be written", func(t *testing.T, dir string) string { chmod(t, dir+"/records", 0o500); return dir }, nil,
			[]string{"open: <nil>", "lock: <nil>", "get: <nil>", "has: old",
				`put: cannot write "DIR/records/.tmp-NAME", where prior facts are kept: permission denied`, "then: old"}},
		{"the records can't be read", func(t *testing.T, dir string) string { chmod(t, dir+"/records", 0o300); return dir }, nil,
			[]string{"open: <nil>", "lock: <nil>", `get: cannot read "DIR/records", where prior facts are kept: permission denied`,
				`put: cannot read "DIR/records", where prior facts are kept: permission denied`}},
		{"the locks can't be written", func(t *testing.T, dir string) string { chmod(t, dir+"/locks", 0o500); return dir }, nil,
			[]string{"open: <nil>", `lock: cannot lock "DIR/locks", where prior facts are kept: permission denied`}},
		{"read-only", func(_ *testing.T, dir string) string { return dir }, mounted("mount --bind $DIR $DIR && mount -o remount,bind,ro $DIR"),
			[]string{"open: <nil>", `lock: cannot lock "DIR/locks", where prior facts are kept: read-only file system`}},
		{"full", func(_ *testing.T, dir string) string { return dir },
			mounted("cp -r $DIR $DIR.kept && mount -t tmpfs -o size=64k,mode=777 x $DIR && cp -r $DIR.kept/. $DIR && (dd if=/dev/zero of=$DIR/filler bs=1k || true) 2>/dev/null"),
			[]string{"open: <nil>", "lock: <nil>", "get: <nil>", "has: old",
				`put: cannot write "DIR/records/.tmp-NAME", where prior facts are kept: no space left on device`, "then: old"}},
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
			name := fileName(rec("k", "a", "", ""))
			text := strings.NewReplacer(dir, "DIR", name, "NAME", advice, "").Replace(string(out))
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
		cmd.Args = append([]string{"sh", "-ec", "DIR=" + dir + "; " + script + `; exec "$0" "$@"`}, cmd.Args...)
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

// TestOSDisk: what is written replaces what was there, for the owner only, and what is no file is not waited for.
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
