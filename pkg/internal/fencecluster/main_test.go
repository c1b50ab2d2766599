//go:build fencecluster

package fencecluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

const (
	// agentPath is where Pacemaker looks for agents.
	agentPath = "/usr/sbin/fence_aws_executor"
	// testVersion tells an agent that these tests left from one that somebody installed.
	testVersion = "fence-cluster-test"
	// fencerPath is Pacemaker's fencer.
	fencerPath = "/usr/lib/pacemaker/pacemaker-fenced"
	// cibDir is where a cluster keeps its configuration.
	cibDir = "/var/lib/pacemaker/cib"
	// patience is how long something is waited for that is sure to come.
	patience = 90 * time.Second
)

// tools are what the packages bring.
var tools = []string{"xmllint", "xsltproc", "stonith_admin", "corosync", "pacemakerd", "cibadmin",
	"crm_attribute", "crm_mon", fencerPath}

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "fencecluster:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.Remove(agentPath); err != nil {
		fmt.Fprintln(os.Stderr, "fencecluster:", err)
		code = 1
	}
	os.Exit(code)
}

// prepare installs the agent, on a machine that is fit for it.
func prepare() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can run a cluster")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not there: make fence-cluster installs it", tool)
		}
	}
	for _, name := range []string{"corosync", "pacemakerd", "pacemaker-fenced"} {
		if pids := running(name); len(pids) > 0 {
			return fmt.Errorf("%s runs here already (%v): this machine has a cluster", name, pids)
		}
	}
	if said, err := exec.Command(agentPath, "--version").Output(); err == nil &&
		!strings.Contains(string(said), testVersion) {
		return fmt.Errorf("%s is there already, and not from these tests: remove it", agentPath)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+testVersion,
		"-o", agentPath, "aws-provider-executor/cmd/fence_aws_executor")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// running are the processes that have a name, which Linux cuts to 15 letters, or run the program
// at a path.
func running(program string) []string {
	var pids []string
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, path := range names {
		dir := filepath.Dir(path)
		comm, err := os.ReadFile(path)
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		name := filepath.Base(program)
		isIt := err == nil && strings.TrimSpace(string(comm)) == name[:min(len(name), 15)]
		if filepath.IsAbs(program) {
			isIt = exe == program
		}
		if isIt {
			pids = append(pids, filepath.Base(dir))
		}
	}
	return pids
}

// lab is a stand-in with nodes, and the environment of who fences them.
type lab struct {
	*testing.T
	sim    *ec2sim.Sim
	env    []string
	before ec2sim.State
}

// The nodes' instances, as the example maps them.
const (
	nodeA = ec2sim.LabRouterA
	nodeB = ec2sim.LabDB
)

// nodeBInterfaces are all interfaces of node-b.
var nodeBInterfaces = []string{ec2sim.LabDBInterface0, ec2sim.LabDBInterface1}

func newLab(t *testing.T) *lab {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab(), ec2sim.WithTransitionTime(0))
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	l := &lab{T: t, sim: sim, before: sim.State()}
	l.env = append(server.Env(),
		"PATH="+os.Getenv("PATH"), "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"EXECUTOR_STATE_DIR="+filepath.Join(t.TempDir(), "state"))
	return l
}

// run runs a program to its end, and returns what it wrote and whether it succeeded.
func (l *lab) run(name string, args ...string) (string, bool) {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = l.env
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// must runs a program that has to succeed.
func (l *lab) must(name string, args ...string) string {
	l.Helper()
	out, ok := l.run(name, args...)
	if !ok {
		l.Fatalf("%s %v failed:\n%s", name, args, out)
	}
	return out
}

// start runs a program until the end of the test, and ends it by a signal then.
func (l *lab) start(name string, args ...string) {
	l.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = l.env, &out, &out
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	l.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			l.Errorf("%s did not end by itself", name)
			<-ended
		}
		if l.Failed() {
			l.Logf("%s:\n%s", name, &out)
		}
	})
}

// wait waits until something is so.
func (l *lab) wait(what string, so func() bool) {
	l.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			l.Fatalf("waited in vain: %s", what)
		}
	}
}

// groups are the groups of an interface.
func (l *lab) groups(nic string) []string {
	for _, n := range l.sim.Region(ec2sim.LabRegion).State().Interfaces {
		if n.ID == nic {
			return n.Groups
		}
	}
	return nil
}

// isFenced reports whether every interface of node-b has the group of the fence alone.
func (l *lab) isFenced() bool {
	return !slices.ContainsFunc(nodeBInterfaces, func(nic string) bool {
		return !slices.Equal(l.groups(nic), []string{ec2sim.LabGroupFence})
	})
}
