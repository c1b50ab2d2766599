package cli

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/commands/helptest"
)

// tree is the tree of commands as a run of the program makes it.
func tree(t *testing.T) *cobra.Command {
	t.Helper()
	p := &Program{Version: "test", Registry: providers.Registry(), Provider: "aws", Now: time.Now}
	a := &app{
		Program: p.withNodes(), env: map[string]string{}, stdout: io.Discard, stderr: io.Discard,
		stdin: interruptible{t.Context(), strings.NewReader("")},
	}
	return a.root()
}

// TestEveryHelp fits a screen and ends with an example, but for those that have too many flags.
func TestEveryHelp(t *testing.T) {
	helptest.Tree(t, func() *cobra.Command { return tree(t) }, map[string]int{
		"actionctl iam-policy":                   71,
		"actionctl plan configure-appliance":     62,
		"actionctl plan run-command":             53,
		"actionctl plan unfence-security-groups": 61,
	})
}

// TestGroupsNameCommands: what the help groups is there, and so are the flags that plans share.
func TestGroupsNameCommands(t *testing.T) {
	root := tree(t)
	for _, g := range About.Groups {
		for _, name := range g.Commands {
			if c, _, err := root.Find([]string{name}); err != nil || c == root {
				t.Errorf("there is no command %s", name)
			}
		}
	}
	plan, _, err := root.Find([]string{"plan", "stop-instances"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range About.SharedFlags {
		if plan.Flags().Lookup(name) == nil {
			t.Errorf("no plan has --%s", name)
		}
	}
}
