package sgfence

import (
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

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
	var had map[string]string
	if now := u.first; exact == nil && !u.tagless {
		switch at := u.req.Parameters[factTimestamp]; {
		case now.own != nil && at != "" && at != now.own[lastFence]:
			return u.conflict("the facts are of the fence " + at)
		case now.why != nil && len(u.legs) == 0:
			return protocol.Refuse(protocol.Conflict,
				"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; nothing is "+
					"guessed: give the groups with %s or the facts of the fence; nothing was changed",
				u.instance, lastFence, now.own[lastFence], now.why, paramExact)
		}
		had = now.backup.groups()
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
		return u.endOf(l, groupText(kept))
	default:
		return l, false, nil
	}
	if err == nil {
		l.back, err = u.req.Release(l.at, l.at.Now, l.base)
	}
	return l, true, err
}

// endOf ends what the record tells of, if the tags, by which the interface had what is kept, do not
// tell otherwise.
func (u *unfence) endOf(l leg, kept string) (leg, bool, error) {
	var err error
	if l.back, err = u.req.End(l.at); err != nil {
		return l, true, err
	}
	l.base = l.back.To
	nic, tags := l.at.Resource, u.backup()
	if kept != "" && l.changes() && written(u.backups, tags.at, nic) != kept {
		err = agree(nic, []source{{"the record", l.base}, {tagsOf(tags.at), kept}})
	}
	return l, true, err
}
