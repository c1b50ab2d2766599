package ec2sim

import (
	"fmt"
	"net/netip"
	"slices"
)

// Region fills a region of a Sim, without the API: seeds and tests say with it how the world is. Its
// methods panic when asked for what EC2 could not hold, for a seed is code. What a value leaves out is
// filled in; the completed value is returned.
type Region struct {
	sim  *Sim
	name string
}

// Region returns the named region, which may be one EC2 does not have.
func (s *Sim) Region(name string) *Region { return &Region{s, name} }

// with runs fill on the region's world and returns a copy of what it made.
func with[T resource[T]](r *Region, fill func(*world, minter) *T) T {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	return (*fill(r.sim.mem.own(r.name), r.sim.mem.mint)).clone()
}

func put[T resource[T]](t table[T], r T) *T {
	if t[r.key()] != nil {
		panic("ec2sim: " + r.key() + " is there already")
	}
	copied := r.clone()
	t[r.key()] = &copied
	return &copied
}

func must[T resource[T]](t table[T], id string) *T {
	if r := t[id]; r != nil {
		return r
	}
	panic(fmt.Sprintf("ec2sim: there is no %q", id))
}

func mustPrefix(cidr string) netip.Prefix {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || p != p.Masked() {
		panic(fmt.Sprintf("ec2sim: %q is not a network", cidr))
	}
	return p
}

func fillID(id *string, m minter, prefix string) {
	if *id == "" {
		*id = m.id(prefix)
	}
}

// AddVPC adds a VPC with its default security group, which lets its members talk to each other and to
// the world, and its main route table, which holds the local routes. Both have the digits of its id.
func (r *Region) AddVPC(v VPC) VPC {
	return with(r, func(w *world, m minter) *VPC {
		fillID(&v.ID, m, "vpc")
		group := SecurityGroup{
			ID: sameDigits("sg", v.ID), VPCID: v.ID, Owner: v.Owner, Name: "default", Description: "default VPC security group",
			Egress: []Rule{{Protocol: "-1", CIDRs: []string{"0.0.0.0/0"}}},
		}
		group.Ingress = []Rule{{Protocol: "-1", Groups: []string{group.ID}}}
		put(w.groups, group)
		table := RouteTable{ID: sameDigits("rtb", v.ID), VPCID: v.ID, Owner: v.Owner}
		table.Associations = []RouteAssociation{{ID: sameDigits("rtbassoc", v.ID), Main: true}}
		table.Routes = localRoutes(v)
		put(w.routes, table)
		return put(w.vpcs, v)
	})
}

func localRoutes(v VPC) []Route {
	var routes []Route
	for _, cidr := range v.cidrs() {
		routes = append(routes, Route{Destination: mustPrefix(cidr).String(), Target: local, Origin: "CreateRouteTable"})
	}
	return routes
}

// AddSubnet adds a subnet to the VPC it names. The zone is the region's first when not given.
func (r *Region) AddSubnet(s Subnet) Subnet {
	return with(r, func(w *world, m minter) *Subnet {
		vpc := must(w.vpcs, s.VPCID)
		if len(s.cidrs()) == 0 {
			panic("ec2sim: a subnet has an IPv4 or an IPv6 block")
		}
		for _, cidr := range s.cidrs() {
			w.mustFit(cidr, vpc)
		}
		fill(&s.Owner, vpc.Owner)
		fillID(&s.ID, m, "subnet")
		if s.AvailabilityZone == "" {
			s.AvailabilityZone = r.name + "a"
		}
		return put(w.subnets, s)
	})
}

// mustFit panics unless the block of a new subnet is one of the VPC's, and no other subnet's.
func (w *world) mustFit(cidr string, vpc *VPC) {
	prefix := mustPrefix(cidr)
	if !withinAny(prefix, vpc.cidrs()) {
		panic("ec2sim: the subnet " + cidr + " is in no block of its VPC")
	}
	for other := range w.subnets.each() {
		for _, taken := range other.cidrs() {
			if other.VPCID == vpc.ID && mustPrefix(taken).Overlaps(prefix) {
				panic("ec2sim: the subnet " + cidr + " overlaps " + other.ID)
			}
		}
	}
}

