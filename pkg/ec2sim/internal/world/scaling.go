package world

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/scaling"
)

// ScalingEvents is the source of Auto Scaling's events.
const ScalingEvents = "aws.autoscaling"

// ScalingGroup is an Auto Scaling group in a table.
type ScalingGroup scaling.Group

func (g ScalingGroup) key() string         { return g.Name }
func (g ScalingGroup) clone() ScalingGroup { return ScalingGroup(scaling.Group(g).Clone()) }

// Group is the group itself.
func (g *ScalingGroup) Group() *scaling.Group { return (*scaling.Group)(g) }

// AddScalingGroup adds a group. Its instances are launched as time goes on.
func (w *World) AddScalingGroup(m Minter, g ScalingGroup) *ScalingGroup {
	if wrong := g.Group().Check(); wrong != "" {
		cannot(wrong)
	}
	for _, subnet := range g.SubnetIDs {
		Must(w.Subnets, subnet)
	}
	if g.ID == "" {
		g.ID = m.UUID()
	}
	return put(w.ScalingGroups, g)
}

// ScalingGroupARN is the ARN of a group; one that is not there has an ID of its own.
func (w *World) ScalingGroupARN(name string) string {
	id := "*"
	if g := w.ScalingGroups[name]; g != nil {
		id = g.ID
	}
	return w.ServiceARN("autoscaling", "autoScalingGroup:"+id+":autoScalingGroupName/"+name)
}

// ServiceARN is the ARN of what a service has in the region.
func (w *World) ServiceARN(service, resource string) string {
	place := partition(w.Region) + ":" + service + ":" + w.Region
	return "arn:" + place + ":" + w.Owner + ":" + resource
}

// ScalingGroupOf finds the group that an instance is of, or returns nil.
func (w *World) ScalingGroupOf(instance string) *scaling.Group {
	for g := range w.ScalingGroups.Each() {
		if g.Group().Member(instance) != nil {
			return g.Group()
		}
	}
	return nil
}

// groupsDue reports whether something is to happen in a group.
func (w *World) groupsDue(now time.Time) bool {
	for _, g := range w.ScalingGroups {
		if g.Group().Due(cloud{Change{World: w}}, now) {
			return true
		}
	}
	return false
}

// Settle has all happen that is due, each thing at its time: transitions end, and groups do what
// follows.
func (c Change) Settle() {
	now, at := c.Now, time.Time{}
	for c.World.Due(now) {
		if next, some := c.World.nextStep(at); some && next.Before(now) {
			at = next
		} else {
			at = now
		}
		c.Now = at
		c.World.settleTransitions(at)
		for g := range c.World.ScalingGroups.Each() {
			g.Group().Advance(cloud{c}, scaling.Times{Now: at, Proceed: c.Transition})
		}
	}
}

// cloud is the world as a group sees it.
type cloud struct{ Change }

func (c cloud) State(instance string) string {
	if i := c.World.Instances[instance]; i != nil {
		return i.State
	}
	return ""
}

func (c cloud) Token() string { return c.Mint.UUID() }

// scaleTag is the tag by which an instance shows its group.
const scaleTag = "aws:autoscaling:groupName"

func (c cloud) Launch(g *scaling.Group, subnet string) (instance, zone string, err error) {
	tags := Tags(maps.Clone(g.Tags))
	if tags == nil {
		tags = Tags{}
	}
	tags[scaleTag] = g.Name
	if c.World.Subnets[subnet] == nil {
		return "", "", errors.New("The subnet ID '" + subnet + "' does not exist")
	}
	added, err := c.Change.Launch(Instance{SubnetID: subnet, Type: g.InstanceType, ImageID: g.ImageID,
		Tags: tags}, 1)
	if err != nil {
		return "", "", err
	}
	return added[0].ID, c.World.Subnets[subnet].AvailabilityZone, nil
}

func (c cloud) Terminate(instance string) {
	if i := c.World.Instances[instance]; i != nil {
		// No state keeps an instance from being terminated.
		_ = c.Change.Terminate(i)
	}
}

// Tell tells EventBridge, and what a hook names beside it.
func (c cloud) Tell(g *scaling.Group, n scaling.Notice) {
	if g.LoseEvents > 0 {
		g.LoseEvents--
		return
	}
	c.World.Tell(c.scalingEvent(g, n), c.Now)
	if n.Kind == scaling.ActionBegan && n.Hook.Target != "" {
		c.notify(n.Hook.Target, c.actionNote(g, n))
	}
}

// detailTypes are what EventBridge calls events.
var detailTypes = map[scaling.Kind]string{
	scaling.Launched:     "EC2 Instance Launch Successful",
	scaling.LaunchFailed: "EC2 Instance Launch Unsuccessful",
	scaling.Terminated:   "EC2 Instance Terminate Successful",
}

// actionDetail is an event of a lifecycle action.
type actionDetail struct {
	Token       string `json:"LifecycleActionToken"`
	Group       string `json:"AutoScalingGroupName"`
	Hook        string `json:"LifecycleHookName"`
	Instance    string `json:"EC2InstanceId"`
	Transition  string `json:"LifecycleTransition"`
	Metadata    string `json:"NotificationMetadata,omitempty"`
	Origin      string `json:"Origin"`
	Destination string `json:"Destination"`
}

func detailOf(g *scaling.Group, n scaling.Notice) actionDetail {
	return actionDetail{Token: n.Token, Group: g.Name, Hook: n.Hook.Name,
		Instance: n.Member.InstanceID, Transition: n.Hook.Transition, Metadata: n.Hook.Metadata,
		Origin: n.Origin, Destination: n.Destination}
}

