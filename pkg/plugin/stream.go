package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// serveArgument has a program answer a stream of requests.
const serveArgument = "serve"

// Server answers the requests of a stream, each as if it had a process of its own.
type Server interface {
	// Begin takes in a request. Requests are taken in one by one, in the order in which they came.
	// It returns what answers the request. Answers of several requests are found at the same time.
	Begin(Call) (answer func(context.Context) Result)
}

const (
	// maxWaiting is how many requests of a stream are taken in at a time, and maxWaitingBytes how
	// large they are together. More are not read before some are answered.
	maxWaiting      = 512
	maxWaitingBytes = 4 << 20
)

// ServeStream answers the requests of a stream until it ends, or the context does. It returns 0
// once each of them is answered, and 1 once an answer can't be written.
func (p Program) ServeStream(
	ctx context.Context, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	// A single run does one thing after another. Here several processors have something to do.
	runtime.SetDefaultGOMAXPROCS()
	call := Call{Env: Environment(environ)}
	call.Settings, call.Faults = Parse(call.Env)
	call.Log = NewEndlessLog(stderr, call.LogLevel)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &stream{
		Program: p, call: call, server: p.Serve(call), stop: stop,
		out: stdout, writing: make(chan struct{}, 1), log: &sharedWriter{to: stderr},
		room: newRoom(maxWaiting, maxWaitingBytes),
	}
	read := make(chan framed)
	// A reader that waits for input can't be stopped, and is left behind.
	go s.read(ctx, stdin, read)
	for more := true; more; {
		select {
		case r, ok := <-read:
			if more = ok; ok {
				s.take(ctx, r)
			}
		case <-ctx.Done():
			more = false
		}
	}
	s.under.Wait()
	return int(s.code.Load())
}

// stream is one stream of requests.
type stream struct {
	Program
	call   Call
	server Server
	log    *sharedWriter
	room   *room
	taken  int
	under  sync.WaitGroup
	// code is 1 once an answer could not be written. Then stop is called: nobody reads the others.
	code atomic.Int32
	stop func()

	out io.Writer
	// writing holds one while an answer is written.
	writing chan struct{}
}

// framed is one document of a stream.
type framed struct {
	document []byte
	arrived  time.Time
	// last reports whether its end can't be told.
	last bool
}

// read reads the documents of a stream, each once there is room for it.
func (s *stream) read(ctx context.Context, stdin io.Reader, to chan<- framed) {
	defer close(to)
	documents := protocol.NewDocuments(stdin)
	for s.room.await(ctx) {
		document, err := documents.Next()
		last := errors.Is(err, protocol.ErrUnframed)
		if err != nil && !last {
			if !errors.Is(err, io.EOF) {
				s.call.Log.Error("cannot read the requests", "error", err)
			}
			return
		}
		s.room.add(len(document))
		select {
		case to <- framed{document, time.Now(), last}:
		case <-ctx.Done():
			return
		}
		if last {
			return
		}
	}
}

// take takes a request in, and has it answered.
func (s *stream) take(ctx context.Context, r framed) {
	s.taken++
	n, call := s.taken, s.call
	call.Request, call.Arrived, call.Last = bytes.NewReader(r.document), r.arrived, r.last
	call, ctx = s.begin(ctx, call, s.log)
	call.Log = call.Log.With(slog.Int("request", n))
	answer := s.server.Begin(call)
	s.under.Go(func() {
		defer s.room.leave(len(r.document))
		if s.end(call, s.write(n, answer(ctx))) != 0 {
			s.code.Store(1)
			s.stop()
		}
	})
}

// write writes the answer to the nth request.
func (s *stream) write(n int, r Result) error {
	var answer bytes.Buffer
	if err := Write(&answer, r); err != nil {
		return err
	}
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	return protocol.WriteStreamed(s.out, n, answer.Bytes())
}

// sharedWriter is a log of several requests, whose lines do not mix.
type sharedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *sharedWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(line)
}

// room bounds what was read and is not answered.
type room struct {
	mu      sync.Mutex
	freed   chan struct{}
	n, size int
	maxN    int
	maxSize int
}

func newRoom(n, size int) *room {
	return &room{freed: make(chan struct{}, 1), maxN: n, maxSize: size}
}

// await waits until there is room for one more, and reports whether the context let it.
func (r *room) await(ctx context.Context) bool {
	for {
		r.mu.Lock()
		free := r.n < r.maxN && r.size < r.maxSize
		r.mu.Unlock()
		if free {
			return ctx.Err() == nil
		}
		select {
		case <-r.freed:
		case <-ctx.Done():
			return false
		}
	}
}

// add takes the room of one.
func (r *room) add(size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n, r.size = r.n+1, r.size+size
}

// leave gives the room of one back.
func (r *room) leave(size int) {
	r.mu.Lock()
	r.n, r.size = r.n-1, r.size-size
	r.mu.Unlock()
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// capabilities is what a program tells of itself.
type capabilities struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Capabilities []string `json:"capabilities"`
}

// CapabilityServe is that of a program that answers a stream of requests.
const CapabilityServe = "serve"

// tellCapabilities answers a program that wants to know what this one can do.
func (p Program) tellCapabilities(stdout io.Writer) int {
	c := capabilities{p.Name, p.Version, []string{p.Capability}}
	if p.Serve != nil {
		c.Capabilities = append(c.Capabilities, CapabilityServe)
	}
	if json.NewEncoder(stdout).Encode(c) != nil {
		return 1
	}
	return 0
}
