// Command bench measures the executor on one dry-run and one execute, beside the
// AWS CLI making the same calls and beside a floor without an SDK.
//
// Every figure is a ratio of medians taken in one run. The contenders take turns, so what else the
// machine does weighs on all of them. Nothing here fails for being slow.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
