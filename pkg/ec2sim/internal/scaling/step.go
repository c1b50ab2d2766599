package scaling

import (
	"slices"
	"strings"
	"time"
)

// Cloud is what a group does things by.
type Cloud interface {
	// State is EC2's state of an instance; empty where there is none.
	State(instance string) string
	// Launch launches an instance into a subnet.
	Launch(g *Group, subnet string) (instance, zone string, err error)
	// Terminate ends an instance.
	Terminate(instance string)
	// Token makes the token of an action.
	Token() string
	// Tell tells what happened.
	Tell(g *Group, n Notice)
}

// Kind is what a notice is about.
type Kind int

// What a group tells of.
const (
	// ActionBegan: an instance waits at a hook.
	ActionBegan Kind = iota + 1
	Launched
	LaunchFailed
	Terminated
)

// Notice is what a group tells.
type Notice struct {
	Kind   Kind
	Member Member
	// Hook and Token are those of the action that began.
	Hook  Hook
	Token string
	// Origin and Destination are where the instance comes from and goes to.
	Origin, Destination string
	// Cause is why a launch failed.
	Cause string
}

// retryPause is how long a group waits after a launch that failed or an instance that died.
const retryPause = time.Minute

// Times are what a step goes by.
type Times struct {
	Now time.Time
	// Proceed is how long an instance is in a :Proceed state.
	Proceed time.Duration
}

// Due reports whether something is to happen in the group.
func (g *Group) Due(c Cloud, now time.Time) bool { return g.next(c, now) != nil }

// Advance makes all happen that is to happen, and reports whether anything did.
func (g *Group) Advance(c Cloud, t Times) (moved bool) {
	for {
		step := g.next(c, t.Now)
		if step == nil {
			return moved
		}
		step(c, t)
		moved = true
	}
}

// Next is when the next thing happens by itself; false where nothing is to come.
func (g *Group) Next(now time.Time) (next time.Time, some bool) {
	earlier := func(t time.Time) {
		if t.After(now) && (!some || t.Before(next)) {
			next, some = t, true
		}
	}
	earlier(g.RetryAt)
	for _, m := range g.Instances {
		earlier(m.Until)
		for _, a := range m.Actions {
			if a.Result == "" {
				earlier(a.over())
			}
		}
	}
	return next, some
}

// step is one thing that happens.
type step func(Cloud, Times)

// next is what is to happen first, or nil. It changes nothing.
func (g *Group) next(c Cloud, now time.Time) step {
	for i := range g.Instances {
		if s := g.ofMember(i, c, now); s != nil {
			return s
		}
	}
	return g.ofSize(now)
}

// ofMember is what is to happen with an instance, or nil.
func (g *Group) ofMember(i int, c Cloud, now time.Time) step {
	m := &g.Instances[i]
	state := c.State(m.InstanceID)
	switch m.State {
	case Pending:
		if state == "running" {
			return func(c Cloud, t Times) { g.enter(m, c, t, Launching, PendingWait, PendingProceed) }
		}
		if lost(state) {
			return g.fails(m)
		}
	case PendingWait, TerminatingWait:
		return g.ofWait(m, now)
	case PendingProceed:
		if !now.Before(m.Until) {
			return func(c Cloud, _ Times) {
				m.State, m.Until = InService, time.Time{}
				c.Tell(g, Notice{Kind: Launched, Member: *m, Origin: "EC2",
					Destination: "AutoScalingGroup"})
			}
		}
	case InService:
		if lost(state) && !g.suspends("ReplaceUnhealthy") {
			return g.fails(m)
		}
	case TerminatingBegun:
		return func(c Cloud, t Times) {
			g.enter(m, c, t, Terminating, TerminatingWait, TerminatingProceed)
		}
	case TerminatingProceed:
		return g.ofEnd(i, state, now)
	}
	return nil
}

// suspends reports whether a process of the group does not run.
func (g *Group) suspends(process string) bool { return slices.Contains(g.Suspended, process) }

// lost reports whether an instance in a state of EC2's is one that a group replaces.
func lost(state string) bool { return state != "running" && state != "pending" }

// fails has an instance leave that can't serve. Another one is launched a while later.
func (g *Group) fails(m *Member) step {
	return func(_ Cloud, t Times) {
		m.State, m.Actions, g.RetryAt = TerminatingBegun, nil, t.Now.Add(retryPause)
	}
}

