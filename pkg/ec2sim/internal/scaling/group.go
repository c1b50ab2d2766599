// Package scaling is a group as Auto Scaling keeps it: how many instances it has, where each of
// them is in its lifecycle, and what it waits for.
//
// The package knows no requests and no clock, and EC2 only as a Cloud. Whoever calls says what time
// it is. A Group is not safe for concurrent use.
package scaling

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Group is an Auto Scaling group.
type Group struct {
	// Name names it, and ID is in its ARN.
	Name string `json:"name"`
	ID   string `json:"id"`

	MinSize         int `json:"minSize"`
	MaxSize         int `json:"maxSize"`
	DesiredCapacity int `json:"desiredCapacity"`
	// SubnetIDs are where instances are launched, in the one with the fewest first.
	SubnetIDs    []string          `json:"subnetIds,omitempty"`
	InstanceType string            `json:"instanceType,omitempty"`
	ImageID      string            `json:"imageId,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	// NewProtected has scale-in spare new instances.
	NewProtected bool `json:"newInstancesProtectedFromScaleIn,omitempty"`
	// Suspended are processes that do not run: Launch, Terminate or ReplaceUnhealthy.
	Suspended []string `json:"suspendedProcesses,omitempty"`
	Hooks     []Hook   `json:"hooks,omitempty"`
	// Instances are those of the group, in the order in which they came.
	Instances []Member `json:"instances,omitempty"`
	// LoseEvents is how many of the next events of the group reach nobody.
	LoseEvents int `json:"loseEvents,omitempty"`
	// RetryAt is when the group launches again, after a launch that failed or an instance that died.
	RetryAt time.Time `json:"retryAt,omitzero"`
}

// The transitions at which an instance can wait.
const (
	Launching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	Terminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// How a lifecycle action ends.
const (
	Continue = "CONTINUE"
	Abandon  = "ABANDON"
)

// Hook is a lifecycle hook.
type Hook struct {
	Name       string `json:"name"`
	Transition string `json:"transition"`
	// DefaultResult is how an action ends whose time is up; ABANDON when empty.
	DefaultResult string `json:"defaultResult,omitempty"`
	// HeartbeatSeconds is how long an instance waits from the last heartbeat; an hour when 0.
	HeartbeatSeconds int `json:"heartbeatSeconds,omitempty"`
	// Target is the ARN of a queue or a topic that is told beside EventBridge.
	Target   string `json:"notificationTargetArn,omitempty"`
	RoleARN  string `json:"roleArn,omitempty"`
	Metadata string `json:"notificationMetadata,omitempty"`
}

// Heartbeat is how long an instance waits from the last heartbeat.
func (h Hook) Heartbeat() time.Duration {
	return time.Duration(cmp.Or(h.HeartbeatSeconds, 3600)) * time.Second
}

// Global is how long an instance waits at most, whatever heartbeats there are.
func (h Hook) Global() time.Duration { return min(48*time.Hour, 100*h.Heartbeat()) }

// Default is how an action ends whose time is up.
func (h Hook) Default() string { return cmp.Or(h.DefaultResult, Abandon) }

// The states of an instance of a group.
const (
	Pending            = "Pending"
	PendingWait        = "Pending:Wait"
	PendingProceed     = "Pending:Proceed"
	InService          = "InService"
	TerminatingBegun   = "Terminating"
	TerminatingWait    = "Terminating:Wait"
	TerminatingProceed = "Terminating:Proceed"
)

// Member is an instance of a group.
type Member struct {
	InstanceID string `json:"instanceId"`
	State      string `json:"state"`
	SubnetID   string `json:"subnetId,omitempty"`
	Zone       string `json:"availabilityZone,omitempty"`
	Protected  bool   `json:"protectedFromScaleIn,omitempty"`
	// Actions are what the instance waits for in a :Wait state.
	Actions []Action `json:"actions,omitempty"`
	// Until is when a :Proceed state ends.
	Until time.Time `json:"until,omitzero"`
}

// Leaving reports whether the instance no longer counts as one of the group.
func (m *Member) Leaving() bool { return strings.HasPrefix(m.State, TerminatingBegun) }

// Action is a lifecycle action: the wait of one instance at one hook.
type Action struct {
	Hook  string `json:"hook"`
	Token string `json:"token"`
	// Deadline is when its time is up without a further heartbeat, and End when it is anyhow.
	Deadline time.Time `json:"deadline"`
	End      time.Time `json:"end"`
	// Result is how it ended; empty while it is active.
	Result string `json:"result,omitempty"`
}

// over is when the time of the action is up.
func (a Action) over() time.Time {
	if a.End.Before(a.Deadline) {
		return a.End
	}
	return a.Deadline
}

// Clone returns a deep copy.
func (g Group) Clone() Group {
	g.SubnetIDs, g.Suspended = clone(g.SubnetIDs), clone(g.Suspended)
	g.Hooks, g.Instances = clone(g.Hooks), clone(g.Instances)
	if g.Tags = maps.Clone(g.Tags); len(g.Tags) == 0 {
		g.Tags = nil
	}
	for i := range g.Instances {
		g.Instances[i].Actions = clone(g.Instances[i].Actions)
	}
	return g
}

// clone copies a list; an empty one is none.
func clone[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// Check returns what is wrong with a group that somebody declares, or nothing.
func (g *Group) Check() string {
	switch {
	case g.Name == "" || strings.ContainsAny(g.Name, ":|"):
		return "a group has a name, without : and |"
	case g.MinSize < 0 || g.MinSize > g.DesiredCapacity || g.DesiredCapacity > g.MaxSize:
		return "the sizes are minSize <= desiredCapacity <= maxSize, from 0"
	case len(g.SubnetIDs) == 0:
		return "a group launches into at least one subnet"
	}
	for _, h := range g.Hooks {
		if wrong := h.Check(); wrong != "" {
			return wrong
		}
	}
	return ""
}

// Bounds of a hook's heartbeat, in seconds.
const (
	shortestHeartbeat = 30
	longestHeartbeat  = 7200
)

// Check returns what is wrong with a hook, or nothing.
func (h *Hook) Check() string {
	switch {
	case h.Name == "":
		return "a hook has a name"
	case h.Transition != Launching && h.Transition != Terminating:
		return "the transition of a hook is " + Launching + " or " + Terminating
	case h.DefaultResult != "" && h.DefaultResult != Continue && h.DefaultResult != Abandon:
		return "the default result of a hook is CONTINUE or ABANDON"
	case h.HeartbeatSeconds != 0 &&
		(h.HeartbeatSeconds < shortestHeartbeat || h.HeartbeatSeconds > longestHeartbeat):
		return "the heartbeat of a hook is 30 to 7200 seconds"
	}
	return ""
}

// Hook finds a hook by its name, or returns nil.
func (g *Group) Hook(name string) *Hook {
	at := slices.IndexFunc(g.Hooks, func(h Hook) bool { return h.Name == name })
	if at < 0 {
		return nil
	}
	return &g.Hooks[at]
}

// Member finds an instance of the group, or returns nil.
func (g *Group) Member(instance string) *Member {
	at := slices.IndexFunc(g.Instances, func(m Member) bool { return m.InstanceID == instance })
	if at < 0 {
		return nil
	}
	return &g.Instances[at]
}

// Active finds the action that is under way at a hook, by its token, or by the instance where the
// token is empty. It returns nil where there is none.
func (g *Group) Active(hook, token, instance string) *Action {
	for i := range g.Instances {
		m := &g.Instances[i]
		for at := range m.Actions {
			a := &m.Actions[at]
			named := (token == "" || token == a.Token) && (instance == "" || instance == m.InstanceID)
			if named && a.Hook == hook && a.Result == "" {
				return a
			}
		}
	}
	return nil
}

// Beat has the time of an action begin anew.
func (g *Group) Beat(a *Action, now time.Time) {
	if h := g.Hook(a.Hook); h != nil {
		a.Deadline = now.Add(h.Heartbeat())
	}
}

// Elapse has time pass for the group's waits and nothing else.
func (g *Group) Elapse(d time.Duration) {
	earlier := func(t *time.Time) {
		if !t.IsZero() {
			*t = t.Add(-d)
		}
	}
	earlier(&g.RetryAt)
	for i := range g.Instances {
		earlier(&g.Instances[i].Until)
		for at := range g.Instances[i].Actions {
			earlier(&g.Instances[i].Actions[at].Deadline)
			earlier(&g.Instances[i].Actions[at].End)
		}
	}
}
