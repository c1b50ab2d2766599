package world

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// impossible is what a builder panics with: something EC2 could not hold.
type impossible string

func (i impossible) Error() string { return "ec2sim: " + string(i) }

// cannot panics.
func cannot(why string) { panic(impossible(why)) }

// attempt returns what a builder panics with as an error.
func attempt(build func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case impossible:
			err = errors.New(string(p))
		default:
			panic(p)
		}
	}()
	build()
	return nil
}

func put[T Resource[T]](t Table[T], r T) *T {
	if t[r.key()] != nil {
		cannot("" + r.key() + " is there already")
	}
	copied := r.clone()
	t[r.key()] = &copied
	return &copied
}

// Must returns the resource that has the id. It panics where there is none.
func Must[T Resource[T]](t Table[T], id string) *T {
	if r := t[id]; r != nil {
		return r
	}
	cannot(fmt.Sprintf("there is no %q", id))
	return nil
}

func mustPrefix(cidr string) netip.Prefix {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || p != p.Masked() {
		cannot(fmt.Sprintf("%q is not a network", cidr))
	}
	return p
}

func mustAddr(address string) netip.Addr {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.String() != address {
		cannot(fmt.Sprintf("%q is not an address in its usual form", address))
	}
	return a
}

func fillID(id *string, m Minter, prefix string) {
	if *id == "" {
		*id = m.id(prefix)
	}
}

func (w *World) addVPC(m Minter, v VPC) *VPC {
	fillID(&v.ID, m, "vpc")
	for _, cidr := range v.CIDRs() {
		mustPrefix(cidr)
	}
	return put(w.VPCs, v)
}

// AddWholeVPC adds a VPC with its default group and its main route table.
func (w *World) AddWholeVPC(m Minter, v VPC) *VPC {
	added := w.addVPC(m, v)
	w.addDefaultGroup(m, added)
	w.addMainTable(m, added)
	return added
}

// besideID returns an id with the digits of another, or with others where that one is taken.
func besideID[T Resource[T]](t Table[T], m Minter, prefix, id string) string {
	if beside := SameDigits(prefix, id); t[beside] == nil {
		return beside
	}
	return m.id(prefix)
}

func (w *World) addDefaultGroup(m Minter, v *VPC) {
	group := SecurityGroup{
		ID: besideID(w.Groups, m, "sg", v.ID), VPCID: v.ID, Owner: v.Owner,
		Name: "default", Description: "default VPC security group",
		Egress: []Rule{{Protocol: "-1", CIDRs: []string{"0.0.0.0/0"}}},
	}
	group.Ingress = []Rule{{Protocol: "-1", Groups: []string{group.ID}}}
	put(w.Groups, group)
}

func (w *World) addMainTable(m Minter, v *VPC) {
	put(w.Routes, RouteTable{
		ID: besideID(w.Routes, m, "rtb", v.ID), VPCID: v.ID, Owner: v.Owner, Routes: localRoutes(*v),
		Associations: []RouteAssociation{{ID: SameDigits("rtbassoc", v.ID), Main: true}},
	})
}

func localRoutes(v VPC) []Route {
	var routes []Route
	for _, cidr := range v.CIDRs() {
		network := mustPrefix(cidr).String()
		routes = append(routes, Route{Destination: network, Target: Local, Origin: "CreateRouteTable"})
	}
	return routes
}

// AddSubnet adds a subnet to the VPC it names, in the first zone if it names none.
func (w *World) AddSubnet(m Minter, s Subnet) *Subnet {
	vpc := Must(w.VPCs, s.VPCID)
	if len(s.CIDRs()) == 0 {
		cannot("a subnet has an IPv4 or an IPv6 block")
	}
	for _, cidr := range s.CIDRs() {
		w.mustFit(cidr, vpc)
	}
	if strings.Contains(s.CIDR, ":") || s.IPv6CIDR != "" && !strings.Contains(s.IPv6CIDR, ":") {
		cannot("cidr is an IPv4 block, ipv6Cidr an IPv6 one")
	}
	fill(&s.Owner, vpc.Owner)
	fillID(&s.ID, m, "subnet")
	fill(&s.AvailabilityZone, w.Region+"a")
	letter, ok := strings.CutPrefix(s.AvailabilityZone, w.Region)
	if !ok || len(letter) != 1 || letter < "a" || letter > "z" {
		cannot("the zone " + s.AvailabilityZone + " is none of " + w.Region)
	}
	return put(w.Subnets, s)
}

