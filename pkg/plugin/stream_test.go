package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// document is a result as a document.
type document struct{ said string }

func (d document) Write(w io.Writer) error {
	if len(d.said) > limit {
		return protocol.ErrTooLarge
	}
	_, err := fmt.Fprintf(w, "{\n  \"said\": %q\n}\n", d.said)
	return err
}

func (document) TooLarge() plugin.Result { return document{"too large"} }

// server answers requests, and counts those that are taken in.
type server struct {
	answer func(context.Context, plugin.Call) plugin.Result
	taken  *atomic.Int64
}

func (s server) Begin(call plugin.Call) func(context.Context) plugin.Result {
	s.taken.Add(1)
	return func(ctx context.Context) plugin.Result { return s.answer(ctx, call) }
}

// serving is a program that answers streams.
func serving(
	answer func(context.Context, plugin.Call) plugin.Result,
) (plugin.Program, *atomic.Int64) {
	taken := &atomic.Int64{}
	p := program(nil)
	p.Capability = "say"
	p.Serve = func(plugin.Call) plugin.Server { return server{answer, taken} }
	return p, taken
}

// echo says what was asked.
func echo(_ context.Context, call plugin.Call) plugin.Result {
	asked, _ := io.ReadAll(call.Request)
	said := strings.ReplaceAll(string(asked), `"`, "'")
	if call.Last {
		said += " last"
	}
	return document{said}
}

// TestServe: each document is a request with a number, the one that has no end too; and only a
// program that serves takes the argument.
func TestServe(t *testing.T) {
	p, _ := serving(echo)
	var stdout, stderr strings.Builder
	code := p.Main(t.Context(), []string{"/bin/p", "serve"}, nil,
		strings.NewReader("{1}\n[2] {3"), &stdout, &stderr)
	for _, want := range []string{
		`{"request":1,"said":"{1}"}`, `{"request":2,"said":"[2]"}`, `{"request":3,"said":"{3 last"}`,
	} {
		if !strings.Contains(stdout.String(), want+"\n") {
			t.Errorf("%s is not among the answers:\n%s", want, &stdout)
		}
	}
	if code != 0 || strings.Count(stdout.String(), "\n") != 3 || stderr.Len() > 0 {
		t.Errorf("exit %d: %s%s", code, &stdout, &stderr)
	}
	stdout.Reset()
	p.Serve = nil
	code = p.Main(t.Context(), []string{"/bin/p", "serve"}, nil, strings.NewReader("{}"), &stdout,
		&stderr)
	if code != 2 || stdout.Len() > 0 {
		t.Errorf("a program that does not serve: exit %d, %s", code, &stdout)
	}
}

// TestCapabilities: a program tells what it can do, and that it serves only if it does.
func TestCapabilities(t *testing.T) {
	p, _ := serving(echo)
	for _, want := range []string{
		`{"name":"p","version":"v1","capabilities":["say","serve"]}`,
		`{"name":"p","version":"v1","capabilities":["say"]}`,
	} {
		var stdout strings.Builder
		code := p.Main(t.Context(), []string{"/bin/p", "--capabilities"}, nil, nil, &stdout, nil)
		if code != 0 || stdout.String() != want+"\n" {
			t.Errorf("exit %d: %s, want %s", code, &stdout, want)
		}
		p.Serve = nil
	}
}

// TestServeAnswersWhatIsTooLarge: as a single run does.
func TestServeAnswersWhatIsTooLarge(t *testing.T) {
	p, _ := serving(echo)
	var stdout strings.Builder
	long := `["` + strings.Repeat("x", limit) + `"]`
	code := p.ServeStream(t.Context(), nil, strings.NewReader(long), &stdout, io.Discard)
	if code != 0 || stdout.String() != `{"request":1,"said":"too large"}`+"\n" {
		t.Errorf("exit %d: %s", code, &stdout)
	}
}

// TestServeEndsWithItsReader: once an answer can't be written, the others are asked to stop,
// nothing more is read, and the exit code tells it.
func TestServeEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, taken := serving(func(ctx context.Context, call plugin.Call) plugin.Result {
			if asked, _ := io.ReadAll(call.Request); string(asked) == "{2}" {
				<-ctx.Done()
			}
			return document{"done"}
		})
		in, to := io.Pipe()
		var stderr bytes.Buffer
		code := make(chan int)
		go func() { code <- p.ServeStream(t.Context(), nil, in, full{}, &stderr) }()
		_, _ = io.WriteString(to, "{2}")
		synctest.Wait()
		_, _ = io.WriteString(to, "{1}")
		if got := <-code; got != 1 || taken.Load() != 2 ||
			!strings.Contains(stderr.String(), "cannot write the result") {
			t.Errorf("exit %d after %d: %s", got, taken.Load(), &stderr)
		}
		_ = to.CloseWithError(errors.New("done"))
	})
}

