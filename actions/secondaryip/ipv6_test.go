package secondaryip

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	mine  = "eni-00000000000000001"
	other = "eni-00000000000000002"
	free  = "2001:db8::9"
	held  = "2001:db8::1"
	first = "2001:db8::10"
)

// vpc is two interfaces in one subnet, and what its writer refuses.
type vpc struct {
	calls  []string
	refuse map[string]error
}

func (v *vpc) interfaces() []ec2model.NetworkInterface {
	return []ec2model.NetworkInterface{
		{ID: mine, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.10", PrimaryIPv6: first, IPv6: []string{first}},
		{ID: other, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.11", IPv6: []string{held, "2001:db8::1:9"}},
	}
}

func (v *vpc) DescribeNetworkInterfaces(_ context.Context, ids ...string) ([]ec2model.NetworkInterface, error) {
	var found []ec2model.NetworkInterface
	for _, id := range ids {
		for _, n := range v.interfaces() {
			if n.ID == id {
				found = append(found, n)
			}
		}
	}
	return found, nil
}

func (v *vpc) DescribeNetworkInterfacesWithAddress(_ context.Context, _, address string) ([]ec2model.NetworkInterface, error) {
	var found []ec2model.NetworkInterface
	for _, n := range v.interfaces() {
		if n.Has(address) {
			found = append(found, n)
		}
	}
	return found, nil
}

func (v *vpc) DescribeSubnet(context.Context, string) (ec2model.Subnet, error) {
	return ec2model.Subnet{ID: "subnet-1", CIDR: "10.0.0.0/24", IPv6CIDRs: []string{"2001:db8::/64"}}, nil
}

func (v *vpc) call(text string) error {
	v.calls = append(v.calls, text)
	return v.refuse[text]
}

func (v *vpc) AssignPrivateIPAddress(_ context.Context, nic, address string, _ bool) error {
	return v.call("assign4 " + address + " " + nic)
}
func (v *vpc) UnassignPrivateIPAddress(_ context.Context, nic, address string) error {
	return v.call("unassign4 " + address + " " + nic)
}
func (v *vpc) AssignIPv6Address(_ context.Context, nic, address string) error {
	return v.call("assign6 " + address + " " + nic)
}
func (v *vpc) UnassignIPv6Address(_ context.Context, nic, address string) error {
	return v.call("unassign6 " + address + " " + nic)
}

func ask(address string, parameters ...string) action.Request {
	r := action.Request{Target: map[string]string{"nicRef": mine, "address": address, "region": "eu-west-1"}, Parameters: map[string]string{}}
	for i := 0; i < len(parameters); i += 2 {
		r.Parameters[parameters[i]] = parameters[i+1]
	}
	return r
}

// TestIPv6Plan: an IPv6 address that is taken stops at nobody on its way, and one that is not never was.
func TestIPv6Plan(t *testing.T) {
	for _, c := range []struct {
		name          string
		plan          action.PlanFunc
		req           action.Request
		from, to, via string
		call          string
	}{
		{"free", action.PlanWith(planAssign), ask(free), nobody, mine, "", callAssignIPv6},
		{"free, and might be taken", action.PlanWith(planAssign), ask(free, "allowReassignment", "true"), nobody, mine, nobody, callAssignIPv6},
		{"taken", action.PlanWith(planAssign), ask(held, "allowReassignment", "true"), other, mine, nobody, callAssignIPv6},
		{"let go", action.PlanWith(planUnassign), ask(free), nobody, nobody, "", callUnassignIPv6},
		{"given back", action.PlanWith(planUnassign), ask(free, "priorHolder", other), nobody, other, nobody, callAssignIPv6},
		{"IPv4 is moved in one call", action.PlanWith(planAssign), ask("10.0.0.99", "allowReassignment", "true"), nobody, mine, "", callAssign},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := c.plan(t.Context(), &vpc{}, c.req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if tr.From != c.from || tr.To != c.to || tr.Via != c.via || tr.Call != c.call {
				t.Errorf("%s from %q to %q via %q, want %s from %q to %q via %q", tr.Call, tr.From, tr.To, tr.Via, c.call, c.from, c.to, c.via)
			}
		})
	}
}

// TestIPv6Move: the calls of each step, and that a refusal half-way is no refusal of the whole.
func TestIPv6Move(t *testing.T) {
	refused := action.Refuse(protocol.LimitExceeded, "EC2 says PrivateIpAddressLimitExceeded")
	for _, c := range []struct {
		name, from, to string
		refuse         string
		want           []string
		unknown        bool
		fails          bool
	}{
		{name: "to nobody", from: other, to: nobody, want: []string{"unassign6 " + held + " " + other}},
		{name: "from nobody", from: nobody, to: mine, want: []string{"assign6 " + held + " " + mine}},
		{name: "in one go", from: other, to: mine, want: []string{"unassign6 " + held + " " + other, "assign6 " + held + " " + mine}},
		{name: "refused at first", from: other, to: mine, refuse: "unassign6 " + held + " " + other, want: []string{"unassign6 " + held + " " + other}, fails: true},
		{name: "refused half-way", from: other, to: mine, refuse: "assign6 " + held + " " + mine,
			want: []string{"unassign6 " + held + " " + other, "assign6 " + held + " " + mine}, fails: true, unknown: true},
		{name: "refused from nobody", from: nobody, to: mine, refuse: "assign6 " + held + " " + mine, want: []string{"assign6 " + held + " " + mine}, fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &vpc{refuse: map[string]error{c.refuse: refused}}
			err := address{r: v, ip: held}.moveIPv6(t.Context(), v, c.from, c.to)
			var unknown *action.Unknown
			if (err != nil) != c.fails || errors.As(err, &unknown) != c.unknown {
				t.Errorf("%v", err)
			}
			if diff := cmp.Diff(c.want, v.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIPv6Refusals: one address is not the beginning of another, and what an interface can't lose is not
// taken from it.
func TestIPv6Refusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		plan  action.PlanFunc
		req   action.Request
		class protocol.FailureClass
	}{
		{"its own primary", action.PlanWith(planAssign), ask(first), protocol.InvalidRequest},
		{"its own primary, let go", action.PlanWith(planUnassign), ask(first), protocol.InvalidRequest},
		{"another's, expected elsewhere", action.PlanWith(planAssign), ask(held, "allowReassignment", "true", "expectedHolderRef", mine), protocol.Conflict},
	} {
		_, err := c.plan(t.Context(), &vpc{}, c.req)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != c.class {
			t.Errorf("%s: %v, want %s", c.name, err, c.class)
		}
	}
	p, err := action.PlanWith(planAssign)(t.Context(), &vpc{}, ask("2001:db8::1:90", "allowReassignment", "true"))
	if err != nil || p.Transitions[0].From != nobody {
		t.Errorf("the beginning of another: %v", err)
	}
	for address, want := range map[string]protocol.FailureClass{
		"2001:db8::3": protocol.InvalidRequest, "2001:db8::ffff:ffff:ffff:ffff": protocol.InvalidRequest, "2001:db8:0:1::9": protocol.InvalidRequest,
		held: protocol.Conflict, free: "", "2001:db8::4": "",
	} {
		p, err := action.PlanWith(planAssign)(t.Context(), &vpc{}, ask(address))
		if err != nil {
			t.Fatal(err)
		}
		var f *protocol.Failure
		err = p.Foresee(t.Context())
		if errors.As(err, &f) != (want != "") || want != "" && f.Class != want {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}
