package world

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// RegionState is the world of one region. Every list is in the order of ids.
type RegionState struct {
	VPCs           []VPC           `json:"vpcs,omitempty"`
	Subnets        []Subnet        `json:"subnets,omitempty"`
	SecurityGroups []SecurityGroup `json:"securityGroups,omitempty"`
	Gateways       []Gateway       `json:"gateways,omitempty"`
	RouteTables    []RouteTable    `json:"routeTables,omitempty"`
	Instances      []Instance      `json:"instances,omitempty"`
	Interfaces     []Interface     `json:"interfaces,omitempty"`
	Addresses      []Address       `json:"addresses,omitempty"`
	ScalingGroups  []ScalingGroup  `json:"scalingGroups,omitempty"`
	Commands       []Command       `json:"commands,omitempty"`
	Secrets        []Secret        `json:"secrets,omitempty"`
	Parameters     []Parameter     `json:"parameters,omitempty"`
	// PublicPools are the account's own pools of public addresses: the network of each, by its id.
	PublicPools map[string]string `json:"publicIpv4Pools,omitempty"`

	// OptIn is opt-in-not-required, opted-in or not-opted-in. Empty follows from the region's name.
	// Who calls in a region that is not opted in is not known there.
	OptIn string `json:"optInStatus,omitempty"`
	// Denied has a service control policy deny every call of EC2 in the region.
	Denied bool `json:"denied,omitempty"`
}

// Tags are the tags of a resource; none is nil.
type Tags map[string]string

// VPC is a virtual private cloud. CIDRs are in canonical form everywhere.
type VPC struct {
	ID       string `json:"id"`
	CIDR     string `json:"cidr"`
	IPv6CIDR string `json:"ipv6Cidr,omitempty"`
	// MoreCIDRs are further blocks, of either family.
	MoreCIDRs []string `json:"moreCidrs,omitempty"`
	Default   bool     `json:"default,omitempty"`
	Owner     string   `json:"owner,omitempty"` // account; the Sim's own when empty, here and below
	Tags      Tags     `json:"tags,omitempty"`
}

// Subnet is a subnet of a VPC. One without CIDR is IPv6-only; one with another owner is shared with
// us.
type Subnet struct {
	ID               string `json:"id"`
	VPCID            string `json:"vpcId"`
	AvailabilityZone string `json:"availabilityZone"`
	CIDR             string `json:"cidr,omitempty"`
	IPv6CIDR         string `json:"ipv6Cidr,omitempty"`
	Owner            string `json:"owner,omitempty"`
	Tags             Tags   `json:"tags,omitempty"`
}

// SecurityGroup is a security group with its rules.
type SecurityGroup struct {
	ID          string `json:"id"`
	VPCID       string `json:"vpcId"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Ingress     []Rule `json:"ingress,omitempty"`
	Egress      []Rule `json:"egress,omitempty"`
	Owner       string `json:"owner,omitempty"`
	Tags        Tags   `json:"tags,omitempty"`
}

// Rule is one permission. Protocol "-1" is every protocol and has no ports.
type Rule struct {
	Protocol string   `json:"protocol"`
	FromPort int      `json:"fromPort,omitempty"`
	ToPort   int      `json:"toPort,omitempty"`
	CIDRs    []string `json:"cidrs,omitempty"`
	IPv6     []string `json:"ipv6Cidrs,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// Gateway is what a route may lead to and is neither an instance nor an interface; the prefix of
// its id says which kind it is (igw, eigw, nat, pcx, tgw, vgw, vpce).
type Gateway struct {
	ID    string `json:"id"`
	VPCID string `json:"vpcId,omitempty"`
	Tags  Tags   `json:"tags,omitempty"`
}

// RouteTable is a route table. Its routes are in the order of destinations, IPv4 first, prefix
// lists last.
type RouteTable struct {
	ID           string             `json:"id"`
	VPCID        string             `json:"vpcId"`
	Associations []RouteAssociation `json:"associations,omitempty"`
	Routes       []Route            `json:"routes,omitempty"`
	Owner        string             `json:"owner,omitempty"`
	Tags         Tags               `json:"tags,omitempty"`
}

// RouteAssociation makes a table the main one of its VPC, or the one of a subnet.
type RouteAssociation struct {
	ID       string `json:"id"`
	Main     bool   `json:"main,omitempty"`
	SubnetID string `json:"subnetId,omitempty"`
}

// Route leads a destination (IPv4 or IPv6 CIDR, or the id of a prefix list) to a target: "local",
// or the id of a gateway or an interface; a route given an instance leads to the instance's
// interface. Whether it is a black hole follows from the world and is not held.
type Route struct {
	Destination string `json:"destination"`
	Target      string `json:"target"`
	// Origin is CreateRouteTable, CreateRoute, EnableVgwRoutePropagation or Advertisement.
	Origin string `json:"origin"`
}

// Instance is a virtual machine. Its interfaces are those whose Attachment names it.
type Instance struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	// State is pending, running, shutting-down, terminated, stopping or stopped.
	State            string    `json:"state"`
	ImageID          string    `json:"imageId,omitempty"`
	KeyName          string    `json:"keyName,omitempty"`
	SubnetID         string    `json:"subnetId"`
	VPCID            string    `json:"vpcId"`
	AvailabilityZone string    `json:"availabilityZone"`
	RootDevice       string    `json:"rootDevice"`            // ebs or instance-store
	Lifecycle        string    `json:"lifecycle,omitempty"`   // spot, scheduled; none is on demand
	Hibernates       bool      `json:"hibernates,omitempty"`  // set up to; a stop here never does
	Profile          string    `json:"profile,omitempty"`     // ARN of the instance profile
	ReservationID    string    `json:"reservationId"`         //
	StateReason      string    `json:"stateReason,omitempty"` // as EC2 words it, after a stop
	LaunchTime       time.Time `json:"launchTime"`
	Tags             Tags      `json:"tags,omitempty"`
	// Agent is that of SSM; nil for none.
	Agent *Agent `json:"ssmAgent,omitempty"`
}

