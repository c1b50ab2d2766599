package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"aws-provider-executor/pkg/ec2sim/simproc"
)

// stage is where the steps are played.
type stage struct {
	out            io.Writer
	sim            *simproc.Process
	dir, actionctl string
	policy         string
	env            []string
}

func (s *stage) heading(text string) { fmt.Fprintf(s.out, "\n== %s\n", text) }
func (s *stage) step(text string)    { fmt.Fprintf(s.out, "\n# %s\n", text) }

// file writes a file beside the demo's own, and returns its path.
func (s *stage) file(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// expect runs actionctl, shows it, and holds its exit code and a part of what it says.
func (s *stage) expect(code int, says string, args ...string) error {
	fmt.Fprintf(s.out, "$ actionctl %s\n", strings.Join(args, " "))
	c := exec.Command(s.actionctl, args...)
	c.Env = s.env
	said, err := c.CombinedOutput()
	if err := indent(s.out, string(said)); err != nil {
		return err
	}
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		return err
	}
	if got != 0 {
		fmt.Fprintf(s.out, "  (exit %d)\n", got)
	}
	if got != code || !strings.Contains(string(said), says) {
		return fmt.Errorf("actionctl %s: exit %d, want %d and %q in what it says", args[0], got, code,
			says)
	}
	return nil
}

// indent shows what a program says. Off a terminal its tables are separated by tabs, for programs;
// people get columns.
func indent(out io.Writer, said string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for line := range strings.Lines(said) {
		if line != "\n" {
			line = "  " + line
		}
		fmt.Fprint(w, line)
	}
	return w.Flush()
}

// world is everything that the provider holds.
func (s *stage) world() (string, error) {
	var state json.RawMessage
	err := s.sim.Control("state", &state)
	return string(state), err
}

// same holds that the provider is as it was.
func (s *stage) same(before string) error {
	now, err := s.world()
	if err == nil && now != before {
		err = errors.New("the provider is not as it was before")
	}
	if err == nil {
		fmt.Fprintln(s.out, "-> the provider is exactly as it was before")
	}
	return err
}

// steps plays one after the other, up to the first that does not end as it should.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