// enter has an instance wait at the hooks of a transition, or go on where there are none.
func (g *Group) enter(m *Member, c Cloud, t Times, transition, wait, proceed string) {
	m.State, m.Actions = wait, nil
	origin, destination := "EC2", "AutoScalingGroup"
	if transition == Terminating {
		origin, destination = destination, origin
	}
	for _, h := range g.Hooks {
		if h.Transition != transition {
			continue
		}
		a := Action{Hook: h.Name, Token: c.Token(), Deadline: t.Now.Add(h.Heartbeat()),
			End: t.Now.Add(h.Global())}
		m.Actions = append(m.Actions, a)
		c.Tell(g, Notice{Kind: ActionBegan, Member: *m, Hook: h, Token: a.Token,
			Origin: origin, Destination: destination})
	}
	if len(m.Actions) == 0 {
		m.State, m.Until = proceed, t.Now.Add(t.Proceed)
	}
}

// ofWait is what is to happen with an instance that waits, or nil: the time of an action is up, one
// was abandoned, or all are over. One that is abandoned ends the others.
func (g *Group) ofWait(m *Member, now time.Time) step {
	active, abandoned := 0, false
	for i := range m.Actions {
		a := &m.Actions[i]
		if a.Result == "" && !now.Before(a.over()) {
			return func(Cloud, Times) { a.Result = g.defaultOf(a.Hook) }
		}
		if a.Result == "" {
			active++
		}
		abandoned = abandoned || a.Result == Abandon
	}
	switch {
	case abandoned && m.State == PendingWait:
		return g.fails(m)
	case active == 0 || abandoned:
		return func(_ Cloud, t Times) {
			m.State = strings.Replace(m.State, ":Wait", ":Proceed", 1)
			m.Actions, m.Until = nil, t.Now.Add(t.Proceed)
		}
	}
	return nil
}

// defaultOf is how an action at a hook ends whose time is up. A hook may be gone by then.
func (g *Group) defaultOf(hook string) string {
	if h := g.Hook(hook); h != nil {
		return h.Default()
	}
	return Abandon
}

// ofEnd is what is to happen with an instance that leaves, or nil.
func (g *Group) ofEnd(i int, state string, now time.Time) step {
	m := &g.Instances[i]
	switch {
	case state == "terminated" || state == "":
		return func(c Cloud, _ Times) {
			gone := *m
			g.Instances = slices.Delete(g.Instances, i, i+1)
			c.Tell(g, Notice{Kind: Terminated, Member: gone, Origin: "AutoScalingGroup",
				Destination: "EC2"})
		}
	case state != "shutting-down" && !now.Before(m.Until):
		return func(c Cloud, _ Times) { c.Terminate(m.InstanceID) }
	}
	return nil
}

// ofSize is what is to happen to the group's size, or nil.
func (g *Group) ofSize(now time.Time) step {
	count := 0
	for i := range g.Instances {
		if !g.Instances[i].Leaving() {
			count++
		}
	}
	switch {
	case !g.RetryAt.IsZero() && !now.Before(g.RetryAt):
		return func(Cloud, Times) { g.RetryAt = time.Time{} }
	case count < g.DesiredCapacity && g.RetryAt.IsZero() && !g.suspends("Launch"):
		return g.launch
	case count > g.DesiredCapacity && !g.suspends("Terminate"):
		if m := g.victim(); m != nil {
			return func(Cloud, Times) { m.State = TerminatingBegun }
		}
	}
	return nil
}

// launch adds an instance in the subnet that has the fewest.
func (g *Group) launch(c Cloud, t Times) {
	subnet := slices.MinFunc(g.SubnetIDs, func(a, b string) int { return g.in(a) - g.in(b) })
	id, zone, err := c.Launch(g, subnet)
	if err != nil {
		g.RetryAt = t.Now.Add(retryPause)
		c.Tell(g, Notice{Kind: LaunchFailed, Member: Member{SubnetID: subnet}, Cause: err.Error()})
		return
	}
	g.Instances = append(g.Instances, Member{InstanceID: id, State: Pending, SubnetID: subnet,
		Zone: zone, Protected: g.NewProtected})
}

// in counts the instances of the group in a subnet.
func (g *Group) in(subnet string) (n int) {
	for _, m := range g.Instances {
		if m.SubnetID == subnet && !m.Leaving() {
			n++
		}
	}
	return n
}

// victim is the instance that scale-in takes: the oldest of the zone that has the most, of those
// that serve and are not protected. It is nil where there is none.
func (g *Group) victim() (found *Member) {
	most := 0
	for i := range g.Instances {
		m := &g.Instances[i]
		if m.State != InService || m.Protected {
			continue
		}
		if n := g.in(m.SubnetID); n > most {
			found, most = m, n
		}
	}
	return found
}
