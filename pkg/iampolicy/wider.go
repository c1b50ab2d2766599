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
func (w *Wanted) wider(g grant, pattern string) []finding {
	var reads, writes []action.Permission
	for _, p := range w.Needed {
		switch {
		case !wildcard.Plain.Match(strings.ToLower(pattern), strings.ToLower(p.Action)):
		case p.Resource == anything:
			reads = append(reads, p)
		default:
			writes = append(writes, p)
		}
	}
	var all []finding
	if len(reads) > 0 && !g.restrictedTo([]string{w.Scope.Region}, regionKeys...) {
		all = append(all, g.more(regionKeys, pattern+" in other regions than "+w.Scope.Region))
	}
	if len(writes) == 0 || g.resources.not {
		return all
	}
	var named []string
	for _, p := range writes {
		named = append(named, w.Scope.arns(action.Kind(p.Resource))...)
	}
	for _, resource := range g.resources.list {
		if !slices.ContainsFunc(named, func(arn string) bool { return covers(arn, resource) }) {
			all = append(all, g.more(regionKeys, pattern+" on "+resource+", wider than what is named"))
		}
	}
	return append(all, w.unconditioned(g, pattern, writes)...)
}

// concerns reports whether a statement is for some of the resources that a permission is needed on.
func (w *Wanted) concerns(g grant, p action.Permission) bool {
	return slices.ContainsFunc(w.Scope.arns(action.Kind(p.Resource)), func(arn string) bool {
		return g.resources.matchesResource(arn) != no
	})
}

// unconditioned says which conditions a statement lacks that the smallest policy has.
func (w *Wanted) unconditioned(g grant, pattern string, writes []action.Permission) []finding {
	var all []finding
	aside, inVPC := true, false
	var keys []string
	for _, p := range writes {
		if !w.concerns(g, p) {
			continue
		}
		aside = aside && kinds[action.Kind(p.Resource)].aside
		inVPC = inVPC || kinds[action.Kind(p.Resource)].inVPC
		keys = append(keys, p.TagKeys...)
	}
	keys = sortedOnce(keys)
	lacks := func(what string, values []string, keys ...string) {
		if !g.restrictedTo(values, keys...) {
			all = append(all, g.more(append(keys, regionKeys...), pattern+" "+what))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.Scope.Tags)) {
		if !aside {
			lacks("whatever the tag "+key+" says", []string{w.Scope.Tags[key]},
				"aws:ResourceTag/"+key, "ec2:ResourceTag/"+key)
		}
	}
	if w.Scope.VPC != "" && inVPC {
		lacks("in other VPCs than "+w.Scope.VPC, []string{w.Scope.arn("vpc", w.Scope.VPC)}, "ec2:Vpc")
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
