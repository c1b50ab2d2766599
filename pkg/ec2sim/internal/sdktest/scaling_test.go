package sdktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// group is an Auto Scaling group of a lab, a queue that hears its events, and clients of both. Its
// clock stands still until it is told to go on.
type group struct {
	*bench
	*autoscaling.Client
	now  time.Time
	name string
	seen []string // the ids of instances, in the order in which they came
}

// longTransition is how long an instance is pending.
const longTransition = 10 * time.Second

const topic = "arn:aws:sns:ap-northeast-1:123456789012:edge"

// newGroup makes a group of the hooks, with no instances.
func newGroup(t *testing.T, hooks ...ec2sim.ScalingHook) *group {
	t.Helper()
	g := &group{bench: &bench{T: t}, now: time.Now(), name: "edge"}
	g.sim = ec2sim.New(ec2sim.Lab(), ec2sim.WithTransitionTime(longTransition),
		ec2sim.WithClock(func() time.Time { return g.now }))
	srv, err := ec2sim.Start(g.sim, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	client(t, srv.Env())
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.Client = autoscaling.NewFromConfig(cfg, func(o *autoscaling.Options) {
		o.Retryer = aws.NopRetryer{}
	})
	g.bench.Client = sqs.NewFromConfig(cfg)
	if err := g.sim.SetQueue(ec2sim.Queue{Region: ec2sim.LabRegion, Name: "nodes",
		Events: []string{ec2sim.ScalingEvents, topic}}); err != nil {
		t.Fatal(err)
	}
	out, err := g.bench.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("nodes")})
	if err != nil {
		t.Fatal(err)
	}
	g.url = *out.QueueUrl
	g.region().AddScalingGroup(ec2sim.ScalingGroup{Name: g.name, MaxSize: 9, Hooks: hooks,
		SubnetIDs:    []string{ec2sim.LabSubnetA, ec2sim.LabSubnetC},
		InstanceType: "t3.medium", Tags: map[string]string{"role": "edge"}})
	return g
}

func (g *group) region() *ec2sim.Region { return g.sim.Region(ec2sim.LabRegion) }

func (g *group) scale(n int32) {
	g.Helper()
	_, err := g.SetDesiredCapacity(g.Context(), &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: &g.name, DesiredCapacity: &n})
	if err != nil {
		g.Fatal(err)
	}
}

// pass has the time of a transition pass.
func (g *group) pass() { g.now = g.now.Add(longTransition) }

// states are the instances of the group: their numbers, states and whether they are protected.
func (g *group) states() string {
	g.Helper()
	out, err := g.DescribeAutoScalingGroups(g.Context(),
		&autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{g.name}})
	if err != nil {
		g.Fatal(err)
	}
	var all []string
	for _, i := range out.AutoScalingGroups[0].Instances {
		text := fmt.Sprint(g.number(*i.InstanceId), " ", i.LifecycleState)
		if *i.ProtectedFromScaleIn {
			text += " protected"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func (g *group) number(instance string) int {
	at := slices.Index(g.seen, instance)
	if at < 0 {
		g.seen, at = append(g.seen, instance), len(g.seen)
	}
	return at + 1
}

func (g *group) want(states string) {
	g.Helper()
	if got := g.states(); got != states {
		g.Errorf("the group has %q, want %q", got, states)
	}
}

// told are the messages of the queue, which are deleted.
func (g *group) told() (bodies []string) {
	g.Helper()
	for {
		messages := g.receive()
		if len(messages) == 0 {
			return bodies
		}
		for _, m := range messages {
			bodies = append(bodies, *m.Body)
			if err := g.remove(m.ReceiptHandle); err != nil {
				g.Fatal(err)
			}
		}
	}
}

// scalingEvent is one as EventBridge passes it on.
type scalingEvent struct {
	DetailType string `json:"detail-type"`
	Source     string
	Account    string
	Region     string
	Resources  []string
	Detail     map[string]any
}

// events are those that were told, in one line each: what it is, and the instance's number.
func (g *group) events() (tokens []string, lines []string) {
	g.Helper()
	for _, body := range g.told() {
		var e scalingEvent
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			g.Fatal(err)
		}
		if e.Source != "aws.autoscaling" || e.Account != ec2sim.DefaultOwner ||
			e.Region != ec2sim.LabRegion ||
			!strings.HasSuffix(e.Resources[0], ":autoScalingGroupName/edge") {
			g.Errorf("an event is %s", body)
		}
		if token, ok := e.Detail["LifecycleActionToken"].(string); ok {
			tokens = append(tokens, token)
		}
		line := strings.TrimPrefix(e.DetailType, "EC2 Instance")
		if hook, ok := e.Detail["LifecycleHookName"]; ok {
			line += fmt.Sprint(" ", hook)
		}
		lines = append(lines, fmt.Sprint(line, " ", g.number(e.Detail["EC2InstanceId"].(string))))
	}
	return tokens, lines
}

func (g *group) wantEvents(want ...string) (tokens []string) {
	g.Helper()
	tokens, got := g.events()
	if diff := cmp.Diff(want, got); diff != "" {
		g.Errorf("the events: %s", diff)
	}
	return tokens
}

// complete ends an action, by its token, by the number of its instance, or by both.
func (g *group) complete(hook, token string, instance int, result string) error {
	in := &autoscaling.CompleteLifecycleActionInput{AutoScalingGroupName: &g.name,
		LifecycleHookName: &hook, LifecycleActionResult: &result}
	if token != "" {
		in.LifecycleActionToken = &token
	}
	if instance > 0 {
		in.InstanceId = &g.seen[instance-1]
	}
	_, err := g.CompleteLifecycleAction(g.Context(), in)
	return err
}

func (g *group) beat(hook, token string) error {
	_, err := g.RecordLifecycleActionHeartbeat(g.Context(),
		&autoscaling.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: &g.name,
			LifecycleHookName: &hook, LifecycleActionToken: &token})
	return err
}

func (g *group) ok(err error) {
	g.Helper()
	if err != nil {
		g.Error(err)
	}
}

// refused wants a ValidationError that says so.
func (g *group) refused(err error, text string) {
	g.Helper()
	wantCode(g.T, err, "ValidationError")
	if err != nil && !strings.Contains(err.Error(), text) {
		g.Errorf("it says %v", err)
	}
}

var (
	up   = ec2sim.ScalingHook{Name: "up", Transition: ec2sim.Launching, HeartbeatSeconds: 60}
	down = ec2sim.ScalingHook{Name: "down", Transition: ec2sim.Terminating, HeartbeatSeconds: 60,
		DefaultResult: "CONTINUE"}
)

// A group scales out and in: instances wait at its hooks, and go on when the actions are complete.
func TestGroupWaitsAtItsHooks(t *testing.T) {
	g := newGroup(t, up, down)
	g.scale(2)
	g.want("1 Pending, 2 Pending")
	g.pass()
	g.want("1 Pending:Wait, 2 Pending:Wait")
	tokens := g.wantEvents("-launch Lifecycle Action up 1", "-launch Lifecycle Action up 2")
	g.refused(g.complete("up", tokens[0], 2, "CONTINUE"), "No active Lifecycle Action")
	g.ok(g.complete("up", tokens[0], 1, "CONTINUE"))
	g.ok(g.complete("up", "", 2, "CONTINUE"))
	g.want("1 Pending:Proceed, 2 Pending:Proceed")
	g.refused(g.complete("up", tokens[0], 0, "CONTINUE"),
		"No active Lifecycle Action found with token "+tokens[0])
	g.refused(g.complete("up", "", 2, "CONTINUE"),
		"No active Lifecycle Action found with instance ID "+g.seen[1])
	g.pass()
	g.want("1 InService, 2 InService")
	g.wantEvents(" Launch Successful 1", " Launch Successful 2")

	g.scale(1)
	g.want("1 Terminating:Wait, 2 InService")
	tokens = g.wantEvents("-terminate Lifecycle Action down 1")
	g.refused(g.complete("up", tokens[0], 0, "CONTINUE"), "No active Lifecycle Action")
	g.ok(g.complete("down", tokens[0], 0, "ABANDON"))
	g.want("1 Terminating:Proceed, 2 InService")
	g.pass()
	g.want("1 Terminating:Proceed, 2 InService")
	g.pass()
	g.want("2 InService")
	g.wantEvents(" Terminate Successful 1")

	out, err := g.DescribeAutoScalingInstances(g.Context(),
		&autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: g.seen})
	if err != nil || len(out.AutoScalingInstances) != 1 ||
		*out.AutoScalingInstances[0].InstanceId != g.seen[1] ||
		*out.AutoScalingInstances[0].LifecycleState != "InService" {
		t.Errorf("the instances are %+v: %v", out, err)
	}
}

// An action whose time is up ends with the hook's default; heartbeats put that off, to a limit.
func TestHooksTimeOut(t *testing.T) {
	g := newGroup(t, up, down)
	g.scale(1)
	g.pass()
	token := g.wantEvents("-launch Lifecycle Action up 1")[0]
	g.region().ElapseScaling(g.name, 59*time.Second)
	g.ok(g.beat("up", token))
	g.region().ElapseScaling(g.name, 59*time.Second)
	g.want("1 Pending:Wait")
	g.now = g.now.Add(time.Second)
	g.want("1 Terminating:Wait") // the default of an ABANDON
	g.refused(g.beat("up", token), "No active Lifecycle Action")
	g.refused(g.complete("up", token, 0, "CONTINUE"), "No active Lifecycle Action")
	g.wantEvents("-terminate Lifecycle Action down 1")
	g.region().ElapseScaling(g.name, time.Minute) // the default of a CONTINUE
	g.want("1 Terminating:Proceed, 2 Pending")

	g = newGroup(t, up)
	g.scale(1)
	g.pass()
	token = g.wantEvents("-launch Lifecycle Action up 1")[0]
	for range 119 { // 100 heartbeats are the limit
		g.region().ElapseScaling(g.name, 50*time.Second)
		g.ok(g.beat("up", token))
	}
	g.want("1 Pending:Wait")
	g.region().ElapseScaling(g.name, 50*time.Second)
	g.want("1 Terminating:Proceed")
}

// What is abandoned at launch is terminated, and replaced a while later. A launch that is
// suspended is not made.
func TestAbandonedLaunch(t *testing.T) {
	g := newGroup(t, up)
	g.scale(1)
	g.pass()
	g.ok(g.complete("up", g.wantEvents("-launch Lifecycle Action up 1")[0], 0, "ABANDON"))
	g.want("1 Terminating:Proceed")
	g.pass()
	g.want("1 Terminating:Proceed")
	g.pass()
	g.want("")
	g.now = g.now.Add(time.Minute)
	g.want("2 Pending:Wait")
	g.region().EditScalingGroup(g.name, func(s *ec2sim.ScalingGroup) {
		s.Suspended = []string{"Launch"}
	})
	g.scale(2)
	g.want("2 Pending:Wait")
}

// Several hooks of a transition are waited for together. One that is abandoned ends the others.
func TestSeveralHooks(t *testing.T) {
	second := ec2sim.ScalingHook{Name: "up-too", Transition: ec2sim.Launching}
	g := newGroup(t, up, second)
	g.scale(2)
	g.pass()
	tokens := g.wantEvents("-launch Lifecycle Action up 1", "-launch Lifecycle Action up-too 1",
		"-launch Lifecycle Action up 2", "-launch Lifecycle Action up-too 2")
	g.ok(g.complete("up", tokens[0], 0, "CONTINUE"))
	g.want("1 Pending:Wait, 2 Pending:Wait")
	g.refused(g.complete("up", "", 1, "CONTINUE"), "No active")
	g.ok(g.complete("up-too", "", 1, "CONTINUE"))
	g.want("1 Pending:Proceed, 2 Pending:Wait")
	g.ok(g.complete("up", tokens[2], 0, "ABANDON"))
	g.want("1 Pending:Proceed, 2 Terminating:Proceed")
	g.refused(g.complete("up-too", tokens[3], 0, "CONTINUE"), "No active")
}

