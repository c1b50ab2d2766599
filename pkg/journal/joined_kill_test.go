package journal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"aws-provider-executor/pkg/gate"
)

// joinAndDie claims the actions of a journal and ends them, joined with a flush and with writes
// that are refused. It says what it is told as done, and is killed at a row, at a commit, or once
// it has said so many things.
func joinAndDie(path, at string) {
	said := 0
	say := func(what string) {
		fmt.Println(what)
		if said++; at == fmt.Sprint("said ", said) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}
	dieAt(at)
	ctx := context.Background()
	j, err := Open(ctx, path)
	if err != nil {
		panic(err)
	}
	all, err := j.List(ctx, gate.Query{})
	if err != nil {
		panic(err)
	}
	// Who comes first leads, and takes the others with it.
	together := func(names []string, dos ...func(*writer) error) {
		var waiting []*writing
		for _, do := range dos {
			waiting = append(waiting, j.queue.join(ctx, do))
		}
		for i, w := range waiting {
			if err := j.finish(w); err == nil {
				say(names[i])
			}
		}
	}
	put := func(a *gate.Action, to gate.Status, kind gate.EventKind) func(*writer) error {
		return func(w *writer) error {
			a.Status = to
			written, err := w.apply(gate.Change{Action: *a, Event: event(kind)})
			if err == nil {
				*a = written
			}
			return err
		}
	}
	refused := func(w *writer) error {
		if err := w.log(event(gate.EventDenied)); err != nil {
			return err
		}
		return gate.ErrChanged
	}
	together([]string{"", "running a", "", "running b"}, refused,
		put(&all[0], gate.Running, gate.EventClaimed), refused,
		put(&all[1], gate.Running, gate.EventClaimed))
	together([]string{"flushed", "succeeded a", "running c"}, nil,
		put(&all[0], gate.Succeeded, gate.EventResult), put(&all[2], gate.Running, gate.EventClaimed))
	together([]string{"failed b", "flushed", "succeeded c"},
		put(&all[1], gate.Failed, gate.EventResult), nil,
		put(&all[2], gate.Succeeded, gate.EventResult))
	os.Exit(0)
}

// TestWhatIsToldOfJoinedWritesIsKept: wherever the process is killed among them, and what was
// flushed in the file alone.
func TestWhatIsToldOfJoinedWritesIsKept(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	order := []string{"pending", "running", "succeeded", "failed"}
	check := func(t *testing.T, path string, told []string) {
		j := open(t, path)
		if found := faults(t, j); len(found) > 0 {
			t.Error(found)
		}
		for _, line := range told {
			status, key, is := strings.Cut(line, " ")
			if !is {
				continue
			}
			a, err := j.Find(t.Context(), key)
			if err != nil || slices.Index(order, string(a.Status)) < slices.Index(order, status) {
				t.Errorf("%s was told, and it is %s, %v", line, a.Status, err)
			}
		}
	}
	for _, at := range slices.Concat(numbers(1, 23), []string{"commit", "said 1", "said 2", "said 3",
		"said 4", "said 5", "said 6", "said 7", "never"}) {
		t.Run(at, func(t *testing.T) {
			path := newPath(t)
			j := open(t, path)
			for _, key := range []string{"a", "b", "c"} {
				add(t, j, key)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			c := exec.Command(program)
			c.Env = append(os.Environ(), "JOURNAL_TO_JOIN="+path, "JOURNAL_DIES_AT="+at)
			c.Stderr = os.Stderr
			out, err := c.Output()
			killed := c.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
			if killed == (at == "never") {
				t.Fatalf("%v: %s", err, out)
			}
			told := strings.Split(strings.TrimSpace(string(out)), "\n")
			if at == "never" && len(told) != 8 {
				t.Errorf("told: %q", told)
			}
			if flushed := slices.Index(told, "flushed"); flushed > 0 {
				alone := filepath.Join(t.TempDir(), "journal.db")
				copied(t, path)(alone)
				check(t, alone, told[:flushed])
			}
			check(t, path, told)
		})
	}
}
