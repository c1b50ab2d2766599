package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// cloud is what there is to read, and which reading fails.
type cloud struct {
	interfaces []ec2model.Interface
	table      ec2model.RouteTable
	notRunning map[string]string
	instance   string
	// fails is the number of the reading that fails, from 1.
	fails, readings int
}

var errRefused = &protocol.Failure{Class: protocol.Authorization, Message: "cannot read: EC2 says UnauthorizedOperation"}

func (c *cloud) reading() error {
	if c.readings++; c.readings == c.fails {
		return errRefused
	}
	return nil
}

func (c *cloud) InstanceID(context.Context) (string, error) {
	if c.instance == "" {
		return "", errors.New("no\nanswer")
	}
	return c.instance, c.reading()
}

func (c *cloud) EachInterface(_ context.Context, _ string, q ec2model.InterfaceQuery, each func(ec2model.Interface)) error {
	for _, n := range c.interfaces {
		if (q.VPCID == "" || q.VPCID == n.VPCID) && (q.SubnetID == "" || q.SubnetID == n.SubnetID) &&
			(q.InstanceID == "" || q.InstanceID == n.InstanceID) && (len(q.IDs) == 0 || slices.Contains(q.IDs, n.ID)) {
			each(n)
		}
	}
	return c.reading()
}

func (c *cloud) EachNotRunning(_ context.Context, each func(string, string)) error {
	for instance, state := range c.notRunning {
		each(instance, state)
	}
	return c.reading()
}

func (c *cloud) DescribeSubnet(_ context.Context, id string) (ec2model.Subnet, error) {
	if id != "subnet-empty" {
		return ec2model.Subnet{}, action.Refuse(protocol.NotFound, "%s does not exist", id)
	}
	return ec2model.Subnet{ID: id}, c.reading()
}

func (c *cloud) DescribeRouteTable(_ context.Context, id string) (ec2model.RouteTable, error) {
	t := c.table
	t.ID, t.Routes = id, slices.Clone(t.Routes)
	return t, c.reading()
}

func (c *cloud) DescribeRouteTableOf(ctx context.Context, vpc, subnet string) (ec2model.RouteTable, error) {
	return c.DescribeRouteTable(ctx, "rtb-of-"+subnet)
}

