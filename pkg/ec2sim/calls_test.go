package ec2sim_test

import (
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

func TestHooks(t *testing.T) {
	const op = "AssignPrivateIpAddresses"
	params := []string{eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1=" + ec2sim.LabFreeAddress}
	tests := []struct {
		name     string
		phase    ec2sim.Phase
		verdict  ec2sim.Verdict
		held     string // when the hook is in its phase
		after    string // when the call is over
		answered bool
	}{
		{"before, going on", ec2sim.BeforeEffect, ec2sim.Proceed, "10.88.60.11",
			"10.88.60.11 10.88.60.9", true},
		{"before, abandoned", ec2sim.BeforeEffect, ec2sim.Abandon, "10.88.60.11", "10.88.60.11", false},
		{"after, going on", ec2sim.AfterEffect, ec2sim.Proceed, "10.88.60.11 10.88.60.9",
			"10.88.60.11 10.88.60.9", true},
		{"after, abandoned", ec2sim.AfterEffect, ec2sim.Abandon, "10.88.60.11 10.88.60.9",
			"10.88.60.11 10.88.60.9", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			var held atomic.Value
			remove := p.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
				if c.Operation != op || c.Phase != tt.phase {
					return ec2sim.Proceed
				}
				held.Store(p.held(ec2sim.LabRouterAInterface))
				return tt.verdict
			})
			if _, err := p.try(op, params...); (err == nil) != tt.answered {
				t.Errorf("error %v", err)
			}
			if got := held.Swap(""); got != tt.held {
				t.Errorf("in the hook the interface held %q, want %q", got, tt.held)
			}
			if got := p.held(ec2sim.LabRouterAInterface); got != tt.after {
				t.Errorf("in the end it holds %q, want %q", got, tt.after)
			}
			remove()
			p.ok("DescribeVpcs")
			p.ok(op, params...)
			if held.Load() != "" {
				t.Error("the removed hook was called")
			}
		})
	}
}

func TestCallLog(t *testing.T) {
	p := lab(t)
	p.ok("DescribeVpcs")
	r := p.request("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1=10.88.60.9")
	r.Header.Set("User-Agent", "test/1")
	r.Header.Set("Amz-Sdk-Request", "attempt=2; max=3")
	a, err := p.do(r)
	if err != nil {
		t.Fatal(err)
	}
	p.call("UnassignPrivateIpAddresses", eniParam(ec2sim.LabRouterBInterface),
		"PrivateIpAddress.1=10.88.60.9")
	p.call("CreateVolume")

	calls := p.sim.Calls()
	if len(calls) != 4 {
		t.Fatalf("%d calls", len(calls))
	}
	want := ec2sim.Call{
		Seq: 2, Time: calls[1].Time, RequestID: a.requestID, Operation: "AssignPrivateIpAddresses",
		Params: map[string]string{"NetworkInterfaceId": ec2sim.LabRouterAInterface,
			"PrivateIpAddress.1": "10.88.60.9"},
		Region: ec2sim.LabRegion, AccessKeyID: ec2sim.LabCredential.AccessKeyID, UserAgent: "test/1",
		Attempt: "attempt=2; max=3", Change: true, Effect: true, Status: 200,
	}
	if diff := cmp.Diff(want, calls[1]); diff != "" {
		t.Error(diff)
	}
	if c := calls[2]; c.Effect || c.Code != "InvalidParameterValue" || c.Status != 400 || !c.Change {
		t.Errorf("refused call: %+v", c)
	}
	if c := calls[3]; c.Code != "InvalidAction" || c.Change {
		t.Errorf("unknown call: %+v", c)
	}
	calls[1].Params["x"] = "y"
	if p.sim.Calls()[1].Params["x"] != "" {
		t.Error("the log is not a copy")
	}
	p.sim.ForgetCalls()
	p.ok("DescribeVpcs")
	if calls := p.sim.Calls(); len(calls) != 1 || calls[0].Seq != 1 {
		t.Errorf("after forgetting: %+v", calls)
	}
}
