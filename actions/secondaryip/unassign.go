package secondaryip

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

func planUnassign(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	assigned, knows := req.Parameters["priorAssigned"]
	u := release{
		address: address{r: r, ip: req.Target["address"]},
		nic:     req.Target["nicRef"],
		before:  nobody,
	}
	if prior := req.Parameters["priorHolder"]; prior != "" {
		u.before, knows = prior, true
	}
	if own, ok := u.recorded(req); ok && !knows {
		// The undo was sent without its action's facts.
		u.before, knows = own.From, true
	}
	named, err := action.Named(req, factAssigned, u.ip)
	switch {
	case err != nil:
		return nil, err
	case assigned == "true", u.before == u.nic:
		return skip(u.nic + " had " + u.ip + " before the action: it stays"), nil
	case !knows && named:
		u.unknown = true
		return u.plan(ctx, &req)
	case !knows && req.Orphan:
		why, err := action.Untold(req, u.nic+" keeps "+u.ip+" if it has it")
		return skip(why), err
	case !knows:
		return u.plan(ctx, nil)
	}
	return u.plan(ctx, &req)
}

func skip(why string) *action.Plan {
	return &action.Plan{Restores: true, Skip: why, Facts: func([]action.Transition, action.Seen) map[string]string { return nil }}
}

// recorded is what the action recorded of the address.
func (u release) recorded(req action.Request) (action.Recorded, bool) {
	if !req.HasRecord {
		return action.Recorded{}, false
	}
	for _, own := range req.Records.All() {
		if own.Attribute == attribute && strings.HasSuffix(own.Resource, "/"+u.ip) {
			return own, true
		}
	}
	return action.Recorded{}, false
}

// release is one address on its way off an interface.
type release struct {
	address
	nic string
	// before is who is to hold the address: an interface, or nobody.
	before string
	// unknown is set where nothing tells who held it before the action: then nobody is to.
	unknown bool
}

// plan lets the address go. As an undo it compares what is with what was, before and after the action.
func (u release) plan(ctx context.Context, undo *action.Request) (*action.Plan, error) {
	nic, before, gone, err := u.describe(ctx)
	switch {
	case err != nil:
		return nil, err
	case gone != nil && undo == nil:
		return nil, gone
	case gone != nil:
		return u.planWithout(ctx, *undo, before, gone)
	}
	if undo != nil {
		if err := action.Aimed(*undo, nic.VPCID+"/"+u.ip, attribute, nic.ID); err != nil {
			return nil, err
		}
	}
	if err := u.notDelegated(nic); err != nil {
		return nil, err
	}
	now, overwrites, err := u.locate(ctx, undo, nic)
	switch {
	case err != nil:
		return nil, err
	case u.unknown && now != nobody && now != nic.ID:
		return u.movedOn(now), nil
	}
	p := u.move(nic.VPCID, now, overwrites, u.words(overwrites))
	p.Restores = undo != nil
	held := ec2model.NetworkInterface{}
	if now == nic.ID {
		held = nic
	}
	return u.foresee(ctx, p, before, held)
}

// locate finds who has the address: the interface, nobody, or for an undo whoever else.
func (u release) locate(
	ctx context.Context, undo *action.Request, nic ec2model.NetworkInterface,
) (now, overwrites string, err error) {
	switch {
	case nic.RequesterManaged:
		return "", "", managed(nic.ID)
	case nic.HasAsPrimary(u.ip):
		return "", "", action.Refuse(protocol.InvalidRequest,
			"%s is the primary address of %s, which can't be taken off it", u.ip, nic.ID)
	case nic.Has(u.ip):
		return nic.ID, "", nil
	case undo != nil:
		return u.compare(ctx, *undo, nic)
	}
	return nobody, "", nil
}

