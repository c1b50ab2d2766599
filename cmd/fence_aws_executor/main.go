// Command fence_aws_executor is a fence agent for clusters: options in, an exit code out.
package main

import (
	"context"
	"os"
	"runtime"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/fenceagent"
)

// version is set by the linker.
var version = "devel"

func main() {
	// One call follows another: a second processor would only be woken and put to sleep.
	runtime.GOMAXPROCS(1)
	p := fenceagent.New("fence_aws_executor", version, actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
