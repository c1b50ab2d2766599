// Package steps shows the steps of the demos, all in one form, and holds each to its end.
//
// A line with → has what a program is asked. One with ← has its answer, and one with = has what
// EC2 holds. What differs from run to run is shown as … unless whole outputs are asked for.
// After a step that did not end as it should, no further step is played.
package steps

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// Stage is where a demo plays its steps.
type Stage struct {
	// Bin has the built programs, Examples the examples. Dir is the demo's own, and goes with it.
	Bin, Examples, Dir string
	// Whole has documents and outputs shown as they are.
	Whole bool

	out     *screen
	columns int
	// stopped is the error of a demo that is not to go on, though no step failed.
	stopped func() error
	err     error
}

// stops are the signals that end a demo: an interrupt, a terminal that is closed, and an output
// that nobody reads any more.
var stops = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}

// errInterrupted is the error of a demo that a signal ended.
var errInterrupted = errors.New("it was interrupted")

// screen is where a demo is shown. It keeps the first error of writing.
type screen struct {
	to  io.Writer
	err error
}

func (s *screen) Write(text []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.to.Write(text)
	}
	return n, s.err
}

// Main plays a demo, and returns the exit code of its program: 0 when every step ended as it
// should and was shown, 1 when one did not or a signal ended the demo, and 2 for wrong usage.
func Main(
	name string, args []string, stdout, stderr io.Writer, play func(context.Context, *Stage),
) int {
	s := &Stage{out: &screen{to: stdout}}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.Bin, "bin", "bin", "where the built programs are")
	flags.StringVar(&s.Examples, "examples", "examples", "where the examples are")
	flags.BoolVar(&s.Whole, "v", false, "show documents and outputs whole")
	flags.IntVar(&s.columns, "columns", terminalColumns(stdout), "how wide a line is at most")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	s.columns = max(s.columns, leastColumns)
	if err := s.play(play); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

func (s *Stage) play(play func(context.Context, *Stage)) error {
	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.Dir = dir
	if s.Bin, err = filepath.Abs(s.Bin); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), stops...)
	defer stop()
	s.stopped = func() error {
		switch {
		case s.out.err != nil:
			return fmt.Errorf("cannot show it: %w", s.out.err)
		case ctx.Err() != nil:
			return errInterrupted
		}
		return nil
	}
	s.line(blue, "→", "what a program is asked   ← its answer   = what EC2 has", faint)
	play(ctx, s)
	s.Heading("Every step ended as it should.")
	return cmp.Or(s.err, s.stopped())
}

// Do plays a step, unless one before it failed or the demo was stopped. What stops the demo may
// have stopped the step's programs too, so the step is not blamed then.
func (s *Stage) Do(step func() error) {
	if s.err == nil {
		s.err = s.stopped()
	}
	if s.err != nil {
		return
	}
	if err := step(); err != nil {
		s.err = cmp.Or(s.stopped(), fmt.Errorf("a step did not end as it should: %w", err))
	}
}

// Heading begins a part of the demo.
func (s *Stage) Heading(text string) {
	s.show(func() { fmt.Fprintf(s.out, "\n%s\n", bold(text)) })
}

// Say shows a sentence.
func (s *Stage) Say(text string) { s.line(nil, "", text, faint) }

// Ask shows what a program is asked, and a note beside it.
func (s *Stage) Ask(text, note string) {
	if note != "" {
		note = "   " + note
	}
	lines := wrap(text+note, s.room("→ "))
	if first, ok := strings.CutSuffix(lines[0], note); ok && len(lines) == 1 {
		s.show(func() { fmt.Fprintf(s.out, "  %s %s%s\n", blue("→"), first, faint(note)) })
		return
	}
	s.line(blue, "→", text, nil)
	if note != "" {
		s.line(nil, " ", strings.TrimSpace(note), faint)
	}
}

// Answer shows the first line of an answer, with the state that it tells.
func (s *Stage) Answer(state, text string) {
	paint := green
	switch state {
	case "failed", "refused":
		paint = red
	case "skipped", "pending":
		paint = blue
	}
	s.line(paint, fmt.Sprintf("← %-10s", state), text, nil)
}

// More shows a further line of an answer.
func (s *Stage) More(text string) { s.line(nil, fmt.Sprintf("%-12s", ""), text, nil) }

// Holds shows what EC2 holds.
func (s *Stage) Holds(text string) { s.line(bold, "=", text, nil) }

// Good shows that something was held to what it should be, and is.
func (s *Stage) Good(text string) { s.line(nil, "=", text, green) }

// Document shows a text as it is, where whole ones are asked for.
func (s *Stage) Document(text string) {
	if s.Whole && strings.TrimSpace(text) != "" {
		s.show(func() { fmt.Fprint(s.out, indented(text)) })
	}
}

// show has something shown, unless a step failed: nothing after that is true of it.
func (s *Stage) show(print func()) {
	if s.err == nil {
		print()
	}
}