// compare reads who has the address that the interface does not have, and whether that is as it was
// before the action.
func (u release) compare(
	ctx context.Context, undo action.Request, nic ec2model.NetworkInterface,
) (now, overwrites string, err error) {
	now, err = u.elsewhere(ctx, nic.VPCID)
	if err != nil || u.unknown || now == nobody && u.halfWay(undo, nic) {
		return now, "", err
	}
	overwrites, err = action.Restore(undo, "the holder of "+u.ip, u.before, nic.ID, now)
	return now, overwrites, err
}

// movedOn is the undo of an action whose prior holder is unknown, where the address has gone on to
// another holder since: what the action brought about is not so any more.
func (u release) movedOn(holder string) *action.Plan {
	again := func(ctx context.Context) (action.Seen, error) {
		return u.readAgain(ctx, u.nic, holder)
	}
	facts := u.facts(action.Seen{Values: []string{holder}}, "")
	return action.MovedOn(u.nic, again, facts,
		u.nic+" does not have "+u.ip+" any more, and "+holder+", which has it, keeps it")
}

// planWithout undoes where the interface does not exist any more, and the address went with it. A
// prior holder that exists gets the address back.
func (u release) planWithout(ctx context.Context, undo action.Request, before ec2model.NetworkInterface, cause error) (*action.Plan, error) {
	err := action.Vanished(undo, cause, func(own action.Recorded) bool {
		return own.Attribute == attribute && strings.HasSuffix(own.Resource, "/"+u.ip) && own.To == u.nic
	})
	if err != nil {
		return nil, err
	}
	without := u.nic + " does not exist any more"
	switch {
	case u.before == nobody:
		facts := u.facts(action.Seen{Values: []string{nobody}}, "")
		return action.NothingLeft(facts, without+", so it does not have "+u.ip), nil
	case before.ID == "":
		return action.NothingLeft(u.facts(action.Seen{Values: []string{nobody}}, ""),
			without+", and neither does "+u.before+", which held "+u.ip+" before the action"), nil
	}
	now, err := u.elsewhere(ctx, before.VPCID)
	if err != nil {
		return nil, err
	}
	overwrites, err := action.Restore(undo, "the holder of "+u.ip, u.before, nobody, now)
	var drift *protocol.Failure
	switch {
	case errors.As(err, &drift):
		told := *drift
		told.Message += "; " + without + ", to which the action assigned it"
		return nil, &told
	case err != nil:
		return nil, err
	}
	words := u.words(overwrites)
	words.Would, words.Did, words.Already = words.Would+"; "+without, words.Did+"; "+without, words.Already+"; "+without
	p := u.move(before.VPCID, now, overwrites, words)
	p.Restores, p.TargetGone = true, true
	return u.foresee(ctx, p, before, ec2model.NetworkInterface{})
}

// move is the plan that leads the address from whoever has it to whom it belongs.
func (u release) move(vpc, now, overwrites string, words action.Words) *action.Plan {
	return &action.Plan{
		Seen: action.Seen{Values: []string{now}},
		Read: func(ctx context.Context) (action.Seen, error) { return u.readAgain(ctx, u.nic, u.before, overwrites) },
		Transitions: []action.Transition{
			u.byWayOf(u.transition(vpc, now, u.before, func(_ context.Context, err error) error { return err })),
		},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string { return u.facts(seen, overwrites) },
		Words: words,
	}
}

// foresee has a plan that gives the address back say whether the prior holder can have it. Held is
// the interface that has the address now, as far as it was read.
func (u release) foresee(ctx context.Context, p *action.Plan, before, held ec2model.NetworkInterface) (*action.Plan, error) {
	now := p.Seen.Values[0]
	if u.before == nobody || now == u.before {
		return p, nil
	}
	if u.isIPv6() && now != nobody {
		// EC2 would refuse it only when its holder has let it go.
		return u.planned(ctx, p, before, held)
	}
	p.Foresee = func(ctx context.Context) ([]string, error) { return u.fits(ctx, before, held) }
	return p, nil
}

// readAgain reads who of these has the address.
func (u release) readAgain(ctx context.Context, ids ...string) (action.Seen, error) {
	holder, _, err := u.readHolder(ctx, ids...)
	return action.Seen{Values: []string{holder}}, err
}

