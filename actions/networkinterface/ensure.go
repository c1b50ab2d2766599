package networkinterface

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// ensure is one request for an interface.
type ensure struct {
	*slot
	// owner is the account that has the instance.
	owner       string
	subnet      string
	groups      []string
	addresses   []string
	check, goes bool
}

// state is what is in a slot, or made for it.
type state struct {
	value string
	nic   ec2model.InterfaceDetail
	// own reports whether the action under the key made it.
	own bool
}

func planEnsure(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	e := newEnsure(r, req)
	machine, err := r.DescribeInstance(ctx, e.instance)
	if err != nil {
		return nil, err
	}
	e.owner = machine.OwnerID
	if err := e.mayHave(machine); err != nil {
		return nil, err
	}
	all, err := r.DescribeTaggedInterfaces(ctx, ec2model.Slot, e.beginning())
	if err != nil {
		return nil, err
	}
	e.token = e.ownToken(all)
	now, err := e.state(all)
	if err == nil && now.value == absent {
		now, err = e.occupied(ctx, machine)
	}
	switch {
	case err != nil:
		return nil, err
	case now.value != absent && !now.own:
		return e.keep(now)
	}
	return e.make(now)
}

// newEnsure takes what is asked for.
func newEnsure(r Reader, req action.Request) *ensure {
	given := req.Parameters
	e := &ensure{
		slot: newSlot(r, req), groups: strings.Split(given[paramGroups], ","),
		check: given[paramCheck] != "false", goes: given[paramGoes] != "false",
	}
	if given[paramAddresses] != "" {
		e.addresses = strings.Split(given[paramAddresses], ",")
	}
	return e
}

// mayHave refuses an instance that gets no interface, and finds the subnet of its zone.
func (e *ensure) mayHave(i ec2model.Instance) error {
	switch {
	case i.Managed:
		return protocol.Refuse(protocol.Authorization,
			"%s is managed by an AWS service, which alone may change it; nothing was changed", e.instance)
	case i.State == "shutting-down" || i.State == "terminated":
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is %s, so it gets no interface any more; nothing was changed", e.instance, i.State)
	case i.State != "running" && i.State != "stopped":
		return protocol.Refuse(protocol.Unavailable,
			"%s is %s, and EC2 attaches interfaces to what is running or stopped; nothing was changed;"+
				" try again once it is", e.instance, i.State)
	case e.index == 0:
		return protocol.Refuse(protocol.InvalidRequest,
			"device index 0 of %s has its interface from the launch; name another; nothing was changed",
			e.instance)
	}
	if e.subnet = e.req.Parameters[paramSubnet.Of(i.Zone)]; e.subnet == "" {
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is in the zone %s, and no subnet is given for it; give spec.parameters.%s; nothing was"+
				" changed", e.instance, i.Zone, paramSubnet.Of(i.Zone))
	}
	return nil
}

// occupied is the state of a slot that nothing is made for: whose interface is there.
func (e *ensure) occupied(ctx context.Context, i ec2model.Instance) (state, error) {
	for _, n := range i.Interfaces {
		if n.Card == 0 && n.Index == e.index {
			return e.stranger(ctx, n.ID)
		}
	}
	return state{value: absent}, nil
}

// stranger is the state of a slot that somebody else's interface is in.
func (e *ensure) stranger(ctx context.Context, id string) (state, error) {
	n, err := e.r.DescribeInterface(ctx, id)
	if err != nil {
		return state{}, err
	}
	if !e.here(n) || n.Attachment != attached {
		return state{}, protocol.Refuse(protocol.Unavailable,
			"%s is on its way to %s or away from it; nothing was changed; try again in a moment", id,
			e.name())
	}
	return state{value: id, nic: n}, nil
}

// ownToken is the token of the action under the key: that of its record, that of what it made, or
// else a new one.
func (e *ensure) ownToken(all []ec2model.InterfaceDetail) string {
	if own, ok := e.own(); ok {
		if token, ours := strings.CutPrefix(own.To, present); ours {
			return token
		}
	}
	for _, n := range all {
		if token := e.tokenOf(n); action.OwnToken(e.req.Past.Key, token) {
			return token
		}
	}
	return action.NewToken(e.req.Past.Key, e.req.Durable)
}

// state is that of the slot, as far as interfaces made for it tell. One of another action that is
// not attached is in the way.
func (e *ensure) state(all []ec2model.InterfaceDetail) (state, error) {
	now := state{value: absent}
	waiting := ""
	for _, n := range all {
		switch token := e.tokenOf(n); {
		case token == e.token && now.own:
			return now, protocol.Refuse(protocol.Conflict,
				"%s and %s were both made for %s by this action; nothing was changed; delete the one that"+
					" is not attached", now.nic.ID, n.ID, e.name())
		case token == e.token:
			if err := e.moved(n); err != nil {
				return now, err
			}
			now = state{value: e.progress(n), nic: n, own: true}
		case e.here(n) && !now.own:
			now = state{value: present + token, nic: n}
		case n.InstanceID == "":
			waiting = n.ID
		}
	}
	if now.value != absent || waiting == "" {
		return now, nil
	}
	return now, protocol.Refuse(protocol.Conflict,
		"another action made %s for %s and has not attached it; nothing was changed; finish that action"+
			" or undo it first", waiting, e.name())
}

