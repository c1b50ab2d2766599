package nodes

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Merge makes one node of two that turned out to be one. The older stays, with its id; the other's
// id becomes an alias. Managers and tags are united. Of the rest the newer evidence holds, and
// terminated is final.
func Merge(x, y *Node, e Evidence) (kept, gone *Node, changes []Change) {
	kept, gone = x.Clone(), y
	if older(y, x) {
		kept, gone = y.Clone(), x
	}
	was := kept.Clone()
	if gone.Type != TypeReported && kept.Type == TypeReported {
		kept.Type = gone.Type
	}
	if kept.Source == (Source{}) {
		kept.Source = gone.Source
	}
	kept.mergeNames(gone)
	kept.mergeTags(gone)
	if gone.SeenAt.After(kept.SeenAt) {
		kept.takeDetails(gone.Details)
		kept.SeenAt, kept.Absence = gone.SeenAt, gone.Absence
	} else {
		own := kept.Details
		kept.takeDetails(gone.Details)
		kept.takeDetails(own)
	}
	kept.LastContact = latest(kept.LastContact, gone.LastContact)
	kept.LastProbe = latest(kept.LastProbe, gone.LastProbe)
	for _, r := range []*Result{gone.Runs.Penultimate, gone.Runs.Last} {
		if r != nil {
			kept.Runs.Add(*r)
		}
	}
	for _, r := range []*Result{gone.Scans.Penultimate, gone.Scans.Last} {
		if r != nil {
			kept.Scans.Add(*r)
		}
	}
	kept.Projects = united(kept.Projects, gone.Projects)
	kept.Managers = united(kept.Managers, gone.Managers)
	kept.Aliases = united(kept.Aliases, append(gone.Aliases, IDIdentity(gone.ID)))
	if kept.Target == nil {
		kept.Target = gone.Target
	}
	changes = []Change{kept.change("merged", gone.ID, kept.ID, e)}
	changes = append(changes, kept.mergeState(gone)...)
	return kept, gone, append(changes, kept.differences(was, e)...)
}

func older(x, y *Node) bool {
	if c := x.AddedAt.Compare(y.AddedAt); c != 0 {
		return c < 0
	}
	return x.ID < y.ID
}

func latest(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}

func (n *Node) mergeNames(other *Node) {
	names := maps.Clone(other.Names)
	if names == nil {
		names = map[Origin]string{}
	}
	if len(n.Names) == 0 && len(names) > 0 {
		n.Name = other.Name
	}
	maps.Copy(names, n.Names)
	n.Names = names
}

// mergeTags unites the tags. Where both have a key from one origin, the one that was told of later
// holds.
func (n *Node) mergeTags(other *Node) {
	all := map[Origin]map[string]string{}
	for _, o := range origins {
		first, second := other.TagsBy[o], n.TagsBy[o]
		if other.tagsAt(o).After(n.tagsAt(o)) {
			first, second = second, first
		}
		tags := maps.Clone(first)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, second)
		if len(tags) > 0 {
			all[o] = tags
		}
	}
	n.TagsBy = all
}

func (n *Node) tagsAt(o Origin) time.Time {
	if o == OriginCloud {
		return n.SeenAt
	}
	return n.LastContact
}

// mergeState takes over the other's state where its evidence is newer, and its status where the two
// agree on the state and the status is newer.
func (n *Node) mergeState(other *Node) []Change {
	changes := n.setState(other.State, other.Said)
	if n.State == other.State && other.StatusSaid.At.After(n.StatusSaid.At) {
		changes = append(changes, n.takeStatus(other.Status, other.StatusSaid, other.ConnectionError)...)
	}
	return changes
}

// differences are the changes of what has no evidence of its own.
func (n *Node) differences(was *Node, e Evidence) []Change {
	var changes []Change
	if n.Name != was.Name {
		changes = append(changes, n.change("name", was.Name, n.Name, e))
	}
	if !slices.Equal(n.Managers, was.Managers) {
		changes = append(changes, n.change("managers", joined(was.Managers), joined(n.Managers), e))
	}
	return append(changes, n.tagChanges(was.Tags(), n.Tags(), e)...)
}

func united[T ~string](x, y []T) []T {
	all := slices.Concat(x, y)
	slices.Sort(all)
	return slices.Compact(all)
}

func joined(ids []string) string { return strings.Join(ids, ",") }
