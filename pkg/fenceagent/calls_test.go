package fenceagent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/pkg/ec2sim"
)

// TestCalls runs the agent in this process against a stand-in of EC2. Each file of testdata/calls
// tells what a cluster asks for, call by call. A line that is not indented is a step; what is
// indented below it is the answer: the exit code, standard output (>), standard error (!), the
// waits, the operations that were called, each once (~ is a DryRun), and what of the instance
// changed. The steps are
//
//	configure [NAME=VALUE]...          the options that each call has from here on, beside region
//	ACTION [NAME=VALUE]...             a call with lines on its standard input
//	command [ARG]...                   a call with arguments
//	regroup NIC GROUPS | state STATE | untag KEY | unplug NIC | remove GROUP
//	                                   what somebody else does
//	twin STATE [NAME]                  one more instance
//	fail OPERATION CODE N              the next N such calls are refused
//	may [ACTION]...                    what the executor's keys may do
//	unset NAME                         takes a variable out of the agent's environment
//
// DB is the instance, DB0 and DB1 are its interfaces; WEB, DEFAULT, FENCE and NONE are groups, of
// which there is no NONE. SELF is the machine that the agent runs on.
func TestCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/calls/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no calls: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newCluster(t).tell(string(want))
			if got == string(want) {
				return
			}
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
			for i := range g {
				if i >= len(w) || g[i] != w[i] {
					t.Fatalf("line %d: want\n%s\ngot\n%s", i+1, strings.Join(w[min(i, len(w)):], "\n"),
						strings.Join(g[i:], "\n"))
				}
			}
			t.Fatal("the end is missing")
		})
	}
}

// cluster calls the agent for a node.
type cluster struct {
	t             *testing.T
	sim           *ec2sim.Sim
	region        *ec2sim.Region
	environment   map[string]string
	configuration []string
	// runs are how many calls there were. A fence is named by the second, and each call has its own.
	runs int
	// shown is the node as it was told last.
	shown string
	// adjust changes the program before a call, and stdout, if not nil, takes what it says.
	adjust func(*Program)
	stdout io.Writer
}

func newCluster(t *testing.T) *cluster {
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := &cluster{t: t, sim: sim, region: sim.Region(ec2sim.LabRegion),
		environment: map[string]string{"EXECUTOR_STATE_DIR": t.TempDir(), "HOME": "/nowhere"}}
	settings := append(server.Env(), "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_REGION=", "AWS_PROFILE=")
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
		c.environment[name] = value
	}
	c.shown = c.node()
	return c
}

// words are the names that stand for ids in the files.
var words = []string{
	"SELF", ec2sim.LabRouterA, "DB0", ec2sim.LabDBInterface0, "DB1", ec2sim.LabDBInterface1,
	"DB", ec2sim.LabDB, "WEB", ec2sim.LabGroupWeb, "DEFAULT", ec2sim.LabGroupDefault,
	"FENCE", ec2sim.LabGroupFence, "NONE", "sg-01088000000000404", "REGION", ec2sim.LabRegion,
}

// tell carries out the steps, and returns them with the answers that were given.
func (c *cluster) tell(text string) string {
	var ids []string
	for i := 0; i < len(words); i += 2 {
		ids = append(ids, words[i+1], words[i])
	}
	long, short := strings.NewReplacer(words...), strings.NewReplacer(ids...)
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		b.WriteString(line)
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		for said := range strings.Lines(short.Replace(c.step(strings.Fields(long.Replace(line))))) {
			b.WriteString("  " + said)
		}
	}
	return b.String()
}

func (c *cluster) step(line []string) string {
	verb, args := line[0], line[1:]
	switch verb {
	case "configure":
		c.configuration = args
	case "command":
		return c.call("", args...)
	case "unset":
		delete(c.environment, args[0])
	case "may":
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["` +
			strings.Join(args, `","`) + `"]}]}`
		c.check(c.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, policy))
	case "fail":
		var n int
		_, err := fmt.Sscan(args[2], &n)
		c.check(err)
		c.check(c.sim.Inject(ec2sim.Fail(args[0], args[1]).Times(n)))
	case "regroup", "state", "untag", "unplug", "remove", "twin":
		c.meddle(verb, args)
		c.shown = c.node()
	default:
		lines := append([]string{"# a cluster's", "action=" + verb, "region=" + ec2sim.LabRegion},
			append(slices.Clone(c.configuration), args...)...)
		return c.call(strings.Join(lines, "\n") + "\n")
	}
	return ""
}

