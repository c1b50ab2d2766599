package runner

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/subprocess"
)

// Stream runs requests through one executor process that serves them all. Each has the deadline
// that a process of its own would have, and comes to the same.
//
// A process that dies is started anew for the next request. One that does not answer in time is
// killed: it must do nothing after that. What was on its way then has no result, as with a process
// of its own. After some deaths without an answer between them each request gets a process of its
// own.
//
// Nothing is sent to a process that was asked to stop: a later request waits until it has ended,
// and has a new one started. What a process did not read before it ended by itself was not begun,
// and is handed to the next one.
//
// It is safe for concurrent use. Its process ends with Close, or with this one.
type Stream struct {
	// Process says what is run, and how; its Log gets all lines as they come.
	Process

	mu     sync.Mutex
	live   *serving
	closed bool
	// deaths counts those since the last answer.
	deaths int
}

var _ gate.Runner = (*Stream)(nil)

// maxDeaths is how many processes die in a row before no other is started to serve.
const maxDeaths = 3

// errUnsent means that the process did not read a request as a whole, so that it does nothing.
var errUnsent = errors.New("the executor ended before it had the request")

// errClosed is of requests that come after Close.
var errClosed = errors.New("this program is at its end")

// Run hands a request to the process, and waits for its answer. When the context is canceled the
// process is asked to stop, which it answers with a true result for each request that it has.
func (s *Stream) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	deadline := time.Now().Add(s.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	r.Deadline = deadline
	for {
		if ctx.Err() != nil {
			return protocol.Result{}, &gate.NotStarted{Cause: context.Cause(ctx)}
		}
		live, err := s.process(ctx, deadline)
		switch {
		case err != nil:
			return protocol.Result{}, &gate.NotStarted{Cause: err}
		case live == nil:
			ctx, cancel := context.WithDeadline(ctx, deadline)
			defer cancel()
			return s.Process.Run(ctx, r)
		}
		result, err := s.ask(ctx, live, r)
		if !errors.Is(err, errUnsent) {
			return result, err
		}
	}
}

// process is the one that serves, which is started if there is none. It is nil after too many
// deaths.
func (s *Stream) process(ctx context.Context, deadline time.Time) (*serving, error) {
	for {
		live, stopping, err := s.liveOrNew()
		if !stopping {
			return live, err
		}
		if err := live.awaitEnd(ctx, deadline); err != nil {
			return nil, err
		}
	}
}

// liveOrNew is the process that serves, which is started if there is none. It may be stopping: then
// it has to end before there is another.
func (s *Stream) liveOrNew() (live *serving, stopping bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, errClosed
	}
	if err := s.unchanged(); err != nil {
		return nil, false, err
	}
	if s.live != nil {
		stopping := s.live.isStopping()
		if !s.live.hasEnded() {
			return s.live, stopping, nil
		}
		s.live = nil
		if !stopping {
			s.deaths++
		}
	}
	if s.deaths >= maxDeaths {
		return nil, false, nil
	}
	if live, err = s.start(); err != nil {
		return nil, false, err
	}
	if err := s.unchanged(); err != nil {
		live.kill(err)
		<-live.ended
		return nil, false, fmt.Errorf("the executor was killed: %w", err)
	}
	s.live = live
	return live, false, nil
}

// answered notes that a process does its work.
func (s *Stream) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaths = 0
}

// ask sends a request to a process, and waits for the answer.
func (s *Stream) ask(
	ctx context.Context, live *serving, r protocol.Request,
) (protocol.Result, error) {
	answers, err := live.send(protocol.EncodeRequest(r), r.Deadline)
	if err != nil {
		return protocol.Result{}, err
	}
	late := time.NewTimer(time.Until(r.Deadline))
	defer late.Stop()
	stopped := ctx.Done()
	for {
		select {
		case a := <-answers:
			if a.err == nil {
				s.answered()
			}
			return a.result, a.err
		case <-late.C:
			live.kill(fmt.Errorf("the executor did not end in %s, and was killed", s.Timeout))
			late.Reset(time.Hour)
		case <-stopped:
			stopped = nil
			// At its deadline the timer is due, too.
			if errors.Is(ctx.Err(), context.Canceled) {
				live.stop(cmp.Or(s.Grace, defaultGrace))
			}
		}
	}
}