// activityDetail is an event of an activity that is over.
type activityDetail struct {
	StatusCode string            `json:"StatusCode"`
	Message    string            `json:"StatusMessage"`
	Activity   string            `json:"ActivityId"`
	Details    map[string]string `json:"Details"`
	Group      string            `json:"AutoScalingGroupName"`
	Instance   string            `json:"EC2InstanceId"`
	Cause      string            `json:"Cause"`
	Origin     string            `json:"Origin"`
	To         string            `json:"Destination"`
}

func (c cloud) scalingEvent(g *scaling.Group, n scaling.Notice) Event {
	e := Event{Source: ScalingEvents, Resources: []string{c.World.ScalingGroupARN(g.Name)}}
	if n.Kind == scaling.ActionBegan {
		e.Detail, e.DetailType = detailOf(g, n), "EC2 Instance-launch Lifecycle Action"
		if n.Hook.Transition == scaling.Terminating {
			e.DetailType = "EC2 Instance-terminate Lifecycle Action"
		}
		return e
	}
	e.DetailType = detailTypes[n.Kind]
	if n.Member.InstanceID != "" {
		e.Resources = append(e.Resources, c.World.ARN("instance", n.Member.InstanceID))
	}
	d := activityDetail{StatusCode: "InProgress", Activity: c.Mint.UUID(), Group: g.Name,
		Instance: n.Member.InstanceID, Cause: n.Cause, Origin: n.Origin, To: n.Destination,
		Details: map[string]string{"Subnet ID": n.Member.SubnetID, "Availability Zone": n.Member.Zone}}
	if n.Kind == scaling.LaunchFailed {
		d.StatusCode, d.Message = "Failed", n.Cause
	}
	e.Detail = d
	return e
}

// note is what Auto Scaling tells a queue or a topic without EventBridge.
type note struct {
	Account   string `json:"AccountId"`
	RequestID string `json:"RequestId"`
	GroupARN  string `json:"AutoScalingGroupARN,omitempty"`
	Group     string `json:"AutoScalingGroupName"`
	Service   string `json:"Service"`
	Event     string `json:"Event,omitempty"`
	Time      string `json:"Time"`

	Token       string `json:"LifecycleActionToken,omitempty"`
	Hook        string `json:"LifecycleHookName,omitempty"`
	Instance    string `json:"EC2InstanceId,omitempty"`
	Transition  string `json:"LifecycleTransition,omitempty"`
	Metadata    string `json:"NotificationMetadata,omitempty"`
	Origin      string `json:"Origin,omitempty"`
	Destination string `json:"Destination,omitempty"`
}

func (c Change) note(g *scaling.Group) note {
	return note{Account: c.World.Owner, RequestID: c.Mint.UUID(), Group: g.Name,
		Service: "AWS Auto Scaling", Time: c.Now.UTC().Format("2006-01-02T15:04:05.000Z")}
}

func (c Change) actionNote(g *scaling.Group, n scaling.Notice) note {
	said, d := c.note(g), detailOf(g, n)
	said.Token, said.Hook, said.Instance, said.Transition = d.Token, d.Hook, d.Instance, d.Transition
	said.Metadata, said.Origin, said.Destination = d.Metadata, d.Origin, d.Destination
	return said
}

// notify puts a note into the queue that an ARN names, or into those that hear the topic that it
// names. It reports whether anybody got it.
func (c Change) notify(target string, n note) bool {
	body := mustJSON(n)
	queue := target[strings.LastIndexByte(target, ':')+1:]
	if q := c.World.Queues[queue]; q != nil && target == c.World.QueueARN(c.World.Owner, queue) {
		q.Put(body, c.Now, c.Now)
		return true
	}
	wrapped := mustJSON(map[string]string{
		"Type": "Notification", "MessageId": c.Mint.UUID(), "TopicArn": target,
		"Subject": "Auto Scaling: " + n.Service, "Message": body, "Timestamp": n.Time,
		"SignatureVersion": "1", "Signature": "none", "SigningCertURL": "", "UnsubscribeURL": "",
	})
	for _, name := range c.World.listening[target] {
		if q := c.World.Queues[name]; q != nil {
			q.Put(wrapped, c.Now, c.Now)
		}
	}
	return len(c.World.listening[target]) > 0
}

func mustJSON(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic("ec2sim: a message that is no JSON: " + err.Error())
	}
	return string(body)
}

// PutHook adds a hook to a group, or replaces the one of its name. A target is told at once, to
// test it.
func (c *Change) PutHook(g *scaling.Group, h scaling.Hook) error {
	if wrong := h.Check(); wrong != "" {
		return Invalid("%s", wrong)
	}
	if h.Target != "" {
		test := c.note(g)
		test.GroupARN, test.Event = c.World.ScalingGroupARN(g.Name), "autoscaling:TEST_NOTIFICATION"
		if h.RoleARN == "" || !c.notify(h.Target, test) {
			return Invalid("Unable to publish test message to notification target %s using IAM role %s. "+
				"Please check your target and role configuration and try to put lifecycle hook again.",
				h.Target, h.RoleARN)
		}
	}
	if known := g.Hook(h.Name); known != nil {
		*known = h
		return nil
	}
	if len(g.Hooks) == maxHooks {
		return refusal.New("LimitExceeded", "Only %d lifecycle hooks are allowed for a group.", maxHooks)
	}
	g.Hooks = append(slices.Clone(g.Hooks), h)
	return nil
}

const maxHooks = 50

// Invalid is how Auto Scaling refuses nearly everything.
func Invalid(format string, args ...any) *refusal.Error {
	return refusal.New("ValidationError", format, args...)
}
