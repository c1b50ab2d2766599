// Command aws-provider-executor carries out one action on EC2: an
// ExecuteActionRequest in, an ExecuteActionResult out.
package main

import (
	"context"
	"os"
	"runtime"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/awsexecutor"
)

// version is set by the linker.
var version = "devel"

func main() {
	// One call follows another: a second processor would only be woken and put to sleep.
	runtime.GOMAXPROCS(1)
	p := awsexecutor.New(awsexecutor.Name, version, actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
