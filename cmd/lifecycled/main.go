// Command lifecycled handles the lifecycle events of Auto Scaling groups: what instances get at
// their launch, and give back at their terminate, by actions that the gate lets through.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/lifecycle/awsregion"
	"aws-provider-executor/pkg/lifecycle/program"
	"aws-provider-executor/pkg/nodes/awscloud"
	"aws-provider-executor/pkg/nodes/events"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	p := &program.Program{
		Version: version, Registry: providers.Registry(),
		Plugins: map[string]string{lifecycle.ProviderAWS: "aws-provider-executor",
			lifecycle.ProviderAppliance: "appliance-provider-executor"},
		Now: time.Now, Wait: awsregion.Wait, Open: awsregion.Opener(),
		OpenSwept: awsregion.SweepOpener(), OpenTable: awsregion.OpenTable,
		OpenQueue: func(ctx context.Context, url string, log *slog.Logger) (events.Queue, error) {
			return awscloud.OpenQueue(ctx, url, log)
		},
		Lambda: awsregion.Lambda,
	}
	code := p.Main(ctx, os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
