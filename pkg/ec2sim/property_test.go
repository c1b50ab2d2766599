package ec2sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// randomChange makes a change that may or may not be possible.
func randomChange(r *rand.Rand) (string, []string) {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	eni := eniParam(
		pick(ec2sim.LabRouterAInterface, ec2sim.LabRouterBInterface, ec2sim.LabDBInterface0,
			ec2sim.LabManagedInterface))
	address := fmt.Sprintf("10.88.60.%d", 96+r.IntN(8))
	cidr := pick("10.5.0.0/16", ec2sim.LabRoute, "10.88.60.0/24", "10.88.60.9/32")
	via := pick(viaA, viaB, viaIGW, "InstanceId="+ec2sim.LabDB)
	switch r.IntN(9) {
	case 0:
		return "AssignPrivateIpAddresses",
			[]string{eni, "PrivateIpAddress.1=" + address, "AllowReassignment=" + pick("true", "false")}
	case 1:
		return "AssignPrivateIpAddresses",
			[]string{eni, "SecondaryPrivateIpAddressCount=" + pick("1", "2", "9")}
	case 2:
		return "UnassignPrivateIpAddresses",
			[]string{eni, "PrivateIpAddress.1=" + address,
				"PrivateIpAddress.2=" + pick(address, "10.88.60.100")}
	case 3:
		return checkOp, []string{eni, "SourceDestCheck.Value=" + pick("true", "false")}
	case 4:
		return checkOp, []string{eni,
			"SecurityGroupId.1=" + pick(ec2sim.LabGroupFence, ec2sim.LabOtherGroup),
			"SecurityGroupId.2=" + ec2sim.LabGroupWeb}
	case 5:
		return pick("CreateRoute", "ReplaceRoute"), []string{rtb, to(cidr), via}
	case 6:
		return "DeleteRoute", []string{rtb, to(cidr)}
	case 7:
		return pick("StartInstances", "StopInstances"),
			[]string{"InstanceId.1=" + ec2sim.LabDB,
				"InstanceId.2=" + pick(ec2sim.LabRouterA, ec2sim.LabRouterB)}
	default:
		return pick("CreateTags", "DeleteTags"),
			[]string{"ResourceId.1=" + ec2sim.LabDB, "Tag.1.Key=" + pick("a", "b", "aws:c"),
				"Tag.1.Value=" + pick("", "x")}
	}
}

// Over random changes: a refusal changes nothing, a dry run changes nothing, no address has two
// holders, and what is described is what is so.
func TestRandomChanges(t *testing.T) {
	clock := newClock()
	p := lab(t, ec2sim.WithClock(clock.Now))
	r := rand.New(rand.NewPCG(1, 2))
	done := 0
	for n := range 120 {
		operation, params := randomChange(r)
		before := p.sim.State()
		if !strings.HasSuffix(operation, "Addresses") {
			p.call(operation, append(slices.Clone(params), "DryRun=true")...)
			if diff := difference(before, p.sim.State()); diff != "" {
				t.Fatalf("call %d, a dry run of %s %v, changed the world:\n%s", n, operation, params, diff)
			}
		}
		if p.call(operation, params...).status == 200 {
			done++
		} else if diff := difference(before, p.sim.State()); diff != "" {
			t.Fatalf("call %d, the refused %s %v, changed the world:\n%s", n, operation, params, diff)
		}
		oneHolderEach(t, p.sim.Region(ec2sim.LabRegion).State())
	}
	if done < 25 || done > 95 {
		t.Errorf("%d of 120 changes were possible", done)
	}
	var held []string
	const addresses = "networkInterfaceSet/item/privateIpAddressesSet/item/privateIpAddress"
	described := p.ok("DescribeNetworkInterfaces").values[addresses]
	for _, eni := range p.sim.Region(ec2sim.LabRegion).State().Interfaces {
		for _, a := range eni.PrivateAddresses {
			held = append(held, a.Address)
		}
	}
	slices.Sort(described)
	slices.Sort(held)
	if diff := cmp.Diff(held, described); diff != "" {
		t.Errorf("described is not what is held:\n%s", diff)
	}
}

func oneHolderEach(t *testing.T, state ec2sim.RegionState) {
	t.Helper()
	holders := map[string]string{}
	for _, eni := range state.Interfaces {
		primaries := 0
		for _, a := range eni.PrivateAddresses {
			if other := holders[a.Address]; other != "" {
				t.Fatalf("%s is held by %s and %s", a.Address, other, eni.ID)
			}
			holders[a.Address] = eni.ID
			if a.Primary {
				primaries++
			}
		}
		if primaries != 1 {
			t.Fatalf("%s has %d primary addresses", eni.ID, primaries)
		}
	}
}
