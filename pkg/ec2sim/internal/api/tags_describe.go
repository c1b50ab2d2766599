package api

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
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
	for id, tags := range c.World.AllTags() {
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			t := tagDescriptionXML{id, world.ResourceType(id), key, tags[key]}
			if passes(c.view(), &t, world.Tags{t.Key: t.Value}, in.Filter, tagFields) {
				list = append(list, t)
			}
		}
	}
	order := func(t tagDescriptionXML) string { return t.ResourceID + " " + t.Key }
	slices.SortFunc(list, func(a, b tagDescriptionXML) int {
		return strings.Compare(order(a), order(b))
	})
	list, next, err := take(c.operation, in.page, pageLimits{min: 5, max: 1000}, list, order)
	if err != nil {
		return nil, err
	}
	return struct {
		Tags      query.Items[tagDescriptionXML] `xml:"tagSet"`
		NextToken string                         `xml:"nextToken,omitempty"`
	}{query.Items[tagDescriptionXML]{Item: list}, next}, nil
}

var tagFields = fields[tagDescriptionXML]{
	"key":           one(func(t *tagDescriptionXML) string { return t.Key }),
	"resource-id":   one(func(t *tagDescriptionXML) string { return t.ResourceID }),
	"resource-type": one(func(t *tagDescriptionXML) string { return t.ResourceType }),
	"value":         one(func(t *tagDescriptionXML) string { return t.Value }),
}
