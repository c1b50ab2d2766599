package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// cloud is what there is to read, and which reading fails.
type cloud struct {
	interfaces []ec2model.Interface
	table      ec2model.RouteTable
	// instances are all that EC2 shows, on top of a running one for each that an interface is on.
	instances map[string]ec2model.InstanceSummary
	// unseen are instances that it does not show.
	unseen   []string
	instance string
	// fails is the number of the reading that fails, from 1.
	fails, readings int
	// failure is what the failing reading ends with.
	failure error
	// edit changes what a reading of interfaces shows, given its number among them.
	edit    func(n int, shown []ec2model.Interface) []ec2model.Interface
	queries int
	// instanceQueries are those for instances.
	instanceQueries []ec2model.InstanceQuery
	// noSubnets refuses this identity to describe subnets, and own are subnets with a table of their
	// own.
	noSubnets bool
	own       []string
}

var (
	errRefused = &protocol.Failure{
		Class:   protocol.Authorization,
		Message: "cannot read: EC2 says UnauthorizedOperation",
	}
	errBroken = &protocol.Failure{
		Class:   protocol.Unavailable,
		Message: "cannot read: EC2 gave no answer",
	}
)

func (c *cloud) reading() error {
	if c.readings++; c.readings == c.fails {
		return c.failure
	}
	return nil
}

func (c *cloud) InstanceID(context.Context) (string, error) {
	if c.instance == "" {
		return "", errors.New("no\nanswer")
	}
	return c.instance, c.reading()
}

func (c *cloud) EachInterface(
	_ context.Context,
	_ string,
	q ec2model.InterfaceQuery,
	each func(ec2model.Interface),
) error {
	if q.VPCID+q.SubnetID+q.InstanceID == "" && len(q.IDs) == 0 {
		return errors.New("the whole region is read")
	}
	var shown []ec2model.Interface
	for _, n := range c.interfaces {
		if (q.VPCID == "" || q.VPCID == n.VPCID) && (q.SubnetID == "" || q.SubnetID == n.SubnetID) &&
			(q.InstanceID == "" || q.InstanceID == n.InstanceID) &&
			(len(q.IDs) == 0 || slices.Contains(q.IDs, n.ID)) {
			shown = append(shown, n)
		}
	}
	if c.queries++; c.edit != nil {
		shown = c.edit(c.queries, shown)
	}
	for _, n := range shown {
		each(n)
	}
	return c.reading()
}

func (c *cloud) EachInstance(
	_ context.Context, _ string, q ec2model.InstanceQuery, each func(ec2model.InstanceSummary),
) error {
	if q.VPCID+q.SubnetID == "" && len(q.IDs) == 0 {
		return errors.New("the whole region is read")
	}
	for _, n := range c.interfaces {
		if n.InstanceID == "" || slices.Contains(c.unseen, n.InstanceID) ||
			q.VPCID != "" && q.VPCID != n.VPCID || q.SubnetID != "" && q.SubnetID != n.SubnetID ||
			len(q.IDs) > 0 && !slices.Contains(q.IDs, n.InstanceID) {
			continue
		}
		i, known := c.instances[n.InstanceID]
		if !known {
			i.State = "running"
		}
		i.ID = n.InstanceID
		each(i)
	}
	c.instanceQueries = append(c.instanceQueries, q)
	return c.reading()
}

func (c *cloud) DescribeSubnet(_ context.Context, id string) (ec2model.Subnet, error) {
	if c.noSubnets {
		return ec2model.Subnet{}, errRefused
	}
	vpc := map[string]string{"subnet-empty": "vpc-1", "subnet-b": "vpc-1", "subnet-far": "vpc-2"}[id]
	if vpc == "" {
		return ec2model.Subnet{}, protocol.Refuse(protocol.NotFound, "%s does not exist", id)
	}
	return ec2model.Subnet{ID: id, VPCID: vpc}, c.reading()
}

func (c *cloud) DescribeRouteTable(_ context.Context, id string) (ec2model.RouteTable, error) {
	t := c.table
	t.ID, t.Routes = id, slices.Clone(t.Routes)
	return t, c.reading()
}

func (c *cloud) DescribeRouteTableOf(
	ctx context.Context,
	vpc, subnet string,
) (ec2model.RouteTable, error) {
	if vpc == "" && !slices.Contains(c.own, subnet) {
		return ec2model.RouteTable{}, protocol.Refuse(protocol.NotFound, "%s has none", subnet)
	}
	return c.DescribeRouteTable(ctx, "rtb-of-"+subnet+"-in-"+vpc)
}

