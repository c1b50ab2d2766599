// Command gate shows the gate on the stand-in: the whole road of two plans, from their import to
// the rollback, a denial at each gate on the way, signed approvals and a journal that was changed.
// With -v it shows all that the programs say.
//
// It runs the built programs as processes, and fails when a step does not end as it is to show.
package main

import (
	"io"
	"os"

	"aws-provider-executor/examples/internal/steps"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	return steps.Main("demo-gate", args, stdout, stderr, play)
}
