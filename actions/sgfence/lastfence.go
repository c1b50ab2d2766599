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

// adopt finds the backup to restore by where an unfence that failed part-way removed lastfence. It
// is the one that the request names, else the one whose fence is on record and still in force on an
// interface.
func (u *unfence) adopt() error {
	if u.first.own != nil || u.tagless {
		return nil
	}
	named := u.req.Parameters[factTimestamp]
	for _, s := range sets(u.instance, u.first.Tags) {
		adopted := s.at == named
		if named == "" {
			var err error
			if adopted, err = u.holds(s.backup); err != nil {
				return err
			}
		}
		if adopted {
			u.first.backup = s.backup
			u.first.own = action.Merge(s.tags, map[string]string{lastFence: s.at})
		}
	}
	return nil
}

// holds reports whether the fence of a backup is on record under another key, and an interface
// still has what it left.
func (u *unfence) holds(b *backup) (bool, error) {
	tagged, err := u.req.Others(u.instance, attrBackup)
	if err != nil {
		return false, err
	}
	var keys []string
	for _, t := range tagged {
		if recorded, ok := parseBackup(t.To); ok && !t.Gone && recorded.at == b.at {
			keys = append(keys, t.Key)
		}
	}
	for _, s := range b.of {
		changes, err := u.req.Others(s.nic, attrGroups)
		if err != nil {
			return false, err
		}
		now := u.first.groupsText(s.nic)
		left := func(c action.Recorded) bool {
			return slices.Contains(keys, c.Key) && !c.Gone && c.Has(now)
		}
		if now != groupText(s.groups) && slices.ContainsFunc(changes, left) {
			return true, nil
		}
	}
	return false, nil
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

// sweep finds the tags to remove once every interface is restored. They are lastfence, unless its
// fence is in force then, and each backup all of which is so then, or is told in the result because
// its interface is gone.
func (u *unfence) sweep() {
	u.tags = map[string]string{}
	then := u.first.groups()
	for _, s := range slices.Concat(u.before, u.gone) {
		then[s.nic] = groupText(s.groups)
	}
	at, fenced := u.first.Tags[lastFence]
	u.returns = fenced && u.under && u.leadsUnder(then)
	if fenced && !u.returns {
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

// leadsUnder reports whether the fence that lastfence names is in force again with these groups: it
// was there before the action that is undone, and so its backup does not tell what that one left.
func (u *unfence) leadsUnder(groups map[string]string) bool {
	for _, s := range u.before {
		recorded, _ := u.req.Record(s.nic, attrGroups)
		left := cmp.Or(u.req.Parameters[factFenced+s.nic], recorded.To)
		if kept, ok := u.first.backup.groupsOf(s.nic); ok && groupText(kept) == left {
			return false
		}
	}
	return u.first.backup.explains(u.first, groups)
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

// inForce reports whether every interface has the groups of the fence that lastfence names, as far
// as tags and records tell.
func (u *unfence) inForce() (bool, error) {
	now := u.first
	groups := now.groups()
	for _, n := range now.Interfaces {
		k, err := recall(u.req, now, n.ID)
		if err != nil {
			return false, err
		}
		fences := func(r action.Recorded) bool { return r.To == groups[n.ID] }
		if len(k.recorded) > 0 && !slices.ContainsFunc(k.recorded, fences) ||
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

// open reports whether lastfence is still there and not true: an interface was restored, or there
// was none to restore.
func (u *unfence) open(all []action.Transition, last action.Seen) bool {
	there, restored, whole := false, false, true
	groups := u.first.groups()
	for i, t := range all {
		switch now := last.Values[i]; t.Attribute {
		case attrGroups:
			groups[t.Resource] = now
			restored = restored || now != t.From
			whole = whole && now == t.To
		case attrBackup, attrLastFence:
			there = now != none
		}
	}
	b := u.first.backup
	return there && (restored || whole || b != nil && !b.explains(u.first, groups))
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
