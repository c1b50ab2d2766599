package docblocks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/cli"
	"aws-provider-executor/pkg/fenceagent"
	"aws-provider-executor/pkg/lifecycle/program"
)

// span is a text of a page between two `, outside of its blocks.
type span struct {
	page, text string
}

var spanText = regexp.MustCompile("`([^`]+)`")

// spans are those of all pages.
func spans(t *testing.T) []span {
	t.Helper()
	names, err := pages(top)
	if err != nil {
		t.Fatal(err)
	}
	var all []span
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, paragraph := range strings.Split(withoutBlocks(string(text)), "\n\n") {
			for _, found := range spanText.FindAllStringSubmatch(paragraph, -1) {
				all = append(all, span{name, strings.Join(strings.Fields(found[1]), " ")})
			}
		}
	}
	return all
}

// withoutBlocks is a page's text without its blocks.
func withoutBlocks(text string) string {
	var rest strings.Builder
	block := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			block, line = !block, "\n"
		}
		if !block {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// tree is what a span may name.
type tree struct {
	roots   map[string]*cobra.Command
	flags   map[string]bool
	texts   []string
	make    string
	counted map[string]int
}

func newTree(t *testing.T) *tree {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	verbs := providers.Registry()
	n := &tree{texts: programTexts(t), make: string(makefile), counted: map[string]int{},
		// The last one is of programs that a command of an action may run.
		flags: map[string]bool{"version": true, "help": true, "api-key": true},
		roots: map[string]*cobra.Command{
			"actionctl":  (&cli.Program{Provider: "aws", Now: time.Now, Registry: verbs}).Commands(),
			"lifecycled": (&program.Program{Now: time.Now, Registry: verbs}).Commands(),
		}}
	for _, root := range n.roots {
		n.flagsBelow(root)
	}
	for _, o := range fenceagent.Options() {
		n.flags[strings.ReplaceAll(o.Name, "_", "-")] = true
	}
	return n
}

// flagsBelow notes the flags of a command and of those below it.
func (n *tree) flagsBelow(c *cobra.Command) {
	for _, line := range strings.Fields(c.LocalFlags().FlagUsages()) {
		if name, is := strings.CutPrefix(line, "--"); is {
			n.flags[strings.TrimRight(name, ",.;")] = true
		}
	}
	for _, below := range c.Commands() {
		n.flagsBelow(below)
	}
}

// TestWhatAPageNamesIsThere: the commands and flags of the programs, the targets of make, the
// variables, the units and the paths that pages name in their sentences and tables.
func TestWhatAPageNamesIsThere(t *testing.T) {
	n := newTree(t)
	for _, s := range spans(t) {
		if kind, why := n.lacks(s.text); why != "" {
			t.Errorf("%s: `%s`: %s", s.page, s.text, why)
		} else if kind != "" {
			n.counted[kind]++
		}
	}
	// What is found no more is looked at no more.
	for kind, least := range map[string]int{"make": 50, "path": 150, "command": 50, "flag": 40,
		"variable": 60, "unit": 6} {
		if n.counted[kind] < least {
			t.Errorf("the pages have %d of the kind %s, at least %d were meant", n.counted[kind], kind,
				least)
		}
	}
}

var (
	pathSpan     = regexp.MustCompile(`^(\./)?(actions|cmd|examples|pkg|schema|\.github)/[^ ]*$`)
	variableSpan = regexp.MustCompile(`^(EXECUTOR|ACTIONCTL|LIFECYCLED|APPLIANCE)_[A-Z_]+$`)
	unitSpan     = regexp.MustCompile(`^(actionctl|lifecycled)[a-z-]*\.(service|timer)$`)
	name         = regexp.MustCompile(`^[a-z][a-z-]*$`)
	flagSpan     = regexp.MustCompile(`^--([a-z][a-z-]*)`)
	testName     = regexp.MustCompile(`^Test[A-Za-z0-9]+$`)
)

// lacks says what of a span is not there, and what it is; nothing where it is none of ours.
func (n *tree) lacks(text string) (kind, why string) {
	words := strings.Fields(text)
	first := strings.TrimPrefix(words[0], "bin/")
	variable, _, _ := strings.Cut(first, "=")
	switch {
	case first == "make":
		return "make", n.makeLacks(words[1:])
	case first == "go" && len(words) > 2:
		return "go", goLacks(words[2:])
	case pathSpan.MatchString(text):
		return "path", pathLacks(text)
	case variableSpan.MatchString(variable):
		return "variable", n.textLacks(variable)
	case unitSpan.MatchString(text):
		return "unit", pathLacks("examples/systemd/" + text)
	case strings.HasPrefix(words[0], "bin/") && first != "dist":
		if why := pathLacks("cmd/" + first); why != "" {
			return "path", why
		}
	}
	if flag := flagSpan.FindStringSubmatch(text); flag != nil {
		if !n.flags[flag[1]] {
			why = "no command has the flag"
		}
		return "flag", why
	}
	return n.commandLacks(first, words)
}

// commandLacks looks at a span that may be a command of ours, with or without its program.
func (n *tree) commandLacks(first string, words []string) (kind, why string) {
	if len(words) < 2 {
		return "", ""
	}
	if root := n.roots[first]; root != nil {
		return "command", below(root, words[1:])
	}
	if _, err := os.Stat(filepath.Join(top, "cmd", first)); err == nil && name.MatchString(first) {
		for _, word := range words[1:] {
			if word := strings.TrimLeft(word, "-"); name.MatchString(word) {
				why += n.textLacks(word)
			}
		}
		return "command", why
	}
	for _, root := range n.roots {
		if name.MatchString(first) && child(root, first) != nil {
			return "command", below(root, words)
		}
	}
	return "", ""
}

// child is the command of a name below another one; nil if there is none.
func child(c *cobra.Command, name string) *cobra.Command {
	at := slices.IndexFunc(c.Commands(), func(b *cobra.Command) bool { return b.Name() == name })
	if at < 0 {
		return nil
	}
	return c.Commands()[at]
}

// below says which of some words is no command below another one, or no flag of its.
func below(c *cobra.Command, words []string) string {
	for _, word := range words {
		flag := flagSpan.FindStringSubmatch(word)
		switch {
		case flag != nil && flag[1] != "help" && flag[1] != "version" &&
			c.Flag(flag[1]) == nil && c.InheritedFlags().Lookup(flag[1]) == nil:
			return fmt.Sprintf("%s has no flag %s", c.CommandPath(), word)
		case c.HasSubCommands() && name.MatchString(word):
			next := child(c, word)
			if next == nil {
				return fmt.Sprintf("%s has no command %s", c.CommandPath(), word)
			}
			c = next
		case c.HasSubCommands() && word == "VERB":
			// All verbs' plans have the flags that pages name beside it.
			c = c.Commands()[0]
		}
	}
	return ""
}

// makeLacks says which target or variable the Makefile does not have.
func (n *tree) makeLacks(words []string) string {
	for _, word := range words {
		variable, _, sets := strings.Cut(word, "=")
		var want string
		switch {
		case sets:
			want = `(?m)^` + variable + ` [?:]?=`
		case name.MatchString(word):
			want = `(?m)^` + word + `:`
		default:
			return ""
		}
		if !regexp.MustCompile(want).MatchString(n.make) {
			return "the Makefile has no " + word
		}
	}
	return ""
}

// goLacks says which package, or test of it, there is not.
func goLacks(words []string) string {
	var tests []string
	var code strings.Builder
	for _, word := range words {
		if testName.MatchString(word) {
			tests = append(tests, word)
		}
		if !strings.HasPrefix(word, "./") || strings.HasSuffix(word, "/NAME") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(top, word, "*.go"))
		if err != nil || len(files) == 0 {
			return "there is no package " + word
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return err.Error()
			}
			code.Write(text)
		}
	}
	for _, name := range tests {
		if !strings.Contains(code.String(), "\nfunc "+name+"(") {
			return "there is no test " + name
		}
	}
	return ""
}

// pathLacks says that a path of the tree is not there.
func pathLacks(path string) string {
	found, err := filepath.Glob(filepath.Join(top, strings.TrimSuffix(path, "/...")))
	if err != nil || len(found) == 0 {
		return "there is no " + path
	}
	return ""
}

// textLacks says that no text of the programs has a word.
func (n *tree) textLacks(word string) string {
	whole := regexp.MustCompile(`(^|[^A-Za-z0-9_])` + regexp.QuoteMeta(word) + `($|[^A-Za-z0-9_])`)
	if !slices.ContainsFunc(n.texts, whole.MatchString) {
		return "no program has " + word
	}
	return ""
}
