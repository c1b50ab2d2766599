// Command aws-provider-executor carries out one action on EC2: an
// ExecuteActionRequest in, an ExecuteActionResult out.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
)

// version is set by the linker.
var version = "devel"

func main() {
	// One call follows another: a second processor would only be woken and put to sleep.
	runtime.GOMAXPROCS(1)
	p := program(actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// program is the executor of these verbs.
func program(verbs *action.Registry) *executor.Process {
	return &executor.Process{
		Name: "aws-provider-executor", Version: version,
		Registry: verbs,
		Provider: "aws",
		Connect: func(
			ctx context.Context, region string, budget time.Duration, log *slog.Logger,
		) (executor.Connection, error) {
			return awsec2.Connect(ctx, region, budget, log)
		},
	}
}
