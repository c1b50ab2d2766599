package ec2sim

import "aws-provider-executor/pkg/ec2sim/internal/query"

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
	list, next, err := listing[VPC]{
		ids:    vpcIDs,
		from:   func(w *world) table[VPC] { return w.vpcs },
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

func (w view) vpcXML(v *VPC) vpcXML {
	x := vpcXML{
		ID: v.ID, OwnerID: w.ownerOf(v.ID), State: "available", CIDR: v.CIDR, DHCPOptionsID: sameDigits("dopt", v.ID),
		Blocks: query.List(ofFamily(v.cidrs(), false), func(cidr string) ipv4BlockXML {
			return ipv4BlockXML{sameDigits("vpc-cidr-assoc", v.ID), cidr, stateXML{"associated"}}
		}),
		IPv6Blocks: ipv6Blocks("vpc-cidr-assoc", v.ID, ofFamily(v.cidrs(), true)...),
		Tenancy:    "default", Default: v.Default, Tags: tagsXML(v.Tags),
	}
	for i := range x.IPv6Blocks.Item {
		x.IPv6Blocks.Item[i].Border, x.IPv6Blocks.Item[i].Pool = w.region, "Amazon"
	}
	return x
}

var vpcFields = fields[VPC]{
	"cidr":                                        one(func(v *VPC) string { return v.CIDR }),
	"cidr-block-association.cidr-block":           many(func(v *VPC) []string { return ofFamily(v.cidrs(), false) }),
	"cidr-block-association.association-id":       one(func(v *VPC) string { return sameDigits("vpc-cidr-assoc", v.ID) }),
	"cidr-block-association.state":                one(func(*VPC) string { return "associated" }),
	"ipv6-cidr-block-association.association-id":  ofIPv6Block(func(b ipv6BlockXML) string { return b.AssociationID }),
	"ipv6-cidr-block-association.ipv6-pool":       ofIPv6Block(func(b ipv6BlockXML) string { return b.Pool }),
	"ipv6-cidr-block-association.state":           ofIPv6Block(func(b ipv6BlockXML) string { return b.State.State }),
	"dhcp-options-id":                             one(func(v *VPC) string { return sameDigits("dopt", v.ID) }),
	"ipv6-cidr-block-association.ipv6-cidr-block": many(func(v *VPC) []string { return ofFamily(v.cidrs(), true) }),
	"is-default":                                  yes(func(v *VPC) bool { return v.Default }),
	"owner-id":                                    ownerFilter[VPC],
	"state":                                       one(func(*VPC) string { return "available" }),
	"vpc-id":                                      one(func(v *VPC) string { return v.ID }),
}

func ofIPv6Block(read func(ipv6BlockXML) string) func(view, *VPC) []string {
	return func(w view, v *VPC) []string {
		var list []string
		for _, b := range w.vpcXML(v).IPv6Blocks.Item {
			list = append(list, read(b))
		}
		return list
	}
}
