package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testprograms.Remove()
	os.Exit(code)
}

// The names of the lab's group and hooks.
const (
	groupName     = "edge"
	launchHook    = "edge-launch"
	terminateHook = "edge-terminate"
)

// configuration is that of the lab's group: two interfaces beside the one from the launch. STATE
// stands for a directory.
const configuration = `apiVersion: lifecycle.routerd.net/v1alpha1
kind: LifecycleConfiguration
metadata: {name: lab}
spec:
  state: {directory: "STATE"}
  groups:
  - name: edge
    account: "` + ec2sim.DefaultOwner + `"
    region: ` + ec2sim.LabRegion + `
    hooks: {launch: edge-launch, terminate: edge-terminate}
    patience: 3s
    interfaces:
    - deviceIndex: 1
      subnets: {ap-northeast-1a: ` + ec2sim.LabSubnetA + `}
      securityGroups: [` + ec2sim.LabGroupWeb + `]
      sourceDestCheck: false
    - deviceIndex: 2
      subnets: {ap-northeast-1a: ` + ec2sim.LabSubnetA + `}
      securityGroups: [` + ec2sim.LabGroupWeb + `]
      deleteOnTermination: false
    tags: {Name: "edge-{instance}"}
`

const labPolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: lab}
spec:
  enabled: true
  dryRunOnly: false
  allowedProviders: [aws]
  allowedActions: ["*"]
  allowUndo: true
  allowIrreversible: true
  maxActionsPerRun: 20
  unattended:
    accounts: ["` + ec2sim.DefaultOwner + `"]
    groups: [edge]
    subnets: ["*"]
    pools: [amazon]
