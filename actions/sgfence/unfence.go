package sgfence

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
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
	// tags are those to remove once every interface is restored; left says why there are others.
	tags map[string]string
	left string
	// vouched tells that what is restored is not from before this action but from before an
	// earlier one, by the tags or by the facts.
	vouched bool
	// undo tells that before comes from the facts of one action, and nothing but that one is undone.
	undo bool
	// overwrites tells what is there instead of what the fence left, by interface.
	overwrites []string
}

func planUnfence(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	u := unfence{r: r, req: req, instance: req.Target["instanceRef"]}
	switch {
	case req.Parameters[factPriorFence] == fenceSame:
		return skip(u.instance+" was fenced before the action: it stays fenced", false), nil
	case req.Bool(paramNoRestore) && !req.Bool(paramPowerOn):
		return skip(u.instance+" is left as it is, as "+paramNoRestore+" asks", true), nil
	}
	var err error
	if u.first, err = read(ctx, r, u.instance); err != nil {
		return nil, err
	}
	if !req.Bool(paramNoRestore) {
		if err := u.find(); err != nil {
			return nil, err
		}
		if len(u.before) == 0 && !req.Bool(paramPowerOn) {
			return skip("nothing to restore: "+u.instance+" has no tags of a fence, and no facts of one are given", false), nil
		}
		if err := u.decide(ctx); err != nil {
			return nil, err
		}
	}
	return u.plan(), nil
}

func skip(why string, leaves bool) *action.Plan {
	return &action.Plan{
		Restores: true, Skip: why, Leaves: leaves,
		Facts: func([]action.Transition, action.Seen) map[string]string { return nil },
	}
}

// find tells what was there before: by the facts of the action, by the groups given for each interface, by
// the tags of the fence in force, or by the record of the action.
func (u *unfence) find() error {
	facts, err := u.facts()
	if err != nil {
		return err
	}
	switch now := u.first; {
	case facts != nil:
		return u.byFacts(facts)
	case givesExact(u.req.Parameters):
		return u.byIndex()
	case now.own != nil && u.req.Parameters[factTimestamp] != "" && u.req.Parameters[factTimestamp] != now.own[lastFence]:
		return u.conflict("the facts are of the fence " + u.req.Parameters[factTimestamp])
	case now.why != nil:
		return action.Refuse(protocol.Conflict,
			"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; nothing is guessed: give the groups with %s or the facts of the fence; nothing was changed",
			u.instance, lastFence, now.own[lastFence], now.why, paramExact)
	case now.backup != nil:
		u.before, u.tags, u.vouched = now.backup.of, now.own, true
	default:
		u.byRecord()
	}
	return nil
}

// byRecord restores what the action recorded that this request undoes, where its facts were lost.
func (u *unfence) byRecord() {
	for _, n := range u.first.Interfaces {
		if r, ok := u.req.Record(n.ID, attrGroups); ok && r.From != r.To {
			u.before, u.undo = append(u.before, saved{n.ID, strings.Split(r.From, ",")}), true
		}
	}
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
		if given != "" && given != groupText(s.groups) && fenced != "" && given != fenced {
			return nil, action.Refuse(protocol.Conflict, "%s says that %s gets %s, %s%s that it had %s: which is right is not for the executor to say; nothing was changed",
				key, s.nic, given, factPrior, s.nic, groupText(s.groups))
		}
	}
	return all, nil
}

