package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/protocol"
)

// checkNIC refuses an interface that can't be meant.
func (r *reader) checkNIC(n *document.Node, path string, i *Interface) {
	switch {
	case i.Index > lastIndex:
		r.Add(n.Line, path, "has the device index %d, want one up to %d", i.Index, lastIndex)
	case i.Index > 0 && len(i.Subnets) == 0:
		r.Add(n.Line, path, "has no subnet: name one for each zone that the group has instances in")
	case i.Index > 0 && len(i.SecurityGroups) == 0:
		r.Add(n.Line, path, "has no security group: name those that it gets")
	case i.Index == 0 && len(i.Addresses) > 0:
		r.Add(n.Line, path, "has fixed addresses, and its device index is 0: that interface has its "+
			"addresses from the launch")
	}
	if len(i.Addresses) > 0 && len(i.Subnets) > 1 {
		r.Add(n.Line, path, "has fixed addresses and subnets in %s: an address is of one subnet, so "+
			"name that zone alone", strings.Join(i.zones(), ", "))
	}
	p := i.Public
	if p != nil && (p.Allocation == "") == (p.Pool == "") {
		r.Add(n.Line, path+".publicAddress", "names %s, want one of allocation and pool",
			map[bool]string{true: "neither", false: "both"}[p.Pool == ""])
	}
}

// checkGroup refuses a group that can't be meant.
func (r *reader) checkGroup(n *document.Node, path string, g *Group) {
	r.take(n, path, g)
	slices.SortStableFunc(g.Interfaces, func(a, b Interface) int { return a.Index - b.Index })
	used := map[string]string{}
	for k, i := range g.Interfaces {
		if k > 0 && g.Interfaces[k-1].Index == i.Index {
			r.Add(n.Line, path, "has two interfaces with the device index %d", i.Index)
		}
		r.checkFixed(n, path, g, i)
		if p := i.Public; p != nil && p.Allocation != "" {
			if used[p.Allocation] != "" {
				r.Add(n.Line, path, "gives %s to two interfaces", p.Allocation)
			}
			used[p.Allocation] = path
		}
	}
	r.checkWords(n, path, g)
	if g.Protection == ProtectPrimary && g.Members == nil {
		r.Add(n.Line, path+".protection", "is %s, and the group has no members: add members",
			ProtectPrimary)
	}
	r.checkIndexes(n, path, g)
}

// checkIndexes refuses device indexes that the group has no interface at.
func (r *reader) checkIndexes(n *document.Node, path string, g *Group) {
	there := func(field string, index int) {
		if index > 0 &&
			!slices.ContainsFunc(g.Interfaces, func(i Interface) bool { return i.Index == index }) {
			r.Add(n.Line, path+field, "is %d, and the group has no such interface", index)
		}
	}
	if g.Members != nil {
		there(".members.deviceIndex", g.Members.Index)
	}
	if g.Appliance != nil {
		there(".appliance.deviceIndex", g.Appliance.Index)
	}
}

// checkWords refuses placeholders that stand for nothing.
func (r *reader) checkWords(n *document.Node, path string, g *Group) {
	for key, value := range g.Tags {
		if unknown := unknownPlaceholder(value, "instance", "group"); unknown != "" {
			r.Add(n.Line, path+".tags."+key, "has %s, want {instance} or {group}", unknown)
		}
	}
	if a := g.Appliance; a != nil {
		for key, value := range a.Parameters {
			if unknown := unknownPlaceholder(value, applianceWords...); unknown != "" {
				r.Add(n.Line, path+".appliance.parameters."+key, "has %s, want {%s}", unknown,
					strings.Join(applianceWords, "}, {"))
			}
		}
	}
}

// checkFixed refuses what only one instance can have in a group that may have several.
func (r *reader) checkFixed(n *document.Node, path string, g *Group, i Interface) {
	var what []string
	if len(i.Addresses) > 0 {
		what = append(what, "fixed private addresses")
	}
	if i.Public != nil && i.Public.Allocation != "" {
		what = append(what, "an existing Elastic IP")
	}
	if len(what) == 0 {
		return
	}
	of := fmt.Sprintf(
		"the interface at device index %d has %s, which one instance alone can have",
		i.Index,
		strings.Join(what, " and "),
	)
	switch {
	case strings.ContainsAny(g.Name, "*?"):
		r.Add(n.Line, path, "%s, and %s may be several groups: name one", of, protocol.Quote(g.Name))
	case g.MaxSize != 1:
		r.Add(n.Line, path, "%s: write maxSize: 1, and keep the group at that, or take them out", of)
	}
}

// applianceWords are what placeholders of an appliance's parameters may name.
var applianceWords = []string{"instance", "group", "role", "address", "primary", "primaryAddress"}

// unknownPlaceholder is the first placeholder of a text that stands for nothing; empty for none.
func unknownPlaceholder(text string, known ...string) string {
	for {
		_, rest, found := strings.Cut(text, "{")
		if !found {
			return ""
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return ""
		}
		if isWord(name) && !slices.Contains(known, name) {
			return "{" + name + "}"
		}
		text = after
	}
}

// isWord reports whether a text is one word of letters, as the names of placeholders are.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// filled is a text with what its placeholders stand for.
func filled(text string, with map[string]string) string {
	var pairs []string
	for name, value := range with {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