// mustFit panics unless the block of a new subnet is one of the VPC's, and no other subnet's.
func (w *World) mustFit(cidr string, vpc *VPC) {
	prefix := mustPrefix(cidr)
	if !withinAny(prefix, vpc.CIDRs()) {
		cannot("the subnet " + cidr + " is in no block of its VPC")
	}
	for other := range w.Subnets.Each() {
		for _, taken := range other.CIDRs() {
			if other.VPCID == vpc.ID && mustPrefix(taken).Overlaps(prefix) {
				cannot("the subnet " + cidr + " overlaps " + other.ID)
			}
		}
	}
}

// AddGroup adds a security group to the VPC it names.
func (w *World) AddGroup(m Minter, g SecurityGroup) *SecurityGroup {
	Must(w.VPCs, g.VPCID)
	fillID(&g.ID, m, "sg")
	fill(&g.Description, g.Name)
	for _, r := range slices.Concat(g.Ingress, g.Egress) {
		for _, cidr := range slices.Concat(r.CIDRs, r.IPv6) {
			mustPrefix(cidr)
		}
	}
	return put(w.Groups, g)
}

// AddGateway adds what a route can lead to.
func (w *World) AddGateway(m Minter, g Gateway) *Gateway {
	fillID(&g.ID, m, "igw")
	if g.VPCID != "" {
		Must(w.VPCs, g.VPCID)
	}
	return put(w.Gateways, g)
}

// AddRouteTable adds a route table with the VPC's local routes, and its associations.
func (w *World) AddRouteTable(m Minter, t RouteTable) *RouteTable {
	vpc := Must(w.VPCs, t.VPCID)
	fillID(&t.ID, m, "rtb")
	t = t.clone()
	for i := range t.Associations {
		if id := t.Associations[i].SubnetID; id != "" {
			Must(w.Subnets, id)
		}
		fillID(&t.Associations[i].ID, m, "rtbassoc")
		w.dissociate(t.VPCID, t.Associations[i])
	}
	for i := range t.Routes {
		if !IsPrefixList(t.Routes[i].Destination) {
			mustPrefix(t.Routes[i].Destination)
		}
		if t.Routes[i].Target == "" {
			cannot("the route to " + t.Routes[i].Destination + " has no target")
		}
		fill(&t.Routes[i].Origin, "CreateRoute")
	}
	own := slices.DeleteFunc(localRoutes(*vpc), func(r Route) bool { return t.at(r.Destination) >= 0 })
	t.Routes = append(own, t.Routes...)
	return put(w.Routes, t)
}

// dissociate takes from the VPC's tables what a new association is for.
func (w *World) dissociate(vpc string, a RouteAssociation) {
	for t := range w.Routes.Each() {
		if t.VPCID == vpc {
			t.Associations = slices.DeleteFunc(t.Associations, func(old RouteAssociation) bool {
				return old.Main == a.Main && old.SubnetID == a.SubnetID
			})
		}
	}
}

// AddInterface adds an interface, with a group and an address if it has none.
func (w *World) AddInterface(m Minter, i Interface) *Interface {
	subnet := Must(w.Subnets, i.SubnetID)
	i = i.clone()
	fillID(&i.ID, m, "eni")
	i.VPCID, i.AvailabilityZone = subnet.VPCID, subnet.AvailabilityZone
	if i.MAC == "" {
		i.MAC = m.mac()
	}
	fill(&i.Type, PlainType)
	w.checkType(i)
	w.firstAddress(&i, subnet)
	w.mustHaveAddresses(&i, subnet)
	if g := w.defaultGroup(subnet.VPCID); len(i.Groups) == 0 && g != nil {
		i.Groups = []string{g.ID}
	}
	for _, id := range i.Groups {
		Must(w.Groups, id)
	}
	w.fillAttachment(m, &i)
	return put(w.Interfaces, i)
}

