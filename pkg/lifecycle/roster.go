package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"aws-provider-executor/pkg/members"
	"aws-provider-executor/pkg/protocol"
)

// Roster is the members of a group and their primary, as *members.Group keeps them.
type Roster interface {
	Read(ctx context.Context) ([]members.Member, members.Primary, error)
	Join(ctx context.Context, instance, address string) error
	Ready(ctx context.Context, instance string) error
	Terminating(ctx context.Context, instance string) error
	Leave(ctx context.Context, instance string) error
	Elect(ctx context.Context, alive func(instance string) bool) (members.Primary, error)
	Confirm(ctx context.Context, p members.Primary) error
}

var _ Roster = (*members.Group)(nil)

// addRole adds the steps by which the instance takes up its role. What they do follows from what
// the steps before them told.
func (r *run) addRole() {
	g := r.group
	add := func(name string, do func(context.Context) answer) {
		r.steps = append(r.steps, runStep{name: name, do: do})
	}
	if g.Members != nil {
		add("join", r.join)
		r.elects = len(r.steps)
		add("elect", r.elect)
	}
	if g.Appliance != nil {
		r.steps = append(r.steps, runStep{name: "appliance", action: func() Step {
			return planner{g, r.event, r.instance}.appliance(r.own(), r.role(r.event.Instance))
		}})
	}
	if g.Members != nil {
		add("confirm", r.confirm)
	}
}

// own is what the instance has by the steps so far.
func (r *run) own() Own {
	var own Own
	if r.group.Appliance != nil {
		own.Address = r.addressAt(r.group.Appliance.Index)
	}
	if r.group.License != nil {
		own.License = r.facts["license"]["licenseRef"]
	}
	return own
}

// addressAt is the primary private address of the instance's interface at a device index.
func (r *run) addressAt(index int) string {
	if index == 0 {
		return r.instance.Address
	}
	return r.facts[interfaceStep(index)]["primaryAddress"]
}

// role is that of an instance by the last election.
func (r *run) role(instance string) Role {
	if r.group.Members == nil {
		return Role{}
	}
	role := Role{Name: RoleSecondary, Primary: r.primary.Instance,
		PrimaryAddress: r.primary.Address, Epoch: r.primary.Epoch}
	if instance == r.primary.Instance {
		role.Name = RolePrimary
	}
	return role
}

// roster is that of the event's group.
func (r *run) roster() Roster { return r.Roster(r.event) }

// join makes the instance a member that may be the primary: it has all that is its own.
func (r *run) join(ctx context.Context) answer {
	address := r.addressAt(r.group.Members.Index)
	if address == "" {
		r.reason = fmt.Sprintf("join: %s has no address at the device index %d", r.event.Instance,
			r.group.Members.Index)
		return failed
	}
	err := r.roster().Join(ctx, r.event.Instance, address)
	if err == nil {
		err = r.roster().Ready(ctx, r.event.Instance)
	}
	return r.orWrong("join", err)
}

// orWrong is done, or for an error that lasts failed, or else later.
func (r *run) orWrong(step string, err error) answer {
	var f *protocol.Failure
	if errors.As(err, &f) && f.Class == protocol.Conflict {
		// A member that terminates joins no more.
		r.reason = step + ": " + f.Message
		return failed
	}
	return r.orLater(err)
}

// elect finds out who is the primary, and has one elected where there is none that is alive.
func (r *run) elect(ctx context.Context) answer {
	p, err := r.electAlive(ctx)
	if err != nil {
		return r.orLater(err)
	}
	if p.Instance == "" {
		return r.orLater(fmt.Errorf("nobody could be elected in %s", protocol.Quote(r.event.Group)))
	}
	r.primary = p
	return done
}

// electAlive elects, by what Auto Scaling says of each member. Where it can't say so of one, nobody
// new is elected.
func (r *run) electAlive(ctx context.Context) (members.Primary, error) {
	all, _, err := r.roster().Read(ctx)
	if err != nil {
		return members.Primary{}, err
	}
	l := lives{run: r, known: map[string]bool{}}
	for _, m := range all {
		if l.alive(ctx, m.Instance); l.err != nil {
			return members.Primary{}, l.err
		}
	}
	p, err := r.roster().Elect(ctx, func(instance string) bool { return l.alive(ctx, instance) })
	return p, errors.Join(err, l.err)
}

// lives finds out which instances are alive, each once.
type lives struct {
	*run
	mu    sync.Mutex
	known map[string]bool
	err   error
}

