package proof

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
)

// What random worlds and requests are made of. Some of it can't be, and must be refused without a
// change.
var (
	inSubnetA = []string{ec2sim.LabRouterAInterface, ec2sim.LabRouterBInterface,
		ec2sim.LabDBInterface0, ec2sim.LabDBInterface1, ec2sim.LabSpareInterface}
	interfaces = append(slices.Clone(inSubnetA), ec2sim.LabRouterCInterface,
		ec2sim.LabManagedInterface, "eni-0ffffffffffffffff")
	addresses = []string{
		"10.88.60.9", "10.88.60.100", "10.88.60.101", "10.88.60.102", "10.88.60.103", "10.88.60.10/32",
		"10.88.60.11", "10.88.60.3", "10.88.61.77", "192.168.1.1", "2001:db8:1088:60::99",
		"2001:db8:1088:60::55/128",
	}
	tables = []string{ec2sim.LabRouteTable, ec2sim.LabRouteTable, ec2sim.LabMainRouteTable,
		"rtb-0ffffffffffffffff"}
	destinations = []string{"10.99.0.0/24", "10.200.0.9/32", "10.201.0.0/16", "10.202.0.0/24",
		"10.88.60.9/32", "169.254.169.0/24"}
	gateways = []string{ec2sim.LabTransitGateway, ec2sim.LabNATGateway, ec2sim.LabPeering,
		ec2sim.LabInternetGateway}
	instances = []string{ec2sim.LabDB, ec2sim.LabDB, ec2sim.LabRouterA, ec2sim.LabRouterB,
		ec2sim.LabRouterC, "i-0ffffffffffffffff"}
	groups = []string{ec2sim.LabGroupDefault, ec2sim.LabGroupRouter, ec2sim.LabGroupWeb,
		ec2sim.LabGroupFence, ec2sim.LabGroupAllowAll}
)

// transitGroup is a group that interfaces only pass through: one that has it alone is on its way.
const transitGroup = "sg-01088000000000099"

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// some picks a few, at least one.
func some(r *rand.Rand, from []string) []string {
	all := slices.Clone(from)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+r.IntN(len(all)-1)]
}

// randomWorld changes the lab.
func randomWorld(r *rand.Rand) func(*ec2sim.Region) {
	return func(region *ec2sim.Region) {
		idleAddress(region)
		poolSeed(region)
		region.AddSecurityGroup(
			ec2sim.SecurityGroup{ID: transitGroup, VPCID: ec2sim.LabVPC, Name: "transit"})
		for _, a := range []string{"10.88.60.101", "10.88.60.102", "10.88.60.103",
			"2001:db8:1088:60::55"} {
			if r.IntN(3) == 0 {
				continue
			}
			region.EditInterface(pick(r, inSubnetA), func(i *ec2sim.Interface) {
				if strings.Contains(a, ":") {
					i.IPv6Addresses = append(i.IPv6Addresses, a)
				} else {
					i.PrivateAddresses = append(i.PrivateAddresses, ec2sim.PrivateAddress{Address: a})
				}
			})
		}
		addGroup(r, region)
		for _, id := range inSubnetA {
			region.EditInterface(id, func(i *ec2sim.Interface) {
				i.SourceDestCheck, i.Groups = r.IntN(2) == 0, some(r, groups)
			})
		}
		region.EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) {
			for _, to := range []string{"10.201.0.0/16", "10.202.0.0/24"} {
				if r.IntN(3) > 0 {
					t.Routes = append(t.Routes,
						ec2sim.Route{Destination: to, Target: pick(r, append(slices.Clone(gateways), inSubnetA...)),
							Origin: "CreateRoute"})
				}
			}
		})
	}
}

