package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// maxFilterValues is how many ids EC2 takes in one filter.
const maxFilterValues = 200

// describeSubnets is the only permission that the inventory goes on without.
const describeSubnets = "ec2:DescribeSubnets"

// Observe reads all that the request asks for. An error means that a part of it could not be read,
// or that readings contradict each other even when they are repeated.
func Observe(ctx context.Context, r Reader, req Request) (*Observation, error) {
	for again := false; ; again = true {
		o := newObserver(r, req)
		if err := o.read(ctx); err != nil {
			return nil, err
		}
		err := o.contradiction()
		if err == nil {
			return o.observation(), nil
		}
		if again || !sleep(ctx, readAgain) {
			return nil, err
		}
	}
}

// readAgain is how long readings that contradict each other are left to settle.
const readAgain = 200 * time.Millisecond

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

type observer struct {
	r   Reader
	req Request

	self *ec2model.Interface
	// all are the interfaces read so far, each as it was read last.
	all map[string]*ec2model.Interface
	// own are the ids of those that were read as the node's, observed of those in the scope.
	own      []string
	observed map[string]bool
	table    *ec2model.RouteTable
	// instances are those that the interfaces in all are on.
	instances map[string]ec2model.InstanceSummary
	holders   map[string]*Holder
	notRead   []string
}

func newObserver(r Reader, req Request) *observer {
	return &observer{
		r: r, req: req,
		all: map[string]*ec2model.Interface{}, observed: map[string]bool{},
		instances: map[string]ec2model.InstanceSummary{}, holders: map[string]*Holder{},
	}
}

func (o *observer) read(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		o.readSelf, o.readScope, o.readTable, o.readInstances,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o *observer) keep(n ec2model.Interface) *ec2model.Interface {
	o.all[n.ID] = &n
	if o.self != nil && o.self.ID == n.ID {
		o.self = &n
	}
	return &n
}

// contradiction finds what can't be so. An interface of the node that is in the scope was not read
// there. An instance that has an interface was not read. An address is on two interfaces.
func (o *observer) contradiction() error {
	for _, id := range o.own {
		if n := o.all[id]; o.inScope(n) && !o.observed[id] {
			return protocol.Refuse(protocol.Unavailable,
				"EC2 shows %s by itself, and not among %s; try again", id, o.scope())
		}
	}
	if missing := o.unreadInstances(); len(missing) > 0 {
		return protocol.Refuse(protocol.Unavailable,
			"EC2 shows an interface on %s, and does not show that instance; try again", missing[0])
	}
	return o.addressOnTwo()
}

func (o *observer) addressOnTwo() error {
	holders := map[string]string{}
	for _, n := range o.all {
		for _, a := range addressesOf(n) {
			at := n.VPCID + " " + a.Address.String()
			if holder, held := holders[at]; held {
				return protocol.Refuse(protocol.Unavailable,
					"EC2 shows %s on both %s and %s, as while it is being moved; try again",
					a.Address.Addr(), min(holder, n.ID), max(holder, n.ID))
			}
			holders[at] = n.ID
		}
	}
	return nil
}

// readSelf finds the node's own interface: the one that the request names, or one of the instance
// that this program runs on.
func (o *observer) readSelf(ctx context.Context) error {
	if o.req.NIC != "" {
		return o.readNamedSelf(ctx, o.req.NIC)
	}
	instance, err := o.r.InstanceID(ctx)
	if err != nil {
		return protocol.Refuse(protocol.Unavailable, "cannot tell which interface is the node's own: "+
			"the instance metadata service does not say which instance this is (%s); "+
			"name the interface in selfNicRef", strings.Join(strings.Fields(err.Error()), " "))
	}
	var own []*ec2model.Interface
	q := ec2model.InterfaceQuery{InstanceID: instance, Expected: true}
	err = o.r.EachInterface(ctx, "the interfaces of "+instance, q, func(n ec2model.Interface) {
		own = append(own, o.keep(n))
		o.own = append(o.own, n.ID)
	})
	switch {
	case err != nil:
		return err
	case len(own) == 0:
		return protocol.Refuse(protocol.NotFound, "cannot tell which interface is the node's own: "+
			"EC2, asked twice, shows none of %s in this region; name it in selfNicRef", instance)
	}
	o.self = o.choose(own)
	return nil
}

func (o *observer) readNamedSelf(ctx context.Context, nic string) error {
	q := ec2model.InterfaceQuery{IDs: []string{nic}, Expected: true}
	err := o.r.EachInterface(ctx, nic, q, func(n ec2model.Interface) {
		o.self = o.keep(n)
		o.own = append(o.own, n.ID)
	})
	if err == nil && o.self == nil {
		return protocol.Refuse(protocol.NotFound, "cannot observe from %s, the node's own interface: "+
			"it does not exist in the region; EC2 was asked twice; check selfNicRef and the region", nic)
	}
	return err
}

