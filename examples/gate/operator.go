package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aws-provider-executor/examples/internal/steps"
)

// The exit codes of actionctl.
const (
	done    = 0
	failed  = 1
	refused = 3
)

// operator runs actionctl on the stand-in.
type operator struct {
	*steps.Stage
	ec2 *steps.StandIn
	env []string
	// files is the folder of the policy and the plans.
	files string
}

func newOperator(ctx context.Context, s *steps.Stage) *operator {
	o := &operator{Stage: s, ec2: s.StandIn(ctx), files: filepath.Join(s.Examples, "gate")}
	o.Do(func() error {
		policy, err := filepath.Abs(o.file("policy.yaml"))
		o.env = append(o.ec2.Env, "USER=demo", "ACTIONCTL_POLICY="+policy)
		return err
	})
	return o
}

// file is the path of a file of the example.
func (o *operator) file(name string) string { return filepath.Join(o.files, name) }

// journal begins a journal of its own, and returns its path.
func (o *operator) journal(name string) string {
	path := filepath.Join(o.Dir, name)
	o.env = append(o.env, "ACTIONCTL_JOURNAL="+path)
	return path
}

// command is one of actionctl, as words that blanks separate.
func (o *operator) command(exit int, words string, says ...string) steps.Command {
	return steps.Command{Program: "actionctl", Args: strings.Fields(words), Env: o.env, Exit: exit,
		Says: says, Line: row}
}

// does plays a command that is done.
func (o *operator) does(words string, says ...string) {
	o.Play(o.command(done, words, says...))
}

// prepares plays a command that was shown before and is done: in the short form it is not shown.
func (o *operator) prepares(words string, says ...string) {
	c := o.command(done, words, says...)
	c.Quiet = true
	o.Play(c)
}

// refuses plays a command that is refused, with a note beside it.
func (o *operator) refuses(words, note string, says ...string) {
	c := o.command(refused, words, says...)
	c.Note = note
	o.Play(c)
}

// refusesUnder plays a command that is refused under the policy with one field replaced, or under
// none where there is no field.
func (o *operator) refusesUnder(field, words string, says ...string) {
	o.Play(o.under(field, o.command(refused, words, says...)))
}

// under returns a command under the policy with one field replaced.
func (o *operator) under(field string, c steps.Command) steps.Command {
	path := ""
	c.Note = "with no policy"
	if field != "" {
		c.Note = "with " + field
		o.Do(func() (err error) {
			path, err = o.policyWith(field)
			return err
		})
	}
	c.Env = append(slices.Clone(c.Env), "ACTIONCTL_POLICY="+path)
	return c
}

// policyWith writes the policy with one field replaced, and returns its path.
func (o *operator) policyWith(field string) (string, error) {
	text, err := os.ReadFile(o.file("policy.yaml"))
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(field, ":")
	var kept strings.Builder
	skip := false
	for line := range strings.Lines(string(text)) {
		inner := strings.HasPrefix(line, "    ")
		skip = strings.HasPrefix(line, "  "+name+":") || skip && inner
		if !skip {
			kept.WriteString(line)
		}
	}
	return o.write("policy-"+name+".yaml", kept.String()+"  "+field+"\n")
}

// write writes a file of the demo's own, and returns its path.
func (o *operator) write(name, text string) (string, error) {
	path := filepath.Join(o.Dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// row tells the state and the text in a line of actionctl: of a row in its table of actions, of a
// result's message, or of a reason.
func row(line string) (state, text string) {
	line = strings.TrimSpace(line)
	if message, ok := strings.CutPrefix(line, `"message": "`); ok {
		return "", strings.TrimSuffix(message, `",`)
	}
	fields := strings.Split(line, "\t")
	if len(fields) != 4 {
		return "", strings.TrimPrefix(line, "actionctl: ")
	}
	message := strings.TrimPrefix(fields[3], "rolled back: ")
	return fields[2], fmt.Sprintf("%s %s: %s", fields[0], fields[1], message)
}
