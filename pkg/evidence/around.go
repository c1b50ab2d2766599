package evidence

import (
	"regexp"
	"slices"
	"strings"

	"aws-provider-executor/pkg/network"
)

var (
	ids     = regexp.MustCompile(`\b(eni|i|sg|rtb|vpc)-[0-9a-f]{8,17}\b`)
	address = regexp.MustCompile(`\b(vpc-[0-9a-f]{8,17})/([0-9a-fA-F.:]+)`)
)

// AroundOf finds what texts name: those of a request and of its plan.
func AroundOf(texts ...string) network.Around {
	var a network.Around
	add := func(to *[]string, id string) {
		if !slices.Contains(*to, id) && len(*to) < network.MaxIDs {
			*to = append(*to, id)
		}
	}
	for _, text := range texts {
		for _, id := range ids.FindAllString(text, -1) {
			switch kind, _, _ := strings.Cut(id, "-"); kind {
			case "eni":
				add(&a.Interfaces, id)
			case "i":
				add(&a.Instances, id)
			case "sg":
				add(&a.Groups, id)
			case "rtb":
				add(&a.RouteTables, id)
			case "vpc":
				add(&a.VPCs, id)
			}
		}
		for _, found := range address.FindAllStringSubmatch(text, -1) {
			add(&a.Addresses, found[1]+"/"+found[2])
		}
	}
	return a
}

// Around finds what a subject is about: what its target, its parameters and its plans name.
func (s Subject) Around() network.Around {
	var texts []string
	for _, m := range []map[string]string{s.Target, s.Parameters, s.Outcome.Observed} {
		for _, value := range m {
			texts = append(texts, value)
		}
	}
	slices.Sort(texts)
	for _, c := range slices.Concat(s.Outcome.Changes, s.Outcome.UndoChanges) {
		texts = append(texts, c.Resource, c.From, c.To, c.Via)
	}
	return AroundOf(texts...)
}
