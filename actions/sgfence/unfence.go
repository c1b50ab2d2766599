package sgfence

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// unfence is one fence on its way back.
type unfence struct {
	r        Reader
	req      action.Request
	instance string

	first reading
	// before has the groups to restore, in the order of interfaces.
	before []saved
	// changed are the interfaces that the action changed, as far as its facts or its record tell.
	changed []saved
	// stays are the interfaces that were fenced before the action, and stay so.
	stays []string
	// untold are the interfaces of which nothing tells what they had.
	untold []string
	// gone are those that are not attached any more, with what they had.
	gone []saved
	// tagless unfences do not go by tags.
	tagless bool
	// under reports whether the undo may lead back under the fence that lastfence names, and returns
	// that it does.
	under, returns bool
	// tags are those to remove once every interface is restored; left says why there are others.
	tags map[string]string
	left string
	// asked reports whether their removal was sent.
	asked bool
	// vouched tells that what is restored is not from before this action but from before an
	// earlier one, by the tags or by the facts.
	vouched bool
	// undo tells that before comes from the facts of one action, and nothing but that one is undone.
	undo bool
	// overwrites tells what is there instead of what the fence left, by interface.
	overwrites []string
}

func planUnfence(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	u := unfence{
		r: r, req: req, instance: req.Target["instanceRef"], tagless: tagless(req.Parameters),
	}
	var err error
	if u.first, err = read(ctx, r, u.instance); err != nil {
		return u.vanished(err)
	}
	switch prior := req.Parameters[factPriorFence]; {
	case prior == fenceSame:
		return u.skip(u.instance + " was fenced before the action: it stays fenced"), nil
	case prior == fenceUnstopped:
		return u.stay(), nil
	case req.Bool(paramNoRestore):
		return u.restoreNothing()
	}
	if err := u.adopt(); err != nil {
		return nil, err
	}
	if u.first.State == terminated && len(u.first.Interfaces) == 0 {
		return u.ended()
	}
	found, err := u.find()
	switch {
	case err != nil:
		return nil, err
	case found != nil:
		return found, nil
	}
	if len(u.before) == 0 && !req.Bool(paramPowerOn) {
		return u.skip("nothing to restore: " + u.instance + " has no tags of a fence in force, " +
			"and no facts of one are given" + u.otherSets()), nil
	}
	if err := u.decide(ctx); err != nil {
		return nil, err
	}
	if len(u.before) > 0 {
		u.sweep()
	}
	return u.plan(), nil
}

// skip plans nothing.
func (u *unfence) skip(why string) *action.Plan {
	p := u.plan()
	p.Restores, p.Skip, p.Transitions = true, why, nil
	return p
}

// untoldUndo is the plan for an undo of which nothing tells anything.
func (u *unfence) untoldUndo(instead string) (*action.Plan, error) {
	why, err := action.Untold(u.req, instead)
	return u.skip(why), err
}

// stay undoes a fence that only stopped the instance: it can be started, and its interfaces stay fenced.
func (u *unfence) stay() *action.Plan {
	u.undo = true
	for _, n := range u.first.Interfaces {
		u.stays = append(u.stays, n.ID)
	}
	p := u.plan()
	if !u.req.Bool(paramPowerOn) {
		p.Skip = u.instance + " was fenced before the action: it stays fenced, and stopped; " + paramPowerOn + "=true starts it"
	}
	return p
}

// find tells what was there before: by what the request gives, or by what is kept. A plan is found
// where nothing is to be restored.
func (u *unfence) find() (*action.Plan, error) {
	facts, err := u.facts()
	if err != nil {
		return nil, err
	}
	exact := givesExact(u.req.Parameters)
	switch {
	case givesBoth(u.req.Parameters):
		err = u.byIndexOr(facts)
	case facts != nil:
		other := u.req.Parameters[factPriorFence] == fenceOther
		err = u.byFacts(facts, u.req.Parameters[factTimestamp], other)
	case exact && u.req.Orphan:
		// A core sends the fence's own parameters: those may be what it is to come back from.
		return u.untoldUndo("under a key of its own an unfence gives the groups of " + paramExact)
	case exact && !u.givesTheFence():
		err = u.byIndex()
	case u.isRecorded():
		return u.byRecord()
	case u.req.Orphan && u.req.Keeps && u.req.Parameters[factTimestamp] == "":
		// What the tags are of is another action, which this request does not undo.
		return u.untoldUndo("under a key of its own an unfence goes by the tags")
	case !u.tagless:
		err = u.byTagsAlone()
	}
	if err != nil || len(u.before) == 0 {
		return nil, err
	}
	return nil, u.others()
}