// Interface is an elastic network interface. Its groups are a set and come sorted in a State.
type Interface struct {
	ID               string `json:"id"`
	SubnetID         string `json:"subnetId"`
	VPCID            string `json:"vpcId"`
	AvailabilityZone string `json:"availabilityZone"`
	Description      string `json:"description,omitempty"`
	MAC              string `json:"mac"`
	// Type is interface, trunk, branch, efa-only, nat_gateway ….
	Type             string    `json:"type"`
	TrunkID          string    `json:"trunkId,omitempty"` // of a branch interface
	SourceDestCheck  bool      `json:"sourceDestCheck"`
	RequesterManaged bool      `json:"requesterManaged,omitempty"`
	RequesterID      string    `json:"requesterId,omitempty"`
	Operator         *Operator `json:"operator,omitempty"`
	// Groups that are none are not the same as left out, see Load.
	Groups []string `json:"groups"`
	// PrivateAddresses are the primary one first, the others sorted.
	PrivateAddresses []PrivateAddress `json:"privateAddresses,omitempty"`
	IPv6Addresses    []string         `json:"ipv6Addresses,omitempty"`
	PrimaryIPv6      string           `json:"primaryIpv6,omitempty"` // one of IPv6Addresses
	// Prefixes are the delegated blocks: /28 of IPv4, /80 of IPv6.
	Prefixes []string `json:"prefixes,omitempty"`
	// PublicIP is of EC2's own pool. It is the instance's while that runs: a start brings another.
	PublicIP   string      `json:"publicIp,omitempty"`
	Attachment *Attachment `json:"attachment,omitempty"`
	Owner      string      `json:"owner,omitempty"`
	Tags       Tags        `json:"tags,omitempty"`
}

// PrivateAddress is an IPv4 address of an interface.
type PrivateAddress struct {
	Address string `json:"address"`
	Primary bool   `json:"primary,omitempty"`
}

// Operator is the AWS service that manages a resource. A hidden resource is only described when
// IncludeManagedResources asks for it.
type Operator struct {
	Principal string `json:"principal"`
	Hidden    bool   `json:"hidden,omitempty"`
}

// Attachment ties an interface to an instance (InstanceID), or to a service's own machine (no
// InstanceID).
type Attachment struct {
	ID                  string    `json:"id"`
	InstanceID          string    `json:"instanceId,omitempty"`
	InstanceOwner       string    `json:"instanceOwner,omitempty"`
	DeviceIndex         int       `json:"deviceIndex"`
	NetworkCardIndex    int       `json:"networkCardIndex"`
	Status              string    `json:"status"` // attaching, attached, detaching, detached
	AttachTime          time.Time `json:"attachTime"`
	DeleteOnTermination bool      `json:"deleteOnTermination"`
}

// Address is an Elastic IP; one with an AssociationID is bound to a private address of an interface
// and follows it when it moves.
type Address struct {
	AllocationID  string `json:"allocationId"`
	PublicIP      string `json:"publicIp"`
	AssociationID string `json:"associationId,omitempty"`
	InterfaceID   string `json:"interfaceId,omitempty"`
	PrivateIP     string `json:"privateIp,omitempty"`
	// Pool is the one that it is of, empty for AmazonPool.
	Pool string `json:"publicIpv4Pool,omitempty"`
	Tags Tags   `json:"tags,omitempty"`
}

func (t Tags) clone() Tags {
	if len(t) == 0 {
		return nil
	}
	return maps.Clone(t)
}

