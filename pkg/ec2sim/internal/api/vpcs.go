package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeVPCsIn struct {
	dryRun
	page
	VpcId  []string
	Filter []filter
}

type ipv4BlockXML struct {
	AssociationID string   `xml:"associationId"`
	CIDR          string   `xml:"cidrBlock"`
	State         stateXML `xml:"cidrBlockState"`
}

type vpcXML struct {
	ID            string                    `xml:"vpcId"`
	OwnerID       string                    `xml:"ownerId"`
	State         string                    `xml:"state"`
	CIDR          string                    `xml:"cidrBlock"`
	Blocks        query.Items[ipv4BlockXML] `xml:"cidrBlockAssociationSet"`
	IPv6Blocks    query.Items[ipv6BlockXML] `xml:"ipv6CidrBlockAssociationSet"`
	DHCPOptionsID string                    `xml:"dhcpOptionsId"`
	Tenancy       string                    `xml:"instanceTenancy"`
	Default       bool                      `xml:"isDefault"`
	Tags          query.Items[tagXML]       `xml:"tagSet"`
}

func describeVPCs(c *call, in *describeVPCsIn) (any, error) {
	list, next, err := listing[world.VPC]{
		ids:    world.VPCIDs,
		from:   func(w *world.World) world.Table[world.VPC] { return w.VPCs },
		fields: vpcFields,
		limits: pageLimits{min: 5, max: 1000},
	}.pick(c, selection{in.VpcId, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return struct {
		VPCs      query.Items[vpcXML] `xml:"vpcSet"`
		NextToken string              `xml:"nextToken,omitempty"`
	}{query.List(list, c.view().vpcXML), next}, nil
}

func (w view) vpcXML(v *world.VPC) vpcXML {
	x := vpcXML{
		ID: v.ID, OwnerID: w.OwnerOf(v.ID), State: "available", CIDR: v.CIDR,
		DHCPOptionsID: world.SameDigits("dopt", v.ID),
		Blocks: query.List(world.OfFamily(v.CIDRs(), false), func(cidr string) ipv4BlockXML {
			return ipv4BlockXML{world.SameDigits("vpc-cidr-assoc", v.ID), cidr, stateXML{"associated"}}
		}),
		IPv6Blocks: ipv6Blocks("vpc-cidr-assoc", v.ID, world.OfFamily(v.CIDRs(), true)...),
		Tenancy:    "default", Default: v.Default, Tags: tagsXML(v.Tags),
	}
	for i := range x.IPv6Blocks.Item {
		x.IPv6Blocks.Item[i].Border, x.IPv6Blocks.Item[i].Pool = w.Region, "Amazon"
	}
	return x
}

var vpcFields = fields[world.VPC]{
	"cidr": one(func(v *world.VPC) string { return v.CIDR }),
	"cidr-block-association.cidr-block": many(func(v *world.VPC) []string {
		return world.OfFamily(v.CIDRs(), false)
	}),
	"cidr-block-association.association-id": one(func(v *world.VPC) string {
		return world.SameDigits("vpc-cidr-assoc", v.ID)
	}),
	"cidr-block-association.state": one(func(*world.VPC) string {
		return "associated"
	}),
	"ipv6-cidr-block-association.association-id": ofIPv6Block(func(b ipv6BlockXML) string {
		return b.AssociationID
	}),
	"ipv6-cidr-block-association.ipv6-pool": ofIPv6Block(func(b ipv6BlockXML) string {
		return b.Pool
	}),
	"ipv6-cidr-block-association.state": ofIPv6Block(func(b ipv6BlockXML) string {
		return b.State.State
	}),
	"dhcp-options-id": one(func(v *world.VPC) string {
		return world.SameDigits("dopt", v.ID)
	}),
	"ipv6-cidr-block-association.ipv6-cidr-block": many(func(v *world.VPC) []string {
		return world.OfFamily(v.CIDRs(), true)
	}),
	"is-default": yes(func(v *world.VPC) bool { return v.Default }),
	"owner-id":   ownerFilter[world.VPC],
	"state":      one(func(*world.VPC) string { return "available" }),
	"vpc-id":     one(func(v *world.VPC) string { return v.ID }),
}

func ofIPv6Block(read func(ipv6BlockXML) string) func(view, *world.VPC) []string {
	return func(w view, v *world.VPC) []string {
		var list []string
		for _, b := range w.vpcXML(v).IPv6Blocks.Item {
			list = append(list, read(b))
		}
		return list
	}
}
