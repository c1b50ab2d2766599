// Command demo shows the executor's main job on the stand-in, step by step: each request, its
// result, and what the interface looks like in between. With -v it shows the documents whole.
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
