package sgfence

import (
	"cmp"
	"context"
	"errors"
	"maps"
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
	// tagless unfences do not go by tags.
	tagless bool

	first reading
	// backups is what is recorded of the instance's backup tags.
	backups []action.Recorded
	// legs are the interfaces on their way back, untold those of which nothing tells what they had.
	legs   []leg
	untold []string
	// gone are interfaces that are not attached any more, with what they had.
	gone []saved
	// ends reports whether the unfence ends all fences, and not one action.
	ends bool

	// returns reports whether the fence that lastfence names is in force after the undo.
	returns bool
	// tags are those to remove once every interface is restored; left says why there are others.
	tags map[string]string
	left string
	// asked reports whether their removal was sent.
	asked bool
}

// leg is an interface on its way back.
type leg struct {
	at   action.At
	vpc  string
	back action.Back
	// base is what it had before all fences. It is empty if nothing tells.
	base string
	// given reports whether the request gives the groups.
	given bool
	// over are the keys of other fences in force that left the groups which it has afterwards.
	over []string
	// aside reports whether it has somebody else's groups, which the fence did not change, and
	// keeps them.
	aside bool
}

func (l leg) changes() bool { return l.back.To != l.at.Now }

// fenced reports whether the interface is still fenced afterwards, by another fence. Without
// a record the facts alone tell of it.
func (l leg) fenced() bool {
	return !l.given && !l.free() && (len(l.over) > 0 || !l.back.Known && !l.aside)
}

// free reports whether it has afterwards what it had before all fences, or nothing tells.
func (l leg) free() bool { return l.base == "" || l.back.To == l.base }

func planUnfence(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	u := unfence{
		r: r, req: req, instance: req.Target["instanceRef"], tagless: tagless(req.Parameters),
	}
	var err error
	if u.first, err = read(ctx, r, u.instance); err != nil {
		return u.vanished(err)
	}
	if u.backups, err = req.History(u.instance, attrBackup); err != nil {
		return nil, err
	}
	if req.Bool(paramNoRestore) {
		return u.restoreNothing()
	}
	u.adopt()
	if u.first.State == terminated && len(u.first.Interfaces) == 0 {
		return u.terminated()
	}
	if _, tagged := req.Own(u.instance, attrBackup); req.Recorded() && !tagged {
		u.tagless = true
	}
	return u.restore(ctx)
}

// restore plans to give groups back: to undo one action or, without facts and under a key of its
// own, to end all fences.
func (u *unfence) restore(ctx context.Context) (*action.Plan, error) {
	var err error
	unknown := u.unknown()
	if u.ends = !u.req.Recorded() && len(u.told()) == 0 && unknown == ""; u.ends {
		err = u.end()
	} else {
		err = u.undo()
	}
	power := u.req.Bool(paramPowerOn)
	switch {
	case err != nil:
		return nil, err
	case len(u.legs) == 0 && unknown != "":
		return u.skip(action.Untold(u.req, unknown))
	case len(u.legs) == 0 && !power:
		return u.skip("nothing to restore: "+u.instance+" has no tags of a fence in force, "+
			"and no facts of one are given"+u.otherSets(), nil)
	}
	if err := u.check(ctx); err != nil {
		return nil, err
	}
	u.sweep()
	p, err := u.plan()
	stays := !slices.ContainsFunc(u.legs, func(l leg) bool { return l.changes() || !l.back.Idle })
	if stays && u.req.Parameters[factPriorFence] == fenceUnstopped && !power {
		p.Skip = u.instance + " was fenced before the action: it stays fenced, and stopped; " +
			paramPowerOn + "=true starts it"
	}
	return p, err
}

// unknown says what else would be an answer to an undo whose action nothing tells of: what is
// fenced by tags, or by exact groups, is another action's. It is empty for other requests.
func (u *unfence) unknown() (instead string) {
	given := givesExact(u.req.Parameters)
	switch {
	case !u.req.Orphan() || len(u.told()) > 0 || givesBoth(u.req.Parameters):
	case given:
		// A core sends the fence's own parameters: those may be what it is to come back from.
		return "under a key of its own an unfence gives the groups of " + paramExact
	case u.req.Keeps && u.req.Parameters[factTimestamp] == "":
		return "under a key of its own an unfence goes by the tags"
	}
	return ""
}

