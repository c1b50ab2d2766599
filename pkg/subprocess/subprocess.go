// Package subprocess bounds the programs that ours start: what a program started ends with it, what
// it writes is bounded, and it ends with us where the kernel can see to that.
package subprocess

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
)

// Group makes a command the leader of a process group of its own, which Cancel kills whole. It
// must be called before Start, and release after Wait, both in the goroutine that calls them.
func Group(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return KillGroup(cmd) }
	return dieTogether(cmd.SysProcAttr)
}

// KillGroup kills a command that was started as the leader of a group, and all others of the group.
func KillGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// Bounded keeps what is written up to a limit. It never refuses a write: a program whose output is
// not read must not hang on it.
type Bounded struct {
	limit int
	over  func()

	mu   sync.Mutex
	buf  bytes.Buffer
	more bool
}

// NewBounded returns a writer that keeps limit bytes, and calls over, if it is not nil, once
// there is more.
func NewBounded(limit int, over func()) *Bounded { return &Bounded{limit: limit, over: over} }

// Write keeps p as far as there is room.
func (b *Bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := b.limit - b.buf.Len()
	b.buf.Write(p[:min(room, len(p))])
	if len(p) > room && !b.more {
		b.more = true
		if b.over != nil {
			b.over()
		}
	}
	return len(p), nil
}

// Bytes returns a copy of what was kept.
func (b *Bounded) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.buf.Bytes())
}

// Full reports whether more was written than is kept.
func (b *Bounded) Full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.more
}