// AddSecurityGroup adds a group to the VPC it names.
func (r *Region) AddSecurityGroup(g SecurityGroup) SecurityGroup {
	return with(r, func(w *world, m minter) *SecurityGroup {
		must(w.vpcs, g.VPCID)
		fillID(&g.ID, m, "sg")
		if g.Description == "" {
			g.Description = g.Name
		}
		return put(w.groups, g)
	})
}

// AddGateway adds something routes can lead to; its id's prefix says what it is.
func (r *Region) AddGateway(g Gateway) Gateway {
	return with(r, func(w *world, m minter) *Gateway {
		fillID(&g.ID, m, "igw")
		return put(w.gateways, g)
	})
}

// AddRouteTable adds a route table to the VPC it names, with the VPC's local routes before its own. Its
// associations take their subnets from the tables that had them.
func (r *Region) AddRouteTable(t RouteTable) RouteTable {
	return with(r, func(w *world, m minter) *RouteTable {
		vpc := must(w.vpcs, t.VPCID)
		fillID(&t.ID, m, "rtb")
		t = t.clone()
		for i := range t.Associations {
			fillID(&t.Associations[i].ID, m, "rtbassoc")
			w.dissociate(t.VPCID, t.Associations[i])
		}
		for i := range t.Routes {
			if t.Routes[i].Origin == "" {
				t.Routes[i].Origin = "CreateRoute"
			}
		}
		t.Routes = append(localRoutes(*vpc), t.Routes...)
		return put(w.routes, t)
	})
}

// dissociate takes from the VPC's tables what a new association is for.
func (w *world) dissociate(vpc string, a RouteAssociation) {
	for t := range w.routes.each() {
		if t.VPCID == vpc {
			t.Associations = slices.DeleteFunc(t.Associations, func(old RouteAssociation) bool {
				return old.Main == a.Main && old.SubnetID == a.SubnetID
			})
		}
	}
}

// AddInterface adds an interface to the subnet it names. Without groups it has the VPC's default group,
// without a primary address the subnet's lowest free one, which is an IPv6 address in an IPv6-only subnet.
// One of type efa-only has none. SourceDestCheck is as given.
func (r *Region) AddInterface(i Interface) Interface {
	return with(r, func(w *world, m minter) *Interface { return w.addInterface(m, i) })
}

func (w *world) addInterface(m minter, i Interface) *Interface {
	subnet := must(w.subnets, i.SubnetID)
	i = i.clone()
	fillID(&i.ID, m, "eni")
	i.VPCID, i.AvailabilityZone = subnet.VPCID, subnet.AvailabilityZone
	if i.MAC == "" {
		i.MAC = m.mac()
	}
	fill(&i.Type, plainType)
	w.checkType(i)
	if i.Type == efaOnlyType && len(i.PrivateAddresses)+len(i.IPv6Addresses)+len(i.Prefixes) > 0 {
		panic("ec2sim: an efa-only interface has no addresses")
	}
	w.firstAddress(&i, subnet)
	for _, a := range i.PrivateAddresses {
		w.mustBeFree(subnet, subnet.CIDR, a.Address)
	}
	for _, a := range i.IPv6Addresses {
		w.mustBeFree(subnet, subnet.IPv6CIDR, a)
	}
	if i.PrimaryIPv6 != "" && !slices.Contains(i.IPv6Addresses, i.PrimaryIPv6) {
		panic("ec2sim: the interface does not hold " + i.PrimaryIPv6)
	}
	for _, p := range i.Prefixes {
		w.mustDelegate(subnet, p, append(i.IPv6Addresses, addressesOf(&i)...))
	}
	if len(i.Groups) == 0 {
		for g := range w.groups.each() {
			if g.VPCID == subnet.VPCID && g.Name == "default" {
				i.Groups = []string{g.ID}
			}
		}
	}
	for _, id := range i.Groups {
		must(w.groups, id)
	}
	return put(w.interfaces, i)
}

// firstAddress gives the interface the address that every interface of its subnet has.
func (w *world) firstAddress(i *Interface, subnet *Subnet) {
	switch {
	case i.Type == efaOnlyType, subnet.ipv6Only() && len(i.IPv6Addresses) > 0, i.primary() != "":
	case subnet.ipv6Only():
		i.IPv6Addresses = w.freeIPv6(subnet, 1)
	default:
		free := w.free(subnet, 1)
		if len(free) == 0 {
			panic("ec2sim: the subnet " + subnet.ID + " is full")
		}
		i.PrivateAddresses = slices.Insert(i.PrivateAddresses, 0, PrivateAddress{free[0], true})
	}
}

