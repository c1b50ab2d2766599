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
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

const (
	mine  = "eni-00000000000000001"
	other = "eni-00000000000000002"
	free  = "2001:db8::9"
	held  = "2001:db8::21"
	first = "2001:db8::10"
	// ours is the IPv4 address that holder has.
	ours = "10.0.0.12"
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
	// holder has the address ours, and gone do not exist any more.
	holder string
	gone   []string
}

func (v *vpc) interfaces() []ec2model.NetworkInterface {
	all := append([]ec2model.NetworkInterface{
		{ID: mine, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.10", PrimaryIPv6: first,
			IPv6: append([]string{first}, v.mineToo...)},
		{ID: other, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.11",
			IPv6: []string{held, "2001:db8::1:9"}},
	}, v.more...)
	for i := range all {
		if all[i].ID == v.holder {
			all[i].Secondary = append(slices.Clone(all[i].Secondary), ours)
		}
	}
	return slices.DeleteFunc(all, func(n ec2model.NetworkInterface) bool {
		return slices.Contains(v.gone, n.ID)
	})
}

func (v *vpc) DescribeNetworkInterfaces(
	ctx context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	found, err := v.ExistingNetworkInterfaces(ctx, ids...)
	if err == nil && len(found) < len(ids) {
		return nil, protocol.Refuse(protocol.NotFound, "one of %v does not exist", ids)
	}
	return found, err
}

func (v *vpc) ExistingNetworkInterfaces(
	_ context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
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

func (v *vpc) DescribeNetworkInterfacesWithAddress(
	_ context.Context, _, address string,
) ([]ec2model.NetworkInterface, error) {
	var found []ec2model.NetworkInterface
	for _, n := range v.interfaces() {
		if n.Has(address) {
			found = append(found, n)
		}
	}
	return found, nil
}

func (v *vpc) DescribeNetworkInterfacesOfSubnet(
	_ context.Context, subnet string,
) ([]ec2model.NetworkInterface, bool, error) {
	found := slices.DeleteFunc(v.interfaces(), func(n ec2model.NetworkInterface) bool {
		return n.SubnetID != subnet
	})
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
	return ec2model.Subnet{ID: "subnet-1", CIDR: "10.0.0.0/24", IPv6CIDRs: []string{"2001:db8::/64"}},
		nil
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
	r := action.Request{
		Target:     map[string]string{"nicRef": mine, "address": address, "region": "eu-west-1"},
		Parameters: map[string]string{}}
	for i := 0; i < len(parameters); i += 2 {
		r.Parameters[parameters[i]] = parameters[i+1]
	}
	return r
}

// withHistory gives a request what is recorded of its address. The key of an undo is k.
func withHistory(req action.Request, entries ...history.Entry) action.Request {
	past := &action.Past{Key: "k"}
	var all []action.Recorded
	for i, e := range entries {
		e.Seq = int64(i + 1)
		r := action.Recorded{Entry: e, Resource: "vpc-1/" + req.Target["address"], Attribute: attribute}
		all = append(all, r)
		if e.Key == past.Key && e.State != history.Withdrawn {
			past.Own = append(past.Own, r)
		}
	}
	past.History = func(resource, attribute string) ([]action.Recorded, error) {
		return slices.DeleteFunc(slices.Clone(all), func(r action.Recorded) bool {
			return r.Resource != resource || r.Attribute != attribute
		}), nil
	}
	req.Past = past
	return req
}

// undo makes a request one of the key k:undo.
func undo(req action.Request) action.Request {
	req.Undoes = true
	return req
}

// TestIPv6Plan: an IPv6 address that is taken stops half-way; one that is free needs no stop.
func TestIPv6Plan(t *testing.T) {
	for _, c := range []struct {
		name          string
		plan          action.PlanFunc
		req           action.Request
		from, to, via string
		call          string
	}{
		{"free", action.PlanWith(planAssign), ask(free), unassigned, mine, "", callAssignIPv6},
		{"free, and might be taken", action.PlanWith(planAssign), ask(free, "allowReassignment", "true"),
			unassigned, mine, unassigned, callAssignIPv6},
		{"taken", action.PlanWith(planAssign), ask(held, "allowReassignment", "true"), other, mine,
			unassigned, callAssignIPv6},
		{"let go", action.PlanWith(planUnassign), ask(free), unassigned, unassigned, "",
			callUnassignIPv6},
		{"given back", action.PlanWith(planUnassign), undo(withHistory(ask(free, "priorHolder", other),
			history.Entry{Key: "k", From: other, To: mine, Via: unassigned, State: history.Pending})),
			unassigned, other, unassigned, callAssignIPv6},
		{"IPv4 is moved in one call", action.PlanWith(planAssign),
			ask("10.0.0.99", "allowReassignment", "true"), unassigned, mine, "", callAssign},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := c.plan(t.Context(), &vpc{}, c.req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if tr.From != c.from || tr.To != c.to || tr.Via != c.via || tr.Call != c.call {
				t.Errorf("%s from %q to %q via %q, want %s from %q to %q via %q", tr.Call, tr.From, tr.To,
					tr.Via, c.call, c.from, c.to, c.via)
			}
		})
	}
}

