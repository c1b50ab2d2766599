package publicaddress

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// ensure is one request for an Elastic IP.
type ensure struct {
	*place
	// owner is the account that has the instance.
	owner string
	// pool is where one is taken from, and existing the one that is given in place of that.
	pool, existing string
	// public is the address that leads to the private one before the action, and elastic reports
	// whether that is an Elastic IP.
	public  string
	elastic bool
	// eip is the Elastic IP of the action, as it was last read or made.
	eip ec2model.Address
	// released reports whether the action has released again what it allocated.
	released bool
}

// state is what leads to the private address, or is to lead there.
type state struct {
	value string
	eip   ec2model.Address
	// own reports whether the action under the key allocated it.
	own bool
}

func planEnsure(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	e := &ensure{
		place: newPlace(r, req), existing: req.Parameters[paramAllocation],
		pool: cmp.Or(req.Parameters[paramPool], ec2model.AmazonPool),
	}
	if e.existing != "" && req.Parameters[paramPool] != "" {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"an existing Elastic IP is given (%s) and a pool to take one from (%s); give one of the two;"+
				" nothing was changed", paramAllocation, paramPool)
	}
	machine, err := r.DescribeInstance(ctx, e.instance)
	if err == nil {
		err = e.find(machine)
	}
	if err != nil {
		return nil, err
	}
	if e.existing != "" {
		return e.use(ctx)
	}
	return e.take(ctx)
}

// find finds the interface and its private address, and refuses what gets no Elastic IP.
func (e *ensure) find(i ec2model.Instance) error {
	e.owner = i.OwnerID
	at := slices.IndexFunc(i.Interfaces, func(n ec2model.InstanceInterface) bool {
		return n.Card == 0 && n.Index == e.index
	})
	switch {
	case i.Managed, at >= 0 && i.Interfaces[at].Managed:
		return protocol.Refuse(protocol.Authorization,
			"%s, or its interface, is managed by an AWS service, which alone may change it; nothing was"+
				" changed", e.instance)
	case i.State == "shutting-down" || i.State == "terminated":
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is %s, so it gets no public address any more; nothing was changed", e.instance, i.State)
	case at < 0:
		return protocol.Refuse(protocol.NotFound,
			"EC2 shows no interface at device index %d of %s; attach one first, or try again if one was"+
				" attached a moment ago; nothing was changed", e.index, e.instance)
	}
	n := i.Interfaces[at]
	which := slices.IndexFunc(n.Addresses, func(a ec2model.InstanceAddress) bool {
		return e.private == "" || a.Private == e.private
	})
	switch {
	case which < 0 && e.private == "":
		return protocol.Refuse(protocol.InvalidRequest,
			"%s has no private IPv4 address that an Elastic IP could lead to; nothing was changed", n.ID)
	case which < 0:
		return protocol.Refuse(protocol.NotFound,
			"EC2 does not show %s as an address of %s; assign it first, or try again if it was assigned"+
				" a moment ago; nothing was changed", e.private, n.ID)
	}
	a := n.Addresses[which]
	e.nic, e.private, e.public, e.elastic = n.ID, a.Private, a.Public, a.Elastic
	return nil
}

// take plans an Elastic IP of the action's own, of the pool.
func (e *ensure) take(ctx context.Context) (*action.Plan, error) {
	all, err := e.tagged(ctx)
	if err != nil {
		return nil, err
	}
	e.token = e.ownToken(all)
	now, err := e.state(all)
	if err != nil {
		return nil, err
	}
	if now.value == absent && e.elastic {
		now, err = e.stranger(ctx)
	}
	switch {
	case err != nil:
		return nil, err
	case now.value == absent:
		if err := e.unshown(); err != nil {
			return nil, err
		}
	case e.elastic && now.value == waiting+e.token && now.eip.PublicIP != e.public:
		return nil, protocol.Refuse(protocol.Conflict,
			"this action allocated %s (%s) for %s, and %s leads there now, which is not taken away from"+
				" it; nothing was changed; disassociate that one first, or undo the action",
			now.eip.PublicIP, now.eip.AllocationID, e.name(), e.public)
	case !now.own:
		return e.keep(now)
	}
	return e.plan(now, func(ctx context.Context) (state, error) {
		all, err := e.tagged(ctx)
		if err != nil {
			return state{}, err
		}
		return e.state(all)
	})
}

