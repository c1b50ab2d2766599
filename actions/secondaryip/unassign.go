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
	u := &unassignment{
		address: address{r: r, ip: req.Target["address"]},
		nic:     req.Target["nicRef"],
		req:     req,
		before:  req.Parameters[factPriorHolder],
	}
	switch assigned := req.Parameters[factPriorAssigned]; {
	case assigned == "true":
		u.before = u.nic
	case assigned == "false" && u.before == "":
		u.before = unassigned
	}
	named, err := action.Named(req, factAssigned, u.ip)
	if err != nil {
		return nil, err
	}
	u.named = named
	u.releases = !req.Undoes && u.before == ""
	return u.plan(ctx)
}

// unassignment is one address on its way off an interface: the undo of an assignment, or a
// release.
type unassignment struct {
	address
	nic string
	req action.Request
	// before is who had the address before the action, as its facts tell. It is empty if they
	// do not tell it.
	before string
	// named reports whether the facts name the address alone, as those of other executors do.
	named bool
	// releases reports whether the address is let go for good, whoever had it before.
	releases bool

	// found are the interfaces that were read. gone is the failure of reading the interface if
	// it does not exist.
	found []ec2model.NetworkInterface
	gone  error
	vpc   string
	// owner is the account that has the interface.
	owner string
	// known are the interfaces that the history knows.
	known []string
	// now has the address, to is to have it.
	now, to string
	back    action.Back
	// unknown reports whether nothing tells who had the address before the action, settled
	// whether the undo leads nowhere.
	unknown, settled bool
	// missing is the interface that the address belongs to, and that does not exist any more.
	missing string
}

func (u *unassignment) plan(ctx context.Context) (*action.Plan, error) {
	if err := u.describe(ctx); err != nil {
		return nil, err
	}
	if u.gone != nil {
		if p, err := u.without(); p != nil || err != nil {
			return p, err
		}
	}
	if err := u.locate(ctx); err != nil {
		return nil, err
	}
	if err := u.decide(ctx); err != nil {
		return nil, err
	}
	if u.unknown && !u.named {
		return u.untold()
	}
	if err := u.exists(ctx); err != nil {
		return nil, err
	}
	t := u.transition(u.vpc, u.now, u.to, func(_ context.Context, err error) error { return err })
	if u.to != u.now {
		t = u.byWayOf(t)
	}
	u.back.To = u.to
	t.Back = &u.back
	p := &action.Plan{
		Seen:        action.Seen{Values: []string{u.now}, Owner: u.owner},
		Read:        u.readAgain,
		Transitions: []action.Transition{t},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return u.facts(seen)
		},
		Words:      u.words(),
		TargetGone: u.gone != nil,
	}
	if u.gone == nil && !u.releases && u.back.Stays() {
		skip := u.stays()
		p.Skip, p.Facts = skip.Skip, skip.Facts
	}
	return u.foresee(ctx, p)
}

// describe reads the interface, and those that the facts and the action's record tell of.
func (u *unassignment) describe(ctx context.Context) error {
	ids := append([]string{u.nic, u.before}, known(u.own())...)
	_, found, err := u.readHolder(ctx, ids...)
	if err != nil {
		return err
	}
	u.found = found
	nic, here := find(found, u.nic)
	if here {
		u.vpc, u.owner = nic.VPCID, nic.OwnerID
		return nil
	}
	u.gone, err = u.absent(ctx, u.nic)
	return err
}

// own is what the action recorded of the address.
func (u *unassignment) own() []action.Recorded {
	var own []action.Recorded
	if u.req.Past == nil {
		return nil
	}
	for _, e := range u.req.Past.Own {
		if u.isOurs(e) {
			own = append(own, e)
		}
	}
	return own
}

func (u *unassignment) isOurs(e action.Recorded) bool {
	return e.Attribute == attribute && strings.HasSuffix(e.Resource, "/"+u.ip)
}

// without goes on where the interface does not exist any more, and the address went with it. It
// finds the VPC by the record or by the prior holder. It returns the plan if there is nothing
// left to undo.
func (u *unassignment) without() (*action.Plan, error) {
	if u.before == "" && !u.named && u.req.NoRecord() {
		return u.untold()
	}
	if u.before == u.nic && !u.req.Recorded() {
		return u.stays(), nil
	}
	err := action.Vanished(u.req, u.gone, func(own action.Recorded) bool {
		return u.isOurs(own) && own.To == u.nic
	})
	if err != nil {
		return nil, err
	}
	before, exists := find(u.found, u.before)
	u.vpc = before.VPCID
	for _, own := range u.own() {
		u.vpc = strings.TrimSuffix(own.Resource, "/"+u.ip)
	}
	if u.vpc != "" {
		return nil, nil
	}
	u.now, u.to = unassigned, unassigned
	if !exists && u.before != unassigned && u.before != u.nic {
		u.missing = u.before
	}
	gone := action.Seen{Values: []string{unassigned}}
	return action.NothingLeft(u.facts(gone), u.words().Already), nil
}