// skip plans nothing.
func (u *unfence) skip(why string, err error) (*action.Plan, error) {
	if err != nil {
		return nil, err
	}
	p, err := u.plan()
	p.Skip, p.Transitions = why, nil
	return p, err
}

// told are the interfaces that the facts tell of, in order.
func (u *unfence) told() []string {
	var nics []string
	for key := range u.req.Parameters {
		if nic, ok := strings.CutPrefix(key, factPrior); ok {
			nics = append(nics, nic)
		}
	}
	slices.Sort(nics)
	return nics
}

// undo takes one action back on every interface that its facts or its record tell of.
func (u *unfence) undo() error {
	if past := u.req.Past; past != nil {
		past.PutBack = nil
		keys, err := putBack(u.req, u.first, u.backups)
		if err != nil {
			return err
		}
		past.PutBack = keys
	}
	for _, n := range u.first.Interfaces {
		_, own := u.req.Own(n.ID, attrGroups)
		given := u.given(n)
		told := own || u.req.Parameters[factPrior+n.ID] != "" || given != ""
		l, err := u.undone(n, given)
		switch {
		case told && err != nil:
			return err
		case told || err == nil && (l.back.Again || l.back.Released != ""):
			u.legs = append(u.legs, l)
		default:
			u.untold = append(u.untold, n.ID)
		}
	}
	had := map[string]string{}
	for _, own := range u.ownGroups() {
		had[own.Resource] = cmp.Or(own.Facts[factPrior+own.Resource], own.From)
	}
	for _, nic := range u.told() {
		had[nic] = u.req.Parameters[factPrior+nic]
	}
	return u.missing(had)
}

// ownGroups are what the action recorded of groups that it changed.
func (u *unfence) ownGroups() []action.Recorded {
	if u.req.Past == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(u.req.Past.Own), func(own action.Recorded) bool {
		return own.Attribute != attrGroups || own.From == own.To
	})
}

// missing refuses to go on without an interface that the fence changed and that is not attached,
// unless it is told to.
func (u *unfence) missing(had map[string]string) error {
	var gone []string
	for _, nic := range slices.Sorted(maps.Keys(had)) {
		if _, attached := u.first.attached(nic); !attached {
			gone, u.gone = append(gone, nic), append(u.gone, saved{nic, split(had[nic])})
		}
	}
	switch names := strings.Join(gone, ", "); {
	case len(gone) == 0:
		return nil
	case len(u.legs) == 0:
		return protocol.Refuse(protocol.Drift,
			"%s, which is all that is told of, is not attached to %s: there is nothing to restore; "+
				"look at the ids; nothing was changed", names, u.instance)
	case u.req.Parameters[action.OnDrift.Name] != "restore":
		return protocol.Refuse(protocol.Drift,
			"%s, which the fence changed, is not attached to %s any more; look where it is and what "+
				"groups it has, then undo with onDrift=restore, which restores the others; "+
				"nothing was changed", names, u.instance).With("drift", detached)
	}
	return nil
}

// given are the groups that the request gives an interface by its device index, unless they are
// those of the fence: a core sends the fence's own parameters, too.
func (u *unfence) given(n ec2model.InstanceInterface) string {
	given := u.req.Parameters[exactField.Of(strconv.Itoa(n.Index))]
	if given == "" || givesBoth(u.req.Parameters) {
		return given
	}
	own, recorded := u.req.Own(n.ID, attrGroups)
	after := u.req.Parameters[factFenced+n.ID]
	if given == after || recorded && given == own.To || after == "" && !recorded {
		return ""
	}
	return given
}