// TestServeDoesNotReadAhead: of requests whose answers nobody reads, so many are taken in and no
// more, by number and by size.
func TestServeDoesNotReadAhead(t *testing.T) {
	for size, c := range map[int]struct {
		all  int
		want int64
	}{2: {600, 512}, 1 << 20: {8, 4}} {
		synctest.Test(t, func(t *testing.T) {
			p, taken := serving(func(context.Context, plugin.Call) plugin.Result {
				return document{"done"}
			})
			in, to := io.Pipe()
			from, out := io.Pipe()
			code := make(chan int)
			go func() { code <- p.ServeStream(t.Context(), nil, in, out, io.Discard) }()
			request := `{` + strings.Repeat(" ", size-2) + `}`
			go func() {
				for range c.all {
					_, _ = io.WriteString(to, request)
				}
				_ = to.Close()
			}()
			synctest.Wait()
			if got := taken.Load(); got != c.want {
				t.Errorf("of %d bytes each %d are taken in, want %d", size, got, c.want)
			}
			go func() {
				if got := <-code; got != 0 {
					t.Errorf("exit %d", got)
				}
				_ = out.Close()
			}()
			answers, err := io.ReadAll(from)
			if n := bytes.Count(answers, []byte("\n")); n != c.all || err != nil {
				t.Errorf("%d answers, want %d: %v", n, c.all, err)
			}
		})
	}
}

// TestServeStopsReading: once its context ends, also while it waits for a request.
func TestServeStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, taken := serving(echo)
		ctx, stop := context.WithCancel(t.Context())
		in, to := io.Pipe()
		var stdout strings.Builder
		code := make(chan int)
		go func() { code <- p.ServeStream(ctx, nil, in, &stdout, io.Discard) }()
		_, _ = io.WriteString(to, "{1}")
		synctest.Wait()
		stop()
		if got := <-code; got != 0 || taken.Load() != 1 ||
			stdout.String() != `{"request":1,"said":"{1}"}`+"\n" {
			t.Errorf("exit %d after %d: %s", got, taken.Load(), &stdout)
		}
		_ = to.CloseWithError(errors.New("done"))
	})
}

// TestServeAnswersWhatWasWrittenBeforeTheStop: in its order, though the pipe stays open. What is
// not there as a whole is no request.
func TestServeAnswersWhatWasWrittenBeforeTheStop(t *testing.T) {
	for name, c := range map[string]struct {
		written string
		want    int
	}{
		"nothing":              {"", 0},
		"some":                 {"{1}\n[2] {3}\n", 3},
		"one that has no end":  {"{1}{2}{3", 2},
		"one that has no form": {"{1}x", 2},
	} {
		t.Run(name, func(t *testing.T) {
			p, taken := serving(func(ctx context.Context, call plugin.Call) plugin.Result {
				return document{fmt.Sprint("stopped ", ctx.Err() != nil)}
			})
			stdin, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			defer in.Close()
			_, _ = in.WriteString(c.written)
			ctx, stop := context.WithCancel(t.Context())
			stop()
			var stdout, stderr strings.Builder
			code := p.ServeStream(ctx, nil, stdin, &stdout, &stderr)
			if code != 0 || int(taken.Load()) != c.want || stderr.Len() > 0 ||
				strings.Count(stdout.String(), `"said":"stopped true"}`+"\n") != c.want {
				t.Errorf("exit %d after %d, want %d: %s%s", code, taken.Load(), c.want, &stdout, &stderr)
			}
		})
	}
}

// TestServeAnswersAFileAsFarAsItIs: what is left of a file at a signal is not read. It has no
// writer who waits.
func TestServeAnswersAFileAsFarAsItIs(t *testing.T) {
	p, taken := serving(echo)
	path := filepath.Join(t.TempDir(), "requests")
	if err := os.WriteFile(path, []byte("{1}{2}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for stopped, want := range map[bool]int64{false: 2, true: 0} {
		stdin, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		if stopped {
			stop()
		}
		taken.Store(0)
		if code := p.ServeStream(ctx, nil, stdin, io.Discard, io.Discard); code != 0 ||
			taken.Load() != want {
			t.Errorf("stopped %t: exit %d after %d, want %d", stopped, code, taken.Load(), want)
		}
	}
}

// TestServeOfAPipeStops: also while it waits for a request, and it has answered what came before.
func TestServeOfAPipeStops(t *testing.T) {
	began := make(chan struct{}, 1)
	p, taken := serving(func(ctx context.Context, _ plugin.Call) plugin.Result {
		began <- struct{}{}
		<-ctx.Done()
		return document{"stopped"}
	})
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer in.Close()
	ctx, stop := context.WithCancel(t.Context())
	var stdout strings.Builder
	code := make(chan int)
	go func() { code <- p.ServeStream(ctx, nil, stdin, &stdout, io.Discard) }()
	_, _ = in.WriteString("{1}")
	<-began
	stop()
	if got := <-code; got != 0 || taken.Load() != 1 ||
		stdout.String() != `{"request":1,"said":"stopped"}`+"\n" {
		t.Errorf("exit %d after %d: %s", got, taken.Load(), &stdout)
	}
}
