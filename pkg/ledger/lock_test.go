package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

var (
	timeNow    = time.Now
	background = context.Background()
)

// childVar makes the test binary another process on the same ledger, and says what it does.
const childVar = "LEDGER_TEST_CHILD"

func TestMain(m *testing.M) {
	args := os.Args[1:]
	switch os.Getenv(childVar) {
	case "":
		code := m.Run()
		_ = os.RemoveAll(filepath.Dir(binary.path))
		os.Exit(code)
	case "attempt":
		attempt(args[0])
	case "hold":
		holdUntilTold(args[0], args[1:])
	case "count":
		count(args[0], args[1:])
	case "act":
		actAndUndo(args[0], args[1])
	}
	os.Exit(0)
}

func child(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	exe := testBinary(t)
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = childEnv(what)
	return cmd
}

// childEnv makes a child of this binary. One with the race detector would sleep a second before it
// ends.
func childEnv(what string) []string {
	return append(os.Environ(), childVar+"="+what, "GORACE=atexit_sleep_ms=0")
}

// binary is this test's binary where an ordinary user may run it.
var binary struct {
	once sync.Once
	path string
}

func testBinary(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := os.MkdirTemp("", "ledger-test-")
		if err != nil {
			t.Fatal(err)
		}
		binary.path = filepath.Join(dir, "ledger.test")
		if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(binary.path, data, 0o755)); err != nil {
			t.Fatal(err)
		}
	})
	return binary.path
}

func mustLock(dir, key string, things ...string) func() {
	l, err := Open(background, dir, OSDisk{}, time.Now)
	if err != nil {
		panic(err)
	}
	release, err := l.Lock(background, key, things...)
	if err != nil {
		panic(err)
	}
	return release
}

// holdUntilTold takes locks, says so, and holds them until its input ends.
func holdUntilTold(dir string, names []string) {
	release := mustLock(dir, names[0], names[1:]...)
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	release()
}

// count adds to a number in a file, many times, each time with the locks held.
func count(dir string, args []string) {
	rounds, _ := strconv.Atoi(args[0])
	counter := filepath.Join(dir, "counter")
	for range rounds {
		release := mustLock(dir, args[1], args[2:]...)
		data, err := os.ReadFile(counter)
		if err != nil {
			panic(err)
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			panic(err)
		}
		// Not in one write: another one inside would see it torn.
		if err := os.WriteFile(counter, nil, 0o600); err != nil {
			panic(err)
		}
		if err := os.WriteFile(counter, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
			panic(err)
		}
		release()
	}
}

// holder is another process that holds locks.
type holder struct {
	cmd *exec.Cmd
	in  io.Closer
}