func cloneList[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func (s Subnet) clone() Subnet   { s.Tags = s.Tags.clone(); return s }
func (g Gateway) clone() Gateway { g.Tags = g.Tags.clone(); return g }
func (i Instance) clone() Instance {
	i.Tags, i.Agent = i.Tags.clone(), i.Agent.clone()
	return i
}
func (a Address) clone() Address     { a.Tags = a.Tags.clone(); return a }
func (v VPC) key() string            { return v.ID }
func (s Subnet) key() string         { return s.ID }
func (g Gateway) key() string        { return g.ID }
func (i Instance) key() string       { return i.ID }
func (a Address) key() string        { return a.AllocationID }
func (g SecurityGroup) key() string  { return g.ID }
func (t RouteTable) key() string     { return t.ID }
func (i Interface) key() string      { return i.ID }
func (v *VPC) tags() *Tags           { return &v.Tags }
func (s *Subnet) tags() *Tags        { return &s.Tags }
func (g *Gateway) tags() *Tags       { return &g.Tags }
func (i *Instance) tags() *Tags      { return &i.Tags }
func (a *Address) tags() *Tags       { return &a.Tags }
func (g *SecurityGroup) tags() *Tags { return &g.Tags }
func (t *RouteTable) tags() *Tags    { return &t.Tags }
func (i *Interface) tags() *Tags     { return &i.Tags }

func (v VPC) clone() VPC {
	v.Tags, v.MoreCIDRs = v.Tags.clone(), cloneList(v.MoreCIDRs)
	return v
}

// IPv6Only reports whether the subnet has no IPv4 addresses.
func (s *Subnet) IPv6Only() bool { return s.CIDR == "" }

// CIDRs are the subnet's blocks.
func (s *Subnet) CIDRs() []string {
	return slices.DeleteFunc([]string{s.CIDR, s.IPv6CIDR}, func(c string) bool { return c == "" })
}

// CIDRs are all the VPC's blocks.
func (v *VPC) CIDRs() []string {
	all := []string{v.CIDR}
	if v.IPv6CIDR != "" {
		all = append(all, v.IPv6CIDR)
	}
	return append(all, v.MoreCIDRs...)
}

// OfFamily returns the networks of one family.
func OfFamily(cidrs []string, ipv6 bool) []string {
	return slices.DeleteFunc(slices.Clone(cidrs), func(c string) bool {
		return strings.Contains(c, ":") != ipv6
	})
}

func (g SecurityGroup) clone() SecurityGroup {
	g.Tags, g.Ingress, g.Egress = g.Tags.clone(), cloneRules(g.Ingress), cloneRules(g.Egress)
	return g
}

func cloneRules(rules []Rule) []Rule {
	rules = cloneList(rules)
	for i := range rules {
		r := &rules[i]
		r.CIDRs, r.IPv6, r.Groups = cloneList(r.CIDRs), cloneList(r.IPv6), cloneList(r.Groups)
	}
	return rules
}

func (t RouteTable) clone() RouteTable {
	t.Tags, t.Associations, t.Routes = t.Tags.clone(), cloneList(t.Associations), cloneList(t.Routes)
	return t
}

func (i Interface) clone() Interface {
	i.Tags, i.Groups = i.Tags.clone(), cloneList(i.Groups)
	i.PrivateAddresses, i.IPv6Addresses, i.Prefixes = cloneList(i.PrivateAddresses),
		cloneList(i.IPv6Addresses), cloneList(i.Prefixes)
	i.Operator, i.Attachment = clonePointer(i.Operator), clonePointer(i.Attachment)
	return i
}

// Primary returns the interface's primary private address.
func (i *Interface) Primary() string {
	for _, a := range i.PrivateAddresses {
		if a.Primary {
			return a.Address
		}
	}
	return ""
}

// Holds reports whether the address is one of the interface's private addresses.
func (i *Interface) Holds(address string) bool {
	return slices.ContainsFunc(i.PrivateAddresses, func(a PrivateAddress) bool {
		return a.Address == address
	})
}

// delegated reports whether the address is in one of the blocks that are the interface's whole.
func (i *Interface) delegated(address string) bool {
	return slices.ContainsFunc(i.Prefixes, func(p string) bool {
		return netip.MustParsePrefix(p).Contains(netip.MustParseAddr(address))
	})
}

// Status is the interface's own status, which follows from its attachment.
func (i *Interface) Status() string {
	switch {
	case i.TrunkID != "":
		return "in-use"
	case i.Attachment == nil || i.Attachment.Status == "detached":
		return "available"
	case i.Attachment.Status == "attached":
		return "in-use"
	default:
		return i.Attachment.Status
	}
}

// Instance returns the id of the instance the interface is attached to, or "".
func (i *Interface) Instance() string {
	if i.Attachment == nil {
		return ""
	}
	return i.Attachment.InstanceID
}
