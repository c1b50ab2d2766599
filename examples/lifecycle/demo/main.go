// Command demo shows lifecycled on the stand-in: a group scales out by three and in by two, the
// handler is killed at work, and an event is lost. With -v it shows all that the programs say.
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
	return steps.Main("demo-lifecycle", args, stdout, stderr, play)
}