// addGroup puts the lab's instances into an Auto Scaling group that does nothing of its own.
func addGroup(r *rand.Rand, region *ec2sim.Region) {
	g := ec2sim.ScalingGroup{Name: "edge", MaxSize: 9, SubnetIDs: []string{ec2sim.LabSubnetA},
		Suspended: []string{"Launch", "Terminate", "ReplaceUnhealthy"}}
	for _, id := range []string{ec2sim.LabDB, ec2sim.LabRouterA, ec2sim.LabRouterB} {
		g.Instances = append(g.Instances, ec2sim.ScalingMember{InstanceID: id, State: "InService",
			Protected: r.IntN(2) == 0})
	}
	region.AddScalingGroup(g)
}

// randomRequest asks for something of the registry's actions.
func randomRequest(r *rand.Rand, key string) request {
	q := request{key: key, target: map[string]string{}, parameters: map[string]string{}}
	for q.verb == "" {
		if v := pick(r, actions.Registry().Verbs()); v.Undo != "" {
			q.verb = v.Name
		}
	}
	maybe := func(into map[string]string, name, value string, in int) {
		if r.IntN(in) == 0 {
			into[name] = value
		}
	}
	switch q.verb {
	case "assign-secondary-ip":
		q.target["nicRef"], q.target["address"] = pick(r, interfaces), pick(r, addresses)
		maybe(q.parameters, "allowReassignment", pick(r, []string{"true", "yes", "0"}), 2)
		maybe(q.parameters, "expectedHolderRef", pick(r, inSubnetA), 6)
	case "ensure-forwarding-enabled":
		q.target["nicRef"] = pick(r, interfaces)
		maybe(q.target, "address", "10.88.60.9", 3)
	case "assign-route-table-route":
		q.target["nicRef"], q.target["address"], q.target["routeTableRef"] = pick(r, interfaces),
			pick(r, destinations), pick(r, tables)
		maybe(q.parameters, "allowReassignment", "on", 2)
		if r.IntN(4) == 0 {
			q.verb, q.target["captureStrategy"] = "assign-secondary-ip", "route-table"
		}
	case "fence-security-groups":
		q.target["instanceRef"] = pick(r, instances)
		q.parameters["securityGroups"] = strings.Join(some(r, groups), ",")
		maybe(q.parameters, "invertSgRemoval", "1", 2)
		maybe(q.parameters, "transitionSecurityGroup", transitGroup, 4)
	case "stop-instances":
		q.target["instanceRef"] = pick(r, instances)
		q.parameters["requiredTag"] = "Name=" + pick(r, []string{"db", "db", "router-b", "router-c"})
	case "ensure-tags":
		q.target["resourceRef"] = pick(r, slices.Concat(interfaces, instances,
			[]string{ec2sim.LabElasticIPAddress, "eipalloc-0ffffffffffffffff"}))
		for range 1 + r.IntN(3) {
			q.parameters["tag."+pick(r, []string{"Name", "role", "a b", "lastfence"})] =
				pick(r, []string{"", "router", "\"quoted\" =+", "db"})
		}
	case "ensure-network-interface":
		q.target["instanceRef"] = pick(r, instances)
		q.target["deviceIndex"] = pick(r, []string{"0", "1", "1", "2"})
		q.parameters["subnet.ap-northeast-1a"] = ec2sim.LabSubnetA
		q.parameters["securityGroups"] = strings.Join(some(r, groups), ",")
		maybe(q.parameters, "subnet.ap-northeast-1c", ec2sim.LabSubnetC, 2)
		maybe(q.parameters, "sourceDestCheck", "false", 2)
		maybe(q.parameters, "deleteOnTermination", "no", 2)
		maybe(q.parameters, "privateAddresses", pick(r, addresses[:6]), 4)
	case "ensure-public-address":
		q.target["instanceRef"] = pick(r, instances)
		q.target["deviceIndex"] = pick(r, []string{"0", "0", "1", "2"})
		maybe(q.target, "address", pick(r, addresses[:7]), 4)
		maybe(q.parameters, "allocationRef", pick(r, []string{ec2sim.LabElasticIPAddress,
			idleAllocation, "eipalloc-0ffffffffffffffff"}), 4)
		maybe(q.parameters, "publicIpv4Pool", pick(r, []string{"amazon", ownPool,
			"ipv4pool-ec2-0ffffffffffffffff"}), 4)
	case "ensure-instance-protection":
		q.target["instanceRef"] = pick(r, instances)
		q.target["autoScalingGroupName"] = pick(r, []string{"edge", "edge", "edge", "other"})
		maybe(q.parameters, "protectedFromScaleIn", pick(r, []string{"false", "no", "1"}), 2)
	default:
		panic("no random request for " + q.verb + ": add one")
	}
	maybe(q.parameters, "mobilityLease", fmt.Sprint(r.IntN(100)), 2)
	return q
}

