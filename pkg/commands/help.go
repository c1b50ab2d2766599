package commands

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The topics of the help that are no commands.
const (
	topicFlags       = "flags"
	topicEnvironment = "environment"
)

// Setup gives a tree of commands its help, its topics, the commands help and completion, and what
// is said of wrong flags. Call it once all commands are there.
func Setup(root *cobra.Command, about About) {
	root.SetFlagErrorFunc(flagError)
	addTopics(root, about)
	addHelp(root)
	addCompletion(root)
	h := helper{root, about}
	root.SetUsageFunc(func(c *cobra.Command) error {
		_, err := io.WriteString(c.OutOrStderr(), h.of(c))
		return err
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		// A writer that fails is told by the program.
		_, _ = io.WriteString(c.OutOrStdout(), h.of(c))
	})
}

// helper writes the help of the commands of a tree.
type helper struct {
	root *cobra.Command
	About
}

// of is the help of one command. Its last section is the examples.
func (h helper) of(c *cobra.Command) string {
	c.InitDefaultHelpFlag()
	about := c.Long
	if about == "" {
		about = c.Short
	}
	sections := []string{Wrap(about, Width)}
	switch {
	case c.Name() == topicFlags && c.Parent() == h.root:
		sections = append(sections, usages(h.root.PersistentFlags()))
	case h.SharedTopic != "" && c.Name() == h.SharedTopic && c.Parent() == h.root:
		sections = append(sections, usages(h.shared(child(h.root, h.SharedBelow).Commands()...)))
	case c.Name() == topicEnvironment && c.Parent() == h.root:
		sections = append(sections, Table(indented(h.Environment)))
	default:
		sections = append(sections, usageLines(c), h.commands(c))
		if c != h.root {
			sections = append(sections, h.flagsOf(c))
		}
		sections = append(sections, h.further(c))
	}
	sections = append(sections, "Examples:\n"+strings.TrimRight(c.Example, "\n"))
	sections = slices.DeleteFunc(sections, func(s string) bool { return s == "" })
	return strings.Join(sections, "\n\n") + "\n"
}

// usageLines are how a command is called.
func usageLines(c *cobra.Command) string {
	var lines []string
	if c.Runnable() && c.HasParent() {
		lines = append(lines, c.UseLine())
	}
	if c.HasAvailableSubCommands() && !strings.Contains(c.Use, " ") {
		lines = append(lines, c.CommandPath()+" COMMAND [flags]")
	}
	rows := []Term{{"Usage:", strings.Join(lines, "")}}
	if len(lines) > 1 {
		rows = []Term{{"Usage:", lines[0]}, {"", lines[1]}}
	}
	return Table(rows)
}

// commands lists the commands below one, by their groups where they have some.
func (h helper) commands(c *cobra.Command) string {
	var left []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.Hidden {
			left = append(left, sub)
		}
	}
	groups, last := []Group(nil), "Commands"
	if c == h.root {
		groups = h.Groups
		if len(groups) > 0 {
			last = "Others"
		}
	}
	var sections []string
	add := func(title string, lines []string) {
		if len(lines) > 0 {
			sections = append(sections, title+":\n"+strings.Join(lines, "\n"))
		}
	}
	for _, g := range groups {
		var lines []string
		for _, name := range g.Commands {
			i := slices.IndexFunc(left, func(sub *cobra.Command) bool { return sub.Name() == name })
			if i >= 0 {
				lines = append(lines, entry(c, name, left[i].Short))
				left = slices.Delete(left, i, i+1)
			}
		}
		add(g.Title, lines)
	}
	var lines []string
	for _, sub := range left {
		lines = append(lines, entry(c, sub.Name(), sub.Short))
	}
	add(last, lines)
	return strings.Join(sections, "\n\n")
}

// entry is a line of the list of commands below c.
func entry(c *cobra.Command, name, short string) string {
	width := 0
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			width = max(width, len(sub.Name()))
		}
	}
	return Wrap(fmt.Sprintf("  %-*s  %s", width, name, short), Width)
}

// flagsOf lists the flags that a command does not share with others.
func (h helper) flagsOf(c *cobra.Command) string {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.SortFlags = c.Flags().SortFlags
	shared := h.shared(c)
	add := func(f *pflag.Flag) {
		isOther := h.root.PersistentFlags().Lookup(f.Name) != f && shared.Lookup(f.Name) == nil
		if isOther && f.Name != "help" {
			own.AddFlag(f)
		}
	}
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	if !own.HasAvailableFlags() {
		return ""
	}
	return "Flags:\n" + usages(own)
}

// shared are the flags of some commands that a topic tells for all of them.
func (h helper) shared(of ...*cobra.Command) *pflag.FlagSet {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SortFlags = false
	for _, c := range of {
		if c.Parent() == nil || c.Parent().Parent() != h.root || c.Parent().Name() != h.SharedBelow {
			continue
		}
		for _, name := range h.SharedFlags {
			if f := c.Flags().Lookup(name); f != nil && set.Lookup(name) == nil {
				set.AddFlag(f)
			}
		}
	}
	return set
}

