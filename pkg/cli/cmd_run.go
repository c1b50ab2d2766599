package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	display "aws-provider-executor/pkg/printable"
	"aws-provider-executor/pkg/protocol"
)

func (a *app) run() *cobra.Command {
	var file, mode string
	c := &cobra.Command{
		Use:   "run -f REQUEST",
		Short: "hand a request to the executor, past the journal",
		Long: `run hands a request, or several one after the other, to the executor and prints each
result, as a core would. It stops at the first that fails. Nothing is journaled. To execute needs
a policy, and one that asks for neither approval nor evidence; a dry-run needs none.`,
		Example: `  actionctl run -f request.json --mode dry-run
  actionctl run -f request.json --policy policy.yaml`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			switch protocol.Mode(mode) {
			case "", protocol.DryRun, protocol.Execute:
			default:
				return usage("--mode is %q, want dry-run or execute", mode)
			}
			requests, err := a.readRequests(file, protocol.Mode(mode))
			if err != nil {
				return err
			}
			g, err := a.gate()
			if err != nil {
				return err
			}
			g.Run.(*plugin).log = a.stderr
			executions := 0
			for _, r := range requests {
				o, err := g.Direct(c.Context(), r, executions)
				if err != nil {
					return err
				}
				if err := a.printDirect(o); err != nil {
					return err
				}
				if r.Mode == protocol.Execute {
					executions++
				}
			}
			return nil
		},
	}
	c.Flags().VarP(&once{to: &file}, "file", "f", "the request's `file`; - is standard input")
	c.Flags().StringVar(&mode, "mode", "",
		"dry-run or execute: the `mode`, instead of what the request says")
	_ = c.MarkFlagRequired("file")
	_ = c.RegisterFlagCompletionFunc("mode", completeMode)
	return c
}

var completeMode = cobra.FixedCompletions(
	[]string{string(protocol.DryRun), string(protocol.Execute)},
	cobra.ShellCompDirectiveNoFileComp,
)

func (a *app) printDirect(o gate.Outcome) error {
	if o.Result != nil {
		if err := a.printResult(*o.Result); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.stderr, "actionctl: refused:")
		a.explainReasons(o.Reasons)
	}
	switch o.Verdict {
	case gate.Refused:
		return exit(ExitRefused)
	case gate.Unsuccessful:
		return exit(ExitFailed)
	}
	return nil
}

// printResult writes a result as it goes over the wire.
func (a *app) printResult(r protocol.Result) error {
	var b bytes.Buffer
	if err := protocol.Encode(&b, r); err != nil {
		return err
	}
	if a.format == "yaml" {
		return a.printDocument(json.RawMessage(b.Bytes()))
	}
	_, err := a.stdout.Write(display.JSON(b.Bytes()))
	return err
}
