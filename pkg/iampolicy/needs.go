package iampolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/inventory"
	"aws-provider-executor/pkg/preflight/ec2checks"
	"aws-provider-executor/pkg/protocol"
)

// Extra is what else than verbs a policy may be for.
type Extra struct {
	Name, Doc   string
	Permissions []action.Permission
}

// The extras that every program has.
const (
	// Foresight is what a dry-run of the chosen verbs foresees refusals with.
	Foresight = "foresight"
	// PolicyTags is what an EXECUTOR_POLICY needs that asks for tags.
	PolicyTags = "policy-tags"
	// Inventory is what the inventory reads with.
	Inventory = "inventory"
	// Preflight is what actionctl preflight reads with.
	Preflight = "preflight"
	// Lifecycle is what lifecycled calls itself, beside the verbs of its actions.
	Lifecycle = "lifecycle"
)

// Extras lists what a policy may be for beside verbs.
func Extras() []Extra {
	return []Extra{
		{Name: Foresight, Doc: "what a dry-run foresees refusals with; nothing fails without it"},
		{Name: PolicyTags, Doc: "what an EXECUTOR_POLICY reads tags with that asks for them",
			Permissions: reads("ec2:DescribeTags")},
		{Name: Inventory, Doc: "what aws-provider-inventory reads with",
			Permissions: reads(inventory.Permissions...)},
		{Name: Preflight, Doc: "what actionctl preflight reads with, beside the verbs' own",
			Permissions: reads(ec2checks.Permissions()...)},
		{Name: Lifecycle, Doc: "what lifecycled reads with, and has hooks wait by",
			Permissions: append(reads("autoscaling:DescribeAutoScalingInstances",
				"autoscaling:DescribeLifecycleHooks", "ec2:DescribeInstances",
				"ec2:DescribeNetworkInterfaces"),
				action.Permission{Action: "autoscaling:RecordLifecycleActionHeartbeat", Change: true,
					Resource: string(action.ScalingGroup), For: "having a hook wait while it works"})},
	}
}

func reads(actions ...string) []action.Permission {
	var all []action.Permission
	for _, a := range actions {
		all = append(all, action.Permission{Action: a, Resource: anything})
	}
	return all
}

// anything is the resource of an action that IAM restricts to none.
const anything = "*"

// Choice says what a policy is for.
type Choice struct {
	// Verbs are the names of verbs. What undoes one of them is meant too.
	Verbs []string
	// Family is the only family of addresses that is used; empty for both.
	Family action.AddressFamily
	// Of are the kinds of resources that targets name; empty for any.
	Of []action.Kind
	// With names extras, and parameters of the verbs that requests will have.
	With []string
	// Everything stands for every parameter.
	Everything bool
}

// Faults are everything that is wrong with what was asked for.
type Faults []string

// Error tells all of them.
func (f Faults) Error() string { return strings.Join(f, "; ") }

