package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger/table/localtable"
	"aws-provider-executor/pkg/lifecycle"
)

const group, queue = "edge", "edge"

// hiddenFor is how long the queue hides a message that was taken.
const hiddenFor = 2 * time.Minute

// patience bounds how long a step is waited for.
const patience = 2 * time.Minute

// stage is where the steps are played.
type stage struct {
	out      io.Writer
	sim      *ec2sim.Sim
	srv      *ec2sim.Server
	bin, dir string
	env      []string
	handler  *exec.Cmd
	said     *os.File
	// ahead is how far the stand-in's clock is ahead.
	ahead atomic.Int64
	// seen are the instances that were shown, in order.
	seen []string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo-lifecycle", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	files := flags.String("files", "examples/lifecycle/demo", "where configuration and policy are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demo-lifecycle")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{out: out, bin: *bin, dir: dir}
	if err := s.open(*files); err != nil {
		return err
	}
	defer s.srv.Close()
	defer s.stop(syscall.SIGKILL)
	for _, step := range []func(context.Context) error{
		s.scaleOut, s.scaleIn, s.lostEvent, s.end,
	} {
		if err := step(ctx); err != nil {
			return errors.Join(err, s.quote())
		}
	}
	return nil
}

// open makes the stand-in, with a group of no instances, and what the handler is told.
func (s *stage) open(files string) error {
	text, err := os.ReadFile(filepath.Join(files, "lifecycle.yaml"))
	if err != nil {
		return err
	}
	config := strings.ReplaceAll(string(text), "/STATE", filepath.Join(s.dir, "state"))
	path := filepath.Join(s.dir, "lifecycle.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	policy, err := filepath.Abs(filepath.Join(files, "policy.yaml"))
	if err != nil {
		return err
	}
	s.sim = ec2sim.New(ec2sim.Lab(), ec2sim.WithTransitionTime(0), ec2sim.WithClock(
		func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }))
	if s.srv, err = ec2sim.Start(s.sim, ec2sim.ServerOptions{Region: ec2sim.LabRegion}); err != nil {
		return err
	}
	// The queue gives each message out twice, as SQS may.
	hidden := int(hiddenFor.Seconds())
	err = s.sim.SetQueue(ec2sim.Queue{Region: ec2sim.LabRegion, Name: queue, Twice: true,
		Events: []string{ec2sim.ScalingEvents}, VisibilitySeconds: &hidden})
	if err != nil {
		return err
	}
	s.region().AddScalingGroup(ec2sim.ScalingGroup{Name: group, MaxSize: 9,
		SubnetIDs: []string{ec2sim.LabSubnetA}, InstanceType: "t3.medium",
		Hooks: []ec2sim.ScalingHook{
			{Name: "edge-launch", Transition: ec2sim.Launching, HeartbeatSeconds: 600},
			{Name: "edge-terminate", Transition: ec2sim.Terminating, HeartbeatSeconds: 600}}})
	credentials := filepath.Join(s.dir, "credentials")
	key := ec2sim.LabCredential
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LIFECYCLED_CONFIG=" + path,
		"LIFECYCLED_POLICY=" + policy, "AWS_SHARED_CREDENTIALS_FILE=" + credentials}
	for _, v := range s.srv.Env() {
		if !strings.HasPrefix(v, "AWS_ACCESS_KEY") && !strings.HasPrefix(v, "AWS_SECRET") {
			s.env = append(s.env, v)
		}
	}
	if s.said, err = os.Create(filepath.Join(s.dir, "said")); err != nil {
		return err
	}
	return os.WriteFile(credentials, []byte("[default]\naws_access_key_id="+key.AccessKeyID+
		"\naws_secret_access_key="+key.SecretAccessKey+"\n"), 0o600)
}

func (s *stage) region() *ec2sim.Region { return s.sim.Region(ec2sim.LabRegion) }

// start starts the handler on the queue.
func (s *stage) start() error {
	s.handler = exec.Command(filepath.Join(s.bin, "lifecycled"), "watch", "--queue",
		s.srv.URL()+"/"+ec2sim.DefaultOwner+"/"+queue)
	s.handler.Env, s.handler.Stdout, s.handler.Stderr = s.env, s.said, s.said
	s.handler.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return s.handler.Start()
}

