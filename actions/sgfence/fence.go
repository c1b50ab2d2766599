package sgfence

import (
	"context"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// fence is one fence on its way.
type fence struct {
	r     Reader
	clock Clock
	req   action.Request

	instance string
	// named are the groups to remove, or with invert those to keep. Without them, exact has the
	// groups that each interface is given.
	named  []string
	invert bool
	exact  map[string][]string
	via    string
	// tagless fences neither write nor read tags.
	tagless bool

	// first is the reading that everything rests on.
	first reading
	// have is the backup in the tags, of a fence that may be in force. Unused says why another
	// is not used.
	have   *backup
	unused error
	// backups is what is recorded of the instance's backup tags.
	backups []action.Recorded
	// ends are what each interface has, had, and is to have.
	ends []end
	// selfCheck is what became of the check that this is another machine.
	selfCheck string
}

// end is an interface on its way to the fence.
type end struct {
	ec2model.InstanceInterface
	at     action.At
	origin action.Origin
	// base is what it had before all fences in force.
	base, to []string
}

func (e end) pending() bool { return !slices.Equal(e.Groups, e.to) }

// planFence plans a fence. One reading that shows nothing to fence is not believed.
func planFence(ctx context.Context, r Reader, req action.Request,
	clock Clock) (*action.Plan, error) {
	f := fence{
		r: r, clock: clock, req: req, instance: req.Target["instanceRef"],
		invert: req.Bool(paramInvert), via: req.Parameters[paramTransition],
		tagless: tagless(req.Parameters),
	}
	if named := req.Parameters[paramGroups]; named != "" {
		f.named = split(named)
	}
	if err := f.oneWay(); err != nil {
		return nil, err
	}
	check := action.Beside(func() string { return f.checkSelf(ctx) })
	first, err := read(ctx, r, f.instance)
	if f.selfCheck = check(); f.selfCheck == "" {
		return nil, protocol.Refuse(protocol.SelfFence,
			"%s is the machine that this runs on; fence it from another one, or with %s=true; "+
				"nothing was changed", f.instance, paramSkipCheck)
	}
	if err != nil {
		return nil, err
	}
	if f.first, err = f.settled(ctx, first); err != nil {
		return nil, err
	}
	if f.cutOff() {
		return f.leave(), nil
	}
	if err := f.decide(ctx, f.first); err != nil {
		return nil, err
	}
	if f.nothing() {
		again, err := read(ctx, r, f.instance)
		if err != nil {
			return nil, err
		}
		if err := f.decide(ctx, again); err != nil {
			return nil, err
		}
	}
	if f.nothing() {
		return nil, f.nothingToRemove()
	}
	return f.plan()
}

// oneWay refuses a request that does not say which groups, or names a way through that nothing
// could undo.
func (f *fence) oneWay() error {
	exact := givesExact(f.req.Parameters)
	switch {
	case exact && f.named == nil && f.invert:
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is given without %s, which are the groups to keep; nothing was changed",
			paramInvert, paramGroups)
	case !exact && f.named == nil:
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is required: the groups to remove from every interface; or %s for each of them; "+
				"nothing was changed", paramGroups, paramExact)
	case f.via != "" && !f.req.Durable && (exact || f.tagless || f.req.Bool(paramNoTags)):
		return protocol.Refuse(protocol.InvalidRequest,
			"%s needs what was there before to be kept, in the tags (by %s, without %s) or in a store: "+
				"killed on the way, the instance would stay wide open; nothing was changed",
			paramTransition, paramGroups, paramNoTags)
	}
	return nil
}

// checkSelf reports whether the target is another machine; empty when it is this one.
func (f *fence) checkSelf(ctx context.Context) string {
	if f.req.Bool(paramSkipCheck) {
		return "skipped"
	}
	switch id, err := f.r.InstanceID(ctx); {
	case err != nil:
		return "unavailable"
	case id == f.instance:
		return ""
	}
	return "passed"
}

// decide finds what each interface is to have, and refuses what can't be.
func (f *fence) decide(ctx context.Context, now reading) error {
	if err := f.resolve(now); err != nil {
		return err
	}
	if err := f.check(ctx); err != nil {
		return err
	}
	return f.refuseEnds()
}

