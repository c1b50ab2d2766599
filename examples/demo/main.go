// Command demo shows the executor's main job on the stand-in, step by step: each request as it
// is sent, each result as it is received, and what the interface looks like in between.
//
// It runs the built programs as processes, and fails when a result is not what the step is to show.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}
