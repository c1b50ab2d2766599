// Command aws-provider-executor carries out one action on EC2: an
// ExecuteActionRequest in, an ExecuteActionResult out.
package main

import (
	"context"
	"os"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/awsexecutor"
	_ "aws-provider-executor/pkg/shortrun" // a start is most of a run
)

// version is set by the linker.
var version = "devel"

func main() {
	p := awsexecutor.New(awsexecutor.Name, version, actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
