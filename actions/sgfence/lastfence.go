package sgfence

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
)

// The tag lastfence says that a fence is in force. No answer of an unfence leaves it on what is
// open. Backup tags stay only while they tell what nothing else does.

// set is one whole backup in the tags, whoever wrote it, with its own tags.
type set struct {
	*backup
	tags map[string]string
}

// sets are the whole backups in the tags of an instance, in the order of their times.
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

// adopt takes the backup that the request names for that of lastfence, which an unfence that failed
// part-way removed.
func (u *unfence) adopt() {
	if u.first.own != nil || u.tagless {
		return
	}
	for _, s := range sets(u.instance, u.first.Tags) {
		if s.at == u.req.Parameters[factTimestamp] {
			u.first.backup = s.backup
			u.first.own = action.Merge(s.tags, map[string]string{lastFence: s.at})
		}
	}
}

// otherSets tells of the backups that nothing says are of a fence in force, and that tell otherwise
// than is so.
func (u *unfence) otherSets() string {
	if u.tagless {
		return ""
	}
	told := ""
	for _, s := range sets(u.instance, u.first.Tags) {
		for _, of := range s.of {
			if n, ok := u.first.attached(of.nic); ok && !slices.Equal(n.Groups, of.groups) {
				told += "; backup tags say that " + of.nic + " had " + groupText(of.groups) +
					" before the fence " + s.at + ", which may not be in force any more: " +
					factTimestamp + "=" + s.at + " restores by them"
			}
		}
	}
	return told
}

// sweep finds the tags to remove once every interface is restored. They are lastfence, unless an
// interface is fenced then, and each backup all of which is so then, or is told in the result
// because its interface is gone.
func (u *unfence) sweep() {
	if len(u.legs) == 0 || !slices.ContainsFunc(u.legs, func(l leg) bool { return !l.fenced() }) {
		return
	}
	u.tags = map[string]string{}
	then := u.first.groups()
	for _, l := range u.legs {
		then[l.at.Resource] = l.back.To
	}
	for _, s := range u.gone {
		then[s.nic] = groupText(s.groups)
	}
	at, named := u.first.Tags[lastFence]
	u.returns = named && (slices.ContainsFunc(u.legs, leg.fenced) || u.tagless && u.leadsUnder(then))
	if named && !u.returns {
		u.tags[lastFence] = at
	}
	otherwise := func(s saved) bool { return then[s.nic] != groupText(s.groups) }
	for _, s := range sets(u.instance, u.first.Tags) {
		if u.returns && s.at == at {
			continue
		}
		if !slices.ContainsFunc(s.of, otherwise) {
			maps.Copy(u.tags, s.tags)
		}
	}
	u.left = u.why()
}

// why says why backup tags of the fence that was in force are left; empty when none are.
func (u *unfence) why() string {
	for key := range u.first.own {
		_, goes := u.tags[key]
		switch {
		case goes || key == lastFence:
		case u.first.why != nil:
			return "left, they can't be used: " + u.first.why.Error()
		default:
			return "left: they tell what is not restored"
		}
	}
	return ""
}

// leadsUnder reports whether the fence that lastfence names is in force with these groups, though
// nothing is recorded of it: it was there before the action that is undone, and so its backup does
// not tell what that one left.
func (u *unfence) leadsUnder(groups map[string]string) bool {
	for _, l := range u.legs {
		own, _ := u.req.Own(l.at.Resource, attrGroups)
		left := cmp.Or(u.req.Parameters[factFenced+l.at.Resource], own.To)
		kept, ok := u.first.backup.groupsOf(l.at.Resource)
		tells := func() bool {
			return written(u.backups, u.first.backup.at, l.at.Resource) == groupText(kept)
		}
		if l.given || ok && (groupText(kept) == left || tells()) {
			return false
		}
	}
	return !u.ends && u.first.backup.explains(u.first, groups)
}

// explains reports whether one fence that found what the backup says would have left these groups
// on the interfaces of an instance: it took the same ones from each, or gave each the same.
func (b *backup) explains(now reading, groups map[string]string) bool {
	return b.taken(now, groups) || b.given(now, groups)
}

