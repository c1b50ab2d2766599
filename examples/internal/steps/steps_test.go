package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shell is a folder with a program of its own, which runs its argument.
func shell(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n" + `eval "$1"` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "tool"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestADemoEndsAtTheStepThatFails: what its program is told is its exit code, and no later step is
// played or shown.
func TestADemoEndsAtTheStepThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		command Command
		exit    int
		reason  string
	}{
		"as it should": {Command{Args: []string{"echo done; exit 3"}, Exit: 3,
			Says: []string{"done"}}, 0, ""},
		"another exit code": {Command{Args: []string{"exit 3"}}, 1,
			"demo-x: a step did not end as it should: tool exit 3: the exit code is 3, want 0"},
		"another answer": {Command{Args: []string{"echo no"}, Says: []string{"yes", "no"}}, 1,
			`tool echo no: it did not say ["yes"]; it said:` + "\n      no\n"},
		"not shown": {Command{Args: []string{"exit 1"}, Quiet: true}, 1, "the exit code is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			c.command.Program = "tool"
			played := false
			var out, failure bytes.Buffer
			exit := Main("demo-x", []string{"-bin", shell(t)}, &out, &failure,
				func(_ context.Context, s *Stage) {
					s.Play(c.command)
					s.Heading("after")
					s.Do(func() error { played = true; return nil })
				})
			if exit != c.exit || !strings.Contains(failure.String(), c.reason) {
				t.Errorf("exit code %d, want %d and %q:\n%s", exit, c.exit, c.reason, &failure)
			}
			if ok := c.exit == 0; played != ok || strings.Contains(out.String(), "after") != ok ||
				strings.HasSuffix(out.String(), "\nEvery step ended as it should.\n") != ok {
				t.Errorf("played %t, and said\n%s", played, &out)
			}
		})
	}
}

// TestASignalEndsTheDemo: nothing more is played, what the demo made is taken away, and no step is
// blamed for what the signal did to it.
func TestASignalEndsTheDemo(t *testing.T) {
	for _, by := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, within := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s within a step %t", by, within), func(t *testing.T) {
				endedBy(t, by, within)
			})
		}
	}
}

func endedBy(t *testing.T, by syscall.Signal, within bool) {
	var out, failure bytes.Buffer
	var dir string
	exit := Main("demo-x", nil, &out, &failure, func(ctx context.Context, s *Stage) {
		dir = s.Dir
		stop := func() error {
			if err := syscall.Kill(os.Getpid(), by); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return errors.New("its program was interrupted")
		}
		if within {
			s.Do(stop)
		} else {
			_ = stop()
		}
		s.Do(func() error { t.Error("it goes on"); return nil })
	})
	if exit != 1 || failure.String() != "demo-x: it was interrupted\n" {
		t.Errorf("exit code %d: %s", exit, &failure)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

// asProgram has the test's binary play a demo on the streams of its process.
const asProgram = "STEPS_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	os.Exit(Main("demo-x", nil, os.Stdout, os.Stderr, func(_ context.Context, s *Stage) {
		s.Say("one")
		s.Do(func() error { fmt.Fprintln(os.Stderr, "it goes on"); return nil })
	}))
}

// TestADemoThatCantBeShownFails: it ends, as where its output goes to a program that has ended, and
// takes away what it made.
func TestADemoThatCantBeShownFails(t *testing.T) {
	unread, nobody, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	unread.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for reason, stdout := range map[string]*os.File{
		"broken pipe": nobody, "no space left on device": full,
	} {
		t.Run(reason, func(t *testing.T) {
			dir := t.TempDir()
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+dir)
			var failure bytes.Buffer
			c.Stdout, c.Stderr = stdout, &failure
			_ = c.Run()
			want := "demo-x: cannot show it: write /dev/stdout: " + reason + "\n"
			if c.ProcessState.ExitCode() != 1 || failure.String() != want {
				t.Errorf("%s, and it said\n%swant\n%s", c.ProcessState, &failure, want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("it left %v; %v", left, err)
			}
		})
	}
}

func TestAWrongFlagIsWrongUsage(t *testing.T) {
	var out, failure bytes.Buffer
	exit := Main("demo-x", []string{"-no"}, &out, &failure, func(context.Context, *Stage) {
		t.Error("it plays")
	})
	if exit != 2 || !strings.Contains(failure.String(), "not defined: -no") || out.Len() > 0 {
		t.Errorf("exit code %d: %s%s", exit, &failure, &out)
	}
}

// TestHowAStepIsShown: the short form and the whole one.
func TestHowAStepIsShown(t *testing.T) {
	const printf = `printf 'one\n\nnumber of 2 at 2026-11-29T15:15:41Z\nskipped three\tx\n'`
	play := func(_ context.Context, s *Stage) {
		s.Heading("A heading")
		s.Say("A sentence.")
		says := []string{"one", "…of 2 at…", "three"}
		s.Play(Command{Program: "tool", Args: []string{printf}, Note: "a note", Says: says,
			Line: func(l string) (_, text string) {
				if text, ok := strings.CutPrefix(l, "skipped "); ok {
					return "skipped", text
				}
				return "", l
			}})
		s.Play(Command{Program: "tool", Args: []string{"echo prepared"}, Quiet: true})
		s.Holds("what EC2 has")
	}
	const asked = "  → tool " + printf + "   a note\n"
	for flag, want := range map[string]string{
		"-v=false": asked + "  ← done       one\n               …of 2 at…\n  ← skipped    three x\n",
		"-v": asked + "  ← done       exit code 0\n      one\n\n      number of 2 at " +
			"2026-11-29T15:15:41Z\n      skipped three  x\n" +
			"  → tool echo prepared\n  ← done       exit code 0\n      prepared\n",
	} {
		var out, failure bytes.Buffer
		Main("demo-x", []string{"-bin", shell(t), flag}, &out, &failure, play)
		_, got, _ := strings.Cut(out.String(), "A heading\n")
		want = "  A sentence.\n" + want + "  = what EC2 has\n\nEvery step ended as it should.\n"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s%s", flag, diff, &failure)
		}
	}
}

func TestAWideLineIsWrapped(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"a  b", []string{"a  b"}},
		{"1234567890", []string{"1234567890"}},
		{"12345 7890 2", []string{"12345 7890", "2"}},
		{"12345 78901 3", []string{"12345", "78901 3"}},
		{"→2345 7890 2", []string{"→2345 7890", "2"}},
		{"12345678901 34", []string{"12345678901", "34"}},
	} {
		if diff := cmp.Diff(c.want, wrap(c.text, 10)); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

// TestWhatDiffersIsLeftOut: times and digests.
func TestWhatDiffersIsLeftOut(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	for line, want := range map[string]string{
		"at\t2026-11-29T15:15:41Z,  then\n":         "at …, then",
		"seen: 2026-11-29 15:15:41 UTC":             "seen: …",
		"is Sun 15:15 UTC, was Tue 00:00-24:00 UTC": "is …, was …",
		"sha256:" + digest:                          "sha256:…",
		"eni-01088600000000011":                     "eni-01088600000000011",
		"\x1b[2J":                                   "·[2J",
	} {
		if got := steady(line); got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}

func TestALineMayBeShownInPart(t *testing.T) {
	for want, shown := range map[string]string{
		"two": "one two three", "two…": "one two…", "…two": "…two three", "…two…": "…two…",
		"…one": "one two three", "three…": "one two three", "four": "",
	} {
		got, ok := excerpt("one two three", want)
		if got != shown || ok != (shown != "") {
			t.Errorf("%q: %q, %t", want, got, ok)
		}
	}
}
