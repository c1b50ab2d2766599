package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// Quotas are the limits of an account. What is 0 is EC2's default.
type Quotas struct {
	// GroupsPerInterface is 5 by default; EC2 grants at most 16.
	GroupsPerInterface int `json:"groupsPerInterface,omitempty"`
	// AddressesPerInterface are those of each family; by default the instance's type decides.
	AddressesPerInterface int `json:"addressesPerInterface,omitempty"`
	// InterfacesPerInstance by default are what the instance's type has.
	InterfacesPerInstance int `json:"interfacesPerInstance,omitempty"`
	// Interfaces are those of the account in a region; 5000 by default.
	Interfaces int `json:"interfaces,omitempty"`
	// ElasticAddresses are those of the account in a region; 5 by default.
	ElasticAddresses int `json:"elasticAddresses,omitempty"`
	// RoutesPerTable are those of each family, beside the local ones; 500 by default.
	RoutesPerTable int `json:"routesPerTable,omitempty"`
	// TagsPerResource is 50 by default; EC2 grants no more. Tags of AWS are not counted.
	TagsPerResource int `json:"tagsPerResource,omitempty"`
}

// Check refuses a quota below 0.
func (q Quotas) Check() error {
	for _, n := range []int{
		q.GroupsPerInterface, q.AddressesPerInterface, q.InterfacesPerInstance,
		q.Interfaces, q.ElasticAddresses, q.RoutesPerTable, q.TagsPerResource,
	} {
		if n < 0 {
			return fmt.Errorf("cannot set a quota of %d", n)
		}
	}
	return nil
}

const (
	defaultGroups = 5
	defaultRoutes = 500
	defaultTags   = 50

	defaultInterfaces       = 5000
	defaultElasticAddresses = 5
)

// typeLimit is what an instance type has: interfaces, and addresses of each family on one of them.
type typeLimit struct{ interfaces, addresses int }

var typeLimits = map[string]typeLimit{
	"t2.micro": {2, 2}, "t3.nano": {2, 2}, "t3.micro": {2, 2}, "t3.small": {3, 4}, "t3.medium": {3, 6},
	"t3.large": {3, 12}, "t4g.micro": {2, 2}, "t4g.small": {3, 4}, "t4g.medium": {3, 6},
	"m5.large": {3, 10}, "m5.xlarge": {4, 15}, "m6i.large": {3, 10}, "c5.large": {3, 10},
	"c5n.large": {3, 10}, "c6i.large": {3, 10},
}

// unknownType is what a type that is not in the table has.
var unknownType = typeLimit{16, 10}

// UnattachedLimit is how many addresses of each family an interface may have while it is attached
// to nothing.
const UnattachedLimit = 50

func limitsOf(i *Instance) typeLimit {
	if l, ok := typeLimits[strings.ToLower(i.Type)]; ok {
		return l
	}
	return unknownType
}

// UnknownTypes returns those of the names that are no instance types here.
func (w *World) UnknownTypes(names []string) []string {
	known := w.TypeNames()
	var unknown []string
	for _, name := range names {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// TypeNames returns the instance types with limits of their own, and those of the instances, in
// order.
func (w *World) TypeNames() []string {
	names := slices.Collect(maps.Keys(typeLimits))
	for _, i := range w.Instances {
		names = append(names, i.Type)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OfType returns how many interfaces an instance of a type may have, and how many addresses of each
// family one of them.
func (q Quotas) OfType(i *Instance) (interfaces, addresses int) {
	return q.interfaces(i), q.addresses(i)
}

func orDefault(set, otherwise int) int {
	if set > 0 {
		return set
	}
	return otherwise
}

func (q Quotas) groups() int { return orDefault(q.GroupsPerInterface, defaultGroups) }
func (q Quotas) routes() int { return orDefault(q.RoutesPerTable, defaultRoutes) }
func (q Quotas) tags() int   { return orDefault(q.TagsPerResource, defaultTags) }

func (q Quotas) allInterfaces() int { return orDefault(q.Interfaces, defaultInterfaces) }

func (q Quotas) elasticAddresses() int {
	return orDefault(q.ElasticAddresses, defaultElasticAddresses)
}

// interfaces returns how many interfaces the instance may have.
func (q Quotas) interfaces(i *Instance) int {
	return orDefault(q.InterfacesPerInstance, limitsOf(i).interfaces)
}

// addresses returns how many addresses of each family an interface of the instance may have; nil is
// none.
func (q Quotas) addresses(i *Instance) int {
	if i == nil {
		return orDefault(q.AddressesPerInterface, UnattachedLimit)
	}
	return orDefault(q.AddressesPerInterface, limitsOf(i).addresses)
}

// addressLimit is the number of addresses of each family the interface may hold.
func (c *Change) addressLimit(eni *Interface) int {
	return c.Quotas.addresses(c.World.Instances[eni.Instance()])
}

// addressSlots is what the interface uses of the addresses of a family it may hold; a block uses
// one.
func (i *Interface) addressSlots(ipv6 bool) int {
	if ipv6 {
		return len(i.IPv6Addresses) + len(OfFamily(i.Prefixes, true))
	}
	return len(i.PrivateAddresses) + len(OfFamily(i.Prefixes, false))
}

func errAddressLimit() *refusal.Error {
	return refusal.New("PrivateIpAddressLimitExceeded",
		"Number of private addresses will exceed limit.")
}
