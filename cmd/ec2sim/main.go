// Command ec2sim serves a stand-in of Amazon EC2. See pkg/ec2sim.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"aws-provider-executor/pkg/ec2sim/simcmd"
)

// version is set by the linker.
var version = "devel"

func main() {
	asking := []os.Signal{
		os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	}
	if !signal.Ignored(syscall.SIGHUP) {
		asking = append(asking, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, len(asking))
	signal.Notify(signals, asking...)
	p := &simcmd.Program{Version: version, Signals: signals}
	os.Exit(p.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