// undone decides where the undo of one action leads an interface. An undo never closes what has
// its base, and leads to no group that is only passed through.
func (u *unfence) undone(n ec2model.InstanceInterface, given string) (leg, error) {
	l, err := u.undoOf(n)
	if err != nil {
		return l, err
	}
	switch {
	case l.back.Settled():
	case given != "":
		l.given, l.back.To = true, given
	case l.at.Now == l.base:
		l.back.To = l.at.Now
	case l.changes() && l.back.To == u.via(n.ID) && l.at.Below != nil:
		// The fence below was cut short there, and what it leads to is not known.
		l.back.To, l.back.HeldBy = l.at.Now, []string{l.at.Below.Key}
	}
	if l.over, err = u.fencesOver(l); err != nil || !l.changes() && (l.back.Known || u.off(n)) {
		return l, err
	}
	if l.changes() {
		l.back.Below = l.over
	}
	return l, u.agree(l)
}

// undoOf is what the history and the facts make of the undo of one action.
func (u *unfence) undoOf(n ec2model.InstanceInterface) (leg, error) {
	before, told := u.req.Recorded(), u.toldOf(n)
	l := leg{at: u.at(n), vpc: n.VPCID}
	var err error
	l.back, err = u.req.Undo(l.at, told)
	if !before && u.req.Recorded() {
		// The facts are those of a recorded action.
		l.at = u.at(n)
		l.back, err = u.req.Undo(l.at, told)
	}
	l.base = u.baseOf(n)
	now := l.at.Now
	if isDrift(err) && (now == l.base || !l.back.Known && (told.After == "" || now == u.via(n.ID))) {
		// Nothing tells that the present groups are somebody else's, or they stay.
		l.back, err = u.overDrift().Undo(l.at, told)
		l.back.Overwrites = ""
	}
	l.aside = l.back.Aside ||
		l.back.Stays() && !l.back.Known && !u.repeats() && told.After != now
	return l, err
}

// baseOf is what an interface had before all fences, by the facts of the action, its record, or the
// tags.
func (u *unfence) baseOf(n ec2model.InstanceInterface) string {
	own, recorded := u.req.Own(n.ID, attrGroups)
	told := cmp.Or(u.req.Parameters[factPrior+n.ID], own.Facts[factPrior+n.ID])
	if told == "" && (recorded || u.off(n)) {
		told = u.first.backup.before(n)
	}
	return cmp.Or(told, own.From)
}

// via is the group that an interface passed through on the way to the fence; empty if there was
// none.
func (u *unfence) via(nic string) string {
	own, _ := u.req.Own(nic, attrGroups)
	return cmp.Or(own.Via, u.req.Parameters[paramTransition])
}

// toldOf is what the facts tell of an interface. An action that only repeated a fence, or stopped
// what was fenced, changed no groups.
func (u *unfence) toldOf(n ec2model.InstanceInterface) action.Told {
	after := u.req.Parameters[factFenced+n.ID]
	if u.repeats() {
		after = cmp.Or(after, groupText(n.Groups))
		return action.Told{Before: after, After: after}
	}
	if u.off(n) {
		after = ""
	}
	return action.Told{Before: u.req.Parameters[factPrior+n.ID], After: after}
}

// repeats reports whether the action repeated a fence that was in force, as its facts tell.
func (u *unfence) repeats() bool {
	prior := u.req.Parameters[factPriorFence]
	return prior == fenceSame || prior == fenceUnstopped
}

// at is an interface's groups. Without a record nothing but facts and tags tells of the action, so
// that the fence that the tags are of is the action itself, unless it is off already.
func (u *unfence) at(n ec2model.InstanceInterface) action.At {
	if !u.req.Recorded() && !u.off(n) {
		return groupsOf(n, nil, nil)
	}
	return groupsOf(n, u.first.backup, u.backups)
}

// off reports whether a fence without a record is off an interface already: the tags are of the
// fence below it, by its facts, and the groups are not those that it left.
func (u *unfence) off(n ec2model.InstanceInterface) bool {
	return !u.req.Recorded() && !u.tagless && u.first.backup != nil &&
		u.req.Parameters[factPriorFence] == fenceOther &&
		groupText(n.Groups) != u.req.Parameters[factFenced+n.ID]
}

func isDrift(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.Drift
}

