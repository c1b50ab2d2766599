// Command manual writes the manual's pages: one for each command of a program that has commands,
// and one for each other program, from what its --help tells.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/cli"
	"aws-provider-executor/pkg/lifecycle/program"
)

// manual is what the pages say of themselves.
type manual struct {
	out, source string
	date        time.Time
}

func main() {
	var m manual
	var programs string
	var seconds int64
	flag.StringVar(&programs, "programs", "bin", "the `folder` with the programs")
	flag.StringVar(&m.out, "out", "", "the `folder` to write to")
	flag.StringVar(&m.source, "version", "devel", "the `version`")
	flag.Int64Var(&seconds, "time", 0, "the pages' date, in `seconds` since 1970")
	flag.Parse()
	m.source, m.date = "aws-provider-executor "+m.source, time.Unix(seconds, 0).UTC()
	if err := m.write(programs); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

func (m manual) write(programs string) error {
	if m.out == "" {
		return errors.New("name a folder with -out")
	}
	if err := os.MkdirAll(m.out, 0o755); err != nil {
		return err
	}
	verbs := providers.Registry()
	for _, root := range []*cobra.Command{
		(&cli.Program{Provider: "aws", Now: time.Now, Registry: verbs}).Commands(),
		(&program.Program{Now: time.Now, Registry: verbs}).Commands(),
	} {
		if err := m.commands(root); err != nil {
			return err
		}
	}
	for _, p := range []struct{ name, section, does string }{
		{"aws-provider-executor", "1", "carry out one action on EC2"},
		{"aws-provider-inventory", "1", "tell the addresses and routes that there are"},
		{"appliance-provider-executor", "1", "carry out one action on an appliance"},
		{"ec2sim", "1", "a stand-in of EC2"},
		{"fence_aws_executor", "8", "fence agent for nodes that are instances of EC2"},
	} {
		help, err := exec.Command(filepath.Join(programs, p.name), "--help").Output()
		if err != nil {
			return fmt.Errorf("%s --help: %w", p.name, err)
		}
		page := m.page(p.name, p.section, p.does, help)
		if err := os.WriteFile(filepath.Join(m.out, p.name+"."+p.section), page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commands writes a page for each command.
func (m manual) commands(root *cobra.Command) error {
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{Source: m.source, Date: &m.date,
		Manual: "aws-provider-executor"}, m.out)
}

// page is the page of a program that tells all about itself with --help.
func (m manual) page(name, section, does string, help []byte) []byte {
	var page bytes.Buffer
	fmt.Fprintf(&page, ".TH %q %s %q %q\n", strings.ToUpper(name), section,
		m.date.Format("2006-01-02"), m.source)
	fmt.Fprintf(&page, ".SH NAME\n%s \\- %s\n.SH DESCRIPTION\n.nf\n", roff(name), roff(does))
	for line := range strings.Lines(string(help)) {
		page.WriteString(roff(line))
	}
	page.WriteString(".fi\n")
	return page.Bytes()
}

// roff writes text so that nothing in it is a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
