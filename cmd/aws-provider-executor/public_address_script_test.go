package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
)

// labPool is a pool of public addresses of the account's own.
const labPool = "ipv4pool-ec2-01088600000000001"

// TestPublicAddressScripts is TestScripts for Elastic IPs. The instance is $ROUTER_B, which no
// Elastic IP leads to. Beside the commands there are
//
//	eip NAME MODE KEY [x=…]...  writes an ensure-public-address for its primary address
//	undo NAME KEY [x=…]...      writes the undo of the last result, with all its facts
//	made N                      holds how many Elastic IPs with a tag of this program there are
//	leads WHAT                  holds what leads to the address: none, made or other
//	allocate ID [NIC ADDRESS]   has somebody allocate an Elastic IP, and associate it
//	own IP                      gives the interface a public address of EC2's own
func TestPublicAddressScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/publicaddress",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			pool := ec2sim.Seed(func(s *ec2sim.Sim) {
				s.Region(ec2sim.LabRegion).SetPublicPool(labPool, "198.51.100.8/31")
			})
			if err := setupWith(env, ec2sim.WithTransitionTime(0), pool); err != nil {
				return err
			}
			examples, err := filepath.Abs("../../examples")
			env.Vars = append(env.Vars, "EXAMPLES="+examples, "ROUTER_B="+ec2sim.LabRouterB,
				"NIC="+ec2sim.LabRouterBInterface, "DB1="+ec2sim.LabDBInterface1, "POOL="+labPool,
				"TAKEN="+ec2sim.LabElasticIPAddress, "SERVICE="+ec2sim.LabServiceAddress)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"result": checkResult, "unchanged": unchanged, "mark": mark, "calls": calls,
			"changes": changes, "fault": fault, "nofaults": noFaults, "age": age, "records": records,
			"remove": remove, "request": writeRequest, "may": may, "terminate": terminate,
			"eip": writeEIP, "undo": writeEIPRemoval, "made": madeAddresses, "leads": leadsTo,
			"allocate": allocateByHand, "own": giveOwnAddress,
		},
	})
}

func writeEIP(ts *testscript.TestScript, _ bool, args []string) {
	writeRequest(ts, false, slices.Concat(
		[]string{args[0], "ensure-public-address", args[1], args[2]}, placeOfEIP(), args[3:]))
}

func placeOfEIP() []string {
	return []string{"target.instanceRef=" + ec2sim.LabRouterB, "target.deviceIndex=0",
		"target.address="}
}

func writeEIPRemoval(ts *testscript.TestScript, _ bool, args []string) {
	given := append([]string{args[0], "remove-public-address", "execute", args[1] + ":undo"},
		placeOfEIP()...)
	facts := observed(ts)
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		given = append(given, name+"="+facts[name])
	}
	writeRequest(ts, false, append(given, args[2:]...))
}

func addressesOf(ts *testscript.TestScript) []ec2sim.Address {
	return ts.Value("world").(*world).sim.Region(ec2sim.LabRegion).State().Addresses
}

func isAllocated(a ec2sim.Address) bool { return a.Tags[ec2model.PublicAddress] != "" }

func madeAddresses(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	for _, a := range addressesOf(ts) {
		if isAllocated(a) {
			n++
		}
	}
	if fmt.Sprint(n) != args[0] {
		ts.Fatalf("%d Elastic IPs are allocated, want %s: %+v", n, args[0], addressesOf(ts))
	}
}

func leadsTo(ts *testscript.TestScript, _ bool, args []string) {
	is := "none"
	for _, a := range addressesOf(ts) {
		switch {
		case a.InterfaceID != ec2sim.LabRouterBInterface || a.PrivateIP != "10.88.60.12":
		case isAllocated(a):
			is = "made"
		default:
			is = "other"
		}
	}
	if is != args[0] {
		ts.Fatalf("%s leads to the address, want %s", is, args[0])
	}
}

func allocateByHand(ts *testscript.TestScript, _ bool, args []string) {
	a := ec2sim.Address{AllocationID: args[0], PublicIP: "203.0.113.200"}
	if len(args) > 1 {
		a.InterfaceID, a.PrivateIP = args[1], args[2]
	}
	ts.Value("world").(*world).sim.Region(ec2sim.LabRegion).AddAddress(a)
}

func giveOwnAddress(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value("world").(*world).sim.Region(ec2sim.LabRegion).EditInterface(
		ec2sim.LabRouterBInterface, func(i *ec2sim.Interface) { i.PublicIP = args[0] })
}
