package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/fenceagent"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	testprograms.Main(m, map[string]func(){"fence_aws_executor": hurried})
}

// hurried is main, with a clock that is not waited for: what lies between two readings is for
// others to test. What it would have waited for is a line of WAITED, if that names a file.
func hurried() {
	pass := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	p := fenceagent.New("fence_aws_executor", version,
		actions.RegistryAt(sgfence.Clock{Now: later, Wait: pass}))
	p.Wait = func(ctx context.Context, d time.Duration) error {
		if path := os.Getenv("WAITED"); path != "" {
			if f, err := p.OpenLog(path); err == nil {
				fmt.Fprintln(f, d)
				_ = f.Close()
			}
		}
		return ctx.Err()
	}
	var stdin io.Reader = os.Stdin
	switch os.Getenv("BUG") {
	case "wait":
		p.Wait = func(context.Context, time.Duration) error { panic("a bug") }
	case "read":
		stdin = buggy{}
	}
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), stdin, os.Stdout, os.Stderr))
}

// buggy panics in whatever goroutine reads it.
type buggy struct{}

func (buggy) Read([]byte) (int, error) { panic("a bug") }

// later is a clock that is a second later in each run of a script: fences are named by seconds.
func later() time.Time {
	runs, _ := strconv.Atoi(os.Getenv("RUNS"))
	return time.Now().Add(time.Duration(runs) * time.Second)
}

// TestScripts runs the agent as a cluster does, on a stand-in of its own for each script. Its
// configuration has region, and secg and invert_sg_removal for a fence by one group, unless it is
// cleared. Beside testscript's commands there are
//
//	agent CODE ACTION [NAME=VALUE]...    runs the agent with lines on its standard input, and holds
//	                                     its exit code, and what the rules of its output are
//	flood CODE ACTION [NAME=VALUE]...    does so with 1 MiB of comments before the last line's end
//	signal SIGNAL CODE ACTION [NAME=VALUE]...
//	                                     does so, and sends a signal once EC2 was called
//	command CODE [ARG]...                runs it with arguments
//	configure [NAME=VALUE]...            what is in the configuration from here on
//	says TEXT | warns TEXT               what the last run wrote; '-' is nothing
//	calls [OPERATION]...                 what was called since the last time; '-' forgets it
//	groups ENI GROUP... | regroup ENI GROUP...
//	                                     the groups that an interface has, or is given by hand
//	become INSTANCE STATE | is INSTANCE STATE
//	                                     the state that an instance is put in, or is in
//	tag INSTANCE KEY VALUE | untag INSTANCE KEY | tagged INSTANCE KEY
//	plug ENI INSTANCE INDEX | unplug ENI attaches and detaches
//	instances N                          adds so many instances, with names
//	twin VAR STATE [KEY VALUE]...        adds one in a state, with tags
//	fault KIND OPERATION [ARG] [PARAM=VALUE]... | lift
//	may ACTION...                        what the executor's keys may do, on everything
//	metadata FAULT                       makes the metadata service fail
//	records N                            how many records the ledger has
//	mark | unchanged                     the world is as it was
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent": agent, "flood": flood, "signal": signalled, "command": command,
			"configure": configure, "says": says, "warns": warns,
			"calls": calls, "groups": groupsAre, "regroup": regroup, "become": become, "is": stateIs,
			"tag": tag, "untag": untag, "tagged": tagged, "plug": plug, "unplug": unplug,
			"instances": instances, "twin": twin, "fault": fault, "lift": lift,
			"may": may, "metadata": metadata, "records": records, "mark": mark, "unchanged": unchanged,
		},
	})
}

// world is what a script runs in.
type world struct {
	server         *ec2sim.Server
	sim            *ec2sim.Sim
	mark           ec2sim.State
	called, runs   int
	signal         syscall.Signal
	configuration  []string
	stdout, stderr string
}