// byTagsAlone restores what the tags of the fence in force tell, if there is one.
func (u *unfence) byTagsAlone() error {
	now, at := u.first, u.req.Parameters[factTimestamp]
	switch {
	case now.own != nil && at != "" && at != now.own[lastFence]:
		return u.conflict("the facts are of the fence " + at)
	case now.why != nil:
		return action.Refuse(protocol.Conflict,
			"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; nothing is guessed: "+
				"give the groups with %s or the facts of the fence; nothing was changed",
			u.instance, lastFence, now.own[lastFence], now.why, paramExact)
	case now.backup != nil:
		u.byTags()
	}
	return nil
}

// isRecorded tells that the action that this request undoes is on record.
func (u *unfence) isRecorded() bool {
	return slices.ContainsFunc(u.first.Interfaces, func(n ec2model.InstanceInterface) bool {
		_, ok := u.req.Record(n.ID, attrGroups)
		return ok
	})
}

// givesTheFence tells that the groups given for each interface are those that the action gave it, as a core
// sends them that lost the facts.
func (u *unfence) givesTheFence() bool {
	exact, err := exactGroups(u.first, u.req.Parameters)
	return err == nil && len(exact) > 0 && !slices.ContainsFunc(u.first.Interfaces, func(n ec2model.InstanceInterface) bool {
		own, ok := u.req.Record(n.ID, attrGroups)
		return !ok || own.To != groupText(exact[n.ID])
	})
}

func (u *unfence) byTags() {
	u.before, u.vouched = slices.Clone(u.first.backup.of), true
}

// others looks at the interfaces of which nothing was told. A record may tell what such a one had before the fences that
// are undone all together; else it stays as it is.
func (u *unfence) others() error {
	for _, n := range u.first.Interfaces {
		if slices.ContainsFunc(u.before, func(s saved) bool { return s.nic == n.ID }) {
			continue
		}
		k, err := recall(u.req, u.first, n.ID)
		if err != nil {
			return err
		}
		if base := k.base(groupText(n.Groups)); base != nil && !u.undo {
			u.before = append(u.before, saved{n.ID, base})
			continue
		}
		u.untold = append(u.untold, n.ID)
	}
	return nil
}

// byRecord restores what the action recorded that this request undoes, where its facts were lost; over another
// fence, what was there before that one. An action that found its fence in force leaves it.
func (u *unfence) byRecord() (*action.Plan, error) {
	var facts []saved
	other := false
	for _, n := range u.first.Interfaces {
		own, ok := u.req.Record(n.ID, attrGroups)
		if !ok || own.From == own.To {
			continue
		}
		k, err := recall(u.req, u.first, n.ID)
		if err != nil {
			return nil, err
		}
		base := k.base(own.To)
		if told := own.Facts[factPrior+n.ID]; own.Gone && told != "" {
			// The records of the fences before it are of no use any more.
			base = strings.Split(told, ",")
		}
		facts = append(facts, saved{n.ID, base})
		other = other || groupText(base) != own.From
	}
	if len(facts) == 0 {
		if power, ok := u.req.Record(u.instance, attrPower); ok && power.From != power.To {
			return u.stay(), nil
		}
		return u.skip(u.instance + " was fenced before the action: it stays fenced"), nil
	}
	at := ""
	tags, wrote := u.req.Record(u.instance, attrBackup)
	u.tagless = u.tagless || !wrote
	if b, ok := parseBackup(tags.To); ok && tags.From != tags.To {
		at = b.at
	}
	if err := u.byFacts(facts, at, other); err != nil {
		return nil, err
	}
	return nil, u.others()
}

