package cli

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"aws-provider-executor/actions"
)

// tree is the tree of commands as a run of the program makes it.
func tree(t *testing.T) *cobra.Command {
	t.Helper()
	p := &Program{Version: "test", Registry: actions.Registry(), Provider: "aws", Now: time.Now}
	a := &app{
		Program: p, env: map[string]string{}, stdout: io.Discard, stderr: io.Discard,
		stdin: interruptible{t.Context(), strings.NewReader("")},
	}
	return a.root()
}

// everyCommand calls do for each command of a tree.
func everyCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, do)
	}
}

// TestEveryHelp fits a terminal, says what the command does, and has an example that is one of it:
// a command that there is, with flags and arguments that it takes.
func TestEveryHelp(t *testing.T) {
	commands := 0
	everyCommand(tree(t), func(c *cobra.Command) {
		commands++
		t.Run(c.CommandPath(), func(t *testing.T) {
			var help bytes.Buffer
			c.SetOut(&help)
			if err := c.Help(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(help.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > helpWidth {
					t.Errorf("%d columns: %s", n, line)
				}
				if strings.HasSuffix(line, " \n") {
					t.Errorf("a blank at the end: %q", line)
				}
			}
			if c.Short == "" || !strings.Contains(help.String(), "\nExamples:\n") {
				t.Errorf("what it does and an example are not told:\n%s", &help)
			}
			own := false
			examples, err := shellWords(c.Example)
			if err != nil {
				t.Error(err)
			}
			for _, words := range examples {
				of := checkExample(t, words)
				own = own || of == c.CommandPath() || strings.HasPrefix(of, c.CommandPath()+" ")
			}
			if !own {
				t.Errorf("no example is of it: %q", c.Example)
			}
		})
	})
	if commands < 40 {
		t.Errorf("there are %d commands", commands)
	}
}

// checkExample parses a command line as the program does, and returns which command it is of.
func checkExample(t *testing.T, words []string) string {
	t.Helper()
	if words[0] != "actionctl" {
		return ""
	}
	line := strings.Join(words, " ")
	root := tree(t)
	c, rest, err := root.Find(words[1:])
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return ""
	}
	path := c.CommandPath()
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", line, err)
		return path
	}
	if c.Flags().Changed("help") {
		return path
	}
	err = errors.Join(c.ValidateArgs(c.Flags().Args()), c.ValidateRequiredFlags(),
		c.ValidateFlagGroups())
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return path
}

// shellWords are the commands of a shell's text, each as its words up to where its output goes.
// Variables that are set before a command are left out.
func shellWords(text string) ([][]string, error) {
	var s shell
	quote := rune(0)
	for _, r := range strings.ReplaceAll(text, "\\\n", " ") {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			s.word += string(r)
		case r == '\'' || r == '"':
			quote, s.in = r, true
		case strings.ContainsRune("|\n> ", r):
			s.end(r)
		default:
			s.word += string(r)
			s.in = true
		}
	}
	s.end('\n')
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	return s.commands, nil
}

// shell takes words together.
type shell struct {
	commands [][]string
	words    []string
	word     string
	// in is set within a word, and skip behind a >.
	in, skip bool
}

// end ends a word, and what else a character ends.
func (s *shell) end(by rune) {
	isVariable := len(s.words) == 0 && strings.Contains(s.word, "=")
	if s.in && !s.skip && !isVariable {
		s.words = append(s.words, s.word)
	}
	s.word, s.in = "", false
	s.skip = s.skip || by == '>'
	if by != '|' && by != '\n' {
		return
	}
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words, s.skip = nil, false
}

// TestGroupsNameCommands: what the help groups is there, but for what comes later.
func TestGroupsNameCommands(t *testing.T) {
	root := tree(t)
	for _, g := range groups {
		for _, name := range g.commands {
			if c, _, err := root.Find([]string{name}); err != nil || c == root {
				t.Errorf("there is no command %s", name)
			}
		}
	}
}
