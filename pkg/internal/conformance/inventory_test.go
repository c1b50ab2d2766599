//go:build conformance

package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	cmpgo "github.com/google/go-cmp/cmp"
)

// observed is what an ObservePrivateIPsResult says, as far as there is a judge of it.
type observed struct {
	Status struct {
		Status, Error string
		Self          struct {
			NICRef, ResourceType string
			PrivateIPs           []string
			ForwardingEnabled    bool
		}
		IPs, ObservedCandidates, LocalIPs []addressSeen
		Routes                            []struct {
			Address, NextHopNICRef, NextHopRef, State, InstanceState string
		}
	}
}

type addressSeen struct {
	Address, NICRef, SubnetRef, VPCRef, ResourceRef, ResourceType, InstanceState string
	Primary, Selected                                                            bool
	Tags                                                                         map[string]string
}

func (a addressSeen) String() string {
	kind := "secondary"
	if a.Primary {
		kind = "primary"
	}
	return fmt.Sprintf(
		"%s %s %s (%s, selected %t) in %s of %s on %s (%s) %v",
		a.Address,
		kind,
		a.NICRef,
		a.ResourceType,
		a.Selected,
		a.SubnetRef,
		a.VPCRef,
		a.ResourceRef,
		a.InstanceState,
		a.Tags,
	)
}

// observe runs the inventory's binary.
func (w *world) observe(t *testing.T, spec string) observed {
	t.Helper()
	input := w.resolve(
		t,
		`{"apiVersion":"providerinventory.routerd.net/v1alpha1","kind":"ObservePrivateIPsRequest",`+
			`"spec":{"provider":"aws","target":{"region":"`+region+`"},`+spec+`}}`,
	)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := w.shell(ctx, ` unset HOME; exec "$@"`, house.inventory)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the inventory ended with %v on %s\n%s%s", err, input, &stdout, &stderr)
	}
	var got observed
	if err := json.Unmarshal([]byte(w.roles(stdout.String())), &got); err != nil {
		t.Fatalf("%v\n%s", err, &stdout)
	}
	if got.Status.Status != "succeeded" {
		t.Fatalf("%s: %s", input, got.Status.Error)
	}
	return got
}

// marks tag the lab, so that routers are told by tag, by check and by name, and clients look like
// routers.
var marks = []string{
	`create_tags ` +
		`{"Resources":["@router-b"],"Tags":[{"Key":"Name","Value":"b"},` +
		`{"Key":"Routerd.CloudEdge.Role","Value":"routerd-cloud"}]}`,
	`create_tags ` +
		`{"Resources":["@router-c"],"Tags":[{"Key":"Name","Value":"c"},{"Key":"role","Value":"client"}]}`,
	`create_tags ` +
		`{"Resources":["@nic-db1"],"Tags":[{"Key":"Name","Value":"router-standby"},{"Key":"rack",` +
		`"Value":"7"}]}`,
	`create_tags {"Resources":["@nic-spare"],"Tags":[{"Key":"Name","Value":"spare-router-1"}]}`,
	`create_route ` +
		`{"RouteTableId":"@table-a","DestinationCidrBlock":"10.99.1.0/24",` +
		`"NetworkInterfaceId":"@nic-db0"}`,
	`stop_instances {"InstanceIds":["@db"]}`,
}

// kindsByRole are what the interfaces of the marked lab are to a core. Nobody else tells, so these
// are written down. Every other interface is a load balancer's.
var kindsByRole = map[string]string{
	"nic-a": "router-nic", "nic-b": "router-nic", "nic-c": "router-nic", "nic-spare": "router-nic",
	"nic-db0": "instance-nic", "nic-db1": "instance-nic",
}

// labSeen is what boto3 tells of the lab.
type labSeen struct {
	addresses []addressSeen
	routes    []string
}