// Scale-in spares what is protected, and protection is for instances in service only.
func TestScaleInProtection(t *testing.T) {
	g := newGroup(t)
	g.scale(2)
	protect := func(on bool, instances ...int) error {
		var ids []string
		for _, n := range instances {
			ids = append(ids, g.seen[n-1])
		}
		_, err := g.SetInstanceProtection(g.Context(), &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: &g.name, InstanceIds: ids, ProtectedFromScaleIn: &on})
		return err
	}
	g.want("1 Pending, 2 Pending")
	g.refused(protect(true, 1), "is not in InService or EnteringStandby or Standby")
	g.pass()
	g.want("1 Pending:Proceed, 2 Pending:Proceed")
	g.pass()
	g.ok(protect(true, 1))
	g.seen = append(g.seen, ec2sim.LabRouterA)
	g.refused(protect(true, 3), "is not part of Auto Scaling group edge")
	g.want("1 InService protected, 2 InService")
	g.scale(0)
	g.want("1 InService protected, 2 Terminating:Proceed")
	g.ok(protect(false, 1))
	g.want("1 Terminating:Proceed, 2 Terminating:Proceed")
}

// An instance that somebody kills leaves its group as others do, and is replaced. With its events
// lost nobody hears of it.
func TestKilledInstanceAndLostEvents(t *testing.T) {
	g := newGroup(t, down)
	g.scale(1)
	g.pass()
	g.pass()
	g.want("1 InService")
	g.wantEvents(" Launch Successful 1")
	g.region().EditScalingGroup(g.name, func(s *ec2sim.ScalingGroup) { s.LoseEvents = 1 })
	g.region().Terminate(g.seen[0])
	g.want("1 Terminating:Wait")
	g.wantEvents()
	g.ok(g.complete("down", "", 1, "CONTINUE"))
	g.pass()
	g.want("")
	g.wantEvents(" Terminate Successful 1")
	g.now = g.now.Add(time.Minute)
	g.want("2 Pending:Proceed")
}

// A hook with a target tells the queue or the topic directly, and tests it when it is put.
func TestHookWithATarget(t *testing.T) {
	const queue = "arn:aws:sqs:ap-northeast-1:123456789012:nodes"
	for _, target := range []string{queue, topic} {
		g := newGroup(t)
		g.refused(g.put(queue+"-not"), "Unable to publish test message")
		g.ok(g.put(target))
		messages := g.told()
		if len(messages) != 1 || !strings.Contains(messages[0], "autoscaling:TEST_NOTIFICATION") {
			t.Fatalf("told %q", messages)
		}
		g.scale(1)
		g.pass()
		g.want("1 Pending:Wait")
		messages = g.told()
		if len(messages) != 2 { // EventBridge is told too
			t.Fatalf("told %q", messages)
		}
		g.wantNote(messages[1], target)
		out, err := g.DescribeLifecycleHooks(g.Context(),
			&autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &g.name})
		if err != nil || len(out.LifecycleHooks) != 1 || *out.LifecycleHooks[0].HeartbeatTimeout != 90 ||
			*out.LifecycleHooks[0].GlobalTimeout != 9000 ||
			*out.LifecycleHooks[0].DefaultResult != "ABANDON" {
			t.Errorf("the hooks are %+v: %v", out, err)
		}
	}
}

// put puts a hook that tells a target.
func (g *group) put(target string) error {
	_, err := g.PutLifecycleHook(g.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: &g.name, LifecycleHookName: aws.String("direct"),
		LifecycleTransition:   aws.String(ec2sim.Launching),
		NotificationTargetARN: &target, RoleARN: aws.String("arn:aws:iam::123456789012:role/tell"),
		NotificationMetadata: aws.String("more"), HeartbeatTimeout: aws.Int32(90)})
	return err
}

