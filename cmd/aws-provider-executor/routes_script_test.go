package main

import (
	"path/filepath"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// vpnGateway is a kind of target that the lab has none of.
const vpnGateway = "vgw-01088000000000000"

// routeVars name what routes are between.
func routeVars(sim *ec2sim.Sim) []string {
	sim.Region(ec2sim.LabRegion).AddGateway(ec2sim.Gateway{ID: vpnGateway, VPCID: ec2sim.LabVPC})
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		panic(err)
	}
	return []string{
		"EXAMPLES=" + examples,
		"TABLE=" + ec2sim.LabRouteTable, "OTHERTABLE=rtb-01077000000000000",
		"IGW=" + ec2sim.LabInternetGateway, "NAT=" + ec2sim.LabNATGateway,
		"TGW=" + ec2sim.LabTransitGateway, "PCX=" + ec2sim.LabPeering, "VPCE=" + ec2sim.LabVPCEndpoint,
		"EIGW=" + ec2sim.LabEgressOnlyGW, "VGW=" + vpnGateway,
	}
}

func lab(ts *testscript.TestScript) *ec2sim.Region { return of(ts).sim.Region(ec2sim.LabRegion) }

// routes checks where a table leads a destination; '-' is nowhere.
func routes(ts *testscript.TestScript, _ bool, args []string) {
	got := "-"
	for _, t := range lab(ts).State().RouteTables {
		for _, r := range t.Routes {
			if t.ID == args[0] && r.Destination == args[1] {
				got = r.Target
			}
		}
	}
	if got != args[2] {
		ts.Fatalf("%s leads %s to %s, want %s", args[0], args[1], got, args[2])
	}
}

// seed puts a route into a table behind the executor's back.
func seed(ts *testscript.TestScript, _ bool, args []string) {
	lab(ts).EditRouteTable(args[0], func(t *ec2sim.RouteTable) {
		t.Routes = append(t.Routes,
			ec2sim.Route{Destination: args[1], Target: args[2], Origin: "CreateRoute"})
	})
}

// unseed takes a route out of a table behind the executor's back.
func unseed(ts *testscript.TestScript, _ bool, args []string) {
	lab(ts).EditRouteTable(args[0], func(t *ec2sim.RouteTable) {
		t.Routes = slices.DeleteFunc(t.Routes, func(r ec2sim.Route) bool {
			return r.Destination == args[1]
		})
	})
}

// detach takes an interface off its instance.
func detach(ts *testscript.TestScript, _ bool, args []string) {
	lab(ts).EditInterface(args[0], func(i *ec2sim.Interface) { i.Attachment = nil })
}

// remove takes a resource away.
func remove(ts *testscript.TestScript, _ bool, args []string) { lab(ts).Remove(args[0]) }

// noFaults takes every fault away.
func noFaults(ts *testscript.TestScript, _ bool, _ []string) { of(ts).sim.ClearFaults() }