func startHolder(t *testing.T, dir string, names ...string) *holder {
	t.Helper()
	cmd := child(t, "hold", append([]string{dir}, names...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &holder{cmd, in}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return h
}

func TestOneProcessGoesTheOtherIsToldConflict(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	startHolder(t, dir, "k", "eni-a", "10.0.0.9")
	for _, names := range [][]string{
		{"k"}, {"k", "a first one"}, {"other", "eni-a"}, {"other", "10.0.0.9"},
		{"other", "eni-b", "10.0.0.9"}, {"k", "eni-a", "10.0.0.9"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		release, err := l.Lock(ctx, names[0], names[1:]...)
		cancel()
		if release != nil {
			t.Fatalf("%v: both have it", names)
		}
		wantClass(t, err, protocol.Conflict, "another executor process", "try again")
		var f *protocol.Failure
		if errors.As(err, &f); !f.MayRetry() {
			t.Errorf("%v: the conflict is not retryable", names)
		}
	}
	// Nothing of what was refused is still held, and what nobody has can be had.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	release, err := l.Lock(ctx, "other", "eni-b", "a first one")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestTheOtherWaitsForItsTurn(t *testing.T) {
	for _, end := range []string{"released", "killed"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, OSDisk{})
			h := startHolder(t, dir, "k", "eni-a")
			got := make(chan error)
			go func() {
				release, err := l.Lock(t.Context(), "other", "eni-a")
				if err == nil {
					release()
				}
				got <- err
			}()
			select {
			case err := <-got:
				t.Fatalf("did not wait: %v", err)
			case <-time.After(20 * time.Millisecond):
			}
			if end == "killed" {
				_ = h.cmd.Process.Kill()
			}
			_ = h.in.Close()
			if err := <-got; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoRoundIsLost: processes that take the same locks in any order, and take each other's lock
// files away when they are done, are alone inside each time.
func TestNoRoundIsLost(t *testing.T) {
	const processes, rounds = 6, 150
	dir := t.TempDir()
	open(t, dir, OSDisk{})
	if err := os.WriteFile(filepath.Join(dir, "counter"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	exe := testBinary(t)
	var cmds []*exec.Cmd
	for i := range processes {
		things := []string{"the counter", "a", "b"}
		if i%2 == 1 {
			slices.Reverse(things)
		}
		args := append([]string{dir, strconv.Itoa(rounds), "key " + strconv.Itoa(i%3)}, things...)
		cmd := exec.CommandContext(t.Context(), exe, args...)
		cmd.Env = childEnv("count")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	data, _ := os.ReadFile(filepath.Join(dir, "counter"))
	if string(data) != strconv.Itoa(processes*rounds) {
		t.Errorf("%s rounds counted, want %d", data, processes*rounds)
	}
	left, _ := os.ReadDir(filepath.Join(dir, "locks"))
	if len(left) != 0 {
		t.Errorf("lock files left behind: %v", left)
	}
}

// actAndUndo acts and undoes many times on an attribute that other processes act on, too.
func actAndUndo(dir, name string) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	shared := Attribute{"shared", "value"}
	for round := range 25 {
		l, err := Open(background, dir, OSDisk{}, time.Now)
		must(err)
		r := rec(name+" "+strconv.Itoa(round), shared.Resource, "on", "on")
		r.Entries[0].State = history.Live
		for _, undo := range []bool{false, true} {
			release, err := l.Lock(background, r.Key, shared.Resource)
			must(err)
			all, err := l.History(background, shared.Resource, shared.Name)
			must(err)
			seqs := map[int64]string{}
			next := int64(1)
			for _, other := range all {
				e := other.Entries[0]
				if seqs[e.Seq] != "" {
					panic(fmt.Sprintf("%s and %s have both the place %d", seqs[e.Seq], e.Key, e.Seq))
				}
				seqs[e.Seq] = e.Key
				next = max(next, e.Seq+1, e.Undone+1)
			}
			if undo {
				if seqs[r.Entries[0].Seq] != r.Key {
					panic(r.Key + " is not in the history")
				}
				r.Entries[0].State, r.Entries[0].Undone = history.Withdrawn, next
			} else {
				r.Entries[0].Seq, r.Entries[0].Begins = next, next == 1
			}
			must(l.Put(background, r))
			l.Tidy(background, r.Key, shared)
			release()
		}
	}
}

// TestProcessesOnOneAttribute: processes that act on one attribute and tidy after each other give
// each action a place of its own, lose none, and leave nothing behind.
func TestProcessesOnOneAttribute(t *testing.T) {
	dir := t.TempDir()
	var cmds []*exec.Cmd
	for i := range 4 {
		cmd := child(t, "act", dir, strconv.Itoa(i))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	later(t, dir, OSDisk{}).Tidy(background, "", Attribute{"shared", "value"})
	if diff := cmp.Diff([]string{"lock", "locks", "records/" + marker}, listing(t, dir)); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
}

// TestALockThatLostItsNameIsNone: who waited with the old file open must not go in beside the one
// who made a new one.
func TestALockThatLostItsNameIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := OSDisk{}.TryOldLock(path)
	if err != nil {
		t.Fatal(err)
	}
	late, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	unlock()
	if err := errors.Join(lockFile(late), stillThere(late, path)); !errors.Is(err, ErrHeld) {
		t.Errorf("a file without its name: %v", err)
	}
	unlock, err = OSDisk{}.TryOldLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for range 2 {
		if _, err := (OSDisk{}).TryOldLock(path); !errors.Is(err, ErrHeld) {
			t.Errorf("a third one: %v", err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the second one's file is gone: %v", err)
	}
}

// TestNobodyTakesAnothersLockFileAway: whoever has a lock finds a file under the lock's name for as
// long as it has it, and always the same.
func TestNobodyTakesAnothersLockFileAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, turns atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for turns.Load() < 2000 && !t.Failed() {
				unlock, err := OSDisk{}.TryOldLock(path)
				if err != nil {
					continue
				}
				if inside.Add(1) != 1 {
					t.Error("two are inside")
				}
				mine, err := os.Stat(path)
				for range 20 {
					there, err2 := os.Stat(path)
					if err != nil || err2 != nil || !os.SameFile(mine, there) {
						t.Errorf("the lock's file was taken away from the one who has it: %v", err2)
						break
					}
				}
				turns.Add(1)
				inside.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
}

func TestALockNamesNothingOutsideItsDirectory(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, OSDisk{})
	release, err := l.Lock(t.Context(), "../../x", "../y", "/etc/z", strings.Repeat("long", 1000))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"attributes", "keys", "lock", "locks", "records"}
	if diff := cmp.Diff(want, entries(t, dir)); diff != "" {
		t.Errorf("names in the store (-want +got):\n%s", diff)
	}
	release()
}

// entries are the names in a directory, sorted.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}
