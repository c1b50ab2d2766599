package world

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// IDKind is how the ids of one kind of resource look and what EC2 says of those that are wrong.
type IDKind struct {
	Prefix    string
	malformed string // code
	notFound  string // code
	one, many string // text of notFound; many is empty where EC2 names only the first
}

// The ids of what the world holds.
var (
	InterfaceIDs = IDKind{"eni", "InvalidNetworkInterfaceId.Malformed",
		"InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", ""}
	InstanceIDs = IDKind{"i", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound",
		"The instance ID '%s' does not exist", "The instance IDs '%s' do not exist"}
	GroupIDs = IDKind{"sg", "InvalidGroupId.Malformed", "InvalidGroup.NotFound",
		"The security group '%s' does not exist", ""}
	SubnetIDs = IDKind{"subnet", "InvalidSubnetId.Malformed", "InvalidSubnetID.NotFound",
		"The subnet ID '%s' does not exist", ""}
	VPCIDs = IDKind{"vpc", "InvalidVpcId.Malformed", "InvalidVpcID.NotFound",
		"The vpc ID '%s' does not exist", ""}
	RouteTableIDs = IDKind{"rtb", "InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound",
		"The routeTable ID '%s' does not exist", ""}
	AttachmentIDs = IDKind{"eni-attach", "InvalidNetworkInterfaceAttachmentId.Malformed",
		"InvalidAttachmentID.NotFound", "The networkInterfaceAttachment ID '%s' does not exist", ""}
	AllocationIDs = IDKind{"eipalloc", "InvalidAllocationId.Malformed", "InvalidAllocationID.NotFound",
		"The allocation ID '%s' does not exist", ""}
)

// The ids of what a route can lead to and is not an interface.
var (
	GatewayIDs = IDKind{"igw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound",
		"The gateway ID '%s' does not exist", ""}
	VPNGatewayIDs = IDKind{"vgw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound",
		"The gateway ID '%s' does not exist", ""}
	EgressOnlyIDs = IDKind{"eigw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound",
		"The eigw ID '%s' does not exist", ""}
	NatGatewayIDs = IDKind{"nat", "InvalidNatGatewayID.Malformed", "InvalidNatGatewayID.NotFound",
		"The natGateway ID '%s' does not exist", ""}
	PeeringIDs = IDKind{"pcx", "InvalidVpcPeeringConnectionId.Malformed",
		"InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '%s' does not exist", ""}
	TransitIDs = IDKind{"tgw", "InvalidTransitGatewayID.Malformed",
		"InvalidTransitGatewayID.NotFound", "The transitGateway ID '%s' does not exist", ""}
	EndpointIDs = IDKind{"vpce", "InvalidVpcEndpointId.Malformed", "InvalidVpcEndpointId.NotFound",
		"The Vpc Endpoint Id '%s' does not exist", ""}
)

// Check refuses an id that is not of the form: the prefix, a hyphen, and 8 or 17 hexadecimal
// digits.
func (k IDKind) Check(id string) *refusal.Error {
	digits, ok := strings.CutPrefix(id, k.Prefix+"-")
	if !ok {
		return refusal.New(k.malformed, "Invalid id: \"%s\" (expecting \"%s-...\")", id, k.Prefix)
	}
	if !isHex(digits) {
		return refusal.New(k.malformed, "Invalid id: \"%s\"", id)
	}
	return nil
}

func isHex(s string) bool {
	return (len(s) == 8 || len(s) == 17) && strings.Trim(s, "0123456789abcdef") == ""
}

// Absent is the refusal of ids that nothing has.
func (k IDKind) Absent(ids ...string) *refusal.Error {
	if len(ids) > 1 && k.many != "" {
		return refusal.New(k.notFound, k.many, strings.Join(ids, ", "))
	}
	return refusal.New(k.notFound, k.one, ids[0])
}

// Find returns the resource that has the id, or EC2's refusal.
func Find[T Resource[T]](t Table[T], k IDKind, id string) (*T, error) {
	if err := k.Check(id); err != nil {
		return nil, err
	}
	if r := t[id]; r != nil {
		return r, nil
	}
	return nil, k.Absent(id)
}

// FindAll returns the resources that have the ids, in the order of ids and each once, or EC2's
// refusal: all must exist.
func FindAll[T Resource[T]](t Table[T], k IDKind, ids []string) ([]*T, error) {
	var absent []string
	for _, id := range ids {
		if err := k.Check(id); err != nil {
			return nil, err
		}
		if t[id] == nil {
			absent = append(absent, id)
		}
	}
	if len(absent) > 0 {
		return nil, k.Absent(absent...)
	}
	var found []*T
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		found = append(found, t[id])
	}
	return found, nil
}

// Minter makes ids. Two with one seed make the same ids in the same order.
type Minter struct{ rand *rand.Rand }

// NewMinter returns a minter. Those of one seed and different streams make different ids.
func NewMinter(seed, stream uint64) Minter { return Minter{rand.New(rand.NewPCG(seed, stream))} }

func (m Minter) id(prefix string) string {
	return fmt.Sprintf("%s-0%016x", prefix, m.rand.Uint64())
}

func (m Minter) mac() string {
	n := m.rand.Uint64()
	return fmt.Sprintf("06:%02x:%02x:%02x:%02x:%02x", byte(n), byte(n>>8), byte(n>>16), byte(n>>24),
		byte(n>>32))
}

// Session makes a key of temporary credentials.
func (m Minter) Session() Session {
	long := func() string { return fmt.Sprintf("%016x%016x", m.rand.Uint64(), m.rand.Uint64()) }
	return Session{AccessKeyID: fmt.Sprintf("ASIA%016X", m.rand.Uint64()),
		SecretAccessKey: long(), Token: long() + long()}
}

// UUID makes an id of a request.
func (m Minter) UUID() string {
	a, b := m.rand.Uint64(), m.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), a>>52,
		uint16(b)&0x3fff|0x8000, b>>16)
}