// untold answers an undo of which nothing is known.
func (u *unassignment) untold() (*action.Plan, error) {
	why, err := action.NoFacts(u.req, u.nic+" keeps "+u.ip+" if it has it")
	if err != nil {
		return nil, err
	}
	return skip(why), nil
}

// stays is the undo of an action that found the address where it wants it.
func (u *unassignment) stays() *action.Plan {
	return skip(u.nic + " had " + u.ip + " before the action: it is left where it is")
}

func skip(why string) *action.Plan {
	return &action.Plan{
		Skip:  why,
		Facts: func([]action.Transition, action.Seen) map[string]string { return nil },
	}
}

// locate finds who has the address: the interface, or whoever else.
func (u *unassignment) locate(ctx context.Context) error {
	history, err := u.req.History(u.resource(u.vpc), attribute)
	if err != nil {
		return err
	}
	u.known = known(history)
	nic, _ := find(u.found, u.nic)
	switch {
	case nic.RequesterManaged:
		return managed(nic.ID)
	case nic.HasAsPrimary(u.ip):
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is the primary address of %s, which can't be taken off it", u.ip, nic.ID)
	case nic.Has(u.ip):
		u.now = nic.ID
		return u.notDelegated(nic)
	case u.releases && len(history) == 0:
		u.now = unassigned
		return u.notDelegated(nic)
	}
	if err := u.notDelegated(nic); err != nil {
		return err
	}
	u.now, err = u.elsewhere(ctx)
	return err
}

// elsewhere finds who in the VPC holds an address that the interface does not have.
func (u *unassignment) elsewhere(ctx context.Context) (string, error) {
	holders, err := u.r.DescribeNetworkInterfacesWithAddress(ctx, u.vpc, u.ip)
	switch {
	case err != nil || len(holders) == 0:
		return unassigned, err
	case len(holders) > 1:
		return "", u.onBoth(holders)
	}
	u.found = append(u.found, holders[0])
	return holders[0].ID, nil
}

// decide settles who is to have the address.
func (u *unassignment) decide(ctx context.Context) error {
	before, err := u.priorHolder(ctx)
	if err != nil {
		return err
	}
	if u.back, err = u.ask(before); err != nil {
		return u.driftWithout(err)
	}
	u.unknown, u.settled = !u.releases && u.back.PriorUnknown(), u.back.Settled()
	switch u.to = u.back.To; {
	case u.unknown && u.now == u.nic:
		u.to = unassigned
	case u.unknown, u.gone != nil && u.to == u.nic:
		u.to = u.now
	case u.releases && u.back.Base != unassigned && u.back.Base != u.nic:
		u.missing = u.back.Base
	case before != u.before && !u.settled:
		u.missing = u.before
	}
	return nil
}

// ask asks the history what the undo or the release comes to. An address that went with its
// interface counts as that interface's: nobody else let it go.
func (u *unassignment) ask(before string) (action.Back, error) {
	now := u.now
	if u.gone != nil && now == unassigned {
		now = u.nic
	}
	at := u.at(u.vpc, now)
	if u.releases {
		return u.req.Release(at, u.nic, unassigned)
	}
	return u.req.Undo(at, action.Told{Before: before, After: u.nic})
}

// driftWithout says of a drift that the interface does not exist any more.
func (u *unassignment) driftWithout(err error) error {
	var drift *protocol.Failure
	if u.gone == nil || !errors.As(err, &drift) || drift.Class != protocol.Drift {
		return err
	}
	told := *drift
	told.Message += "; " + u.nic + " does not exist any more, to which the action assigned it"
	return &told
}

// priorHolder returns who had the address before, as the facts tell. Where nobody has it now, and
// that holder is gone for good, an undo has let the address go already: it was nobody's to keep.
func (u *unassignment) priorHolder(ctx context.Context) (string, error) {
	_, exists := find(u.found, u.before)
	byFacts := u.req.Undoes && u.req.Answered && !u.req.Recorded()
	had := u.before != "" && u.before != unassigned
	if exists || !byFacts || u.gone != nil || u.now != unassigned || !had {
		return u.before, nil
	}
	_, err := u.absent(ctx, u.before)
	return unassigned, err
}

// exists lets the address go where the interface that it belongs to does not exist any more.
func (u *unassignment) exists(ctx context.Context) error {
	if u.to == unassigned || u.to == u.now {
		return nil
	}
	if _, ok := find(u.found, u.to); ok {
		return nil
	}
	_, found, err := u.readHolder(ctx, u.to)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		u.found = append(u.found, found...)
		return nil
	}
	gone, err := u.absent(ctx, u.to)
	switch {
	case err != nil:
		return err
	case u.req.Recent || !u.back.Known && !u.req.Answered:
		return u.withoutHolder(gone)
	}
	u.missing, u.to = u.to, unassigned
	if u.back.Overwrites != "" {
		// There is nothing to overwrite it with.
		u.to = u.now
	}
	return nil
}

