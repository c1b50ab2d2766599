package api

import (
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeInstanceTypesIn struct {
	dryRun
	page
	InstanceType []string
	Filter       []filter
}

type networkCardXML struct {
	Index      int `xml:"networkCardIndex"`
	Interfaces int `xml:"maximumNetworkInterfaces"`
}

type networkInfoXML struct {
	Interfaces  int                         `xml:"maximumNetworkInterfaces"`
	Cards       int                         `xml:"maximumNetworkCards"`
	DefaultCard int                         `xml:"defaultNetworkCardIndex"`
	CardList    query.Items[networkCardXML] `xml:"networkCards"`
	IPv4        int                         `xml:"ipv4AddressesPerInterface"`
	IPv6        int                         `xml:"ipv6AddressesPerInterface"`
	HasIPv6     bool                        `xml:"ipv6Supported"`
}

type instanceTypeXML struct {
	Name    string         `xml:"instanceType"`
	Network networkInfoXML `xml:"networkInfo"`
}

var instanceTypeFields = fields[instanceTypeXML]{
	"instance-type": one(func(t *instanceTypeXML) string { return t.Name }),
	"network-info.ipv4-addresses-per-interface": one(func(t *instanceTypeXML) string {
		return intText(t.Network.IPv4)
	}),
	"network-info.ipv6-addresses-per-interface": one(func(t *instanceTypeXML) string {
		return intText(t.Network.IPv6)
	}),
	"network-info.maximum-network-interfaces": one(func(t *instanceTypeXML) string {
		return intText(t.Network.Interfaces)
	}),
}

// describeInstanceTypes shows the types that the stand-in has limits for, and those of the
// instances that there are.
func describeInstanceTypes(c *call, in *describeInstanceTypesIn) (any, error) {
	if len(in.InstanceType) > 0 && in.page.MaxResults != nil {
		return nil, refusal.New("InvalidParameterCombination",
			"The parameter instanceTypesSet cannot be used with the parameter maxResults")
	}
	if err := checkFilters(c.operation, in.Filter, instanceTypeFields, false); err != nil {
		return nil, err
	}
	names := in.InstanceType
	if missing := c.World.UnknownTypes(names); len(missing) > 0 {
		return nil, refusal.New("InvalidInstanceType",
			"The following supplied instance types do not exist: [%s]", strings.Join(missing, ", "))
	}
	if len(names) == 0 {
		names = c.World.TypeNames()
	}
	var picked []*instanceTypeXML
	for _, name := range names {
		t := c.instanceTypeXML(name)
		if passes(c.view(), &t, nil, in.Filter, instanceTypeFields) {
			picked = append(picked, &t)
		}
	}
	shown, next, err := take(c.operation, in.page, pageLimits{min: 5, max: 100}, picked,
		func(t *instanceTypeXML) string { return t.Name })
	if err != nil {
		return nil, err
	}
	return struct {
		Types     query.Items[instanceTypeXML] `xml:"instanceTypeSet"`
		NextToken string                       `xml:"nextToken,omitempty"`
	}{query.List(shown, func(t *instanceTypeXML) instanceTypeXML { return *t }), next}, nil
}

func (c *call) instanceTypeXML(name string) instanceTypeXML {
	interfaces, addresses := c.Quotas.OfType(&world.Instance{Type: name})
	return instanceTypeXML{Name: name, Network: networkInfoXML{
		Interfaces: interfaces, Cards: 1, IPv4: addresses, IPv6: addresses, HasIPv6: true,
		CardList: query.Items[networkCardXML]{Item: []networkCardXML{{0, interfaces}}},
	}}
}
