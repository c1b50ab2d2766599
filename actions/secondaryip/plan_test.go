package secondaryip

import (
	"context"
	"errors"
	"slices"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// moving is a VPC whose address is on two interfaces at once, as while EC2 moves it.
type moving struct{ vpc }

func (*moving) DescribeNetworkInterfacesWithAddress(
	context.Context,
	string,
	string,
) ([]ec2model.NetworkInterface, error) {
	return []ec2model.NetworkInterface{{ID: other}, {ID: "eni-00000000000000003"}}, nil
}

// serviceOwned is a VPC whose interfaces belong to a service.
type serviceOwned struct{ vpc }

func (v *serviceOwned) DescribeNetworkInterfaces(
	ctx context.Context,
	ids ...string,
) ([]ec2model.NetworkInterface, error) {
	return v.ExistingNetworkInterfaces(ctx, ids...)
}

func (v *serviceOwned) ExistingNetworkInterfaces(
	ctx context.Context,
	ids ...string,
) ([]ec2model.NetworkInterface, error) {
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
		{"two hold what is to be taken", action.PlanWith(planAssign), &moving{},
			ask(address, "allowReassignment", "true"), protocol.Unavailable},
		{"two hold what is to be given back", action.PlanWith(planUnassign), &moving{},
			ask(address, "priorHolder", other), protocol.Unavailable},
		{"a service's interface gets one", action.PlanWith(planAssign), &serviceOwned{}, ask(address),
			protocol.Authorization},
		{"a service's interface loses one", action.PlanWith(planUnassign), &serviceOwned{}, ask(address),
			protocol.Authorization},
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
	if err != nil || p.Skip == "" || p.Transitions[0].To != p.Transitions[0].From {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestNeighbours: an address is surely the subnet's only in the smallest block that a subnet can
// be, and there only where EC2 keeps nothing to itself.
func TestNeighbours(t *testing.T) {
	nic := ec2model.NetworkInterface{
		Primary:   "10.0.0.20",
		Secondary: []string{"10.0.3.40"},
		IPv6:      []string{"2001:db8::10"},
	}
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

// TestAHolderIsFoundInASubnetOfAnySize: where one answer does not hold the whole subnet, the
// address is searched for.
func TestAHolderIsFoundInASubnetOfAnySize(t *testing.T) {
	for _, large := range []bool{false, true} {
		for address, want := range map[string]protocol.FailureClass{held: protocol.Conflict,
			"10.0.0.11": protocol.Conflict, free: "", "10.0.0.8": ""} {
			p, err := action.PlanWith(planAssign)(t.Context(), &vpc{large: large}, ask(address))
			if err != nil {
				t.Fatal(err)
			}
			var f *protocol.Failure
			_, err = p.Foresee(t.Context())
			if errors.As(err, &f) != (want != "") || want != "" && f.Class != want {
				t.Errorf("%s (large %t): %v, want %q", address, large, err, want)
			}
		}
	}
}

// without are interfaces that have no IPv4 address: one in an IPv6-only subnet, one of which EC2
// shows no address, one without any.
var without = []ec2model.NetworkInterface{
	{
		ID:       "eni-00000000000000006",
		VPCID:    "vpc-1",
		SubnetID: "subnet-6",
		IPv6:     []string{"2001:db8:6::1"},
	},
	{ID: "eni-00000000000000007", VPCID: "vpc-1", SubnetID: "subnet-6"},
	{ID: "eni-00000000000000008", VPCID: "vpc-1", SubnetID: "subnet-1"},
	{ID: "eni-00000000000000009", VPCID: "vpc-1", SubnetID: "subnet-1", NoAddresses: true},
}

// unread is a VPC whose subnets may not be read.
type unread struct{ vpc }

func (*unread) DescribeSubnet(context.Context, string) (ec2model.Subnet, error) {
	return ec2model.Subnet{}, protocol.Refuse(protocol.Authorization, "not allowed").
		With(protocol.FactPermissionHint, "ec2:DescribeSubnets")
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

// newUnread has a third interface in another subnet.
func newUnread() *unread {
	return &unread{vpc{more: []ec2model.NetworkInterface{{
		ID: "eni-00000000000000003", VPCID: "vpc-1", SubnetID: "subnet-2",
		Primary: "10.0.2.10", Secondary: []string{"10.0.2.30"}, IPv6: []string{"2001:db8:0:2::30"},
	}}}}
}

// TestWithoutDescribeSubnets: what can't be read is named, and refused is only what follows from
// what can be. Planning, which execute does too, and foreseeing do not differ in what they refuse.
func TestWithoutDescribeSubnets(t *testing.T) {
	const third = "eni-00000000000000003"
	whether := func(ip, nic string) []string {
		return []string{
			"whether " + ip + " is in the subnet of " + nic + " (ec2:DescribeSubnets is not allowed)",
		}
	}
	for _, c := range []struct {
		name       string
		plan       action.PlanFunc
		req        action.Request
		unforeseen []string
		class      protocol.FailureClass
	}{
		{"a neighbour", action.PlanWith(planAssign), ask("10.0.0.9"), nil, ""},
		{"a free address", action.PlanWith(planAssign), ask("10.0.0.99"), whether("10.0.0.99", mine), ""},
		{"a free IPv6 address", action.PlanWith(planAssign), ask("2001:db8:0:1::99"),
			whether("2001:db8:0:1::99", mine), ""},
		{"one of another subnet", action.PlanWith(planAssign), ask("10.0.2.30"), nil,
			protocol.InvalidRequest},
		{"to be taken from another subnet", action.PlanWith(planAssign),
			ask("10.0.2.30", "allowReassignment", "true"), nil, protocol.InvalidRequest},
		{"IPv6 to be taken from another subnet", action.PlanWith(planAssign),
			ask("2001:db8:0:2::30", "allowReassignment", "true"), nil, protocol.InvalidRequest},
		{"to be taken within the subnet", action.PlanWith(planAssign),
			ask("2001:db8::1:9", "allowReassignment", "true"), nil, ""},
		{"given back to where it may not fit", action.PlanWith(planUnassign),
			ask("10.0.0.99", "priorHolder", third, "onDrift", "restore"), whether("10.0.0.99", third), ""},
		{"IPv6 given back to another subnet", action.PlanWith(planUnassign),
			ask("2001:db8::77", "priorHolder", third), nil, protocol.InvalidRequest},
	} {
		world := newUnread()
		if c.name == "IPv6 given back to another subnet" {
			world.mineToo = []string{"2001:db8::77"}
		}
		p, err := c.plan(t.Context(), world, c.req)
		var unforeseen []string
		if err == nil && p.Foresee != nil {
			unforeseen, err = p.Foresee(t.Context())
		}
		var f *protocol.Failure
		if errors.As(err, &f) != (c.class != "") || c.class != "" && f.Class != c.class {
			t.Errorf("%s: %v, want %q", c.name, err, c.class)
		}
		if !slices.Equal(unforeseen, c.unforeseen) {
			t.Errorf("%s: not foreseen is %q, want %q", c.name, unforeseen, c.unforeseen)
		}
	}
}