// taken reports whether each interface lost the same groups, and one of them any.
func (b *backup) taken(now reading, groups map[string]string) bool {
	lost := map[string]bool{}
	for _, n := range now.Interfaces {
		kept, ok := b.groupsOf(n.ID)
		if !ok {
			return false
		}
		for _, g := range kept {
			lost[g] = lost[g] || !slices.Contains(strings.Split(groups[n.ID], ","), g)
		}
	}
	some := false
	for _, n := range now.Interfaces {
		kept, _ := b.groupsOf(n.ID)
		left := slices.DeleteFunc(slices.Clone(kept), func(g string) bool { return lost[g] })
		if groupText(left) != groups[n.ID] {
			return false
		}
		some = some || len(left) < len(kept)
	}
	return some
}

// given reports whether each interface has the same groups, and one of them others than before.
func (b *backup) given(now reading, groups map[string]string) bool {
	some := false
	for _, n := range now.Interfaces {
		if groups[n.ID] != groups[now.Interfaces[0].ID] {
			return false
		}
		kept, ok := b.groupsOf(n.ID)
		some = some || ok && groupText(kept) != groups[n.ID]
	}
	return some
}

// holds reports whether every interface has the groups of the fence that lastfence names, as far
// as tags and records tell.
func (u *unfence) holds() (bool, error) {
	now := u.first
	groups := now.groups()
	for _, n := range now.Interfaces {
		all, err := u.req.History(n.ID, attrGroups)
		if err != nil {
			return false, err
		}
		fences := action.InForce(all)
		wants := func(r action.Recorded) bool { return r.To == groups[n.ID] }
		if len(fences) > 0 && !slices.ContainsFunc(fences, wants) ||
			groups[n.ID] == u.req.Parameters[paramTransition] {
			return false, nil
		}
	}
	return now.backup.explains(now, groups), nil
}

// restoreNothing leaves the interfaces and the backup tags as they are. Only lastfence goes, where
// it is not true.
func (u *unfence) restoreNothing() (*action.Plan, error) {
	if u.first.backup != nil && !u.tagless {
		holds, err := u.holds()
		if err != nil {
			return nil, err
		}
		if !holds {
			u.tags = map[string]string{lastFence: u.first.own[lastFence]}
		}
	}
	if len(u.tags) == 0 && !u.req.Bool(paramPowerOn) {
		return u.skip(u.instance+" is left as it is, as "+paramNoRestore+" asks", nil)
	}
	return u.plan()
}

// open reports whether lastfence is still there and not true: an interface was restored, or there
// was none to restore.
func (u *unfence) open(all []action.Transition, last action.Seen) bool {
	there, restored, whole := false, false, true
	for i, t := range all {
		switch now := last.Values[i]; t.Attribute {
		case attrGroups:
			restored = restored || now != t.From
			whole = whole && now == t.To
		case attrBackup, attrLastFence:
			there = now != none
		}
	}
	b := u.first.backup
	// Where nothing was restored, the groups are those of the first reading.
	return there && (restored || whole || b != nil && !b.explains(u.first, u.first.groups()))
}

// endFence removes lastfence where the transitions did not come to it and it is not true any more,
// and tells what became of it. All other tags stay: they may tell what is still to be restored.
func (u *unfence) endFence(ctx context.Context, writer any, all []action.Transition,
	last action.Seen) string {
	at, ends := u.tags[lastFence]
	if !ends || !u.open(all, last) {
		return ""
	}
	w, ok := writer.(Writer)
	if !ok || u.asked {
		return staysFenced(u.instance, at)
	}
	if err := w.DeleteTags(ctx, u.instance, map[string]string{lastFence: at}); err != nil {
		return staysFenced(u.instance, at)
	}
	now, err := read(ctx, u.r, u.instance)
	if _, still := now.Tags[lastFence]; err != nil || still {
		return staysFenced(u.instance, at)
	}
	return lastFence + " is removed, since " + u.instance + " is not fenced whole any more; " +
		"the backup tags are left, and " + factTimestamp + "=" + at + " restores by them"
}

// staysFenced says that lastfence could not be removed.
func staysFenced(instance, at string) string {
	return "the tag " + lastFence + "=" + at + " is still there and says that " + instance +
		" is fenced, which it is not: remove it"
}
