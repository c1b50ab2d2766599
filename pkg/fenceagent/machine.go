package fenceagent

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/user"
	"syscall"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/awsexecutor"
)

// New is the agent on this machine, with the executor of these verbs.
func New(name, version string, verbs *action.Registry) *Program {
	return &Program{
		Name: name, Version: version,
		Executor:  awsexecutor.New(name, version, verbs),
		Connect:   connect,
		OwnRegion: awsec2.OwnRegion,
		Home:      home,
		Setenv:    os.Setenv,
		Wait:      wait,
		OpenLog:   openFile,
	}
}

// connection reads, and asks for permissions.
type connection struct {
	*awsec2.Reader
	*awsec2.Prober
}

func connect(
	ctx context.Context, region string, budget time.Duration, log *slog.Logger,
) (EC2, error) {
	c, err := awsec2.Connect(ctx, region, budget, log)
	if err != nil {
		return nil, err
	}
	return connection{c.DescribeReader(), c.Prober()}, nil
}

// home is the home directory of the user that this runs as; empty if it is not known.
func home() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// wait returns after a duration, or with the context's error if that ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// openFile opens a log file for adding to. A pipe that nobody reads is refused, not waited for.
func openFile(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
}
