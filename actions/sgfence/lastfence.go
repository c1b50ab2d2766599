package sgfence

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
)

// The tag lastfence says that a fence is in force. No answer of an unfence leaves it on what is open, and backup tags
// stay only while they tell what nothing else does.

// set is one whole backup in the tags, whoever wrote it, with its own tags.
type set struct {
	*backup
	tags map[string]string
}

// sets are the whole backups in the tags of an instance, by their times.
func sets(instance string, tags map[string]string) []set {
	var times []string
	for key := range tags {
		part, ok := strings.CutPrefix(key, backupPrefix+instance+"_")
		if at, _, _ := strings.Cut(part, "_"); ok && !slices.Contains(times, at) {
			times = append(times, at)
		}
	}
	slices.Sort(times)
	var all []set
	for _, at := range times {
		b, own, err := readBackup(instance, action.Merge(tags, map[string]string{lastFence: at}))
		if err != nil {
			continue
		}
		delete(own, lastFence)
		all = append(all, set{b, own})
	}
	return all
}

// adopt takes the backup for that of the fence in force which an unfence that failed part-way left without its lastfence:
// the one that the request names, or one whose fence is on record and still holds an interface.
func (u *unfence) adopt() error {
	if u.first.own != nil || u.tagless {
		return nil
	}
	for _, s := range sets(u.instance, u.first.Tags) {
		if u.req.Parameters[factTimestamp] != s.at {
			holds, err := u.holds(s.backup)
			if err != nil {
				return err
			}
			if !holds || u.req.Parameters[factTimestamp] != "" {
				continue
			}
		}
		u.first.backup, u.first.own = s.backup, action.Merge(s.tags, map[string]string{lastFence: s.at})
	}
	return nil
}