// Close ends the process once it has answered what it has. Later requests are not begun.
func (s *Stream) Close() {
	s.mu.Lock()
	live := s.live
	s.live, s.closed = nil, true
	s.mu.Unlock()
	if live == nil {
		return
	}
	live.shut(nil)
	late := time.AfterFunc(cmp.Or(s.Grace, defaultGrace), func() { live.kill(errors.New("closed")) })
	defer late.Stop()
	<-live.ended
}

// serving is one process that serves.
type serving struct {
	cmd *exec.Cmd
	// in is its standard input, and writing holds one while a request is written.
	in      *os.File
	writing chan struct{}
	said    *words
	// ended is closed once it has ended, and every request has its answer.
	ended chan struct{}

	mu sync.Mutex
	// sent counts the requests. waiting are those without an answer, by their numbers. cut is the
	// number of one that was not written to its end, 0 for none.
	sent, cut int
	waiting   map[int]chan answer
	// killed is why it was killed, nil if it was not. Once that, over or stopping is set nothing more
	// is sent. stopping means that it was asked to end, over that it has.
	killed         error
	over, stopping bool
}

// answer is what came of a request.
type answer struct {
	result protocol.Result
	err    error
}

// hasEnded reports whether the process has ended.
func (l *serving) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// isStopping reports whether the process was asked to end.
func (l *serving) isStopping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping
}

// awaitEnd waits for the end of a process that is stopping.
func (l *serving) awaitEnd(ctx context.Context, deadline time.Time) error {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return errors.New("an earlier process of the executor did not stop in time")
	}
}

func (s *Stream) start() (*serving, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), in.Close())
	}
	l := &serving{
		cmd: exec.CommandContext(context.Background(), s.Path, "serve"), in: in,
		writing: make(chan struct{}, 1),
		ended:   make(chan struct{}), waiting: map[int]chan answer{},
	}
	l.said = &words{log: s.Log, tooMuch: func() { l.kill(errTooMuch) }}
	l.cmd.Env = slices.Clone(s.Env)
	l.cmd.Stdin, l.cmd.Stdout, l.cmd.Stderr = stdin, stdout, l.said
	// Whoever still holds its output when it has ended has nothing to add.
	l.cmd.WaitDelay = 2 * time.Second
	started := make(chan error)
	go func() {
		// In a group of its own it is killed with all that it started, and with this process. The
		// kernel wants one thread for that.
		defer subprocess.Group(l.cmd)()
		err := l.cmd.Start()
		_, _ = stdin.Close(), stdout.Close()
		started <- err
		if err != nil {
			_, _ = in.Close(), out.Close()
			return
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			l.read(out)
		}()
		err = l.cmd.Wait()
		_ = subprocess.KillGroup(l.cmd)
		select {
		case <-read:
		case <-time.After(l.cmd.WaitDelay):
		}
		_ = out.Close()
		<-read
		_ = in.Close()
		l.end(err)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return l, nil
}

// errTooMuch is of a process whose output has no end.
var errTooMuch = errors.New("the executor wrote more than is read, and was killed")

// send writes a request, and returns where its answer comes. If the request is not there as a whole
// by the deadline, nothing is done.
func (l *serving) send(document []byte, deadline time.Time) (<-chan answer, error) {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	select {
	case l.writing <- struct{}{}:
		defer func() { <-l.writing }()
	case <-l.ended:
		return nil, errUnsent
	case <-late.C:
		return nil, &gate.NotStarted{Cause: errors.New("the executor took in no request in time")}
	}
	n, answers := l.next(deadline)
	if n == 0 {
		return nil, errUnsent
	}
	l.said.more()
	written, err := l.in.Write(document)
	if err == nil || written >= len(bytes.TrimSpace(document)) {
		return answers, nil
	}
	if l.cutOff(n) {
		return nil, errUnsent
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// What comes next would be taken for the rest of it.
		l.kill(errTookNoneIn)
		<-l.ended
		return nil, &gate.NotStarted{Cause: errors.New("the executor took in no request in time")}
	}
	// It has ended, or reads no more and is about to end; its end says why.
	select {
	case <-l.ended:
	case <-late.C:
		l.kill(errTookNoneIn)
		<-l.ended
	}
	return nil, errUnsent
}

// errTookNoneIn is of a process that read no request as a whole by its deadline.
var errTookNoneIn = errors.New("the executor took in no request in time, and was killed")

