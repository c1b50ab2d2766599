package plugin_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// text is a result; one that is longer than limit is too large.
type text string

const limit = 20

func (x text) Write(w io.Writer) error {
	if len(x) > limit {
		return protocol.ErrTooLarge
	}
	_, err := io.WriteString(w, string(x))
	return err
}

func (x text) TooLarge() plugin.Result { return text("too large") }

// full is a standard output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func program(answer func(context.Context, plugin.Call) plugin.Result) plugin.Program {
	return plugin.Program{
		Name: "p", Version: "v1", Usage: func() string { return "how to use p\n" }, Answer: answer,
	}
}

// TestMainOfAPlugin: the exit code is 0 whenever a result was written, and nothing is answered for
// arguments.
func TestMainOfAPlugin(t *testing.T) {
	for _, c := range []struct {
		name, args, stdin string
		code              int
		stdout, stderr    string
	}{
		{"a request", "", "ask", 0, "heard ask", ""},
		{"a result too large", "", strings.Repeat("x", limit), 0, "too large", ""},
		{"the version", "--version", "", 0, "p v1\n", ""},
		{"help", "--help", "", 0, "how to use p\n", ""},
		{"help, short", "-h", "", 0, "how to use p\n", ""},
		{"an argument", "run", "ask", 2, "", "p: wrong argument \"run\"; see p --help\n"},
		{"a version that is misspelt", "--versoin", "ask", 2, "",
			"p: wrong argument \"--versoin\" (did you mean --version?); see p --help\n"},
		{"a stream, where there is none", "srve", "ask", 2, "",
			"p: wrong argument \"srve\"; see p --help\n"},
		{"two", "--version --help", "ask", 2, "",
			"p: wrong argument \"--version --help\"; see p --help\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := program(func(_ context.Context, call plugin.Call) plugin.Result {
				said, err := io.ReadAll(call.Request)
				if err != nil {
					t.Error(err)
				}
				return text("heard " + string(said))
			})
			var stdout, stderr strings.Builder
			args := append([]string{"/bin/p"}, strings.Fields(c.args)...)
			code := p.Main(t.Context(), args, nil, strings.NewReader(c.stdin), &stdout, &stderr)
			if code != c.code || stdout.String() != c.stdout || stderr.String() != c.stderr {
				t.Errorf("%d, %q, %q", code, &stdout, &stderr)
			}
		})
	}
}

// TestACallHasItsEnvironment: the settings of every plugin, all variables, and what is wrong.
func TestACallHasItsEnvironment(t *testing.T) {
	var got plugin.Call
	p := program(func(_ context.Context, call plugin.Call) plugin.Result {
		got = call
		call.Log.Debug("seen")
		return text("done")
	})
	var stdout, stderr strings.Builder
	env := []string{"EXECUTOR_TIMEOUT=soon", "EXECUTOR_LOG=debug", "A=b=c", "EMPTY="}
	p.Main(t.Context(), []string{"p"}, env, strings.NewReader(""), &stdout, &stderr)
	if got.Env["A"] != "b=c" || got.Timeout != 25*time.Second ||
		!strings.Contains(stderr.String(), "seen") {
		t.Errorf("%+v, %q", got, &stderr)
	}
	refusal := plugin.Refuse(got.Faults)
	const want = `the environment is not right: EXECUTOR_TIMEOUT is "soon", want a Go duration from ` +
		`100ms to 1h0m0s, as in 25s; nothing was changed`
	if refusal == nil || refusal.Class != protocol.Configuration || refusal.Message != want {
		t.Errorf("%v", refusal)
	}
	if plugin.Refuse(nil) != nil {
		t.Error("refused for nothing")
	}
}

// TestAResultThatCannotBeWritten is no answer, so the exit code is not 0 and the log says why.
func TestAResultThatCannotBeWritten(t *testing.T) {
	for _, r := range []text{"short", text(strings.Repeat("x", limit+1))} {
		p := program(func(context.Context, plugin.Call) plugin.Result { return r })
		var stderr strings.Builder
		code := p.Main(t.Context(), []string{"p"}, nil, strings.NewReader(""), full{}, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%d, %q", code, &stderr)
		}
	}
}

// TestARequestThatDoesNotEnd is given up when the context ends.
func TestARequestThatDoesNotEnd(t *testing.T) {
	open, writer := io.Pipe()
	defer writer.Close()
	read := func() (string, protocol.Faults) {
		all, _ := io.ReadAll(open)
		return string(all), protocol.Faults{{Reason: "bad"}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const want = "the request did not end in time; close the input after it"
	if r, faults, ended := plugin.Decode(ctx, read); ended || r != "" || faults.Error() != want {
		t.Errorf("%q, %v, %t", r, faults, ended)
	}
	done := func() (string, protocol.Faults) { return "all", protocol.Faults{{Reason: "bad"}} }
	if r, faults, ended := plugin.Decode(t.Context(), done); !ended || r != "all" ||
		faults.Error() != "bad" {
		t.Errorf("%q, %v, %t", r, faults, ended)
	}
}

// TestMetricsAreKeptAfterTheAnswer, whatever it was, and what goes wrong with them changes neither
// the answer nor the exit code.
func TestMetricsAreKeptAfterTheAnswer(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, dir, said string
		to              io.Writer
		code            int
	}{
		{"kept", dir, "", &strings.Builder{}, 0},
		{"the answer can't be written", dir, "no space left", full{}, 1},
		{"nowhere", dir + "/none", "cannot keep the metrics", &strings.Builder{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := program(func(ctx context.Context, call plugin.Call) plugin.Result {
				if metrics.FromContext(ctx) != call.Metrics {
					t.Error("the context does not carry them")
				}
				call.Metrics.Operation(metrics.Operation{Verb: "v"})
				return text("done")
			})
			var stderr strings.Builder
			env := []string{metrics.Variable + "=" + c.dir}
			code := p.Main(t.Context(), []string{"p"}, env, strings.NewReader(""), c.to, &stderr)
			if code != c.code || !strings.Contains(stderr.String(), c.said) ||
				(c.said == "") != (stderr.Len() == 0) {
				t.Errorf("%d, %s", code, &stderr)
			}
		})
	}
	shown, err := os.ReadFile(filepath.Join(dir, "p.prom"))
	if err != nil || !strings.Contains(string(shown), `_seconds_count{program="p",verb="v",`+
		`mode="none",status="none",failure_class="none"} 2`) {
		t.Errorf("%v in %s", err, shown)
	}
}

// TestTheTraceOfACall is the environment's; a malformed one is told and ignored.
func TestTheTraceOfACall(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, c := range []struct{ value, want, said string }{
		{"", "", ""}, {good, good, ""}, {good + "0", "", "the traceparent is ignored"},
	} {
		p := program(func(ctx context.Context, call plugin.Call) plugin.Result {
			plugin.Traced(ctx, call.Log).Error("said")
			return text(trace.FromContext(ctx).SpanID())
		})
		var stdout, stderr strings.Builder
		env := []string{trace.Variable + "=" + c.value}
		p.Main(t.Context(), []string{"p"}, env, strings.NewReader(""), &stdout, &stderr)
		want, _ := trace.Parse(c.want)
		if stdout.String() != want.SpanID() ||
			strings.Contains(stderr.String(), "traceId") != (c.want != "") ||
			!strings.Contains(stderr.String(), c.said) {
			t.Errorf("%q: %s, %s", c.value, &stdout, &stderr)
		}
	}
}
