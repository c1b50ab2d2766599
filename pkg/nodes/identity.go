package nodes

import (
	"net/url"
	"slices"
	"strings"
)

// Identity is one way to tell a node from all others. Every id of ours and every id of a report is
// one, and so is the place of a node in its cloud. Addresses and names are none.
type Identity string

// IDIdentity is that of an id of ours, or of a report.
func IDIdentity(id string) Identity { return Identity("id:" + id) }

// Identity is that of a node of this type and source. It is empty where they identify nothing: no
// account, or no region and no id.
func (s Source) Identity(t Type) Identity {
	switch {
	case s.AccountID == "":
		return ""
	case t == TypeRegion:
		if s.Region == "" {
			return ""
		}
		return join("region", s.AccountID, s.Region)
	case t == TypeSubscription && s.ID != "":
		return join("subscription", s.AccountID, s.ID)
	case s.ID == "" || s.Region == "":
		return ""
	}
	// An instance's id and a virtual machine's have different forms, and reports name no type.
	return join("source", s.AccountID, s.Region, s.ID)
}

// join keeps its parts apart, whatever is in them.
func join(kind string, parts ...string) Identity {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return Identity(kind + ":" + strings.Join(parts, "/"))
}

// ID is the id that an identity is made of; empty where it is made of something else.
func (i Identity) ID() string {
	id, ok := strings.CutPrefix(string(i), "id:")
	if !ok {
		return ""
	}
	return id
}

// Answer has the node answer to identities besides those that it has.
func (n *Node) Answer(identities []Identity) {
	own := []Identity{IDIdentity(n.ID), n.Source.Identity(n.Type)}
	for _, i := range identities {
		if i != "" && !slices.Contains(own, i) {
			n.Aliases = united(n.Aliases, []Identity{i})
		}
	}
}
