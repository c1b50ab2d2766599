package secondaryip

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	mine  = "eni-00000000000000001"
	other = "eni-00000000000000002"
	free  = "2001:db8::9"
	held  = "2001:db8::21"
	first = "2001:db8::10"
)

// vpc is two interfaces in one subnet, more when a test adds them, and what its writer refuses.
type vpc struct {
	calls []string
	// answers are what the calls say, in order.
	answers []error
	more    []ec2model.NetworkInterface
	// large makes the subnet one of more interfaces than an answer holds.
	large bool
	// mineToo are IPv6 addresses that the first interface has beside its own.
	mineToo []string
}

func (v *vpc) interfaces() []ec2model.NetworkInterface {
	return append([]ec2model.NetworkInterface{
		{ID: mine, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.10", PrimaryIPv6: first, IPv6: append([]string{first}, v.mineToo...)},
		{ID: other, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.11", IPv6: []string{held, "2001:db8::1:9"}},
	}, v.more...)
}

func (v *vpc) DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error) {
	found, err := v.ExistingNetworkInterfaces(ctx, ids...)
	if err == nil && len(found) < len(ids) {
		return nil, action.Refuse(protocol.NotFound, "one of %v does not exist", ids)
	}
	return found, err
}

func (v *vpc) ExistingNetworkInterfaces(_ context.Context, ids ...string) ([]ec2model.NetworkInterface, error) {
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

func (v *vpc) DescribeNetworkInterfacesOfSubnet(_ context.Context, subnet string) ([]ec2model.NetworkInterface, bool, error) {
	found := slices.DeleteFunc(v.interfaces(), func(n ec2model.NetworkInterface) bool { return n.SubnetID != subnet })
	if v.large {
		return found[:1], false, nil
	}
	return found, true, nil
}

func (v *vpc) DescribeSubnet(_ context.Context, id string) (ec2model.Subnet, error) {
	if id == "subnet-6" {
		return ec2model.Subnet{ID: id, IPv6CIDRs: []string{"2001:db8:6::/64"}, IPv6Only: true}, nil
	}
	if id == "subnet-2" {
		return ec2model.Subnet{ID: id, CIDR: "10.0.2.0/24"}, nil
	}
	return ec2model.Subnet{ID: "subnet-1", CIDR: "10.0.0.0/24", IPv6CIDRs: []string{"2001:db8::/64"}}, nil
}

func (v *vpc) call(text string) error {
	v.calls = append(v.calls, text)
	if n := len(v.calls); n <= len(v.answers) {
		return v.answers[n-1]
	}
	return nil
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

// record is the one transition that was recorded.
type record action.Recorded

func (r record) Own(resource, attribute string) (action.Recorded, bool) {
	return action.Recorded(r), attribute == "holder"
}
func (r record) All() []action.Recorded                         { return []action.Recorded{action.Recorded(r)} }
func (record) Others(string, string) ([]action.Recorded, error) { return nil, nil }

func withRecord(req action.Request, r action.Recorded) action.Request {
	r.Resource, r.Attribute = "vpc-1/"+req.Target["address"], "holder"
	req.HasRecord, req.Records = true, record(r)
	return req
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
		{"given back", action.PlanWith(planUnassign), withRecord(ask(free, "priorHolder", other), action.Recorded{From: other, To: mine, Via: nobody}), nobody, other, nobody, callAssignIPv6},
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

// TestIPv6Move: the calls of each step. An address is let go for another only when EC2 refuses that one
// nothing but a held address, and a refusal half-way is no refusal of the whole.
func TestIPv6Move(t *testing.T) {
	const offer, letGo = "assign6 " + held + " " + mine, "unassign6 " + held + " " + other
	isHeld := action.Refuse(protocol.Conflict, "EC2 says: assigned, but move is not allowed")
	noRoom := action.Refuse(protocol.LimitExceeded, "EC2 says PrivateIpAddressLimitExceeded")
	lost := &action.Unknown{Cause: action.Refuse(protocol.Unavailable, "no answer")}
	for _, c := range []struct {
		name           string
		from, to, goal string
		// answers are what the calls say, in order; without one they succeed.
		answers []error
		want    []string
		// ends is empty, refused or unknown.
		ends string
	}{
		{"to nobody", other, nobody, nobody, nil, []string{letGo}, ""},
		{"from nobody", nobody, mine, mine, nil, []string{offer}, ""},
		{"refused from nobody", nobody, mine, mine, []error{noRoom}, []string{offer}, "refused"},
		{"let go for another", other, nobody, mine, []error{isHeld}, []string{offer, letGo}, ""},
		{"refused for another reason", other, nobody, mine, []error{noRoom}, []string{offer}, "refused"},
		{"its holder keeps it", other, nobody, mine, []error{isHeld, noRoom}, []string{offer, letGo}, "refused"},
		{"its holder had let it go", other, nobody, mine, nil, []string{offer, "unassign6 " + held + " " + mine}, ""},
		{"its holder had let it go, and it stays", other, nobody, mine, []error{nil, noRoom}, []string{offer, "unassign6 " + held + " " + mine}, "unknown"},
		{"the answer is lost, and it is not sent again", other, nobody, mine, []error{lost}, []string{offer}, "unknown"},
		{"in one go", other, mine, nobody, []error{isHeld}, []string{offer, letGo, offer}, ""},
		{"refused half-way", other, mine, nobody, []error{isHeld, nil, noRoom}, []string{offer, letGo, offer}, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &vpc{answers: c.answers}
			err := address{r: v, ip: held}.moveIPv6(t.Context(), v, c.from, c.to, c.goal)
			ends := ""
			var unknown *action.Unknown
			switch {
			case errors.As(err, &unknown):
				ends = "unknown"
			case err != nil:
				ends = "refused"
			}
			if ends != c.ends {
				t.Errorf("it ends %q (%v), want %q", ends, err, c.ends)
			}
			if diff := cmp.Diff(c.want, v.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIPv6IsNotTakenAfterTheLease: what EC2 is asked first takes its time, and changes nothing. Over
// then, the lease leaves the address with its holder.
func TestIPv6IsNotTakenAfterTheLease(t *testing.T) {
	isHeld := action.Refuse(protocol.Conflict, "EC2 says: assigned, but move is not allowed")
	for until, want := range map[time.Time]int{time.Now(): 1, time.Now().Add(time.Hour): 2} {
		v := &vpc{answers: []error{isHeld}}
		err := address{r: v, ip: held}.moveIPv6(action.WithLease(t.Context(), until), v, other, nobody, mine)
		var refused *protocol.Failure
		if errors.As(err, &refused) != (want == 1) || want == 1 && refused.Class != protocol.Denied {
			t.Errorf("a lease until %v ends in %v", until, err)
		}
		if len(v.calls) != want {
			t.Errorf("a lease until %v makes the calls %v, want %d", until, v.calls, want)
		}
	}
}

// TestIPv6IsNotTakenForNothing: an interface whose subnet can't have the address is refused before its holder
// loses it, on the way there and back.
func TestIPv6IsNotTakenForNothing(t *testing.T) {
	far := ec2model.NetworkInterface{ID: "eni-00000000000000003", VPCID: "vpc-1", SubnetID: "subnet-2", Primary: "10.0.2.10"}
	there := ask(held, "allowReassignment", "true")
	there.Target["nicRef"] = far.ID
	back := ask(held, "priorHolder", far.ID)
	back.Target["nicRef"] = other
	for name, c := range map[string]struct {
		plan action.PlanFunc
		req  action.Request
	}{"there": {action.PlanWith(planAssign), there}, "back": {action.PlanWith(planUnassign), back}} {
		_, err := c.plan(t.Context(), &vpc{more: []ec2model.NetworkInterface{far}}, c.req)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.InvalidRequest || !strings.Contains(f.Message, "no IPv6 block") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// IPv4 is for EC2 to refuse, and for a dry-run to foresee.
	far.Secondary = []string{"10.0.2.99"}
	there = ask("10.0.2.99", "allowReassignment", "true")
	back = ask("10.0.2.99", "priorHolder", mine)
	back.Target["nicRef"] = far.ID
	for name, c := range map[string]struct {
		plan action.PlanFunc
		req  action.Request
	}{"there": {action.PlanWith(planAssign), there}, "back": {action.PlanWith(planUnassign), back}} {
		p, err := c.plan(t.Context(), &vpc{more: []ec2model.NetworkInterface{far}}, c.req)
		if err != nil {
			t.Fatal(err)
		}
		var f *protocol.Failure
		if _, err := p.Foresee(t.Context()); !errors.As(err, &f) || f.Class != protocol.InvalidRequest {
			t.Errorf("%s, IPv4: %v", name, err)
		}
	}
}

// TestNobodyIsDriftUnlessOnItsWay: what nobody has is given back only where the action's record tells that a
// move of ours may have stopped there.
func TestNobodyIsDriftUnlessOnItsWay(t *testing.T) {
	for _, c := range []struct {
		name, address string
		record        *action.Recorded
		drift         bool
	}{
		{"on its way", free, &action.Recorded{From: other, To: mine, Via: nobody}, false},
		{"no record", free, nil, true},
		{"recorded of another move", free, &action.Recorded{From: "eni-00000000000000003", To: mine, Via: nobody}, true},
		{"IPv4 is nobody's on no way", "10.0.0.99", &action.Recorded{From: other, To: mine}, true},
	} {
		req := ask(c.address, "priorHolder", other)
		if c.record != nil {
			req = withRecord(req, *c.record)
		}
		p, err := action.PlanWith(planUnassign)(t.Context(), &vpc{}, req)
		var f *protocol.Failure
		if c.drift != (errors.As(err, &f) && f.Class == protocol.Drift) {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.drift && (p.Transitions[0].From != nobody || p.Transitions[0].To != other) {
			t.Errorf("%s: %+v", c.name, p.Transitions)
		}
	}
}

// others is what was recorded of an address under other keys.
type others []action.Recorded

func (others) Own(string, string) (action.Recorded, bool)         { return action.Recorded{}, false }
func (others) All() []action.Recorded                             { return nil }
func (o others) Others(string, string) ([]action.Recorded, error) { return o, nil }

// TestLeftHalfWay: what nobody has was somebody's before only where another action may have stopped on its way.
func TestLeftHalfWay(t *testing.T) {
	const third = "eni-00000000000000003"
	for _, c := range []struct {
		name, address string
		others        others
		take          string
		from          string
	}{
		{"on its way", free, others{{From: other, To: third, Via: nobody, Pending: true}}, "true", other},
		{"it had come there, and somebody let it go since", free, others{{From: other, To: third, Via: nobody}}, "true", nobody},
		{"somebody else's undo took away what it led to", free, others{{From: other, To: third, Via: nobody, Pending: true, Gone: true}}, "true", nobody},
		{"it had no way by nobody", free, others{{From: other, To: third, Pending: true}}, "true", nobody},
		{"nothing is to be taken", free, others{{From: other, To: third, Via: nobody, Pending: true}}, "false", nobody},
		{"IPv4 is nobody's on no way", "10.0.0.99", others{{From: other, To: third, Via: nobody, Pending: true}}, "true", nobody},
		{"the one that is on its way counts", free, others{{From: third, To: mine, Via: nobody}, {From: other, To: third, Via: nobody, Pending: true}}, "true", other},
	} {
		req := ask(c.address, "allowReassignment", c.take)
		req.Records = c.others
		p, err := action.PlanWith(planAssign)(t.Context(), &vpc{}, req)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if tr := p.Transitions[0]; tr.From != c.from || tr.To != mine {
			t.Errorf("%s: from %q to %q, want from %q", c.name, tr.From, tr.To, c.from)
		}
	}
}

// TestDelegatedBlocks: an address in a block that is an interface's whole neither comes nor goes alone.
func TestDelegatedBlocks(t *testing.T) {
	block := ec2model.NetworkInterface{
		ID: "eni-00000000000000004", VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.12",
		Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.32/28"), netip.MustParsePrefix("2001:db8:0:0:a::/80")},
	}
	v := &vpc{more: []ec2model.NetworkInterface{block}}
	for _, address := range []string{"10.0.0.35", "2001:db8:0:0:a::1"} {
		own := ask(address)
		own.Target["nicRef"] = block.ID
		undo := ask(address, "priorAssigned", "false")
		undo.Target["nicRef"] = block.ID
		for name, c := range map[string]struct {
			plan action.PlanFunc
			req  action.Request
		}{"assigned": {action.PlanWith(planAssign), own}, "let go": {action.PlanWith(planUnassign), own}, "undone": {action.PlanWith(planUnassign), undo}} {
			_, err := c.plan(t.Context(), v, c.req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != protocol.InvalidRequest || !strings.Contains(f.Message, "delegated to "+block.ID) {
				t.Errorf("%s, %s: %v", address, name, err)
			}
		}
		for _, take := range []string{"false", "true"} {
			p, err := action.PlanWith(planAssign)(t.Context(), v, ask(address, "allowReassignment", take))
			if err != nil {
				t.Fatal(err)
			}
			var f *protocol.Failure
			if _, err := p.Foresee(t.Context()); !errors.As(err, &f) || f.Class != protocol.Conflict || f.Facts["holder"] != block.ID {
				t.Errorf("%s, assigned elsewhere: %v", address, err)
			}
		}
	}
}

// TestPriorHolderThatIsGone holds nothing: the address is read to be gone from the interface all the
// same. The interface that is to get an address must be there.
func TestPriorHolderThatIsGone(t *testing.T) {
	const gone = "eni-0000000000000dead"
	for address, want := range map[string]string{free: nobody, held: other} {
		a := newAddress(&vpc{}, address)
		if holder, _, err := a.readHolder(t.Context(), mine, gone, other); err != nil || holder != want {
			t.Errorf("%s: %s, %v; want %s", address, holder, err, want)
		}
	}
	a := assignment{address: newAddress(&vpc{}, held), nic: gone}
	var f *protocol.Failure
	if _, err := a.readAgain(t.Context(), other); !errors.As(err, &f) || f.Class != protocol.NotFound {
		t.Errorf("the interface itself is gone: %v", err)
	}
}

func newAddress(r Reader, ip string) address { return address{r: r, ip: ip} }

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
		_, err = p.Foresee(t.Context())
		if errors.As(err, &f) != (want != "") || want != "" && f.Class != want {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}