func (e *ensure) tagged(ctx context.Context) ([]ec2model.Address, error) {
	return e.r.DescribeTaggedAddresses(ctx, ec2model.PublicAddress, e.beginning())
}

// ownToken is the token of the action under the key: that of its record, that of what it allocated,
// or else a new one.
func (e *ensure) ownToken(all []ec2model.Address) string {
	if own, ok := e.own(); ok {
		if token, ours := strings.CutPrefix(own.To, present); ours {
			return token
		}
	}
	for _, a := range all {
		if token := e.markOf(a).token; action.OwnToken(e.req.Past.Key, token) {
			return token
		}
	}
	return action.NewToken(e.req.Past.Key, e.req.Durable)
}

// state is that of the private address, as far as Elastic IPs tell that were allocated for the
// device index. One of another action that leads to nothing yet is in the way.
func (e *ensure) state(all []ec2model.Address) (state, error) {
	now, idle := state{value: absent}, ec2model.Address{}
	for _, a := range all {
		m := e.markOf(a)
		here := m.nic == e.nic && m.private == e.private
		switch {
		case m.token == e.token && now.own:
			return now, protocol.Refuse(protocol.Conflict,
				"%s and %s were both allocated for %s by this action; nothing was changed; release the"+
					" one that leads to nothing, or undo the action", now.eip.AllocationID, a.AllocationID,
				e.name())
		case m.token == e.token:
			if !here || a.AssociationID != "" && !e.leads(a) {
				return now, e.movedOr(a, m)
			}
			now = state{value: e.progress(a), eip: a, own: true}
		case e.leads(a) && !now.own:
			now = state{value: present + m.token, eip: a}
		case here && a.AssociationID == "":
			idle = a
		}
	}
	if now.value != absent || idle.AllocationID == "" {
		return now, nil
	}
	return now, e.refuseIdle(idle)
}

// refuseIdle refuses an Elastic IP in the way that another action allocated.
func (e *ensure) refuseIdle(a ec2model.Address) error {
	return protocol.Refuse(protocol.Conflict,
		"another action allocated %s (%s) for %s and has not associated it; nothing was changed; finish"+
			" that action or undo it first", a.PublicIP, a.AllocationID, e.name())
}

// movedOr refuses an Elastic IP of the action that is elsewhere, or that was for another interface.
func (e *ensure) movedOr(a ec2model.Address, m mark) error {
	if m.nic == e.nic && m.private == e.private {
		return e.moved(a)
	}
	return protocol.Refuse(protocol.Conflict,
		"this action allocated %s (%s) for %s on %s, and at device index %d of %s is %s with %s now;"+
			" nothing was changed; undo the action first", a.PublicIP, a.AllocationID, m.private, m.nic,
		e.index, e.instance, e.nic, e.private)
}

// progress is the value of the private address where the own Elastic IP is so far.
func (e *ensure) progress(a ec2model.Address) string {
	if e.leads(a) {
		return present + e.token
	}
	return waiting + e.token
}

// stranger is the state of a private address that somebody else's Elastic IP leads to.
func (e *ensure) stranger(ctx context.Context) (state, error) {
	a, there, err := e.r.DescribeAssociatedAddress(ctx, e.nic, e.private)
	switch {
	case err != nil:
		return state{}, err
	case !there || !e.leads(a):
		return state{}, protocol.Refuse(protocol.Unavailable,
			"EC2 shows %s at %s, and no Elastic IP that leads there; nothing was changed; try again in a"+
				" moment", e.public, e.name())
	}
	return state{value: e.valueOf(a), eip: a}, nil
}