// claims holds the facts of an answer against the world, and tells what is not true.
func claims(s ec2sim.State, q request, observed map[string]string) (wrong []string) {
	region := s.Regions[ec2sim.LabRegion]
	find := func(id string) ec2sim.Interface {
		i := slices.IndexFunc(region.Interfaces, func(i ec2sim.Interface) bool { return i.ID == id })
		if i < 0 {
			return ec2sim.Interface{}
		}
		return region.Interfaces[i]
	}
	holds := func(nic, address string) bool {
		i := find(nic)
		return slices.Contains(i.IPv6Addresses, address) ||
			slices.ContainsFunc(i.PrivateAddresses, func(a ec2sim.PrivateAddress) bool {
				return a.Address == address
			})
	}
	target := func(to string) string {
		for _, t := range region.RouteTables {
			for _, r := range t.Routes {
				if t.ID == q.target["routeTableRef"] && r.Destination == to {
					return r.Target
				}
			}
		}
		return "none"
	}
	secondary := func() []string {
		i := find(q.target["nicRef"])
		if strings.Contains(q.target["address"], ":") {
			return i.IPv6Addresses
		}
		var all []string
		for _, a := range i.PrivateAddresses {
			if !a.Primary {
				all = append(all, a.Address)
			}
		}
		return all
	}
	sorted := func(list []string) string {
		l := slices.Clone(list)
		slices.Sort(l)
		return strings.Join(l, ",")
	}
	nic, to := q.target["nicRef"], q.target["address"]
	host := strings.TrimSuffix(strings.TrimSuffix(to, "/32"), "/128")
	groups := func(of, value string) bool { return sorted(find(of).Groups) == value }
	is := map[string]func(of, value string) bool{
		"assignedAddress":   func(_, value string) bool { return holds(nic, value) },
		"unassignedAddress": func(_, value string) bool { return !holds(nic, value) },
		"restoredHolder":    func(_, value string) bool { return holds(value, host) },
		"currentSecondaryIps": func(_, value string) bool {
			return sorted(strings.Split(value, ",")) == sorted(secondary())
		},
		"sourceDestCheck": func(_, value string) bool {
			return fmt.Sprint(find(nic).SourceDestCheck) == value
		},
		"assignedRoute":          func(_, value string) bool { return target(value) == nic },
		"unassignedRoute":        func(_, value string) bool { return target(value) != nic },
		"restoredRouteTarget":    func(_, value string) bool { return target(to) == value },
		"fencedSecurityGroups":   groups,
		"restoredSecurityGroups": groups,
		"currentSecurityGroups":  groups,
	}
	tagged := func(key, value string) bool {
		return tagOf(region, q.target["resourceRef"], key) == value
	}
	is["ensuredTag"], is["restoredTag"] = tagged, tagged
	maps.Copy(is, claimsOfVerb(region, find, q, observed))
	for fact, value := range observed {
		name, of, _ := strings.Cut(fact, ".")
		if holdsTrue, told := is[name]; told && !holdsTrue(of, value) {
			wrong = append(wrong, fact+"="+value)
		}
	}
	return wrong
}