// defaultGroup returns the default security group of a VPC, or nil.
func (w *World) defaultGroup(vpc string) *SecurityGroup {
	for g := range w.Groups.Each() {
		if g.VPCID == vpc && g.Name == "default" {
			return g
		}
	}
	return nil
}

// mustHaveAddresses panics unless what a new interface is to hold is free in its subnet.
func (w *World) mustHaveAddresses(i *Interface, subnet *Subnet) {
	if i.Type == EFAOnlyType && len(i.PrivateAddresses)+len(i.IPv6Addresses)+len(i.Prefixes) > 0 {
		cannot("an efa-only interface has no addresses")
	}
	if len(i.PrivateAddresses) > 0 && subnet.IPv6Only() {
		cannot("the subnet " + subnet.ID + " has no IPv4 addresses")
	}
	for _, a := range i.PrivateAddresses {
		w.mustBeFree(subnet, subnet.CIDR, a.Address)
	}
	if len(i.IPv6Addresses) > 0 && subnet.IPv6CIDR == "" {
		cannot("the subnet " + subnet.ID + " has no IPv6 addresses")
	}
	for _, a := range i.IPv6Addresses {
		w.mustBeFree(subnet, subnet.IPv6CIDR, a)
	}
	if i.PrimaryIPv6 != "" && !slices.Contains(i.IPv6Addresses, i.PrimaryIPv6) {
		cannot("the interface does not hold " + i.PrimaryIPv6)
	}
	for _, p := range i.Prefixes {
		w.mustDelegate(subnet, p, append(i.IPv6Addresses, AddressesOf(i)...))
	}
}

// mustHaveRoom panics where another interface is at the device index.
func (w *World) mustHaveRoom(i Interface) {
	if i.Instance() == "" {
		return
	}
	for _, other := range w.Attached(i.Instance()) {
		if other.Attachment.DeviceIndex == i.Attachment.DeviceIndex &&
			other.Attachment.NetworkCardIndex == i.Attachment.NetworkCardIndex {
			cannot(other.ID + " is at that device index already")
		}
	}
}

// firstAddress gives the interface the address that every interface of its subnet has.
func (w *World) firstAddress(i *Interface, subnet *Subnet) {
	switch {
	case i.Type == EFAOnlyType, subnet.IPv6Only() && len(i.IPv6Addresses) > 0, i.Primary() != "":
	case subnet.IPv6Only():
		i.IPv6Addresses = w.FreeIPv6(subnet, 1)
	default:
		free := w.Free(subnet, 1)
		if len(free) == 0 {
			cannot("the subnet " + subnet.ID + " is full")
		}
		i.PrivateAddresses = slices.Insert(i.PrivateAddresses, 0, PrivateAddress{free[0], true})
	}
}

func (w *World) mustBeFree(subnet *Subnet, cidr, address string) {
	prefix, a := mustPrefix(cidr), mustAddr(address)
	if !prefix.Contains(a) || Reserved(prefix, a) ||
		w.Holder(subnet.ID, address) != nil || w.Delegatee(subnet.ID, address) != nil {
		cannot("the address " + address + " is not free in " + subnet.ID)
	}
}

