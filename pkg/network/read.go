package network

import (
	"context"
	"slices"
	"strings"
)

// Source reads parts of a provider's network. What does not exist is left out, and no error.
type Source interface {
	// InterfacesOf reads the interfaces that a query selects, and the names of their groups.
	InterfacesOf(ctx context.Context, q Query) ([]Interface, []Group, error)
	InstancesOf(ctx context.Context, ids []string) ([]Instance, error)
	SubnetsOf(ctx context.Context, ids []string) ([]Subnet, error)
	VPCsOf(ctx context.Context, ids []string) ([]VPC, error)
	GroupsOf(ctx context.Context, ids []string) ([]Group, error)
	// RouteTablesOf reads tables by their ids.
	RouteTablesOf(ctx context.Context, ids []string) ([]RouteTable, error)
	// RouteTableOfSubnet reads the table that a subnet uses: its own, or the VPC's main one.
	RouteTableOfSubnet(ctx context.Context, vpc, subnet string) ([]RouteTable, error)
}

// Query selects interfaces by the one of its fields that is not empty.
type Query struct {
	IDs, Instances []string
	// Address is one that the interface has, in the VPC.
	VPC, Address string
}

// Around names what a network is to be read around.
type Around struct{ Interfaces, Instances, Groups, RouteTables, VPCs, Addresses []string }

// MaxIDs is how many of each kind are read at most.
const MaxIDs = 100

// Read reads a network around something. What can't be read is told in NotRead; the rest is still
// there.
func Read(ctx context.Context, from Source, around Around) Network {
	r := reading{ctx: ctx, from: from}
	r.interfaces("the interfaces", Query{IDs: around.Interfaces})
	for _, a := range around.Addresses {
		vpc, address, _ := strings.Cut(a, "/")
		r.interfaces("the holder of "+address, Query{VPC: vpc, Address: address})
	}
	instances := slices.Clone(around.Instances)
	for _, i := range r.n.Interfaces {
		instances = append(instances, i.Instance)
	}
	instances = unique(instances)
	r.interfaces("the interfaces of the instances", Query{Instances: instances})
	keep(&r, "the instances", instances, from.InstancesOf, &r.n.Instances)
	r.places(around)
	r.tables(around)
	r.groups(around)
	return r.n.Sorted()
}

// reading is a network that is being read.
type reading struct {
	ctx  context.Context
	from Source
	n    Network
}

func (r *reading) failed(what string, err error) {
	if err != nil {
		r.n.NotRead = append(r.n.NotRead, what+": "+err.Error())
	}
}

func (r *reading) interfaces(what string, q Query) {
	if len(q.IDs)+len(q.Instances) == 0 && q.Address == "" {
		return
	}
	found, groups, err := r.from.InterfacesOf(r.ctx, q)
	r.failed(what, err)
	r.n.Interfaces = append(r.n.Interfaces, found...)
	r.n.Groups = append(r.n.Groups, groups...)
}

// keep reads things by their ids, if there are any.
func keep[T any](
	r *reading, what string, ids []string,
	read func(context.Context, []string) ([]T, error), into *[]T,
) {
	if len(ids) == 0 {
		return
	}
	found, err := read(r.ctx, ids)
	r.failed(what, err)
	*into = append(*into, found...)
}

// places reads the subnets and VPCs of all that was found.
func (r *reading) places(around Around) {
	vpcs := slices.Clone(around.VPCs)
	var subnets []string
	for _, i := range r.n.Interfaces {
		vpcs, subnets = append(vpcs, i.VPC), append(subnets, i.Subnet)
	}
	keep(r, "the subnets", unique(subnets), r.from.SubnetsOf, &r.n.Subnets)
	keep(r, "the VPCs", unique(vpcs), r.from.VPCsOf, &r.n.VPCs)
}

// tables reads the route tables that are named and those of the subnets.
func (r *reading) tables(around Around) {
	keep(r, "the route tables", around.RouteTables, r.from.RouteTablesOf, &r.n.RouteTables)
	uses := map[string][]string{}
	for _, i := range r.n.Sorted().Interfaces {
		if _, done := uses[i.Subnet]; done || i.Subnet == "" {
			continue
		}
		uses[i.Subnet] = nil
		tables, err := r.from.RouteTableOfSubnet(r.ctx, i.VPC, i.Subnet)
		r.failed("the route table of "+i.Subnet, err)
		for _, t := range tables {
			uses[i.Subnet] = append(uses[i.Subnet], t.ID)
		}
		r.n.RouteTables = append(r.n.RouteTables, tables...)
	}
	for i := range r.n.RouteTables {
		t := &r.n.RouteTables[i]
		t.Subnets = nil
		for subnet, tables := range uses {
			if slices.Contains(tables, t.ID) {
				t.Subnets = append(t.Subnets, subnet)
			}
		}
	}
}

// groups reads the groups that are named and were not found with an interface.
func (r *reading) groups(around Around) {
	missing := slices.DeleteFunc(slices.Clone(around.Groups), func(id string) bool {
		return slices.ContainsFunc(r.n.Groups, func(g Group) bool { return g.ID == id })
	})
	keep(r, "the security groups", unique(missing), r.from.GroupsOf, &r.n.Groups)
}

// unique returns what is not empty, sorted, each once, as many as are read.
func unique(all []string) []string {
	all = slices.DeleteFunc(texts(all), func(s string) bool { return s == "" })
	return all[:min(len(all), MaxIDs)]
}

// NamesOf reads what people call the things around something, by their ids: an interface without a
// name by its instance's. It asks for less than Read. What can't be read has no name.
func NamesOf(ctx context.Context, from Source, around Around) map[string]string {
	r := reading{ctx: ctx, from: from}
	r.interfaces("the interfaces", Query{IDs: around.Interfaces})
	instances := slices.Clone(around.Instances)
	for _, i := range r.n.Interfaces {
		instances = append(instances, i.Instance)
	}
	keep(&r, "the instances", unique(instances), from.InstancesOf, &r.n.Instances)
	keep(&r, "the route tables", around.RouteTables, from.RouteTablesOf, &r.n.RouteTables)
	r.groups(around)
	names := map[string]string{}
	for _, id := range slices.Concat(around.Interfaces, instances, around.Groups, around.RouteTables) {
		if name := r.n.Name(id); name != "" {
			names[id] = name
		}
	}
	return names
}