// wantNote wants the message of a hook's target about the first instance, and completes the action
// by the token in it.
func (g *group) wantNote(text, target string) {
	g.Helper()
	if target == topic {
		var wrapped struct{ Type, TopicArn, Message string }
		g.ok(json.Unmarshal([]byte(text), &wrapped))
		if wrapped.Type != "Notification" || wrapped.TopicArn != topic {
			g.Errorf("the topic says %s", text)
		}
		text = wrapped.Message
	}
	var note map[string]string
	g.ok(json.Unmarshal([]byte(text), &note))
	token := note["LifecycleActionToken"]
	for _, changing := range []string{"LifecycleActionToken", "RequestId", "Time"} {
		delete(note, changing)
	}
	want := map[string]string{"EC2InstanceId": g.seen[0], "NotificationMetadata": "more",
		"Service": "AWS Auto Scaling", "AccountId": ec2sim.DefaultOwner, "Origin": "EC2",
		"LifecycleTransition": ec2sim.Launching, "AutoScalingGroupName": g.name,
		"LifecycleHookName": "direct", "Destination": "AutoScalingGroup"}
	if diff := cmp.Diff(want, note); diff != "" {
		g.Errorf("the note: %s", diff)
	}
	g.ok(g.complete("direct", token, 0, "CONTINUE"))
}

// What a group can't be asked for is refused, and nothing changes.
func TestGroupRefuses(t *testing.T) {
	g := newGroup(t, up)
	ctx := t.Context()
	none := aws.String("none")
	for text, ask := range map[string]func() error{
		"above max value 9": func() error {
			_, err := g.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
				AutoScalingGroupName: &g.name, DesiredCapacity: aws.Int32(10)})
			return err
		},
		"below min value 0": func() error {
			_, err := g.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
				AutoScalingGroupName: &g.name, DesiredCapacity: aws.Int32(-1)})
			return err
		},
		"AutoScalingGroup 'none' not found": func() error {
			_, err := g.DescribeLifecycleHooks(ctx,
				&autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: none})
			return err
		},
		"must be either CONTINUE or ABANDON": func() error { return g.complete("up", "t", 0, "STOP") },
		"30 to 7200 seconds": func() error {
			_, err := g.PutLifecycleHook(ctx, &autoscaling.PutLifecycleHookInput{
				AutoScalingGroupName: &g.name, LifecycleHookName: none,
				LifecycleTransition: aws.String(ec2sim.Launching), HeartbeatTimeout: aws.Int32(29)})
			return err
		},
		"No managed instance found": func() error {
			_, err := g.TerminateInstanceInAutoScalingGroup(ctx,
				&autoscaling.TerminateInstanceInAutoScalingGroupInput{
					InstanceId:                     aws.String(ec2sim.LabRouterA),
					ShouldDecrementDesiredCapacity: aws.Bool(true)})
			return err
		},
	} {
		before := g.sim.State()
		g.refused(ask(), text)
		if diff := cmp.Diff(before, g.sim.State()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// A world with groups is loaded as it was saved, with their waits.
func TestGroupsAreLoaded(t *testing.T) {
	g := newGroup(t, up)
	g.scale(1)
	g.pass()
	token := g.wantEvents("-launch Lifecycle Action up 1")[0]
	saved, err := json.Marshal(g.sim.State())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.sim.Load(saved); err != nil {
		t.Fatal(err)
	}
	g.ok(g.complete("up", token, 0, "CONTINUE"))
	g.want("1 Pending:Proceed")
	_, err = g.TerminateInstanceInAutoScalingGroup(t.Context(),
		&autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &g.seen[0],
			ShouldDecrementDesiredCapacity: aws.Bool(true)})
	g.ok(err)
	g.want("1 Terminating:Proceed")
	if n := g.region().ScalingGroup(g.name).DesiredCapacity; n != 0 {
		t.Errorf("it still wants %d", n)
	}
}