func nic(
	id, subnet, instance string,
	index int,
	primary string,
	more ...string,
) ec2model.Interface {
	n := ec2model.Interface{
		NetworkInterface: ec2model.NetworkInterface{
			ID:       id,
			SubnetID: subnet,
			VPCID:    "vpc-1",
			Primary:  primary,
		},
		InstanceID:  instance,
		DeviceIndex: index,
		Tags:        []ec2model.Tag{{Key: "Name", Value: id}},
	}
	for _, a := range more {
		if strings.Contains(a, ":") {
			n.IPv6 = append(n.IPv6, a)
		} else {
			n.Secondary = append(n.Secondary, a)
		}
	}
	return n
}

// newCloud has a node of two interfaces, another node that is stopped, a spare and a service's.
func newCloud() *cloud {
	managed := nic("eni-5", "subnet-b", "", 0, "10.0.2.50")
	managed.RequesterManaged, managed.Service = true, true
	route := func(to, target string) ec2model.Route {
		return ec2model.Route{
			Destination: netip.MustParsePrefix(to),
			Target:      target,
			Own:         target == ec2model.Local,
			Static:      target != ec2model.Local,
		}
	}
	return &cloud{
		instance: "i-1",
		interfaces: []ec2model.Interface{
			nic("eni-2", "subnet-b", "i-1", 1, "10.0.2.10"),
			nic("eni-1", "subnet-a", "i-1", 0, "10.0.1.10", "10.0.1.100", "10.0.1.9", "2001:db8::10"),
			nic("eni-3", "subnet-a", "i-2", 0, "10.0.1.1", "10.0.1.101"),
			nic("eni-4", "subnet-a", "", 0, "10.0.1.40"),
			managed,
			{
				NetworkInterface: ec2model.NetworkInterface{
					ID:       "eni-6",
					SubnetID: "subnet-far",
					VPCID:    "vpc-2",
					Primary:  "10.0.1.10",
				},
			},
		},
		instances: map[string]ec2model.InstanceSummary{"i-2": {State: "stopped"}},
		table: ec2model.RouteTable{VPCID: "vpc-1", Routes: []ec2model.Route{
			route(
				"10.0.0.0/16",
				ec2model.Local,
			),
			route("10.99.0.9/32", "eni-1"),
			route("10.99.0.10/32", "eni-3"),
			route("0.0.0.0/0", "igw-1"),
			route("10.99.0.8/32", "eni-gone"),
			route("10.99.0.7/32", "eni-6"),
		}},
	}
}

// shown is an observation as short texts.
func shown(o *Observation) map[string][]string {
	m := map[string][]string{"self": {o.Self.ID}, "captured": o.Captured, "not read": o.NotRead}
	for _, a := range o.Addresses {
		text := strings.TrimSpace(a.text() + " " + a.Holder.ID + " " + a.Holder.State)
		m["local"] = append(m["local"], text)
		if a.InPrefix {
			m["ips"] = append(m["ips"], text)
		}
	}
	for _, r := range o.Routes {
		text := r.Destination.String() + " " + r.Target
		if r.Holder != nil {
			text += " " + r.Holder.State
		}
		m["routes"] = append(m["routes"], strings.TrimSpace(text))
	}
	if len(o.Routes) > 0 {
		m["table"] = []string{o.Table}
	}
	for k, v := range m {
		if len(v) == 0 {
			delete(m, k)
		}
	}
	return m
}