// attached is EC2's word for an attachment that is complete.
const attached = "attached"

// progress is the value of the slot where the own interface is there. One that is being attached is
// not there yet.
func (e *ensure) progress(n ec2model.InterfaceDetail) string {
	if e.here(n) && n.Attachment == attached {
		return present + e.token
	}
	return made + e.token
}

// keep plans nothing where an interface of another is in the slot, and is as asked for.
func (e *ensure) keep(now state) (*action.Plan, error) {
	if err := e.fits(now.nic, true); err != nil {
		return nil, err
	}
	read := func(ctx context.Context) (action.Seen, error) {
		var again state
		var err error
		if now.value == now.nic.ID {
			again, err = e.stranger(ctx, now.nic.ID)
		} else {
			again, err = e.again(ctx)
		}
		return action.Seen{Values: []string{again.value}, Facts: e.toldOf(again.nic)}, err
	}
	return &action.Plan{
		Seen: action.Seen{
			Values: []string{now.value}, Facts: e.toldOf(now.nic), Owner: e.owner,
		},
		Read: read,
		Transitions: []action.Transition{{
			Resource: e.instance, Attribute: e.attribute(), From: now.value, To: now.value,
			Drawn: action.DrawnOf(e.tokenOf(now.nic)), Call: callCreate, Set: action.SetWith(e.set),
		}},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return action.Merge(seen.Facts,
				map[string]string{factOrigin: found, factPrior: now.nic.ID})
		},
		Words: action.Words{Already: now.nic.ID + " is at " + e.name() + " and is as asked for"},
	}, nil
}

// again reads what is made for the slot.
func (e *ensure) again(ctx context.Context) (state, error) {
	all, err := e.r.DescribeTaggedInterfaces(ctx, ec2model.Slot, e.beginning())
	if err != nil {
		return state{}, err
	}
	return e.state(all)
}

// make plans an interface of the action's own, or what is left to do of it.
func (e *ensure) make(now state) (*action.Plan, error) {
	if e.nic = now.nic; now.value == present+e.token {
		if err := e.fits(now.nic, false); err != nil {
			return nil, err
		}
	}
	o, err := e.req.Origin(e.at(now.value))
	if err != nil {
		return nil, err
	}
	all := []action.Transition{{
		Resource: e.instance, Attribute: e.attribute(), From: now.value, To: present + e.token,
		Via: made + e.token, Echoed: true, Drawn: action.DrawnOf(e.token), Call: callCreate,
		Set: action.SetWith(e.set),
	}}
	if now.own {
		all[0].From, all[0].Adopted = absent, true
	}
	was := e.values(now)
	if !e.check || was[1] != none && was[1] != "true" {
		all = append(all, e.attributeOf(paramCheck, was[1], e.check, "true"))
	}
	if e.goes || was[2] != none && was[2] != "false" {
		all = append(all, e.attributeOf(paramGoes, was[2], e.goes, "false"))
	}
	seen := func(s state) action.Seen {
		values := e.values(s)
		got := action.Seen{Facts: e.toldOf(s.nic), Owner: e.owner}
		for _, t := range all {
			got.Values = append(got.Values, values[e.place(t)])
		}
		return got
	}
	words := "made an interface in " + e.subnet + " and attached it at " + e.name()
	return &action.Plan{
		Seen: seen(now),
		Read: func(ctx context.Context) (action.Seen, error) {
			again, err := e.again(ctx)
			if err == nil {
				e.nic = again.nic
			}
			return seen(again), err
		},
		Transitions: all, Foresee: e.foreseen(now),
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			prior := absent
			if t[0].From != absent && !strings.HasPrefix(t[0].From, made) {
				prior = strings.TrimPrefix(t[0].From, present)
			}
			return action.Merge(seen.Facts, map[string]string{factOrigin: created, factPrior: prior},
				o.Facts)
		},
		Words: action.Words{
			Would: "make an interface in " + e.subnet + " and attach it at " + e.name(),
			Did:   words, Already: now.nic.ID + " is at " + e.name() + " and is as asked for",
		},
	}, nil
}

// values are those of the slot, and of the two attributes of an own interface in it.
func (e *ensure) values(s state) [3]string {
	if !s.own || s.value != present+e.token {
		return [3]string{s.value, none, none}
	}
	return [3]string{s.value, checkOf(s.nic), strconv.FormatBool(s.nic.DeleteOnTermination)}
}

