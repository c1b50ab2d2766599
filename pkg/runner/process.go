// Package runner runs an executor as a process of its own, for the gate.
package runner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/redact"
	"aws-provider-executor/pkg/subprocess"
)

// Process runs an executor as a process of its own: the request on its standard input, the result
// from its standard output, and nothing inherited but the environment given here and
// EXECUTOR_DEADLINE. What it started and left behind ends with it.
type Process struct {
	// Path is the executor's file.
	Path string
	// Env is its whole environment.
	Env []string
	// Timeout is when it is killed, unless the context's deadline is earlier; its own should come
	// before that.
	Timeout time.Duration
	// Grace is how long it is waited for when it was asked to stop; 0 is 8 seconds.
	Grace time.Duration
	// Unchanged, when not nil, reports that the file is another one than is meant. It is asked before
	// the start and right after it.
	Unchanged func() error
	// Log, when not nil, gets what the executor says for people.
	Log io.Writer
}

var _ gate.Runner = (*Process)(nil)

// defaultGrace is more than an executor takes to stop.
const defaultGrace = 8 * time.Second

// DeadlineVariable tells an executor when it is killed, so that one that was held up starts nothing
// after that.
const DeadlineVariable = "EXECUTOR_DEADLINE"

// Run starts the executor, and bounds its time and its output. When the context ends the executor
// is asked to stop, which it answers with a true result.
func (p *Process) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	if ctx.Err() != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: context.Cause(ctx)}
	}
	deadline := time.Now().Add(p.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	running, kill := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer kill()
	out := subprocess.NewBounded(protocol.MaxResultBytes, kill)
	said := subprocess.NewBounded(protocol.MaxLogBytes, kill)
	cmd := exec.CommandContext(running, p.Path)
	cmd.Env = append(slices.Clone(p.Env), DeadlineVariable+"="+deadline.UTC().Format(time.RFC3339Nano))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(protocol.EncodeRequest(r)), out, said
	// Whoever still holds its output when it has ended has nothing to add.
	cmd.WaitDelay = 2 * time.Second
	// In a group of its own it is killed with all that it started, and a terminal's signals go to the
	// gate, which passes them on in its own way.
	defer subprocess.Group(cmd)()
	if err := p.unchanged(); err != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: err}
	}
	if err := cmd.Start(); err != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: err}
	}
	if err := p.unchanged(); err != nil {
		_ = subprocess.KillGroup(cmd)
		_ = cmd.Wait()
		return protocol.Result{}, fmt.Errorf("the executor was killed: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(cmp.Or(p.Grace, defaultGrace), kill)
	})
	defer stop()
	err := cmd.Wait()
	_ = subprocess.KillGroup(cmd)
	if p.Log != nil {
		_, _ = p.Log.Write(said.Bytes())
	}
	switch {
	case out.Full() || said.Full():
		return protocol.Result{}, fmt.Errorf(
			"the executor wrote more than is read, and was killed%s",
			lastWords(said.Bytes()),
		)
	case cmd.ProcessState.Success():
	case errors.Is(running.Err(), context.DeadlineExceeded):
		return protocol.Result{}, fmt.Errorf(
			"the executor did not end in %s, and was killed%s",
			p.Timeout,
			lastWords(said.Bytes()),
		)
	case running.Err() != nil:
		return protocol.Result{}, fmt.Errorf(
			"the executor was asked to stop, did not, and was killed%s",
			lastWords(said.Bytes()),
		)
	default:
		return protocol.Result{}, fmt.Errorf("the executor ended with %w%s", err, lastWords(said.Bytes()))
	}
	result, faults := protocol.DecodeResult(out.Bytes())
	if len(faults) > 0 {
		return protocol.Result{}, fmt.Errorf(
			"the executor's answer can't be read: %w%s",
			faults,
			lastWords(said.Bytes()),
		)
	}
	return result, nil
}

func (p *Process) unchanged() error {
	if p.Unchanged == nil {
		return nil
	}
	return p.Unchanged()
}

// maxLastWords bounds what is kept of what an executor said.
const maxLastWords = 200

// lastWords is the last line an executor said, fit to be kept: journals are for ever. What may be a
// secret is not in it.
func lastWords(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	last := redact.Line(lines[len(lines)-1], maxLastWords)
	if last == "" {
		return ""
	}
	return "; it said " + protocol.Quote(last)
}