// TestIPv6Move: the calls of each step. An address is let go for another only when EC2 refuses that
// one nothing but a held address, and a refusal half-way is no refusal of the whole.
func TestIPv6Move(t *testing.T) {
	const offer, letGo = "assign6 " + held + " " + mine, "unassign6 " + held + " " + other
	isHeld := protocol.Refuse(protocol.Conflict, "EC2 says: assigned, but move is not allowed")
	noRoom := protocol.Refuse(protocol.LimitExceeded, "EC2 says PrivateIpAddressLimitExceeded")
	lost := &action.Unknown{Cause: protocol.Refuse(protocol.Unavailable, "no answer")}
	for _, c := range []struct {
		name           string
		from, to, goal string
		// answers are what the calls say, in order; without one they succeed.
		answers []error
		want    []string
		// ends is empty, refused or unknown.
		ends string
	}{
		{"to nobody", other, unassigned, unassigned, nil, []string{letGo}, ""},
		{"from nobody", unassigned, mine, mine, nil, []string{offer}, ""},
		{"refused from nobody", unassigned, mine, mine, []error{noRoom}, []string{offer}, "refused"},
		{"let go for another", other, unassigned, mine, []error{isHeld}, []string{offer, letGo}, ""},
		{"refused for another reason", other, unassigned, mine, []error{noRoom}, []string{offer},
			"refused"},
		{"its holder keeps it", other, unassigned, mine, []error{isHeld, noRoom},
			[]string{offer, letGo}, "refused"},
		{"its holder had let it go", other, unassigned, mine, nil,
			[]string{offer, "unassign6 " + held + " " + mine}, ""},
		{"its holder had let it go, and it stays", other, unassigned, mine, []error{nil, noRoom},
			[]string{offer, "unassign6 " + held + " " + mine}, "unknown"},
		{"the answer is lost, and it is not sent again", other, unassigned, mine, []error{lost},
			[]string{offer}, "unknown"},
		{"in one go", other, mine, unassigned, []error{isHeld}, []string{offer, letGo, offer}, ""},
		{"refused half-way", other, mine, unassigned, []error{isHeld, nil, noRoom},
			[]string{offer, letGo, offer}, "unknown"},
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

// TestIPv6IsNotTakenAfterTheLease: what EC2 is asked first takes its time, and changes nothing.
// Over then, the lease leaves the address with its holder.
func TestIPv6IsNotTakenAfterTheLease(t *testing.T) {
	isHeld := protocol.Refuse(protocol.Conflict, "EC2 says: assigned, but move is not allowed")
	for until, want := range map[time.Time]int{time.Now(): 1, time.Now().Add(time.Hour): 2} {
		v := &vpc{answers: []error{isHeld}}
		err := address{r: v, ip: held}.moveIPv6(action.WithLease(t.Context(), until), v, other,
			unassigned, mine)
		var refused *protocol.Failure
		if errors.As(err, &refused) != (want == 1) || want == 1 && refused.Class != protocol.Denied {
			t.Errorf("a lease until %v ends in %v", until, err)
		}
		if len(v.calls) != want {
			t.Errorf("a lease until %v makes the calls %v, want %d", until, v.calls, want)
		}
	}
}

// TestIPv6IsNotTakenForNothing: an interface whose subnet can't have the address is refused before
// its holder loses it, on the way there and back.
func TestIPv6IsNotTakenForNothing(t *testing.T) {
	far := ec2model.NetworkInterface{ID: "eni-00000000000000003", VPCID: "vpc-1", SubnetID: "subnet-2",
		Primary: "10.0.2.10"}
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
		if !errors.As(err, &f) || f.Class != protocol.InvalidRequest ||
			!strings.Contains(f.Message, "no IPv6 block") {
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

// TestNobodyIsDriftUnlessOnItsWay: what nobody has is given back only where the action's record
// tells that a move of ours may have stopped there.
func TestNobodyIsDriftUnlessOnItsWay(t *testing.T) {
	const third = "eni-00000000000000003"
	for _, c := range []struct {
		name, address string
		entries       []history.Entry
		class         protocol.FailureClass
	}{
		{"on its way", free, []history.Entry{
			{Key: "k", From: other, To: mine, Via: unassigned, State: history.Pending}}, ""},
		{"its undo was on its way", free, []history.Entry{
			{Key: "k", From: other, To: mine, Via: unassigned, State: history.Undoing,
				Undone: 2, Aim: other}}, ""},
		{"no record", free, nil, protocol.Drift},
		{"it had come there, and somebody let it go since", free, []history.Entry{
			{Key: "k", From: other, To: mine, Via: unassigned, State: history.Live}}, protocol.Drift},
		{"recorded of another move", free, []history.Entry{
			{Key: "k", From: third, To: mine, Via: unassigned, State: history.Pending}}, protocol.Conflict},
		{"IPv4 is nobody's on no way", "10.0.0.99", []history.Entry{
			{Key: "k", From: other, To: mine, State: history.Pending}}, protocol.Drift},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := undo(withHistory(ask(c.address, "priorHolder", other), c.entries...))
			p, err := action.PlanWith(planUnassign)(t.Context(), &vpc{}, req)
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil && f.Class != c.class {
				t.Fatalf("%v, want %q", err, c.class)
			}
			if err == nil && (p.Transitions[0].From != unassigned || p.Transitions[0].To != other) {
				t.Errorf("%+v", p.Transitions)
			}
		})
	}
}

// TestLeftHalfWay: what nobody has was somebody's before only where another action may have
// stopped on its way.
func TestLeftHalfWay(t *testing.T) {
	const third = "eni-00000000000000003"
	onItsWay := history.Entry{Key: "x", From: other, To: third, Via: unassigned,
		State: history.Pending}
	come, undone, noWay := onItsWay, onItsWay, onItsWay
	come.State, undone.State, noWay.Via = history.Live, history.Withdrawn, ""
	for _, c := range []struct {
		name    string
		entries []history.Entry
		take    string
		holder  string
	}{
		{"on its way", []history.Entry{onItsWay}, "true", other},
		{"it had come there, and somebody let it go since", []history.Entry{come}, "true", ""},
		{"its undo took away what it led to", []history.Entry{undone}, "true", ""},
		{"it had no way by nobody", []history.Entry{noWay}, "true", ""},
		{"nothing is to be taken", []history.Entry{onItsWay}, "false", ""},
		{"the one that is on its way counts", []history.Entry{
			{Key: "y", From: third, To: mine, Via: unassigned, State: history.Live}, onItsWay},
			"true", other},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := withHistory(ask(free, "allowReassignment", c.take), c.entries...)
			p, err := action.PlanWith(planAssign)(t.Context(), &vpc{}, req)
			if err != nil {
				t.Fatal(err)
			}
			facts := p.Facts(p.Transitions, p.Seen)
			if facts[factPriorHolder] != c.holder || facts[factPriorAssigned] != "false" {
				t.Errorf("%v, want the prior holder %q", facts, c.holder)
			}
			if told := strings.Contains(p.Words.Did, "taken from"); told != (c.holder != "") {
				t.Errorf("%s", p.Words.Did)
			}
			if tr := p.Transitions[0]; tr.From != unassigned || tr.To != mine {
				t.Errorf("from %q to %q", tr.From, tr.To)
			}
		})
	}
}

