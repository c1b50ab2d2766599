package iampolicy

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/wildcard"
)

// regionKeys are the condition keys for the region that is called.
var regionKeys = []string{"ec2:Region", "aws:RequestedRegion"}

// wider says where a statement allows what is needed on more than is named. Pattern is one of its
// actions.
func (w wants) wider(g grant, pattern string) []finding {
	var regions, named []string
	var changed []change
	for _, of := range w {
		for _, p := range of.Needed {
			switch {
			case !wildcard.Plain.Match(strings.ToLower(pattern), strings.ToLower(p.Action)):
			case p.Resource == anything:
				regions = append(regions, of.Scope.Region)
			default:
				changed = append(changed, change{p, of.Scope})
				named = append(named, of.Scope.arns(action.Kind(p.Resource))...)
			}
		}
	}
	var all []finding
	if regions = sortedOnce(regions); len(regions) > 0 && !g.restrictedTo(regions, regionKeys...) {
		all = append(all, g.more(regionKeys,
			pattern+" in other regions than "+strings.Join(regions, ", ")))
	}
	if len(changed) == 0 || g.resources.not {
		return all
	}
	for _, resource := range g.resources.list {
		if !slices.ContainsFunc(named, func(arn string) bool { return covers(arn, resource) }) {
			all = append(all, g.more(regionKeys, pattern+" on "+resource+", wider than what is named"))
		}
	}
	return append(all, g.unconditioned(pattern, changed)...)
}

// change is a permission to change something that is needed in a scope.
type change struct {
	action.Permission
	scope Scope
}

// concerns reports whether a statement is for some of the resources that a permission is needed on.
func (g grant) concerns(c change) bool {
	return slices.ContainsFunc(c.scope.arns(action.Kind(c.Resource)), func(arn string) bool {
		return g.resources.matchesResource(arn) != no
	})
}

// unconditioned says which conditions a statement lacks that the smallest policy has.
func (g grant) unconditioned(pattern string, changed []change) []finding {
	var all []finding
	keys, vpcs, tags := g.wantedConditions(changed)
	lacks := func(what string, values []string, keys ...string) {
		if !g.restrictedTo(values, keys...) {
			all = append(all, g.more(append(keys, regionKeys...), pattern+" "+what))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		lacks("whatever the tag "+key+" says", tags[key],
			"aws:ResourceTag/"+key, "ec2:ResourceTag/"+key)
	}
	if len(vpcs) > 0 {
		lacks("in other VPCs than "+strings.Join(slices.Sorted(maps.Keys(vpcs)), ", "),
			slices.Collect(maps.Values(vpcs)), "ec2:Vpc")
	}
	if len(keys) > 0 {
		lacks("of other tags than "+strings.Join(keys, ", "), keys, "aws:TagKeys")
		if g.passesWithoutKeys() {
			all = append(all, finding{preflight.Warn, g.where + " allows " + pattern +
				" without any key, which removes every tag: ForAllValues holds then; add Null"})
		}
	}
	return all
}

// wantedConditions are those that the smallest policy has for the changes that a statement
// concerns: the keys of tags, the ARNs of VPCs by their ids, and the values of tags by their
// keys.
func (g grant) wantedConditions(changed []change) (
	keys []string, vpcs map[string]string, tags map[string][]string,
) {
	vpcs, tags = map[string]string{}, map[string][]string{}
	for _, c := range changed {
		if !g.concerns(c) {
			continue
		}
		traits := kinds[action.Kind(c.Resource)]
		keys = append(keys, c.TagKeys...)
		if c.scope.VPC != "" && traits.inVPC {
			vpcs[c.scope.VPC] = c.scope.arn("vpc", c.scope.VPC)
		}
		for key, value := range c.scope.Tags {
			if !traits.aside {
				tags[key] = append(tags[key], value)
			}
		}
	}
	return sortedOnce(keys), vpcs, tags
}

// more is a finding of more than is needed. Where the statement has a condition that is not one of
// those that were judged, it may be no more.
func (g grant) more(judged []string, what string) finding {
	for _, c := range g.conditions {
		if !slices.ContainsFunc(judged, func(k string) bool { return strings.EqualFold(k, c.key) }) {
			return finding{preflight.Unknown, g.where + " allows " + what + ", but for the condition " +
				c.key + ", which can't be judged here"}
		}
	}
	return finding{preflight.Warn, g.where + " allows " + what}
}

// restrictedTo reports whether a condition of the statement lets one of the keys have these values
// and no other.
func (g grant) restrictedTo(values []string, keys ...string) bool {
	return slices.ContainsFunc(g.conditions, func(c condition) bool {
		o := parseOperator(c.operator)
		if _, judged := comparisons[o.name]; !judged || o.negate || o.ifExists || o.forAny {
			return false
		}
		// ForAllValues holds also where the key is absent, as the tag of a resource may be.
		if o.forAll && strings.Contains(strings.ToLower(c.key), ":resourcetag/") {
			return false
		}
		isKey := func(k string) bool { return strings.EqualFold(k, c.key) }
		return slices.ContainsFunc(keys, isKey) && !slices.ContainsFunc(c.values, func(v string) bool {
			return strings.Contains(v, "${") ||
				!slices.ContainsFunc(values, func(of string) bool { return covers(of, v) })
		})
	})
}

// passesWithoutKeys reports whether a condition on tag keys holds for a call that names none.
func (g grant) passesWithoutKeys() bool {
	all := false
	for _, c := range g.conditions {
		if !strings.EqualFold(c.key, "aws:TagKeys") {
			continue
		}
		if c.operator == "Null" && slices.Equal(c.values, []string{"false"}) {
			return false
		}
		all = all || strings.HasPrefix(c.operator, "ForAllValues:")
	}
	return all
}