// holds reports whether the fence of a backup is on record under another key and an interface still has what it left.
func (u *unfence) holds(b *backup) (bool, error) {
	tagged, err := u.req.Others(u.instance, attrBackup)
	if err != nil {
		return false, err
	}
	for _, s := range b.of {
		now := u.first.groupsText(s.nic)
		changes, err := u.req.Others(s.nic, attrGroups)
		if err != nil {
			return false, err
		}
		for _, c := range changes {
			if c.Gone || !c.Has(now) || now == groupText(s.groups) {
				continue
			}
			for _, t := range tagged {
				if recorded, ok := parseBackup(t.To); ok && t.Key == c.Key && !t.Gone && recorded.at == b.at {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// otherSets tells of the backups that nothing says are of a fence in force, and that tell otherwise than is so.
func (u *unfence) otherSets() string {
	if u.tagless {
		return ""
	}
	told := ""
	for _, s := range sets(u.instance, u.first.Tags) {
		for _, of := range s.of {
			if n, ok := u.first.attached(of.nic); ok && !slices.Equal(n.Groups, of.groups) {
				told += "; backup tags say that " + of.nic + " had " + groupText(of.groups) + " before the fence " + s.at +
					", which may not be in force any more: " + factTimestamp + "=" + s.at + " restores by them"
			}
		}
	}
	return told
}

// sweep finds the tags to remove once every interface is restored: lastfence, unless its fence is in force then, and each
// backup of which every interface has what it says, or is gone and told of in the result.
func (u *unfence) sweep() {
	u.tags = map[string]string{}
	after := u.first.groups()
	for _, s := range slices.Concat(u.before, u.gone) {
		after[s.nic] = groupText(s.groups)
	}
	at, fenced := u.first.Tags[lastFence]
	u.returns = fenced && u.under && u.leadsUnder(after)
	if fenced && !u.returns {
		u.tags[lastFence] = at
	}
	for _, s := range sets(u.instance, u.first.Tags) {
		if u.returns && s.at == at {
			continue
		}
		if !slices.ContainsFunc(s.of, func(of saved) bool { return after[of.nic] != groupText(of.groups) }) {
			maps.Copy(u.tags, s.tags)
		}
	}
	u.left = u.why()
}

// why says why backup tags of the fence that was in force are left.
func (u *unfence) why() string {
	now := u.first
	for key := range now.own {
		_, goes := u.tags[key]
		switch {
		case goes || key == lastFence:
		case now.why != nil:
			return "left, they can't be used: " + now.why.Error()
		default:
			return "left: they tell what is not restored"
		}
	}
	return ""
}

// leadsUnder reports whether the fence that lastfence names is in force again with these groups: it was there before the
// action that is undone, and its backup does not tell of that action.
func (u *unfence) leadsUnder(after map[string]string) bool {
	b := u.first.backup
	for _, s := range u.before {
		recorded, _ := u.req.Record(s.nic, attrGroups)
		fenced := cmp.Or(u.req.Parameters[factFenced+s.nic], recorded.To)
		if kept, ok := b.groupsOf(s.nic); ok && groupText(kept) == fenced {
			return false
		}
	}
	return b.explains(u.first, after)
}

// explains reports whether one fence that found what the backup says would have left these groups on the interfaces of an
// instance: the same ones taken from each, or the same ones given to each.
func (b *backup) explains(now reading, groups map[string]string) bool {
	removed, changed, taken, same := map[string]bool{}, false, true, true
	for _, n := range now.Interfaces {
		kept, ok := b.groupsOf(n.ID)
		taken = taken && ok
		same = same && groups[n.ID] == groups[now.Interfaces[0].ID]
		changed = changed || ok && groups[n.ID] != groupText(kept)
		for _, g := range kept {
			removed[g] = removed[g] || !slices.Contains(strings.Split(groups[n.ID], ","), g)
		}
	}
	for _, n := range now.Interfaces {
		kept, _ := b.groupsOf(n.ID)
		left := slices.DeleteFunc(slices.Clone(kept), func(g string) bool { return removed[g] })
		taken = taken && groupText(left) == groups[n.ID]
	}
	return changed && (taken || same)
}

// inForce reports whether every interface has the groups of the fence that lastfence names, as far as tags and records tell.
func (u *unfence) inForce() (bool, error) {
	now := u.first
	groups := now.groups()
	for _, n := range now.Interfaces {
		k, err := recall(u.req, now, n.ID)
		if err != nil {
			return false, err
		}
		left := func(r action.Recorded) bool { return r.To == groups[n.ID] }
		if groups[n.ID] == u.req.Parameters[paramTransition] || len(k.recorded) > 0 && !slices.ContainsFunc(k.recorded, left) {
			return false, nil
		}
	}
	return now.backup.explains(now, groups), nil
}

// restoreNothing leaves the interfaces and the backup tags as they are. Only lastfence goes, where it is not true.
func (u *unfence) restoreNothing() (*action.Plan, error) {
	if u.first.backup != nil && !u.tagless {
		holds, err := u.inForce()
		if err != nil {
			return nil, err
		}
		if !holds {
			u.tags = map[string]string{lastFence: u.first.own[lastFence]}
		}
	}
	if len(u.tags) == 0 && !u.req.Bool(paramPowerOn) {
		return u.skip(u.instance + " is left as it is, as " + paramNoRestore + " asks"), nil
	}
	return u.plan(), nil
}

// open reports whether lastfence is there and not true: an interface was restored, or there was none to restore.
func (u *unfence) open(all []action.Transition, last action.Seen) bool {
	there, open, whole := false, false, true
	groups := map[string]string{}
	for i, t := range all {
		switch now := last.Values[i]; t.Attribute {
		case attrGroups:
			groups[t.Resource] = now
			open = open || now != t.From
			whole = whole && now == t.To
		case attrBackup, attrLastFence:
			there = now != none
		}
	}
	half := u.first.backup != nil && !u.first.backup.explains(u.first, action.Merge(u.first.groups(), groups))
	return there && (open || whole || half)
}

// endFence removes lastfence where the transitions did not come to it and an interface is not fenced any more, and tells
// what became of it. All other tags stay: they may tell what an interface is still to get back.
func (u *unfence) endFence(ctx context.Context, writer any, all []action.Transition, last action.Seen) string {
	at, ends := u.tags[lastFence]
	if !ends || !u.open(all, last) {
		return ""
	}
	stays := "the tag " + lastFence + "=" + at + " is still there, and says that " + u.instance + " is fenced, which it is not: remove it"
	w, ok := writer.(Writer)
	if !ok || u.asked {
		return stays
	}
	if err := w.DeleteTags(ctx, u.instance, map[string]string{lastFence: at}); err != nil {
		return stays
	}
	now, err := read(ctx, u.r, u.instance)
	if _, still := now.Tags[lastFence]; err != nil || still {
		return stays
	}
	return lastFence + " is removed, since " + u.instance + " is not fenced whole any more; " +
		"the backup tags are left, and " + factTimestamp + "=" + at + " restores by them"
}