func setup(env *testscript.Env) error {
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return err
	}
	env.Defer(server.Close)
	// Nothing of this machine's environment but PATH, like a cluster's.
	env.Vars = slices.DeleteFunc(env.Vars, func(v string) bool {
		return !strings.HasPrefix(v, "PATH=") && !strings.HasPrefix(v, "WORK=") &&
			!strings.HasPrefix(v, "/=") && !strings.HasPrefix(v, ":=") && !strings.HasPrefix(v, "$=")
	})
	env.Vars = append(env.Vars, server.Env()...)
	env.Vars = append(env.Vars,
		"GORACE=atexit_sleep_ms=0", "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"EXECUTOR_STATE_DIR="+filepath.Join(env.WorkDir, "state"),
		"SECRET="+ec2sim.LabCredential.SecretAccessKey, "REGION="+ec2sim.LabRegion,
		"DB="+ec2sim.LabDB, "DB0="+ec2sim.LabDBInterface0, "DB1="+ec2sim.LabDBInterface1,
		"SPARE="+ec2sim.LabSpareInterface, "ROUTER="+ec2sim.LabRouterA,
		"WEB="+ec2sim.LabGroupWeb, "DEFAULT="+ec2sim.LabGroupDefault, "FENCE="+ec2sim.LabGroupFence,
		"ALL="+ec2sim.LabGroupAllowAll, "RGROUP="+ec2sim.LabGroupRouter, "OTHER="+ec2sim.LabOtherGroup,
	)
	env.Values["world"] = &world{server: server, sim: sim, mark: sim.State(), configuration: []string{
		"region=" + ec2sim.LabRegion, "secg=" + ec2sim.LabGroupFence, "invert_sg_removal=1",
	}}
	return nil
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

func region(ts *testscript.TestScript) *ec2sim.Region { return of(ts).sim.Region(ec2sim.LabRegion) }

func agent(ts *testscript.TestScript, _ bool, args []string) {
	run(ts, args[0], strings.NewReader(options(ts, args)))
}

// flood has more on standard input than the agent takes: without its last letters, the last line
// says something else.
func flood(ts *testscript.TestScript, _ bool, args []string) {
	const limit = 1 << 20
	head, last := options(ts, args[:len(args)-1]), args[len(args)-1]
	comment := "#" + strings.Repeat("x", limit-len(head)-len(last)-2+len("89abcdef0")) + "\n"
	run(ts, args[0], strings.NewReader(head+comment+last+"\n"))
}

func signalled(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).signal = map[string]syscall.Signal{
		"QUIT": syscall.SIGQUIT, "ABRT": syscall.SIGABRT, "TERM": syscall.SIGTERM,
	}[args[0]]
	agent(ts, false, args[1:])
	of(ts).signal = 0
}

// options are what a cluster writes to the agent.
func options(ts *testscript.TestScript, args []string) string {
	lines := append([]string{"# as a cluster has it", "", "action=" + args[1]},
		of(ts).configuration...)
	if slices.Contains([]string{"on", "off", "status"}, args[1]) {
		lines = append(lines, "nodename=node1")
	}
	lines = append(lines, args[2:]...)
	return strings.Join(lines, "\n") + "\n"
}

func command(ts *testscript.TestScript, _ bool, args []string) {
	run(ts, args[0], strings.NewReader("action=off\n"), args[1:]...)
}

