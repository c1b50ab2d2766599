package ec2sim

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// resource is what a table can hold.
type resource[T any] interface {
	clone() T
	key() string
}

// keyOf returns the id of a resource.
func keyOf[T resource[T]](r *T) string { return (*r).key() }

// copyOf returns a deep copy of a resource.
func copyOf[T resource[T]](r *T) T { return (*r).clone() }

// tagsOf returns the tags of a resource.
func tagsOf[T resource[T]](r *T) Tags { return *any(r).(taggable).tags() }

// table holds the resources of one kind by id.
type table[T resource[T]] map[string]*T

// each yields the resources in the order of ids.
func (t table[T]) each() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, id := range slices.Sorted(maps.Keys(t)) {
			if !yield(t[id]) {
				return
			}
		}
	}
}

func (t table[T]) list() []*T { return slices.Collect(t.each()) }

func (t table[T]) clone() table[T] {
	c := make(table[T], len(t))
	for id, r := range t {
		copied := (*r).clone()
		c[id] = &copied
	}
	return c
}

func (t table[T]) snapshot() []T {
	var list []T
	for r := range t.each() {
		list = append(list, (*r).clone())
	}
	return list
}

// world is one region.
type world struct {
	region, owner string

	vpcs       table[VPC]
	subnets    table[Subnet]
	groups     table[SecurityGroup]
	gateways   table[Gateway]
	routes     table[RouteTable]
	instances  table[Instance]
	interfaces table[Interface]
	addresses  table[Address]

	// byInstance are the interfaces by the instance that they are attached to, once indexed.
	byInstance map[string][]*Interface

	transitions map[string]transition // by instance or interface

	// lent says that somebody may be reading it without the lock: it is not changed any more.
	lent bool
}

// transition is a change that is under way: of an instance's state, or of an attachment's status.
type transition struct {
	at time.Time
	to string
}

func newWorld(region, owner string) *world {
	return &world{
		region: region, owner: owner,
		vpcs: table[VPC]{}, subnets: table[Subnet]{}, groups: table[SecurityGroup]{},
		gateways: table[Gateway]{}, routes: table[RouteTable]{}, instances: table[Instance]{},
		interfaces: table[Interface]{}, addresses: table[Address]{},
		transitions: map[string]transition{},
	}
}

func (w *world) clone() *world {
	return &world{
		region: w.region, owner: w.owner,
		vpcs: w.vpcs.clone(), subnets: w.subnets.clone(), groups: w.groups.clone(),
		gateways: w.gateways.clone(), routes: w.routes.clone(), instances: w.instances.clone(),
		interfaces: w.interfaces.clone(), addresses: w.addresses.clone(),
		transitions: maps.Clone(w.transitions),
	}
}

// snapshot puts sets into one order, so that equal worlds give equal values.
func (w *world) snapshot() RegionState {
	s := RegionState{
		VPCs: w.vpcs.snapshot(), Subnets: w.subnets.snapshot(), SecurityGroups: w.groups.snapshot(),
		Gateways: w.gateways.snapshot(), RouteTables: w.routes.snapshot(), Instances: w.instances.snapshot(),
		Interfaces: w.interfaces.snapshot(), Addresses: w.addresses.snapshot(),
	}
	for i := range s.Interfaces {
		eni := &s.Interfaces[i]
		// As JSON, none is not the same as not said.
		eni.Groups = append([]string{}, slices.Sorted(slices.Values(eni.Groups))...)
		slices.SortFunc(eni.PrivateAddresses, func(a, b PrivateAddress) int {
			if a.Primary != b.Primary {
				if a.Primary {
					return -1
				}
				return 1
			}
			return compareAddresses(a.Address, b.Address)
		})
		slices.SortFunc(eni.IPv6Addresses, compareAddresses)
		slices.SortFunc(eni.Prefixes, compareDestinations)
	}
	for i := range s.RouteTables {
		slices.SortFunc(s.RouteTables[i].Routes, func(a, b Route) int {
			return compareDestinations(a.Destination, b.Destination)
		})
	}
	return s
}

func (w *world) empty() bool {
	return len(w.vpcs)+len(w.gateways)+len(w.addresses) == 0
}

func compareAddresses(a, b string) int {
	return netip.MustParseAddr(a).Compare(netip.MustParseAddr(b))
}