// halfWay tells that nobody may have the address because a move of ours stopped there: the action's record
// says that it was on its way through. Were it another who let it go, nobody would
// lose anything by our giving it back.
func (u release) halfWay(undo action.Request, nic ec2model.NetworkInterface) bool {
	recorded, ok := undo.Record(nic.VPCID+"/"+u.ip, attribute)
	return ok && recorded.Via == nobody && recorded.From == u.before
}

func (u release) words(overwrites string) action.Words {
	w := action.Words{
		Would:   "unassign " + u.ip + " from " + u.nic,
		Did:     "unassigned " + u.ip + " from " + u.nic,
		Already: u.nic + " does not have " + u.ip,
	}
	if u.before != nobody {
		w.Would = "give " + u.ip + " back to " + u.before
		w.Did = "gave " + u.ip + " back to " + u.before
		w.Already = u.before + " has " + u.ip + " back"
	}
	switch {
	case u.unknown:
		const nothingBack = "; who had it before is not known, so nobody has it back"
		w.Would, w.Did = w.Would+nothingBack, w.Did+nothingBack
	case overwrites == "" || overwrites == nobody:
	case u.before == nobody:
		w.Would, w.Did = "unassign "+u.ip+" from "+overwrites, "unassigned "+u.ip+" from "+overwrites
	default:
		w.Would += ", taking it from " + overwrites
		w.Did += ", taken from " + overwrites
	}
	return w
}

func (u release) facts(seen action.Seen, overwrites string) map[string]string {
	facts := map[string]string{}
	if u.unknown {
		facts[action.UnknownPrior.Name] = "priorHolder"
	}
	if seen.Values[0] != u.nic {
		facts["unassignedAddress"] = u.ip
	}
	if u.before != nobody && seen.Values[0] == u.before {
		facts["restoredHolder"] = u.before
	}
	if overwrites != "" && overwrites != nobody && seen.Values[0] == u.before {
		facts["overwrote"] = overwrites
	}
	return facts
}

// describe reads the interface, and the one to give the address back to. Gone is the not-found
// failure of an interface that does not exist; only then need the prior holder not exist either.
func (u release) describe(ctx context.Context) (nic, before ec2model.NetworkInterface, gone, err error) {
	ids := []string{u.nic}
	if u.before != nobody {
		ids = append(ids, u.before)
	}
	found, err := u.r.ExistingNetworkInterfaces(ctx, ids...)
	if err != nil {
		return nic, before, nil, err
	}
	nic, here := find(found, u.nic)
	before, hadHere := find(found, u.before)
	switch {
	case !here:
		gone, err = u.absent(ctx, u.nic)
	case u.before != nobody && !hadHere:
		gone, err = u.absent(ctx, u.before)
		return nic, before, nil, cmp.Or(err, u.withoutHolder(gone))
	}
	return nic, before, gone, err
}

// withoutHolder says what to do about a prior holder that does not exist any more.
func (u release) withoutHolder(gone error) error {
	var f *protocol.Failure
	if !errors.As(gone, &f) {
		return gone
	}
	told := *f
	told.Message = u.before + ", which held " + u.ip + " before the action, does not exist any more: nothing was changed;" +
		" an unassign-secondary-ip under a key of its own, without priorHolder, lets the address go"
	return &told
}

// elsewhere finds who in the VPC holds an address that the interface does not have.
func (u release) elsewhere(ctx context.Context, vpc string) (string, error) {
	holders, err := u.r.DescribeNetworkInterfacesWithAddress(ctx, vpc, u.ip)
	switch {
	case err != nil || len(holders) == 0:
		return nobody, err
	case len(holders) > 1:
		return "", action.Refuse(protocol.Unavailable, "EC2 shows %s on both %s and %s, as while it is being moved; try again", u.ip, holders[0].ID, holders[1].ID)
	}
	return holders[0].ID, nil
}