// alive reports whether Auto Scaling has an instance in the group and not on its way out. Of one
// that it can't be asked about nothing is known: it stays what it is.
func (l *lives) alive(ctx context.Context, instance string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if alive, known := l.known[instance]; known {
		return alive
	}
	i, err := l.cloud.DescribeScalingInstance(ctx, instance)
	if err != nil {
		l.err = errors.Join(l.err, err)
		return true
	}
	alive := i.Group == l.event.Group &&
		(strings.HasPrefix(i.State, "Pending") || i.State == "InService")
	l.known[instance] = alive
	return alive
}

// confirm records that the appliance itself was read to be the primary. Where another one was
// elected meanwhile, the instance takes up its role by that.
func (r *run) confirm(ctx context.Context) answer {
	if r.primary.Instance != r.event.Instance {
		return done
	}
	err := r.roster().Confirm(ctx, r.primary)
	var f *protocol.Failure
	if errors.As(err, &f) && f.Class == protocol.Conflict {
		r.known.next = r.elects
		return moved
	}
	return r.orLater(err)
}

// protect protects the instance from scale-in once it is in service: Auto Scaling protects no
// other. It is too late to abandon the launch for that, so what fails is told and left.
func (r *run) protect() answer {
	if r.group.Protection == ProtectPrimary {
		_, p, err := r.roster().Read(r.held)
		if err != nil {
			return r.orLater(err)
		}
		r.primary = p
	}
	for _, s := range r.group.InRole(r.event, r.instance, Own{}, r.role(r.event.Instance)) {
		if s.Name != protectionStep {
			continue
		}
		d := r.patiently(func() Done { return r.doer.Do(r.held, s, r.begun) })
		d.Optional = d.Verdict != StepDone
		if r.note(d); d.Optional {
			r.leave(d.Key, d.Message)
		}
	}
	return done
}

// retire says that the member goes, before anything else: nobody elects it from here on.
func (r *run) retire(ctx context.Context) answer {
	if r.group.Members == nil {
		return done
	}
	return r.orLater(r.roster().Terminating(ctx, r.event.Instance))
}

// succeed removes the member, and has another one follow where it was the primary. A follower that
// can't be configured is told, and left to the next event or the sweeper: it keeps no instance from
// being terminated.
func (r *run) succeed() answer {
	if r.group.Members == nil {
		return done
	}
	if err := r.roster().Leave(r.held, r.event.Instance); err != nil {
		return r.orLater(err)
	}
	p, err := r.electAlive(r.held)
	if err != nil {
		return r.orLater(err)
	}
	if r.primary = p; p.Instance == "" || p.Confirmed {
		return done
	}
	all, _, err := r.roster().Read(r.held)
	if err != nil {
		return r.orLater(err)
	}
	return r.promote(all)
}

// promote has the new primary take up its role, and then the others theirs.
func (r *run) promote(all []members.Member) answer {
	for _, m := range all {
		if m.Instance == r.primary.Instance && !r.takesUp(m) {
			return done
		}
	}
	if err := r.roster().Confirm(r.held, r.primary); err != nil {
		r.leave("confirm", err.Error())
		return done
	}
	for _, m := range all {
		if m.Instance != r.primary.Instance && m.State == members.Ready {
			r.takesUp(m)
		}
	}
	return done
}

// takesUp has another member take up its role. It reports whether all that needs is done.
func (r *run) takesUp(m members.Member) bool {
	e := r.event
	e.Instance = m.Instance
	own, err := r.ownOf(m)
	if err != nil {
		r.leave("role of "+m.Instance, err.Error())
		return false
	}
	for _, s := range r.group.InRole(e, Instance{ID: m.Instance}, own, r.role(m.Instance)) {
		d := r.patiently(func() Done { return r.doer.Do(r.held, s, r.begun) })
		if d.Let {
			r.begun++
		}
		d.Optional = d.Verdict != StepDone && !s.Required
		r.note(d)
		if d.Verdict != StepDone && !d.Optional {
			r.leave(d.Key, d.Message)
			return false
		}
	}
	return true
}

// leave tells what could not be done, and is left.
func (r *run) leave(what, why string) {
	r.result.Left = append(r.result.Left, what+": "+why)
}

// ownOf is what another member has: where its appliance is managed.
func (r *run) ownOf(m members.Member) (Own, error) {
	if r.group.Appliance == nil || r.group.Appliance.Index == r.group.Members.Index {
		return Own{Address: m.Address}, nil
	}
	i, err := r.cloud.DescribeInstance(r.held, m.Instance)
	if err != nil {
		return Own{}, err
	}
	for _, n := range i.Interfaces {
		if n.Card == 0 && n.Index == r.group.Appliance.Index {
			nic, err := r.cloud.DescribeInterface(r.held, n.ID)
			return Own{Address: nic.Primary}, err
		}
	}
	return Own{}, fmt.Errorf("%s has no interface at the device index %d", m.Instance,
		r.group.Appliance.Index)
}
