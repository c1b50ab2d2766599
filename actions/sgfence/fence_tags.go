package sgfence

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// useTags finds the backup to go by. One that can't be used is refused, unless the fence may do
// without.
func (f *fence) useTags() error {
	f.have, f.unused = f.first.backup, f.first.why
	switch {
	case f.tagless:
		f.have, f.unused = nil, nil
	case f.unused == errGone:
		f.unused = nil
	case f.have != nil:
		var err error
		if f.unused, err = f.doubt(); err != nil {
			return err
		}
	}
	if f.unused == nil {
		return nil
	}
	f.have = nil
	if f.req.Bool(paramNoTags) {
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"the tags say that %s is fenced (%s=%s), but its backup can't be used: %s; "+
			"what was there before is not known: unfence first if it is fenced, repair or remove these "+
			"tags if it is not, or fence without tags with %s=true; nothing was changed",
		f.instance, lastFence, f.first.own[lastFence], f.unused, paramNoTags)
}

// doubt says why the backup does not tell what was there before: the record tells otherwise, or
// its fence is not in force on all interfaces and left none of these groups.
func (f *fence) doubt() (why, err error) {
	named := recordedName(f.backups, f.have.at)
	for _, n := range f.first.Interfaces {
		kept := f.have.before(n)
		all, err := f.req.History(n.ID, attrGroups)
		switch {
		case err != nil:
			return nil, err
		case kept == "":
		case len(all) > 0 && named:
			o, err := f.req.Origin(groupsOf(n, f.have, f.backups))
			if err != nil {
				return nil, err
			}
			if o.Base != kept {
				return fmt.Errorf("%s had %s before it by the tags, and %s by the record",
					n.ID, kept, o.Base), nil
			}
		case !f.left(n):
			if why := f.partial(n); why != nil {
				return why, nil
			}
		}
	}
	return nil, nil
}

// left reports whether an interface has what any fence over its backup may have left it: fewer
// groups, or what this one does.
func (f *fence) left(n ec2model.InstanceInterface) bool {
	kept, _ := f.have.groupsOf(n.ID)
	added := func(g string) bool { return !slices.Contains(kept, g) }
	return !slices.ContainsFunc(n.Groups, added) || groupText(n.Groups) == f.via ||
		slices.Equal(n.Groups, f.leaves(n.ID, kept))
}

// partial says why the backup's fence is not in force on all of its interfaces; nil if it may be.
func (f *fence) partial(by ec2model.InstanceInterface) error {
	for _, s := range f.have.of {
		why := ""
		switch n, attached := f.first.attached(s.nic); {
		case !attached:
			why = s.nic + " is not attached any more"
		case slices.Equal(n.Groups, s.groups) && !slices.Equal(n.Groups, by.Groups):
			why = s.nic + " has what it had before the fence"
		}
		if why != "" {
			return fmt.Errorf("%s has %s, and %s", by.ID, groupText(by.Groups), why)
		}
	}
	return nil
}

// backup is the transition that writes the tags. It is so already where what was there before is on
// the instance, or where no groups have to be changed. Taken back, as when the fence is, the fence
// is not in force: lastfence goes, or what was added to an earlier one's tags.
func (f *fence) backup() (action.Transition, error) {
	t := action.Transition{
		Resource: f.instance, Attribute: attrBackup, From: f.have.text(), To: f.have.text(),
		Backup: true, MayFail: f.req.Bool(paramNoTags), Call: callCreateTags,
	}
	if !f.pending() {
		return t, nil
	}
	to := f.backupToWrite()
	kept := len(to.of)
	for _, e := range f.ends {
		if _, ok := to.groupsOf(e.ID); !ok {
			to.of = append(to.of, saved{e.ID, e.base})
		}
	}
	tags := to.tags(f.instance, kept)
	had := userTags(f.first.Tags)
	if after := userTags(action.Merge(f.first.Tags, tags)); after > maxTags && !t.MayFail {
		return t, protocol.Refuse(protocol.LimitExceeded,
			"%s has %d tags, and the backup needs %d more: EC2 allows %d; remove some, or fence without "+
				"tags with %s=true; nothing was changed",
			f.instance, had, after-had, maxTags, paramNoTags)
	}
	back := map[string]string{lastFence: to.at}
	if f.have != nil {
		back = maps.Clone(tags)
		delete(back, lastFence)
	}
	t.To = to.text()
	t.Set = action.SetWith(func(ctx context.Context, w Writer, _, value string) error {
		if value == t.To {
			return w.CreateTags(ctx, f.instance, tags)
		}
		return w.DeleteTags(ctx, f.instance, back)
	})
	return t, nil
}

// backupToWrite is the backup of the fence in force, or one that a fence which was put back left,
// or a new one. Tried over and over, a fence must not fill the tags.
func (f *fence) backupToWrite() backup {
	if f.have != nil {
		return backup{f.have.at, slices.Clone(f.have.of)}
	}
	var found *backup
	own, _ := f.req.Own(f.instance, attrBackup)
	if earlier, ok := parseBackup(own.To); ok && f.tellsBases(earlier) {
		found = &backup{at: earlier.at}
	}
	earlier := found
	for _, s := range sets(f.instance, f.first.Tags) {
		if f.tellsBases(s.backup) && (earlier == nil || s.at == earlier.at) {
			found = s.backup
		}
	}
	if found == nil {
		return backup{at: f.freeName()}
	}
	return *found
}

// tellsBases reports whether a backup is of interfaces that are here, with what each had before all
// fences in force.
func (f *fence) tellsBases(b *backup) bool {
	return !slices.ContainsFunc(b.of, func(s saved) bool {
		return !slices.ContainsFunc(f.ends, func(e end) bool {
			return e.ID == s.nic && slices.Equal(e.base, s.groups)
		})
	})
}

// freeName is the time that names the fence: now, or the next second that no tags have, and no
// record.
func (f *fence) freeName() string {
	for at := f.clock.Now().Unix(); ; at++ {
		name := strconv.FormatInt(at, 10)
		taken := recordedName(f.backups, name)
		for key := range f.first.Tags {
			taken = taken || strings.HasPrefix(key, backupKeys(f.instance, name))
		}
		if !taken {
			return name
		}
	}
}
