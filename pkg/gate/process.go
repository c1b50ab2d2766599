package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Process runs an executor as a process of its own: the request on its standard input, the result from its
// standard output, and nothing inherited but the environment given here.
type Process struct {
	// Path is the executor's file.
	Path string
	// Env is its whole environment.
	Env []string
	// Timeout is when it is killed; its own deadline should come earlier.
	Timeout time.Duration
	// Log, when not nil, gets what the executor says for people.
	Log io.Writer
}

var _ Runner = (*Process)(nil)

// stopGrace is how long an executor that was asked to stop is waited for.
const stopGrace = 8 * time.Second

// Run starts the executor, and bounds its time and its output. When the context ends the executor is asked
// to stop, which it answers with a true result.
func (p *Process) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	if ctx.Err() != nil {
		return protocol.Result{}, &NotStarted{Cause: context.Cause(ctx)}
	}
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Timeout)
	defer cancel()
	cmd := exec.CommandContext(running, p.Path)
	cmd.Env = slices.Clone(p.Env)
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	cmd.WaitDelay = time.Second
	// A terminal's signals go to the gate, which passes them on in its own way.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdin = bytes.NewReader(EncodeRequest(r))
	out := &bounded{limit: protocol.MaxResultBytes, over: cancel}
	said := &bounded{limit: protocol.MaxLogBytes, over: cancel}
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Start(); err != nil {
		return protocol.Result{}, &NotStarted{Cause: err}
	}
	stop := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(stopGrace, cancel)
	})
	defer stop()
	err := cmd.Wait()
	if p.Log != nil {
		_, _ = p.Log.Write(said.text())
	}
	switch {
	case out.full() || said.full():
		return protocol.Result{}, fmt.Errorf("the executor wrote more than is read, and was killed%s", lastWords(said.text()))
	case errors.Is(running.Err(), context.DeadlineExceeded) && err != nil:
		return protocol.Result{}, fmt.Errorf("the executor did not end in %s, and was killed%s", p.Timeout, lastWords(said.text()))
	case err != nil:
		return protocol.Result{}, fmt.Errorf("the executor ended with %w%s", err, lastWords(said.text()))
	}
	result, err := DecodeResult(out.text())
	if err != nil {
		return protocol.Result{}, fmt.Errorf("the executor's answer can't be read: %w%s", err, lastWords(said.text()))
	}
	return result, nil
}

// lastWords is the last line an executor said, fit to be repeated.
func lastWords(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	last := lines[len(lines)-1]
	if last == "" {
		return ""
	}
	return "; it said " + protocol.Quote(last)
}

// bounded keeps what is written up to a limit, and calls over once there is more.
type bounded struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	limit int
	more  bool
	over  func()
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := b.limit - b.buf.Len(); len(p) > room {
		b.buf.Write(p[:room])
		if !b.more {
			b.more = true
			b.over()
		}
		return len(p), nil
	}
	return b.buf.Write(p)
}

func (b *bounded) text() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.buf.Bytes())
}

func (b *bounded) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.more
}
