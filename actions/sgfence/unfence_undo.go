package sgfence

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// undo takes one action back on every interface that its facts or its record tell of.
func (u *unfence) undo() error {
	if past := u.req.Past; past != nil {
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
	return u.missing(u.had())
}

// had is what each interface had before the action, by its record where that changed groups, and
// by the facts.
func (u *unfence) had() map[string]string {
	had := map[string]string{}
	if past := u.req.Past; past != nil {
		for _, own := range past.Own {
			if own.Attribute == attrGroups && own.From != own.To {
				had[own.Resource] = cmp.Or(own.Facts[factPrior+own.Resource], own.From)
			}
		}
	}
	for _, nic := range u.told() {
		had[nic] = u.req.Parameters[factPrior+nic]
	}
	return had
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
		// The groups are those from before, or nothing says that the fence did not leave them.
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
	if l.given || l.aside || l.back.To == l.base {
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
