package api

import (
	"net/url"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// onlyDry are operations that the stand-in does not carry out: callers ask by DryRun if IAM lets
// them through. The values are the parameters that name resources.
var onlyDry = map[string][]string{
	"AuthorizeSecurityGroupIngress": {"GroupId"},
	"DeleteRouteTable":              {"RouteTableId"},
	"DeleteSecurityGroup":           {"GroupId"},
	"RebootInstances":               {"InstanceId"},
}

// asking is an operation that is only asked for.
func asking(names []string) Operation {
	return Operation{Changes: true, Prepare: func(name string, form url.Values) (Prepared, error) {
		var ids []string
		for _, key := range sortedKeys(form) {
			parameter, _, _ := strings.Cut(key, ".")
			if slices.Contains(names, parameter) {
				ids = append(ids, form.Get(key))
			}
		}
		if len(ids) == 0 {
			return Prepared{}, refusal.Missing(names[0])
		}
		return Prepared{
			DryRun: form.Get("DryRun") == "true",
			On:     func(*world.World) []string { return ids },
			Run: func(world.Change) (any, error) {
				return nil, refusal.New("UnsupportedOperation",
					"ec2sim does not carry out %s; with DryRun it says whether IAM allows it.", name)
			},
		}, nil
	}}
}

func sortedKeys(form url.Values) []string {
	keys := make([]string, 0, len(form))
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// withOnlyDry adds those operations to the others.
func withOnlyDry(all map[string]Operation) map[string]Operation {
	for name, parameters := range onlyDry {
		all[name] = asking(parameters)
	}
	return all
}