// keep plans nothing where another's Elastic IP leads to the private address and is of the pool.
func (e *ensure) keep(now state) (*action.Plan, error) {
	if now.eip.Pool != e.pool {
		return nil, protocol.Refuse(protocol.Conflict,
			"%s (%s) leads to %s, and is of the pool %s, not of %s; nothing was changed; ask for what is"+
				" there", now.eip.PublicIP, now.eip.AllocationID, e.name(), now.eip.Pool, e.pool)
	}
	return e.stays(now, found), nil
}

// use plans that the existing Elastic IP leads to the private address.
func (e *ensure) use(ctx context.Context) (*action.Plan, error) {
	a, err := e.r.DescribeAllocation(ctx, e.existing)
	if err != nil {
		return nil, err
	}
	now := e.given(a)
	token := a.Tags[ec2model.PublicAddress]
	switch {
	case now.value != absent && !e.recorded():
		return e.stays(now, existing), nil
	case now.value != absent:
	case a.AssociationID != "":
		return nil, protocol.Refuse(protocol.Conflict,
			"%s (%s) leads to %s on %s, and is not taken away from there; nothing was changed;"+
				" disassociate it first, or name another", a.PublicIP, a.AllocationID,
			cmp.Or(a.PrivateIP, "an address"), cmp.Or(a.InterfaceID, a.InstanceID, "something else"))
	case token != "":
		return nil, protocol.Refuse(protocol.Conflict,
			"%s (%s) was allocated by another action (%s), which has not associated it or is being"+
				" undone; nothing was changed; name another", a.PublicIP, a.AllocationID, token)
	case e.elastic:
		return nil, protocol.Refuse(protocol.Conflict,
			"%s leads to %s, which is not taken away from it; nothing was changed; disassociate it"+
				" first", e.public, e.name())
	}
	return e.plan(now, func(ctx context.Context) (state, error) {
		a, err := e.r.DescribeAllocation(ctx, e.existing)
		return e.given(a), err
	})
}

// recorded reports whether the action under the key has a record of the private address in which it
// changed something.
func (e *ensure) recorded() bool {
	own, ok := e.own()
	return ok && own.From != own.To
}

// given is the state of the private address, as far as the existing Elastic IP tells.
func (e *ensure) given(a ec2model.Address) state {
	if e.leads(a) {
		return state{value: e.valueOf(a), eip: a}
	}
	return state{value: absent, eip: a}
}

// stays plans nothing: what is there is as asked for.
func (e *ensure) stays(now state, origin string) *action.Plan {
	told := func(a ec2model.Address) action.Seen {
		value := absent
		if e.leads(a) {
			value = e.valueOf(a)
		}
		return action.Seen{Values: []string{value}, Facts: e.toldOf(a), Owner: e.owner}
	}
	prior := now.eip.AllocationID
	return &action.Plan{
		Seen: told(now.eip),
		Read: func(ctx context.Context) (action.Seen, error) {
			a, err := e.r.DescribeAllocation(ctx, prior)
			return told(a), err
		},
		Transitions: []action.Transition{{
			Resource: e.instance, Attribute: e.attribute(), From: now.value, To: now.value,
			Drawn: action.DrawnOf(e.markOf(now.eip).token), Call: callAssociate,
			Set: action.SetWith(e.set),
		}},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return action.Merge(seen.Facts, map[string]string{factOrigin: origin, factPrior: prior})
		},
		Words: action.Words{Already: e.already(now.eip)},
	}
}

func (e *ensure) already(a ec2model.Address) string {
	return a.PublicIP + " (" + a.AllocationID + ") leads to " + e.name()
}