// run runs the agent, and holds what every run of it keeps to.
func run(ts *testscript.TestScript, want string, stdin io.Reader, args ...string) {
	w := of(ts)
	cmd := exec.Command("fence_aws_executor", args...)
	path, err := lookPath(ts.Getenv("PATH"), "fence_aws_executor")
	ts.Check(err)
	cmd.Path, cmd.Err = path, nil
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "GORACE", "WAITED", "BUG", "HTTP_PROXY",
		"PCMK_service", "EXECUTOR_STATE_DIR", "EXECUTOR_POLICY", "EXECUTOR_METRICS_DIR",
		"TRACEPARENT"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	for _, setting := range append(w.server.Env(), "AWS_CONFIG_FILE=", "AWS_SHARED_CREDENTIALS_FILE=",
		"AWS_REGION=", "AWS_PROFILE=") {
		name, _, _ := strings.Cut(setting, "=")
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	w.runs++
	cmd.Env = append(cmd.Env, "RUNS="+strconv.Itoa(w.runs))
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	full(ts, cmd)
	var exit *exec.ExitError
	ts.Check(cmd.Start())
	if w.signal != 0 {
		waitFor(ts, "a call", func() bool { return len(w.sim.Calls()) > w.called })
		ts.Check(cmd.Process.Signal(w.signal))
	}
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	w.stdout, w.stderr = stdout.String(), stderr.String()
	code := strconv.Itoa(cmd.ProcessState.ExitCode())
	said := "stdout:\n" + w.stdout + "stderr:\n" + w.stderr
	switch {
	case code != want:
		ts.Fatalf("exit code %s, want %s\n%s", code, want, said)
	case code == "1" && strings.Count(w.stderr, "Failed: ") != 1 && !w.quiet(args):
		ts.Fatalf("it failed and does not say why, once\n%s", said)
	case code != "1" && strings.Contains(w.stderr, "Failed"):
		ts.Fatalf("it says that it failed\n%s", said)
	case strings.Contains(said, ts.Getenv("SECRET")), strings.Contains(said, "hush"):
		ts.Fatalf("it tells a secret\n%s", said)
	}
}

// full gives a command the standard output that the variable STDOUT names.
func full(ts *testscript.TestScript, cmd *exec.Cmd) {
	if name := ts.Getenv("STDOUT"); name != "" {
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		ts.Check(err)
		ts.Defer(func() { file.Close() })
		cmd.Stdout = file
	}
}

func (w *world) quiet(args []string) bool {
	return slices.Contains(args, "-q") || slices.Contains(w.configuration, "quiet=1")
}

func lookPath(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if at := filepath.Join(dir, name); fileExists(at) {
			return at, nil
		}
	}
	return "", exec.ErrNotFound
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func configure(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).configuration = append([]string{"region=" + ec2sim.LabRegion}, args...)
}

func says(ts *testscript.TestScript, neg bool, args []string) {
	contains(ts, neg, of(ts).stdout, strings.Join(args, " "))
}

func warns(ts *testscript.TestScript, neg bool, args []string) {
	contains(ts, neg, of(ts).stderr, strings.Join(args, " "))
}

func contains(ts *testscript.TestScript, neg bool, text, want string) {
	found := strings.Contains(text, want)
	if want == "-" {
		found = text == ""
	}
	if found == neg {
		ts.Fatalf("it says (negated: %t)\n%s\nwant %q", neg, text, want)
	}
}

func calls(ts *testscript.TestScript, _ bool, want []string) {
	w := of(ts)
	all := w.sim.Calls()
	var got []string
	for _, c := range all[w.called:] {
		name := c.Operation
		if c.Params["DryRun"] == "true" {
			name = "DryRun:" + name
		}
		got = append(got, name)
	}
	w.called = len(all)
	if !slices.Equal(want, []string{"-"}) && !slices.Equal(got, want) {
		ts.Fatalf("calls %v, want %v", got, want)
	}
}

func find(ts *testscript.TestScript, id string) ec2sim.Interface {
	for _, n := range region(ts).State().Interfaces {
		if n.ID == id {
			return n
		}
	}
	ts.Fatalf("there is no %s", id)
	return ec2sim.Interface{}
}

func groupsAre(ts *testscript.TestScript, _ bool, args []string) {
	got, want := slices.Sorted(slices.Values(find(ts, args[0]).Groups)),
		slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s has the groups %v, want %v", args[0], got, want)
	}
}

func regroup(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) { n.Groups = args[1:] })
}

func instance(ts *testscript.TestScript, id string) ec2sim.Instance {
	for _, i := range region(ts).State().Instances {
		if i.ID == id {
			return i
		}
	}
	ts.Fatalf("there is no %s", id)
	return ec2sim.Instance{}
}

func become(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) { i.State = args[1] })
}

func stateIs(ts *testscript.TestScript, _ bool, args []string) {
	waitFor(ts, args[0]+" "+args[1], func() bool { return instance(ts, args[0]).State == args[1] })
}

func waitFor(ts *testscript.TestScript, what string, isSo func() bool) {
	for end := time.Now().Add(time.Minute); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s: it is not so in time", what)
		}
	}
}