// claimsOfVerb hold the facts that mean one thing in some verbs only.
func claimsOfVerb(
	region ec2sim.RegionState, find func(string) ec2sim.Interface, q request,
	observed map[string]string,
) map[string]func(_, value string) bool {
	switch {
	case strings.HasSuffix(q.verb, "-network-interface"):
		return claimsOfMade(find, q, observed)
	case strings.HasSuffix(q.verb, "-public-address"):
		return claimsOfAddress(region, q, observed)
	case strings.HasSuffix(q.verb, "-instance-protection"):
		return map[string]func(_, value string) bool{
			"protectedFromScaleIn": func(_, value string) bool {
				return fmt.Sprint(isProtected(region, q.target["instanceRef"])) == value
			}}
	case strings.HasSuffix(q.verb, "-instances"):
		return map[string]func(_, value string) bool{"instanceState": func(_, value string) bool {
			return stateOf(region, q.target["instanceRef"]) == value
		}}
	}
	return nil
}

// claimsOfMade hold the facts of an interface that is made.
func claimsOfMade(
	find func(string) ec2sim.Interface, q request, observed map[string]string,
) map[string]func(_, value string) bool {
	told := find(observed["networkInterfaceRef"])
	return map[string]func(_, value string) bool{
		"networkInterfaceRef": func(_, value string) bool {
			a := find(value).Attachment
			return a != nil && a.InstanceID == q.target["instanceRef"] &&
				fmt.Sprint(a.DeviceIndex) == q.target["deviceIndex"]
		},
		"sourceDestCheck": func(_, value string) bool {
			return fmt.Sprint(told.SourceDestCheck) == value
		},
		"deleteOnTermination": func(_, value string) bool {
			return told.Attachment != nil && fmt.Sprint(told.Attachment.DeleteOnTermination) == value
		},
		"removedInterface": func(_, value string) bool { return find(value).ID == "" },
	}
}

// claimsOfAddress hold the facts of an Elastic IP.
func claimsOfAddress(
	region ec2sim.RegionState, q request, observed map[string]string,
) map[string]func(_, value string) bool {
	find := func(is func(ec2sim.Address) bool) ec2sim.Address {
		i := slices.IndexFunc(region.Addresses, is)
		if i < 0 {
			return ec2sim.Address{}
		}
		return region.Addresses[i]
	}
	public := func(value string) ec2sim.Address {
		return find(func(a ec2sim.Address) bool { return a.PublicIP == value })
	}
	if strings.HasPrefix(q.verb, "remove-") {
		return map[string]func(_, value string) bool{
			"releasedAddress": func(_, value string) bool { return public(value).PublicIP == "" },
			"disassociatedAddress": func(_, value string) bool {
				return public(value).PublicIP != "" && public(value).AssociationID == ""
			},
		}
	}
	return map[string]func(_, value string) bool{
		"allocationRef": func(_, value string) bool {
			a := public(observed["publicAddress"])
			return a.AllocationID == value && cmp.Or(a.Pool, "amazon") == observed["publicIpv4Pool"]
		},
		"associationId": func(_, value string) bool {
			a := public(observed["publicAddress"])
			return a.AssociationID == value && a.InterfaceID == observed["networkInterfaceRef"] &&
				a.PrivateIP == observed["privateAddress"]
		},
	}
}

// isProtected reports whether scale-in spares an instance.
func isProtected(region ec2sim.RegionState, id string) bool {
	for _, g := range region.ScalingGroups {
		for _, m := range g.Instances {
			if m.InstanceID == id {
				return m.Protected
			}
		}
	}
	return false
}

// tagOf is a tag of a resource as facts tell it.
func tagOf(region ec2sim.RegionState, id, key string) string {
	all := map[string]ec2sim.Tags{}
	for _, i := range region.Interfaces {
		all[i.ID] = i.Tags
	}
	for _, i := range region.Instances {
		all[i.ID] = i.Tags
	}
	for _, a := range region.Addresses {
		all[a.AllocationID] = a.Tags
	}
	if text, there := all[id][key]; there {
		return strconv.Quote(text)
	}
	return "absent"
}

// stateOf is the state of an instance.
func stateOf(region ec2sim.RegionState, id string) string {
	for _, i := range region.Instances {
		if i.ID == id {
			return i.State
		}
	}
	return ""
}