// resolve finds what each interface is to have.
func (f *fence) resolve(now reading) error {
	f.first, f.ends = now, nil
	if err := now.usable(); err != nil {
		return err
	}
	if err := f.branches(); err != nil {
		return err
	}
	var err error
	if f.named == nil {
		if f.exact, err = exactGroups(now, f.req.Parameters); err != nil {
			return err
		}
	}
	if f.backups, err = f.req.History(f.instance, attrBackup); err != nil {
		return err
	}
	if err := f.useTags(); err != nil {
		return err
	}
	for _, n := range now.Interfaces {
		e, err := f.end(n)
		if err != nil {
			return err
		}
		f.ends = append(f.ends, e)
	}
	return nil
}

// branches refuses an instance with a trunk interface: the branch interfaces behind it have groups
// of their own.
func (f *fence) branches() error {
	trunks := f.first.trunks()
	if len(trunks) == 0 || f.req.Bool(paramBranches) {
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"%s of %s is a trunk interface: its branch interfaces, those of pods for instance, "+
			"have groups of their own and would go on; cut them off first, or fence the instance alone "+
			"with %s=true; nothing was changed",
		strings.Join(trunks, " and "), f.instance, paramBranches)
}

// end finds where an interface comes from and goes to.
func (f *fence) end(n ec2model.InstanceInterface) (end, error) {
	e := end{InstanceInterface: n, at: groupsOf(n, f.have, f.backups)}
	var err error
	if e.origin, err = f.req.Origin(e.at); err != nil {
		return e, err
	}
	base := e.origin.Base
	if kept := f.have.before(n); kept != "" && !recordedName(f.backups, f.have.at) {
		// Whatever is recorded, the fence that the tags alone tell of came later.
		if base, err = baseUnder(f.req, n.ID, split(kept)); err != nil {
			return e, err
		}
	}
	e.base = split(base)
	at := e.origin.At
	if at == f.via && e.at.Now == f.via {
		// On the way through the transition group, nothing tells whither.
		if at = groupText(e.base); at == f.via {
			return e, protocol.Refuse(protocol.Conflict,
				"%s has %s, the %s, which lets everything through, and what it had before is not known: "+
					"give it its groups first, by unfence-security-groups with %s, or, if these are its own, "+
					"fence without %s; nothing was changed",
				n.ID, f.via, paramTransition, paramExact, paramTransition)
		}
	}
	if e.to = f.leaves(n.ID, split(at)); e.origin.To != "" {
		e.to = split(e.origin.To)
	}
	return e, nil
}

// leaves is what this fence makes of an interface's groups.
func (f *fence) leaves(nic string, groups []string) []string {
	switch {
	case f.exact != nil:
		return f.exact[nic]
	case f.invert:
		return f.named
	}
	return slices.DeleteFunc(slices.Clone(groups), f.isNamed)
}

// check sees to it that every group named exists where it is needed.
func (f *fence) check(ctx context.Context) error {
	var needs []need
	for _, e := range f.ends {
		for _, g := range e.to {
			needs = append(needs, need{g, e.VPCID})
		}
		if f.via != "" && e.pending() {
			needs = append(needs, need{f.via, e.VPCID})
		}
	}
	if f.exact == nil && !f.invert {
		needs = append(needs, f.removed()...)
	}
	return checkGroups(ctx, f.r, f.first, needs)
}

// removed are the groups to remove that no interface has or had: those may be mistyped.
func (f *fence) removed() []need {
	var needs []need
	for _, g := range f.named {
		has := func(e end) bool { return slices.Contains(e.Groups, g) || slices.Contains(e.base, g) }
		if !slices.ContainsFunc(f.ends, has) {
			needs = append(needs, need{g, f.ends[0].VPCID})
		}
	}
	return needs
}

// refuseEnds refuses what would leave an interface as it may not be left, and an instance in
// another state.
func (f *fence) refuseEnds() error {
	var bare []string
	for _, e := range f.ends {
		switch {
		case len(e.to) == 0:
			bare = append(bare, e.ID)
		case f.via != "" && groupText(e.to) == f.via:
			return protocol.Refuse(protocol.InvalidRequest,
				"%s would be left with %s alone, which is the %s and lets everything through; "+
					"nothing was changed", e.ID, f.via, paramTransition)
		}
	}
	switch {
	case len(bare) > 0:
		return protocol.Refuse(protocol.InvalidRequest,
			"removing %s would leave %s without any security group, which EC2 does not allow; "+
				"use %s with a group without rules, or %s; nothing was changed",
			groupText(f.named), strings.Join(bare, " and "), paramInvert, paramExact)
	case f.pending() && f.first.State == "pending" && !f.req.Bool(paramAnyState):
		return protocol.Refuse(protocol.Unavailable,
			"%s is pending, neither started nor stopped; try again, or fence it as it is with %s=true; "+
				"nothing was changed", f.instance, paramAnyState).
			With(factState, f.first.State)
	}
	return nil
}