func tag(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) {
		if i.Tags == nil {
			i.Tags = ec2sim.Tags{}
		}
		i.Tags[args[1]] = args[2]
	})
}

func untag(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInstance(args[0], func(i *ec2sim.Instance) {
		for key := range i.Tags {
			if strings.HasPrefix(key, args[1]) {
				delete(i.Tags, key)
			}
		}
	})
}

func tagged(ts *testscript.TestScript, neg bool, args []string) {
	has := false
	for key := range instance(ts, args[0]).Tags {
		has = has || strings.HasPrefix(key, args[1])
	}
	if has == neg {
		ts.Fatalf("%s has the tags %v", args[0], instance(ts, args[0]).Tags)
	}
}

func plug(ts *testscript.TestScript, _ bool, args []string) {
	index, err := strconv.Atoi(args[2])
	ts.Check(err)
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) {
		n.Attachment = &ec2sim.Attachment{
			ID: "eni-attach-0123456789abcdef0", InstanceID: args[1], InstanceOwner: ec2sim.DefaultOwner,
			DeviceIndex: index, Status: "attached",
		}
	})
}

func unplug(ts *testscript.TestScript, _ bool, args []string) {
	region(ts).EditInterface(args[0], func(n *ec2sim.Interface) { n.Attachment = nil })
}

func instances(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	subnet := region(ts).AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, CIDR: "10.88.128.0/20"})
	for n := range count {
		region(ts).AddInstance(ec2sim.Instance{
			SubnetID: subnet.ID, Tags: ec2sim.Tags{"Name": fmt.Sprintf("node-%d", n)},
		})
	}
}

func twin(ts *testscript.TestScript, _ bool, args []string) {
	tags := ec2sim.Tags{}
	for i := 2; i+1 < len(args); i += 2 {
		tags[args[i]] = args[i+1]
	}
	i := region(ts).AddInstance(ec2sim.Instance{
		SubnetID: ec2sim.LabSubnetC, State: args[1], Tags: tags,
	})
	ts.Setenv(args[0], i.ID)
}

func fault(ts *testscript.TestScript, _ bool, args []string) {
	arg := ""
	if len(args) > 2 && !strings.Contains(args[2], "=") {
		arg = args[2]
	}
	f := map[string]func() ec2sim.Fault{
		"fail":   func() ec2sim.Fault { return ec2sim.Fail(args[1], arg) },
		"lose":   func() ec2sim.Fault { return ec2sim.LoseAnswer(args[1]) },
		"ignore": func() ec2sim.Fault { return ec2sim.Ignore(args[1]) },
		"hang":   func() ec2sim.Fault { return ec2sim.Delay(args[1], time.Hour) },
	}[args[0]]().Times(ec2sim.Always)
	for _, a := range args[2:] {
		name, value, ok := strings.Cut(a, "=")
		n, err := strconv.Atoi(value)
		switch {
		case !ok:
		case name == "times" && err == nil:
			f = f.Times(n)
		case name == "nth" && err == nil:
			f = f.OnNth(n)
		default:
			f = f.Where(name, value)
		}
	}
	ts.Check(of(ts).sim.Inject(f))
}

func lift(ts *testscript.TestScript, _ bool, _ []string) { of(ts).sim.ClearFaults() }

func may(ts *testscript.TestScript, _ bool, actions []string) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["` +
		strings.Join(actions, `","`) + `"]}]}`
	ts.Check(of(ts).sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, policy))
}

func metadata(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).server.Metadata().SetFault(ec2sim.MetadataFault(args[0])))
}

func records(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(filepath.Join(ts.Getenv("EXECUTOR_STATE_DIR"), "keys", "*.json"))
	ts.Check(err)
	if strconv.Itoa(len(found)) != args[0] {
		ts.Fatalf("%d records, want %s", len(found), args[0])
	}
}

func mark(ts *testscript.TestScript, _ bool, _ []string) { of(ts).mark = of(ts).sim.State() }

func unchanged(ts *testscript.TestScript, neg bool, _ []string) {
	diff := cmp.Diff(of(ts).mark, of(ts).sim.State())
	if (diff == "") == neg {
		ts.Fatalf("the world changed (-before +now):\n%s", diff)
	}
}
