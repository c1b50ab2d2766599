// Command gate shows the gate on the stand-in: the whole road of two plans, from their import to
// the rollback, and a denial at each gate on the way.
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
		fmt.Fprintln(os.Stderr, "demo-gate:", err)
		os.Exit(1)
	}
}