// choose finds which of the node's interfaces is meant: the one in the subnet, or with an address
// in the prefix, or else the first.
func (o *observer) choose(own []*ec2model.Interface) *ec2model.Interface {
	inPrefix := func(a Address) bool { return o.req.touches(a.Address) }
	rank := func(n *ec2model.Interface) int {
		switch {
		case o.req.Subnet != "" && n.SubnetID == o.req.Subnet:
			return 0
		case o.req.Prefix.IsValid() && slices.ContainsFunc(addressesOf(n), inPrefix):
			return 1
		}
		return 2
	}
	return slices.MinFunc(own, func(a, b *ec2model.Interface) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.DeviceIndex, b.DeviceIndex),
			cmp.Compare(a.ID, b.ID))
	})
}

// scope names what is observed: the subnet, or else the node's whole VPC.
func (o *observer) scope() string {
	return "the interfaces of " + cmp.Or(o.req.Subnet, o.self.VPCID)
}

func (o *observer) inScope(n *ec2model.Interface) bool {
	if o.req.Subnet != "" {
		return n.SubnetID == o.req.Subnet
	}
	return n.VPCID == o.self.VPCID
}

// readScope reads the interfaces of the subnet, or else of the node's whole VPC.
func (o *observer) readScope(ctx context.Context) error {
	q := ec2model.InterfaceQuery{SubnetID: o.req.Subnet}
	if o.req.Subnet == "" {
		q.VPCID = o.self.VPCID
	}
	err := o.r.EachInterface(ctx, o.scope(), q, func(n ec2model.Interface) {
		if o.inScope(&n) {
			o.observed[o.keep(n).ID] = true
		}
	})
	if err != nil || len(o.observed) > 0 || o.req.Subnet == "" || o.self.SubnetID == o.req.Subnet {
		return err
	}
	// Nothing in the subnet, or no such subnet: these are not the same.
	_, err = o.r.DescribeSubnet(ctx, o.req.Subnet)
	if isDenied(err) {
		o.notRead = append(o.notRead, "whether "+o.req.Subnet+", which shows no interface, exists ("+
			describeSubnets+" is not allowed)")
		return nil
	}
	return err
}

// isDenied reports whether EC2 refused the call to this identity.
func isDenied(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.Authorization
}

// readTable reads the route table, when one is named or addresses are captured by routes, and the
// interfaces that it leads to.
func (o *observer) readTable(ctx context.Context) error {
	var table ec2model.RouteTable
	var err error
	switch {
	case o.req.Table != "":
		table, err = o.r.DescribeRouteTable(ctx, o.req.Table)
	case o.req.ByRoute:
		table, err = o.readTableOfSubnet(ctx)
	default:
		return nil
	}
	if err != nil || table.ID == "" {
		return err
	}
	table.Routes = slices.DeleteFunc(table.Routes, func(r ec2model.Route) bool {
		return r.Target == ec2model.Local || !o.req.covers(r.Destination)
	})
	o.table = &table
	var missing []string
	for _, r := range table.Routes {
		if strings.HasPrefix(r.Target, "eni-") && o.all[r.Target] == nil {
			missing = append(missing, r.Target)
		}
	}
	slices.Sort(missing)
	for ids := range slices.Chunk(slices.Compact(missing), maxFilterValues) {
		what, q := "the interfaces that "+table.ID+" leads to", ec2model.InterfaceQuery{IDs: ids}
		err := o.r.EachInterface(ctx, what, q, func(n ec2model.Interface) { o.keep(n) })
		if err != nil {
			return err
		}
	}
	return nil
}

// readTableOfSubnet reads the table that the subnet uses, which may be in another VPC than the
// node. It has no id where that can't be told.
func (o *observer) readTableOfSubnet(ctx context.Context) (ec2model.RouteTable, error) {
	subnet := cmp.Or(o.req.Subnet, o.self.SubnetID)
	for _, n := range o.all {
		if n.SubnetID == subnet {
			return o.r.DescribeRouteTableOf(ctx, n.VPCID, subnet)
		}
	}
	found, err := o.r.DescribeSubnet(ctx, subnet)
	if !isDenied(err) {
		if err != nil {
			return ec2model.RouteTable{}, err
		}
		return o.r.DescribeRouteTableOf(ctx, found.VPCID, subnet)
	}
	table, err := o.r.DescribeRouteTableOf(ctx, "", subnet)
	var f *protocol.Failure
	if errors.As(err, &f) && f.Class == protocol.NotFound {
		o.notRead = append(
			o.notRead,
			"the routes of "+subnet+", which uses the main table of a VPC that "+
				"is not known ("+describeSubnets+" is not allowed; name the table in routeTableRef)",
		)
		return ec2model.RouteTable{}, nil
	}
	return table, err
}