`

// lab is a stand-in of EC2 and Auto Scaling with one group, and the program that handles its
// events.
type lab struct {
	*testing.T
	sim *ec2sim.Sim
	srv *ec2sim.Server
	dir string
	// configuration and policy are files.
	configuration, policy string
	// env is added to the program's environment.
	env []string
}

// newLab makes a lab whose group has one instance that waits at its hook. Edit changes the text of
// the configuration.
func newLab(t *testing.T, edit ...string) *lab {
	t.Helper()
	return newLabIn(t, ec2sim.LabSubnetA, nil, edit...)
}

// newLabIn makes a lab whose group is in a subnet, which add may add.
func newLabIn(t *testing.T, subnet string, add func(*ec2sim.Region), edit ...string) *lab {
	t.Helper()
	l := &lab{T: t, dir: t.TempDir()}
	l.sim = ec2sim.New(ec2sim.Lab(), ec2sim.WithTransitionTime(0))
	if add != nil {
		add(l.region())
	}
	srv, err := ec2sim.Start(l.sim, ec2sim.ServerOptions{Region: ec2sim.LabRegion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	l.srv = srv
	text := strings.ReplaceAll(configuration, "STATE", filepath.Join(l.dir, "state"))
	text = strings.NewReplacer(edit...).Replace(text)
	l.configuration = l.file("lifecycle.yaml", text)
	l.policy = l.file("policy.yaml", labPolicy)
	l.region().AddScalingGroup(ec2sim.ScalingGroup{Name: groupName, MaxSize: 9, DesiredCapacity: 1,
		SubnetIDs: []string{subnet}, InstanceType: "t3.medium",
		Hooks: []ec2sim.ScalingHook{
			{Name: launchHook, Transition: ec2sim.Launching, HeartbeatSeconds: 600},
			{Name: terminateHook, Transition: ec2sim.Terminating, HeartbeatSeconds: 600}}})
	return l
}

func (l *lab) region() *ec2sim.Region { return l.sim.Region(ec2sim.LabRegion) }

func (l *lab) file(name, text string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
	return path
}

// member is an instance of the group, by its place.
func (l *lab) member(i int) ec2sim.ScalingMember {
	l.Helper()
	g := l.region().ScalingGroup(groupName)
	if i >= len(g.Instances) {
		l.Fatalf("the group has %d instances", len(g.Instances))
	}
	return g.Instances[i]
}

// event is that of what an instance of the group waits for, as EventBridge tells it.
func (l *lab) event(i int) string {
	l.Helper()
	m := l.member(i)
	if len(m.Actions) == 0 {
		l.Fatalf("%s waits for nothing: %s", m.InstanceID, m.State)
	}
	kind, transition := "EC2 Instance-launch Lifecycle Action", ec2sim.Launching
	if m.Leaving() {
		kind, transition = "EC2 Instance-terminate Lifecycle Action", ec2sim.Terminating
	}
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": "1", "detail-type": kind, "source": "aws.autoscaling",
		"account": ec2sim.DefaultOwner, "time": "2026-11-27T12:00:00Z", "region": ec2sim.LabRegion,
		"resources": []string{},
		"detail": map[string]string{"LifecycleActionToken": m.Actions[0].Token,
			"AutoScalingGroupName": groupName, "LifecycleHookName": m.Actions[0].Hook,
			"EC2InstanceId": m.InstanceID, "LifecycleTransition": transition, "Origin": "EC2",
			"Destination": "AutoScalingGroup"},
	})
	if err != nil {
		l.Fatal(err)
	}
	return string(text)
}

// command is the program on the lab.
func (l *lab) command(stdin string, args ...string) *exec.Cmd {
	l.Helper()
	bin, err := testprograms.Build("lifecycled", "aws-provider-executor",
		"appliance-provider-executor")
	if err != nil {
		l.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "lifecycled"), args...)
	// An environment of its own: nothing of whoever runs the tests.
	credentials := l.file("credentials", "[default]\naws_access_key_id="+
		ec2sim.LabCredential.AccessKeyID+"\naws_secret_access_key="+
		ec2sim.LabCredential.SecretAccessKey+"\n")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir,
		"LIFECYCLED_CONFIG=" + l.configuration, "LIFECYCLED_POLICY=" + l.policy,
		"AWS_SHARED_CREDENTIALS_FILE=" + credentials}, withoutSecrets(l.srv.Env())...)
	cmd.Env = append(cmd.Env, l.env...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func withoutSecrets(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "AWS_ACCESS_KEY") || strings.HasPrefix(v, "AWS_SECRET")
	})
}

// ended is how the program ended.
type ended struct {
	lifecycle.Result
	code           int
	stdout, stderr string
}

// run runs the program.
func (l *lab) run(stdin string, args ...string) ended {
	l.Helper()
	return l.wait(l.command(stdin, args...))
}

func (l *lab) wait(cmd *exec.Cmd) (e ended) {
	l.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.Fatal(err)
	}
	e.code, e.stdout, e.stderr = cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	if e.stdout != "" {
		_ = json.Unmarshal([]byte(strings.SplitN(e.stdout, "\n", 2)[0]), &e.Result)
	}
	return e
}

// handle handles an event, and wants an outcome.
func (l *lab) handle(event string, want lifecycle.Outcome) ended {
	l.Helper()
	e := l.run(event, "handle")
	if e.Outcome != want {
		l.Fatalf("exit %d, %q, want %q\n%s\n%s", e.code, e.Outcome, want, e.stdout, e.stderr)
	}
	return e
}

// made are the interfaces that were made for somebody, each with its instance and index.
func (l *lab) made() (all []string) {
	for _, i := range l.region().State().Interfaces {
		if slot := i.Tags[ec2model.Slot]; slot != "" {
			at := "nothing"
			if i.Attachment != nil {
				at = fmt.Sprintf("%s/%d", i.Attachment.InstanceID, i.Attachment.DeviceIndex)
			}
			all = append(all, at)
		}
	}
	slices.Sort(all)
	return all
}

// want holds how many interfaces are made, and where the instances of the group stand.
func (l *lab) want(interfaces int, states ...string) {
	l.Helper()
	if got := l.made(); len(got) != interfaces || slices.Contains(got, "nothing") {
		l.Errorf("%d interfaces are made, want %d: %v", len(got), interfaces, got)
	}
	var got []string
	for _, m := range l.region().ScalingGroup(groupName).Instances {
		got = append(got, m.State)
	}
	if !slices.Equal(got, states) {
		l.Errorf("the instances are %v, want %v", got, states)
	}
}

// scaleIn has the group shrink to nothing.
func (l *lab) scaleIn() {
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) { g.DesiredCapacity = 0 })
}
