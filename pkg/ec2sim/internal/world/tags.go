package world

import (
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// maxTagResources is how many resources one call may tag.
const maxTagResources = 1000

// ChangeTags has edit change the tags of every resource.
func (c *Change) ChangeTags(ids []string, edit func(Tags) error) error {
	if len(ids) > maxTagResources {
		return refusal.InvalidValue("The maximum number of resources specified on a single call is %d",
			maxTagResources)
	}
	for _, id := range ids {
		held := c.World.tagged(id)
		if held == nil {
			return absentResource(id)
		}
		if c.World.Foreign(id) {
			return errForeign()
		}
		tags := held.clone()
		if tags == nil {
			tags = Tags{}
		}
		if err := edit(tags); err != nil {
			return err
		}
		*held = tags
	}
	return nil
}

// absentResource is the refusal of an id of whatever kind.
func absentResource(id string) *refusal.Error {
	prefix, _, _ := strings.Cut(id, "-")
	for _, k := range []IDKind{
		InterfaceIDs, InstanceIDs, GroupIDs, SubnetIDs, VPCIDs, RouteTableIDs, AllocationIDs,
		GatewayIDs, NatGatewayIDs, EgressOnlyIDs, TransitIDs, PeeringIDs, EndpointIDs,
	} {
		if k.Prefix != prefix {
			continue
		}
		if err := k.Check(id); err != nil {
			return err
		}
		return k.Absent(id)
	}
	return refusal.New("InvalidID", "The ID '%s' is not valid", id)
}

// MayHold refuses more tags than a resource may have.
func (c *Change) MayHold(tags Tags) error {
	if userTags(tags) > c.Quotas.tags() {
		return refusal.New("TagLimitExceeded",
			"The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// ReservedTag reports whether only AWS may set a tag of that key.
func ReservedTag(key string) bool {
	return len(key) >= 4 && strings.EqualFold(key[:4], "aws:")
}

// userTags counts the tags that are not AWS's.
func userTags(tags Tags) int {
	n := 0
	for key := range tags {
		if !ReservedTag(key) {
			n++
		}
	}
	return n
}

// AllTags returns the tags of every resource that has some, by id.
func (w *World) AllTags() map[string]Tags {
	all := map[string]Tags{}
	collectTags[VPC](all, w.VPCs)
	collectTags[Subnet](all, w.Subnets)
	collectTags[SecurityGroup](all, w.Groups)
	collectTags[Gateway](all, w.Gateways)
	collectTags[RouteTable](all, w.Routes)
	collectTags[Instance](all, w.Instances)
	collectTags[Interface](all, w.Interfaces)
	collectTags[Address](all, w.Addresses)
	return all
}

func collectTags[T Resource[T], P interface {
	*T
	taggable
}](all map[string]Tags, from Table[T]) {
	for id, r := range from {
		if tags := *P(r).tags(); len(tags) > 0 {
			all[id] = tags
		}
	}
}

var resourceTypes = map[string]string{
	"vpc": "vpc", "subnet": "subnet", "sg": "security-group", "rtb": "route-table", "i": "instance",
	"eni": "network-interface", "eipalloc": "elastic-ip", "igw": "internet-gateway",
	"nat":  "natgateway",
	"eigw": "egress-only-internet-gateway", "tgw": "transit-gateway", "pcx": "vpc-peering-connection",
	"vgw": "vpn-gateway", "vpce": "vpc-endpoint", "ipv4pool": "ipv4pool-ec2",
}

// ResourceType is EC2's name of the kind of resource that has the id.
func ResourceType(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	return resourceTypes[prefix]
}
