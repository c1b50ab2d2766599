package secondaryip

import (
	"cmp"
	"context"
	"errors"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

func planAssign(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	a := assignment{
		address:  address{r: r, ip: req.Target["address"]},
		nic:      req.Target["nicRef"],
		take:     req.Bool(paramTake),
		expected: req.Parameters["expectedHolderRef"],
	}
	return a.plan(ctx, req)
}

// assignment is one address on its way to an interface.
type assignment struct {
	address
	nic string
	// take allows taking the address from its holder; expected, when not empty, is
	// the only holder to take it from.
	take     bool
	expected string
}

func (a assignment) plan(ctx context.Context, req action.Request) (*action.Plan, error) {
	nic, err := a.target(ctx)
	if err != nil {
		return nil, err
	}
	history, err := req.History(a.resource(nic.VPCID), attribute)
	if err != nil {
		return nil, err
	}
	from, held, err := a.present(ctx, nic, a.take || len(history) > 0)
	if err != nil {
		return nil, err
	}
	o, err := req.Origin(a.at(nic.VPCID, from))
	if err != nil {
		return nil, err
	}
	prior := o.From
	if a.take {
		// Another action may have let the address go on its way, and come no further.
		prior = o.Whence
	}
	explain := func(ctx context.Context, err error) error { return a.explain(ctx, nic, err) }
	others := append(known(history), from)
	p := &action.Plan{
		Seen: action.Seen{
			Values: []string{from}, Facts: a.secondaryFact(nic), Owner: nic.OwnerID,
		},
		Read: func(ctx context.Context) (action.Seen, error) { return a.readAgain(ctx, others...) },
		Transitions: []action.Transition{
			a.takenVia(a.transition(nic.VPCID, from, nic.ID, explain)),
		},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			before := t[0].From
			if before == o.From {
				before = prior
			}
			return action.Merge(a.priorFacts(before, o.Facts), a.facts(seen))
		},
		Words: a.words(prior),
	}
	switch {
	case from == nic.ID:
	case from != unassigned && a.isIPv6():
		// EC2 would refuse it only when its holder has let it go.
		return a.planned(ctx, p, nic, held)
	default:
		p.Foresee = func(ctx context.Context) ([]string, error) { return a.foresee(ctx, nic, held) }
	}
	return p, nil
}

// target reads the interface, and refuses one that can't get the address.
func (a assignment) target(ctx context.Context) (nic ec2model.NetworkInterface, err error) {
	found, err := a.r.DescribeNetworkInterfaces(ctx, a.nic)
	if err != nil {
		return nic, err
	}
	nic = found[0]
	switch {
	case nic.RequesterManaged:
		return nic, managed(nic.ID)
	case nic.HasAsPrimary(a.ip):
		return nic, protocol.Refuse(protocol.InvalidRequest,
			"%s is the primary address of %s itself, which can't be a secondary one too", a.ip, nic.ID)
	}
	return nic, cmp.Or(a.possible(ctx, nic), a.notDelegated(nic))
}

// present finds who has the address, and refuses a holder that it may not be taken from. Without
// leave to take it, EC2 refuses an address that is held: the one check that nobody can slip past.
// So whether it is held by another is looked up only to take it, or to go on with a history.
func (a assignment) present(
	ctx context.Context, nic ec2model.NetworkInterface, look bool,
) (holder string, held ec2model.NetworkInterface, err error) {
	switch {
	case nic.Has(a.ip):
		return nic.ID, held, nil
	case !look:
		return unassigned, held, nil
	}
	held, refusal, err := a.holder(ctx, nic)
	return cmp.Or(held.ID, unassigned), held, cmp.Or(err, refusal)
}

// words tell the plan. Prior is the holder that the address is taken from.
func (a assignment) words(prior string) action.Words {
	w := action.Words{
		Would:   "assign " + a.ip + " to " + a.nic,
		Did:     "assigned " + a.ip + " to " + a.nic,
		Already: a.nic + " has " + a.ip,
	}
	if prior != unassigned && prior != a.nic {
		w.Would += ", taking it from " + prior
		w.Did += ", taken from " + prior
	}
	return w
}

// readAgain reads who of the interface and these others has the address. The interface must exist.
func (a assignment) readAgain(ctx context.Context, others ...string) (action.Seen, error) {
	holder, found, err := a.readHolder(ctx, append([]string{a.nic}, others...)...)
	if err != nil {
		return action.Seen{}, err
	}
	nic, ok := find(found, a.nic)
	if !ok {
		gone, err := a.absent(ctx, a.nic)
		return action.Seen{}, cmp.Or(err, gone)
	}
	return action.Seen{Values: []string{holder}, Facts: a.secondaryFact(nic)}, nil
}

// takenVia is the transition with the stop that taking an IPv6 address from its holder makes. Where
// nothing may be taken, there is none: an address that is nobody's was not on its way.
func (a assignment) takenVia(t action.Transition) action.Transition {
	if !a.take {
		return t
	}
	return a.byWayOf(t)
}