// stop ends the handler and the executors that it runs.
func (s *stage) stop(by syscall.Signal) {
	if s.handler == nil {
		return
	}
	_ = syscall.Kill(-s.handler.Process.Pid, by)
	_ = s.handler.Wait()
	s.handler = nil
}

// await waits until the group has so many instances, all in service, and nothing else.
func (s *stage) await(ctx context.Context, instances int) error {
	end := time.Now().Add(patience)
	for {
		g := s.region().ScalingGroup(group)
		ready := len(g.Instances) == instances
		for _, m := range g.Instances {
			ready = ready && m.State == "InService"
		}
		switch {
		case ready:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("after %s the group has %v", patience, g.Instances)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *stage) resize(n int) {
	s.region().EditScalingGroup(group, func(g *ec2sim.ScalingGroup) { g.DesiredCapacity = n })
}

// scaleOut adds three instances. The handler is killed when it has made its second interface, and
// started again.
func (s *stage) scaleOut(ctx context.Context) error {
	s.say("\n== The group scales out by three. Each event comes twice.")
	var made atomic.Int64
	killed := make(chan struct{})
	remove := s.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Operation != "CreateNetworkInterface" || c.Phase != ec2sim.AfterEffect ||
			made.Add(1) != 2 {
			return ec2sim.Proceed
		}
		close(killed)
		return ec2sim.Abandon
	})
	defer remove()
	if err := s.start(); err != nil {
		return err
	}
	s.resize(3)
	select {
	case <-killed:
	case <-time.After(patience):
		return errors.New("no second interface was made")
	}
	s.stop(syscall.SIGKILL)
	s.say("   The handler is killed: EC2 made its second interface, and the answer was lost.")
	// What it had taken is shown again.
	s.ahead.Add(int64(hiddenFor))
	s.show()
	if err := s.start(); err != nil {
		return err
	}
	if err := s.await(ctx, 3); err != nil {
		return err
	}
	s.say("-> It was started again, and all three are in service. No interface was made twice:")
	s.show()
	return s.interfaces(6)
}

// scaleIn takes two away, and the event of one of them is lost.
func (s *stage) scaleIn(ctx context.Context) error {
	s.say("\n== The group scales in by two, and the event of one of them is lost.")
	s.region().EditScalingGroup(group, func(g *ec2sim.ScalingGroup) {
		g.DesiredCapacity, g.LoseEvents = 1, 1
	})
	if err := s.awaitInstances(ctx, 2); err != nil {
		return err
	}
	s.say("-> One gave back what it had. Nobody heard of the other one, which waits at its hook:")
	s.show()
	return s.interfaces(4)
}

// awaitInstances waits until the group has so many instances.
func (s *stage) awaitInstances(ctx context.Context, n int) error {
	for end := time.Now().Add(patience); len(s.region().ScalingGroup(group).Instances) != n; {
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("the group has %v", s.region().ScalingGroup(group).Instances)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// lostEvent hands the handler what was lost, as an operator does.
func (s *stage) lostEvent(ctx context.Context) error {
	s.say("\n== lifecycled handle takes the lost event from standard input.")
	event, err := s.lost()
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"handle", "--dry-run"}, {"handle"}} {
		c := exec.CommandContext(ctx, filepath.Join(s.bin, "lifecycled"), args...)
		c.Env, c.Stdin, c.Stderr = s.env, strings.NewReader(event), s.said
		out, err := c.Output()
		if err != nil {
			return fmt.Errorf("lifecycled %s: %w: %s", strings.Join(args, " "), err, out)
		}
		if err := s.tell(args, out); err != nil {
			return err
		}
	}
	return s.await(ctx, 1)
}

