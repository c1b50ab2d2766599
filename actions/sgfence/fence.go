package sgfence

import (
	"context"
	"fmt"
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
	check := make(chan string, 1)
	go func() { check <- f.checkSelf(ctx) }()
	first, err := read(ctx, r, f.instance)
	if f.selfCheck = <-check; f.selfCheck == "" {
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
	case f.via != "" && !f.req.Keeps && (exact || f.tagless || f.req.Bool(paramNoTags)):
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

// useTags finds the backup to go by. One that can't be used is refused, unless the fence may do
// without.
func (f *fence) useTags() error {
	f.have, f.unused = f.first.backup, f.first.why
	switch {
	case f.tagless:
		f.have, f.unused = nil, nil
	case f.unused == errGone:
		f.unused = nil
	case f.have != nil:
		var err error
		if f.unused, err = f.doubt(); err != nil {
			return err
		}
	}
	if f.unused == nil {
		return nil
	}
	f.have = nil
	if f.req.Bool(paramNoTags) {
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; "+
			"what was there before is not known: unfence first if it is fenced, repair or remove these "+
			"tags if it is not, or fence without tags with %s=true; nothing was changed",
		f.instance, lastFence, f.first.own[lastFence], f.unused, paramNoTags)
}

// doubt says why the backup does not tell what was there before: the record tells otherwise, or
// its fence is not in force on all interfaces and left none of these groups.
func (f *fence) doubt() (why, err error) {
	named := recordedName(f.backups, f.have.at)
	for _, n := range f.first.Interfaces {
		kept := f.have.before(n)
		all, err := f.req.History(n.ID, attrGroups)
		switch {
		case err != nil:
			return nil, err
		case kept == "":
		case len(all) > 0 && named:
			o, err := f.req.Origin(groupsOf(n, f.have, f.backups))
			if err != nil {
				return nil, err
			}
			if o.Base != kept {
				return fmt.Errorf("%s had %s before it by the tags, and %s by the record",
					n.ID, kept, o.Base), nil
			}
		case !f.left(n):
			if why := f.partial(n); why != nil {
				return why, nil
			}
		}
	}
	return nil, nil
}

// left reports whether an interface has what any fence over its backup may have left it: fewer
// groups, or what this one does.
func (f *fence) left(n ec2model.InstanceInterface) bool {
	kept, _ := f.have.groupsOf(n.ID)
	added := func(g string) bool { return !slices.Contains(kept, g) }
	return !slices.ContainsFunc(n.Groups, added) || groupText(n.Groups) == f.via ||
		slices.Equal(n.Groups, f.leaves(n.ID, kept))
}

// partial says why the backup's fence is not in force on all of its interfaces; nil if it may be.
func (f *fence) partial(by ec2model.InstanceInterface) error {
	for _, s := range f.have.of {
		why := ""
		switch n, attached := f.first.attached(s.nic); {
		case !attached:
			why = s.nic + " is not attached any more"
		case slices.Equal(n.Groups, s.groups) && !slices.Equal(n.Groups, by.Groups):
			why = s.nic + " has what it had before the fence"
		}
		if why != "" {
			return fmt.Errorf("%s has %s, and %s", by.ID, groupText(by.Groups), why)
		}
	}
	return nil
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
	if f.exact != nil {
		return false
	}
	removed := false
	for _, e := range f.ends {
		if e.pending() {
			return false
		}
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
			Stage: 2, Call: callStop, Set: setPower(f.instance),
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

// backup is the transition that writes the tags. It is so already where what was there before is on
// the instance, or where no groups have to be changed. Taken back, as when the fence is, the fence
// is not in force: lastfence goes, or what was added to an earlier one's tags.
func (f *fence) backup() (action.Transition, error) {
	t := action.Transition{
		Resource: f.instance, Attribute: attrBackup, From: f.have.text(), To: f.have.text(),
		Backup: true, MayFail: f.req.Bool(paramNoTags), Call: callCreateTags,
	}
	if !f.pending() {
		return t, nil
	}
	to := f.backupToWrite()
	kept := len(to.of)
	for _, e := range f.ends {
		if _, ok := to.groupsOf(e.ID); !ok {
			to.of = append(to.of, saved{e.ID, e.base})
		}
	}
	tags := to.tags(f.instance, kept)
	had := userTags(f.first.Tags)
	if after := userTags(action.Merge(f.first.Tags, tags)); after > maxTags && !t.MayFail {
		return t, protocol.Refuse(protocol.LimitExceeded,
			"%s has %d tags, and the backup needs %d more: EC2 allows %d; remove some, or fence without "+
				"tags with %s=true; nothing was changed",
			f.instance, had, after-had, maxTags, paramNoTags)
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

// backupToWrite is the backup of the fence in force, or one that a fence which was put back left,
// or a new one. Tried over and over, a fence must not fill the tags.
func (f *fence) backupToWrite() backup {
	if f.have != nil {
		return backup{f.have.at, slices.Clone(f.have.of)}
	}
	var found *backup
	own, _ := f.req.Own(f.instance, attrBackup)
	if earlier, ok := parseBackup(own.To); ok && f.tellsBases(earlier) {
		found = &backup{at: earlier.at}
	}
	earlier := found
	for _, s := range sets(f.instance, f.first.Tags) {
		if f.tellsBases(s.backup) && (earlier == nil || s.at == earlier.at) {
			found = s.backup
		}
	}
	if found == nil {
		return backup{at: f.freeName()}
	}
	return *found
}

// tellsBases reports whether a backup is of interfaces that are here, with what each had before all
// fences in force.
func (f *fence) tellsBases(b *backup) bool {
	return !slices.ContainsFunc(b.of, func(s saved) bool {
		return !slices.ContainsFunc(f.ends, func(e end) bool {
			return e.ID == s.nic && slices.Equal(e.base, s.groups)
		})
	})
}

// freeName is the time that names the fence: now, or the next second that no tags have, and no
// record.
func (f *fence) freeName() string {
	for at := f.clock.Now().Unix(); ; at++ {
		name := strconv.FormatInt(at, 10)
		taken := recordedName(f.backups, name)
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
			facts[factPrior+t.Resource] = f.base(t.Resource)
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

// base is what an interface had before all fences in force.
func (f *fence) base(nic string) string {
	i := slices.IndexFunc(f.ends, func(e end) bool { return e.ID == nic })
	return groupText(f.ends[i].base)
}

// priorFence tells the fence before this one. Without a store nothing but the tags tells the fence
// of an earlier attempt from one of somebody else's: what the tags know is then undone.
func (f *fence) priorFence(transitions []action.Transition) string {
	regroups, stops, other := false, false, false
	for _, t := range transitions {
		stops = stops || t.Attribute == attrPower && t.From != t.To
		if t.Attribute == attrGroups {
			from := t.From
			if own, ok := f.req.Own(t.Resource, attrGroups); ok && from == t.To {
				// An earlier attempt under this key may have changed it.
				from = own.From
			}
			regroups = regroups || from != t.To
			other = other || f.base(t.Resource) != from
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