// place is where values has that of a transition.
func (e *ensure) place(t action.Transition) int {
	switch {
	case strings.HasSuffix(t.Attribute, paramCheck):
		return 1
	case strings.HasSuffix(t.Attribute, paramGoes):
		return 2
	}
	return 0
}

// attributeOf sets an attribute of the interface once that is attached. Until then it is not there,
// and from then on it has a value that EC2 gives it.
func (e *ensure) attributeOf(name, now string, to bool, first string) action.Transition {
	t := action.Transition{
		Resource: e.instance, Attribute: e.attribute() + ":" + name, From: now,
		To: strconv.FormatBool(to), Stage: 1, Call: callModify,
		// The undo takes the interface away, and this with it.
		Lasting: true,
	}
	if first != t.To {
		t.Via, t.Passes = first, true
	}
	t.Set = action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
		if name == paramCheck {
			return w.ModifySourceDestCheck(ctx, e.nic.ID, to == "true")
		}
		return w.ModifyDeleteOnTermination(ctx, e.nic.ID, e.nic.AttachmentID, to == "true")
	})
	return t
}

// set makes the interface, attaches it, or deletes it again where it could not be attached.
func (e *ensure) set(ctx context.Context, w Writer, _, to string) error {
	switch {
	case to == made+e.token && e.nic.ID == "":
		id, err := w.CreateNetworkInterface(ctx, ec2model.NewInterface{
			Token: e.token, Subnet: e.subnet, Groups: e.groups, Addresses: e.addresses,
			Description: e.req.Parameters[paramDescription],
			Tags:        map[string]string{ec2model.Slot: e.beginning() + e.token},
		})
		e.nic.ID = id
		return err
	case to == present+e.token && e.here(e.nic):
		// It is being attached.
		return nil
	case to == present+e.token:
		id, err := w.AttachNetworkInterface(ctx, e.nic.ID, e.instance, e.index)
		e.nic.AttachmentID = id
		return err
	}
	return w.DeleteNetworkInterface(ctx, e.nic.ID)
}

// fits refuses an interface in the slot that is not as asked for. The attributes that can be set
// are looked at if all are.
func (e *ensure) fits(n ec2model.InterfaceDetail, all bool) error {
	var wrong []string
	differs := func(what, is, asked string) {
		if is != asked {
			wrong = append(wrong, "its "+what+" is "+is+", not "+asked)
		}
	}
	differs("subnet", n.SubnetID, e.subnet)
	differs("set of groups", strings.Join(n.Groups, ","), strings.Join(e.groups, ","))
	for _, a := range e.addresses {
		if !n.Has(a) {
			wrong = append(wrong, "it does not have the address "+a)
		}
	}
	if len(e.addresses) > 0 {
		differs("primary address", n.Primary, e.addresses[0])
	}
	if asked, given := e.req.Parameters[paramDescription]; given {
		differs("description", protocol.Quote(n.Description), protocol.Quote(asked))
	}
	if all {
		differs("source/dest check", checkOf(n), strconv.FormatBool(e.check))
		differs("deleteOnTermination", strconv.FormatBool(n.DeleteOnTermination),
			strconv.FormatBool(e.goes))
	}
	if len(wrong) == 0 {
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"%s is at %s and is not as asked for: %s; nothing was changed; change it, or ask for what is"+
			" there", n.ID, e.name(), strings.Join(wrong, "; ")).With(factInterface, n.ID)
}

// foreseen looks for what EC2 would refuse, where an interface is still to be made.
func (e *ensure) foreseen(now state) func(context.Context) ([]string, error) {
	if now.own {
		return nil
	}
	return e.foresee
}

// foresee looks for what EC2 would refuse.
func (e *ensure) foresee(ctx context.Context) ([]string, error) {
	subnet, err := e.r.DescribeSubnet(ctx, e.subnet)
	if gap := action.Unforeseen(err, "whether "+e.subnet+" has room"); gap != "" {
		return []string{gap}, nil
	}
	if err != nil {
		return nil, err
	}
	if subnet.Free < max(1, len(e.addresses)) {
		return nil, protocol.Refuse(protocol.LimitExceeded,
			"%s has %d free addresses, and the interface needs %d; nothing was changed", e.subnet,
			subnet.Free, max(1, len(e.addresses)))
	}
	prefix, err := netip.ParsePrefix(subnet.CIDR)
	for _, a := range e.addresses {
		if address, _ := netip.ParseAddr(a); err != nil || !prefix.Contains(address) {
			return nil, protocol.Refuse(protocol.InvalidRequest,
				"%s is not in %s (%s); nothing was changed", a, e.subnet, subnet.CIDR)
		}
		holders, err := e.r.DescribeNetworkInterfacesWithAddress(ctx, subnet.VPCID, a)
		if err != nil {
			return nil, err
		}
		if len(holders) > 0 {
			return nil, protocol.Refuse(protocol.Conflict,
				"%s is held by %s; nothing was changed; choose another address", a, holders[0].ID)
		}
	}
	return nil, nil
}
