package network_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/network"
)

// read reads a part of a lab's network through the real reader.
func read(t *testing.T, around network.Around, options ...ec2sim.Option) network.Network {
	t.Helper()
	sim := ec2sim.New(append([]ec2sim.Option{ec2sim.Lab()}, options...)...)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	c, err := awsec2.Connect(t.Context(), ec2sim.LabRegion, 20*time.Second,
		slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return network.Read(t.Context(), awsec2.NetworkOf(c), around)
}

// database is a machine with two interfaces.
var database = network.Around{
	Instances:   []string{ec2sim.LabDB},
	Interfaces:  []string{ec2sim.LabRouterAInterface},
	Groups:      []string{ec2sim.LabGroupFence},
	RouteTables: []string{ec2sim.LabRouteTable},
	Addresses:   []string{ec2sim.LabVPC + "/" + ec2sim.LabServiceAddress},
}

// TestANetworkIsReadWhole: the interfaces that are named, who holds an address, the machines with
// all of their interfaces, the places, the groups by name, and the routes.
func TestANetworkIsReadWhole(t *testing.T) {
	n := read(t, database)
	var told []string
	for _, i := range n.Interfaces {
		told = append(told, i.ID)
		if i.VPC != ec2sim.LabVPC || slices.Contains(
			[]string{i.Subnet, i.Primary, i.SourceDestCheck, i.Instance, strings.Join(i.Groups, "")}, "") {
			t.Errorf("%+v", i)
		}
	}
	for _, id := range []string{
		ec2sim.LabDBInterface0, ec2sim.LabDBInterface1, ec2sim.LabRouterAInterface,
	} {
		if !slices.Contains(told, id) {
			t.Errorf("%s is missing in %v", id, told)
		}
	}
	for _, id := range []string{
		ec2sim.LabDB, ec2sim.LabDBInterface1, ec2sim.LabGroupWeb, ec2sim.LabGroupFence,
	} {
		if n.Name(id) == "" {
			t.Errorf("%s has no name", id)
		}
	}
	if name := n.Name("eni-none"); name != "" || n.Empty() || len(n.NotRead) > 0 {
		t.Errorf("what is not there is called %q; not read: %q", name, n.NotRead)
	}
}

// TestThePlacesOfANetwork: its VPC, its subnets and the routes of each.
func TestThePlacesOfANetwork(t *testing.T) {
	n := read(t, database)
	if len(n.VPCs) != 1 || len(n.VPCs[0].CIDRs) == 0 || len(n.Subnets) == 0 ||
		len(n.Subnets[0].CIDRs) == 0 {
		t.Errorf("%+v %+v", n.VPCs, n.Subnets)
	}
	i := slices.IndexFunc(n.RouteTables, func(t network.RouteTable) bool {
		return t.ID == ec2sim.LabRouteTable
	})
	if i < 0 || len(n.RouteTables[i].Subnets) == 0 || len(n.RouteTables[i].Routes) < 2 {
		t.Errorf("%+v", n.RouteTables)
	}
}

// TestAnyOrderGivesTheSameNetwork: whatever order the provider tells it in.
func TestAnyOrderGivesTheSameNetwork(t *testing.T) {
	want, err := json.Marshal(read(t, database))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(8) {
		got, err := json.Marshal(read(t, database, ec2sim.WithAnyOrder(seed)))
		if diff := cmp.Diff(string(want), string(got)); err != nil || diff != "" {
			t.Fatalf("seed %d: %v (-in order +in another):\n%s", seed, err, diff)
		}
	}
}

// TestWhatCanNotBeReadIsTold: the rest is there.
func TestWhatCanNotBeReadIsTold(t *testing.T) {
	const may = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":[` +
		`"ec2:DescribeNetworkInterfaces","ec2:DescribeRouteTables"]}]}`
	n := read(t, database, ec2sim.WithPolicies(ec2sim.LabCredential.AccessKeyID, may))
	for _, what := range []string{"the instances: ", "the subnets: ", "the VPCs: ",
		"the security groups: "} {
		said := func(s string) bool { return strings.HasPrefix(s, what) && len(s) > len(what) }
		if slices.ContainsFunc(n.NotRead, said) == (what == "the security groups: " &&
			n.Name(ec2sim.LabGroupFence) != "") {
			t.Errorf("%q is not told: %q", what, n.NotRead)
		}
	}
	if len(n.Interfaces) < 3 || len(n.RouteTables) == 0 || len(n.Instances)+len(n.Subnets) > 0 {
		t.Errorf("%+v", n)
	}
}

// nothing is a source without anything, which counts how much it is asked for.
type nothing struct{ network.Source }

func (nothing) InterfacesOf(
	context.Context, network.Query,
) ([]network.Interface, []network.Group, error) {
	return nil, nil, fmt.Errorf("none")
}

// TestWhatIsNotNamedIsNotAskedFor: a filter without a value would select all there is.
func TestWhatIsNotNamedIsNotAskedFor(t *testing.T) {
	n := network.Read(t.Context(), nothing{}, network.Around{})
	if !n.Empty() || len(n.NotRead) > 0 {
		t.Errorf("%+v", n)
	}
	n = network.Read(t.Context(), nothing{}, network.Around{Interfaces: []string{"eni-1"}})
	if !n.Empty() || !slices.Equal(n.NotRead, []string{"the interfaces: none"}) {
		t.Errorf("%+v", n)
	}
}
