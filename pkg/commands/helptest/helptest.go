// Package helptest holds what the help of a tree of commands has to be, for the tests of the
// programs that have one.
package helptest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
)

// Tree checks the help of every command: it fits a screen, says what the command does, and ends
// with examples, of which one is of it: a command that there is, with flags and arguments that it
// takes. TooLong are the commands whose flags have no room on a screen, with how many lines their
// helps have. Fresh makes the tree anew.
func Tree(t *testing.T, fresh func() *cobra.Command, tooLong map[string]int) {
	t.Helper()
	every(fresh(), func(c *cobra.Command) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			var help bytes.Buffer
			c.SetOut(&help)
			if err := c.Help(); err != nil {
				t.Fatal(err)
			}
			c.SetOut(nil)
			Fits(t, help.String(), tooLong[c.CommandPath()])
			if c.Short == "" {
				t.Error("what it does is not told")
			}
			examples, err := shellWords(c.Example)
			if err != nil {
				t.Error(err)
			}
			own := false
			for _, words := range examples {
				of := checkExample(t, fresh(), words)
				own = own || of == c.CommandPath() || strings.HasPrefix(of, c.CommandPath()+" ")
				if c.IsAdditionalHelpTopicCommand() {
					own = own || strings.Join(words, " ") == c.Root().Name()+" help "+c.Name()
				}
			}
			if !own {
				t.Errorf("no example is of it: %q", c.Example)
			}
		})
	})
}

// Fits checks that a help has no line that is too long, no more lines than a screen, or exactly the
// given number where there is one, and ends with examples.
func Fits(t *testing.T, help string, lines int) {
	t.Helper()
	for line := range strings.Lines(help) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > commands.Width {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.HasSuffix(line, " \n") {
			t.Errorf("a blank at the end: %q", line)
		}
	}
	switch n := strings.Count(help, "\n"); {
	case lines == 0 && n > commands.Height:
		t.Errorf("it has %d lines, and a screen %d", n, commands.Height)
	case lines != 0 && n != lines:
		t.Errorf("it has %d lines, not %d", n, lines)
	}
	_, last, found := strings.Cut(help, "\nExamples:\n")
	for line := range strings.Lines(last) {
		found = found && strings.HasPrefix(line, "  ")
	}
	if !found || strings.TrimSpace(last) == "" {
		t.Errorf("it does not end with examples:\n%s", help)
	}
}

// every calls do for each command of a tree.
func every(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		every(sub, do)
	}
}

// checkExample parses a command line as the program does, and returns which command it is of.
func checkExample(t *testing.T, root *cobra.Command, words []string) string {
	t.Helper()
	if words[0] != root.Name() {
		return ""
	}
	line := strings.Join(words, " ")
	if err := commands.CheckCommand(root, words[1:]); err != nil {
		t.Errorf("%s: %v", line, err)
		return ""
	}
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
		case strings.ContainsRune("|\n<> ", r):
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
	// in is set within a word, and skip behind a > or <.
	in, skip bool
}

// end ends a word, and what else a character ends.
func (s *shell) end(by rune) {
	isVariable := len(s.words) == 0 && strings.Contains(s.word, "=")
	if s.in && !s.skip && !isVariable {
		s.words = append(s.words, s.word)
	}
	s.word, s.in = "", false
	s.skip = s.skip || by == '>' || by == '<'
	if by != '|' && by != '\n' {
		return
	}
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words, s.skip = nil, false
}
