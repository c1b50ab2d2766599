// Package commands is what the programs that have a tree of commands have in common: the help of
// each command, what is said of a wrong one, and the completion of shells.
//
// Every help has at most 80 columns and ends with examples. Flags that all commands have and the
// environment have topics of their own: "help flags" and "help environment". Wrong usage is one
// line: what is wrong, what was probably meant, and which help tells more.
package commands

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"aws-provider-executor/pkg/protocol"
)

// About is what a program's help and its manual tell beside the commands.
type About struct {
	// Groups are the commands by what they are for, in the order in which the help lists them. A
	// command that is in none comes last.
	Groups []Group
	// SharedTopic is a topic that tells SharedFlags: flags that the commands below SharedBelow have
	// in common, and that their own helps only name. Empty, there is none.
	SharedTopic, SharedBelow string
	SharedFlags              []string
	// Exit are the exit codes, Environment the variables that the program reads, and Files what it
	// keeps or finds on the disk.
	Exit, Environment, Files []Term
}

// Group is some commands with a title.
type Group struct {
	Title    string
	Commands []string
}

// Term is a name and what it means, in one or more sentences.
type Term struct{ Name, Meaning string }

// UsageError is a command line that can't be meant.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Wrong returns a UsageError.
func Wrong(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// NoArguments refuses arguments, for cobra's Args.
func NoArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Wrong("%s takes no argument, not %q; see %s --help", c.CommandPath(), args[0],
			c.CommandPath())
	}
	return nil
}

// CheckCommand returns a UsageError if the arguments name a command that there is not. Call it
// before the tree is executed: a flag of such a command would be told as the fault otherwise.
func CheckCommand(root *cobra.Command, args []string) error {
	c := root
	for len(args) > 0 && c.HasSubCommands() {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			return nil
		case strings.HasPrefix(word, "-") && word != "-":
			if takesNext(c, word) && len(args) > 0 {
				args = args[1:]
			}
			continue
		case strings.HasPrefix(word, cobra.ShellCompRequestCmd):
			return nil
		}
		sub := child(c, word)
		if sub == nil {
			return unknown(c, word)
		}
		c = sub
	}
	return nil
}

// child is the command below c that has the name; nil if none has.
func child(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

// takesNext reports whether the value of a flag is the argument after it.
func takesNext(c *cobra.Command, word string) bool {
	c.InheritedFlags() // has the flags of those above it be known here
	if name, long := strings.CutPrefix(word, "--"); long {
		f := c.Flags().Lookup(name)
		return f != nil && f.NoOptDefVal == ""
	}
	for i, letter := range word[1:] {
		f := c.Flags().ShorthandLookup(string(letter))
		if f == nil || f.NoOptDefVal == "" {
			return f != nil && i == len(word)-2
		}
	}
	return false
}

// unknown says that there is no such command below c.
func unknown(c *cobra.Command, name string) error {
	path := strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), c.Root().Name()) + " " + name)
	return Wrong("there is no command %q%s; see %s --help", path, meant(suggestions(c, name)),
		c.CommandPath())
}

// suggestions are the commands below c that a name is nearly that of.
func suggestions(c *cobra.Command, name string) []string {
	const edits = 2
	c.SuggestionsMinimumDistance = edits
	return c.SuggestionsFor(name)
}

// meant asks whether one of some names was meant.
func meant(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", strings.Join(names, " or "))
}

// flagError says what is wrong with a flag, and which one was probably meant.
func flagError(c *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	var near []string
	if errors.As(err, &missing) && len(missing.GetSpecifiedName()) > 1 {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && protocol.Nearly(missing.GetSpecifiedName(), f.Name) {
				near = append(near, "--"+f.Name)
			}
		})
	}
	return Wrong("%v%s; see %s --help", err, meant(near), c.CommandPath())
}
