// Command fence_aws_executor is a fence agent for clusters: options in, an exit code out.
package main

import (
	"context"
	"os"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/fenceagent"
	_ "aws-provider-executor/pkg/fenceagent/crash"
	_ "aws-provider-executor/pkg/shortrun" // a start is most of a run
)

// version is set by the linker.
var version = "devel"

func main() {
	p := fenceagent.New("fence_aws_executor", version, actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
