package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

func tagsOf(pairs ...string) []ec2model.Tag {
	var tags []ec2model.Tag
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, ec2model.Tag{Key: pairs[i], Value: pairs[i+1]})
	}
	return tags
}

// TestTaggedAsRouter: every mark that a core knows, and what looks like one.
func TestTaggedAsRouter(t *testing.T) {
	for _, c := range []struct {
		want bool
		tags []string
	}{
		{false, nil},
		{true, []string{"role", "router"}},
		{true, []string{"role", "routerd-cloud"}},
		{true, []string{"Role", "router"}},
		{true, []string{"ROUTERD.CLOUDEDGE.ROLE", "router"}},
		{true, []string{"routerd.role", "routerd-cloud"}},
		{true, []string{"node_role", "router"}},
		{true, []string{"Node-Role", " Router "}},
		{true, []string{"purpose", "router"}},
		{true, []string{"routerd.cloudedge.purpose", "router"}},
		{false, []string{"purpose", "routerd-cloud"}},
		{false, []string{"role", "routers"}},
		{false, []string{"role", ""}},
		{false, []string{"roles", "router"}},
		{false, []string{"router", "true"}},

		{true, []string{"Name", "router"}},
		{true, []string{"Name", "edge-router-1"}},
		{true, []string{"Name", "edge_router"}},
		{true, []string{"Name", "router.lab"}},
		{true, []string{"Name", "lab/router"}},
		{true, []string{"Name", "lab:router"}},
		{true, []string{"Name", "The Router"}},
		{false, []string{"Name", "routerd-1"}},
		{false, []string{"Name", "myrouter"}},
		{false, []string{"Name", "router1"}},
		{false, []string{"name", "router"}},

		// A client's mark comes first, wherever it stands.
		{false, []string{"role", "client", "Name", "router"}},
		{false, []string{"Name", "router", "role", "cloudedge-client"}},
		{false, []string{"role", "router", "Role", "Instance"}},
		{false, []string{"role", "router", "purpose", "workload"}},
		{false, []string{"role", "workload", "purpose", "router"}},
		{false, []string{"routerd.cloudedge.purpose", "client", "role", "router"}},
		{true, []string{"purpose", "cloudedge-client", "role", "router"}},
		{true, []string{"Name", "client", "role", "router"}},
	} {
		if got := taggedAsRouter(tagsOf(c.tags...)); got != c.want {
			t.Errorf("%q: %t, want %t", c.tags, got, c.want)
		}
	}
}

// TestTypeOf: what decides, and in which order.
func TestTypeOf(t *testing.T) {
	on, off := true, false
	nic := func(check *bool, instance string, service bool) ec2model.Interface {
		return ec2model.Interface{
			NetworkInterface: ec2model.NetworkInterface{SourceDestCheck: check},
			InstanceID:       instance,
			Service:          service,
		}
	}
	client, router := tagsOf("role", "client"), tagsOf("role", "router")
	for _, c := range []struct {
		name string
		n    ec2model.Interface
		tags []ec2model.Tag
		own  bool
		want string
	}{
		{"an instance's", nic(&on, "i-1", false), nil, false, InstanceNIC},
		{"an instance's, of which EC2 did not say the check", nic(nil, "i-1", false), nil,
			false, InstanceNIC},
		{"an instance's that a service manages", nic(&on, "i-1", true), nil, false, InstanceNIC},
		{"a spare", nic(&on, "", false), nil, false, SpareNIC},
		{"a service's", nic(&on, "", true), nil, false, PrivateEndpoint},
		{"the node's own, whatever its tags", nic(&on, "i-1", false), client, true, RouterNIC},
		{"the node's own on no instance", nic(&on, "", false), nil, true, RouterNIC},
		{"one that forwards, whatever its tags", nic(&off, "i-1", false), client, false, RouterNIC},
		{"a service's that forwards", nic(&off, "", true), nil, false, RouterNIC},
		{"a tagged router", nic(&on, "i-1", false), router, false, RouterNIC},
		{"a router's spare", nic(&on, "", false), router, false, RouterNIC},
		{"a tagged client", nic(&on, "i-1", false), client, false, InstanceNIC},
	} {
		if got := typeOf(&c.n, c.tags, c.own); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestMergedTags: the instance's lie over its interface's.
func TestMergedTags(t *testing.T) {
	nic, instance := tagsOf("Name", "nic", "a", "1"), tagsOf("Name", "host", "b", "2")
	for _, c := range [][3][]ec2model.Tag{
		{nic, instance, tagsOf("Name", "host", "b", "2", "a", "1")},
		{nic, nil, nic}, {nil, instance, instance}, {nil, nil, nil},
	} {
		if diff := cmp.Diff(byKey(c[2]), byKey(merged(c[0], c[1]))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(tagsOf("Name", "host", "b", "2"), instance); diff != "" {
		t.Errorf("the instance's own changed:\n%s", diff)
	}
	for want, selector := range map[bool]map[string]string{
		true: {"Name": "host", "a": "1"}, false: {"Name": "nic"},
	} {
		if got := haveAll(merged(nic, instance), selector); got != want {
			t.Errorf("%v: %t", selector, got)
		}
	}
	if haveAll(nic, map[string]string{"c": ""}) || !haveAll(nil, nil) {
		t.Error("a tag that is not there is not an empty one")
	}
}
