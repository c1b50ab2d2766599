package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how many columns a help has at most.
const helpWidth = 100

// groups are the commands by what they are for, in the order in which the help tells them. What is
// in none comes last.
var groups = []struct {
	title    string
	commands []string
}{
	{"The road of an action", []string{
		"plan", "import", "approve", "reject", "execute", "rollback"}},
	{"What there is", []string{
		"status", "list", "show", "journal", "report", "evidence", "nodes"}},
	{"Before it is carried out", []string{
		"doctor", "preflight", "policy", "iam-policy", "actions", "schema"}},
	{"A lab", []string{"smoke", "lab"}},
	{"Past the journal", []string{"run", "undo"}},
}

// setHelp gives a tree of commands its help: what it does, how it is called, examples, flags.
func setHelp(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, name := range g.commands {
			if c, _, err := root.Find([]string{name}); err == nil && c != root {
				c.GroupID = g.title
			}
		}
	}
	root.SetUsageFunc(func(c *cobra.Command) error {
		return writeUsage(c.OutOrStderr(), c)
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		fmt.Fprintf(c.OutOrStdout(), "%s\n\n", wrapped(firstOf(c.Long, c.Short)))
		// A writer that fails is told by the program.
		_ = writeUsage(c.OutOrStdout(), c)
	})
}

func writeUsage(w io.Writer, c *cobra.Command) error {
	c.InitDefaultHelpFlag()
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() {
		fmt.Fprintf(&b, "%s\n", wrapped("  "+c.UseLine()))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	}
	if c.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(c.Example, "\n"))
	}
	writeCommands(&b, c)
	if c.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", c.LocalFlags().FlagUsagesWrapped(helpWidth))
	}
	if c.HasAvailableInheritedFlags() {
		fmt.Fprintf(&b, "\nFlags of every command:\n%s",
			c.InheritedFlags().FlagUsagesWrapped(helpWidth))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help tells more of a command.\n", c.CommandPath())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCommands lists the commands below one, by their groups.
func writeCommands(b *strings.Builder, c *cobra.Command) {
	left := c.Commands()
	var shown []section
	for _, g := range c.Groups() {
		s := section{title: g.Title}
		for _, name := range commandsOf(g.Title) {
			is := func(sub *cobra.Command) bool { return sub.Name() == name }
			if i := slices.IndexFunc(left, is); i >= 0 {
				s.add(left[i])
				left = slices.Delete(slices.Clone(left), i, i+1)
			}
		}
		shown = append(shown, s)
	}
	last := section{title: "Commands"}
	if len(shown) > 0 {
		last.title = "Others"
	}
	for _, sub := range left {
		last.add(sub)
	}
	for _, s := range append(shown, last) {
		if len(s.lines) > 0 {
			fmt.Fprintf(b, "\n%s:\n%s\n", s.title, strings.Join(s.lines, "\n"))
		}
	}
}

// section is some commands of a help.
type section struct {
	title string
	lines []string
}

func (s *section) add(c *cobra.Command) {
	if !c.IsAvailableCommand() && c.Name() != "help" {
		return
	}
	width := max(c.NamePadding(), 10)
	line := fmt.Sprintf("  %-*s  %s", width, c.Name(), c.Short)
	s.lines = append(s.lines, indented(line, width+4))
}

// commandsOf are the commands of a group, in their order.
func commandsOf(title string) []string {
	for _, g := range groups {
		if g.title == title {
			return g.commands
		}
	}
	return nil
}

// indented wraps a line; what follows the first is indented.
func indented(line string, by int) string {
	var lines []string
	for len(line) > helpWidth {
		at := strings.LastIndexByte(line[:helpWidth+1], ' ')
		if at <= by {
			break
		}
		lines = append(lines, line[:at])
		line = strings.Repeat(" ", by) + line[at+1:]
	}
	return strings.Join(append(lines, line), "\n")
}

// wrapped wraps the lines of a text that are too long, and leaves the others as they are.
func wrapped(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, indented(line, len(line)-len(strings.TrimLeft(line, " "))))
	}
	return strings.Join(lines, "\n")
}
