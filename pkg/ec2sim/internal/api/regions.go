package api

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeRegionsIn struct {
	dryRun
	RegionName []string
	Filter     []filter
	AllRegions bool
}

type regionXML struct {
	Name     string `xml:"regionName"`
	Endpoint string `xml:"regionEndpoint"`
	OptIn    string `xml:"optInStatus"`
}

var regionFields = fields[regionXML]{
	"endpoint":      one(func(r *regionXML) string { return r.Endpoint }),
	"opt-in-status": one(func(r *regionXML) string { return r.OptIn }),
	"region-name":   one(func(r *regionXML) string { return r.Name }),
}

func describeRegions(c *call, in *describeRegionsIn) (any, error) {
	if err := checkFilters(c.operation, in.Filter, regionFields, false); err != nil {
		return nil, err
	}
	regions := c.Regions()
	for _, name := range in.RegionName {
		if !slices.ContainsFunc(regions, func(r world.RegionStatus) bool { return r.Name == name }) {
			return nil, refusal.InvalidValue("Invalid region names: [%s]", name)
		}
	}
	var out struct {
		Regions query.Items[regionXML] `xml:"regionInfo"`
	}
	for _, known := range regions {
		r := regionXML{known.Name, "ec2." + known.Name + ".amazonaws.com", known.OptIn}
		asked := slices.Contains(in.RegionName, r.Name) ||
			len(in.RegionName) == 0 && (in.AllRegions || r.OptIn != world.NotOptedIn)
		if asked && passes(c.view(), &r, nil, in.Filter, regionFields) {
			out.Regions.Item = append(out.Regions.Item, r)
		}
	}
	return out, nil
}
