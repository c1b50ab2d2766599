// Command ec2sim serves a stand-in of Amazon EC2. See pkg/ec2sim.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"aws-provider-executor/pkg/ec2sim/simcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := simcmd.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