// withoutHolder says what to do about a prior holder that is not found.
func (u *unassignment) withoutHolder(gone error) error {
	var f *protocol.Failure
	if !errors.As(gone, &f) {
		return gone
	}
	told := *f
	told.Message = u.to + ", which held " + u.ip + " before the action, does not exist:" +
		" nothing was changed; an unassign-secondary-ip under a key of its own, without" +
		" priorHolder, lets the address go"
	return &told
}

// foresee has a plan that gives the address back say whether its holder can have it.
func (u *unassignment) foresee(ctx context.Context, p *action.Plan) (*action.Plan, error) {
	if u.to == unassigned || u.to == u.now {
		return p, nil
	}
	to, _ := find(u.found, u.to)
	held, _ := find(u.found, u.now)
	if u.isIPv6() && u.now != unassigned {
		// EC2 would refuse it only when its holder has let it go.
		return u.planned(ctx, p, to, held)
	}
	p.Foresee = func(ctx context.Context) ([]string, error) { return u.fits(ctx, to, held) }
	return p, nil
}

// readAgain reads who has the address of those that may have it.
func (u *unassignment) readAgain(ctx context.Context) (action.Seen, error) {
	ids := []string{u.nic, u.now, u.to}
	for _, id := range append(u.known, u.before) {
		if id != u.missing {
			ids = append(ids, id)
		}
	}
	holder, _, err := u.readHolder(ctx, ids...)
	return action.Seen{Values: []string{holder}}, err
}

// givesBack reports whether the address is to be an interface's that had it before.
func (u *unassignment) givesBack() bool {
	return u.to != unassigned && u.missing == "" && !u.releases && !u.unknown && !u.settled
}

func (u *unassignment) words() action.Words {
	holder := cmp.Or(u.now, u.nic)
	if holder == unassigned {
		holder = u.nic
	}
	w := action.Words{
		Would:   "unassign " + u.ip + " from " + holder,
		Did:     "unassigned " + u.ip + " from " + holder,
		Already: u.already(),
	}
	if u.givesBack() {
		w.Would, w.Did = "give "+u.ip+" back to "+u.to, "gave "+u.ip+" back to "+u.to
		if u.now != unassigned && u.now != u.nic {
			w.Would += ", taking it from " + u.now
			w.Did += ", taken from " + u.now
		}
	}
	also := ""
	switch {
	case u.unknown:
		also = "; who had it before is not known, so nobody has it back"
	case u.releases && u.missing != "":
		also = "; " + u.missing + ", which had it before, does not have it back"
	case u.missing != "":
		also = "; " + u.missing + ", which held it before the action, does not exist any more," +
			" so nobody has it back"
	}
	if u.gone != nil {
		also += "; " + u.nic + " does not exist any more"
	}
	w.Would, w.Did = w.Would+also, w.Did+also
	return w
}

// already tells what is so where nothing changes.
func (u *unassignment) already() string {
	without := u.nic + " does not exist any more"
	switch {
	case u.gone != nil && u.missing != "":
		return without + ", and neither does " + u.missing + ", which held " + u.ip +
			" before the action"
	case u.gone != nil && u.givesBack():
		return u.to + " has " + u.ip + " back; " + without
	case u.gone != nil:
		return without + ", so it does not have " + u.ip
	case u.missing != "":
		return u.nic + " does not have " + u.ip + "; " + u.missing +
			", which held it before the action, does not exist any more"
	case u.givesBack():
		return u.to + " has " + u.ip + " back"
	case u.now == u.nic:
		return u.nic + " has " + u.ip
	case u.unknown && u.now != unassigned:
		return u.nic + " does not have " + u.ip + " any more, and " + u.now + ", which has it, keeps it"
	}
	return u.nic + " does not have " + u.ip
}

func (u *unassignment) facts(seen action.Seen) map[string]string {
	now, facts := seen.Values[0], map[string]string{}
	if u.named && u.before == "" && !u.back.Known {
		facts[action.UnknownPrior.Name] = factPriorHolder
	}
	if now != u.nic {
		facts["unassignedAddress"] = u.ip
	}
	if u.givesBack() && now == u.to {
		facts["restoredHolder"] = now
	}
	if u.missing != "" && now == u.to {
		facts[protocol.FactNotRestored], facts[factPriorHolder] = "true", u.missing
	}
	if over := u.back.Overwrites; over != "" && over != unassigned && over != now && now == u.to {
		facts["overwrote"] = over
	}
	return facts
}