func TestObserve(t *testing.T) {
	captured := []string{"10.0.1.9", "10.0.1.100", "2001:db8::10"}
	inA := []string{
		"10.0.1.1 eni-3 stopped", "10.0.1.9 eni-1 running", "10.0.1.10 eni-1 running", "10.0.1.40 eni-4",
		"10.0.1.100 eni-1 running", "10.0.1.101 eni-3 stopped",
	}
	inB := []string{"10.0.2.10 eni-2 running", "10.0.2.50 eni-5"}
	v6 := []string{"2001:db8::10 eni-1 running"}
	inVPC := slices.Concat(inA, inB, v6)
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		name string
		req  Request
		want map[string][]string
	}{
		{"the node's VPC", Request{}, map[string][]string{
			"self": {"eni-1"}, "captured": captured, "ips": inVPC, "local": inVPC,
		}},
		{"a subnet chooses the node's interface there", Request{Subnet: "subnet-b"}, map[string][]string{
			"self": {"eni-2"}, "local": inB, "ips": inB,
		}},
		{"a prefix chooses the node's interface in it, and narrows ips alone",
			Request{Prefix: prefix("10.0.2.0/24")},
			map[string][]string{"self": {"eni-2"}, "local": inVPC, "ips": inB}},
		{"one address is not the beginning of another", Request{Prefix: prefix("10.0.1.10/32")},
			map[string][]string{"self": {"eni-1"}, "local": inVPC, "ips": inA[2:3]}},
		{"tags leave nothing out", Request{NIC: "eni-2", Tags: map[string]string{"Name": "eni-3"}},
			map[string][]string{"self": {"eni-2"}, "local": inVPC, "ips": inVPC}},
		{"by routes", Request{NIC: "eni-1", ByRoute: true, Prefix: prefix("10.99.0.0/16")},
			map[string][]string{
				"self": {"eni-1"}, "captured": {"10.99.0.9/32"}, "local": inVPC,
				"table": {"rtb-of-subnet-a-in-vpc-1"},
				"routes": {
					"10.99.0.7/32 eni-6", "10.99.0.8/32 eni-gone", "10.99.0.9/32 eni-1 running",
					"10.99.0.10/32 eni-3 stopped",
				},
			}},
		{"a node's interface that is on no instance", Request{NIC: "eni-4", Subnet: "subnet-b"},
			map[string][]string{"self": {"eni-4"}, "local": inB, "ips": inB}},
		{"by routes of a subnet in another VPC",
			Request{NIC: "eni-1", ByRoute: true, Subnet: "subnet-far", Prefix: prefix("10.99.0.9/32")},
			map[string][]string{
				"self": {"eni-1"}, "captured": {"10.99.0.9/32"}, "local": {"10.0.1.10 eni-6"},
				"table": {"rtb-of-subnet-far-in-vpc-2"}, "routes": {"10.99.0.9/32 eni-1 running"},
			}},
		{"by routes of an empty subnet",
			Request{NIC: "eni-1", ByRoute: true, Subnet: "subnet-empty", Prefix: prefix("10.99.0.9/32")},
			map[string][]string{
				"self": {"eni-1"}, "captured": {"10.99.0.9/32"}, "table": {"rtb-of-subnet-empty-in-vpc-1"},
				"routes": {"10.99.0.9/32 eni-1 running"},
			}},
		{"a named table", Request{Table: "rtb-1", Prefix: prefix("0.0.0.0/0"), Subnet: "subnet-empty"},
			map[string][]string{
				"self": {"eni-1"}, "captured": captured[:2], "table": {"rtb-1"},
				"routes": {
					"0.0.0.0/0 igw-1", "10.99.0.7/32 eni-6", "10.99.0.8/32 eni-gone",
					"10.99.0.9/32 eni-1 running", "10.99.0.10/32 eni-3 stopped",
				},
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := Observe(t.Context(), newCloud(), c.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shown(o)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatCouldNotBeReadFailsTheWhole: whichever reading fails, there is no observation. One that
// EC2 refuses to the role is named where a role may lack it.
func TestWhatCouldNotBeReadFailsTheWhole(t *testing.T) {
	for _, req := range []Request{
		{}, {NIC: "eni-1"}, {NIC: "eni-1", ByRoute: true, Subnet: "subnet-a"},
		{Table: "rtb-1", Subnet: "subnet-empty"},
	} {
		whole := newCloud()
		if _, err := Observe(t.Context(), whole, req); err != nil {
			t.Fatal(err)
		}
		for _, failure := range []error{errBroken, errRefused} {
			named := 0
			for n := range whole.readings {
				if failsOrNames(t, req, n+1, failure) {
					named++
				}
			}
			wantNamed := 0
			if req.Subnet == "subnet-empty" && failure == error(errRefused) {
				wantNamed = 1
			}
			if named != wantNamed {
				t.Errorf("%+v: %d readings may be lacking, want %d", req, named, wantNamed)
			}
		}
	}
}

// failsOrNames has one reading fail. It reports whether the observation names it as not read; else
// there must be none.
func failsOrNames(t *testing.T, req Request, reading int, failure error) (named bool) {
	t.Helper()
	c := newCloud()
	c.fails, c.failure = reading, failure
	o, err := Observe(t.Context(), c, req)
	if o != nil && failure == error(errRefused) && len(o.NotRead) == 1 {
		return true
	}
	// The metadata service's failure has its own words.
	var f *protocol.Failure
	own := errors.As(err, &f) && strings.Contains(f.Message, "metadata")
	if o != nil || !errors.Is(err, failure) && !own {
		t.Errorf("%+v, reading %d: %v, %v", req, reading, o, err)
	}
	return false
}

// TestAbsentIsNotEmpty: what is named and not there is no empty list.
func TestAbsentIsNotEmpty(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*cloud)
		req  Request
		says string
		want protocol.FailureClass
	}{
		{"an interface", nil, Request{NIC: "eni-7"}, "eni-7, the node's own interface: it does not exist",
			protocol.NotFound},
		{"a subnet", nil, Request{Subnet: "subnet-c"}, "subnet-c does not exist", protocol.NotFound},
		{"this instance", func(c *cloud) {
			c.instance = "i-7"
		}, Request{}, "EC2, asked twice, shows none of i-7", protocol.NotFound},
		{"the metadata service", func(c *cloud) {
			c.instance = ""
		}, Request{}, "(no answer); name the interface in selfNicRef", protocol.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := newCloud()
			if c.edit != nil {
				c.edit(world)
			}
			_, err := Observe(t.Context(), world, c.req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != c.want || !strings.Contains(f.Message, c.says) {
				t.Errorf("%v, want %s: …%s…", err, c.want, c.says)
			}
		})
	}
}

// TestResultIsJSON: the pieces make one document, the same each time, indented like any other.
func TestResultIsJSON(t *testing.T) {
	for _, req := range []Request{{}, {ByRoute: true},
		{Subnet: "subnet-empty", Prefix: netip.MustParsePrefix("192.0.2.0/24"), ByRoute: true}} {
		o, err := Observe(t.Context(), newCloud(), req)
		if err != nil {
			t.Fatal(err)
		}
		holdDocument(t, Result{Observation: o, ProviderRef: "<lab> & \"co\""})
	}
	holdDocument(t, Result{Failure: errRefused})
}

func holdDocument(t *testing.T, r Result) {
	t.Helper()
	var first, again, plain, compact bytes.Buffer
	if err := r.Write(&first); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(&again); err != nil || first.String() != again.String() {
		t.Errorf("another document the second time (%v)", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, first.Bytes(), "", "  "); err != nil {
		t.Fatalf("%v\n%s", err, first.String())
	}
	if diff := cmp.Diff(indented.String(), first.String()); diff != "" {
		t.Errorf("not indented as JSON is (-want +got):\n%s", diff)
	}
	if err := r.write(&plain, form{}); err != nil {
		t.Fatal(err)
	}
	err := json.Compact(&compact, first.Bytes())
	if err != nil || compact.String()+"\n" != plain.String() {
		t.Errorf("not compact (%v):\n%s\n%s", err, compact.String(), plain.String())
	}
}

// large is an observation of so many more interfaces.
func large(t *testing.T, n int) Result {
	t.Helper()
	o, err := Observe(t.Context(), newCloud(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		n := nic(fmt.Sprintf("eni-%017d", i), "subnet-a", "", 0, "10.0.3.1")
		o.Addresses = append(o.Addresses, Address{
			Address: netip.MustParsePrefix("10.0.3.1/32"), Primary: true, InPrefix: true,
			Holder: &Holder{Interface: &n, Type: SpareNIC, Tags: n.Tags},
		})
	}
	return Result{Observation: o}
}

// TestLargeResults: the first form that a core reads to the end, and none that it does not. In no
// form does a record lack what a core decides by.
func TestLargeResults(t *testing.T) {
	for _, c := range []struct {
		n           int
		lines, once bool
	}{{10, true, false}, {5000, false, false}, {14000, false, true}} {
		text, s := largeResult(t, c.n)
		if lines := strings.Count(text, "\n") > 1; lines != c.lines ||
			strings.Contains(s.Message, "read ips") != c.once {
			t.Errorf("%d: lines %t, %s", c.n, lines, s.Message)
		}
		if len(s.IPs) != 9+c.n {
			t.Errorf("%d: %d addresses", c.n, len(s.IPs))
		}
		for _, e := range s.IPs {
			if e["resourceType"] == nil || e["tags"] == nil || e["selected"] == nil {
				t.Fatalf("%d: %v", c.n, e)
			}
		}
		for _, list := range [][]map[string]any{s.ObservedCandidates, s.LocalIPs} {
			if c.once && list != nil || !c.once && cmp.Diff(s.IPs, list) != "" {
				t.Errorf("%d: another list of %d, beside %d", c.n, len(list), len(s.IPs))
			}
		}
	}
}

// TestTooLargeResults: what fits no form fails, and says what to ask for.
func TestTooLargeResults(t *testing.T) {
	text, s := largeResult(t, 30000)
	const want = "limit-exceeded: the result, of 30009 addresses and 0 routes, has more than the " +
		"4194304 bytes that a core reads; narrow it with subnetRef or prefix: subnet-a has 30007 of " +
		"them, subnet-b has 2 of them"
	if s.Error != want || s.Message != want || s.IPs != nil {
		t.Errorf("%s\nwant\n%s", s.Error, want)
	}
	if strings.Count(text, "\n") < 2 {
		t.Error("a failure is in one line")
	}
}

// TestHowToNarrow: by subnet where there are several, the largest first; else by prefix alone.
func TestHowToNarrow(t *testing.T) {
	for _, c := range []struct {
		subnets map[string]int
		want    string
	}{
		{map[string]int{"a": 5}, "narrow it with prefix: all of them are in a"},
		{map[string]int{"b": 5, "a": 5, "c": 9}, "narrow it with subnetRef or prefix: c has 9 of them," +
			" a has 5 of them, b has 5 of them"},
		{map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, "narrow it with subnetRef or prefix:" +
			" e has 5 of them, d has 4 of them, c has 3 of them, and there are 2 more subnets"},
	} {
		if got := narrower(c.subnets); got != c.want {
			t.Errorf("%v: %s", c.subnets, got)
		}
	}
}

// largeStatus is what a large result says.
type largeStatus struct {
	Status, Message, Error            string
	IPs, ObservedCandidates, LocalIPs []map[string]any
}

func largeResult(t *testing.T, n int) (string, largeStatus) {
	t.Helper()
	var out bytes.Buffer
	if err := plugin.Write(&out, large(t, n)); err != nil || out.Len() > protocol.MaxResultBytes {
		t.Errorf("%d: %d bytes, %v", n, out.Len(), err)
	}
	var result struct{ Status largeStatus }
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	return out.String(), result.Status
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestResultThatCannotBeWritten(t *testing.T) {
	if err := (Result{Failure: errRefused}).Write(fullDisk{}); err == nil {
		t.Error("no error")
	}
}

// TestDelegatedBlocksAreTold: a block that prefix touches is in the lists, and is neither captured
// nor to be had.
func TestDelegatedBlocksAreTold(t *testing.T) {
	c := newCloud()
	c.interfaces[1].Prefixes = []netip.Prefix{netip.MustParsePrefix("10.0.1.16/28")}
	c.interfaces[2].Prefixes = []netip.Prefix{
		netip.MustParsePrefix("10.0.1.32/28"),
		netip.MustParsePrefix("2001:db8:0:0:a::/80"),
	}
	for prefix, want := range map[string]map[string][]string{
		"10.0.1.35/32": {"self": {"eni-1"}, "ips": {"10.0.1.32/28 eni-3 stopped"}},
		"10.0.1.20/30": {"self": {"eni-1"}, "ips": {"10.0.1.16/28 eni-1 running"}},
		"2001:db8::/64": {"self": {"eni-1"}, "captured": {"2001:db8::10"},
			"ips": {"2001:db8::10 eni-1 running", "2001:db8:0:0:a::/80 eni-3 stopped"}},
	} {
		o, err := Observe(t.Context(), c, Request{Prefix: netip.MustParsePrefix(prefix)})
		if err != nil {
			t.Fatal(err)
		}
		got := shown(o)
		delete(got, "local")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", prefix, diff)
		}
	}
	o, err := Observe(t.Context(), c, Request{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.1.10", "10.0.1.100", "10.0.1.9", "2001:db8::10"}
	if diff := cmp.Diff(want, selfOf(o).PrivateIPs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRoutesOfEveryKind: the VPC's own that leads to an interface is a capture, a propagated one
// is none, and one to a prefix list is told as not resolved.
func TestRoutesOfEveryKind(t *testing.T) {
	c := newCloud()
	to := netip.MustParsePrefix
	c.table.Routes = []ec2model.Route{
		{Destination: to("10.0.0.0/16"), Target: "eni-1", Own: true},
		{Destination: to("2001:db8::/56"), Target: ec2model.Local, Own: true},
		{Destination: to("10.99.0.5/32"), Target: "eni-1"},
	}
	c.table.ToLists = []ec2model.ListRoute{
		{List: "pl-1", Target: "vpce-1"},
		{List: "pl-2", Target: "eni-1"},
	}
	o, err := Observe(t.Context(), c, Request{NIC: "eni-1", ByRoute: true})
	if err != nil {
		t.Fatal(err)
	}
	got := shown(o)
	want := map[string][]string{
		"captured": {"10.0.0.0/16"},
		"routes":   {"10.0.0.0/16 eni-1 running", "10.99.0.5/32 eni-1 running"},
	}
	for list := range want {
		if diff := cmp.Diff(want[list], got[list]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", list, diff)
		}
	}
	var out bytes.Buffer
	if err := (Result{Observation: o}).Write(&out); err != nil {
		t.Fatal(err)
	}
	var result struct {
		Status struct {
			Message                  string
			Routes, UnresolvedRoutes []routeEntry
		}
	}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	s := result.Status
	if !s.Routes[1].Propagated || s.Routes[0].Propagated ||
		!strings.Contains(s.Message, "2 more to prefix lists") {
		t.Errorf("%+v", s)
	}
	lists := []routeEntry{
		{PrefixListRef: "pl-1", RouteTableRef: o.Table, NextHopRef: "vpce-1"},
		{PrefixListRef: "pl-2", RouteTableRef: o.Table, NextHopRef: "eni-1", NextHopNICRef: "eni-1"},
	}
	if diff := cmp.Diff(lists, s.UnresolvedRoutes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestContradictions: readings that can't all be so are made again, and believed only when they
// agree.
func TestContradictions(t *testing.T) {
	moved := func(shown []ec2model.Interface) []ec2model.Interface {
		// Read on one page, the address moves to an interface on the next, and the first is there once
		// more.
		before, after := nic(
			"eni-7",
			"subnet-a",
			"",
			0,
			"10.0.1.70",
			"10.0.1.77",
		), nic(
			"eni-7",
			"subnet-a",
			"",
			0,
			"10.0.1.70",
		)
		return append(
			append([]ec2model.Interface{before}, shown...),
			nic("eni-8", "subnet-a", "", 0, "10.0.1.80", "10.0.1.77"),
			after,
		)
	}
	twice := func(shown []ec2model.Interface) []ec2model.Interface {
		return append(shown, nic("eni-8", "subnet-a", "", 0, "10.0.1.80", "10.0.1.40"))
	}
	nothing := func([]ec2model.Interface) []ec2model.Interface { return nil }
	for _, c := range []struct {
		name   string
		edit   func([]ec2model.Interface) []ec2model.Interface
		req    Request
		says   string
		always bool
	}{
		{"the later reading of one counts", moved, Request{}, "", true},
		{"an address on two, once", twice, Request{}, "", false},
		{"an address on two", twice, Request{}, "10.0.1.40 on both eni-4 and eni-8", true},
		{"nothing where the node is, once", nothing, Request{}, "", false},
		{"nothing where the node is", nothing, Request{},
			"by itself, and not among the interfaces of vpc-1", true},
		{"nothing where the named interface is", nothing, Request{NIC: "eni-1"}, "eni-1 by itself", true},
		{"nothing in its subnet", nothing, Request{Subnet: "subnet-a"},
			"and not among the interfaces of subnet-a", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := newCloud()
			const scope = 2
			world.edit = func(n int, shown []ec2model.Interface) []ec2model.Interface {
				// The last of each time is the scope.
				if n == scope || c.always && n%scope == 0 {
					return c.edit(shown)
				}
				return shown
			}
			o, err := Observe(t.Context(), world, c.req)
			var f *protocol.Failure
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" &&
				(o != nil || !errors.As(err, &f) || f.Class != protocol.Unavailable ||
					!strings.Contains(f.Message, c.says)):
				t.Errorf("%v, want unavailable: …%s…", err, c.says)
			}
			if c.name == "the later reading of one counts" &&
				!slices.Contains(shown(o)["ips"], "10.0.1.77 eni-8") {
				t.Errorf("%v", shown(o)["ips"])
			}
		})
	}
}

// crowded is a cloud with so many more interfaces.
func crowded(n int) *cloud {
	c := newCloud()
	for i := range n {
		c.interfaces = append(c.interfaces,
			nic(fmt.Sprintf("eni-x%d", i), "subnet-a", "", 0, fmt.Sprintf("10.1.%d.%d", i/250, i%250)))
	}
	return c
}

// observeAndWrite observes a cloud by its routes, and writes the result.
func observeAndWrite(tb testing.TB, c *cloud) {
	o, err := Observe(tb.Context(), c, Request{ByRoute: true})
	if err == nil {
		err = Result{Observation: o}.Write(io.Discard)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// TestAllocationsAreLinear: four times as many interfaces take no more than four times the
// allocations, to observe and to write.
func TestAllocationsAreLinear(t *testing.T) {
	allocations := func(n int) float64 {
		c := crowded(n)
		return testing.AllocsPerRun(1, func() { observeAndWrite(t, c) })
	}
	small, large := allocations(1000), allocations(4000)
	if large > 4*small {
		t.Errorf("%.0f allocations for 1000, %.0f for 4000", small, large)
	}
}

// BenchmarkObserveAndWrite observes clouds that cost nothing to read.
func BenchmarkObserveAndWrite(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		c := crowded(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				observeAndWrite(b, c)
			}
		})
	}
}

// TestSelfIsAsReadLast: what the node's interface lost since it was read first is not told to be
// captured.
func TestSelfIsAsReadLast(t *testing.T) {
	c := newCloud()
	c.edit = func(n int, shown []ec2model.Interface) []ec2model.Interface {
		if n == 1 {
			return []ec2model.Interface{nic("eni-1", "subnet-a", "i-1", 0, "10.0.1.10", "10.0.1.66")}
		}
		return shown
	}
	o, err := Observe(t.Context(), c, Request{NIC: "eni-1"})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(o.Captured, "10.0.1.66") || len(o.Captured) != 3 {
		t.Errorf("%v", o.Captured)
	}
}

// TestAnInstanceThatIsNotShown: what an interface is on is read, or the whole is failed.
func TestAnInstanceThatIsNotShown(t *testing.T) {
	c := newCloud()
	c.unseen = []string{"i-2"}
	o, err := Observe(t.Context(), c, Request{})
	var f *protocol.Failure
	if o != nil || !errors.As(err, &f) || f.Class != protocol.Unavailable ||
		!strings.Contains(f.Message, "on i-2,") {
		t.Errorf("%v, %v", o, err)
	}
}

// TestInstancesAreReadInFewCalls: few by their ids; many by where they are, and the rest by ids.
func TestInstancesAreReadInFewCalls(t *testing.T) {
	c := newCloud()
	if _, err := Observe(t.Context(), c, Request{}); err != nil {
		t.Fatal(err)
	}
	few := []ec2model.InstanceQuery{{IDs: []string{"i-1", "i-2"}}}
	if diff := cmp.Diff(few, c.instanceQueries); diff != "" {
		t.Errorf("few (-want +got):\n%s", diff)
	}
	far := nic("eni-far", "subnet-far", "i-far", 0, "10.2.0.4")
	far.VPCID = "vpc-2"
	c.interfaces = append(c.interfaces, far)
	c.table.Routes[4].Target = "eni-far"
	for i := range 300 {
		c.interfaces = append(
			c.interfaces,
			nic(
				fmt.Sprintf("eni-x%d", i),
				"subnet-a",
				fmt.Sprintf("i-x%d", i),
				0,
				fmt.Sprintf("10.0.%d.%d", 100+i/200, 1+i%200),
			),
		)
	}
	for subnet, first := range map[string]ec2model.InstanceQuery{"": {VPCID: "vpc-1"},
		"subnet-a": {SubnetID: "subnet-a"}} {
		c.instanceQueries = nil
		o, err := Observe(t.Context(), c, Request{Subnet: subnet, ByRoute: true})
		if err != nil {
			t.Fatal(err)
		}
		many := []ec2model.InstanceQuery{first, {IDs: []string{"i-far"}}}
		if diff := cmp.Diff(many, c.instanceQueries); diff != "" {
			t.Errorf("many (-want +got):\n%s", diff)
		}
		for _, r := range o.Routes {
			if r.Target == "eni-far" && r.Holder.State != "running" {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestAnotherAccountsInstance: in a shared VPC there are interfaces whose instances can't be read.
func TestAnotherAccountsInstance(t *testing.T) {
	c := newCloud()
	theirs := nic("eni-7", "subnet-a", "i-7", 0, "10.0.1.70")
	theirs.OwnerID = "210987654321"
	c.interfaces, c.unseen = append(c.interfaces, theirs), []string{"i-7"}
	o, err := Observe(t.Context(), c, Request{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range o.Addresses {
		if a.Holder.ID == "eni-7" && (a.Holder.Type != InstanceNIC || a.Holder.State != "") {
			t.Errorf("%+v", a.Holder)
		}
	}
	want := []string{"states and tags of the instances of 1 interfaces, which other accounts own"}
	if diff := cmp.Diff(want, o.NotRead); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWithoutDescribeSubnets: what a role may not read is named, and all else is told.
func TestWithoutDescribeSubnets(t *testing.T) {
	prefix := netip.MustParsePrefix("10.99.0.9/32")
	for _, c := range []struct {
		name string
		own  []string
		req  Request
		want map[string][]string
	}{
		{"an empty subnet", nil, Request{NIC: "eni-4", Subnet: "subnet-empty"}, map[string][]string{
			"self": {"eni-4"}, "not read": {
				"whether subnet-empty, which shows no interface, exists (ec2:DescribeSubnets is not allowed)"},
		}},
		{"the table of a subnet that shows an interface", nil,
			Request{NIC: "eni-1", Subnet: "subnet-far", ByRoute: true, Prefix: prefix}, map[string][]string{
				"self": {"eni-1"}, "local": {"10.0.1.10 eni-6"}, "captured": {"10.99.0.9/32"},
				"table": {"rtb-of-subnet-far-in-vpc-2"}, "routes": {"10.99.0.9/32 eni-1 running"},
			}},
		{"an empty subnet's own table", []string{"subnet-empty"},
			Request{NIC: "eni-1", Subnet: "subnet-empty", ByRoute: true, Prefix: prefix},
			map[string][]string{
				"self": {"eni-1"}, "captured": {"10.99.0.9/32"}, "table": {"rtb-of-subnet-empty-in-"},
				"routes": {"10.99.0.9/32 eni-1 running"},
				"not read": {
					"whether subnet-empty, which shows no interface, exists (ec2:DescribeSubnets is not allowed)"},
			}},
		{"an empty subnet's main table", nil,
			Request{NIC: "eni-1", Subnet: "subnet-empty", ByRoute: true, Prefix: prefix},
			map[string][]string{
				"self": {"eni-1"}, "not read": {
					"whether subnet-empty, which shows no interface, exists (ec2:DescribeSubnets is not allowed)",
					"the routes of subnet-empty, which uses the main table of a VPC that is not known " +
						"(ec2:DescribeSubnets is not allowed; name the table in routeTableRef)",
				},
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := newCloud()
			world.noSubnets, world.own = true, c.own
			o, err := Observe(t.Context(), world, c.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shown(o)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var out bytes.Buffer
			if err := (Result{Observation: o}).Write(&out); err != nil {
				t.Fatal(err)
			}
			var result struct {
				Status struct {
					Message string
					NotRead []string
					Self    map[string]any
					Routes  []any
				}
			}
			if err := json.Unmarshal(out.Bytes(), &result); err != nil {
				t.Fatal(err)
			}
			s := result.Status
			diff := cmp.Diff(c.want["not read"], s.NotRead)
			if diff != "" || len(s.NotRead) > 0 != strings.Contains(s.Message, "not read: ") {
				t.Errorf("%s (-want +got):\n%s", s.Message, diff)
			}
			// What was not read is not an empty list.
			wantCaptured := !c.req.ByRoute || c.want["captured"] != nil
			if (s.Self["capturedAddresses"] != nil) != wantCaptured ||
				(s.Routes != nil) != (c.want["routes"] != nil) {
				t.Errorf("%s", out.String())
			}
		})
	}
}

// TestANodeWithoutIPv4: its one IPv6 address is its own, whether EC2 marks it as primary or not.
func TestANodeWithoutIPv4(t *testing.T) {
	for _, marked := range []bool{false, true} {
		c := newCloud()
		only := nic("eni-1", "subnet-a", "i-1", 0, "", "2001:db8::10", "2001:db8::99")
		if marked {
			only.PrimaryIPv6 = "2001:db8::10"
		}
		c.interfaces = []ec2model.Interface{only, nic("eni-3", "subnet-a", "i-2", 0, "", "2001:db8::11")}
		o, err := Observe(t.Context(), c, Request{})
		if err != nil {
			t.Fatal(err)
		}
		var primary []string
		for _, a := range o.Addresses {
			if a.Primary {
				primary = append(primary, a.text())
			}
		}
		want := [][]string{
			{"2001:db8::10", "2001:db8::11"},
			{"2001:db8::99"},
			{"2001:db8::10", "2001:db8::99"},
		}
		if diff := cmp.Diff(want, [][]string{primary, o.Captured, selfOf(o).PrivateIPs}); diff != "" {
			t.Errorf("marked %t (-want +got):\n%s", marked, diff)
		}
	}
}