// mustDelegate panics unless the block can be one interface's whole, beside its own addresses.
func (w *World) mustDelegate(subnet *Subnet, cidr string, own []string) {
	p, in, bits := mustPrefix(cidr), subnet.CIDR, 28
	if p.Addr().Is6() {
		in, bits = subnet.IPv6CIDR, 80
	}
	free := p.Bits() == bits && withinText(p, in)
	for _, eni := range w.Interfaces {
		if eni.SubnetID == subnet.ID {
			own = append(own, append(AddressesOf(eni), eni.IPv6Addresses...)...)
			free = free && !slices.ContainsFunc(eni.Prefixes, func(other string) bool {
				return mustPrefix(other).Overlaps(p)
			})
		}
	}
	inside := func(a string) bool { return p.Contains(netip.MustParseAddr(a)) }
	if !free || slices.ContainsFunc(own, inside) {
		cannot("the block " + cidr + " can't be delegated in " + subnet.ID)
	}
}

// AddInstanceWith adds an instance with its interfaces, at device indexes in the order given.
// Without one it gets one in its subnet, with source/destination check on.
func (w *World) AddInstanceWith(
	m Minter, i Instance, interfaces []Interface, now time.Time,
) *Instance {
	if len(interfaces) == 0 {
		interfaces = []Interface{{SubnetID: i.SubnetID, SourceDestCheck: true}}
	}
	i.SubnetID = interfaces[0].SubnetID
	added := w.addInstance(m, i, now)
	for n, eni := range interfaces {
		attachment := clonePointer(eni.Attachment)
		if attachment == nil {
			attachment = &Attachment{DeviceIndex: n, DeleteOnTermination: n == 0}
		}
		attachment.InstanceID = added.ID
		eni.Attachment = attachment
		w.AddInterface(m, eni)
	}
	return added
}

// addInstance adds an instance without its interfaces.
func (w *World) addInstance(m Minter, i Instance, now time.Time) *Instance {
	subnet := Must(w.Subnets, i.SubnetID)
	fillID(&i.ID, m, "i")
	i.VPCID, i.AvailabilityZone = subnet.VPCID, subnet.AvailabilityZone
	fill(&i.Type, "t3.micro")
	fill(&i.State, "running")
	fill(&i.RootDevice, "ebs")
	fill(&i.ImageID, "ami-00000000000000001")
	if _, ok := StateCodes[i.State]; !ok {
		cannot("no instance state is " + i.State)
	}
	if i.RootDevice != "ebs" && i.RootDevice != "instance-store" {
		cannot("no root device is " + i.RootDevice)
	}
	if i.LaunchTime.IsZero() {
		i.LaunchTime = now.UTC()
	}
	fillID(&i.ReservationID, m, "r")
	return put(w.Instances, i)
}

// fillAttachment completes what ties a new interface to its instance, which must be there.
func (w *World) fillAttachment(m Minter, eni *Interface) {
	a := eni.Attachment
	if a == nil {
		return
	}
	fill(&a.Status, "attached")
	if !slices.Contains([]string{"attaching", "attached", "detaching"}, a.Status) {
		cannot("no status of an attachment is " + a.Status)
	}
	if a.InstanceID == "" {
		fillID(&a.ID, m, strings.TrimSuffix(serviceAttachment, "-"))
		return
	}
	fillID(&a.ID, m, "eni-attach")
	i := Must(w.Instances, a.InstanceID)
	if i.AvailabilityZone != eni.AvailabilityZone {
		cannot("an instance cannot have interfaces in two zones")
	}
	fill(&a.InstanceOwner, w.Owner)
	if a.AttachTime.IsZero() {
		a.AttachTime = i.LaunchTime
	}
	w.mustHaveRoom(*eni)
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// AddAddress adds an Elastic IP, bound to the interface that it names.
func (w *World) AddAddress(m Minter, a Address) *Address {
	fillID(&a.AllocationID, m, "eipalloc")
	if a.InterfaceID != "" {
		eni := Must(w.Interfaces, a.InterfaceID)
		fill(&a.PrivateIP, eni.Primary())
		if !eni.Holds(a.PrivateIP) {
			cannot(a.InterfaceID + " does not hold " + a.PrivateIP)
		}
		fillID(&a.AssociationID, m, "eipassoc")
	}
	return put(w.Addresses, a)
}