// plan plans an Elastic IP that is to lead to the private address, or what is left to do of it.
func (e *ensure) plan(
	now state, read func(context.Context) (state, error),
) (*action.Plan, error) {
	e.eip = now.eip
	o, err := e.req.Origin(e.at(now.value))
	if err != nil {
		return nil, err
	}
	origin := existing
	t := action.Transition{
		Resource: e.instance, Attribute: e.attribute(), From: now.value, To: e.valueOf(now.eip),
		Call: callAssociate, Set: action.SetWith(e.set),
	}
	if e.existing == "" {
		origin = allocated
		t.To, t.Via, t.Echoed = present+e.token, waiting+e.token, true
		t.Drawn, t.Call = action.DrawnOf(e.token), callAllocate
		if now.own {
			t.From, t.Adopted = absent, true
		}
	}
	lost := cmp.Or(o.Facts[factPriorOwn], e.lost())
	return &action.Plan{
		Seen: e.seen(now),
		Read: func(ctx context.Context) (action.Seen, error) {
			again, err := read(ctx)
			if err == nil && again.eip.AllocationID != "" && e.concerns(again) {
				e.eip = again.eip
			}
			return e.seen(again), err
		},
		Transitions: []action.Transition{t},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			return action.Merge(seen.Facts, map[string]string{
				factOrigin: origin, factPrior: priorOf(t[0].From), factPriorOwn: lost,
			}, o.Facts)
		},
		Dangers: func(t []action.Transition, _ action.Seen) []string {
			if lost == "" || t[0].From == t[0].To {
				return nil
			}
			return []string{lost + ", which EC2 gave the interface of its own, is given up: nothing brings" +
				" it back"}
		},
		Words: action.Words{
			Would: e.words("take", "have", "lead"), Did: e.words("took", "had", "lead"),
			Already: e.already(now.eip),
		},
	}, nil
}

// concerns reports whether a state tells of the Elastic IP of the action: one that it allocated, or
// the existing one that was asked for.
func (e *ensure) concerns(s state) bool { return s.own || e.existing != "" }

// seen is a state as the action tells it. By the facts an undo releases what they name, so they are
// those of the action's own Elastic IP alone. Once that is released again, what another action
// associated meanwhile does not count: the address is as without this action.
func (e *ensure) seen(s state) action.Seen {
	if !e.concerns(s) {
		s.eip = ec2model.Address{}
		if e.released {
			s.value = absent
		}
	}
	return action.Seen{Values: []string{s.value}, Facts: e.toldOf(s.eip), Owner: e.owner}
}

// lost is the public address of EC2's own that an Elastic IP replaces; empty if there is none.
func (e *ensure) lost() string {
	if e.elastic {
		return ""
	}
	return e.public
}

// priorOf is the prior fact of a value from before the action.
func priorOf(from string) string {
	if strings.HasPrefix(from, waiting) || strings.HasPrefix(from, present) {
		return absent
	}
	return from
}

// words tell what the plan does.
func (e *ensure) words(take, have, lead string) string {
	if e.existing != "" {
		return have + " " + e.existing + " " + lead + " to " + e.name()
	}
	return take + " an Elastic IP of the pool " + e.pool + " and " + have + " it " + lead + " to " +
		e.name()
}

// set allocates the Elastic IP, associates it, or takes it back.
func (e *ensure) set(ctx context.Context, w Writer, _, to string) error {
	switch {
	case to == waiting+e.token && e.existing == "" && e.eip.AllocationID == "":
		id, err := w.AllocateAddress(ctx, ec2model.NewAddress{
			Pool: e.pool, Tags: map[string]string{ec2model.PublicAddress: e.mark(e.token)},
		})
		e.eip = ec2model.Address{AllocationID: id}
		return err
	case to != absent && e.leads(e.eip):
		return nil
	case to != absent:
		id, err := w.AssociateAddress(ctx, e.eip.AllocationID, e.nic, e.private)
		e.eip.AssociationID = id
		return err
	}
	if e.eip.AssociationID != "" {
		if err := w.DisassociateAddress(ctx, e.eip.AssociationID); err != nil || e.existing != "" {
			return err
		}
	}
	if e.existing != "" {
		return nil
	}
	err := w.ReleaseAddress(ctx, e.eip.AllocationID)
	e.released = err == nil
	return err
}