// holder finds whom the address would be taken from, and why it may not or cannot
// be. One without an id is no holder.
func (a assignment) holder(
	ctx context.Context, nic ec2model.NetworkInterface,
) (h ec2model.NetworkInterface, refusal, err error) {
	holders, err := a.r.DescribeNetworkInterfacesWithAddress(ctx, nic.VPCID, a.ip)
	if err != nil {
		return h, nil, err
	}
	h, refusal = a.judge(nic, holders)
	return h, refusal, nil
}

// judge says whom the address would be taken from, and why it may not be.
func (a assignment) judge(
	nic ec2model.NetworkInterface, holders []ec2model.NetworkInterface,
) (h ec2model.NetworkInterface, refusal error) {
	if len(holders) == 0 {
		return h, nil
	}
	h = holders[0]
	if len(holders) > 1 {
		return h, a.onBoth(holders)
	}
	held := "%s is held by %s"
	switch {
	case h.ID == nic.ID:
		return h, nil
	case h.HasAsPrimary(a.ip):
		held += " as its primary address, which can't be taken from it"
	case a.expected != "" && h.ID != a.expected:
		held += ", not by " + a.expected +
			" as expected; look who moved it, then name the right expectedHolderRef"
	case !a.take:
		held += "; allowReassignment=true takes it from there"
	default:
		return h, nil
	}
	return h, protocol.Refuse(protocol.Conflict, held, a.ip, h.ID).With("holder", h.ID)
}

// foresee tells what EC2 would refuse: an address that is outside the subnet, or one that another
// holds, in this order. No search for an address finds the block that it is in, so the interfaces
// of the subnet are read. In a subnet of more interfaces than one answer holds, such blocks are not
// looked for: EC2 refuses what is in one.
func (a assignment) foresee(
	ctx context.Context, nic, held ec2model.NetworkInterface,
) (unforeseen []string, err error) {
	unforeseen, err = a.fits(ctx, nic, held)
	if err != nil || held.ID != "" {
		return unforeseen, err
	}
	if err := a.isFree(ctx, nic, len(unforeseen) > 0); err != nil {
		return nil, err
	}
	return unforeseen, nil
}

// isFree refuses an address that an interface holds, or has in a block that is delegated to it. An
// address of the subnet is held in the subnet; anyAddress may also be one of another subnet.
func (a assignment) isFree(
	ctx context.Context, nic ec2model.NetworkInterface, anyAddress bool,
) error {
	some, all, err := a.r.DescribeNetworkInterfacesOfSubnet(ctx, nic.SubnetID)
	if err != nil {
		return err
	}
	var holders []ec2model.NetworkInterface
	for _, n := range some {
		if block, in := n.Delegated(a.ip); in {
			return protocol.Refuse(protocol.Conflict,
				"%s is in %s, which is delegated to %s whole and can't be taken from it",
				a.ip, block, n.ID).With("holder", n.ID)
		}
		if n.Has(a.ip) {
			holders = append(holders, n)
		}
	}
	if !all || anyAddress && len(holders) == 0 {
		if holders, err = a.r.DescribeNetworkInterfacesWithAddress(ctx, nic.VPCID, a.ip); err != nil {
			return err
		}
	}
	if anyAddress && len(holders) == 1 && holders[0].SubnetID != nic.SubnetID {
		return a.elsewhereThan(nic, holders[0])
	}
	_, refusal := a.judge(nic, holders)
	return refusal
}

// explain names the holder where EC2 only says that there is one.
func (a assignment) explain(ctx context.Context, nic ec2model.NetworkInterface, err error) error {
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Conflict {
		return err
	}
	holders, lookErr := a.r.DescribeNetworkInterfacesWithAddress(ctx, nic.VPCID, a.ip)
	if lookErr != nil || len(holders) != 1 || holders[0].ID == nic.ID {
		return err
	}
	named := f.With("holder", holders[0].ID)
	named.Message += "; it is held by " + holders[0].ID
	if holders[0].HasAsPrimary(a.ip) {
		named.Message += " as its primary address, which can't be taken from it"
	} else if !a.take {
		named.Message += "; allowReassignment=true takes it from there"
	}
	return named
}

// priorFacts tell who had the address before. What an earlier attempt told of it stays.
func (a assignment) priorFacts(holder string, told map[string]string) map[string]string {
	switch {
	case len(told) > 0:
		return told
	case holder == a.nic:
		return map[string]string{factPriorAssigned: "true"}
	case holder == unassigned:
		return map[string]string{factPriorAssigned: "false"}
	}
	return map[string]string{factPriorAssigned: "false", factPriorHolder: holder}
}

// facts tell what was read.
func (a assignment) facts(seen action.Seen) map[string]string {
	if seen.Values[0] != a.nic {
		return seen.Facts
	}
	return action.Merge(seen.Facts, map[string]string{factAssigned: a.ip})
}
