// Command bench measures all that the project promises to cost, in one run: the executor beside a
// floor without an SDK, a boto3 script and the AWS CLI, and every part as it grows.
//
// A figure is a count, a processor time, a peak of memory, or a ratio of two that were measured in
// this run. It is a median, with the range of the middle half. Contenders and sizes take turns, so
// what else the machine does weighs on all of them. A section that fails is told, and the others go
// on. Nothing fails for being slow: each row says what it was to reach, and whether it did.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
