package nodes

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Observation is what somebody said of one node, at one time. What it leaves empty it does not say.
type Observation struct {
	// Identities are all that tell the node from others.
	Identities []Identity
	// ID is the one to give to a new node; empty for one of the store's.
	ID       string
	Type     Type
	Source   Source
	State    State
	Evidence Evidence
	// Origin says who gives Name and Tags. Fallback is the name of a node to which nobody gave one.
	Origin         Origin
	Name, Fallback string
	// Tags are all of its tags for the origins cloud and person, and more of them for a report. Nil
	// says nothing.
	Tags    map[string]string
	Details *Details
	// Manager is the id of the manager that saw it; empty when none did.
	Manager string
	// Seen is set where the node's cloud showed it.
	Seen bool
	// StateOnly is set where only a change of state was told: it makes no node of what does not run.
	StateOnly bool
	// Revive says that a terminated node which is shown alive is to live again, as asked for.
	Revive bool
	// Contact is when the node itself was heard of.
	Contact   time.Time
	Run, Scan *Result
	Projects  []string
	Target    *Target
}

// Admits reports whether an unknown node comes to be known by the observation. What is on its way
// out does not. A change of state alone tells too little of a node that does not run.
func (o *Observation) Admits() bool {
	switch {
	case o.State == StateTerminated || o.State == StateShuttingDown:
		return false
	case o.StateOnly:
		return o.State == StateRunning || o.State == StatePending
	}
	return true
}

// New is a node of which the observation is the first thing known.
func (o *Observation) New(id string) (*Node, []Change) {
	n := &Node{
		ID: id, Type: o.Type, Source: o.Source, AddedAt: o.Evidence.At,
		State: StateUnknown, Status: StatusUnknown, Target: o.Target,
	}
	changes := []Change{n.change("added", "", string(o.Type), o.Evidence)}
	for _, c := range n.Apply(o) {
		// How it is called and tagged at first is no change.
		if c.Field == "state" || c.Field == "status" {
			changes = append(changes, c)
		}
	}
	return n, changes
}

// Apply takes over what the observation says, where nothing newer is known, and returns what
// changed. A terminated node takes nothing over, but from its cloud.
func (n *Node) Apply(o *Observation) []Change {
	if n.Ignores(o) {
		return nil
	}
	// What is older than what the same kind of evidence said says nothing of the present.
	fresh := !o.Evidence.At.Before(n.toldAt(o))
	n.identify(o)
	var changes []Change
	if o.Manager != "" {
		changes = append(changes, n.addManager(o.Manager, o.Evidence)...)
	}
	if o.Seen && o.Evidence.At.After(n.SeenAt) {
		n.SeenAt = o.Evidence.At
		n.Absence = Absence{}
	}
	if o.Contact.After(n.LastContact) {
		n.LastContact = o.Contact
	}
	if fresh || o.Origin == OriginReport {
		changes = append(changes, n.takeTags(o, fresh)...)
	}
	if fresh {
		changes = append(changes, n.takeName(o)...)
		if o.Details != nil {
			n.takeDetails(*o.Details)
		}
	}
	n.takeResults(o)
	if n.CanRevive(o) && o.Revive {
		changes = append(changes, n.Revive(o)...)
	} else {
		changes = append(changes, n.setState(o.State, o.Evidence)...)
	}
	if said := n.Said; o.Details != nil && said.By == o.Evidence.By && said.At.Equal(o.Evidence.At) {
		n.CloudState = o.Details.CloudState
	}
	return changes
}

// toldAt is the time of the newest evidence of the kind that the observation is of.
func (n *Node) toldAt(o *Observation) time.Time {
	if o.Seen {
		return n.SeenAt
	}
	return n.LastContact
}

// identify takes over what the node is, where that was not known.
func (n *Node) identify(o *Observation) {
	if n.Source == (Source{}) {
		n.Source = o.Source
	}
	if o.Type != "" && n.Type == TypeReported {
		n.Type = o.Type
	}
}

// takeName has the name that changed last. An origin that says the same name again changes none,
// so that two which disagree do not take turns.
func (n *Node) takeName(o *Observation) []Change {
	name := o.Name
	switch {
	case name == "" && o.Seen && n.Names[o.Origin] != "":
		// The cloud has no name for it any more: another's holds, or none.
		delete(n.Names, o.Origin)
		name = n.otherName(o.Fallback)
	case name == "" && n.Name == "":
		name = o.Fallback
	case name == "" || n.Names[o.Origin] == name:
		return nil
	default:
		if n.Names == nil {
			n.Names = map[Origin]string{}
		}
		n.Names[o.Origin] = name
	}
	was := n.Name
	n.Name = name
	if was == name {
		return nil
	}
	return []Change{n.change("name", was, name, o.Evidence)}
}

func (n *Node) otherName(fallback string) string {
	for _, o := range origins {
		if name := n.Names[o]; name != "" {
			return name
		}
	}
	return fallback
}

