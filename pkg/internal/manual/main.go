// Command manual writes the manual's pages: one for each command of a program that has commands,
// and one for each other program, from what its --help tells and what that has no room for.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/cli"
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/fenceagent"
	"aws-provider-executor/pkg/lifecycle/program"
)

// manual is what the pages say of themselves.
type manual struct {
	out, source string
	date        time.Time
}

func main() {
	var m manual
	var bin string
	var seconds int64
	flag.StringVar(&bin, "programs", "bin", "the `folder` with the programs")
	flag.StringVar(&m.out, "out", "", "the `folder` to write to")
	flag.StringVar(&m.source, "version", "devel", "the `version`")
	flag.Int64Var(&seconds, "time", 0, "the pages' date, in `seconds` since 1970")
	flag.Parse()
	m.source, m.date = "aws-provider-executor "+m.source, time.Unix(seconds, 0).UTC()
	if err := m.write(bin); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func (m manual) write(bin string) error {
	if m.out == "" {
		return errors.New("name a folder with -out")
	}
	if err := os.MkdirAll(m.out, 0o755); err != nil {
		return err
	}
	verbs := providers.Registry()
	for _, tree := range []struct {
		root  *cobra.Command
		about commands.About
	}{
		{(&cli.Program{Provider: "aws", Now: time.Now, Registry: verbs}).Commands(), cli.About},
		{(&program.Program{Now: time.Now, Registry: verbs}).Commands(), program.About},
	} {
		tree.root.DisableAutoGenTag = true
		if err := m.commands(tree.root, tree.about); err != nil {
			return err
		}
	}
	for _, p := range programs() {
		help, err := exec.Command(filepath.Join(bin, p.name), "--help").Output()
		if err != nil {
			return fmt.Errorf("%s --help: %w", p.name, err)
		}
		page := m.page(p, string(help))
		if bytes.Contains(page, []byte("; man "+roff(p.name))) {
			return fmt.Errorf("the page of %s sends to itself: its help says what toItself lacks", p.name)
		}
		if err := os.WriteFile(filepath.Join(m.out, p.name+"."+p.section), page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// other is a program without a tree of commands. Its page has its help, and what that leaves out.
type other struct {
	name, section, does string
	more                []section
}

// section is a part of a page: a table.
type section struct {
	title string
	rows  []commands.Term
}

func programs() []other {
	state := section{"FILES", []commands.Term{{Name: "/var/lib/aws-provider-executor",
		Meaning: "prior facts, until they are undone, where no variable says another place."}}}
	settings := section{"ENVIRONMENT", settings()}
	return []other{
		{"aws-provider-executor", "1", "carry out one action on EC2", []section{settings, state}},
		{"aws-provider-inventory", "1", "tell the addresses and routes that there are", nil},
		{"appliance-provider-executor", "1", "carry out one action on an appliance", []section{
			{"ENVIRONMENT", append(applianceSettings(), settings.rows...)}, state}},
		{"ec2sim", "1", "a stand-in of EC2", nil},
		{"fence_aws_executor", "8", "fence agent for nodes that are instances of EC2", []section{
			{"OPTIONS", options()}, settings, state}},
	}
}

// settings are the variables that every executor reads.
func settings() []commands.Term {
	var rows []commands.Term
	for _, s := range executor.Settings() {
		rows = append(rows, commands.Term{Name: s.Name, Meaning: strings.ReplaceAll(
			fmt.Sprintf("%s. Default: %s.", s.Doc, s.Default), "`", "")})
	}
	return rows
}

func applianceSettings() []commands.Term {
	return []commands.Term{
		{Name: "APPLIANCE_CA_FILE", Meaning: "the file of authorities that appliances are known by."},
		{Name: "APPLIANCE_TEMPLATE_DIR", Meaning: "the directory of the templates of configurations."},
		{Name: "APPLIANCE_HOOK", Meaning: "the program that does each step with driver=hook."},
	}
}

// options are those of the fence agent, in full.
func options() []commands.Term {
	var rows []commands.Term
	for _, o := range fenceagent.Options() {
		meaning := o.Doc
		if o.Default != "" {
			meaning += " Default: " + o.Default + "."
		}
		name := strings.NewReplacer("`", "", " … ", " to ").Replace(o.Name)
		rows = append(rows, commands.Term{Name: name, Meaning: meaning})
	}
	return rows
}

// commands writes a page for a command and each one below it. That of the root has what holds for
// all of them as well.
func (m manual) commands(c *cobra.Command, about commands.About) error {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := m.commands(sub, about); err != nil {
				return err
			}
		}
	}
	c.Long = preformatted(c.Long)
	var page bytes.Buffer
	header := &doc.GenManHeader{Title: strings.ToUpper(strings.ReplaceAll(c.CommandPath(), " ", "-")),
		Section: "1", Source: m.source, Date: &m.date, Manual: c.Root().Name()}
	if err := doc.GenMan(c, header, &page); err != nil {
		return err
	}
	// cobra sets options apart by a tab, where the manual's own macro has a tag, and drops the day
	// of the date.
	text := option.ReplaceAllString(page.String(), "$1.TP\n$2\n$3\n")
	text = strings.Replace(text, m.date.Format(`"Jan 2006"`), m.date.Format(`"2006-01-02"`), 1)
	if !c.HasParent() {
		more := table(section{"EXIT STATUS", about.Exit}) +
			table(section{"ENVIRONMENT", about.Environment}) + table(section{"FILES", about.Files})
		before, after, found := strings.Cut(text, ".SH SEE ALSO")
		if !found {
			return fmt.Errorf("the page of %s has no SEE ALSO", c.Name())
		}
		text = before + more + ".SH SEE ALSO" + after
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
	return os.WriteFile(filepath.Join(m.out, name), []byte(text), 0o644)
}

// option is one option in a page of cobra's.
var option = regexp.MustCompile(`(?:\.PP\n|(\.SH OPTIONS.*\n))(\\fB-.*)\n\t(.*)\n`)

// preformatted has the lines of a text that are indented stay as they are: Markdown wants them
// indented further.
func preformatted(text string) string {
	var lines []string
	before := ""
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "  ") {
			if before != "" && !strings.HasPrefix(before, " ") {
				lines = append(lines, "")
			}
			line = "  " + line
		}
		lines, before = append(lines, line), line
	}
	return strings.Join(lines, "\n")
}

// toItself is how a help names the manual that has more of its list.
var toItself = regexp.MustCompile(`; man \S+ (has all of it|tells more):`)

// page is the page of a program that is no tree of commands.
func (m manual) page(p other, help string) []byte {
	var page bytes.Buffer
	fmt.Fprintf(&page, ".TH %q %s %q %q\n", strings.ToUpper(p.name), p.section,
		m.date.Format("2006-01-02"), m.source)
	fmt.Fprintf(&page, ".SH NAME\n%s \\- %s\n.SH DESCRIPTION\n.nf\n", roff(p.name), roff(p.does))
	for line := range strings.Lines(help) {
		// What is short in the help is in full below.
		line = toItself.ReplaceAllString(line, ", in full below:")
		if line == "\n" {
			line = ".sp\n"
		} else {
			line = roff(line)
		}
		page.WriteString(line)
	}
	page.WriteString(".fi\n")
	for _, s := range p.more {
		page.WriteString(table(s))
	}
	return page.Bytes()
}

// table is a section of names, each with what it means.
func table(s section) string {
	if len(s.rows) == 0 {
		return ""
	}
	text := ".SH " + s.title + "\n"
	for _, row := range s.rows {
		text += ".TP\n.B " + roff(row.Name) + "\n" + roff(row.Meaning) + "\n"
	}
	return text
}

// roff writes text so that nothing in it is a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