// readInstances reads the instances that the interfaces are on: few by their ids, many by where
// they are.
func (o *observer) readInstances(ctx context.Context) error {
	each := func(i ec2model.InstanceSummary) { o.instances[i.ID] = i }
	if len(o.unreadInstances()) > maxFilterValues {
		q := ec2model.InstanceQuery{SubnetID: o.req.Subnet}
		if o.req.Subnet == "" {
			q.VPCID = o.self.VPCID
		}
		what := "the instances of " + cmp.Or(o.req.Subnet, o.self.VPCID)
		if err := o.r.EachInstance(ctx, what, q, each); err != nil {
			return err
		}
	}
	for ids := range slices.Chunk(o.unreadInstances(), maxFilterValues) {
		what, q := "the instances of the interfaces", ec2model.InstanceQuery{IDs: ids}
		if err := o.r.EachInstance(ctx, what, q, each); err != nil {
			return err
		}
	}
	return nil
}

// unreadInstances are those that an interface is on and that were not read, in the order of ids.
// In a shared VPC there are interfaces of other accounts, whose instances this one can't read.
func (o *observer) unreadInstances() []string {
	var ids []string
	for _, n := range o.all {
		if _, read := o.instances[n.InstanceID]; !read && n.InstanceID != "" && !o.isForeign(n) {
			ids = append(ids, n.InstanceID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// isForeign reports whether an interface belongs to another account than the node's own.
func (o *observer) isForeign(n *ec2model.Interface) bool { return n.OwnerID != o.self.OwnerID }

// isOwn reports whether an interface is one of the node's.
func (o *observer) isOwn(n *ec2model.Interface) bool {
	return n.ID == o.self.ID || n.InstanceID != "" && n.InstanceID == o.self.InstanceID
}

// holder describes an interface.
func (o *observer) holder(n *ec2model.Interface) *Holder {
	if h := o.holders[n.ID]; h != nil {
		return h
	}
	i := o.instances[n.InstanceID]
	tags := merged(n.Tags, i.Tags)
	h := &Holder{
		Interface: n, Tags: tags, State: i.State,
		Type: typeOf(n, tags, o.isOwn(n)), Selected: haveAll(tags, o.req.Tags),
	}
	o.holders[n.ID] = h
	return h
}

// observation puts together what was read.
func (o *observer) observation() *Observation {
	result := &Observation{Self: o.holder(o.self), Captured: o.captured(), NotRead: o.notRead}
	foreign := 0
	for id := range o.observed {
		n := o.all[id]
		if n.InstanceID != "" && o.isForeign(n) {
			foreign++
		}
		for _, a := range addressesOf(n) {
			a.Holder, a.InPrefix = o.holder(n), o.req.touches(a.Address)
			result.Addresses = append(result.Addresses, a)
		}
	}
	if foreign > 0 {
		result.NotRead = append(result.NotRead, fmt.Sprintf(
			"states and tags of the instances of %d interfaces, which other accounts own", foreign))
	}
	slices.SortFunc(result.Addresses, func(a, b Address) int {
		return cmp.Or(comparePrefixes(a.Address, b.Address), cmp.Compare(a.Holder.ID, b.Holder.ID))
	})
	if o.table != nil {
		result.Table, result.ToLists = o.table.ID, o.table.ToLists
		for _, r := range o.table.Routes {
			route := Route{Route: r}
			if n := o.all[r.Target]; n != nil {
				route.Holder = o.holder(n)
			}
			result.Routes = append(result.Routes, route)
		}
		slices.SortStableFunc(result.Routes, func(a, b Route) int {
			return cmp.Or(comparePrefixes(a.Destination, b.Destination), cmp.Compare(a.Target, b.Target))
		})
	}
	return result
}

// captured are the addresses that the node's own interface holds beside its primary ones, or what
// is routed to it. What is propagated to it is nobody's to take away. It is nil where the routes
// were not read.
func (o *observer) captured() []string {
	var all []netip.Prefix
	switch {
	case !o.req.ByRoute:
		for _, a := range addressesOf(o.self) {
			if !a.Primary && !a.Delegated && o.req.touches(a.Address) {
				all = append(all, a.Address)
			}
		}
	case o.table == nil:
		return nil
	default:
		for _, r := range o.table.Routes {
			if r.Target == o.self.ID && (r.Static || r.Own) {
				all = append(all, r.Destination)
			}
		}
	}
	slices.SortFunc(all, comparePrefixes)
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
		if !o.req.ByRoute {
			texts[i] = p.Addr().String()
		}
	}
	return texts
}

// addressesOf are the addresses of an interface, its primary one first, and then the blocks that
// are delegated to it. EC2 need not mark the primary address of an interface without IPv4; it is
// the first one then, as instance metadata has it.
func addressesOf(n *ec2model.Interface) []Address {
	var all []Address
	unmarked := n.Primary == "" && n.PrimaryIPv6 == ""
	for _, text := range slices.Concat([]string{n.Primary}, n.Secondary, n.IPv6) {
		if a, err := netip.ParseAddr(text); err == nil {
			primary := n.HasAsPrimary(text) || unmarked && len(all) == 0
			all = append(all, Address{Address: netip.PrefixFrom(a, a.BitLen()), Primary: primary})
		}
	}
	for _, p := range n.Prefixes {
		all = append(all, Address{Address: p, Delegated: true})
	}
	return all
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
