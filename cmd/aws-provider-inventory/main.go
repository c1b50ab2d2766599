// Command aws-provider-inventory tells which private addresses there are: an
// ObservePrivateIPsRequest in, an ObservePrivateIPsResult out.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/inventory"
)

// version is set by the linker.
var version = "devel"

func main() {
	p := &inventory.Process{
		Name: "aws-provider-inventory", Version: version, Provider: "aws",
		Connect: func(
			ctx context.Context, region string, budget time.Duration, log *slog.Logger,
		) (inventory.Reader, error) {
			return awsec2.ConnectReader(ctx, region, budget, log)
		},
		OwnRegion: awsec2.OwnRegion,
	}
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
