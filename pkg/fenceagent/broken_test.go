package fenceagent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
)

var errBroken = errors.New("it is broken")

// TestWhatBreaksBeforeAnyChange: whatever a machine refuses the agent is told, the exit code is
// that of a failure, and nothing is changed or asked of EC2.
func TestWhatBreaksBeforeAnyChange(t *testing.T) {
	c := newCluster(t)
	for name, tt := range map[string]struct {
		lines  string
		adjust func(*Program)
		want   string
	}{
		"the home directory": {"", func(p *Program) {
			p.Setenv = func(string, string) error { return errBroken }
		}, "it is broken"},
		"the profile": {"profile=p", func(p *Program) {
			p.Setenv = func(name, _ string) error {
				if name == "AWS_PROFILE" {
					return errBroken
				}
				return nil
			}
		}, "it is broken"},
		"the debug file": {"debug_file=/d", func(p *Program) {
			p.OpenLog = func(string) (io.WriteCloser, error) { return nil, errBroken }
		}, `cannot open the debug file "/d": it is broken`},
		"a signal while it waits to begin": {"delay=3", func(p *Program) {
			p.Wait = func(context.Context, time.Duration) error { return context.Canceled }
		}, "a signal stopped the agent before the fence began; nothing was changed"},
		"a signal while it looks again": {"plug=nobody", func(p *Program) {
			p.Wait = func(context.Context, time.Duration) error { return context.Canceled }
		}, "a signal stopped the agent; nothing was changed"},
		"the time is up while it looks again": {"plug=nobody", func(p *Program) {
			p.Wait = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
		}, "the time for the answer was up; nothing was changed"},
		"the region": {"region=", func(p *Program) {
			p.OwnRegion = func(context.Context, *slog.Logger) (string, error) { return "", errBroken }
		}, "no region is given, and the metadata service does not tell one (it is broken): give it by" +
			" region"},
		"the connection": {"plug=db", func(p *Program) {
			p.Connect = func(context.Context, string, time.Duration, *slog.Logger) (EC2, error) {
				return nil, errBroken
			}
		}, "it is broken"},
		"the agent": {"region=", func(p *Program) {
			p.OwnRegion = func(context.Context, *slog.Logger) (string, error) { panic("a bug") }
		}, "a bug in the agent stopped it: a bug; look at the instance before you try again"},
	} {
		delete(c.environment, "HOME")
		delete(c.environment, "AWS_DEFAULT_REGION")
		c.adjust = tt.adjust
		said := c.call("action=off\nplug=" + ec2sim.LabDB + "\nregion=" + ec2sim.LabRegion +
			"\nsecg=" + ec2sim.LabGroupFence + "\ninvert_sg_removal=1\n" + tt.lines + "\n")
		said = strings.ReplaceAll(said, "sets HOME=/var/lib/cluster\n", "")
		want := "exit 1\n! Failed: " + tt.want + "\n"
		if tt.lines == "plug=nobody" {
			want += "calls DescribeInstances\n"
		}
		if said != want {
			t.Errorf("%s: it says\n%swant\n%s", name, said, want)
		}
	}
}

// full is an output that takes nothing.
type full struct{}

// Write fails.
func (full) Write([]byte) (int, error) { return 0, errBroken }

// TestAnAnswerThatIsNotTaken: of what asks for words it is a failure. Of what changes or judges a
// node the exit code is the answer, and it stays.
func TestAnAnswerThatIsNotTaken(t *testing.T) {
	c := newCluster(t)
	c.stdout = full{}
	const fence = " secg=FENCE invert_sg_removal=1"
	const untold = "exit 1\n! Failed: the answer could not be written: it is broken\n"
	for step, want := range map[string]string{
		"list":                       untold,
		"list-status" + fence:        untold,
		"metadata":                   untold,
		"manpage":                    untold,
		"command --help":             untold,
		"command --version":          untold,
		"status plug=DB" + fence:     "exit 0\n",
		"status plug=DB2" + fence:    "exit 1\n! Failed: no instance",
		"validate-all" + fence:       "exit 0\n",
		"monitor plug=DB" + fence:    "exit 0\n",
		"on plug=DB retry_on=0":      "exit 0\n",
		"status nodename=db" + fence: "exit 0\n",
	} {
		long := strings.NewReplacer(words...).Replace(step)
		if said := c.step(strings.Fields(long)); !strings.Contains(said, want) {
			t.Errorf("%s: it says\n%swant\n%s", step, said, want)
		}
	}
}

// TestTheRecordLiesWhereTheOptionsSay, whatever the environment says.
func TestTheRecordLiesWhereTheOptionsSay(t *testing.T) {
	c := newCluster(t)
	elsewhere := t.TempDir()
	said := c.call("action=off\nplug=" + ec2sim.LabDB + "\nregion=" + ec2sim.LabRegion + "\nsecg=" +
		ec2sim.LabGroupFence + "\ninvert_sg_removal=1\nstate_dir=" + elsewhere + "\n")
	if !strings.HasPrefix(said, "exit 0\n") {
		t.Fatal(said)
	}
	for dir, want := range map[string]bool{
		elsewhere: true, c.environment["EXECUTOR_STATE_DIR"]: false,
	} {
		if all, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(all) > 0 != want {
			t.Errorf("in %s there is %v, %v", dir, all, err)
		}
	}
}