func (c *cluster) check(err error) {
	if err != nil {
		c.t.Fatal(err)
	}
}

// meddle is what somebody else does to the node.
func (c *cluster) meddle(what string, args []string) {
	edit := func(do func(*ec2sim.Instance)) { c.region.EditInstance(ec2sim.LabDB, do) }
	switch what {
	case "regroup":
		c.region.EditInterface(args[0], func(n *ec2sim.Interface) {
			n.Groups = strings.Split(args[1], ",")
		})
	case "unplug":
		c.region.EditInterface(args[0], func(n *ec2sim.Interface) { n.Attachment = nil })
	case "state":
		edit(func(i *ec2sim.Instance) { i.State = args[0] })
	case "remove":
		c.region.Remove(args[0])
	case "untag":
		edit(func(i *ec2sim.Instance) { delete(i.Tags, args[0]) })
	case "twin":
		c.region.AddInstance(ec2sim.Instance{ID: "i-01088600000000099",
			SubnetID: ec2sim.LabSubnetC, State: args[0], Tags: ec2sim.Tags{"Name": args[1]}})
	}
}

var fenceTime = regexp.MustCompile(`lastfence=[0-9]+`)

// call runs the agent, and tells what it did.
func (c *cluster) call(stdin string, args ...string) string {
	var b strings.Builder
	c.runs++
	runs := time.Duration(c.runs)
	pass := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	p := New("fence_aws_executor", "v9", actions.RegistryAt(sgfence.Clock{
		Now: func() time.Time { return time.Now().Add(runs * time.Second) }, Wait: pass,
	}))
	p.Wait = func(ctx context.Context, d time.Duration) error {
		fmt.Fprintf(&b, "waits %s\n", d)
		return ctx.Err()
	}
	p.Home = func() string { return "/var/lib/cluster" }
	p.Setenv = func(name, value string) error {
		fmt.Fprintf(&b, "sets %s=%s\n", name, value)
		return nil
	}
	if c.adjust != nil {
		c.adjust(p)
	}
	var environ []string
	for name, value := range c.environment {
		environ = append(environ, name+"="+value)
	}
	var out, complaints bytes.Buffer
	stdout := io.Writer(&out)
	if c.stdout != nil {
		stdout = c.stdout
	}
	c.sim.ForgetCalls()
	code := p.Main(c.t.Context(), append([]string{p.Name}, args...), environ,
		strings.NewReader(stdin), stdout, &complaints)
	fmt.Fprintf(&b, "exit %d\n", code)
	for line := range strings.Lines(settled.Replace(out.String())) {
		b.WriteString("> " + line)
	}
	for line := range strings.Lines(complaints.String()) {
		if strings.HasPrefix(line, "Failed: ") {
			b.WriteString("! " + fenceTime.ReplaceAllString(line, "lastfence=TIME"))
		}
	}
	var called []string
	for _, call := range c.sim.Calls() {
		name := call.Operation
		if call.Params["DryRun"] == "true" {
			name = "~" + name
		}
		if !slices.Contains(called, name) {
			called = append(called, name)
		}
	}
	if len(called) > 0 {
		fmt.Fprintln(&b, "calls", strings.Join(called, " "))
	}
	if now := c.node(); now != c.shown {
		c.shown = now
		fmt.Fprintln(&b, now)
	}
	return b.String()
}

// settled takes an instance that is on its way for one that is there: how long that takes is the
// machine's affair.
var settled = strings.NewReplacer("stopping", "stopped", "pending", "running",
	"; connections that are tracked already may go on until it has stopped", "")

// node is the instance as it is: its state, the groups of its interfaces, and its fence's tag.
func (c *cluster) node() string {
	said, all := "", c.region.State()
	for _, n := range all.Interfaces {
		if n.Attachment != nil && n.Attachment.InstanceID == ec2sim.LabDB {
			groups := slices.Sorted(slices.Values(n.Groups))
			said += n.ID + "=" + strings.Join(groups, ",") + " "
		}
	}
	for _, i := range all.Instances {
		if i.ID != ec2sim.LabDB {
			continue
		}
		said += settled.Replace(i.State)
		if _, fenced := i.Tags["lastfence"]; fenced {
			said += ", lastfence"
		}
	}
	return said
}
