package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeSubnetsIn struct {
	dryRun
	page
	SubnetId []string
	Filter   []filter
}

type stateXML struct {
	State string `xml:"state"`
}

type ipv6BlockXML struct {
	AssociationID string   `xml:"associationId"`
	CIDR          string   `xml:"ipv6CidrBlock"`
	State         stateXML `xml:"ipv6CidrBlockState"`
	Border        string   `xml:"networkBorderGroup,omitempty"` // of a VPC's
	Pool          string   `xml:"ipv6Pool,omitempty"`           // of a VPC's
}

type subnetXML struct {
	ID                 string                    `xml:"subnetId"`
	ARN                string                    `xml:"subnetArn"`
	State              string                    `xml:"state"`
	OwnerID            string                    `xml:"ownerId"`
	VPCID              string                    `xml:"vpcId"`
	CIDR               string                    `xml:"cidrBlock,omitempty"`
	IPv6Blocks         query.Items[ipv6BlockXML] `xml:"ipv6CidrBlockAssociationSet"`
	Available          int                       `xml:"availableIpAddressCount"`
	AvailabilityZone   string                    `xml:"availabilityZone"`
	AvailabilityZoneID string                    `xml:"availabilityZoneId"`
	DefaultForZone     bool                      `xml:"defaultForAz"`
	MapPublicIP        bool                      `xml:"mapPublicIpOnLaunch"`
	AssignIPv6         bool                      `xml:"assignIpv6AddressOnCreation"`
	IPv6Native         bool                      `xml:"ipv6Native"`
	Tags               query.Items[tagXML]       `xml:"tagSet"`
}

func describeSubnets(c *call, in *describeSubnetsIn) (any, error) {
	list, next, err := listing[world.Subnet]{
		ids:    world.SubnetIDs,
		from:   func(w *world.World) world.Table[world.Subnet] { return w.Subnets },
		fields: subnetFields,
		limits: pageLimits{min: 5, max: 1000},
	}.pick(c, selection{in.SubnetId, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return struct {
		Subnets   query.Items[subnetXML] `xml:"subnetSet"`
		NextToken string                 `xml:"nextToken,omitempty"`
	}{query.List(list, c.view().subnetXML), next}, nil
}

func (w view) subnetXML(s *world.Subnet) subnetXML {
	return subnetXML{
		ID: s.ID, ARN: w.ARN("subnet", s.ID), State: "available", OwnerID: w.OwnerOf(s.ID),
		VPCID: s.VPCID, CIDR: s.CIDR,
		IPv6Native: s.IPv6Only(), AssignIPv6: s.IPv6Only(),
		IPv6Blocks: ipv6Blocks("subnet-cidr-assoc", s.ID, s.IPv6CIDR), Available: w.Available(s),
		AvailabilityZone: s.AvailabilityZone, AvailabilityZoneID: world.ZoneID(s.AvailabilityZone),
		Tags: tagsXML(s.Tags),
	}
}

// ipv6Blocks shows the IPv6 CIDRs that are not empty, with an association id made of the owner's.
func ipv6Blocks(prefix, owner string, cidrs ...string) query.Items[ipv6BlockXML] {
	var list query.Items[ipv6BlockXML]
	for _, cidr := range cidrs {
		if cidr != "" {
			list.Item = append(list.Item,
				ipv6BlockXML{AssociationID: world.SameDigits(prefix, owner), CIDR: cidr,
					State: stateXML{"associated"}})
		}
	}
	return list
}

var subnetFields = fields[world.Subnet]{
	"availability-zone": one(func(s *world.Subnet) string { return s.AvailabilityZone }),
	"availability-zone-id": one(func(s *world.Subnet) string {
		return world.ZoneID(s.AvailabilityZone)
	}),
	"available-ip-address-count": func(w view, s *world.Subnet) []string {
		return []string{intText(w.Available(s))}
	},
	"cidr":                    optional(func(s *world.Subnet) string { return s.CIDR }),
	"cidr-block":              optional(func(s *world.Subnet) string { return s.CIDR }),
	"default-for-az":          yes(func(*world.Subnet) bool { return false }),
	"ipv6-native":             yes((*world.Subnet).IPv6Only),
	"map-public-ip-on-launch": yes(func(*world.Subnet) bool { return false }),
	"subnet-arn": func(w view, s *world.Subnet) []string {
		return []string{w.ARN("subnet", s.ID)}
	},
	"ipv6-cidr-block-association.state": optional(func(s *world.Subnet) string {
		if s.IPv6CIDR == "" {
			return ""
		}
		return "associated"
	}),
	"state":     one(func(*world.Subnet) string { return "available" }),
	"subnet-id": one(func(s *world.Subnet) string { return s.ID }),
	"vpc-id":    one(func(s *world.Subnet) string { return s.VPCID }),
	"owner-id":  ownerFilter[world.Subnet],
	"ipv6-cidr-block-association.ipv6-cidr-block": optional(func(s *world.Subnet) string {
		return s.IPv6CIDR
	}),
	"ipv6-cidr-block-association.association-id": optional(func(s *world.Subnet) string {
		if s.IPv6CIDR == "" {
			return ""
		}
		return world.SameDigits("subnet-cidr-assoc", s.ID)
	}),
}
