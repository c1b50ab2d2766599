package sgfence

import (
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// known is what is known of an interface's groups before now.
type known struct {
	nic string
	// kept are those of the backup, from before the fences in force; nil when it does not have the interface.
	kept []string
	// recorded are the changes to them under this key and, the latest first, under others.
	recorded []action.Recorded
}

// recall finds the records of an interface. Another key's is of no use once what it left was taken away, or the tags
// that it wrote are gone: that fence was put back, by whomever, and what it left is what is there by chance.
func recall(req action.Request, now reading, nic string) (known, error) {
	all, err := req.Others(nic, attrGroups)
	if err != nil {
		return known{}, err
	}
	gone, err := putBack(req, now)
	all = slices.DeleteFunc(all, func(r action.Recorded) bool { return r.Gone || slices.Contains(gone, r.Key) })
	if own, ok := req.Record(nic, attrGroups); ok {
		all = append([]action.Recorded{own}, all...)
	}
	return known{nic: nic, recorded: slices.DeleteFunc(all, func(r action.Recorded) bool { return r.From == r.To })}, err
}

// putBack are the keys of fences that wrote tags which are not those of the fence in force.
func putBack(req action.Request, now reading) ([]string, error) {
	tagged, err := req.Others(now.ID, attrBackup)
	if err != nil {
		return nil, err
	}
	tagless, err := req.Others(now.ID, attrTagless)
	var keys []string
	for _, r := range tagged {
		b, ok := parseBackup(r.To)
		if ok && b.at != now.own[lastFence] && !slices.ContainsFunc(tagless, func(t action.Recorded) bool { return t.Key == r.Key }) {
			keys = append(keys, r.Key)
		}
	}
	return keys, err
}

// trail are the recorded changes that led to some groups, the last one first.
func (k known) trail(now string) []action.Recorded {
	left := slices.Clone(k.recorded)
	var trail []action.Recorded
	for {
		i := slices.IndexFunc(left, func(r action.Recorded) bool { return r.Has(now) })
		if i < 0 {
			return trail
		}
		trail, now = append(trail, left[i]), left[i].From
		left = slices.Delete(left, i, i+1)
	}
}

// before are the groups that an interface which now has some had at any time before, the earliest last.
func (k known) before(now string) [][]string {
	var all [][]string
	for _, r := range k.trail(now) {
		all = append(all, strings.Split(r.From, ","))
	}
	if k.kept != nil {
		all = append(all, k.kept)
	}
	return all
}

// base are the groups from before all fences in force; nil when nothing tells them.
func (k known) base(now string) []string {
	first, trail := k.beginnings(now), k.trail(now)
	switch {
	case k.kept == nil && len(first) == 1:
		return strings.Split(first[0], ",")
	case k.kept == nil && len(first) == 0 && len(trail) > 0 && trail[0].Facts[factPrior+k.nic] != "":
		// Tried again over another that was over it, a fence records no more what was before both. It told.
		return strings.Split(trail[0].Facts[factPrior+k.nic], ",")
	}
	if all := k.before(now); len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// beginnings are the groups that recorded changes lead from to those of now, and that none leads to. There is one
// even where fences went to and fro between the same groups, which leaves open how.
func (k known) beginnings(now string) []string {
	var first []string
	reached := []string{now}
	for i := 0; i < len(reached); i++ {
		from := slices.Clone(k.recorded)
		from = slices.DeleteFunc(from, func(r action.Recorded) bool { return !r.Has(reached[i]) })
		if i > 0 && len(from) == 0 {
			first = append(first, reached[i])
		}
		for _, r := range from {
			if !slices.Contains(reached, r.From) {
				reached = append(reached, r.From)
			}
		}
	}
	return first
}

// know finds what the tags and the records know of each interface, and whether the tags are of any use.
func (f *fence) know() error {
	f.have, f.unused, f.known = f.first.backup, f.first.why, map[string]known{}
	if f.tagless {
		f.have, f.unused = nil, nil
	}
	if f.unused == errGone {
		f.unused = nil
	}
	for _, n := range f.first.Interfaces {
		k, err := recall(f.req, f.first, n.ID)
		if err != nil {
			return err
		}
		f.known[n.ID] = k
	}
	var err error
	if f.tagged, err = f.req.Others(f.instance, attrBackup); err != nil {
		return err
	}
	if f.have != nil {
		if f.unused = f.strange(f.keysOf(f.have.at)); f.unused != nil {
			f.have = nil
		}
	}
	if f.before = f.have; f.before == nil {
		f.before = f.recorded()
	}
	for nic, k := range f.known {
		k.kept, _ = f.before.groupsOf(nic)
		f.known[nic] = k
	}
	return nil
}

// keysOf are the keys under which the fence of this name is recorded.
func (f *fence) keysOf(at string) []string {
	keys := f.othersOf(at)
	if b, ok := parseBackup(f.own().To); ok && b.at == at {
		keys = append(keys, f.own().Key)
	}
	return keys
}

// othersOf are those of them that are not this request's.
func (f *fence) othersOf(at string) []string {
	var keys []string
	for _, r := range f.tagged {
		if b, ok := parseBackup(r.To); ok && b.at == at {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// own is the backup that an earlier attempt under this key recorded.
func (f *fence) own() action.Recorded {
	own, _ := f.req.Record(f.instance, attrBackup)
	return own
}

// strange tells why the backup is not of a fence in force: an interface has groups that no fence known leaves it,
// while the fence is in a record, which knows what it left, or is not on all of its interfaces. They were put there by
// hand since, and are what was there before the next fence.
func (f *fence) strange(keys []string) error {
	var by *ec2model.InstanceInterface
	for i, n := range f.first.Interfaces {
		if kept, ok := f.have.groupsOf(n.ID); ok && !f.leads(kept, n, keys) {
			by = &f.first.Interfaces[i]
		}
	}
	if by == nil {
		return nil
	}
	why := ""
	if len(keys) > 0 {
		why = "which that fence did not leave it"
	}
	for _, s := range f.have.of {
		switch n, attached := f.first.attached(s.nic); {
		case !attached:
			why = "and " + s.nic + " is not attached any more"
		case slices.Equal(n.Groups, s.groups) && !slices.Equal(n.Groups, by.Groups):
			why = "and " + s.nic + " what it had before the fence"
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%s has %s, %s; unfence first if it is fenced, remove the tag %s if it is not", by.ID, groupText(by.Groups), why, lastFence)
}

// leads tells whether an interface that had some groups has now what a fence may have left it: none of its own
// making, or fewer of them, what a record led to or one under these keys began with, or what this fence makes of it.
func (f *fence) leads(before []string, n ec2model.InstanceInterface, keys []string) bool {
	now := groupText(n.Groups)
	fewer := !slices.ContainsFunc(n.Groups, func(g string) bool { return !slices.Contains(before, g) })
	return fewer || now == f.via || slices.Equal(n.Groups, f.leaves(n.ID, before)) ||
		slices.ContainsFunc(f.known[n.ID].recorded, func(r action.Recorded) bool {
			return r.Has(now) || r.From == now && slices.Contains(keys, r.Key)
		})
}

// recorded is the backup that an earlier attempt under this key recorded, if what is there now comes of it.
func (f *fence) recorded() *backup {
	b, ok := parseBackup(f.own().To)
	if !ok {
		return nil
	}
	for _, n := range f.first.Interfaces {
		groups, has := b.groupsOf(n.ID)
		fenced, _ := f.req.Record(n.ID, attrGroups)
		if now := groupText(n.Groups); has && now != groupText(groups) && !fenced.Has(now) {
			return nil
		}
	}
	return b
}

// leftover is a backup that a fence which was put back left on the instance, if it says of each interface what
// would be said again: tried over and over, a fence must not fill the tags.
func (f *fence) leftover() *backup {
	var found *backup
	for key := range f.first.Tags {
		part, ok := strings.CutPrefix(key, backupPrefix+f.instance+"_")
		at, _, _ := strings.Cut(part, "_")
		switch {
		case !ok, found != nil && at <= found.at, f.before != nil && at != f.before.at:
			continue
		}
		b, _, err := readBackup(f.instance, action.Merge(f.first.Tags, map[string]string{lastFence: at}))
		if err == nil && !slices.ContainsFunc(b.of, func(s saved) bool { return !f.hadBefore(s) }) {
			found = b
		}
	}
	return found
}

// hadBefore tells whether an interface is here and had these groups before any fence.
func (f *fence) hadBefore(s saved) bool {
	return slices.ContainsFunc(f.ends, func(e end) bool { return e.ID == s.nic && slices.Equal(e.base, s.groups) })
}