// byFacts restores what the facts tell, unless the tags of the fence in force tell otherwise.
func (u *unfence) byFacts(facts []saved) error {
	now, at := u.first, u.req.Parameters[factTimestamp]
	u.before, u.undo = facts, u.req.Parameters[factPriorFence] != fenceOther
	u.vouched = !u.undo
	switch {
	case now.own == nil:
		return nil
	case at != "" && at != now.own[lastFence]:
		return u.conflict("the facts are of the fence " + at)
	case errors.Is(now.why, errGone) && at != "":
		u.tags = now.own
		return nil
	case now.why != nil:
		u.left = "left, they can't be used: " + now.why.Error()
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
	u.before, u.tags, u.vouched = now.backup.of, now.own, true
	return nil
}

// conflict refuses facts that are at odds with the tags of the fence in force.
func (u *unfence) conflict(why string) error {
	named := lastFence + "=" + u.first.own[lastFence]
	return action.Refuse(protocol.Conflict,
		"the facts given and the tags of the fence in force (%s) contradict each other: %s; unfence by the one or by the other; nothing was changed",
		named, why).With(factTags, named)
}

// byIndex restores the groups given for each interface; tags have no part in that.
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
	if u.first.own != nil {
		u.left = "left: " + paramExact + " does not use them"
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
		if !ok {
			gone = append(gone, s.nic)
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
		if u.req.Parameters[action.OnDrift.Name] != "restore" {
			return action.Refuse(protocol.Drift,
				"%s, which the fence changed, is not attached to %s any more; look where it is and what groups it has, then undo with onDrift=restore, which restores the others and leaves the tags; nothing was changed",
				strings.Join(gone, ", "), u.instance).With("drift", detached)
		}
		u.left, u.tags = "left: "+strings.Join(gone, ", ")+" is not attached any more, and not restored", nil
	}
	u.before = here
	return checkGroups(ctx, u.r, u.first, needs)
}

// threeStates refuses groups that neither the fence left nor were there before. What the fence left is not
// known for every fence; then nothing is amiss.
func (u *unfence) threeStates(s saved) (overwrites string, err error) {
	now := u.first.groupsText(s.nic)
	after := u.req.Parameters[factFenced+s.nic]
	if after == "" && u.undo {
		recorded, _ := u.req.Record(s.nic, attrGroups)
		after = recorded.To
	}
	if after == "" || now == u.req.Parameters[paramTransition] {
		return "", nil
	}
	return action.Restore(u.req, "the security groups of "+s.nic, groupText(s.groups), after, now)
}

func (u *unfence) plan() *action.Plan {
	var transitions []action.Transition
	for _, s := range u.before {
		transitions = append(transitions, action.Transition{
			Resource: s.nic, Attribute: attrGroups, From: u.first.groupsText(s.nic), To: groupText(s.groups),
			Call: callModify, Set: setGroups(s.nic), Vouched: u.vouched,
		})
	}
	if u.req.Bool(paramPowerOn) {
		transitions = append(transitions, action.Transition{
			Resource: u.instance, Attribute: attrPower, From: u.first.power(), To: on, Stage: 1, Call: callStart, Set: setPower(u.instance),
		})
	}
	if len(u.tags) > 0 {
		transitions = append(transitions, action.Transition{
			Resource: u.instance, Attribute: attrTags, From: u.tags[lastFence], To: none, Stage: 2, MayFail: true, Call: callDeleteTags,
			Set: action.SetWith(func(ctx context.Context, w Writer, _, _ string) error {
				return w.DeleteTags(ctx, u.instance, u.tags)
			}),
		})
	}
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
				if t[i].Attribute == attrGroups && seen.Values[i] == t[i].To {
					facts[factRestored+t[i].Resource] = t[i].To
				}
			}
			return action.Merge(facts, seen.Facts)
		},
		Words: u.words(),
	}
}

func (u *unfence) seen(now reading, transitions []action.Transition) action.Seen {
	s := now.seen(transitions, func(now reading, t action.Transition) string {
		switch t.Attribute {
		case attrTags:
			for key, value := range u.tags {
				if have, ok := now.Tags[key]; ok && have == value {
					return u.tags[lastFence]
				}
			}
			return none
		case attrPower:
			return now.power()
		}
		return now.groupsText(t.Resource)
	})
	s.Facts[factTags] = u.left
	return s
}

func (u *unfence) words() action.Words {
	var gets, has []string
	for _, s := range u.before {
		gets = append(gets, s.nic+" gets "+groupText(s.groups)+" back")
		has = append(has, s.nic+" has "+groupText(s.groups)+" back")
	}
	if u.req.Bool(paramPowerOn) {
		gets, has = append(gets, "then it is started"), append(has, "it starts or runs")
	}
	w := action.Words{
		Would:   "unfence " + u.instance + ": " + strings.Join(gets, ", "),
		Did:     "unfenced " + u.instance + ": " + strings.Join(has, ", "),
		Already: u.instance + " is not fenced: " + strings.Join(has, ", "),
	}
	if over := strings.Join(u.overwrites, ", "); over != "" {
		w.Would += ", " + over
		w.Did += ", " + over
	}
	return w
}