func (f *Faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// err is nil without faults.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Needs returns the permissions that the choice needs, each once, in order. An error is of type
// Faults.
func Needs(registry *action.Registry, extras []Extra, c Choice) ([]action.Permission, error) {
	var faults Faults
	verbs := c.verbs(registry, &faults)
	if c.Family != "" && c.Family != action.IPv4 && c.Family != action.IPv6 {
		faults.add("the family is %q, want ipv4 or ipv6", string(c.Family))
	}
	var needed []action.Permission
	options := parametersOf(verbs)
	for _, name := range c.With {
		i := slices.IndexFunc(extras, func(e Extra) bool { return e.Name == name })
		switch {
		case i >= 0:
			needed = append(needed, extras[i].Permissions...)
		case !slices.Contains(options, name):
			faults.add("--with has no %q%s; there are %s", name,
				protocol.Meant(name, append(extraNames(extras), options...)...),
				strings.Join(append(extraNames(extras), options...), ", "))
		}
	}
	if len(c.Verbs) == 0 && len(needed) == 0 && len(faults) == 0 {
		faults.add("the policy is for nothing: name a verb, or an option by --with")
	}
	for _, v := range verbs {
		for _, p := range v.Permissions {
			if c.needs(v, p) {
				needed = append(needed, p)
			}
		}
	}
	return merged(needed), faults.err()
}

// Unneeded returns what the verbs could need besides, and the choice leaves out.
func Unneeded(registry *action.Registry, c Choice, needed []action.Permission) []action.Permission {
	var faults Faults
	var out []action.Permission
	for _, v := range c.verbs(registry, &faults) {
		for _, p := range v.Permissions {
			if !slices.ContainsFunc(needed, func(n action.Permission) bool {
				return n.Action == p.Action && n.Resource == p.Resource
			}) && c.familyNeeds(p) && c.kindNeeds(v, p) {
				out = append(out, p)
			}
		}
	}
	return merged(out)
}

// verbs are the verbs of the choice and those that undo them.
func (c Choice) verbs(registry *action.Registry, faults *Faults) []action.Verb {
	var all []action.Verb
	add := func(v action.Verb) {
		if !slices.ContainsFunc(all, func(known action.Verb) bool { return known.Name == v.Name }) {
			all = append(all, v)
		}
	}
	for _, name := range c.Verbs {
		v, ok := registry.Lookup(name)
		if !ok {
			faults.add("there is no action %q%s; there are %s", name, registry.Meant(name),
				registry.Names())
			continue
		}
		add(v)
		if undo, ok := registry.Lookup(v.Undo); ok {
			add(undo)
		}
	}
	return all
}

// parametersOf are the parameters that decide what the verbs need.
func parametersOf(verbs []action.Verb) []string {
	var all []string
	for _, v := range verbs {
		for _, p := range v.Permissions {
			all = append(all, p.With...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// Parameters lists the parameters, of any verb, that decide what is needed.
func Parameters(registry *action.Registry) []string { return parametersOf(registry.Verbs()) }

func extraNames(extras []Extra) []string {
	var all []string
	for _, e := range extras {
		all = append(all, e.Name)
	}
	return all
}

func (c Choice) familyNeeds(p action.Permission) bool {
	return c.Family == "" || p.Family == "" || p.Family == c.Family
}

// kindNeeds reports whether a request for the verb may need its permission, judged by the kind of
// resource that it is for. Where the choice has none of the verb's kinds, all are meant.
func (c Choice) kindNeeds(v action.Verb, p action.Permission) bool {
	chosen := func(p action.Permission) bool { return p.Of != "" && slices.Contains(c.Of, p.Of) }
	return p.Of == "" || chosen(p) || !slices.ContainsFunc(v.Permissions, chosen)
}

func (c Choice) needs(v action.Verb, p action.Permission) bool {
	if p.Foresees && !slices.Contains(c.With, Foresight) {
		return false
	}
	optional := len(p.With) > 0 && !c.Everything
	return c.familyNeeds(p) && c.kindNeeds(v, p) && (!optional ||
		slices.ContainsFunc(p.With, func(name string) bool { return slices.Contains(c.With, name) }))
}

// merged has each action on each kind of resource once. Tags that one of them may not be limited to
// are not limited.
func merged(permissions []action.Permission) []action.Permission {
	var all []action.Permission
	for _, p := range permissions {
		i := slices.IndexFunc(all, func(known action.Permission) bool {
			return known.Action == p.Action && known.Resource == p.Resource
		})
		if i < 0 {
			p.TagKeys = slices.Clone(p.TagKeys)
			all = append(all, p)
			continue
		}
		if len(all[i].TagKeys) == 0 || len(p.TagKeys) == 0 {
			all[i].TagKeys = nil
		}
		for _, key := range p.TagKeys {
			if len(all[i].TagKeys) > 0 && !slices.Contains(all[i].TagKeys, key) {
				all[i].TagKeys = append(all[i].TagKeys, key)
			}
		}
	}
	slices.SortFunc(all, func(a, b action.Permission) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Action, b.Action))
	})
	return all
}
