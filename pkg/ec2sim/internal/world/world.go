package world

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/queue"
)

// Resource is what a table can hold.
type Resource[T any] interface {
	clone() T
	key() string
}

// Key returns the id of a resource.
func Key[T Resource[T]](r *T) string { return (*r).key() }

// Copy returns a deep copy of a resource.
func Copy[T Resource[T]](r *T) T { return (*r).clone() }

// TagsOf returns the tags of a resource.
func TagsOf[T Resource[T]](r *T) Tags { return *any(r).(taggable).tags() }

// Table holds the resources of one kind by id.
type Table[T Resource[T]] map[string]*T

// Each yields the resources in the order of ids.
func (t Table[T]) Each() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, id := range slices.Sorted(maps.Keys(t)) {
			if !yield(t[id]) {
				return
			}
		}
	}
}

// List returns the resources in the order of ids.
func (t Table[T]) List() []*T { return slices.Collect(t.Each()) }

func (t Table[T]) clone() Table[T] {
	c := make(Table[T], len(t))
	for id, r := range t {
		copied := (*r).clone()
		c[id] = &copied
	}
	return c
}

func (t Table[T]) snapshot() []T {
	var list []T
	for r := range t.Each() {
		list = append(list, (*r).clone())
	}
	return list
}

// World is one region.
type World struct {
	Region, Owner string
	// OptIn and Denied are as in RegionState.
	OptIn  string
	Denied bool
	// PublicPools are as in RegionState.
	PublicPools map[string]string

	VPCs       Table[VPC]
	Subnets    Table[Subnet]
	Groups     Table[SecurityGroup]
	Gateways   Table[Gateway]
	Routes     Table[RouteTable]
	Instances  Table[Instance]
	Interfaces Table[Interface]
	Addresses  Table[Address]
	// ScalingGroups are those of Auto Scaling, by their names.
	ScalingGroups Table[ScalingGroup]
	// Commands are those of SSM, and seen counts the readings of each.
	Commands Table[Command]
	seen     map[string]*atomic.Int64

	// Secrets are those of Secrets Manager, and Parameters those of SSM, by their names.
	Secrets    Table[Secret]
	Parameters Table[Parameter]

	// Queues are those of SQS by their names, and listening those to which events go, by source.
	Queues    map[string]*queue.Queue
	listening map[string][]string

	// byInstance are the interfaces by the instance that they are attached to, once indexed.
	byInstance map[string][]*Interface

	// made is what calls with client tokens made, by token.
	made map[string]Made

	// transitions are what is to come, in order, by instance or interface.
	transitions map[string][]Transition

	// Lent is set when somebody may be reading the world without the lock. It is not changed any more.
	Lent bool
}

// Transition is a change that is under way: of an instance's state, or of an attachment's status.
// An instance that gets to Gone is not there any more.
type Transition struct {
	At time.Time
	To string
}

// Gone is the last transition of an instance.
const Gone = "gone"

// New returns an empty region.
func New(region, owner string) *World {
	return &World{
		Region: region, Owner: owner, Queues: map[string]*queue.Queue{},
		listening: map[string][]string{},
		VPCs:      Table[VPC]{}, Subnets: Table[Subnet]{}, Groups: Table[SecurityGroup]{},
		Gateways: Table[Gateway]{}, Routes: Table[RouteTable]{}, Instances: Table[Instance]{},
		Interfaces: Table[Interface]{}, Addresses: Table[Address]{},
		ScalingGroups: Table[ScalingGroup]{},
		Commands:      Table[Command]{}, seen: map[string]*atomic.Int64{},
		Secrets: Table[Secret]{}, Parameters: Table[Parameter]{},
		transitions: map[string][]Transition{}, made: map[string]Made{},
	}
}

// Clone returns a deep copy.
func (w *World) Clone() *World {
	return &World{
		Region: w.Region, Owner: w.Owner, OptIn: w.OptIn, Denied: w.Denied,
		PublicPools: maps.Clone(w.PublicPools),
		VPCs:        w.VPCs.clone(), Subnets: w.Subnets.clone(), Groups: w.Groups.clone(),
		Gateways: w.Gateways.clone(), Routes: w.Routes.clone(), Instances: w.Instances.clone(),
		Interfaces: w.Interfaces.clone(), Addresses: w.Addresses.clone(),
		ScalingGroups: w.ScalingGroups.clone(),
		Commands:      w.Commands.clone(), seen: maps.Clone(w.seen),
		Secrets: w.Secrets.clone(), Parameters: w.Parameters.clone(),
		transitions: maps.Clone(w.transitions), Queues: cloneQueues(w.Queues),
		listening: maps.Clone(w.listening), made: maps.Clone(w.made),
	}
}

