package secondaryip

import (
	"context"
	"errors"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// moving is a VPC whose address is on two interfaces at once, as while EC2 moves it.
type moving struct{ vpc }

func (*moving) DescribeNetworkInterfacesWithAddress(context.Context, string, string) ([]ec2model.NetworkInterface, error) {
	return []ec2model.NetworkInterface{{ID: other}, {ID: "eni-00000000000000003"}}, nil
}

// serviceOwned is a VPC whose interfaces belong to a service.
type serviceOwned struct{ vpc }

func (v *serviceOwned) DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error) {
	return v.ExistingNetworkInterfaces(ctx, ids...)
}

func (v *serviceOwned) ExistingNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error) {
	found, err := v.vpc.ExistingNetworkInterfaces(ctx, ids...)
	for i := range found {
		found[i].RequesterManaged = true
	}
	return found, err
}

// TestRefusedBeforeAnyChange: what a plan does not go on with.
func TestRefusedBeforeAnyChange(t *testing.T) {
	const address = "10.0.0.99"
	for _, c := range []struct {
		name  string
		plan  action.PlanFunc
		r     any
		req   action.Request
		class protocol.FailureClass
	}{
		{"two hold what is to be taken", action.PlanWith(planAssign), &moving{}, ask(address, "allowReassignment", "true"), protocol.Unavailable},
		{"two hold what is to be given back", action.PlanWith(planUnassign), &moving{}, ask(address, "priorHolder", other), protocol.Unavailable},
		{"a service's interface gets one", action.PlanWith(planAssign), &serviceOwned{}, ask(address), protocol.Authorization},
		{"a service's interface loses one", action.PlanWith(planUnassign), &serviceOwned{}, ask(address), protocol.Authorization},
	} {
		_, err := c.plan(t.Context(), c.r, c.req)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != c.class {
			t.Errorf("%s: %v, want %s", c.name, err, c.class)
		}
	}
}

// TestPriorHolderIsTheInterfaceItself: it had the address before the action, which stays.
func TestPriorHolderIsTheInterfaceItself(t *testing.T) {
	p, err := action.PlanWith(planUnassign)(t.Context(), &vpc{}, ask(held, "priorHolder", mine))
	if err != nil || p.Skip == "" || len(p.Transitions) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestNeighbours: an address is surely the subnet's only in the smallest block that a subnet can be, and
// there only where EC2 keeps nothing to itself.
func TestNeighbours(t *testing.T) {
	nic := ec2model.NetworkInterface{Primary: "10.0.0.20", Secondary: []string{"10.0.3.40"}, IPv6: []string{"2001:db8::10"}}
	for address, want := range map[string]bool{
		"10.0.0.21": true, "10.0.0.30": true,
		"10.0.0.15": false, "10.0.0.32": false, "10.0.0.99": false,
		"10.0.0.19": false, "10.0.0.31": false,
		"10.0.3.45": true, "10.0.3.48": false,
		"2001:db8::99": true, "2001:db8::3": false, "2001:db8:0:1::10": false,
	} {
		if got := neighbours(nic, address); got != want {
			t.Errorf("%s: %t, want %t", address, got, want)
		}
	}
}

// TestAHolderIsFoundInASubnetOfAnySize: where one answer does not hold the whole subnet, the address is searched for.
func TestAHolderIsFoundInASubnetOfAnySize(t *testing.T) {
	for _, large := range []bool{false, true} {
		for address, want := range map[string]protocol.FailureClass{held: protocol.Conflict, "10.0.0.11": protocol.Conflict, free: "", "10.0.0.8": ""} {
			p, err := action.PlanWith(planAssign)(t.Context(), &vpc{large: large}, ask(address))
			if err != nil {
				t.Fatal(err)
			}
			var f *protocol.Failure
			err = p.Foresee(t.Context())
			if errors.As(err, &f) != (want != "") || want != "" && f.Class != want {
				t.Errorf("%s (large %t): %v, want %q", address, large, err, want)
			}
		}
	}
}

// without are interfaces that have no IPv4 address: one in an IPv6-only subnet, one of which EC2
// shows no address, one without any.
var without = []ec2model.NetworkInterface{
	{ID: "eni-00000000000000006", VPCID: "vpc-1", SubnetID: "subnet-6", IPv6: []string{"2001:db8:6::1"}},
	{ID: "eni-00000000000000007", VPCID: "vpc-1", SubnetID: "subnet-6"},
	{ID: "eni-00000000000000008", VPCID: "vpc-1", SubnetID: "subnet-1"},
	{ID: "eni-00000000000000009", VPCID: "vpc-1", SubnetID: "subnet-1", NoAddresses: true},
}

// unread is a VPC whose subnets may not be read.
type unread struct{ vpc }

func (*unread) DescribeSubnet(context.Context, string) (ec2model.Subnet, error) {
	return ec2model.Subnet{}, action.Refuse(protocol.Authorization, "not allowed")
}

// TestWhatCannotHaveAnAddress: what an interface can't have at all is refused before anything is
// sent. What EC2 does not show is no proof of it.
func TestWhatCannotHaveAnAddress(t *testing.T) {
	seen, blind := &vpc{more: without}, &unread{vpc{more: without}}
	for _, c := range []struct {
		name, nic, address string
		r                  Reader
		class              protocol.FailureClass
	}{
		{"IPv4 in an IPv6-only subnet", without[0].ID, "10.0.0.99", seen, protocol.InvalidRequest},
		{"IPv6 in an IPv6-only subnet", without[0].ID, "2001:db8:6::9", seen, ""},
		{"the subnet tells it", without[1].ID, "10.0.0.99", seen, protocol.InvalidRequest},
		{"the subnet has IPv4", without[2].ID, "10.0.0.99", seen, ""},
		{"the subnet may not be read", without[1].ID, "10.0.0.99", blind, ""},
		{"efa-only", without[3].ID, "10.0.0.99", blind, protocol.InvalidRequest},
		{"efa-only, IPv6", without[3].ID, "2001:db8::99", seen, protocol.InvalidRequest},
		{"any other", mine, "10.0.0.99", blind, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := ask(c.address)
			req.Target["nicRef"] = c.nic
			_, err := action.PlanWith(planAssign)(t.Context(), c.r, req)
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil && f.Class != c.class {
				t.Errorf("%v, want %q", err, c.class)
			}
		})
	}
}