// lost is the event of the instance that waits at the hook of its end.
func (s *stage) lost() (string, error) {
	instances := s.region().ScalingGroup(group).Instances
	i := slices.IndexFunc(instances, func(m ec2sim.ScalingMember) bool {
		return m.State == "Terminating:Wait"
	})
	if i < 0 {
		return "", fmt.Errorf("no instance waits: %v", instances)
	}
	m := instances[i]
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": "1", "detail-type": "EC2 Instance-terminate Lifecycle Action",
		"source": ec2sim.ScalingEvents, "account": ec2sim.DefaultOwner, "region": ec2sim.LabRegion,
		"time": time.Now().UTC().Format(time.RFC3339), "resources": []string{},
		"detail": map[string]string{"AutoScalingGroupName": group, "EC2InstanceId": m.InstanceID,
			"LifecycleActionToken": m.Actions[0].Token, "LifecycleHookName": m.Actions[0].Hook,
			"LifecycleTransition": ec2sim.Terminating, "Origin": "AutoScalingGroup",
			"Destination": "EC2"},
	})
	return string(text), err
}

// end shows that only what is in service is left.
func (s *stage) end(ctx context.Context) error {
	s.say("\n== At the end: one instance in service, and what it has.")
	s.show()
	if err := s.interfaces(2); err != nil {
		return err
	}
	s.stop(syscall.SIGTERM)
	s.say("   The table has a record of each instance:")
	if err := s.records(ctx); err != nil {
		return err
	}
	s.say("\n== The journal says who did what; its chain is whole.")
	c := exec.Command(filepath.Join(s.bin, "actionctl"), "journal", "--verify")
	c.Env = append(s.env, "USER=demo",
		"ACTIONCTL_JOURNAL="+filepath.Join(s.dir, "state", "journal.db"))
	out, err := c.CombinedOutput()
	s.say("   " + strings.TrimSpace(string(out)))
	if err == nil {
		s.say("\n== Every step ended as it should.")
	}
	return err
}

func (s *stage) say(text string) { fmt.Fprintln(s.out, text) }

// show tells the instances of the group, and the interfaces that were made for them.
func (s *stage) show() {
	for _, m := range s.region().ScalingGroup(group).Instances {
		if !slices.Contains(s.seen, m.InstanceID) {
			s.seen = append(s.seen, m.InstanceID)
		}
		fmt.Fprintf(s.out, "   %s  %-16s  %s\n", m.InstanceID, m.State,
			strings.Join(s.made(m.InstanceID), "  "))
	}
}

// records tells what the table has of the instances that were shown.
func (s *stage) records(ctx context.Context) error {
	backend, err := localtable.Open(filepath.Join(s.dir, "state"), true)
	if err != nil {
		return err
	}
	for _, id := range s.seen {
		r, err := lifecycle.Records{Backend: backend}.Read(ctx, lifecycle.Event{
			Account: ec2sim.DefaultOwner, Region: ec2sim.LabRegion, Group: group, Instance: id})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "   %s  launch %q, terminate %q\n", id, r.Launch, r.Terminate)
	}
	return nil
}

// made are the interfaces that this program made for an instance, in order; all of them for none.
func (s *stage) made(instance string) (all []string) {
	for _, i := range s.region().State().Interfaces {
		if i.Tags[ec2model.Slot] == "" {
			continue
		}
		at, of := "attached to nothing", ""
		if i.Attachment != nil {
			at, of = fmt.Sprint(i.Attachment.DeviceIndex), i.Attachment.InstanceID
		}
		if instance == "" || of == instance {
			all = append(all, at+":"+i.ID)
		}
	}
	slices.Sort(all)
	return all
}

// interfaces holds how many interfaces there are that this program made, each attached.
func (s *stage) interfaces(want int) error {
	all := s.made("")
	if len(all) != want || strings.Contains(strings.Join(all, " "), "nothing") {
		return fmt.Errorf("%d interfaces are made, want %d: %v", len(all), want, all)
	}
	return nil
}

// tell tells what became of an event.
func (s *stage) tell(args []string, out []byte) error {
	var said struct {
		Outcome string
		Undone  []struct{ Key, Message string }
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	fmt.Fprintf(s.out, "$ lifecycled %s\n   %s\n", strings.Join(args, " "), said.Outcome)
	for _, u := range said.Undone {
		fmt.Fprintf(s.out, "   %s: %s\n", u.Key[strings.LastIndexByte(u.Key, '/')+1:], u.Message)
	}
	return nil
}

// quote is the end of what the handler said, for whoever looks for what went wrong.
func (s *stage) quote() error {
	text, _ := os.ReadFile(s.said.Name())
	return errors.New("the handler said: " + string(text[max(0, len(text)-4000):]))
}
