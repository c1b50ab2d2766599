package network

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// none is the value of what is not there.
const none = "none"

// Before returns the network as it is before changes, and After as it is after them, whichever of
// the two it was read in. What a change is of and the Network does not have is left out.
func (n Network) Before(changes []protocol.Change) Network {
	return n.with(changes, func(c protocol.Change) (from, to string) { return c.To, c.From })
}

// After returns the network as it is after changes.
func (n Network) After(changes []protocol.Change) Network {
	return n.with(changes, func(c protocol.Change) (from, to string) { return c.From, c.To })
}

// with returns a copy in which changes lead from one value to another.
func (n Network) with(
	changes []protocol.Change, values func(protocol.Change) (from, to string),
) Network {
	s := n.Sorted()
	for _, c := range changes {
		from, to := values(c)
		switch c.Attribute {
		case "holder":
			s.move(c.Resource, from, to)
		case "target":
			s.lead(c.Resource, to)
		case "securityGroups":
			s.edit(c.Resource, func(i *Interface) {
				if i.Groups = strings.Split(to, ","); to == none {
					i.Groups = nil
				}
			})
		case "sourceDestCheck":
			s.edit(c.Resource, func(i *Interface) { i.SourceDestCheck = to })
		case "power":
			s.power(c.Resource, to)
		}
	}
	return s.Sorted()
}

// edit changes an interface.
func (n *Network) edit(id string, edit func(*Interface)) {
	for i := range n.Interfaces {
		if n.Interfaces[i].ID == id {
			edit(&n.Interfaces[i])
		}
	}
}

// move gives an address from one interface to another.
func (n *Network) move(resource, from, to string) {
	_, address, found := strings.Cut(resource, "/")
	if !found {
		return
	}
	without := func(i *Interface) {
		i.Secondary = slices.DeleteFunc(slices.Clone(i.Secondary), func(a string) bool {
			return a == address
		})
	}
	n.edit(from, without)
	n.edit(to, func(i *Interface) {
		if without(i); i.Primary != address {
			i.Secondary = append(i.Secondary, address)
		}
	})
}

// lead leads a destination to a target in a table.
func (n *Network) lead(resource, to string) {
	table, destination, _ := strings.Cut(resource, "/")
	for i := range n.RouteTables {
		t := &n.RouteTables[i]
		if t.ID != table {
			continue
		}
		t.Routes = slices.DeleteFunc(slices.Clone(t.Routes), func(r Route) bool {
			return r.Destination == destination
		})
		if to != none {
			t.Routes = append(t.Routes, Route{Destination: destination, Target: to})
		}
	}
}

// power switches an instance on or off.
func (n *Network) power(id, to string) {
	states := map[string]string{"on": "running", "off": "stopped"}
	for i := range n.Instances {
		if n.Instances[i].ID == id && states[to] != "" {
			n.Instances[i].State = states[to]
		}
	}
}