// judged has boto3 tell what an observation of the lab has to say: its addresses by interface, the
// tags and states of its instances, and where a table leads.
func (w *world) judged(t *testing.T, selected func(tags map[string]string) bool) labSeen {
	t.Helper()
	var s seen
	var nics []nicSeen
	var instances []struct {
		InstanceId string
		State      struct{ Name string }
		Tags       []tagSeen
	}
	var tables []struct {
		Routes []struct{ DestinationCidrBlock, GatewayId, NetworkInterfaceId, State string }
	}
	w.describe(
		t,
		&s,
		`describe_network_interfaces {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | `+
			`NetworkInterfaces`,
		&nics,
	)
	w.describe(t, &s, `describe_instances {} | Reservations[].Instances[]`, &instances)
	w.describe(t, &s, `describe_route_tables {"RouteTableIds":["@table-a"]} | RouteTables`, &tables)
	state, tags := map[string]string{}, map[string][]tagSeen{}
	for _, i := range instances {
		state[i.InstanceId], tags[i.InstanceId] = i.State.Name, i.Tags
	}
	on := map[string]string{}
	var lab labSeen
	for _, n := range nics {
		e := addressSeen{
			NICRef:      n.NetworkInterfaceId,
			SubnetRef:   n.SubnetId,
			VPCRef:      n.VpcId,
			ResourceRef: n.NetworkInterfaceId,
			ResourceType: cmp.Or(
				kindsByRole[n.NetworkInterfaceId],
				"private-endpoint",
			),
			Tags: map[string]string{},
		}
		if a := n.Attachment; a != nil && a.InstanceId != "" {
			e.ResourceRef, e.InstanceState = a.InstanceId, state[a.InstanceId]
		}
		on[e.NICRef] = e.ResourceRef
		for _, tag := range slices.Concat(n.TagSet, tags[e.ResourceRef]) {
			e.Tags[tag.Key] = tag.Value
		}
		e.Selected = selected(e.Tags)
		for _, a := range n.PrivateIpAddresses {
			e.Address, e.Primary = a.PrivateIpAddress, a.Primary
			lab.addresses = append(lab.addresses, e)
		}
		for _, a := range n.Ipv6Addresses {
			e.Address, e.Primary = a.Ipv6Address, false
			lab.addresses = append(lab.addresses, e)
		}
	}
	for _, route := range tables[0].Routes {
		if route.GatewayId == "local" {
			continue
		}
		to := route.GatewayId
		if nic := route.NetworkInterfaceId; nic != "" {
			to = nic + " of " + on[nic] + " " + state[on[nic]]
		}
		lab.routes = append(lab.routes, routeText(route.DestinationCidrBlock, to, route.State))
	}
	slices.Sort(lab.routes)
	return lab
}

func routeText(to, next, state string) string {
	if state != "blackhole" {
		state = ""
	}
	return strings.TrimSpace(to + " " + next + " " + state)
}

// among are the texts of those addresses that pass, in order.
func among(all []addressSeen, pass func(addressSeen) bool) []string {
	texts := []string{}
	for _, a := range all {
		if pass(a) {
			texts = append(texts, a.String())
		}
	}
	slices.Sort(texts)
	return texts
}

func everyAddress(addressSeen) bool { return true }

// observation is what is asked of the inventory, and what of the lab it has to tell.
type observation struct {
	name, spec string
	// scope is what there is, prefix what of it may be somebody's.
	scope, prefix func(addressSeen) bool
	selected      func(tags map[string]string) bool
}

