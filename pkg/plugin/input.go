package plugin

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// input is the standard input of a stream. Once the program is asked to stop it ends behind what
// was written to it by then. So a caller that wrote a request before it asked gets an answer.
type input struct {
	from io.Reader
	stop context.Context
	// file is from where that is a pipe, a socket or a terminal, and nil otherwise. What another
	// reader holds is not told from what is still to come: it ends at once.
	file *os.File
	// stopped can be read once stop has ended.
	stopped *os.File
	// left is how much was written by then, or -1 before that.
	left int
}

// newInput reads from a reader until a context ends. Its release gives back what it holds.
func newInput(from io.Reader, stop context.Context) (in *input, release func()) {
	in = &input{from: from, stop: stop, left: -1}
	file, ok := from.(*os.File)
	if !ok {
		return in, func() {}
	}
	if info, err := file.Stat(); err != nil || info.Mode().IsRegular() {
		return in, func() {}
	}
	stopped, tell, err := os.Pipe()
	if err != nil {
		return in, func() {}
	}
	in.file, in.stopped = file, stopped
	told := context.AfterFunc(stop, func() { _ = tell.Close() })
	return in, func() {
		if told() {
			_ = tell.Close()
		}
		_ = stopped.Close()
	}
}

// Read reads what there is, and waits for it unless the program is to stop.
func (in *input) Read(p []byte) (int, error) {
	if in.file == nil {
		return in.readOrLeave(p)
	}
	if in.left < 0 {
		if err := in.await(); err != nil {
			return 0, err
		}
	}
	if in.left < 0 {
		return in.file.Read(p)
	}
	if in.left == 0 {
		return 0, io.EOF
	}
	n, err := in.file.Read(p[:min(len(p), in.left)])
	in.left -= n
	return n, err
}

// await waits until there is something to read. If the program is to stop first, it notes how much
// there is.
func (in *input) await() error {
	ready := []unix.PollFd{
		{Fd: int32(in.file.Fd()), Events: unix.POLLIN},
		{Fd: int32(in.stopped.Fd()), Events: unix.POLLIN},
	}
	for {
		_, err := unix.Poll(ready, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		case ready[1].Revents == 0:
			return nil
		}
		in.left, err = written(in.file)
		return err
	}
}

// readOrLeave reads, and leaves the reader behind if the program is to stop.
func (in *input) readOrLeave(p []byte) (int, error) {
	if in.stop.Err() != nil {
		return 0, io.EOF
	}
	type read struct {
		n   int
		err error
	}
	done := make(chan read, 1)
	go func() {
		n, err := in.from.Read(p)
		done <- read{n, err}
	}()
	select {
	case r := <-done:
		return r.n, r.err
	case <-in.stop.Done():
		return 0, io.EOF
	}
}