// TestFirstPriorFactsWin: a retry tells what its first attempt told, whatever was recorded since.
func TestFirstPriorFactsWin(t *testing.T) {
	first := map[string]string{factPriorAssigned: "false", factPriorHolder: other}
	for _, c := range []struct {
		name    string
		holder  string
		entries []history.Entry
		want    map[string]string
	}{
		{"made", mine, []history.Entry{
			{Key: "k", From: other, To: mine, State: history.Pending}}, first},
		{"found so by another since", mine, []history.Entry{
			{Key: "k", From: other, To: mine, State: history.Pending},
			{Key: "x", From: mine, To: mine, State: history.Live}}, first},
		{"not made", other, []history.Entry{
			{Key: "k", From: other, To: mine, State: history.Pending}}, first},
		{"a stranger's doing", mine, []history.Entry{
			{Key: "k", From: other, To: mine, State: history.Live},
			{Key: "x", From: mine, To: other, State: history.Live}},
			map[string]string{factPriorAssigned: "true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := withHistory(ask(ours, "allowReassignment", "true"), c.entries...)
			for i := range req.Past.Own {
				req.Past.Own[i].Facts = first
			}
			p, err := action.PlanWith(planAssign)(t.Context(), &vpc{holder: c.holder}, req)
			if err != nil {
				t.Fatal(err)
			}
			facts := p.Facts(p.Transitions, p.Seen)
			delete(facts, factAssigned)
			delete(facts, "currentSecondaryIps")
			if diff := cmp.Diff(c.want, facts); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDelegatedBlocks: an address in a block that is an interface's whole neither comes nor goes
// alone.
func TestDelegatedBlocks(t *testing.T) {
	block := ec2model.NetworkInterface{
		ID: "eni-00000000000000004", VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.12",
		Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.32/28"),
			netip.MustParsePrefix("2001:db8:0:0:a::/80")},
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
		}{"assigned": {action.PlanWith(planAssign), own}, "let go": {action.PlanWith(planUnassign), own},
			"undone": {action.PlanWith(planUnassign), undo}} {
			_, err := c.plan(t.Context(), v, c.req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != protocol.InvalidRequest ||
				!strings.Contains(f.Message, "delegated to "+block.ID) {
				t.Errorf("%s, %s: %v", address, name, err)
			}
		}
		for _, take := range []string{"false", "true"} {
			p, err := action.PlanWith(planAssign)(t.Context(), v, ask(address, "allowReassignment", take))
			if err != nil {
				t.Fatal(err)
			}
			var f *protocol.Failure
			if _, err := p.Foresee(t.Context()); !errors.As(err, &f) || f.Class != protocol.Conflict ||
				f.Facts["holder"] != block.ID {
				t.Errorf("%s, assigned elsewhere: %v", address, err)
			}
		}
	}
}

// TestPriorHolderThatIsGone holds nothing: the address is read to be gone from the interface all
// the same. The interface that is to get an address must be there.
func TestPriorHolderThatIsGone(t *testing.T) {
	const gone = "eni-0000000000000dead"
	for address, want := range map[string]string{free: unassigned, held: other} {
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

// TestIPv6Refusals: one address is not the beginning of another, and what an interface can't lose
// is not taken from it.
func TestIPv6Refusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		plan  action.PlanFunc
		req   action.Request
		class protocol.FailureClass
	}{
		{"its own primary", action.PlanWith(planAssign), ask(first), protocol.InvalidRequest},
		{"its own primary, let go", action.PlanWith(planUnassign), ask(first), protocol.InvalidRequest},
		{"another's, expected elsewhere", action.PlanWith(planAssign),
			ask(held, "allowReassignment", "true", "expectedHolderRef", mine), protocol.Conflict},
	} {
		_, err := c.plan(t.Context(), &vpc{}, c.req)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != c.class {
			t.Errorf("%s: %v, want %s", c.name, err, c.class)
		}
	}
	p, err := action.PlanWith(planAssign)(t.Context(), &vpc{},
		ask("2001:db8::1:90", "allowReassignment", "true"))
	if err != nil || p.Transitions[0].From != unassigned {
		t.Errorf("the beginning of another: %v", err)
	}
	for address, want := range map[string]protocol.FailureClass{
		"2001:db8::3": protocol.InvalidRequest, "2001:db8::ffff:ffff:ffff:ffff": protocol.InvalidRequest,
		"2001:db8:0:1::9": protocol.InvalidRequest,
		held:              protocol.Conflict, free: "", "2001:db8::4": "",
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
