package iampolicy

import (
	"cmp"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
)

// call is one call that is needed, as far as IAM looks at it.
type call struct {
	permission action.Permission
	// resource is an ARN, whose parts may be patterns, or anything.
	resource string
	// keys are the condition keys whose values are known, by their names in small letters. A key
	// without values is known to be absent.
	keys map[string][]string
}

// calls are what the policy is wanted for, one for each resource.
func (w *Wanted) calls() []call {
	var all []call
	for _, p := range w.Needed {
		if p.Resource == anything {
			all = append(all, call{p, anything, w.Scope.readKeys(p)})
			continue
		}
		for _, arn := range w.Scope.arns(action.Kind(p.Resource)) {
			all = append(all, call{p, arn, w.Scope.changeKeys(p, arn)})
		}
	}
	return all
}

// readKeys are the keys that every call has. That of EC2's own is absent from those of others.
func (s Scope) readKeys(p action.Permission) map[string][]string {
	keys := map[string][]string{"ec2:region": {s.Region}, "aws:requestedregion": {s.Region}}
	if !isEC2(p.Action) {
		keys["ec2:region"] = nil
	}
	return keys
}

// idKeys are the condition keys that name a resource itself.
var idKeys = map[action.Kind]string{
	action.NetworkInterface: "ec2:networkinterfaceid", action.Instance: "ec2:instanceid",
	action.RouteTable: "ec2:routetableid", action.SecurityGroup: "ec2:securitygroupid",
	action.Subnet: "ec2:subnetid", action.ElasticIP: "ec2:allocationid",
}

func (s Scope) changeKeys(p action.Permission, arn string) map[string][]string {
	keys, kind := s.readKeys(p), action.Kind(p.Resource)
	if id := arn[strings.LastIndex(arn, "/")+1:]; id != anything && isEC2(p.Action) {
		keys[idKeys[kind]] = []string{id}
	}
	switch {
	case !kinds[kind].inVPC:
		keys["ec2:vpc"] = nil
	case s.VPC != "":
		keys["ec2:vpc"] = []string{s.arn("vpc", s.VPC)}
	}
	if !kinds[kind].aside {
		for key, value := range s.Tags {
			keys["aws:resourcetag/"+strings.ToLower(key)] = []string{value}
			keys["ec2:resourcetag/"+strings.ToLower(key)] = []string{value}
		}
	}
	keys["aws:tagkeys"] = p.TagKeys
	return keys
}

// lookup returns the values of a key, and whether they are known. A Describe has no key of EC2's
// but the region.
func (c call) lookup(key string) (values []string, isKnown bool) {
	key = strings.ToLower(key)
	if values, isKnown = c.keys[key]; isKnown || c.resource != anything {
		return values, isKnown
	}
	return nil, strings.HasPrefix(key, "ec2:") || strings.HasPrefix(key, "aws:resourcetag/") ||
		key == "aws:tagkeys" || strings.HasPrefix(key, "aws:requesttag/")
}

// operator is what the name of a condition's operator says.
type operator struct {
	name                             string
	forAny, forAll, ifExists, negate bool
}

func parseOperator(text string) operator {
	var o operator
	o.name, o.forAny = strings.CutPrefix(text, "ForAnyValue:")
	o.name, o.forAll = strings.CutPrefix(o.name, "ForAllValues:")
	o.name, o.ifExists = strings.CutSuffix(o.name, "IfExists")
	o.negate = strings.Contains(o.name, "Not")
	o.name = strings.Replace(o.name, "Not", "", 1)
	return o
}

// holds judges a condition for a call. What it can't judge is maybe.
func (c condition) holds(of call) truth {
	values, isKnown := of.lookup(c.key)
	if !isKnown || slices.ContainsFunc(c.values, func(v string) bool {
		return strings.Contains(v, "${")
	}) {
		return maybe
	}
	o := parseOperator(c.operator)
	if o.name == "Null" {
		return known(slices.Contains(c.values, "true") == (len(values) == 0))
	}
	compare, judged := comparisons[o.name]
	switch {
	case !judged:
		return maybe
	case len(values) == 0:
		return known(!o.forAny && (o.negate || o.ifExists || o.forAll))
	}
	// Of several values one must match, or all, or none.
	least, most := yes, no
	for _, v := range values {
		one := no
		for _, pattern := range c.values {
			one = max(one, compare(pattern, v))
		}
		if o.negate {
			one = not(one)
		}
		least, most = min(least, one), max(most, one)
	}
	if o.forAll || o.negate && !o.forAny {
		return least
	}
	return most
}

// comparisons compare a condition's value with a call's, which may be a pattern itself.
var comparisons = map[string]func(pattern, value string) truth{
	"StringEquals": func(a, b string) truth { return equal(a, b) },
	"StringEqualsIgnoreCase": func(a, b string) truth {
		return equal(strings.ToLower(a), strings.ToLower(b))
	},
	"StringLike": like,
	"ArnEquals":  likeARN,
	"ArnLike":    likeARN,
}

func equal(text, value string) truth {
	switch {
	case !isPattern(value):
		return known(text == value)
	case overlaps(value, text):
		return maybe
	}
	return no
}

func like(pattern, value string) truth {
	switch {
	case covers(pattern, value):
		return yes
	case overlaps(pattern, value):
		return maybe
	}
	return no
}

// arnParts is how many parts an ARN has. The last one may have colons.
const arnParts = 6

// likeARN compares part by part: no wildcard of an ARN condition stands for more than one part.
func likeARN(pattern, value string) truth {
	want, have := strings.SplitN(pattern, ":", arnParts), strings.SplitN(value, ":", arnParts)
	if len(want) != len(have) {
		return no
	}
	worst := yes
	for i := range want {
		worst = min(worst, like(want[i], have[i]))
	}
	return worst
}

// applies judges a statement for a call, and names the condition that can't be judged or does not
// hold.
func (g grant) applies(c call) (t truth, because string) {
	if !g.actions.matchesAction(c.permission.Action) {
		return no, ""
	}
	t = g.resources.matchesResource(c.resource)
	switch t {
	case no:
		return no, g.where + " is for other resources"
	case maybe:
		because = g.where + " is for a part of " + c.resource
	}
	for _, cond := range g.conditions {
		holds := cond.holds(c)
		if holds == no {
			return no, g.where + " has the condition " + cond.key + ", which does not hold"
		}
		if holds == maybe {
			because = cmp.Or(because, g.where+" has the condition "+cond.operator+" "+cond.key+
				", which can't be judged here")
		}
		t = min(t, holds)
	}
	return t, because
}