func nic(id, subnet, instance string, index int, primary string, more ...string) ec2model.Interface {
	n := ec2model.Interface{
		NetworkInterface: ec2model.NetworkInterface{ID: id, SubnetID: subnet, VPCID: "vpc-1", Primary: primary},
		Type:             "interface", InstanceID: instance, DeviceIndex: index, Tags: []ec2model.Tag{{Key: "Name", Value: id}},
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
	managed.RequesterManaged, managed.Type = true, "network_load_balancer"
	route := func(to, target string) ec2model.Route {
		return ec2model.Route{Destination: netip.MustParsePrefix(to), Target: target, Own: target == ec2model.Local, Static: target != ec2model.Local}
	}
	return &cloud{
		instance: "i-1",
		interfaces: []ec2model.Interface{
			nic("eni-2", "subnet-b", "i-1", 1, "10.0.2.10"),
			nic("eni-1", "subnet-a", "i-1", 0, "10.0.1.10", "10.0.1.100", "10.0.1.9", "2001:db8::10"),
			nic("eni-3", "subnet-a", "i-2", 0, "10.0.1.1", "10.0.1.101"),
			nic("eni-4", "subnet-a", "", 0, "10.0.1.40"),
			managed,
			{NetworkInterface: ec2model.NetworkInterface{ID: "eni-6", VPCID: "vpc-2", Primary: "10.0.1.10"}, Type: "interface"},
		},
		notRunning: map[string]string{"i-2": "stopped", "i-9": "terminated"},
		table: ec2model.RouteTable{VPCID: "vpc-1", Routes: []ec2model.Route{
			route("10.0.0.0/16", ec2model.Local), route("10.99.0.9/32", "eni-1"), route("10.99.0.10/32", "eni-3"), route("0.0.0.0/0", "igw-1"),
			route("10.99.0.8/32", "eni-gone"), route("10.99.0.7/32", "eni-6"),
		}},
	}
}

// shown is an observation as short texts.
func shown(o *Observation) map[string][]string {
	m := map[string][]string{"self": {o.Self.ID}, "captured": o.Captured}
	for _, a := range o.Addresses {
		text := strings.TrimSpace(a.Address + " " + a.Interface.ID + " " + a.State)
		for list, in := range map[string]bool{"ips": a.Observed, "candidates": a.Candidate(), "local": a.Local} {
			if in {
				m[list] = append(m[list], text)
			}
		}
	}
	for _, r := range o.Routes {
		m["routes"] = append(m["routes"], strings.TrimSpace(r.Destination.String()+" "+r.Target+" "+r.State))
	}
	for k, v := range m {
		if len(v) == 0 {
			delete(m, k)
		}
	}
	return m
}

func TestObserve(t *testing.T) {
	others := []string{"10.0.1.1 eni-3 stopped", "10.0.1.40 eni-4", "10.0.1.101 eni-3 stopped"}
	local := []string{"10.0.1.9 eni-1 running", "10.0.1.10 eni-1 running", "10.0.1.100 eni-1 running", "10.0.2.10 eni-2 running", "2001:db8::10 eni-1 running"}
	for _, c := range []struct {
		name string
		req  Request
		want map[string][]string
	}{
		{"the node's VPC", Request{}, map[string][]string{
			"self": {"eni-1"}, "captured": {"10.0.1.9", "10.0.1.100", "2001:db8::10"}, "candidates": others, "local": local,
			"ips": {"10.0.1.1 eni-3 stopped", "10.0.1.9 eni-1 running", "10.0.1.10 eni-1 running", "10.0.1.40 eni-4", "10.0.1.100 eni-1 running", "10.0.1.101 eni-3 stopped",
				"10.0.2.10 eni-2 running", "10.0.2.50 eni-5", "2001:db8::10 eni-1 running"},
		}},
		{"a subnet chooses the node's interface there", Request{Subnet: "subnet-b"}, map[string][]string{
			"self": {"eni-2"}, "local": local, "ips": {"10.0.2.10 eni-2 running", "10.0.2.50 eni-5"},
		}},
		{"a prefix chooses the node's interface in it", Request{Prefix: netip.MustParsePrefix("10.0.2.0/24")}, map[string][]string{
			"self": {"eni-2"}, "local": {"10.0.2.10 eni-2 running"}, "ips": {"10.0.2.10 eni-2 running", "10.0.2.50 eni-5"},
		}},
		{"one address is not the beginning of another", Request{Prefix: netip.MustParsePrefix("10.0.1.10/32")}, map[string][]string{
			"self": {"eni-1"}, "local": {"10.0.1.10 eni-1 running"}, "ips": {"10.0.1.10 eni-1 running"},
		}},
		{"tags leave out others, and not what is local", Request{NIC: "eni-2", Tags: map[string]string{"Name": "eni-3"}}, map[string][]string{
			"self": {"eni-2"}, "local": local, "ips": {"10.0.1.1 eni-3 stopped", "10.0.1.101 eni-3 stopped"}, "candidates": {"10.0.1.1 eni-3 stopped", "10.0.1.101 eni-3 stopped"},
		}},
		{"a tag's value is not a pattern", Request{Tags: map[string]string{"Name": "eni-*"}}, map[string][]string{"self": {"eni-1"}, "captured": {"10.0.1.9", "10.0.1.100", "2001:db8::10"}, "local": local}},
		{"by routes", Request{NIC: "eni-1", ByRoute: true, Prefix: netip.MustParsePrefix("10.99.0.0/16")}, map[string][]string{
			"self": {"eni-1"}, "captured": {"10.99.0.9/32"},
			"routes": {"10.99.0.7/32 eni-6", "10.99.0.8/32 eni-gone", "10.99.0.9/32 eni-1 running", "10.99.0.10/32 eni-3 stopped"},
		}},
		{"a named table", Request{Table: "rtb-1", Prefix: netip.MustParsePrefix("0.0.0.0/0"), Subnet: "subnet-empty"}, map[string][]string{
			"self": {"eni-1"}, "captured": {"10.0.1.9", "10.0.1.100"}, "local": local[:4],
			"routes": {"0.0.0.0/0 igw-1", "10.99.0.7/32 eni-6", "10.99.0.8/32 eni-gone", "10.99.0.9/32 eni-1 running", "10.99.0.10/32 eni-3 stopped"},
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

// TestWhatCouldNotBeReadFailsTheWhole: whichever reading fails, there is no observation.
func TestWhatCouldNotBeReadFailsTheWhole(t *testing.T) {
	for _, req := range []Request{{}, {NIC: "eni-1"}, {NIC: "eni-1", ByRoute: true, Subnet: "subnet-a"}, {Table: "rtb-1", Subnet: "subnet-empty"}} {
		whole := newCloud()
		if _, err := Observe(t.Context(), whole, req); err != nil {
			t.Fatal(err)
		}
		for n := range whole.readings {
			c := newCloud()
			c.fails = n + 1
			o, err := Observe(t.Context(), c, req)
			if o != nil || !errors.Is(err, error(errRefused)) {
				// The metadata service's failure has its own words.
				if f := new(protocol.Failure); o != nil || !errors.As(err, &f) || !strings.Contains(f.Message, "metadata") {
					t.Errorf("%+v, reading %d: %v, %v", req, n+1, o, err)
				}
			}
		}
	}
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
		{"an interface", nil, Request{NIC: "eni-7"}, "eni-7, the node's own interface: it does not exist", protocol.NotFound},
		{"a subnet", nil, Request{Subnet: "subnet-c"}, "subnet-c does not exist", protocol.NotFound},
		{"this instance", func(c *cloud) { c.instance = "i-7" }, Request{}, "EC2 shows none of i-7", protocol.NotFound},
		{"the metadata service", func(c *cloud) { c.instance = "" }, Request{}, "(no answer); name the interface in selfNicRef", protocol.Unavailable},
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
	for _, req := range []Request{{}, {ByRoute: true}, {Subnet: "subnet-empty", Prefix: netip.MustParsePrefix("192.0.2.0/24"), ByRoute: true}} {
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
	n, err := r.Write(&first)
	if err != nil || n != first.Len() {
		t.Fatalf("%d bytes of %d, %v", n, first.Len(), err)
	}
	if _, err := r.Write(&again); err != nil || first.String() != again.String() {
		t.Errorf("another document the second time (%v)", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, first.Bytes(), "", "  "); err != nil {
		t.Fatalf("%v\n%s", err, first.String())
	}
	if diff := cmp.Diff(indented.String(), first.String()); diff != "" {
		t.Errorf("not indented as JSON is (-want +got):\n%s", diff)
	}
	if err := r.write(&plain, false); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, first.Bytes()); err != nil || compact.String()+"\n" != plain.String() {
		t.Errorf("not compact (%v):\n%s\n%s", err, compact.String(), plain.String())
	}
}

// TestLargeResultIsWithoutWhiteSpace: a core that reads 4 MiB reads more of it so.
func TestLargeResultIsWithoutWhiteSpace(t *testing.T) {
	o, err := Observe(t.Context(), newCloud(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20000 {
		n := nic(fmt.Sprintf("eni-x%d", i), "subnet-a", "", 0, "10.0.3.1")
		o.Addresses = append(o.Addresses, Address{Address: "10.0.3.1", Primary: true, Interface: &n, Local: true})
	}
	var out bytes.Buffer
	n, err := Result{Observation: o}.Write(&out)
	if err != nil || n != out.Len() || bytes.Count(out.Bytes(), []byte("\n")) != 1 || !json.Valid(out.Bytes()) {
		t.Errorf("%d bytes of %d, %d lines, %v", n, out.Len(), bytes.Count(out.Bytes(), []byte("\n")), err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestResultThatCannotBeWritten(t *testing.T) {
	if _, err := (Result{Failure: errRefused}).Write(fullDisk{}); err == nil {
		t.Error("no error")
	}
}
