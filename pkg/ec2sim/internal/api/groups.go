package api

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeSecurityGroupsIn struct {
	dryRun
	page
	GroupId   []string
	GroupName []string
	Filter    []filter
}

func (in *describeSecurityGroupsIn) plain() bool { return isPlain(in.Filter, in.page) }

type groupPairXML struct {
	OwnerID string `xml:"userId"`
	GroupID string `xml:"groupId"`
}

type cidrXML struct {
	CIDR string `xml:"cidrIp"`
}

type ipv6CIDRXML struct {
	CIDR string `xml:"cidrIpv6"`
}

type permissionXML struct {
	Protocol    string                    `xml:"ipProtocol"`
	FromPort    *int                      `xml:"fromPort"`
	ToPort      *int                      `xml:"toPort"`
	Groups      query.Items[groupPairXML] `xml:"groups"`
	CIDRs       query.Items[cidrXML]      `xml:"ipRanges"`
	IPv6        query.Items[ipv6CIDRXML]  `xml:"ipv6Ranges"`
	PrefixLists query.Items[string]       `xml:"prefixListIds"`
}

type securityGroupXML struct {
	OwnerID     string                     `xml:"ownerId"`
	ID          string                     `xml:"groupId"`
	ARN         string                     `xml:"securityGroupArn"`
	Name        string                     `xml:"groupName"`
	Description string                     `xml:"groupDescription"`
	VPCID       string                     `xml:"vpcId"`
	Ingress     query.Items[permissionXML] `xml:"ipPermissions"`
	Egress      query.Items[permissionXML] `xml:"ipPermissionsEgress"`
	Tags        query.Items[tagXML]        `xml:"tagSet"`
}

func describeSecurityGroups(c *call, in *describeSecurityGroupsIn) (any, error) {
	ids := slices.Clone(in.GroupId)
	for _, name := range in.GroupName {
		id := c.groupNamed(name)
		if id == "" {
			return nil, refusal.New("InvalidGroup.NotFound", "The security group '%s' does not exist", name)
		}
		ids = append(ids, id)
	}
	list, next, err := listing[world.SecurityGroup]{
		ids:    world.GroupIDs,
		from:   func(w *world.World) world.Table[world.SecurityGroup] { return w.Groups },
		fields: groupFields,
		limits: pageLimits{min: 5, max: 1000},
	}.pick(c, selection{ids, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return struct {
		Groups    query.Items[securityGroupXML] `xml:"securityGroupInfo"`
		NextToken string                        `xml:"nextToken,omitempty"`
	}{query.List(list, c.view().securityGroupXML), next}, nil
}

// groupNamed finds a group of the default VPC: names are good for no other.
func (c *call) groupNamed(name string) string {
	for g := range c.World.Groups.Each() {
		if v := c.World.VPCs[g.VPCID]; g.Name == name && v != nil && v.Default {
			return g.ID
		}
	}
	return ""
}

func (w view) securityGroupXML(g *world.SecurityGroup) securityGroupXML {
	return securityGroupXML{
		OwnerID: w.OwnerOf(g.ID), ID: g.ID, ARN: w.ARN("security-group", g.ID), Name: g.Name,
		Description: g.Description,
		VPCID:       g.VPCID, Ingress: query.List(g.Ingress, w.permissionXML),
		Egress: query.List(g.Egress, w.permissionXML),
		Tags:   tagsXML(g.Tags),
	}
}

func (w view) permissionXML(r world.Rule) permissionXML {
	x := permissionXML{
		Protocol: r.Protocol,
		Groups: query.List(r.Groups, func(id string) groupPairXML {
			return groupPairXML{w.OwnerOf(id), id}
		}),
		CIDRs: query.List(r.CIDRs, func(cidr string) cidrXML { return cidrXML{cidr} }),
		IPv6:  query.List(r.IPv6, func(cidr string) ipv6CIDRXML { return ipv6CIDRXML{cidr} }),
	}
	if r.Protocol != "-1" {
		x.FromPort, x.ToPort = &r.FromPort, &r.ToPort
	}
	return x
}

var groupFields = fields[world.SecurityGroup]{
	"description": one(func(g *world.SecurityGroup) string { return g.Description }),
	"group-id":    one(func(g *world.SecurityGroup) string { return g.ID }),
	"group-name":  one(func(g *world.SecurityGroup) string { return g.Name }),
	"owner-id":    ownerFilter[world.SecurityGroup],
	"vpc-id":      one(func(g *world.SecurityGroup) string { return g.VPCID }),

	"ip-permission.cidr": ofRules(ingress, func(r world.Rule) []string { return r.CIDRs }),
	"ip-permission.from-port": ofRules(ingress, func(r world.Rule) []string {
		return []string{intText(r.FromPort)}
	}),
	"ip-permission.group-id":  ofRules(ingress, func(r world.Rule) []string { return r.Groups }),
	"ip-permission.ipv6-cidr": ofRules(ingress, func(r world.Rule) []string { return r.IPv6 }),
	"ip-permission.protocol": ofRules(ingress, func(r world.Rule) []string {
		return []string{r.Protocol}
	}),
	"ip-permission.to-port": ofRules(ingress, func(r world.Rule) []string {
		return []string{intText(r.ToPort)}
	}),

	"egress.ip-permission.cidr": ofRules(egress, func(r world.Rule) []string { return r.CIDRs }),
	"egress.ip-permission.from-port": ofRules(egress, func(r world.Rule) []string {
		return []string{intText(r.FromPort)}
	}),
	"ip-permission.group-name":        ofRuleGroups(ingress, view.GroupName),
	"ip-permission.user-id":           ofRuleGroups(ingress, view.OwnerOf),
	"egress.ip-permission.group-name": ofRuleGroups(egress, view.GroupName),
	"egress.ip-permission.user-id":    ofRuleGroups(egress, view.OwnerOf),

	"egress.ip-permission.group-id":  ofRules(egress, func(r world.Rule) []string { return r.Groups }),
	"egress.ip-permission.ipv6-cidr": ofRules(egress, func(r world.Rule) []string { return r.IPv6 }),
	"egress.ip-permission.protocol": ofRules(egress, func(r world.Rule) []string {
		return []string{r.Protocol}
	}),
	"egress.ip-permission.to-port": ofRules(egress, func(r world.Rule) []string {
		return []string{intText(r.ToPort)}
	}),
}

func ingress(g *world.SecurityGroup) []world.Rule { return g.Ingress }
func egress(g *world.SecurityGroup) []world.Rule  { return g.Egress }

// ofRuleGroups reads of the groups that rules name.
func ofRuleGroups(
	rules func(*world.SecurityGroup) []world.Rule, read func(view, string) string,
) func(view, *world.SecurityGroup) []string {
	return func(w view, g *world.SecurityGroup) []string {
		var list []string
		for _, r := range rules(g) {
			for _, id := range r.Groups {
				list = append(list, read(w, id))
			}
		}
		return list
	}
}

func ofRules(
	rules func(*world.SecurityGroup) []world.Rule, read func(world.Rule) []string,
) func(view, *world.SecurityGroup) []string {
	return func(_ view, g *world.SecurityGroup) []string {
		var list []string
		for _, r := range rules(g) {
			list = append(list, read(r)...)
		}
		return list
	}
}
