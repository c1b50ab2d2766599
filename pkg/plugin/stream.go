package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
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

// collectAt is by how much the memory of a stream grows before garbage is collected, in percent.
const collectAt = 400

const (
	// maxWaiting is how many requests of a stream are taken in at a time, and maxWaitingBytes how
	// large they are together. More are not read before some are answered.
	maxWaiting      = 512
	maxWaitingBytes = 4 << 20
)

// ServeStream answers the requests of a stream until it ends, or the context does: then it answers
// what was written to it by then. It returns 0 once each request that it read is answered, and 1
// once an answer can't be written.
func (p Program) ServeStream(
	ctx context.Context, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	// A single run does one thing after another. Here several processors have something to do, and
	// all that is allocated is of requests that soon end.
	runtime.SetDefaultGOMAXPROCS()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	call := Call{Env: Environment(environ)}
	call.Settings, call.Faults = Parse(call.Env)
	call.Log = NewEndlessLog(stderr, call.LogLevel)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &stream{
		Program: p, call: call, server: p.Serve(call), stop: stop, unread: make(chan struct{}),
		out: stdout, writing: make(chan struct{}, 1), log: &sharedWriter{to: stderr},
		room: newRoom(maxWaiting, maxWaitingBytes),
	}
	TellWaiting(p.Name, "requests (JSON), one after another,", 0, stdin, stderr)
	in, release := newInput(stdin, ctx)
	defer release()
	s.read(ctx, protocol.NewDocuments(in))
	s.under.Wait()
	select {
	case <-s.unread:
		return 1
	default:
		return 0
	}
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
	// unread is closed once an answer could not be written: nobody reads the others. Then stop is
	// called.
	unread chan struct{}
	once   sync.Once
	stop   func()

	out io.Writer
	// writing holds one while an answer is written.
	writing chan struct{}
}

// read takes in the requests of a stream, each once there is room for it.
func (s *stream) read(ctx context.Context, documents *protocol.Documents) {
	for s.room.await(s.unread) {
		document, err := documents.Next()
		switch {
		case errors.Is(err, protocol.ErrUnframed):
			if ctx.Err() != nil && errors.Is(err, io.ErrUnexpectedEOF) {
				// The rest of it was not waited for, so it is no request.
				return
			}
			s.take(ctx, document, true)
			return
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			s.call.Log.Error("cannot read the requests", "error", err)
			return
		}
		s.take(ctx, document, false)
	}
}

// take takes a request in, and has it answered. It is the last one if its end can't be told.
func (s *stream) take(ctx context.Context, document []byte, last bool) {
	s.room.add(len(document))
	s.taken++
	n, call := s.taken, s.call
	call.Request, call.Arrived, call.Last = bytes.NewReader(document), time.Now(), last
	call, ctx = s.begin(ctx, call, s.log)
	call.Log = call.Log.With(slog.Int("request", n))
	answer := s.server.Begin(call)
	s.under.Go(func() {
		defer s.room.leave(len(document))
		if s.end(call, s.write(n, answer(ctx))) != 0 {
			s.once.Do(func() { close(s.unread) })
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

// await waits until there is room for one more, and reports whether there was before over was
// closed.
func (r *room) await(over <-chan struct{}) bool {
	for {
		select {
		case <-over:
			return false
		default:
		}
		if r.free() {
			return true
		}
		select {
		case <-r.freed:
		case <-over:
		}
	}
}

func (r *room) free() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n < r.maxN && r.size < r.maxSize
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