func compareDestinations(a, b string) int {
	listA, listB := isPrefixList(a), isPrefixList(b)
	switch {
	case listA && listB:
		return strings.Compare(a, b)
	case listA:
		return 1
	case listB:
		return -1
	}
	pa, pb := netip.MustParsePrefix(a), netip.MustParsePrefix(b)
	if c := pa.Addr().Compare(pb.Addr()); c != 0 {
		return c
	}
	return pa.Bits() - pb.Bits()
}

func isPrefixList(destination string) bool { return strings.HasPrefix(destination, "pl-") }

// due reports whether a transition is.
func (w *world) due(now time.Time) bool {
	for _, t := range w.transitions {
		if !now.Before(t.at) {
			return true
		}
	}
	return false
}

// transit has the instance or the attachment of the interface get to a state at a time.
func (w *world) transit(id string, at time.Time, to string) {
	w.transitions[id] = transition{at, to}
}

// callOff has what is under way for an instance or an interface not happen.
func (w *world) callOff(id string) { delete(w.transitions, id) }

// settle ends the transitions that are due.
func (w *world) settle(now time.Time) {
	for id, t := range w.transitions {
		if now.Before(t.at) {
			continue
		}
		if i := w.instances[id]; i != nil {
			i.State = t.to
		}
		if eni := w.interfaces[id]; eni != nil && eni.Attachment != nil {
			if eni.Attachment.Status = t.to; t.to == "detached" {
				eni.Attachment = nil
			}
		}
		delete(w.transitions, id)
	}
}

// attached returns the interfaces of an instance in the order of device indexes.
func (w *world) attached(instance string) []*Interface {
	if w.byInstance != nil {
		return slices.Clone(w.byInstance[instance])
	}
	var list []*Interface
	for _, eni := range w.interfaces {
		if eni.instance() == instance {
			list = append(list, eni)
		}
	}
	slices.SortFunc(list, byDeviceIndex)
	return list
}

// indexAttached makes attached fast in a world that is a read's own.
func (w *world) indexAttached() {
	index := map[string][]*Interface{}
	for _, eni := range w.interfaces {
		if instance := eni.instance(); instance != "" {
			index[instance] = append(index[instance], eni)
		}
	}
	for _, list := range index {
		slices.SortFunc(list, byDeviceIndex)
	}
	w.byInstance = index
}

// byDeviceIndex orders interfaces as they are attached; two network cards may use one index.
func byDeviceIndex(a, b *Interface) int {
	return cmp.Or(a.Attachment.DeviceIndex-b.Attachment.DeviceIndex, strings.Compare(a.ID, b.ID))
}

// primaryInterface returns the interface at device index 0, or nil.
func (w *world) primaryInterface(instance string) *Interface {
	for _, eni := range w.attached(instance) {
		if eni.Attachment.DeviceIndex == 0 {
			return eni
		}
	}
	return nil
}

// holder returns the interface of the subnet that holds the address, or nil.
func (w *world) holder(subnet, address string) *Interface {
	for _, eni := range w.interfaces {
		if eni.SubnetID == subnet && (eni.holds(address) || slices.Contains(eni.IPv6Addresses, address)) {
			return eni
		}
	}
	return nil
}

// delegatee returns the interface of the subnet that has the address in a delegated block, or nil.
func (w *world) delegatee(subnet, address string) *Interface {
	for _, eni := range w.interfaces {
		if eni.SubnetID == subnet && eni.delegated(address) {
			return eni
		}
	}
	return nil
}

// association returns the Elastic IP bound to a private address of an interface, or nil.
func (w *world) association(eni, address string) *Address {
	for a := range w.addresses.each() {
		if a.AssociationID != "" && a.InterfaceID == eni && a.PrivateIP == address {
			return a
		}
	}
	return nil
}

// tagged returns the tags of whatever has the id, or nil.
func (w *world) tagged(id string) *Tags {
	return findTags(id,
		lookup[VPC](w.vpcs), lookup[Subnet](w.subnets), lookup[SecurityGroup](w.groups),
		lookup[Gateway](w.gateways), lookup[RouteTable](w.routes), lookup[Instance](w.instances),
		lookup[Interface](w.interfaces), lookup[Address](w.addresses))
}

type taggable interface{ tags() *Tags }

func lookup[T resource[T], P interface {
	*T
	taggable
}](t table[T]) func(string) taggable {
	return func(id string) taggable {
		if r := t[id]; r != nil {
			return P(r)
		}
		return nil
	}
}

func findTags(id string, kinds ...func(string) taggable) *Tags {
	for _, find := range kinds {
		if r := find(id); r != nil {
			return r.tags()
		}
	}
	return nil
}