// overDrift is the request, told to restore over what somebody else left.
func (u *unfence) overDrift() action.Request {
	r := u.req
	r.Parameters = maps.Clone(r.Parameters)
	r.Parameters[action.OnDrift.Name] = "restore"
	return r
}

// fencesOver are the keys of other fences in force that left the groups which an undo leads to.
func (u *unfence) fencesOver(l leg) ([]string, error) {
	if l.given || l.aside || l.free() {
		return nil, nil
	}
	own, _ := u.req.Own(l.at.Resource, attrGroups)
	all, err := u.req.History(l.at.Resource, attrGroups)
	var keys []string
	for _, r := range action.InForce(all) {
		if r.Key != own.Key && r.To == l.back.To && !slices.Contains(keys, r.Key) {
			keys = append(keys, r.Key)
		}
	}
	if len(keys) == 0 && l.at.Below != nil {
		keys = append(keys, l.at.Below.Key)
	}
	return keys, err
}

// agree refuses an undo where what tells of the groups before the fence contradicts itself.
func (u *unfence) agree(l leg) error {
	nic := l.at.Resource
	if l.given && givesBoth(u.req.Parameters) {
		return nil
	}
	var exact, tags source
	n, _ := u.first.attached(nic)
	if l.given {
		exact = source{exactField.Of(strconv.Itoa(n.Index)), l.back.To}
	}
	if u.first.own != nil && !u.tagless {
		at := u.first.own[lastFence]
		if named := u.anotherFence(at); named != "" {
			return u.conflict("the facts are of the fence " + named)
		}
		if kept := u.first.backup.before(n); !u.req.Recorded() || !writes(u.backups, at, nic, kept) {
			tags = source{tagsOf(at), kept}
		}
	}
	facts := source{factPrior + nic, u.req.Parameters[factPrior+nic]}
	record := source{"the record", ""}
	if facts.groups == "" {
		record.groups = l.base
	}
	return agree(nic, []source{facts, record, tags, exact})
}

// anotherFence names the fence that is undone, if it is not recorded under that name, or if nothing
// is recorded of the one that lastfence names.
func (u *unfence) anotherFence(last string) string {
	told := u.req.Parameters[factTimestamp]
	var own []action.Recorded
	if past := u.req.Past; past != nil {
		own = slices.DeleteFunc(slices.Clone(past.Own), func(r action.Recorded) bool {
			_, ok := parseBackup(r.To)
			return r.Attribute != attrBackup || !ok
		})
	}
	switch {
	case told != "" && len(own) > 0 && !recordedName(own, told):
		return told
	case told != "" && told != last && !recordedName(u.backups, last):
		return told
	}
	return ""
}

// conflict refuses facts that are at odds with the tags of the fence in force.
func (u *unfence) conflict(why string) error {
	named := lastFence + "=" + u.first.own[lastFence]
	return protocol.Refuse(protocol.Conflict,
		"what is to be undone and the tags of the fence in force (%s) contradict each other: %s; "+
			"unfence by the one or by the other; nothing was changed", named, why).
		With(factTags, named)
}

// end ends all fences of the instance, by the groups that are given, by the record and by the tags.
func (u *unfence) end() error {
	exact, err := u.exact()
	if err != nil {
		return err
	}
	for _, n := range u.first.Interfaces {
		l, told, err := u.ending(n, exact[n.ID])
		switch {
		case err != nil:
			return err
		case told:
			u.legs = append(u.legs, l)
		default:
			u.untold = append(u.untold, n.ID)
		}
	}
	had := map[string]string{}
	if now := u.first; exact == nil && !u.tagless {
		switch at := u.req.Parameters[factTimestamp]; {
		case now.own != nil && at != "" && at != now.own[lastFence]:
			return u.conflict("the facts are of the fence " + at)
		case now.why != nil && len(u.legs) == 0:
			return protocol.Refuse(protocol.Conflict,
				"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; nothing is "+
					"guessed: give the groups with %s or the facts of the fence; nothing was changed",
				u.instance, lastFence, now.own[lastFence], now.why, paramExact)
		case now.backup != nil:
			for _, s := range now.backup.of {
				had[s.nic] = groupText(s.groups)
			}
		}
	}
	return u.missing(had)
}

