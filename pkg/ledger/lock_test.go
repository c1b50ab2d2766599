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

	"aws-provider-executor/pkg/protocol"
)

var (
	timeNow    = time.Now
	background = context.Background()
)

// childVar makes the test binary another process on the same ledger: what it does, and its arguments.
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

// childEnv makes a child of this binary. One with the race detector would sleep a second before it ends.
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
	l, err := Open(dir, OSDisk{}, time.Now)
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
		{"k"}, {"k", "a first one"}, {"other", "eni-a"}, {"other", "10.0.0.9"}, {"other", "eni-b", "10.0.0.9"}, {"k", "eni-a", "10.0.0.9"},
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

// TestALockThatLostItsNameIsNone: who waited with the old file open must not go in beside the one who
// made a new one.
func TestALockThatLostItsNameIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	late, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	unlock(first)
	second, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock(second)
	if _, err := tryLock(path); !errors.Is(err, errHeld) {
		t.Errorf("a third one: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the second one's file is gone: %v", err)
	}
}

// TestNobodyTakesAnothersLockFileAway: whoever has a lock finds the file it has under the lock's name
// for as long as it has it.
func TestNobodyTakesAnothersLockFileAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, turns atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for turns.Load() < 2000 && !t.Failed() {
				f, err := tryLock(path)
				if err != nil {
					continue
				}
				if inside.Add(1) != 1 {
					t.Error("two are inside")
				}
				for range 20 {
					mine, _ := f.Stat()
					if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
						t.Errorf("the lock's file was taken away from the one who has it: %v", err)
						break
					}
				}
				turns.Add(1)
				inside.Add(-1)
				unlock(f)
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
	if names, _ := os.ReadDir(filepath.Join(dir, "locks")); len(names) != 4 {
		t.Errorf("%d lock files, want 4", len(names))
	}
	release()
}