func (f *fence) pending() bool { return slices.ContainsFunc(f.ends, end.pending) }

// nothing reports whether there is nothing to remove, and not because the fence asked for is in
// force. It is if every interface that a fence is known to have changed has what this one leaves
// of the groups before.
func (f *fence) nothing() bool {
	if f.exact != nil || f.pending() {
		return false
	}
	removed := false
	for _, e := range f.ends {
		own := e.origin.To != ""
		befores := f.befores(e)
		fits := slices.DeleteFunc(slices.Clone(befores), func(before string) bool {
			return !slices.Equal(f.leaves(e.ID, split(before)), e.Groups)
		})
		if len(befores) > 0 && len(fits) == 0 && !own {
			return true
		}
		removed = removed || len(fits) > 0 || own && e.origin.From != e.origin.To
	}
	return !removed
}

// befores are the groups from which fences in force led an interface to what it has.
func (f *fence) befores(e end) []string {
	var all []string
	recorded, _ := f.req.History(e.ID, attrGroups) // the Origin has read it
	for _, r := range action.InForce(recorded) {
		if r.To == e.at.Now && r.From != e.at.Now {
			all = append(all, r.From)
		}
	}
	if base := groupText(e.base); base != e.at.Now {
		all = append(all, base)
	}
	return all
}

func (f *fence) nothingToRemove() error {
	what := "no interface of " + f.instance + " has " + groupText(f.named)
	if f.invert {
		what = "every interface of " + f.instance + " has exactly " + groupText(f.named) + " already"
	}
	return protocol.Refuse(protocol.InvalidRequest,
		"nothing to remove: %s, and no such fence is in force; look at the ids; nothing was changed",
		what)
}

// plan makes the transitions: the backup, the groups, the power.
func (f *fence) plan() (*action.Plan, error) {
	var transitions []action.Transition
	if f.exact == nil && !f.tagless && f.unused == nil {
		t, err := f.backup()
		if err != nil {
			return nil, err
		}
		transitions = append(transitions, t)
	}
	for _, e := range f.ends {
		transitions = append(transitions, action.Transition{
			Resource: e.ID, Attribute: attrGroups, Below: e.at.Below,
			From: e.origin.Whence, To: groupText(e.to), Via: f.via, AtVia: "wide open",
			Stage: 1, Call: callModify, Set: setGroups(e.ID),
		})
	}
	if f.req.Bool(paramPowerOff) {
		transitions = append(transitions, action.Transition{
			Resource: f.instance, Attribute: attrPower, From: f.first.power(), To: off,
			Stage: 2, Lasting: true, Call: callStop, Set: setPower(f.instance),
		})
	}
	return &action.Plan{
		Transitions: transitions,
		Seen:        f.seen(f.first, transitions),
		Read: func(ctx context.Context) (action.Seen, error) {
			now, err := read(ctx, f.r, f.instance)
			if err == nil {
				err = f.sameInterfaces(now)
			}
			return f.seen(now, transitions), err
		},
		Facts:   f.facts,
		Dangers: f.dangers,
		Words:   f.words(),
	}, nil
}

func (f *fence) seen(now reading, transitions []action.Transition) action.Seen {
	s := now.seen(transitions, func(now reading, t action.Transition) string {
		switch t.Attribute {
		case attrBackup:
			return now.backup.text()
		case attrPower:
			return now.power()
		}
		return now.groupsText(t.Resource)
	})
	s.Facts[factSelfCheck] = f.selfCheck
	switch {
	case f.tagless:
		s.Facts[factTags] = "false"
	case f.unused != nil:
		s.Facts[factTags] = "not used: " + f.unused.Error()
	case now.backup != nil:
		s.Facts[factTimestamp] = now.backup.at
	}
	return s
}

// sameInterfaces refuses a reading with an interface that no transition fences.
func (f *fence) sameInterfaces(now reading) error {
	for _, n := range now.Interfaces {
		known := slices.ContainsFunc(f.ends, func(e end) bool { return e.ID == n.ID })
		if !known && (f.exact != nil || !slices.Equal(n.Groups, f.leaves(n.ID, n.Groups))) {
			return protocol.Refuse(protocol.Conflict,
				"%s was attached to %s meanwhile and is not fenced; try again", n.ID, f.instance)
		}
	}
	return nil
}

func (f *fence) isNamed(group string) bool { return slices.Contains(f.named, group) }
