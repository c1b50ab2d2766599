package api

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// CommonRegions are the regions every account has.
var CommonRegions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
	"ap-southeast-2",
	"ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
	"us-east-1", "us-east-2", "us-west-1", "us-west-2",
}

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
	names := CommonRegions
	if !slices.Contains(names, c.World.Region) {
		names = append(slices.Clone(names), c.World.Region)
	}
	for _, name := range in.RegionName {
		if !slices.Contains(names, name) {
			return nil, refusal.InvalidValue("Invalid region names: [%s]", name)
		}
	}
	var out struct {
		Regions query.Items[regionXML] `xml:"regionInfo"`
	}
	for _, name := range names {
		r := regionXML{name, "ec2." + name + ".amazonaws.com", "opt-in-not-required"}
		if (len(in.RegionName) == 0 || slices.Contains(in.RegionName, name)) &&
			passes(c.view(), &r, nil, in.Filter, regionFields) {
			out.Regions.Item = append(out.Regions.Item, r)
		}
	}
	return out, nil
}