// takeTags replaces the tags of an origin that says all of them, and adds to those of reports. A
// report that comes late adds the tags that no later one had.
func (n *Node) takeTags(o *Observation, fresh bool) []Change {
	if o.Tags == nil {
		return nil
	}
	before := n.Tags()
	tags := maps.Clone(o.Tags)
	if known := n.TagsBy[o.Origin]; o.Origin == OriginReport {
		first, second := known, o.Tags
		if !fresh {
			first, second = second, first
		}
		tags = map[string]string{}
		maps.Copy(tags, first)
		maps.Copy(tags, second)
	}
	if n.TagsBy == nil {
		n.TagsBy = map[Origin]map[string]string{}
	}
	n.TagsBy[o.Origin] = tags
	if len(tags) == 0 {
		delete(n.TagsBy, o.Origin)
	}
	return n.tagChanges(before, n.Tags(), o.Evidence)
}

func (n *Node) tagChanges(before, after map[string]string, e Evidence) []Change {
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	var changes []Change
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, had := before[k]
		is, has := after[k]
		if was != is || had != has {
			changes = append(changes, n.change("tag:"+k, was, is, e))
		}
	}
	return changes
}

// takeDetails takes over what is said of the details; what is empty is not said.
func (n *Node) takeDetails(d Details) {
	for _, f := range []struct{ to, from *string }{
		{&n.Platform, &d.Platform}, {&n.PlatformRelease, &d.PlatformRelease},
		{&n.InstanceType, &d.InstanceType}, {&n.Zone, &d.Zone}, {&n.ImageID, &d.ImageID},
		{&n.VPCID, &d.VPCID}, {&n.Subscription, &d.Subscription}, {&n.Resource, &d.Resource},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	if !d.LaunchTime.IsZero() {
		n.LaunchTime = d.LaunchTime
	}
	if d.Addresses != nil {
		n.Addresses = slices.Clone(d.Addresses)
	}
	if d.Interfaces != nil {
		n.Interfaces = slices.Clone(d.Interfaces)
	}
}

func (n *Node) takeResults(o *Observation) {
	if o.Run != nil {
		n.Runs.Add(*o.Run)
	}
	if o.Scan != nil {
		n.Scans.Add(*o.Scan)
	}
	if o.Projects != nil && !o.Contact.Before(n.LastContact) {
		n.Projects = slices.Sorted(slices.Values(o.Projects))
		n.Projects = slices.Compact(n.Projects)
	}
}

// addManager associates the node with a manager. A node that its cloud shows no longer belongs to
// the manual one.
func (n *Node) addManager(id string, e Evidence) []Change {
	kept := slices.Clone(n.Managers)
	if n.Type != TypeManual && id != ManualManager {
		kept = slices.DeleteFunc(kept, func(m string) bool { return m == ManualManager })
	}
	if !slices.Contains(kept, id) {
		kept = append(kept, id)
	}
	return n.setManagers(kept, e)
}

// RemoveManager ends an association. A node that is left without any belongs to the manual manager,
// so that it is in some list.
func (n *Node) RemoveManager(id string, e Evidence) []Change {
	kept := slices.DeleteFunc(slices.Clone(n.Managers), func(m string) bool { return m == id })
	if len(kept) == 0 {
		kept = []string{ManualManager}
	}
	return n.setManagers(kept, e)
}

func (n *Node) setManagers(ids []string, e Evidence) []Change {
	slices.Sort(ids)
	if slices.Equal(ids, n.Managers) {
		return nil
	}
	was := n.Managers
	n.Managers = ids
	return []Change{n.change("managers", joined(was), joined(ids), e)}
}

// CanRevive reports whether the observation is of a cloud that shows a terminated node alive, later
// than it was said to be terminated.
func (n *Node) CanRevive(o *Observation) bool {
	return n.State == StateTerminated && o.Seen && o.State.Alive() && o.Evidence.At.After(n.Said.At)
}

// Revive has a terminated node live again, as somebody asked for. It is the only way around the
// rule that Terminated is final.
func (n *Node) Revive(o *Observation) []Change {
	e := o.Evidence
	e.Kind = ByRevival
	return n.takeState(o.State, e)
}

// IsOf reports whether an observation may be of the node. Two places in a cloud are never one node,
// though both have the uuid of the image that they were made from.
func (n *Node) IsOf(o *Observation) bool {
	own, other := n.Source.Identity(n.Type), o.Source.Identity(o.Type)
	return own == "" || other == "" || own == other
}

// Ignores reports whether the node takes nothing over: it is terminated, and its cloud does not
// show it.
func (n *Node) Ignores(o *Observation) bool { return n.State == StateTerminated && !o.Seen }

// MergeEvidence is that of a merge because of the observation.
func (o *Observation) MergeEvidence() Evidence {
	return Evidence{Kind: ByMerge, By: o.Evidence.By, At: o.Evidence.At,
		Note: "one " + string(o.Evidence.Kind) + " has the identities of both"}
}

// Clean replaces what no text of a store may have in it: bytes that are no UTF-8, and NUL.
func (o *Observation) Clean() {
	o.Name, o.Fallback = clean(o.Name), clean(o.Fallback)
	tags := o.Tags
	if tags == nil {
		return
	}
	o.Tags = make(map[string]string, len(tags))
	for k, v := range tags {
		o.Tags[clean(k)] = clean(v)
	}
}

func clean(s string) string {
	const replacement = "\uFFFD"
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}
