package sgfence

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
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
	// have is the backup in the tags, of a fence that may be in force; unused says why another is not used.
	have   *backup
	unused error
	// before has what was there before the first fence in force, as far as tags or this key's record name it.
	before *backup
	// known is what is known of each interface.
	known map[string]known
	// tagged are the backups that other keys recorded.
	tagged []action.Recorded
	// ends are what each interface has, had, and is to have.
	ends []end
	// selfCheck is what became of the check that this is another machine.
	selfCheck string
}

// end is an interface on its way to the fence.
type end struct {
	ec2model.InstanceInterface
	// from is what it goes back to when the fence fails, base what it had before any fence.
	from, base, to []string
}

func (e end) pending() bool { return !slices.Equal(e.Groups, e.to) }

// planFence plans a fence. One reading that shows nothing to fence is not believed.
func planFence(ctx context.Context, r Reader, req action.Request,
	clock Clock) (*action.Plan, error) {
	f := fence{
		r: r, clock: clock, req: req, instance: req.Target["instanceRef"],
		invert: req.Bool(paramInvert), via: req.Parameters[paramTransition],
	}
	if named := req.Parameters[paramGroups]; named != "" {
		f.named = strings.Split(named, ",")
	}
	f.tagless = tagless(req.Parameters)
	if err := f.oneWay(); err != nil {
		return nil, err
	}
	check := make(chan string, 1)
	go func() { check <- f.checkSelf(ctx) }()
	first, err := read(ctx, r, f.instance)
	if f.selfCheck = <-check; f.selfCheck == "" {
		return nil, action.Refuse(protocol.SelfFence, "%s is the machine that this runs on; fence it from another one, or with %s=true; nothing was changed", f.instance, paramSkipCheck)
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
	if !f.pending() && !f.explained() {
		again, err := read(ctx, r, f.instance)
		if err != nil {
			return nil, err
		}
		if err := f.decide(ctx, again); err != nil {
			return nil, err
		}
	}
	if !f.pending() && !f.explained() {
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
		return action.Refuse(protocol.InvalidRequest,
			"%s is given without %s, which are the groups to keep; nothing was changed",
			paramInvert, paramGroups)
	case !exact && f.named == nil:
		return action.Refuse(protocol.InvalidRequest, "%s is required: the groups to remove from every interface; or %s for each of them; nothing was changed", paramGroups, paramExact)
	case f.via != "" && !f.req.Keeps && (exact || f.tagless || f.req.Bool(paramNoTags)):
		return action.Refuse(protocol.InvalidRequest,
			"%s needs what was there before to be kept, in the tags (by %s, without %s) or in a store: killed on the way, the instance would stay wide open; nothing was changed",
			paramTransition, paramGroups, paramNoTags)
	}
	return nil
}

// checkSelf tells whether the target is another machine; empty when it is this one.
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
	if f.named == nil {
		var err error
		if f.exact, err = exactGroups(now, f.req.Parameters); err != nil {
			return err
		}
	}
	if err := f.know(); err != nil {
		return err
	}
	if f.unused != nil && !f.req.Bool(paramNoTags) {
		return action.Refuse(protocol.Conflict,
			"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; what was there before is not known: repair or remove these tags, or fence without tags with %s=true; nothing was changed",
			now.ID, lastFence, now.own[lastFence], f.unused, paramNoTags)
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
	return action.Refuse(protocol.Conflict,
		"%s of %s is a trunk interface: its branch interfaces, those of pods for instance, "+
			"have groups of their own and would go on; cut them off first, or fence the instance alone "+
			"with %s=true; nothing was changed",
		strings.Join(trunks, " and "), f.instance, paramBranches)
}

// end finds where an interface comes from and goes to.
func (f *fence) end(n ec2model.InstanceInterface) (end, error) {
	e, now := end{InstanceInterface: n, from: n.Groups, base: n.Groups}, groupText(n.Groups)
	trail, base := f.known[n.ID].trail(now), f.known[n.ID].base(now)
	if base != nil {
		e.base = base
	}
	// On the way through a transition group it is not what it was, and not what it is to be.
	at := n.Groups
	switch {
	case len(trail) > 0 && now != trail[0].To:
		e.from, at = strings.Split(trail[0].From, ","), strings.Split(trail[0].To, ",")
	case len(trail) == 0 && now == f.via && base == nil:
		return e, action.Refuse(protocol.Conflict,
			"%s has %s, the %s, which lets everything through, and what it had before is not known: give it its groups first, by unfence-security-groups with %s, or, if these are its own, fence without %s; nothing was changed",
			n.ID, f.via, paramTransition, paramExact, paramTransition)
	case len(trail) == 0 && now == f.via:
		// Of earlier fences the tags know only what was before the first; but wide open, it must not stay.
		e.from, at = base, base
	}
	e.to = f.leaves(n.ID, at)
	// What it has by way of another fence that was cut short may be what this one had made of it.
	if own, ok := f.req.Record(n.ID, attrGroups); ok && now != own.To && own.To == groupText(e.from) && own.To == groupText(e.to) {
		e.from = strings.Split(own.From, ",")
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

// removed are the groups to remove that no interface has and no backup: those may be mistyped.
func (f *fence) removed() []need {
	var needs []need
	for _, g := range f.named {
		if !slices.ContainsFunc(f.ends, func(e end) bool { return slices.Contains(e.Groups, g) || slices.Contains(e.base, g) }) {
			needs = append(needs, need{g, f.ends[0].VPCID})
		}
	}
	return needs
}

// refuseEnds refuses what would leave an interface as it may not be left, and an instance in another state.
func (f *fence) refuseEnds() error {
	var bare []string
	for _, e := range f.ends {
		switch {
		case len(e.to) == 0:
			bare = append(bare, e.ID)
		case f.via != "" && groupText(e.to) == f.via:
			return action.Refuse(protocol.InvalidRequest, "%s would be left with %s alone, which is the %s and lets everything through; nothing was changed", e.ID, f.via, paramTransition)
		}
	}
	switch {
	case len(bare) > 0:
		return action.Refuse(protocol.InvalidRequest,
			"removing %s would leave %s without any security group, which EC2 does not allow; use %s with a group without rules, or %s; nothing was changed",
			groupText(f.named), strings.Join(bare, " and "), paramInvert, paramExact)
	case f.pending() && f.first.State == "pending" && !f.req.Bool(paramAnyState):
		return action.Refuse(protocol.Unavailable,
			"%s is pending, neither started nor stopped; try again, or fence it as it is with %s=true; "+
				"nothing was changed", f.instance, paramAnyState).
			With(factState, f.first.State)
	}
	return nil
}

func (f *fence) pending() bool { return slices.ContainsFunc(f.ends, end.pending) }

// explained tells that nothing to remove means that the fence asked for is in force: its groups are exactly
// those asked for by interface, or every interface that is known to have been changed has what this fence made of it
// in an earlier attempt, or makes of what it had.
func (f *fence) explained() bool {
	if f.exact != nil {
		return true
	}
	removed := false
	for _, e := range f.ends {
		own, recorded := f.req.Record(e.ID, attrGroups)
		mine := recorded && own.To == groupText(e.Groups)
		all := f.known[e.ID].before(groupText(e.Groups))
		whence := slices.DeleteFunc(slices.Clone(all), func(before []string) bool { return !slices.Equal(f.leaves(e.ID, before), e.Groups) })
		if len(all) > 0 && len(whence) == 0 && !mine {
			return false
		}
		removed = removed || mine && own.From != own.To || slices.ContainsFunc(whence, func(before []string) bool { return !slices.Equal(before, e.Groups) })
	}
	return removed
}

func (f *fence) nothingToRemove() error {
	what := "no interface of " + f.instance + " has " + groupText(f.named)
	if f.invert {
		what = "every interface of " + f.instance + " has exactly " + groupText(f.named) + " already"
	}
	return action.Refuse(protocol.InvalidRequest, "nothing to remove: %s, and no such fence is in force; look at the ids; nothing was changed", what)
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
		if f.req.Bool(paramNoTags) {
			transitions = append(transitions, action.Transition{
				Resource: f.instance, Attribute: attrTagless, From: allowed, To: allowed, Backup: true,
			})
		}
	}
	for _, e := range f.ends {
		transitions = append(transitions, action.Transition{
			Resource: e.ID, Attribute: attrGroups, From: groupText(e.from), To: groupText(e.to), Via: f.via, AtVia: "wide open", Stage: 1,
			Call: callModify, Set: setGroups(e.ID),
		})
	}
	if f.req.Bool(paramPowerOff) {
		transitions = append(transitions, action.Transition{
			Resource: f.instance, Attribute: attrPower, From: f.first.power(), To: off, Stage: 2, Call: callStop, Set: setPower(f.instance),
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

// backup is the transition that writes the tags. It is so already where what was there before is on the
// instance, or where no groups have to be changed. Taken back, as when the fence is, the fence is not in force:
// lastfence goes, or what was added to an earlier one's tags.
func (f *fence) backup() (action.Transition, error) {
	t := action.Transition{
		Resource: f.instance, Attribute: attrBackup, From: f.have.text(), To: f.have.text(), Backup: true,
		MayFail: f.req.Bool(paramNoTags), Call: callCreateTags,
	}
	if !f.pending() {
		return t, nil
	}
	to := cmp.Or(f.have, f.leftover())
	if to == nil {
		to = &backup{at: f.name()}
	}
	kept := len(to.of)
	to = &backup{at: to.at, of: slices.Clone(to.of)}
	for _, e := range f.ends {
		if _, ok := to.groupsOf(e.ID); !ok {
			to.of = append(to.of, saved{e.ID, e.base})
		}
	}
	tags := to.tags(f.instance, kept)
	if after := userTags(action.Merge(f.first.Tags, tags)); after > maxTags && !f.req.Bool(paramNoTags) {
		return t, action.Refuse(protocol.LimitExceeded,
			"%s has %d tags, and the backup needs %d more: EC2 allows %d; remove some, or fence without tags with %s=true; nothing was changed",
			f.instance, userTags(f.first.Tags), after-userTags(f.first.Tags), maxTags, paramNoTags)
	}
	back := map[string]string{lastFence: to.at}
	if f.have != nil {
		back = maps.Clone(tags)
		delete(back, lastFence)
	}
	t.To = to.text()
	t.Set = action.SetWith(func(ctx context.Context, w Writer, _, value string) error {
		if value == t.To {
			return w.CreateTags(ctx, f.instance, tags)
		}
		return w.DeleteTags(ctx, f.instance, back)
	})
	return t, nil
}

// name is the time that names the fence: that of an earlier attempt under this key, or now, or the next second
// that no tags have, and no record.
func (f *fence) name() string {
	if f.before != nil {
		return f.before.at
	}
	for at := f.clock.Now().Unix(); ; at++ {
		name := strconv.FormatInt(at, 10)
		taken := len(f.othersOf(name)) > 0
		for key := range f.first.Tags {
			taken = taken || strings.HasPrefix(key, backupKeys(f.instance, name))
		}
		if !taken {
			return name
		}
	}
}

func (f *fence) seen(now reading, transitions []action.Transition) action.Seen {
	s := now.seen(transitions, func(now reading, t action.Transition) string {
		switch t.Attribute {
		case attrBackup:
			return now.backup.text()
		case attrTagless:
			return allowed
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
		if !known && (f.exact != nil || f.invert && !slices.Equal(n.Groups, f.named) || !f.invert && slices.ContainsFunc(n.Groups, f.isNamed)) {
			return action.Refuse(protocol.Conflict, "%s was attached to %s meanwhile and is not fenced; try again", n.ID, f.instance)
		}
	}
	return nil
}

func (f *fence) isNamed(group string) bool { return slices.Contains(f.named, group) }

// facts tell interface by interface what was, what is to be and what is.
func (f *fence) facts(transitions []action.Transition, seen action.Seen) map[string]string {
	facts := map[string]string{factPriorState: f.first.State, paramTransition: f.via}
	fenced := true
	for i, t := range transitions {
		switch t.Attribute {
		case attrPower:
			if t.From == on && f.first.power() == off {
				// An earlier attempt under this key stopped it.
				facts[factPriorState] = "running"
			}
		case attrGroups:
			facts[factPrior+t.Resource] = f.prior(t)
			if seen.Values[i] == t.To {
				facts[factFenced+t.Resource] = t.To
			} else {
				fenced = false
			}
		}
	}
	facts[factPriorFence] = f.priorFence(transitions)
	facts[factIsFenced] = strconv.FormatBool(fenced)
	if fenced && !isDown(seen.Facts[factState]) {
		facts[factTracked] = "may-persist"
	}
	facts[factBranches] = groupText(f.first.trunks())
	return action.Merge(facts, seen.Facts)
}

// dangers says what the fence does not cut, and what was before the fence may not outlast.
func (f *fence) dangers(_ []action.Transition, seen action.Seen) []string {
	var all []string
	if !isDown(seen.Facts[factState]) {
		until := ""
		if f.req.Bool(paramPowerOff) {
			until = " until it has stopped"
		}
		all = append(all, "connections that are tracked already may go on"+until)
	}
	if trunks := f.first.trunks(); len(trunks) > 0 {
		all = append(all, "the branch interfaces of "+strings.Join(trunks, " and ")+
			" go on: their own groups govern them")
	}
	switch why := seen.Facts[factTags]; {
	case f.tagless && !f.req.Keeps:
		all = append(all, "what was there before is told in this result alone")
	case why != "" && !f.tagless:
		all = append(all, "backup tags "+why)
	}
	return all
}

// prior is what an interface had before any fence in force.
func (f *fence) prior(t action.Transition) string {
	if base := f.known[t.Resource].base(f.first.groupsText(t.Resource)); base != nil {
		return groupText(base)
	}
	return t.From
}

// priorFence tells the fence before this one. Without a store nothing but the tags tells the fence of an earlier
// attempt from one of somebody else's: what the tags know is then undone.
func (f *fence) priorFence(transitions []action.Transition) string {
	regroups, stops, other := false, false, false
	for _, t := range transitions {
		stops = stops || t.Attribute == attrPower && t.From != t.To
		if t.Attribute == attrGroups {
			regroups = regroups || t.From != t.To
			other = other || f.prior(t) != t.From
		}
	}
	switch {
	case other && (regroups || !f.req.Keeps):
		return fenceOther
	case regroups:
		return fenceNone
	case stops:
		return fenceUnstopped
	}
	return fenceSame
}

func (f *fence) words() action.Words {
	var gets, has []string
	for _, e := range f.ends {
		gets = append(gets, e.ID+" gets "+groupText(e.to))
		has = append(has, e.ID+" has "+groupText(e.to))
	}
	w := action.Words{
		Would:   "fence " + f.instance + ": " + strings.Join(gets, ", "),
		Did:     "fenced " + f.instance + ": " + strings.Join(has, ", "),
		Already: f.instance + " is fenced: " + strings.Join(has, ", "),
	}
	if f.via != "" && f.pending() {
		w.Would += "; on the way they get " + f.via + ", which lets everything through"
	}
	if f.req.Bool(paramPowerOff) {
		w.Would += "; then stop it"
		w.Did += "; it stops or is stopped"
		w.Already += "; it stops or is stopped"
	}
	return w
}