// TestACallIsCounted: what asked EC2 is counted with what it came to, by the action's one name.
// What only tells of the agent is not.
func TestACallIsCounted(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	c.environment["EXECUTOR_METRICS_DIR"] = dir
	const fence = " plug=DB secg=FENCE invert_sg_removal=1"
	for _, step := range []string{
		"disable" + fence, "status" + fence, "on" + fence, "off plug=NOBODY secg=FENCE", "metadata",
	} {
		c.step(strings.Fields(strings.NewReplacer(words...).Replace(step)))
	}
	text, err := os.ReadFile(filepath.Join(dir, "fence_aws_executor.prom"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`verb="off",mode="execute",status="succeeded"`, `verb="status",mode="read",status="succeeded"`,
		`verb="on",mode="execute",status="succeeded"`, `verb="off",mode="execute",status="failed"`,
	} {
		line := `operation_duration_seconds_count{program="fence_aws_executor",` + want
		if n := strings.Count(string(text), line); n != 1 {
			t.Errorf("%s is there %d times:\n%s", want, n, text)
		}
	}
	for _, no := range []string{`verb="metadata"`, `verb="disable"`} {
		if strings.Contains(string(text), no) {
			t.Errorf("%s is counted", no)
		}
	}
}

// TestTheRegionIsThatOfTheOptions, else that of the environment. This machine's is asked last.
func TestTheRegionIsThatOfTheOptions(t *testing.T) {
	for _, tt := range []struct {
		option string
		env    map[string]string
		want   string
	}{
		{"region=a-a-1", map[string]string{"AWS_REGION": "b-b-2"}, "a-a-1"},
		{"", map[string]string{"AWS_REGION": "b-b-2", "AWS_DEFAULT_REGION": "c-c-3"}, "b-b-2"},
		{"", map[string]string{"AWS_DEFAULT_REGION": "c-c-3"}, "c-c-3"},
		{"", nil, "own"},
	} {
		r := call(tt.option)
		r.env = tt.env
		asked := 0
		r.OwnRegion = func(context.Context, *slog.Logger) (string, error) {
			asked++
			return "own", nil
		}
		for range 2 {
			if got, err := r.region(); got != tt.want || err != nil {
				t.Errorf("%+v: %s, %v", tt, got, err)
			}
		}
		if want := map[bool]int{true: 1}[tt.want == "own"]; asked != want {
			t.Errorf("%+v: this machine is asked %d times", tt, asked)
		}
	}
}

// debugFile is a log file in memory.
type debugFile struct {
	strings.Builder
	closed bool
}

// Close notes that it was called, and fails.
func (f *debugFile) Close() error {
	f.closed = true
	return errBroken
}

// TestTheDebugFileIsClosed: it has every line, and is closed at the end. That it can't be is no
// reason to fail.
func TestTheDebugFileIsClosed(t *testing.T) {
	c := newCluster(t)
	file := &debugFile{}
	c.adjust = func(p *Program) {
		p.OpenLog = func(string) (io.WriteCloser, error) { return file, nil }
	}
	said := c.call("action=status\nplug=" + ec2sim.LabDB + "\nregion=" + ec2sim.LabRegion + "\nsecg=" +
		ec2sim.LabGroupFence + "\ninvert_sg_removal=1\ndebug_file=/d\n")
	if !strings.HasPrefix(said, "exit 0\n") || !file.closed ||
		!strings.Contains(file.String(), `"msg":"the executor says"`) {
		t.Errorf("%sclosed %t: %s", said, file.closed, file)
	}
}

// TestNewLeavesNothingOut: whatever the agent may ask of this machine is there.
func TestNewLeavesNothingOut(t *testing.T) {
	p := reflect.ValueOf(*New("name", "v9", actions.Registry()))
	for i := range p.NumField() {
		if p.Field(i).IsZero() {
			t.Errorf("there is no %s", p.Type().Field(i).Name)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(gone, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that is cut short: %v", err)
	}
	if err := wait(t.Context(), 0); err != nil {
		t.Errorf("a wait that is over: %v", err)
	}
}

// TestABlankMaySeparate: where another option is empty it is left out.
func TestABlankMaySeparate(t *testing.T) {
	in := readArguments([]string{"--separator", " ", "--plug_separator=;", "--filter", " "})
	if in.text(optSep) != " " || in.text(optPlugSep) != ";" || in.text(optFilter) != "" {
		t.Errorf("%q, %q, %q", in.text(optSep), in.text(optPlugSep), in.text(optFilter))
	}
}