// Snapshot puts sets into one order, so that equal worlds give equal values.
func (w *World) Snapshot() RegionState {
	s := RegionState{
		VPCs: w.VPCs.snapshot(), Subnets: w.Subnets.snapshot(), SecurityGroups: w.Groups.snapshot(),
		Gateways: w.Gateways.snapshot(), RouteTables: w.Routes.snapshot(),
		Instances:  w.Instances.snapshot(),
		Interfaces: w.Interfaces.snapshot(), Addresses: w.Addresses.snapshot(),
		ScalingGroups: w.ScalingGroups.snapshot(),
		Commands:      w.Commands.snapshot(),
		Secrets:       w.Secrets.snapshot(), Parameters: w.Parameters.snapshot(),
		PublicPools: maps.Clone(w.PublicPools),
		OptIn:       w.OptIn, Denied: w.Denied,
	}
	for i := range s.Interfaces {
		eni := &s.Interfaces[i]
		// In JSON an empty list is not the same as none.
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

// Empty reports whether nobody has put anything into the region.
func (w *World) Empty() bool {
	return len(w.VPCs)+len(w.Gateways)+len(w.Addresses)+len(w.Secrets)+len(w.Parameters) == 0 &&
		w.OptIn == "" && !w.Denied
}

func compareAddresses(a, b string) int {
	return netip.MustParseAddr(a).Compare(netip.MustParseAddr(b))
}

func compareDestinations(a, b string) int {
	listA, listB := IsPrefixList(a), IsPrefixList(b)
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

// IsPrefixList reports whether a destination is the id of a prefix list.
func IsPrefixList(destination string) bool { return strings.HasPrefix(destination, "pl-") }

// Due reports whether a transition is to end, or something is to happen in a group.
func (w *World) Due(now time.Time) bool {
	for _, list := range w.transitions {
		if !now.Before(list[0].At) {
			return true
		}
	}
	return w.groupsDue(now)
}

// Transit has the instance or the attachment of the interface get to states, in order. What was
// under way for it is not any more.
func (w *World) Transit(id string, steps ...Transition) { w.transitions[id] = steps }

// CallOff has what is under way for an instance or an interface not happen.
func (w *World) CallOff(id string) { delete(w.transitions, id) }

// settleTransitions ends the transitions that are due.
func (w *World) settleTransitions(now time.Time) {
	// In the order of ids, in which they tell of it.
	for _, id := range slices.Sorted(maps.Keys(w.transitions)) {
		list := w.transitions[id]
		for len(list) > 0 && !now.Before(list[0].At) {
			w.reach(id, list[0])
			list = list[1:]
		}
		if w.transitions[id] = list; len(list) == 0 {
			delete(w.transitions, id)
		}
	}
}

// reach ends a transition.
func (w *World) reach(id string, t Transition) {
	if i := w.Instances[id]; i != nil && t.To == Gone {
		delete(w.Instances, id)
	} else if i != nil {
		w.SetState(i, t.To, t.At)
		if t.To == "terminated" {
			w.releaseInterfaces(i.ID)
		}
	}
	if eni := w.Interfaces[id]; eni != nil && eni.Attachment != nil {
		if eni.Attachment.Status = t.To; t.To == "detached" {
			eni.Attachment = nil
		}
	}
}

// releaseInterfaces takes the interfaces of a terminated instance from it. Those that are to go
// with it go.
func (w *World) releaseInterfaces(instance string) {
	for _, eni := range w.Attached(instance) {
		goes := eni.Attachment.DeleteOnTermination
		eni.Attachment, eni.PublicIP = nil, ""
		if !goes {
			continue
		}
		w.dropInterface(eni)
	}
}

// Attached returns the interfaces of an instance in the order of device indexes.
func (w *World) Attached(instance string) []*Interface {
	if w.byInstance != nil {
		return slices.Clone(w.byInstance[instance])
	}
	var list []*Interface
	for _, eni := range w.Interfaces {
		if eni.Instance() == instance {
			list = append(list, eni)
		}
	}
	slices.SortFunc(list, byDeviceIndex)
	return list
}

// IndexAttached makes Attached fast in a world that is a read's own.
func (w *World) IndexAttached() {
	index := map[string][]*Interface{}
	for _, eni := range w.Interfaces {
		if instance := eni.Instance(); instance != "" {
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

// PrimaryInterface returns the interface at device index 0, or nil.
func (w *World) PrimaryInterface(instance string) *Interface {
	for _, eni := range w.Attached(instance) {
		if eni.Attachment.DeviceIndex == 0 {
			return eni
		}
	}
	return nil
}

// Holder returns the interface of the subnet that holds the address, or nil.
func (w *World) Holder(subnet, address string) *Interface {
	for _, eni := range w.Interfaces {
		if eni.SubnetID == subnet && (eni.Holds(address) || slices.Contains(eni.IPv6Addresses, address)) {
			return eni
		}
	}
	return nil
}

// Delegatee returns the interface of the subnet that has the address in a delegated block, or nil.
func (w *World) Delegatee(subnet, address string) *Interface {
	for _, eni := range w.Interfaces {
		if eni.SubnetID == subnet && eni.delegated(address) {
			return eni
		}
	}
	return nil
}

// Association returns the Elastic IP bound to a private address of an interface, or nil.
func (w *World) Association(eni, address string) *Address {
	for a := range w.Addresses.Each() {
		if a.AssociationID != "" && a.InterfaceID == eni && a.PrivateIP == address {
			return a
		}
	}
	return nil
}

// tagged returns the tags of whatever has the id, or nil.
func (w *World) tagged(id string) *Tags {
	return findTags(id,
		lookup[VPC](w.VPCs), lookup[Subnet](w.Subnets), lookup[SecurityGroup](w.Groups),
		lookup[Gateway](w.Gateways), lookup[RouteTable](w.Routes), lookup[Instance](w.Instances),
		lookup[Interface](w.Interfaces), lookup[Address](w.Addresses))
}

type taggable interface{ tags() *Tags }

func lookup[T Resource[T], P interface {
	*T
	taggable
}](t Table[T]) func(string) taggable {
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
