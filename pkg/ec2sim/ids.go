package ec2sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// idKind is how the ids of one kind of resource look and what EC2 says of those that are wrong.
type idKind struct {
	prefix    string
	malformed string // code
	notFound  string // code
	one, many string // text of notFound; many is empty where EC2 names only the first
}

var (
	interfaceIDs  = idKind{"eni", "InvalidNetworkInterfaceId.Malformed", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", ""}
	instanceIDs   = idKind{"i", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", "The instance IDs '%s' do not exist"}
	groupIDs      = idKind{"sg", "InvalidGroupId.Malformed", "InvalidGroup.NotFound", "The security group '%s' does not exist", ""}
	subnetIDs     = idKind{"subnet", "InvalidSubnetId.Malformed", "InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", ""}
	vpcIDs        = idKind{"vpc", "InvalidVpcId.Malformed", "InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", ""}
	routeTableIDs = idKind{"rtb", "InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", ""}
	attachmentIDs = idKind{"eni-attach", "InvalidNetworkInterfaceAttachmentId.Malformed", "InvalidAttachmentID.NotFound", "The networkInterfaceAttachment ID '%s' does not exist", ""}
	allocationIDs = idKind{"eipalloc", "InvalidAllocationId.Malformed", "InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist", ""}
)

var (
	gatewayIDs    = idKind{"igw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", ""}
	vpnGatewayIDs = idKind{"vgw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", ""}
	egressOnlyIDs = idKind{"eigw", "InvalidGatewayID.Malformed", "InvalidGatewayID.NotFound", "The eigw ID '%s' does not exist", ""}
	natGatewayIDs = idKind{"nat", "InvalidNatGatewayID.Malformed", "InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", ""}
	peeringIDs    = idKind{"pcx", "InvalidVpcPeeringConnectionId.Malformed", "InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '%s' does not exist", ""}
	transitIDs    = idKind{"tgw", "InvalidTransitGatewayID.Malformed", "InvalidTransitGatewayID.NotFound", "The transitGateway ID '%s' does not exist", ""}
	endpointIDs   = idKind{"vpce", "InvalidVpcEndpointId.Malformed", "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", ""}
)

// check refuses an id that is not of the form: the prefix, a hyphen, and 8 or 17 hexadecimal digits.
func (k idKind) check(id string) *Error {
	digits, ok := strings.CutPrefix(id, k.prefix+"-")
	if !ok {
		return refuse(k.malformed, "Invalid id: \"%s\" (expecting \"%s-...\")", id, k.prefix)
	}
	if !isHex(digits) {
		return refuse(k.malformed, "Invalid id: \"%s\"", id)
	}
	return nil
}

func isHex(s string) bool {
	return (len(s) == 8 || len(s) == 17) && strings.Trim(s, "0123456789abcdef") == ""
}

func (k idKind) absent(ids ...string) *Error {
	if len(ids) > 1 && k.many != "" {
		return refuse(k.notFound, k.many, strings.Join(ids, ", "))
	}
	return refuse(k.notFound, k.one, ids[0])
}

// find returns the resource that has the id, or EC2's refusal.
func find[T resource[T]](t table[T], k idKind, id string) (*T, error) {
	if err := k.check(id); err != nil {
		return nil, err
	}
	if r := t[id]; r != nil {
		return r, nil
	}
	return nil, k.absent(id)
}

// findAll returns the resources that have the ids, in the order of ids and each once, or EC2's refusal:
// all must exist.
func findAll[T resource[T]](t table[T], k idKind, ids []string) ([]*T, error) {
	var absent []string
	for _, id := range ids {
		if err := k.check(id); err != nil {
			return nil, err
		}
		if t[id] == nil {
			absent = append(absent, id)
		}
	}
	if len(absent) > 0 {
		return nil, k.absent(absent...)
	}
	var found []*T
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		found = append(found, t[id])
	}
	return found, nil
}

// minter makes ids. Two with one seed make the same ids in the same order.
type minter struct{ rand *rand.Rand }

func newMinter(seed, stream uint64) minter { return minter{rand.New(rand.NewPCG(seed, stream))} }

func (m minter) id(prefix string) string {
	return fmt.Sprintf("%s-0%016x", prefix, m.rand.Uint64())
}

func (m minter) mac() string {
	n := m.rand.Uint64()
	return fmt.Sprintf("06:%02x:%02x:%02x:%02x:%02x", byte(n), byte(n>>8), byte(n>>16), byte(n>>24), byte(n>>32))
}

func (m minter) uuid() string {
	a, b := m.rand.Uint64(), m.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), a>>52, uint16(b)&0x3fff|0x8000, b>>16)
}