// facts are the prior groups that the parameters tell, by interface.
func (u *unfence) facts() ([]saved, error) {
	var all []saved
	for key, groups := range u.req.Parameters {
		if nic, ok := strings.CutPrefix(key, factPrior); ok {
			all = append(all, saved{nic, strings.Split(groups, ",")})
		}
	}
	slices.SortFunc(all, func(a, b saved) int { return strings.Compare(a.nic, b.nic) })
	for _, s := range all {
		n, ok := u.first.attached(s.nic)
		if !ok {
			continue
		}
		// A core sends the fence's own parameters with its facts: those are what it is to come back from.
		key := exactField.Of(strconv.Itoa(n.Index))
		given, fenced := u.req.Parameters[key], u.req.Parameters[factFenced+s.nic]
		isFence := fenced == "" || given == fenced || givesBoth(u.req.Parameters)
		if given != "" && given != groupText(s.groups) && !isFence {
			return nil, action.Refuse(protocol.Conflict, "%s says that %s gets %s, %s%s that it had %s: which is right is not for the executor to say; nothing was changed",
				key, s.nic, given, factPrior, s.nic, groupText(s.groups))
		}
	}
	return all, nil
}

// byFacts restores what the facts tell, unless the tags of the fence in force tell otherwise.
func (u *unfence) byFacts(facts []saved, at string, other bool) error {
	now := u.first
	u.before, u.changed, u.undo, u.vouched = facts, facts, !other, other
	switch {
	case u.tagless:
		u.under = u.undo
		return nil
	case now.own == nil:
		return nil
	case at != "" && at != now.own[lastFence]:
		return u.conflict("the facts are of the fence " + at)
	case now.why != nil:
		return nil
	}
	for _, s := range facts {
		kept, ok := now.backup.groupsOf(s.nic)
		if !ok {
			return u.conflict("the tags do not have " + s.nic)
		}
		if !slices.Equal(kept, s.groups) {
			return u.conflict("the tags say that " + s.nic + " had " + groupText(kept) + ", the facts " + groupText(s.groups))
		}
	}
	u.byTags()
	return nil
}

// conflict refuses facts that are at odds with the tags of the fence in force.
func (u *unfence) conflict(why string) error {
	named := lastFence + "=" + u.first.own[lastFence]
	return action.Refuse(protocol.Conflict,
		"what is to be undone and the tags of the fence in force (%s) contradict each other: %s; unfence by the one or by the other; nothing was changed",
		named, why).With(factTags, named)
}

// byIndex restores the groups given for each interface. Tags have no part in that, but that no fence is in force
// any more.
func (u *unfence) byIndex() error {
	if err := u.first.usable(); err != nil {
		return err
	}
	exact, err := exactGroups(u.first, u.req.Parameters)
	if err != nil {
		return err
	}
	for _, n := range u.first.Interfaces {
		u.before = append(u.before, saved{n.ID, exact[n.ID]})
	}
	// Without an action to undo they are what was before all.
	u.vouched = !u.req.HasRecord
	return nil
}

// byIndexOr restores by an agent's parameters: the groups given for each interface, whatever was
// there before the fence. Where facts tell of an interface, it need not be given any.
func (u *unfence) byIndexOr(facts []saved) error {
	u.vouched = true
	if facts == nil {
		err := u.byIndex()
		u.vouched = true
		return err
	}
	u.changed = facts
	told := map[string]string{}
	for _, s := range facts {
		told[s.nic] = groupText(s.groups)
		if _, ok := u.first.attached(s.nic); !ok {
			u.before = append(u.before, s)
		}
	}
	for _, n := range u.first.Interfaces {
		groups := cmp.Or(u.req.Parameters[exactField.Of(strconv.Itoa(n.Index))], told[n.ID])
		if groups != "" {
			u.before = append(u.before, saved{n.ID, strings.Split(groups, ",")})
		}
	}
	return nil
}