// exact are the groups that the request gives every interface; nil if it gives none.
func (u *unfence) exact() (map[string][]string, error) {
	if !givesExact(u.req.Parameters) {
		return nil, nil
	}
	if err := u.first.usable(); err != nil {
		return nil, err
	}
	return exactGroups(u.first, u.req.Parameters)
}

// ending decides where the end of all fences leads an interface, and reports whether anything
// tells.
func (u *unfence) ending(n ec2model.InstanceInterface, given []string) (
	l leg, told bool, err error,
) {
	l = leg{
		at: groupsOf(n, u.backup(), u.backups), vpc: n.VPCID,
		given: given != nil, base: groupText(given),
	}
	all, err := u.req.History(n.ID, attrGroups)
	if err != nil {
		return l, false, err
	}
	open := len(action.InForce(all)) > 0
	kept, tagged := u.backup().groupsOf(n.ID)
	named := tagged && recordedName(u.backups, u.backup().at)
	switch {
	case l.given:
	case tagged && l.at.Below == nil && !open:
		// That fence is over, by the record. Only its tags are left.
		l.base = l.at.Now
	case tagged && (!open || u.backup().before(n) != "" && !named):
		l.base, err = baseUnder(u.req, n.ID, kept)
	case open:
		return u.endOf(l)
	default:
		return l, false, nil
	}
	if err == nil {
		l.back, err = u.req.Release(l.at, l.at.Now, l.base)
	}
	return l, true, err
}

// endOf ends what the record tells of, if the tags do not tell otherwise.
func (u *unfence) endOf(l leg) (leg, bool, error) {
	var err error
	if l.back, err = u.req.End(l.at); err != nil {
		return l, true, err
	}
	if l.base = l.back.To; l.at.Below != nil && l.changes() {
		err = agree(l.at.Resource, []source{
			{"the record", l.base}, {tagsOf(u.backup().at), l.at.Below.From},
		})
	}
	return l, true, err
}

// backup is the one to go by; nil without tags.
func (u *unfence) backup() *backup {
	if u.tagless {
		return nil
	}
	return u.first.backup
}

// check refuses groups to restore that can't be given.
func (u *unfence) check(ctx context.Context) error {
	var needs []need
	for _, l := range u.legs {
		if !l.changes() {
			continue
		}
		for _, g := range split(l.back.To) {
			needs = append(needs, need{g, l.vpc})
		}
	}
	return checkGroups(ctx, u.r, u.first, needs)
}

func (u *unfence) plan() (*action.Plan, error) {
	transitions, err := u.transitions()
	return &action.Plan{
		Leaves:      u.req.Bool(paramNoRestore),
		Transitions: transitions,
		Seen:        u.seen(u.first, transitions),
		Read: func(ctx context.Context) (action.Seen, error) {
			now, err := read(ctx, u.r, u.instance)
			return u.seen(now, transitions), err
		},
		Facts: u.facts,
		Finally: func(ctx context.Context, writer any, last action.Seen) string {
			return u.endFence(ctx, writer, transitions, last)
		},
		Words: u.words(),
	}, err
}

// transitions are the groups, the tags and the power, each only once what is before it was read
// back. What fails after the groups are restored can't leave tags that say "fenced".
func (u *unfence) transitions() ([]action.Transition, error) {
	var all []action.Transition
	for _, l := range u.legs {
		all = append(all, action.Transition{
			Resource: l.at.Resource, Attribute: attrGroups, From: l.at.Now, To: l.back.To, Back: &l.back,
			Call: callModify, Set: setGroups(l.at.Resource),
		})
	}
	tags := action.Transition{
		Resource: u.instance, Attribute: attrBackup, From: u.tagsText(u.first), To: none, Stage: 1,
		Backup: true, MayFail: true, Call: callDeleteTags, Set: u.removeTags(),
	}
	power := action.Transition{
		Resource: u.instance, Attribute: attrPower, From: u.first.power(), To: u.first.power(),
		Stage: 2, Call: callStart, Set: setPower(u.instance),
	}
	if u.req.Bool(paramPowerOn) {
		power.To = on
	}
	if len(u.legs) == 0 {
		tags.Attribute = attrLastFence
	}
	rest := []action.Transition{tags, power}
	for _, s := range u.gone {
		rest = append(rest, action.Transition{
			Resource: s.nic, Attribute: attrGroups, From: detached, To: detached,
		})
	}
	for _, t := range rest {
		back, err := u.release(t)
		if err != nil {
			return nil, err
		}
		if t.Back = back; t.Back != nil || t.From != t.To {
			all = append(all, t)
		}
	}
	return all, nil
}

