package ec2sim_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// TestAnyOrder: the same is listed, in other orders, and the world stays as it is.
func TestAnyOrder(t *testing.T) {
	plain, mixed := lab(t), lab(t, ec2sim.WithAnyOrder(1))
	before := mixed.sim.State()
	const path = "networkInterfaceSet/item/networkInterfaceId"
	want := slices.Clone(plain.ok("DescribeNetworkInterfaces").values[path])
	var orders [][]string
	for range 8 {
		got := mixed.ok("DescribeNetworkInterfaces").values[path]
		if !slices.ContainsFunc(orders, func(o []string) bool { return slices.Equal(o, got) }) {
			orders = append(orders, slices.Clone(got))
		}
		slices.Sort(got)
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), got); diff != "" {
			t.Errorf("not the same interfaces (-want +got):\n%s", diff)
		}
	}
	if len(want) < 3 || len(orders) < 4 {
		t.Errorf("%d interfaces in %d orders", len(want), len(orders))
	}
	if diff := cmp.Diff(before, mixed.sim.State()); diff != "" {
		t.Errorf("the world changed:\n%s", diff)
	}
}