// decide compares what was, what the fence left and what is, and refuses what can't be restored.
func (u *unfence) decide(ctx context.Context) error {
	var gone []string
	var needs []need
	var here []saved
	for _, s := range u.before {
		n, ok := u.first.attached(s.nic)
		switch {
		case !ok && u.changed != nil && !slices.ContainsFunc(u.changed, func(c saved) bool { return c.nic == s.nic }):
			// An earlier fence changed it, and it was gone before the action.
			u.gone = append(u.gone, s)
			continue
		case !ok:
			gone, u.gone = append(gone, s.nic), append(u.gone, s)
			continue
		}
		here = append(here, s)
		overwrites, err := u.threeStates(s)
		if err != nil {
			return err
		}
		if overwrites != "" {
			u.overwrites = append(u.overwrites, "instead of "+overwrites+" on "+s.nic)
		}
		for _, g := range s.groups {
			needs = append(needs, need{g, n.VPCID})
		}
	}
	if len(gone) > 0 {
		if len(here) == 0 {
			return action.Refuse(protocol.Drift, "%s, which is all that is told of, is not attached to %s: there is nothing to restore; look at the ids; nothing was changed",
				strings.Join(gone, ", "), u.instance)
		}
		if u.req.Parameters[action.OnDrift.Name] != "restore" {
			return action.Refuse(protocol.Drift,
				"%s, which the fence changed, is not attached to %s any more; look where it is and what "+
					"groups it has, then undo with onDrift=restore, which restores the others; "+
					"nothing was changed",
				strings.Join(gone, ", "), u.instance).With("drift", detached)
		}
	}
	u.before = here
	return checkGroups(ctx, u.r, u.first, needs)
}

// threeStates refuses groups that neither the fence left nor were there before. What the fence left is not
// known for every fence; then nothing is amiss. Cut short, one over another may not have come to each interface yet.
func (u *unfence) threeStates(s saved) (overwrites string, err error) {
	now := u.first.groupsText(s.nic)
	after := u.req.Parameters[factFenced+s.nic]
	recorded, _ := u.req.Record(s.nic, attrGroups)
	if after == "" {
		after = recorded.To
	}
	if after == "" || now == u.req.Parameters[paramTransition] || now == recorded.Via || now == recorded.From {
		return "", nil
	}
	return action.Restore(u.req, "the security groups of "+s.nic, groupText(s.groups), after, now)
}

func (u *unfence) plan() *action.Plan {
	transitions := u.transitions()
	return &action.Plan{
		Restores:    u.undo,
		Leaves:      u.req.Bool(paramNoRestore),
		Transitions: transitions,
		Seen:        u.seen(u.first, transitions),
		Read: func(ctx context.Context) (action.Seen, error) {
			now, err := read(ctx, u.r, u.instance)
			return u.seen(now, transitions), err
		},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			facts := map[string]string{}
			for i := range t {
				if t[i].Attribute == attrGroups && seen.Values[i] == t[i].To && !slices.Contains(u.stays, t[i].Resource) {
					facts[factRestored+t[i].Resource] = t[i].To
				}
			}
			for _, s := range u.gone {
				facts[factPrior+s.nic] = groupText(s.groups)
			}
			return action.Merge(facts, seen.Facts)
		},
		Finally: func(ctx context.Context, writer any, last action.Seen) string {
			return u.endFence(ctx, writer, transitions, last)
		},
		Words: u.words(),
	}
}