// release ends what is recorded of an attribute by the fences that the unfence ends; nil if it
// ends none.
func (u *unfence) release(t action.Transition) (*action.Back, error) {
	all, err := u.req.History(t.Resource, t.Attribute)
	if err != nil || !u.ends || len(u.legs) == 0 || len(action.InForce(all)) == 0 {
		return nil, err
	}
	at := action.At{Resource: t.Resource, Attribute: t.Attribute, Now: t.From}
	back, err := u.req.Release(at, t.From, t.To)
	return &back, err
}

func (u *unfence) removeTags() action.SetFunc {
	return action.SetWith(func(ctx context.Context, w Writer, _, _ string) error {
		u.asked = true
		return w.DeleteTags(ctx, u.instance, u.tags)
	})
}

// tagsText is the value of the fence's tags: as a fence tells it, while any that are to be removed
// are there.
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

// facts tell what is restored and what can't be.
func (u *unfence) facts(_ []action.Transition, seen action.Seen) map[string]string {
	facts := map[string]string{}
	for i, l := range u.legs {
		if i < len(seen.Values) && seen.Values[i] == l.back.To && !l.fenced() && !l.aside {
			facts[factRestored+l.at.Resource] = l.back.To
		}
	}
	for _, s := range u.gone {
		facts[factPrior+s.nic] = groupText(s.groups)
	}
	return action.Merge(facts, seen.Facts)
}

func (u *unfence) words() action.Words {
	if len(u.legs) == 0 {
		return u.wordsOfNothing()
	}
	var gets, has []string
	besides := ""
	for _, l := range u.legs {
		nic, groups := l.at.Resource, l.back.To
		switch {
		case l.aside:
			keeps := nic + " keeps " + groups + ", which somebody else gave it"
			gets, has = append(gets, keeps), append(has, keeps)
		case !l.fenced():
			gets = append(gets, nic+" gets "+groups+" back")
			has = append(has, nic+" has "+groups+" back")
		case l.changes():
			by := ", as the fence below it left it (" + strings.Join(l.back.Below, ", ") + ")"
			gets, has = append(gets, nic+" gets "+groups+by), append(has, nic+" has "+groups+by)
		default:
			gets, has = append(gets, nic+" stays fenced"), append(has, nic+" stays fenced")
		}
		if l.back.Overwrites != "" {
			besides += ", instead of " + l.back.Overwrites + " on " + nic
		}
	}
	if u.req.Bool(paramPowerOn) {
		gets, has = append(gets, "then it is started"), append(has, "it starts or runs")
	}
	for _, nic := range u.untold {
		besides += "; " + nic + " stays as it is, " + u.first.groupsText(nic) +
			": nothing tells what it had before"
	}
	for _, s := range u.gone {
		besides += "; " + s.nic + ", which had " + groupText(s.groups) +
			" before, is not attached any more and not restored"
	}
	did, already := "unfenced "+u.instance+": ", u.instance+" is not fenced: "
	if slices.ContainsFunc(u.legs, leg.fenced) {
		did, already = "took the fence off "+u.instance+": ", u.instance+" is fenced by another: "
	}
	return action.Words{
		Would:   "unfence " + u.instance + ": " + strings.Join(gets, ", ") + besides,
		Did:     did + strings.Join(has, ", ") + besides,
		Already: already + strings.Join(has, ", ") + besides,
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
