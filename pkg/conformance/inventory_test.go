//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// observed is what an ObservePrivateIPsResult says, as far as there is a judge of it.
type observed struct {
	Status struct {
		Status, Error string
		Self          struct {
			NICRef            string
			PrivateIPs        []string
			ForwardingEnabled bool
		}
		IPs, ObservedCandidates, LocalIPs []addressSeen
		Routes                            []struct{ Address, RouteTableRef, NextHopNICRef, NextHopRef, InstanceState string }
	}
}

type addressSeen struct {
	Address, NICRef, SubnetRef, VPCRef, ResourceRef, InstanceState string
	Primary                                                        bool
	Tags                                                           map[string]string
}

func (a addressSeen) String() string {
	kind := "secondary"
	if a.Primary {
		kind = "primary"
	}
	return fmt.Sprintf("%s %s %s in %s of %s on %s (%s) %v", a.Address, kind, a.NICRef, a.SubnetRef, a.VPCRef, a.ResourceRef, a.InstanceState, a.Tags)
}

// observe runs the inventory's binary.
func (w *world) observe(t *testing.T, spec string) observed {
	t.Helper()
	input := w.resolve(t, `{"apiVersion":"providerinventory.routerd.net/v1alpha1","kind":"ObservePrivateIPsRequest","spec":{"provider":"aws","target":{"region":"`+region+`"},`+spec+`}}`)
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

// judged has boto3 tell what an observation of the lab has to say: its addresses by interface, the
// states of its instances, and where a table leads.
func (w *world) judged(t *testing.T, keep func(nicSeen, string) bool) (addresses, routes []string) {
	t.Helper()
	var s seen
	var nics []nicSeen
	var states []struct {
		InstanceId    string
		InstanceState struct{ Name string }
	}
	var tables []tableSeen
	w.describe(t, &s, `describe_network_interfaces {"Filters":[{"Name":"vpc-id","Values":["@vpc"]}]} | NetworkInterfaces`, &nics)
	w.describe(t, &s, `describe_instance_status {"IncludeAllInstances":true} | InstanceStatuses`, &states)
	w.describe(t, &s, `describe_route_tables {"RouteTableIds":["@table-a"]} | RouteTables`, &tables)
	state := map[string]string{}
	for _, i := range states {
		state[i.InstanceId] = i.InstanceState.Name
	}
	on := map[string]string{}
	for _, n := range nics {
		e := addressSeen{NICRef: n.NetworkInterfaceId, SubnetRef: n.SubnetId, VPCRef: n.VpcId, ResourceRef: n.NetworkInterfaceId}
		if a := n.Attachment; a != nil && a.InstanceId != "" {
			e.ResourceRef, e.InstanceState = a.InstanceId, state[a.InstanceId]
		}
		on[e.NICRef] = e.ResourceRef
		for _, tag := range n.TagSet {
			if e.Tags == nil {
				e.Tags = map[string]string{}
			}
			e.Tags[tag.Key] = tag.Value
		}
		add := func(address string, primary bool) {
			if e.Address, e.Primary = address, primary; keep(n, address) {
				addresses = append(addresses, e.String())
			}
		}
		for _, a := range n.PrivateIpAddresses {
			add(a.PrivateIpAddress, a.Primary)
		}
		for _, a := range n.Ipv6Addresses {
			add(a.Ipv6Address, false)
		}
	}
	for _, route := range tables[0].Routes {
		if route.GatewayId != "local" {
			to := route.GatewayId
			if nic := route.NetworkInterfaceId; nic != "" {
				to = nic + " of " + on[nic] + " " + state[on[nic]]
			}
			routes = append(routes, route.DestinationCidrBlock+" "+to)
		}
	}
	slices.Sort(addresses)
	slices.Sort(routes)
	return addresses, routes
}

// TestInventory: what the inventory tells of the lab is what boto3 sees of it, at moto and here, and what both
// have it tells alike.
func TestInventory(t *testing.T) {
	t.Parallel()
	told.scenario(moto, "ec2sim")
	inPrefix := func(text string) func(nicSeen, string) bool {
		p := netip.MustParsePrefix(text)
		return func(_ nicSeen, address string) bool { return p.Contains(netip.MustParseAddr(address)) }
	}
	lists := map[string][]string{}
	for _, start := range []func() (*place, error){startMoto, startSim} {
		p := own(t, start)
		w := p.fresh(t)
		if v := w.do(t, `stop_instances {"InstanceIds":["@db"]}`); v.OK == nil {
			t.Fatal(v)
		}
		w.settle(t)
		for _, c := range []struct {
			name, spec string
			keep       func(nicSeen, string) bool
		}{
			{"the VPC", `"selfNicRef":"@nic-a","strategy":"route-table"`, func(nicSeen, string) bool { return true }},
			{"a subnet", `"selfNicRef":"@nic-a","subnetRef":"@subnet-c","routeTableRef":"@table-a"`, func(n nicSeen, _ string) bool { return n.SubnetId == "subnet-c" }},
			{"a prefix", `"selfNicRef":"@nic-a","prefix":"10.88.60.16/28","routeTableRef":"@table-a"`, inPrefix("10.88.60.16/28")},
			{"a tag", `"selfNicRef":"@nic-a","selector":{"tags":{"Name":"db"}},"routeTableRef":"@table-a"`, func(n nicSeen, _ string) bool { return slices.Contains(n.TagSet, tagSeen{"Name", "db"}) }},
		} {
			t.Run(p.name+"/"+c.name, func(t *testing.T) {
				got := w.observe(t, c.spec).Status
				want, routes := w.judged(t, c.keep)
				var addresses, ledTo, candidates []string
				for _, a := range got.IPs {
					addresses = append(addresses, a.String())
				}
				for _, a := range got.ObservedCandidates {
					candidates = append(candidates, a.String())
				}
				for _, r := range got.Routes {
					to := r.NextHopRef
					if r.NextHopNICRef != "" {
						to = r.NextHopNICRef + " of " + r.NextHopRef + " " + r.InstanceState
					}
					ledTo = append(ledTo, r.Address+" "+to)
				}
				slices.Sort(addresses)
				slices.Sort(ledTo)
				if diff := cmp.Diff(want, addresses); diff != "" || len(want) == 0 {
					t.Errorf("addresses (-boto3 +inventory):\n%s", diff)
				}
				if c.name != "a prefix" {
					if diff := cmp.Diff(routes, ledTo); diff != "" || len(routes) == 0 {
						t.Errorf("routes (-boto3 +inventory):\n%s", diff)
					}
				}
				if got.Self.NICRef != "nic-a" || got.Self.ForwardingEnabled || !slices.Contains(got.Self.PrivateIPs, "10.88.60.11") {
					t.Errorf("self is %+v", got.Self)
				}
				// moto's lab has no IPv6 and no interface of a service.
				both := slices.DeleteFunc(slices.Concat(addresses, candidates, ledTo), func(e string) bool { return strings.Contains(e, "::") || strings.Contains(e, "eni-") })
				if there, ran := lists[c.name]; ran {
					if diff := cmp.Diff(there, both); diff != "" {
						t.Errorf("moto (-) and ec2sim (+) do not tell alike:\n%s", diff)
					}
				}
				lists[c.name] = both
			})
		}
	}
}
