// Command demo shows lifecycled on the stand-in: a group scales out by three and in by two, the
// handler is killed at work, and an event is lost.
//
// It runs the built programs as processes, and fails when a step does not end as it is to show.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo-lifecycle:", err)
		os.Exit(1)
	}
}
