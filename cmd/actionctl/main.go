// Command actionctl is the gate for operators and pipelines: policy, approval, journal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/cli"
	"aws-provider-executor/pkg/nodes/awscloud"
)

// version is set by the linker.
var version = "devel"

func main() {
	signals := []os.Signal{syscall.SIGTERM, os.Interrupt}
	if !signal.Ignored(syscall.SIGHUP) {
		// A terminal that goes away asks to stop, too; nohup asks not to.
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	p := &cli.Program{
		Version: version, Provider: "aws",
		Registry: providers.Registry(),
		Plugin:   "aws-provider-executor", Now: time.Now, Look: look,
		Plugins: map[string]string{applianceverbs.Provider: "appliance-provider-executor"},
		Network: lookAt, OpenCloud: openCloud, OpenQueue: openQueue, ReadSecret: awscloud.ReadSecret,
	}
	code := p.Main(ctx, os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