// inventoryIsTrue checks one observation against what boto3 sees. It returns what both places have.
func inventoryIsTrue(t *testing.T, w *world, c observation) []string {
	t.Helper()
	got := w.observe(t, c.spec).Status
	lab := w.judged(t, c.selected)
	there := among(lab.addresses, c.scope)
	narrowed := among(lab.addresses, func(a addressSeen) bool { return c.scope(a) && c.prefix(a) })
	want := map[string][]string{"localIPs": there, "ips": narrowed, "observedCandidates": narrowed}
	says := map[string][]string{
		"localIPs": among(got.LocalIPs, everyAddress), "ips": among(got.IPs, everyAddress),
		"observedCandidates": among(got.ObservedCandidates, everyAddress),
	}
	if diff := cmpgo.Diff(want, says); diff != "" || len(narrowed) == 0 {
		t.Errorf("addresses (-boto3 +inventory):\n%s", diff)
	}
	var ledTo []string
	for _, r := range got.Routes {
		to := r.NextHopRef
		if r.NextHopNICRef != "" {
			to = r.NextHopNICRef + " of " + r.NextHopRef + " " + r.InstanceState
		}
		ledTo = append(ledTo, routeText(r.Address, to, r.State))
	}
	slices.Sort(ledTo)
	diff := cmpgo.Diff(lab.routes, ledTo)
	if c.name != "a prefix" && (diff != "" || len(ledTo) == 0) {
		t.Errorf("routes (-boto3 +inventory):\n%s", diff)
	}
	s := got.Self
	if s.NICRef != "nic-a" || s.ResourceType != "router-nic" || s.ForwardingEnabled ||
		!slices.Contains(s.PrivateIPs, "10.88.60.11") {
		t.Errorf("self is %+v", s)
	}
	// moto's lab has no IPv6, no interface of a service and no black holes.
	both := slices.DeleteFunc(slices.Concat(there, narrowed, ledTo), func(e string) bool {
		return strings.Contains(e, "::") || strings.Contains(e, "eni-")
	})
	for i := range both {
		both[i] = strings.TrimSuffix(both[i], " blackhole")
	}
	return both
}

// TestInventory: what the inventory tells of the lab is what boto3 sees of it, at moto and here,
// and what both have it tells alike.
func TestInventory(t *testing.T) {
	t.Parallel()
	told.scenario(moto, "ec2sim")
	in := func(text string) func(addressSeen) bool {
		p := netip.MustParsePrefix(text)
		return func(a addressSeen) bool { return p.Contains(netip.MustParseAddr(a.Address)) }
	}
	inC := func(a addressSeen) bool { return a.SubnetRef == "subnet-c" }
	all := func(map[string]string) bool { return true }
	lists := map[string][]string{}
	for _, start := range []func() (*place, error){startMoto, startSim} {
		p := own(t, start)
		w := p.fresh(t)
		for _, call := range marks {
			if v := w.do(t, call); v.OK == nil {
				t.Fatalf("%s: %s", call, v)
			}
		}
		w.settle(t)
		for _, c := range []observation{
			{"the VPC", `"selfNicRef":"@nic-a","strategy":"route-table"`, everyAddress, everyAddress, all},
			{"a subnet", `"selfNicRef":"@nic-a","subnetRef":"@subnet-c","routeTableRef":"@table-a"`,
				inC, inC, all},
			{"a prefix", `"selfNicRef":"@nic-a","prefix":"10.88.60.16/28","routeTableRef":"@table-a"`,
				everyAddress, in("10.88.60.16/28"), all},
			{"an instance's tag",
				`"selfNicRef":"@nic-a","selector":{"tags":{"Name":"db"}},"routeTableRef":"@table-a"`,
				everyAddress, everyAddress,
				func(tags map[string]string) bool { return tags["Name"] == "db" }},
			{"tags of both", `"selfNicRef":"@nic-a","selector":{"tags":{"Name":"db","rack":"7"}},` +
				`"routeTableRef":"@table-a"`, everyAddress, everyAddress,
				func(tags map[string]string) bool { return tags["Name"] == "db" && tags["rack"] == "7" }},
		} {
			t.Run(p.name+"/"+c.name, func(t *testing.T) {
				both := inventoryIsTrue(t, w, c)
				if before, ran := lists[c.name]; ran {
					if diff := cmpgo.Diff(before, both); diff != "" {
						t.Errorf("moto (-) and ec2sim (+) do not tell alike:\n%s", diff)
					}
				}
				lists[c.name] = both
			})
		}
	}
}