// transitions are the groups, the tags and the power, each only once what is before it was read
// back. What fails after the groups are restored can't leave tags that say "fenced".
func (u *unfence) transitions() []action.Transition {
	var all []action.Transition
	for _, nic := range u.stays {
		now := u.first.groupsText(nic)
		all = append(all, action.Transition{Resource: nic, Attribute: attrGroups, From: now, To: now, Vouched: true})
	}
	for _, s := range u.before {
		all = append(all, action.Transition{
			Resource: s.nic, Attribute: attrGroups, From: u.first.groupsText(s.nic), To: groupText(s.groups),
			Call: callModify, Set: setGroups(s.nic), Vouched: u.vouched,
		})
	}
	if ended := len(u.before) > 0 && !u.returns; ended || len(u.tags) > 0 {
		// Told even where no tags are removed: a fence that other tags, or none, are of is not in force any more.
		tags := action.Transition{
			Resource: u.instance, Attribute: attrBackup, From: u.tagsText(u.first), To: none, Stage: 1,
			Backup: true, MayFail: true, Vouched: true,
			Call: callDeleteTags, Set: action.SetWith(func(ctx context.Context, w Writer, _, _ string) error {
				u.asked = true
				return w.DeleteTags(ctx, u.instance, u.tags)
			}),
		}
		if !ended {
			tags.Attribute = attrLastFence
		}
		all = append(all, tags)
	}
	if u.req.Bool(paramPowerOn) {
		all = append(all, action.Transition{
			Resource: u.instance, Attribute: attrPower, From: u.first.power(), To: on, Stage: 2,
			Call: callStart, Set: setPower(u.instance),
		})
	}
	return all
}

// tagsText is the value of the fence's tags: as a fence tells it, while any that are to be removed are there.
func (u *unfence) tagsText(now reading) string {
	for key, value := range u.tags {
		if have, ok := now.Tags[key]; ok && have == value {
			if u.first.backup == nil {
				return cmp.Or(u.tags[lastFence], leftOver)
			}
			return u.first.backup.text()
		}
	}
	return none
}

func (u *unfence) seen(now reading, transitions []action.Transition) action.Seen {
	s := now.seen(transitions, func(now reading, t action.Transition) string {
		switch t.Attribute {
		case attrBackup, attrLastFence:
			return u.tagsText(now)
		case attrPower:
			return now.power()
		}
		return now.groupsText(t.Resource)
	})
	s.Facts[factTags] = u.left
	return s
}

func (u *unfence) words() action.Words {
	if len(u.before) == 0 {
		return u.wordsOfNothing()
	}
	var gets, has []string
	for _, s := range u.before {
		gets = append(gets, s.nic+" gets "+groupText(s.groups)+" back")
		has = append(has, s.nic+" has "+groupText(s.groups)+" back")
	}
	if u.req.Bool(paramPowerOn) {
		gets, has = append(gets, "then it is started"), append(has, "it starts or runs")
	}
	besides := strings.Join(u.overwrites, ", ")
	if besides != "" {
		besides = ", " + besides
	}
	stays := ""
	for _, nic := range u.untold {
		stays += "; " + nic + " stays as it is, " + u.first.groupsText(nic) +
			": nothing tells what it had before"
	}
	for _, s := range u.gone {
		stays += "; " + s.nic + ", which had " + groupText(s.groups) +
			" before, is not attached any more and not restored"
	}
	return action.Words{
		Would:   "unfence " + u.instance + ": " + strings.Join(gets, ", ") + besides + stays,
		Did:     "unfenced " + u.instance + ": " + strings.Join(has, ", ") + besides + stays,
		Already: u.instance + " is not fenced: " + strings.Join(has, ", ") + stays,
	}
}

// wordsOfNothing tell of an unfence that leaves the interfaces as they are.
func (u *unfence) wordsOfNothing() action.Words {
	var would, did []string
	if len(u.tags) > 0 {
		would = append(would,
			"remove "+lastFence+" from "+u.instance+", which is not fenced as it says")
		did = append(did, lastFence+", which said that "+u.instance+" is fenced, is removed")
	}
	if u.req.Bool(paramPowerOn) {
		would, did = append(would, "start "+u.instance), append(did, u.instance+" starts or runs")
	}
	stay := ", and its interfaces stay as they are"
	return action.Words{
		Would:   strings.Join(would, ", then ") + ", and leave its interfaces as they are",
		Did:     strings.Join(did, ", ") + stay,
		Already: strings.Join(did, ", ") + stay,
	}
}
