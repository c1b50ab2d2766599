package ec2sim

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
)

type describeTagsIn struct {
	dryRun
	page
	Filter []filter
}

type tagDescriptionXML struct {
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Key          string `xml:"key"`
	Value        string `xml:"value"`
}

func describeTags(c *call, in *describeTagsIn) (any, error) {
	for _, f := range in.Filter {
		if f.Name == "tag-key" { // of every kind but this
			return nil, errFilter(c.operation, f.Name)
		}
	}
	if err := checkFilters(c.operation, in.Filter, tagFields, true); err != nil {
		return nil, err
	}
	var list []tagDescriptionXML
	for id, tags := range c.w.allTags() {
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			t := tagDescriptionXML{id, resourceType(id), key, tags[key]}
			if passes(c.w, &t, Tags{t.Key: t.Value}, in.Filter, tagFields) {
				list = append(list, t)
			}
		}
	}
	order := func(t tagDescriptionXML) string { return t.ResourceID + " " + t.Key }
	slices.SortFunc(list, func(a, b tagDescriptionXML) int { return strings.Compare(order(a), order(b)) })
	list, next, err := take(c.operation, in.page, pageLimits{min: 5, max: 1000}, list, order)
	if err != nil {
		return nil, err
	}
	return struct {
		Tags      query.Items[tagDescriptionXML] `xml:"tagSet"`
		NextToken string                         `xml:"nextToken,omitempty"`
	}{query.Items[tagDescriptionXML]{Item: list}, next}, nil
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

var tagFields = fields[tagDescriptionXML]{
	"key":           one(func(t *tagDescriptionXML) string { return t.Key }),
	"resource-id":   one(func(t *tagDescriptionXML) string { return t.ResourceID }),
	"resource-type": one(func(t *tagDescriptionXML) string { return t.ResourceType }),
	"value":         one(func(t *tagDescriptionXML) string { return t.Value }),
}
