// Command appliance-provider-executor carries out one action on an appliance that runs in an
// instance, or on what appliances share: an ExecuteActionRequest in, an ExecuteActionResult out.
package main

import (
	"context"
	"os"

	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/applianceexecutor"
	_ "aws-provider-executor/pkg/shortrun" // a start is most of a run
)

// version is set by the linker.
var version = "devel"

func main() {
	p := applianceexecutor.New(applianceexecutor.Name, version, applianceverbs.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
