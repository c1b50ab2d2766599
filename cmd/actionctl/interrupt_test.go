package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"aws-provider-executor/pkg/ec2sim"
)

// screen is a terminal with a program on it.
type screen struct {
	*os.File
	t     testing.TB
	c     *exec.Cmd
	ended chan struct{}

	mu    sync.Mutex
	shown bytes.Buffer
	more  chan struct{}
}

// terminal starts actionctl on a terminal that can't move its cursor.
func (s *site) terminal(args ...string) *screen { return s.terminalOf("dumb", args...) }

// terminalOf starts actionctl on a kind of terminal.
func (s *site) terminalOf(kind string, args ...string) *screen {
	s.t.Helper()
	c := s.command(args...)
	c.Env = append(c.Env, "TERM="+kind)
	f, err := pty.StartWithSize(c, &pty.Winsize{Cols: 120, Rows: 40})
	if err != nil {
		s.t.Fatal(err)
	}
	on := &screen{File: f, t: s.t, c: c, ended: make(chan struct{}), more: make(chan struct{}, 1)}
	go on.read()
	return on
}

func (s *screen) read() {
	defer close(s.ended)
	buf := make([]byte, 4096)
	for {
		n, err := s.File.Read(buf)
		s.mu.Lock()
		s.shown.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			if !errors.Is(err, syscall.EIO) && !errors.Is(err, io.EOF) {
				s.t.Errorf("the terminal: %v", err)
			}
			return
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
}

// await waits until the terminal shows a text.
func (s *screen) await(text string) {
	s.t.Helper()
	for !strings.Contains(s.text(), text) {
		select {
		case <-s.more:
		case <-s.ended:
			if !strings.Contains(s.text(), text) {
				s.t.Fatalf("it ended without %q:\n%s", text, s.text())
			}
		case <-time.After(time.Minute):
			s.t.Fatalf("it does not show %q:\n%s", text, s.text())
		}
	}
}

// end waits for the end, and returns the exit code and all that was shown.
func (s *screen) end() (code int, said string) {
	_ = s.c.Wait()
	<-s.ended
	_ = s.File.Close()
	return s.c.ProcessState.ExitCode(), s.text()
}

// TestApprovalIsOfWhatWasShown: what comes into the journal while a person reads is not approved,
// and what is another plan meanwhile, or was asked again, is refused.
func TestApprovalIsOfWhatWasShown(t *testing.T) {
	s := newSite(t)
	s.write("plans.yaml", planText("shown", 1)+planText("replaced", 2)+planText("asked", 3))
	s.must("import", "-f", s.path("plans.yaml"))
	s.must("execute", "1", "2", "3", "--dry-run")
	on := s.terminal("approve", "--key", "*", "--by", "ann")
	on.await("The approval of 3 actions: begin? Only yes is a yes:")

	s.write("more.yaml", planText("later", 4))
	s.must("import", "-f", s.path("more.yaml"))
	s.write("other.yaml", planText("replaced", 5))
	s.must("import", "--requeue", "-f", s.path("other.yaml"))
	s.must("execute", "3", "--dry-run")
	if _, err := io.WriteString(on, "yes\n"); err != nil {
		t.Fatal(err)
	}
	code, said := on.end()
	if code != 3 || !strings.Contains(said, "the plan has changed since it was shown") ||
		!strings.Contains(said, "the executor was asked again since it was shown") {
		t.Errorf("exit %d\n%s", code, said)
	}
	if got := fmt.Sprint(s.rows()); got != "[approved pending pending pending]" {
		t.Errorf("the actions are %s\n%s", got, said)
	}
}

func planText(key string, n int) string {
	return fmt.Sprintf("- {provider: aws, action: assign-secondary-ip, idempotencyKey: %s, target: "+
		"{nicRef: %s, address: 10.88.60.%d, region: %s}}\n", key, ec2sim.LabSpareInterface, 150+n,
		ec2sim.LabRegion)
}

var goOn = regexp.MustCompile(`(?m)^  to go on: actionctl (.*)$`)

// TestCtrlC types it at each call to EC2 that a run makes. Whenever it comes, what was not begun is
// told so and not called failed, what was under way is known or told how to find out, and the
// command that is named brings the rest to its end, with nothing done twice.
func TestCtrlC(t *testing.T) {
	const actions = 3
	for _, of := range []struct {
		name         string
		args, before []string
		done         string
	}{
		{"execute", []string{"execute", "1", "2", "3"}, nil, "succeeded"},
		{"rollback", []string{"rollback", "--all", "--yes"}, []string{"execute", "--all-approved"},
			"rolledBack"},
	} {
		t.Run(of.name, func(t *testing.T) {
			seen := map[string]bool{}
			for n := 0; ; n++ {
				s := newSite(t)
				s.plans(actions)
				if of.before != nil {
					s.must(of.before...)
				}
				changed := s.changingCalls()
				code, said, typed := s.ctrlCAt(n, of.args...)
				if !typed {
					break
				}
				seen[fmt.Sprint(code)] = true
				s.checkInterrupted(of.done, n, code, said)
				if at := goOn.FindStringSubmatch(said); at != nil {
					s.must(strings.Fields(at[1])...)
				} else if code != 0 {
					t.Errorf("at %d it does not say how to go on:\n%s", n, said)
				}
				if got, want := strings.Join(s.rows(), " "),
					strings.TrimSpace(strings.Repeat(of.done+" ", actions)); got != want {
					t.Errorf("at %d the actions are %s\n%s", n, got, said)
				}
				if calls := s.changingCalls() - changed; calls != actions {
					t.Errorf("at %d there were %d changing calls", n, calls)
				}
			}
			if !seen["1"] {
				t.Errorf("no run was interrupted: %v", seen)
			}
		})
	}
}

// checkInterrupted holds what an interrupted run says against the journal.
func (s *site) checkInterrupted(done string, n, code int, said string) {
	s.t.Helper()
	finished := 0
	for _, row := range s.rows() {
		if row == done {
			finished++
		}
	}
	notBegun := regexp.MustCompile(`(\d+) not begun`).FindStringSubmatch(said)
	switch {
	case code == 0 && finished != 3, code == 1 && finished == 3, code != 0 && code != 1:
		s.t.Errorf("at %d exit %d with %d done\n%s", n, code, finished, said)
	case code == 1 && notBegun == nil && finished < 2:
		s.t.Errorf("at %d nothing is told that was not begun\n%s", n, said)
	case code == 1 && !strings.Contains(said, "interrupted: nothing more is begun"):
		s.t.Errorf("at %d it does not say that it was interrupted\n%s", n, said)
	}
	failed := strings.Count(said, ") failed:")
	if failed > 1 || notBegun != nil && fmt.Sprint(3-finished-failed) != notBegun[1] {
		s.t.Errorf("at %d %d failed, %d done, not begun %v\n%s", n, failed, finished, notBegun, said)
	}
}

// ctrlCAt runs on a terminal, and types Ctrl-C at one of the calls to EC2. It reports whether there
// was such a call.
func (s *site) ctrlCAt(n int, args ...string) (code int, said string, typed bool) {
	var made, hit atomic.Int64
	var on *screen
	started := make(chan struct{})
	remove := s.sim.OnCall(func(ec2sim.Call) ec2sim.Verdict {
		if int(made.Add(1)) == n+1 {
			<-started
			hit.Store(1)
			// The terminal makes it a signal to all of the foreground's process group.
			_, _ = io.WriteString(on, "\x03")
		}
		return ec2sim.Proceed
	})
	defer remove()
	on = s.terminal(args...)
	close(started)
	code, said = on.end()
	return code, said, hit.Load() == 1
}
