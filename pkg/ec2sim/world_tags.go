package ec2sim

import "strings"

// maxTagResources is how many resources one call may tag.
const maxTagResources = 1000

// changeTags has edit change the tags of every resource.
func (c *change) changeTags(ids []string, edit func(Tags) error) error {
	if len(ids) > maxTagResources {
		return invalidValue("The maximum number of resources specified on a single call is %d", maxTagResources)
	}
	for _, id := range ids {
		held := c.w.tagged(id)
		if held == nil {
			return absentResource(id)
		}
		if c.w.foreign(id) {
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
func absentResource(id string) *Error {
	prefix, _, _ := strings.Cut(id, "-")
	for _, k := range []idKind{
		interfaceIDs, instanceIDs, groupIDs, subnetIDs, vpcIDs, routeTableIDs, allocationIDs,
		gatewayIDs, natGatewayIDs, egressOnlyIDs, transitIDs, peeringIDs, endpointIDs,
	} {
		if k.prefix != prefix {
			continue
		}
		if err := k.check(id); err != nil {
			return err
		}
		return k.absent(id)
	}
	return refuse("InvalidID", "The ID '%s' is not valid", id)
}

// mayHold refuses more tags than a resource may have.
func (c *change) mayHold(tags Tags) error {
	if userTags(tags) > c.quotas.tags() {
		return refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// reservedTag reports whether only AWS may set a tag of that key.
func reservedTag(key string) bool {
	return len(key) >= 4 && strings.EqualFold(key[:4], "aws:")
}

// userTags counts the tags that are not AWS's.
func userTags(tags Tags) int {
	n := 0
	for key := range tags {
		if !reservedTag(key) {
			n++
		}
	}
	return n
}

// allTags returns the tags of every resource that has some, by id.
func (w *world) allTags() map[string]Tags {
	all := map[string]Tags{}
	collectTags[VPC](all, w.vpcs)
	collectTags[Subnet](all, w.subnets)
	collectTags[SecurityGroup](all, w.groups)
	collectTags[Gateway](all, w.gateways)
	collectTags[RouteTable](all, w.routes)
	collectTags[Instance](all, w.instances)
	collectTags[Interface](all, w.interfaces)
	collectTags[Address](all, w.addresses)
	return all
}

func collectTags[T resource[T], P interface {
	*T
	taggable
}](all map[string]Tags, from table[T]) {
	for id, r := range from {
		if tags := *P(r).tags(); len(tags) > 0 {
			all[id] = tags
		}
	}
}

var resourceTypes = map[string]string{
	"vpc": "vpc", "subnet": "subnet", "sg": "security-group", "rtb": "route-table", "i": "instance",
	"eni": "network-interface", "eipalloc": "elastic-ip", "igw": "internet-gateway", "nat": "natgateway",
	"eigw": "egress-only-internet-gateway", "tgw": "transit-gateway", "pcx": "vpc-peering-connection",
	"vgw": "vpn-gateway", "vpce": "vpc-endpoint",
}

// resourceType is EC2's name of the kind of resource that has the id.
func resourceType(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	return resourceTypes[prefix]
}
