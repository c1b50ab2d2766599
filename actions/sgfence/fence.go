package sgfence

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// fence is one fence on its way.
type fence struct {
	r   Reader
	now func() time.Time
	req action.Request

	instance string
	// named are the groups to remove, or with invert those to keep; exact is the parameter's way to say it for
	// each interface.
	named  []string
	invert bool
	exact  map[string][]string
	via    string

	// first is the reading that everything rests on.
	first reading
	// before has what was there before the first fence in force, as far as it is kept anywhere.
	before *backup
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
	// ours tells that an earlier attempt under this key changed it.
	ours bool
}

func (e end) pending() bool { return !slices.Equal(e.Groups, e.to) }

// planFence plans a fence. One reading that shows nothing to fence is not believed.
func planFence(ctx context.Context, r Reader, req action.Request, now func() time.Time) (*action.Plan, error) {
	f := fence{
		r: r, now: now, req: req, instance: req.Target["instanceRef"],
		invert: req.Bool(paramInvert), via: req.Parameters[paramTransition],
	}
	if named := req.Parameters[paramGroups]; named != "" {
		f.named = strings.Split(named, ",")
	}
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
	if err := f.decide(ctx, first); err != nil {
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

// oneWay refuses a request that names the groups in no way, or in two.
func (f *fence) oneWay() error {
	switch exact := givesExact(f.req.Parameters); {
	case exact && (f.named != nil || f.invert):
		return action.Refuse(protocol.InvalidRequest, "both %s and %s are given: name the groups one way; nothing was changed", paramGroups, paramExact)
	case !exact && f.named == nil:
		return action.Refuse(protocol.InvalidRequest, "%s is required: the groups to remove from every interface; or %s for each of them; nothing was changed", paramGroups, paramExact)
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
	f.first, f.ends, f.before = now, nil, nil
	if err := now.usable(); err != nil {
		return err
	}
	exact, err := exactGroups(now, f.req.Parameters)
	switch f.exact = exact; {
	case err != nil:
		return err
	case now.why != nil && now.why != errGone && !f.req.Bool(paramNoTags):
		return action.Refuse(protocol.Conflict,
			"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; what was there before is not known: repair or remove these tags, or fence without tags with %s=true; nothing was changed",
			now.ID, lastFence, now.own[lastFence], now.why, paramNoTags)
	}
	if f.before = now.backup; f.before == nil {
		f.before = f.recorded()
	}
	for _, n := range now.Interfaces {
		f.ends = append(f.ends, f.end(n))
	}
	if err := f.check(ctx); err != nil {
		return err
	}
	return f.refuseEnds()
}

// recorded is the backup that an earlier attempt under this key recorded, if what is there now comes of it.
func (f *fence) recorded() *backup {
	recorded, _ := f.req.Record(f.instance, attrBackup)
	b, ok := parseBackup(recorded.To)
	if !ok {
		return nil
	}
	for _, n := range f.first.Interfaces {
		groups, has := b.groupsOf(n.ID)
		fenced, _ := f.req.Record(n.ID, attrGroups)
		if now := groupText(n.Groups); has && now != groupText(groups) && now != fenced.To && now != f.via {
			return nil
		}
	}
	return b
}

// end finds where an interface comes from and goes to.
func (f *fence) end(n ec2model.InstanceInterface) end {
	e := end{InstanceInterface: n, from: n.Groups}
	before, kept := f.before.groupsOf(n.ID)
	record, recorded := f.req.Record(n.ID, attrGroups)
	recordedFrom, recordedTo := record.From, record.To
	now := groupText(n.Groups)
	ours := recorded && recordedFrom != recordedTo && (now == recordedTo || now == f.via)
	e.base, e.ours = n.Groups, ours
	switch {
	case kept:
		e.base = before
	case ours:
		e.base = strings.Split(recordedFrom, ",")
	}
	// On the way through the transition group it is not what it was, and not what it is to be.
	at := n.Groups
	if f.via != "" && now == f.via {
		e.from, at = e.base, e.base
		if ours {
			e.from, at = strings.Split(recordedFrom, ","), strings.Split(recordedTo, ",")
		}
	}
	switch {
	case f.exact != nil:
		e.to = f.exact[n.ID]
	case f.invert:
		e.to = f.named
	default:
		e.to = slices.DeleteFunc(slices.Clone(at), func(g string) bool { return slices.Contains(f.named, g) })
	}
	return e
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
	case f.pending() && f.first.State != "running" && !f.req.Bool(paramAnyState):
		return action.Refuse(protocol.Conflict, "%s is %s, not running; %s=true fences it all the same; nothing was changed", f.instance, f.first.State, paramAnyState).
			With(factState, f.first.State)
	}
	return nil
}

func (f *fence) pending() bool { return slices.ContainsFunc(f.ends, end.pending) }

// explained tells that nothing to remove means that the fence asked for is in force: its groups are exactly
// those asked for by interface, a backup shows that it removed something, or the record does.
func (f *fence) explained() bool {
	if f.exact != nil {
		return true
	}
	return slices.ContainsFunc(f.ends, func(e end) bool {
		if e.ours {
			return true
		}
		if f.invert {
			return !slices.Equal(e.base, e.to)
		}
		return slices.ContainsFunc(e.base, func(g string) bool { return slices.Contains(f.named, g) })
	})
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
	if f.exact == nil && (f.first.why == nil || f.first.why == errGone) {
		t, err := f.backup()
		if err != nil {
			return nil, err
		}
		transitions = append(transitions, t)
	}
	for _, e := range f.ends {
		transitions = append(transitions, action.Transition{
			Resource: e.ID, Attribute: attrGroups, From: groupText(e.from), To: groupText(e.to), Via: f.via, Stage: 1,
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
		Facts: f.facts,
		Words: f.words(),
	}, nil
}

// backup is the transition that writes the tags. It is so already where what was there before is on the
// instance, or where no groups have to be changed.
func (f *fence) backup() (action.Transition, error) {
	have := f.first.backup
	t := action.Transition{
		Resource: f.instance, Attribute: attrBackup, From: have.text(), To: have.text(), Backup: true,
		MayFail: f.req.Bool(paramNoTags), Call: callCreateTags,
	}
	if !f.pending() {
		return t, nil
	}
	kept, to := 0, &backup{}
	if have != nil {
		kept, *to = len(have.of), *have
	} else {
		to.at = f.name()
	}
	to.of = slices.Clone(to.of)
	for _, e := range f.ends {
		if _, ok := have.groupsOf(e.ID); !ok {
			to.of = append(to.of, saved{e.ID, e.base})
		}
	}
	tags := to.tags(f.instance, kept)
	after := map[string]string{}
	for _, all := range []map[string]string{f.first.Tags, tags} {
		for key, value := range all {
			after[key] = value
		}
	}
	if userTags(after) > maxTags && len(to.of) > kept && !f.req.Bool(paramNoTags) {
		return t, action.Refuse(protocol.LimitExceeded,
			"%s has %d tags, and the backup needs %d more: EC2 allows %d; remove some, or fence without tags with %s=true; nothing was changed",
			f.instance, userTags(f.first.Tags), userTags(after)-userTags(f.first.Tags), maxTags, paramNoTags)
	}
	t.To = to.text()
	t.Set = action.SetWith(func(ctx context.Context, w Writer, _, _ string) error {
		return w.CreateTags(ctx, f.instance, tags)
	})
	return t, nil
}

// name is the time that names the fence: that of an earlier attempt under this key, or now, or the next second
// that no tags have.
func (f *fence) name() string {
	if f.before != nil {
		return f.before.at
	}
	for at := f.now().Unix(); ; at++ {
		name := strconv.FormatInt(at, 10)
		taken := false
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
	if now.backup != nil {
		s.Facts[factTimestamp] = now.backup.at
	}
	if now.why != nil && now.why != errGone {
		s.Facts[factTags] = "not used: " + now.why.Error()
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
	facts := map[string]string{factPriorState: f.first.State, paramTransition: f.via, factPriorFence: fenceNone}
	fenced, changes, other := true, false, false
	for i, t := range transitions {
		switch t.Attribute {
		case attrPower:
			if t.From == on && f.first.power() == off {
				// An earlier attempt under this key stopped it.
				facts[factPriorState] = "running"
			}
		case attrGroups:
			prior := t.From
			if groups, ok := f.before.groupsOf(t.Resource); ok {
				prior = groupText(groups)
			}
			facts[factPrior+t.Resource] = prior
			other = other || prior != t.From
			changes = changes || t.From != t.To
			if seen.Values[i] == t.To {
				facts[factFenced+t.Resource] = t.To
			} else {
				fenced = false
			}
		}
	}
	switch {
	case !changes:
		facts[factPriorFence] = fenceSame
	case other:
		facts[factPriorFence] = fenceOther
	}
	if state := seen.Facts[factState]; fenced && state != "stopped" && state != "terminated" {
		facts[factTracked] = "may-persist"
		if state == "stopping" || state == "shutting-down" {
			facts[factTracked] = "until-stopped"
		}
	}
	return action.Merge(facts, seen.Facts)
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
	if f.req.Bool(paramPowerOff) {
		w.Would += "; then stop it"
		w.Did += "; it stops or is stopped"
		w.Already += "; it stops or is stopped"
	}
	return w
}
