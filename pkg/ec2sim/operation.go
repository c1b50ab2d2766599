package ec2sim

import (
	"maps"
	"net/url"
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
)

// call is what an operation works with.
type call struct {
	change
	operation string
}

// view is a world as the API shows it.
type view struct{ *world }

func (c *call) view() view { return view{c.w} }

// operation is one operation of the API.
type operation struct {
	changes bool
	prepare func(name string, form url.Values) (prepared, error)
}

// prepared is a call whose parameters are what they should be.
type prepared struct {
	dryRun     bool
	units      int                   // of the resource bucket, for the operations that have one
	on         func(*world) []string // ids of the resources IAM has a say about; nil where it is "*"
	conditions map[string][]string   // IAM condition keys of the call's own
	plain      bool                  // neither filtered nor paged, of an operation where that costs more
	run        func(change) (any, error)
}

// dryRun is embedded in the parameters of the operations that have DryRun.
type dryRun struct{ DryRun bool }

func (d dryRun) dry() bool { return d.DryRun }

// These are what parameters may say of their call.
type (
	dryRunner interface{ dry() bool }
	costly    interface{ plain() bool }
	resourced interface{ resources(*world) []string }
	counted   interface{ units() int }
	keyed     interface{ conditions() map[string][]string }
)

func reading[In any](run func(*call, *In) (any, error)) operation  { return withParams(false, run) }
func changing[In any](run func(*call, *In) (any, error)) operation { return withParams(true, run) }

// withParams makes an operation of a function and the parameters that it takes.
func withParams[In any](changes bool, run func(*call, *In) (any, error)) operation {
	return operation{changes: changes, prepare: func(name string, form url.Values) (prepared, error) {
		in := new(In)
		if err := query.Decode(form, in); err != nil {
			return prepared{}, decodeError(err)
		}
		p := prepared{run: func(c change) (any, error) { return run(&call{c, name}, in) }}
		if d, ok := any(in).(dryRunner); ok {
			p.dryRun = d.dry()
		}
		if c, ok := any(in).(costly); ok {
			p.plain = c.plain()
		}
		if r, ok := any(in).(resourced); ok {
			p.on = r.resources
		}
		if k, ok := any(in).(keyed); ok {
			p.conditions = k.conditions()
		}
		if u, ok := any(in).(counted); ok {
			p.units = u.units()
		}
		return p, nil
	}}
}

// operations is every operation there is.
var operations = map[string]operation{
	"DescribeAddresses":                 reading(describeAddresses),
	"DescribeInstanceStatus":            reading(describeInstanceStatus),
	"DescribeInstances":                 reading(describeInstances),
	"DescribeNetworkInterfaceAttribute": reading(describeNetworkInterfaceAttribute),
	"DescribeNetworkInterfaces":         reading(describeNetworkInterfaces),
	"DescribeRegions":                   reading(describeRegions),
	"DescribeRouteTables":               reading(describeRouteTables),
	"DescribeSecurityGroups":            reading(describeSecurityGroups),
	"DescribeSubnets":                   reading(describeSubnets),
	"DescribeTags":                      reading(describeTags),
	"DescribeVpcs":                      reading(describeVPCs),

	"AttachNetworkInterface":          changing(attachNetworkInterface),
	"AssignPrivateIpAddresses":        changing(assignPrivateIPAddresses),
	"AssignIpv6Addresses":             changing(assignIPv6Addresses),
	"CreateRoute":                     changing(createRoute),
	"CreateTags":                      changing(createTags),
	"DeleteRoute":                     changing(deleteRoute),
	"DeleteTags":                      changing(deleteTags),
	"DetachNetworkInterface":          changing(detachNetworkInterface),
	"ReplaceRoute":                    changing(replaceRoute),
	"StartInstances":                  changing(startInstances),
	"StopInstances":                   changing(stopInstances),
	"UnassignIpv6Addresses":           changing(unassignIPv6Addresses),
	"ModifyNetworkInterfaceAttribute": changing(modifyNetworkInterfaceAttribute),
	"UnassignPrivateIpAddresses":      changing(unassignPrivateIPAddresses),
}

// Operations returns the names of the operations there are, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }
