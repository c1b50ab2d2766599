// Command demo shows the executor's main job on the stand-in, step by step: each request, its
// result, and what the interface looks like in between. With -v it shows the documents whole.
//
// It runs the built programs as processes, and fails when a result is not what the step is to show.
package main

import (
	"io"
	"os"

	"aws-provider-executor/examples/internal/steps"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	return steps.Main("demo", args, stdout, stderr, play)
}
