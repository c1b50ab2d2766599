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

// free reports whether it has afterwards what it had before all fences. Where nothing tells what
// that was, it is free unless other fences in force left what it has.
func (l leg) free() bool {
	if l.base == "" {
		return len(l.over) == 0
	}
	return l.back.To == l.base
}

func planUnfence(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	u := unfence{
		r: r, req: req, instance: req.Target["instanceRef"], tagless: tagless(req.Parameters),
	}
	var err error
	if u.first, err = read(ctx, r, u.instance); err != nil {
		return u.vanished(err)
	}
	if past := req.Past; past != nil {
		// What an earlier plan of this request found is found again, by this reading.
		past.PutBack = nil
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
		return u.skip(action.NoFacts(u.req, unknown))
	case len(u.legs) == 0 && !power:
		tags := u.instance + " has no tags of a fence in force"
		if u.tagless {
			tags = "the tags of " + u.instance + " are not looked at"
		}
		return u.skip("nothing to restore: "+tags+", and no facts of one are given"+u.otherSets(), nil)
	}
	if err := u.check(ctx); err != nil {
		return nil, err
	}
	u.sweep()
	p, err := u.plan()
	changes := slices.ContainsFunc(u.legs, func(l leg) bool { return l.changes() || !l.fenced() })
	if !changes && u.req.Parameters[factPriorFence] == fenceUnstopped && !power {
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
	case !u.req.NoRecord() || len(u.told()) > 0 || givesBoth(u.req.Parameters):
	case given:
		// A core sends the fence's own parameters: those may be what it is to come back from.
		return "under a key of its own an unfence gives the groups of " + paramExact
	case u.req.Durable && u.req.Parameters[factTimestamp] == "":
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

// told are the interfaces that the facts tell of.
func (u *unfence) told() []string {
	var nics []string
	for key := range u.req.Parameters {
		if nic, ok := strings.CutPrefix(key, factPrior); ok {
			nics = append(nics, nic)
		}
	}
	return nics
}

// at is an interface's groups. Without a record nothing but facts and tags tells of the action, so
// that the fence that the tags are of is the action itself, unless it is off already.
func (u *unfence) at(n ec2model.InstanceInterface) action.At {
	if !u.req.Recorded() && !u.off(n) {
		return groupsOf(n, nil, nil)
	}
	return groupsOf(n, u.first.backup, u.backups)
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
		if kept := u.first.backup.before(n); !u.req.Recorded() || written(u.backups, at, nic) != kept {
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
	p := u.planOf(transitions)
	p.KeepRecord, p.Words = u.req.Bool(paramNoRestore), u.words()
	p.Finally = func(ctx context.Context, writer any, last action.Seen) string {
		return u.endFence(ctx, writer, transitions, last)
	}
	return p, err
}

// planOf makes a plan of transitions, without words.
func (u *unfence) planOf(transitions []action.Transition) *action.Plan {
	return &action.Plan{
		Transitions: transitions,
		Seen:        u.seen(u.first, transitions),
		Read: func(ctx context.Context) (action.Seen, error) {
			now, err := read(ctx, u.r, u.instance)
			return u.seen(now, transitions), err
		},
		Facts: u.facts,
	}
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
	tags := u.untag()
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

// untag is the removal of the fence's tags.
func (u *unfence) untag() action.Transition {
	return action.Transition{
		Resource: u.instance, Attribute: attrBackup, From: u.tagsText(u.first), To: none, Stage: 1,
		Backup: true, MayFail: true, Call: callDeleteTags,
		Set: action.SetWith(func(ctx context.Context, w Writer, _, _ string) error {
			u.asked = true
			return w.DeleteTags(ctx, u.instance, u.tags)
		}),
	}
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
