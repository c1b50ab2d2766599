// Command gatebench measures actionctl: how fast it carries out approved actions by an executor
// that serves, and how its journal does with 100,000 actions. It fails when a figure misses what
// the project promises.
package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gatebench:", err)
		os.Exit(1)
	}
}