func (w *world) mustBeFree(subnet *Subnet, cidr, address string) {
	prefix, a := mustPrefix(cidr), netip.MustParseAddr(address)
	if !prefix.Contains(a) || reserved(prefix, a) || w.holder(subnet.ID, address) != nil || w.delegatee(subnet.ID, address) != nil {
		panic("ec2sim: the address " + address + " is not free in " + subnet.ID)
	}
}

// mustDelegate panics unless the block can be one interface's whole, beside its own addresses.
func (w *world) mustDelegate(subnet *Subnet, cidr string, own []string) {
	p, in, bits := mustPrefix(cidr), subnet.CIDR, 28
	if p.Addr().Is6() {
		in, bits = subnet.IPv6CIDR, 80
	}
	free := p.Bits() == bits && withinText(p, in)
	for _, eni := range w.interfaces {
		if eni.SubnetID == subnet.ID {
			own = append(own, append(addressesOf(eni), eni.IPv6Addresses...)...)
			free = free && !slices.ContainsFunc(eni.Prefixes, func(other string) bool { return mustPrefix(other).Overlaps(p) })
		}
	}
	if !free || slices.ContainsFunc(own, func(a string) bool { return p.Contains(netip.MustParseAddr(a)) }) {
		panic("ec2sim: the block " + cidr + " can't be delegated in " + subnet.ID)
	}
}

// AddInstance adds an instance with its interfaces, at device indexes in the order given; without one it
// gets one in the subnet it names, with source/destination check on.
func (r *Region) AddInstance(i Instance, interfaces ...Interface) Instance {
	return with(r, func(w *world, m minter) *Instance {
		if len(interfaces) == 0 {
			interfaces = []Interface{{SubnetID: i.SubnetID, SourceDestCheck: true}}
		}
		subnet := must(w.subnets, interfaces[0].SubnetID)
		fillID(&i.ID, m, "i")
		i.SubnetID, i.VPCID, i.AvailabilityZone = subnet.ID, subnet.VPCID, subnet.AvailabilityZone
		now := r.sim.cfg.now().UTC()
		fill(&i.Type, "t3.micro")
		fill(&i.State, "running")
		fill(&i.RootDevice, "ebs")
		fill(&i.ImageID, "ami-00000000000000001")
		if _, ok := stateCodes[i.State]; !ok {
			panic("ec2sim: no instance state is " + i.State)
		}
		if i.LaunchTime.IsZero() {
			i.LaunchTime = now
		}
		fillID(&i.ReservationID, m, "r")
		for n, eni := range interfaces {
			if must(w.subnets, eni.SubnetID).AvailabilityZone != i.AvailabilityZone {
				panic("ec2sim: an instance cannot have interfaces in two zones")
			}
			attachment := clonePointer(eni.Attachment)
			if attachment == nil {
				attachment = &Attachment{DeviceIndex: n, DeleteOnTermination: n == 0}
			}
			fillID(&attachment.ID, m, "eni-attach")
			attachment.InstanceID, attachment.InstanceOwner = i.ID, w.owner
			fill(&attachment.Status, "attached")
			if attachment.AttachTime.IsZero() {
				attachment.AttachTime = i.LaunchTime
			}
			eni.Attachment = attachment
			w.addInterface(m, eni)
		}
		return put(w.instances, i)
	})
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// AddAddress adds an Elastic IP, bound when it names an interface and one of its private addresses.
func (r *Region) AddAddress(a Address) Address {
	return with(r, func(w *world, m minter) *Address {
		fillID(&a.AllocationID, m, "eipalloc")
		if a.InterfaceID != "" {
			if !must(w.interfaces, a.InterfaceID).holds(a.PrivateIP) {
				panic("ec2sim: " + a.InterfaceID + " does not hold " + a.PrivateIP)
			}
			fillID(&a.AssociationID, m, "eipassoc")
		}
		return put(w.addresses, a)
	})
}
