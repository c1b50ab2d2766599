package steps

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Command is a program that is run, and how that has to end.
type Command struct {
	Program string
	Args    []string
	// Note is shown beside it: what of its surroundings its words do not tell.
	Note  string
	Env   []string
	Stdin string
	// Dir is where it is run; where it is empty, where the demo is.
	Dir string
	// Quiet has it shown only where whole outputs are.
	Quiet bool
	// Exit is the exit code that it has to end with.
	Exit int
	// Says are texts that lines of its output have to have, in any order. In the short form these
	// lines are shown, in this order.
	Says []string
	// Line tells the state that a line of output has of its own, and the text of the line.
	Line func(line string) (state, text string)
}

// Output is what a program wrote, and its exit code.
type Output struct {
	Stdout, Stderr []byte
	Exit           int
}

// Process returns the process that a command asks for, not started yet.
func (s *Stage) Process(c Command) *exec.Cmd {
	p := exec.Command(filepath.Join(s.Bin, c.Program), c.Args...)
	p.Env, p.Dir = c.Env, c.Dir
	return p
}

// Run runs a command to its end, and shows nothing.
func (s *Stage) Run(c Command) (Output, error) {
	p := s.Process(c)
	var stdout, stderr bytes.Buffer
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(c.Stdin), &stdout, &stderr
	err := p.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Output{}, err
	}
	return Output{stdout.Bytes(), stderr.Bytes(), p.ProcessState.ExitCode()}, nil
}

// Play shows a command, runs it, shows what it says, and holds it to its end.
func (s *Stage) Play(c Command) (out Output) {
	s.Do(func() (err error) {
		hidden := c.Quiet && !s.Whole
		if !hidden {
			s.Ask(c.String(), c.Note)
		}
		if out, err = s.Run(c); err != nil {
			return err
		}
		shown, err := c.excerpts(out)
		switch {
		case s.Whole:
			s.Answer(c.end(out), fmt.Sprintf("exit code %d", out.Exit))
			s.Document(out.both())
		case !hidden:
			s.answers(shown)
		}
		return err
	})
	return out
}

// String is the command as somebody types it.
func (c Command) String() string { return c.Program + " " + strings.Join(c.Args, " ") }

// both is all that a program wrote.
func (o Output) both() string { return string(o.Stdout) + string(o.Stderr) }

// end is what an exit code tells.
func (c Command) end(out Output) string {
	switch out.Exit {
	case 0:
		return "done"
	case 3:
		return "refused"
	}
	return "failed"
}

// answer is a line of an answer, with the state that it tells, if any.
type answer struct{ state, text string }

// excerpts returns the lines of an output that are shown. It returns an error if the command did
// not end as it has to.
func (c Command) excerpts(out Output) (shown []answer, err error) {
	var lacks []string
	for _, want := range c.Says {
		if a, ok := c.find(out.both(), want); ok {
			shown = append(shown, a)
		} else {
			lacks = append(lacks, want)
		}
	}
	if shown != nil {
		shown[0].state = cmp.Or(shown[0].state, c.end(out))
	}
	switch {
	case out.Exit != c.Exit:
		err = fmt.Errorf("%s: the exit code is %d, want %d; it said:\n%s", c, out.Exit, c.Exit,
			indented(out.both()))
	case lacks != nil:
		err = fmt.Errorf("%s: it did not say %q; it said:\n%s", c, lacks, indented(out.both()))
	}
	return shown, err
}

// find returns what is shown of the first line that has the text wanted, and reports whether there
// is one.
func (c Command) find(said, want string) (found answer, ok bool) {
	for line := range strings.Lines(said) {
		text, state := line, ""
		if c.Line != nil {
			state, text = c.Line(line)
		}
		if text, ok := excerpt(steady(text), want); ok {
			return answer{state, text}, true
		}
	}
	return answer{}, false
}

// answers shows the lines of an answer.
func (s *Stage) answers(lines []answer) {
	for _, l := range lines {
		if l.state == "" {
			s.More(l.text)
			continue
		}
		s.Answer(l.state, l.text)
	}
}
