package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
)

// TestInterfaceScripts is TestScripts for interfaces that are made. The instance is $ROUTER_I,
// which has one interface, at device index 0. Beside the commands there are
//
//	nic NAME MODE KEY [x=…]...  writes an ensure-network-interface at its device index 1
//	undo NAME KEY [x=…]...      writes the undo of the last result, with all its facts
//	made N                      holds how many interfaces with a tag of this program there are
//	slot WHAT                   holds whose interface is at the device index: none, made or other
//	attach                      has somebody attach the lab's spare interface there
func TestInterfaceScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/interface",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := setupWith(env, ec2sim.WithTransitionTime(0)); err != nil {
				return err
			}
			examples, err := filepath.Abs("../../examples")
			env.Vars = append(env.Vars, "EXAMPLES="+examples, "ROUTER_I="+ec2sim.LabRouterA,
				"DB="+ec2sim.LabDB, "DB1="+ec2sim.LabDBInterface1, "WEB="+ec2sim.LabGroupWeb,
				"FENCE="+ec2sim.LabGroupFence, "SUBNET="+ec2sim.LabSubnetA, "SUBNET_C="+ec2sim.LabSubnetC)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"result": checkResult, "unchanged": unchanged, "mark": mark, "calls": calls,
			"changes": changes, "fault": fault, "nofaults": noFaults, "age": age, "records": records,
			"remove": remove, "request": writeRequest, "may": may,
			"nic": writeNIC, "undo": writeRemoval, "made": madeInterfaces, "slot": slotOf,
			"attach": attachSpare, "terminate": terminate,
		},
	})
}

func writeNIC(ts *testscript.TestScript, _ bool, args []string) {
	given := []string{"target.instanceRef=" + ec2sim.LabRouterA, "target.deviceIndex=1",
		"subnet.ap-northeast-1a=" + ec2sim.LabSubnetA, "subnet.ap-northeast-1c=" + ec2sim.LabSubnetC,
		"securityGroups=" + ec2sim.LabGroupWeb, "sourceDestCheck=false"}
	writeRequest(ts, false, slices.Concat(
		[]string{args[0], "ensure-network-interface", args[1], args[2]}, given, args[3:]))
}

func writeRemoval(ts *testscript.TestScript, _ bool, args []string) {
	given := []string{args[0], "remove-network-interface", "execute", args[1] + ":undo",
		"target.instanceRef=" + ec2sim.LabRouterA, "target.deviceIndex=1"}
	facts := observed(ts)
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		given = append(given, name+"="+facts[name])
	}
	writeRequest(ts, false, append(given, args[2:]...))
}

func interfacesOf(ts *testscript.TestScript) []ec2sim.Interface {
	return ts.Value("world").(*world).sim.Region(ec2sim.LabRegion).State().Interfaces
}

func isMade(i ec2sim.Interface) bool { return i.Tags[ec2model.Slot] != "" }

func madeInterfaces(ts *testscript.TestScript, _ bool, args []string) {
	n := 0
	for _, i := range interfacesOf(ts) {
		if isMade(i) {
			n++
		}
	}
	if got := strings.Repeat("i", n); len(args[0]) != 1 || n != int(args[0][0]-'0') {
		ts.Fatalf("%d interfaces are made (%s), want %s", n, got, args[0])
	}
}

func slotOf(ts *testscript.TestScript, _ bool, args []string) {
	is := "none"
	for _, i := range interfacesOf(ts) {
		switch {
		case i.Instance() != ec2sim.LabRouterA || i.Attachment.DeviceIndex != 1:
		case isMade(i):
			is = "made"
		default:
			is = "other"
		}
	}
	if is != args[0] {
		ts.Fatalf("the slot has %s, want %s", is, args[0])
	}
}

// attachSpare attaches the lab's spare interface to the slot.
func attachSpare(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value("world").(*world).sim.Region(ec2sim.LabRegion).Attach(
		ec2sim.LabSpareInterface, ec2sim.LabRouterA, 1)
}
