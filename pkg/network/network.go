// Package network says what lies around a target: its VPC, subnets, instances, interfaces,
// addresses, security groups and routes. Evidence keeps it, and a report draws it.
//
// It guarantees that the same state of the provider gives the same Network, in whatever order the
// provider tells it. It changes nothing, and knows no wire.
package network

import (
	"cmp"
	"slices"
)

// Network is a part of a provider's network, as it was read.
type Network struct {
	VPCs        []VPC        `json:"vpcs"`
	Subnets     []Subnet     `json:"subnets"`
	Instances   []Instance   `json:"instances"`
	Interfaces  []Interface  `json:"interfaces"`
	Groups      []Group      `json:"groups"`
	RouteTables []RouteTable `json:"routeTables"`
	// NotRead says what could not be read, and why.
	NotRead []string `json:"notRead"`
}

// VPC is a virtual network.
type VPC struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	CIDRs []string `json:"cidrs"`
}

// Subnet is a part of a VPC.
type Subnet struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	VPC   string   `json:"vpc"`
	CIDRs []string `json:"cidrs"`
}

// Instance is a machine.
type Instance struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// Interface is a network interface.
type Interface struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	VPC    string `json:"vpc"`
	Subnet string `json:"subnet"`
	// Instance is empty where it is attached to none.
	Instance string `json:"instance"`
	// Index is its number at the instance.
	Index int `json:"index"`
	// Primary is the address that it can't lose. Secondary are all others, sorted.
	Primary   string   `json:"primary"`
	Secondary []string `json:"secondary"`
	// Groups are the ids of its security groups, sorted.
	Groups []string `json:"groups"`
	// SourceDestCheck is true, false, or empty where it was not told.
	SourceDestCheck string `json:"sourceDestCheck"`
	// Managed interfaces belong to a service of the provider.
	Managed bool `json:"managed"`
}

// Group is a security group.
type Group struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	VPC  string `json:"vpc"`
}

// RouteTable is a list of routes.
type RouteTable struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	VPC  string `json:"vpc"`
	// Subnets are those that use it, as far as they are in the Network.
	Subnets []string `json:"subnets"`
	Routes  []Route  `json:"routes"`
}

// Route is one way out of a table.
type Route struct {
	Destination string `json:"destination"`
	Target      string `json:"target"`
	Blackhole   bool   `json:"blackhole"`
}

// Empty reports whether nothing was read.
func (n Network) Empty() bool {
	return len(n.VPCs)+len(n.Subnets)+len(n.Instances)+len(n.Interfaces)+len(n.Groups)+
		len(n.RouteTables) == 0
}

// Sorted returns a copy in its one order: by ids, and each list by its values.
func (n Network) Sorted() Network {
	s := Network{
		VPCs:        sorted(n.VPCs, func(v VPC) string { return v.ID }),
		Subnets:     sorted(n.Subnets, func(s Subnet) string { return s.ID }),
		Instances:   sorted(n.Instances, func(i Instance) string { return i.ID }),
		Interfaces:  sorted(n.Interfaces, func(i Interface) string { return i.ID }),
		Groups:      sorted(n.Groups, func(g Group) string { return g.ID }),
		RouteTables: sorted(n.RouteTables, func(t RouteTable) string { return t.ID }),
		NotRead:     texts(n.NotRead),
	}
	for i := range s.VPCs {
		s.VPCs[i].CIDRs = texts(s.VPCs[i].CIDRs)
	}
	for i := range s.Subnets {
		s.Subnets[i].CIDRs = texts(s.Subnets[i].CIDRs)
	}
	for i := range s.Interfaces {
		s.Interfaces[i].Secondary = texts(s.Interfaces[i].Secondary)
		s.Interfaces[i].Groups = texts(s.Interfaces[i].Groups)
	}
	for i := range s.RouteTables {
		t := &s.RouteTables[i]
		t.Subnets = texts(t.Subnets)
		t.Routes = slices.SortedFunc(slices.Values(t.Routes), func(a, b Route) int {
			return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Target, b.Target))
		})
		if t.Routes == nil {
			t.Routes = []Route{}
		}
	}
	return s
}

// sorted returns a copy by ids, each once. It is never nil, so that JSON has a list.
func sorted[T any](all []T, id func(T) string) []T {
	s := slices.SortedStableFunc(slices.Values(all), func(a, b T) int {
		return cmp.Compare(id(a), id(b))
	})
	s = slices.CompactFunc(s, func(a, b T) bool { return id(a) == id(b) })
	if s == nil {
		s = []T{}
	}
	return s
}

func texts(all []string) []string {
	s := slices.Compact(slices.Sorted(slices.Values(all)))
	if s == nil {
		s = []string{}
	}
	return s
}

// Name returns the name of a resource. It is empty if it has none or is not in the Network.
func (n Network) Name(id string) string {
	for _, named := range []map[string]string{
		names(n.VPCs, func(v VPC) (string, string) { return v.ID, v.Name }),
		names(n.Subnets, func(s Subnet) (string, string) { return s.ID, s.Name }),
		names(n.Instances, func(i Instance) (string, string) { return i.ID, i.Name }),
		names(n.Groups, func(g Group) (string, string) { return g.ID, g.Name }),
		names(n.RouteTables, func(t RouteTable) (string, string) { return t.ID, t.Name }),
		names(n.Interfaces, func(i Interface) (string, string) {
			// An interface without a name is best known by its instance's.
			return i.ID, cmp.Or(i.Name, n.instanceName(i.Instance))
		}),
	} {
		if name, ok := named[id]; ok {
			return name
		}
	}
	return ""
}

func names[T any](all []T, of func(T) (id, name string)) map[string]string {
	named := map[string]string{}
	for _, x := range all {
		id, name := of(x)
		named[id] = name
	}
	return named
}

func (n Network) instanceName(id string) string {
	for _, i := range n.Instances {
		if i.ID == id && id != "" {
			return i.Name
		}
	}
	return ""
}

// With returns a network that has what either of two has.
func (n Network) With(other Network) Network {
	return Network{
		VPCs:        slices.Concat(n.VPCs, other.VPCs),
		Subnets:     slices.Concat(n.Subnets, other.Subnets),
		Instances:   slices.Concat(n.Instances, other.Instances),
		Interfaces:  slices.Concat(n.Interfaces, other.Interfaces),
		Groups:      slices.Concat(n.Groups, other.Groups),
		RouteTables: slices.Concat(n.RouteTables, other.RouteTables),
		NotRead:     slices.Concat(n.NotRead, other.NotRead),
	}.Sorted()
}
