package ec2sim_test

import (
	"fmt"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

func (p *peer) state(id string) string {
	p.t.Helper()
	state := p.sim.Region(ec2sim.LabRegion).State()
	return the(p.t, state.Instances, func(i ec2sim.Instance) bool { return i.ID == id }).State
}

func TestInstanceStates(t *testing.T) {
	const start, stop = "StartInstances", "StopInstances"
	cannotStart := "The instance '" + ec2sim.LabDB +
		"' is not in a state from which it can be started."
	cannotStop := "This instance '" + ec2sim.LabDB +
		"' is not in a state from which it can be stopped."
	tests := []struct {
		from, operation string
		now, then       string // empty: refused
		message         string
	}{
		{"running", stop, "stopping", "stopped", ""},
		{"stopping", stop, "stopping", "stopping", ""},
		{"stopped", stop, "stopped", "stopped", ""},
		{"pending", stop, "", "", cannotStop},
		{"shutting-down", stop, "", "", cannotStop},
		{"terminated", stop, "", "", cannotStop},
		{"stopped", start, "pending", "running", ""},
		{"running", start, "running", "running", ""},
		{"pending", start, "pending", "pending", ""},
		{"stopping", start, "", "", cannotStart},
		{"terminated", start, "", "", cannotStart},
	}
	for _, tt := range tests {
		t.Run(tt.operation+" "+tt.from, func(t *testing.T) {
			clock := newClock()
			p := lab(t, ec2sim.WithClock(clock.Now), ec2sim.WithTransitionTime(time.Minute))
			p.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
				i.State = tt.from
			})
			id := "InstanceId.1=" + ec2sim.LabDB
			if tt.now == "" {
				p.refuses(
					t, []refusal{{"refused", tt.operation, []string{id}, 0, "IncorrectInstanceState", tt.message}})
				return
			}
			a := p.ok(tt.operation, id)
			if got := a.one("instancesSet/item/previousState/name") + " " +
				a.one("instancesSet/item/currentState/name"); got != tt.from+" "+tt.now {
				t.Errorf("answered %s", got)
			}
			if got := p.state(ec2sim.LabDB); got != tt.now {
				t.Errorf("is %s now", got)
			}
			clock.advance(59 * time.Second)
			if got := p.state(ec2sim.LabDB); got != tt.now {
				t.Errorf("is %s too early", got)
			}
			clock.advance(time.Second)
			if got := p.state(ec2sim.LabDB); got != tt.then {
				t.Errorf("is %s then, want %s", got, tt.then)
			}
		})
	}
}

func TestInstanceStateRefusals(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	r.EditInstance(ec2sim.LabRouterC, func(i *ec2sim.Instance) { i.RootDevice = "instance-store" })
	r.EditInstance(ec2sim.LabRouterB, func(i *ec2sim.Instance) { i.State = "terminated" })
	var crowd []string
	for i := range 101 {
		crowd = append(crowd, fmt.Sprintf("InstanceId.%d=%s", i+1, ec2sim.LabDB))
	}
	db := "InstanceId.1=" + ec2sim.LabDB
	p.refuses(t, []refusal{
		{"instance store", "StopInstances", []string{"InstanceId.1=" + ec2sim.LabRouterC}, 0,
			"UnsupportedOperation",
			"The instance '" + ec2sim.LabRouterC +
				"' does not have an 'ebs' root device type and cannot be stopped."},
		{"one of two cannot", "StopInstances", []string{db, "InstanceId.2=" + ec2sim.LabRouterB}, 0,
			"IncorrectInstanceState",
			"This instance '" + ec2sim.LabRouterB + "' is not in a state from which it can be stopped."},
		{"does not exist", "StopInstances", []string{"InstanceId.1=i-0123456789abcdef0"}, 0,
			"InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"},
		{"malformed", "StartInstances", []string{"InstanceId.1=db"}, 0,
			"InvalidInstanceID.Malformed", `Invalid id: "db" (expecting "i-...")`},
		{"nothing to stop", "StopInstances", nil, 0, "MissingParameter",
			"The request must contain the parameter instanceId"},
		{"dry run", "StopInstances",
			[]string{db, "Force=true", "SkipOsShutdown=true", "DryRun=true"}, 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
		{"hibernation, which the stand-in has not", "StopInstances", []string{db, "Hibernate=true"}, 0,
			"UnsupportedOperation", "ec2sim does not implement the parameter Hibernate."},
		{"too many to ask for", "DescribeInstanceStatus", crowd, 0,
			"InvalidParameterValue", "The maximum number of instance IDs specified on a single call is 100"},
		{"status has no tags", "DescribeInstanceStatus", filterParams(1, "tag:Name", "db"), 0,
			"InvalidParameterValue", "The filter 'tag:Name' is invalid"},
		{"page of ids", "DescribeInstanceStatus", []string{db, "MaxResults=5"}, 0,
			"InvalidParameterCombination",
			"The parameter instancesSet cannot be used with the parameter maxResults"},
	})
}

func TestInstanceStatusIsOfRunningInstances(t *testing.T) {
	p := lab(t)
	p.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
		i.State = "stopped"
	})
	ids := func(params ...string) int {
		return len(p.ok("DescribeInstanceStatus", params...).values["instanceStatusSet/item/instanceId"])
	}
	if n := ids(); n != 3 {
		t.Errorf("%d running", n)
	}
	if n := ids("InstanceId.1=" + ec2sim.LabDB); n != 0 {
		t.Errorf("the stopped one is shown")
	}
	if n := ids("IncludeAllInstances=true"); n != 4 {
		t.Errorf("%d of all", n)
	}
	if n := ids(
		append(filterParams(1, "instance-status.reachability", "passed"),
			"IncludeAllInstances=true")...); n != 3 {
		t.Errorf("%d reachable", n)
	}
}

func TestAStopIsTold(t *testing.T) {
	p := lab(t, ec2sim.WithTransitionTime(0))
	p.ok("StopInstances", "InstanceId.1="+ec2sim.LabRouterA, "Force=true")
	a := p.ok("DescribeInstances", "InstanceId.1="+ec2sim.LabRouterA)
	const i = "reservationSet/item/instancesSet/item/"
	if a.one(i+"instanceState/name") != "stopped" ||
		a.one(i+"stateReason/code") != "Client.UserInitiatedShutdown" {
		t.Errorf("described %s", a.body)
	}
	routes := p.ok("DescribeRouteTables", filterParams(1, "route.state", "blackhole")...)
	if got := routes.one(idPaths["DescribeRouteTables"]); got != ec2sim.LabRouteTable {
		t.Errorf("black holes in %q", got)
	}
	p.ok("StartInstances", "InstanceId.1="+ec2sim.LabRouterA)
	if got := p.state(ec2sim.LabRouterA); got != "running" {
		t.Errorf("is %s", got)
	}
}
