package sgfence

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// groupsOf is the attribute that an interface's groups are, above the fence that the tags alone
// tell of.
func groupsOf(n ec2model.InstanceInterface, tags *backup, backups []action.Recorded) action.At {
	at := action.At{
		Resource: n.ID, Attribute: attrGroups, Now: groupText(n.Groups),
		What: "the security groups of " + n.ID,
	}
	if kept, ok := tags.groupsOf(n.ID); ok && written(backups, tags.at, n.ID) == "" {
		at.Below = &action.Below{Key: lastFence + "=" + tags.at, From: groupText(kept)}
	}
	return at
}

// before is what a backup says that an interface had, if it has other groups now.
func (b *backup) before(n ec2model.InstanceInterface) string {
	if kept, ok := b.groupsOf(n.ID); ok && !slices.Equal(kept, n.Groups) {
		return groupText(kept)
	}
	return ""
}

// written is what a recorded fence wrote of an interface into the backup of that name; also where a
// recorded unfence ended that fence. Then the record tells of that fence, too. It is empty if none
// did.
func written(backups []action.Recorded, name, nic string) (groups string) {
	says := func(text string) string {
		b, _ := parseBackup(text)
		if kept, ok := b.groupsOf(nic); ok && b.at == name {
			return groupText(kept)
		}
		return ""
	}
	for _, r := range backups {
		switch {
		case groups != "":
		case r.Ends != 0 && r.State == "live":
			groups = says(r.From)
		case r.Ends == 0 && says(r.From) == "":
			groups = says(r.To)
		}
	}
	return groups
}

// baseUnder is what an interface had before all recorded fences in force, had it some groups now.
func baseUnder(r action.Request, nic string, groups []string) (string, error) {
	all, err := r.History(nic, attrGroups)
	if err != nil || len(action.InForce(all)) == 0 {
		return groupText(groups), err
	}
	o, err := r.Origin(action.At{Resource: nic, Attribute: attrGroups, Now: groupText(groups)})
	return o.Base, err
}

// recordedName reports whether any record tells of the fence that a backup is of, or of its end.
func recordedName(backups []action.Recorded, at string) bool {
	return slices.ContainsFunc(backups, func(r action.Recorded) bool {
		from, _ := parseBackup(r.From)
		to, _ := parseBackup(r.To)
		return from != nil && from.at == at || to != nil && to.at == at
	})
}

// putBack are the keys of other fences that were put back by somebody who knows of no records: the
// tags that they wrote are gone, and other groups than theirs were found since.
func putBack(r action.Request, now reading, backups []action.Recorded) ([]string, error) {
	gone := map[string]bool{}
	for _, b := range action.InForce(backups) {
		wrote, ok := parseBackup(b.To)
		if ok && b.State == "live" && !b.Fresh && wrote.at != now.Tags[lastFence] && b.Key != r.Past.Key {
			gone[b.Key] = true
		}
	}
	var keys []string
	for _, n := range now.Interfaces {
		if len(gone) == 0 {
			break
		}
		all, err := r.History(n.ID, attrGroups)
		if err != nil {
			return nil, err
		}
		for _, e := range action.InForce(all) {
			since := func(s action.Recorded) bool { return s.Begins && s.Seq > e.Seq }
			if gone[e.Key] && slices.ContainsFunc(all, since) {
				keys = append(keys, e.Key)
			}
		}
	}
	return keys, nil
}

// source is one that tells what groups an interface had before all fences in force. It tells
// nothing if groups is empty.
type source struct{ name, groups string }

// agree refuses sources of which two tell different groups.
func agree(nic string, sources []source) error {
	var first source
	for _, s := range sources {
		switch {
		case s.groups == "" || s.groups == first.groups:
		case first.groups == "":
			first = s
		default:
			return protocol.Refuse(protocol.Conflict,
				"%s and %s contradict each other: before the fence %s had %s by the one, %s by the other; "+
					"look which is right, and unfence by that alone; nothing was changed",
				first.name, s.name, nic, first.groups, s.groups)
		}
	}
	return nil
}

// tagsOf names the tags of a fence.
func tagsOf(at string) string { return "the tags of " + lastFence + "=" + at }

// split is the opposite of groupText.
func split(groups string) []string { return strings.Split(groups, ",") }