// next is the number of the next request, which is to be written by a deadline, and where its
// answer comes. It is 0 if there is to be none.
func (l *serving) next(deadline time.Time) (n int, answers chan answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.stopping || l.killed != nil {
		return 0, nil
	}
	_ = l.in.SetWriteDeadline(deadline)
	l.sent++
	answers = make(chan answer, 1)
	l.waiting[l.sent] = answers
	return l.sent, answers
}

// cutOff notes that a request was not written to its end, and reports whether that is because the
// process was asked to end.
func (l *serving) cutOff(n int) (asked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, n)
	l.cut = n
	return l.stopping
}

// read hands out the answers as they come.
func (l *serving) read(out io.Reader) {
	lines := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := readLine(lines)
		if errors.Is(err, errTooMuch) {
			l.kill(err)
		}
		if err != nil {
			return
		}
		n, result, faults := protocol.DecodeStreamed(line)
		l.mu.Lock()
		to, asked := l.waiting[n]
		delete(l.waiting, n)
		isCut := n > 0 && n == l.cut
		l.mu.Unlock()
		if isCut {
			continue
		}
		a := answer{result: result}
		if len(faults) > 0 {
			a = answer{err: fmt.Errorf("the executor's answer can't be read: %w%s", faults,
				lastWords(l.said.bytes()))}
		}
		if !asked {
			l.kill(unasked(n, faults))
			return
		}
		to <- a
	}
}

// unasked is the error of an answer to a request that waits for none.
func unasked(n int, faults protocol.Faults) error {
	why := fmt.Sprintf(
		"the executor answered request %d, which waits for no answer, and was killed", n)
	if len(faults) > 0 {
		return fmt.Errorf("%s: %w", why, faults)
	}
	return errors.New(why)
}

// readLine reads one line that is no longer than an answer.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > protocol.MaxResultBytes {
			return nil, errTooMuch
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// kill kills the process and all that it started; the first reason counts.
func (l *serving) kill(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed == nil && !l.over {
		l.killed = why
		_ = subprocess.KillGroup(l.cmd)
	}
}

// stop asks the process to stop, and kills it if it does not within the grace.
func (l *serving) stop(grace time.Duration) {
	l.shut(func() {
		_ = l.cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(grace, func() {
			l.kill(errors.New("the executor was asked to stop, did not, and was killed"))
		})
	})
}

// shut ends what is sent to the process, once: a request that is being written is cut off, so that
// all others were written before then is called and before the input ends.
func (l *serving) shut(then func()) {
	l.mu.Lock()
	if l.over || l.stopping || l.killed != nil {
		l.mu.Unlock()
		return
	}
	l.stopping = true
	_ = l.in.SetWriteDeadline(time.Now())
	l.mu.Unlock()
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	if then != nil {
		then()
	}
	_ = l.in.Close()
}

// end tells all that still wait that the process has ended. One that ends by itself with exit code
// 0 has answered all that it read.
func (l *serving) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	why := l.killed
	switch {
	case why != nil:
	case err != nil:
		why = fmt.Errorf("the executor ended with %w", err)
	default:
		why = errUnsent
	}
	for _, to := range l.waiting {
		to <- answer{err: fmt.Errorf("%w%s", why, lastWords(l.said.bytes()))}
	}
	clear(l.waiting)
	close(l.ended)
}

// words are what a process says for people. The last of them are kept.
type words struct {
	log     io.Writer
	tooMuch func()

	mu   sync.Mutex
	last []byte
	// allowed is how much may still be said: so much for each request.
	allowed int
}

// more allows what one more request may have said of it.
func (w *words) more() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed += protocol.MaxLogBytes
}

func (w *words) bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.last)
}

// Write keeps the last words. It never fails: a program whose words are not read must not hang.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.last = append(w.last, p...)
	if n := len(w.last) - keptWords; n > 0 {
		w.last = append(w.last[:0], w.last[n:]...)
	}
	w.allowed -= len(p)
	over := w.allowed < -protocol.MaxLogBytes
	w.mu.Unlock()
	if over {
		w.tooMuch()
		return len(p), nil
	}
	if w.log != nil {
		_, _ = w.log.Write(p)
	}
	return len(p), nil
}

// keptWords is how much of what a process said is kept.
const keptWords = 4 << 10
