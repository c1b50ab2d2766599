package commands

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// tool is a small tree: two commands, of which one has two below it, that share a flag.
func tool() *cobra.Command {
	do := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{Use: "tool", Short: "a tool", Example: "  tool list", RunE: do,
		SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().StringP("journal", "j", "", "the `file`")
	root.PersistentFlags().BoolP("quick", "q", false, "be quick")
	list := &cobra.Command{Use: "list", Short: "list all", Example: "  tool list", Args: NoArguments,
		RunE: do}
	make := &cobra.Command{Use: "make", Short: "make one", Example: "  tool make chair --leg 4"}
	for _, name := range []string{"chair", "table"} {
		c := &cobra.Command{Use: name, Short: "make a " + name, Example: "  tool make " + name,
			RunE: do}
		c.Flags().Int("leg", 4, "how many legs")
		c.Flags().String("colour", "", "which colour")
		make.AddCommand(c)
	}
	root.AddCommand(list, make)
	Setup(root, About{
		Groups:      []Group{{"Making", []string{"make"}}},
		SharedTopic: "paint", SharedBelow: "make", SharedFlags: []string{"colour"},
		Exit:        []Term{{"0", "done"}, {"2", "wrong usage"}},
		Environment: []Term{{"TOOL_JOURNAL", "the journal"}},
	})
	return root
}

// run is what a command line prints and why it fails.
func run(line string) (string, error) {
	root, out := tool(), &bytes.Buffer{}
	root.SetOut(out)
	args := strings.Fields(line)
	root.SetArgs(args)
	if err := CheckCommand(root, args); err != nil {
		return out.String(), err
	}
	err := root.Execute()
	return out.String(), err
}

// TestWrongUsage is told in one line: what is wrong, what was meant, and which help tells more.
func TestWrongUsage(t *testing.T) {
	for line, want := range map[string]string{
		"lst":            `there is no command "lst" (did you mean list?); see tool --help`,
		"frobnicate":     `there is no command "frobnicate"; see tool --help`,
		"frob --leg 4":   `there is no command "frob"; see tool --help`,
		"--journal x up": `there is no command "up"; see tool --help`,
		"-qj x up":       `there is no command "up"; see tool --help`,
		"-jx --quick up": `there is no command "up"; see tool --help`,
		"--journal=x up": `there is no command "up"; see tool --help`,
		"make chiar":     `there is no command "make chiar" (did you mean chair?); see tool make --help`,
		"make lamp --on": `there is no command "make lamp"; see tool make --help`,
		"help make lamp": `there is no command "make lamp"; see tool make --help`,
		"help list it":   `there is no command "list it"; see tool --help`,
		"list it":        `tool list takes no argument, not "it"; see tool list --help`,
		"list --jurnal":  `unknown flag: --jurnal (did you mean --journal?); see tool list --help`,
		"list --frob":    `unknown flag: --frob; see tool list --help`,
		"list -x":        `unknown shorthand flag: 'x' in -x; see tool list --help`,
		"completion bs": `there is no command "completion bs" (did you mean bash or zsh?); ` +
			`see tool completion --help`,
	} {
		out, err := run(line)
		var wrong *UsageError
		if !errors.As(err, &wrong) || err.Error() != want || out != "" {
			t.Errorf("%s: %v, want %s; it prints %q", line, err, want, out)
		}
	}
	for _, line := range []string{"", "list", "-j list list", "make table --leg 3", "--quick list",
		"make -- lamp", "help make", "__complete make ta"} {
		if _, err := run(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestHelp of a root has the groups, the exit codes and the topics; that of a command has its own
// flags, and where the others are told.
func TestHelp(t *testing.T) {
	for line, want := range map[string]string{
		"--help": `a tool

Usage:  tool COMMAND [flags]

Making:
  make        make one

Others:
  completion  write the completion of a shell
  list        list all

Exit: 0 done, 2 wrong usage.
More: tool COMMAND --help, tool help flags, tool help environment

Examples:
  tool list
`,
		"make chair --help": `make a chair

Usage:  tool make chair [flags]

Flags:
      --leg int  how many legs (default 4)

More flags: --colour (tool help paint); --journal, --quick (tool help flags)

Examples:
  tool make chair
`,
		"make --help": `make one

Usage:  tool make COMMAND [flags]

Commands:
  chair  make a chair
  table  make a table

More flags: --journal, --quick (tool help flags)
More of a command: tool make COMMAND --help

Examples:
  tool make chair --leg 4
`,
		"help paint": `The flags that every command of tool make has, beside those of its help:

      --colour string  which colour

Examples:
  tool help paint
`,
		"help flags": `The flags that every command of tool has:

  -j, --journal file  the file
  -q, --quick         be quick

Examples:
  tool help flags
`,
		"help environment": `The environment variables that tool reads. A flag goes before its variable.

  TOOL_JOURNAL  the journal

Examples:
  tool help environment
`,
	} {
		out, err := run(line)
		if diff := cmp.Diff(want, out); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", line, err, diff)
		}
	}
}

// TestWrap fills paragraphs, and leaves rows of tables apart.
func TestWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"one two\nthree four five", "one two three\nfour five"},
		{"one\n\ntwo\n", "one\n\ntwo"},
		{"one:\n  a  first of all\n  b  second\nend", "one:\n  a  first of\n     all\n  b  second\nend"},
		{"  a  first\n     of all", "  a  first of\n     all"},
		{"élan élan élan", "élan élan\nélan"},
		{"incomprehensibilities", "incomprehensibilities"},
	} {
		if got := Wrap(c.text, 13); got != c.want {
			t.Errorf("%q becomes\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

// TestTable has a name that is long in a line of its own only where that saves lines.
func TestTable(t *testing.T) {
	long := "      --transition-security-group id"
	about := strings.TrimSpace(strings.Repeat("word ", 20))
	got := Table([]Term{{"  -x", about}, {"  -y", about}, {long, about}})
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > Width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(got, long+"\n") || strings.Count(got, "\n") != 6 {
		t.Errorf("the table is\n%s", got)
	}
	if got := Table([]Term{{"  -x", "a"}, {long, "b"}}); !strings.Contains(got, long+"  b") {
		t.Errorf("the table is\n%s", got)
	}
}

// TestContinued divides a command between its parts, where it is too long for a line.
func TestContinued(t *testing.T) {
	part := "--flag " + strings.Repeat("x", 30)
	want := "tool " + part + " \\\n    " + part + " \\\n    " + part
	if got := Continued([]string{"tool", part, part, part}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Continued([]string{"tool", "list"}); got != "tool list" {
		t.Errorf("got %q", got)
	}
}