// usages are the flags with what each is for, as a table.
func usages(flags *pflag.FlagSet) string {
	var rows []Term
	for line := range strings.SplitSeq(strings.TrimRight(flags.FlagUsages(), "\n"), "\n") {
		at := indent(line)
		if i := strings.Index(line[at:], "   "); i >= 0 {
			at += i
		}
		rows = append(rows, Term{line[:at], strings.TrimSpace(line[at:])})
	}
	return Table(rows)
}

// further says where the help has what is no command's own, and the commands below one.
func (h helper) further(c *cobra.Command) string {
	if c == h.root {
		return h.exit() + "\n" + h.more()
	}
	var more []string
	for _, shared := range []struct {
		flags *pflag.FlagSet
		topic string
	}{{h.shared(c), h.SharedTopic}, {h.root.PersistentFlags(), topicFlags}} {
		if names := names(shared.flags); len(names) > 0 {
			more = append(more, fmt.Sprintf("%s (%s help %s)", strings.Join(names, ", "), h.root.Name(),
				shared.topic))
		}
	}
	text := "More flags: " + strings.Join(more, "; ")
	if c.HasAvailableSubCommands() {
		text += "\nMore of a command: " + c.CommandPath() + " COMMAND --help"
	}
	return wrapLines(text)
}

// wrapLines fills each line of a text by itself.
func wrapLines(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, Wrap(line, Width))
	}
	return strings.Join(lines, "\n")
}

// names are the flags as a command line has them.
func names(flags *pflag.FlagSet) []string {
	var all []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all = append(all, "--"+f.Name)
		}
	})
	return all
}

// exit is the line of the exit codes.
func (h helper) exit() string {
	var codes []string
	for _, e := range h.Exit {
		codes = append(codes, e.Name+" "+e.Meaning)
	}
	return Wrap("Exit: "+strings.Join(codes, ", ")+".", Width)
}

// more names the help of each command, and the topics.
func (h helper) more() string {
	name := h.root.Name()
	text := name + " COMMAND --help, " + name + " help " + topicFlags
	if len(h.Environment) > 0 {
		text = name + " COMMAND --help, " + name + " help " + topicFlags + ", " + name + " help " +
			topicEnvironment
	}
	return Wrap("More: "+text, Width)
}

// addTopics adds the topics: commands that do nothing, which only "help" knows.
func addTopics(root *cobra.Command, about About) {
	name := root.Name()
	root.AddCommand(&cobra.Command{
		Use: topicFlags, Short: "the flags that every command has",
		Long:    "The flags that every command of " + name + " has:",
		Example: "  " + name + " help " + topicFlags,
	})
	if about.SharedTopic != "" {
		root.AddCommand(&cobra.Command{
			Use: about.SharedTopic, Short: "the flags that every " + about.SharedBelow + " has",
			Long: "The flags that every command of " + name + " " + about.SharedBelow +
				" has, beside those of its help:",
			Example: "  " + name + " help " + about.SharedTopic,
		})
	}
	if len(about.Environment) > 0 {
		root.AddCommand(&cobra.Command{
			Use: topicEnvironment, Short: "the environment variables that are read",
			Long:    "The environment variables that " + name + " reads. A flag goes before its variable.",
			Example: "  " + name + " help " + topicEnvironment,
		})
	}
}

// addHelp adds the command help, whose arguments are checked.
func addHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	c := child(root, "help")
	c.Hidden = true
	c.Short, c.Long = "tell about a command", "help tells about a command, as --help does."
	c.Example = "  " + root.Name() + " help " + topicFlags
	c.Args = func(_ *cobra.Command, args []string) error {
		if err := CheckCommand(root, args); err != nil {
			return err
		}
		if _, rest, _ := root.Find(args); len(rest) > 0 {
			return Wrong("there is no command %q; see %s --help", strings.Join(args, " "), root.Name())
		}
		return nil
	}
}

// addCompletion adds the command completion, with a command for each shell.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c := child(root, "completion")
	name := root.Name()
	// files are what the shells want, and where.
	files := map[string][2]string{
		"bash":       {name, "/etc/bash_completion.d, beside the package bash-completion"},
		"zsh":        {"_" + name, "a directory of $fpath, as /usr/local/share/zsh/site-functions"},
		"fish":       {name + ".fish", "~/.config/fish/completions"},
		"powershell": {name + ".ps1", "the profile, which runs it"},
	}
	c.Short = "write the completion of a shell"
	c.Long = "completion writes what has a shell complete commands, flags and their values."
	c.Example = "  " + name + " completion bash > " + files["bash"][0]
	c.Args = NoArguments
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	for _, shell := range c.Commands() {
		shell.Short = "write the completion of " + shell.Name()
		file := files[shell.Name()]
		shell.Long = fmt.Sprintf("%s writes the completion of %s. It belongs into %s.", shell.Name(),
			shell.Name(), file[1])
		shell.Example = "  " + name + " completion " + shell.Name() + " > " + file[0]
		shell.Args = NoArguments
	}
}
