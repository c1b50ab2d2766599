package selection

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/nodes"
)

// Kind is what a verb acts on: the node itself or one of its interfaces. It is empty for a verb
// that acts on neither. The field is the key of its target that names it.
func Kind(v action.Verb) (kind action.Kind, field string) {
	for _, kind := range []action.Kind{action.Instance, action.NetworkInterface, action.Node} {
		for _, f := range v.Target {
			if f.Required && f.Form.Names != nil && f.Form.Names(f.Form.Example) == kind {
				return kind, f.Name
			}
		}
	}
	return "", ""
}

// Fits says why a verb that acts on a kind can't act on a node; empty if it can.
func Fits(kind action.Kind, n *nodes.Node) string {
	switch {
	case kind == action.Node && n.Type != nodes.TypeManual:
		return "is of the type " + string(n.Type) + ", and was not added by hand"
	case kind != action.Node && n.Type != nodes.TypeInstance:
		return "is of the type " + string(n.Type) + ", and no instance"
	case n.State == nodes.StateTerminated:
		return "is terminated"
	}
	return ""
}

// Choice says what is made of nodes.
type Choice struct {
	Kind action.Kind
	// Index is the device index of the interface that is acted on, where it is one.
	Index int
}

// Of is a node as a document has it. The error says why the node can't be acted on.
func (c Choice) Of(n *nodes.Node, by ...int) (Node, error) {
	chosen := Node{
		ID: n.ID, Name: n.Name, SourceID: n.Source.ID, Region: n.Region, AccountID: n.AccountID,
		State: string(n.State), By: by,
	}
	if c.Kind == action.Node {
		// What no cloud knows has the store's own id, and is in no region.
		chosen.SourceID, chosen.Region, chosen.AccountID = n.ID, "", ""
	}
	if c.Kind == action.NetworkInterface {
		i := slices.IndexFunc(n.Interfaces, c.is)
		if i < 0 {
			return chosen, fmt.Errorf("has no interface at the device index %d that is known; it has %s",
				c.Index, interfaces(n))
		}
		chosen.Interface = n.Interfaces[i].ID
	}
	return chosen, nil
}

func (c Choice) is(i nodes.Interface) bool { return i.DeviceIndex == c.Index }

func interfaces(n *nodes.Node) string {
	if len(n.Interfaces) == 0 {
		return "none"
	}
	all := make([]string, len(n.Interfaces))
	for i, x := range n.Interfaces {
		all[i] = fmt.Sprintf("%s at %d", x.ID, x.DeviceIndex)
	}
	return strings.Join(all, ", ")
}

// Sort puts nodes in the order in which they are acted on: region by region, by their names.
func Sort(all []Node) {
	slices.SortFunc(all, func(a, b Node) int {
		return cmp.Or(
			cmp.Compare(a.Region, b.Region), cmp.Compare(a.AccountID, b.AccountID),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.SourceID, b.SourceID),
		)
	})
}

// What is a kind of difference.
type What string

const (
	// Gone is a node that the store does not have any more.
	Gone What = "gone"
	// Terminated is a node that was terminated since.
	Terminated What = "terminated"
	// Unselected is a node that no selector would choose now.
	Unselected What = "no longer selected"
	// State is a node whose state is another one.
	State What = "state"
	// NoInterface is a node that does not have the interface any more.
	NoInterface What = "interface"
	// New is a node that the selectors would choose now, too. It is not acted on.
	New What = "new"
)

// Difference is one thing that is not as it was when the nodes were chosen.
type Difference struct {
	What     What   `json:"what"`
	NodeID   string `json:"nodeId"`
	Name     string `json:"name"`
	SourceID string `json:"sourceId"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
}

// String is the difference for people.
func (d Difference) String() string {
	who := d.SourceID
	if d.Name != "" && d.Name != d.SourceID {
		who += " (" + d.Name + ")"
	}
	switch d.What {
	case State:
		return fmt.Sprintf("%s was %s, and is %s", who, d.From, d.To)
	case NoInterface:
		return fmt.Sprintf("%s does not have the interface %s any more", who, d.From)
	case New:
		return who + " would be chosen now, and is not acted on"
	case Gone:
		return who + " is gone: the store does not have it any more"
	}
	return who + " is " + string(d.What)
}

// Present is what is known of the nodes now.
type Present struct {
	// Chosen are the nodes that the selectors choose now, whatever they are.
	Chosen []*nodes.Node
	// Others are nodes of the document that no selector chooses now, as far as they are there.
	Others []*nodes.Node
}

// Compare tells what is not as it was when the nodes were chosen, in the document's order, and then
// the new ones.
func (d *Document) Compare(now Present) []Difference {
	var all []Difference
	byID := map[string]*nodes.Node{}
	chosen := map[string]bool{}
	for _, n := range slices.Concat(now.Others, now.Chosen) {
		byID[n.ID], byID[n.Source.ID] = n, n
	}
	for _, n := range now.Chosen {
		chosen[n.ID] = true
	}
	known := map[string]bool{}
	for _, was := range d.Nodes {
		n := cmp.Or(byID[was.ID], byID[was.SourceID])
		if n == nil {
			all = append(all, Difference{What: Gone, NodeID: was.ID, Name: was.Name,
				SourceID: was.SourceID})
			continue
		}
		known[n.ID] = true
		all = append(all, compare(was, n, chosen[n.ID])...)
	}
	for _, n := range now.Chosen {
		if !known[n.ID] && Fits(d.kind(), n) == "" {
			all = append(all, Difference{What: New, NodeID: n.ID, Name: n.Name,
				SourceID: cmp.Or(n.Source.ID, n.ID)})
		}
	}
	return all
}

// kind is what the nodes of the document are: instances, or nodes that are in no region.
func (d *Document) kind() action.Kind {
	if d.InNoRegion() {
		return action.Node
	}
	return action.Instance
}

// compare tells how one node is not as it was.
func compare(was Node, n *nodes.Node, chosen bool) []Difference {
	differs := func(what What, from, to string) Difference {
		return Difference{What: what, NodeID: was.ID, Name: n.Name, SourceID: was.SourceID,
			From: from, To: to}
	}
	if n.State == nodes.StateTerminated {
		return []Difference{differs(Terminated, was.State, string(n.State))}
	}
	var all []Difference
	if !chosen {
		all = append(all, differs(Unselected, "", ""))
	}
	if was.State != string(n.State) {
		all = append(all, differs(State, was.State, string(n.State)))
	}
	has := func(i nodes.Interface) bool { return i.ID == was.Interface }
	if was.Interface != "" && !slices.ContainsFunc(n.Interfaces, has) {
		all = append(all, differs(NoInterface, was.Interface, ""))
	}
	return all
}
