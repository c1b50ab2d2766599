package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// listing is how the resources of one kind are described: which ids they have, which filters, which
// pages.
type listing[T world.Resource[T]] struct {
	ids    world.IDKind
	from   func(*world.World) world.Table[T]
	fields fields[T]
	limits pageLimits
	// idSet is EC2's name of the ids where it refuses to page them. It is empty where it pages them.
	idSet    string
	untagged bool          // there are no filters of tags
	keep     func(*T) bool // what may be described at all; nil is everything
}

// selection is what a Describe asks for.
type selection struct {
	ids     []string
	filters []filter
	page    page
}

// pick returns a page of what is selected, in the order of ids, and the token of the next page.
func (l listing[T]) pick(c *call, s selection) ([]*T, string, error) {
	if len(s.ids) > 0 && s.page.MaxResults != nil && l.idSet != "" {
		return nil, "", refusal.New("InvalidParameterCombination",
			"The parameter %s cannot be used with the parameter maxResults", l.idSet)
	}
	if err := checkFilters(c.operation, s.filters, l.fields, !l.untagged); err != nil {
		return nil, "", err
	}
	from := l.from(c.World)
	candidates := from.List()
	if len(s.ids) > 0 {
		var err error
		if candidates, err = world.FindAll(from, l.ids, s.ids); err != nil {
			return nil, "", err
		}
	}
	var picked []*T
	for _, r := range candidates {
		if (l.keep == nil || l.keep(r)) && passes(c.view(), r, world.TagsOf(r), s.filters, l.fields) {
			picked = append(picked, r)
		}
	}
	return take(c.operation, s.page, l.limits, picked, world.Key)
}

// isPlain reports whether a Describe is neither filtered nor paged.
func isPlain(filters []filter, p page) bool {
	return len(filters) == 0 && p.MaxResults == nil && p.NextToken == ""
}

// tagXML is how a tag is shown.
type tagXML struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// ownerFilter is the filter owner-id.
func ownerFilter[T world.Resource[T]](w view, r *T) []string {
	return []string{w.OwnerOf(world.Key(r))}
}
