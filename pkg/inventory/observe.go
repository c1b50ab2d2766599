package inventory

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// maxFilterValues is how many ids EC2 takes in one filter.
const maxFilterValues = 200

// running is the state of an instance that is not among those that are not.
const running = "running"

// Observe reads all that the request asks for. An error means that a part of it could not be read, or that
// readings contradict each other and go on to.
func Observe(ctx context.Context, r Reader, req Request) (*Observation, error) {
	for again := false; ; again = true {
		o := &observer{r: r, req: req, all: map[string]*ec2model.Interface{}, observed: map[string]bool{}}
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
	// all are the interfaces read so far, each as it was read last; own are the ids of those that were
	// read as the node's, and observed those in the request's scope.
	all      map[string]*ec2model.Interface
	own      []string
	observed map[string]bool
	table    *ec2model.RouteTable
	// notRunning are the states of instances that are not.
	notRunning map[string]string
}

func (o *observer) read(ctx context.Context) error {
	for _, part := range []func(context.Context) error{o.readSelf, o.readScope, o.readTable, o.readStates} {
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

// contradiction finds what can't be so: an interface of the node that is in the scope and was not read there,
// an address on two interfaces.
func (o *observer) contradiction() error {
	for _, id := range o.own {
		if n := o.all[id]; o.inScope(n) && !o.observed[id] {
			return action.Refuse(protocol.Unavailable, "EC2 shows %s by itself, and not among %s; try again", id, o.scope())
		}
	}
	holders := map[string]string{}
	for _, n := range o.all {
		for _, a := range addressesOf(n) {
			at := n.VPCID + " " + a.Address.String()
			if holder, held := holders[at]; held {
				return action.Refuse(protocol.Unavailable, "EC2 shows %s on both %s and %s, as while it is being moved; try again",
					a.Address.Addr(), min(holder, n.ID), max(holder, n.ID))
			}
			holders[at] = n.ID
		}
	}
	return nil
}

// readSelf finds the node's own interface, and the others of its instance, which the scope may not have: an
// instance can have interfaces in several VPCs.
func (o *observer) readSelf(ctx context.Context) error {
	instance := ""
	if nic := o.req.NIC; nic != "" {
		err := o.r.EachInterface(ctx, nic, ec2model.InterfaceQuery{IDs: []string{nic}, Expected: true}, func(n ec2model.Interface) {
			o.self = o.keep(n)
			o.own = append(o.own, n.ID)
		})
		switch {
		case err != nil:
			return err
		case o.self == nil:
			return action.Refuse(protocol.NotFound, "cannot observe from %s, the node's own interface: it does not exist in the region; EC2 was asked twice; check selfNicRef and the region", nic)
		}
		if instance = o.self.InstanceID; instance == "" {
			return nil
		}
	} else {
		var err error
		if instance, err = o.r.InstanceID(ctx); err != nil {
			return action.Refuse(protocol.Unavailable,
				"cannot tell which interface is the node's own: the instance metadata service does not say which instance this is (%s); name the interface in selfNicRef",
				strings.Join(strings.Fields(err.Error()), " "))
		}
	}
	var own []*ec2model.Interface
	err := o.r.EachInterface(ctx, "the interfaces of "+instance, ec2model.InterfaceQuery{InstanceID: instance, Expected: true}, func(n ec2model.Interface) {
		own = append(own, o.keep(n))
		o.own = append(o.own, n.ID)
	})
	switch {
	case err != nil:
		return err
	case o.self != nil:
		return nil
	case len(own) == 0:
		return action.Refuse(protocol.NotFound, "cannot tell which interface is the node's own: EC2, asked twice, shows none of %s in this region; name it in selfNicRef", instance)
	}
	o.self = o.choose(own)
	return nil
}

// choose finds which of the node's interfaces is meant: the one in the subnet, or with an address in the
// prefix, or else the first.
func (o *observer) choose(own []*ec2model.Interface) *ec2model.Interface {
	rank := func(n *ec2model.Interface) int {
		switch {
		case o.req.Subnet != "" && n.SubnetID == o.req.Subnet:
			return 0
		case o.req.Prefix.IsValid() && slices.ContainsFunc(addressesOf(n), func(a Address) bool { return o.req.touches(a.Address) }):
			return 1
		}
		return 2
	}
	return slices.MinFunc(own, func(a, b *ec2model.Interface) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.DeviceIndex, b.DeviceIndex), cmp.Compare(a.ID, b.ID))
	})
}

// scope names what is observed: the subnet, or else the node's whole VPC.
func (o *observer) scope() string { return "the interfaces of " + cmp.Or(o.req.Subnet, o.self.VPCID) }

func (o *observer) inScope(n *ec2model.Interface) bool {
	in := n.VPCID == o.self.VPCID
	if o.req.Subnet != "" {
		in = n.SubnetID == o.req.Subnet
	}
	return in && tagged(*n, o.req.Tags)
}

// readScope reads the interfaces of the subnet, or else of the node's whole VPC.
func (o *observer) readScope(ctx context.Context) error {
	q := ec2model.InterfaceQuery{SubnetID: o.req.Subnet, Tags: o.req.Tags}
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
	return err
}

func tagged(n ec2model.Interface, tags map[string]string) bool {
	for key, want := range tags {
		if got, ok := n.Tag(key); !ok || got != want {
			return false
		}
	}
	return true
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
	if err != nil {
		return err
	}
	table.Routes = slices.DeleteFunc(table.Routes, func(r ec2model.Route) bool { return r.Target == ec2model.Local || !o.req.covers(r.Destination) })
	o.table = &table
	var missing []string
	for _, r := range table.Routes {
		if strings.HasPrefix(r.Target, "eni-") && o.all[r.Target] == nil && !slices.Contains(missing, r.Target) {
			missing = append(missing, r.Target)
		}
	}
	for ids := range slices.Chunk(missing, maxFilterValues) {
		err := o.r.EachInterface(ctx, "the interfaces that "+table.ID+" leads to", ec2model.InterfaceQuery{IDs: ids}, func(n ec2model.Interface) { o.keep(n) })
		if err != nil {
			return err
		}
	}
	return nil
}

// readTableOfSubnet reads the table that the subnet uses, which may be in another VPC than the node.
func (o *observer) readTableOfSubnet(ctx context.Context) (ec2model.RouteTable, error) {
	subnet := ec2model.Subnet{ID: o.self.SubnetID, VPCID: o.self.VPCID}
	if o.req.Subnet != "" && o.req.Subnet != subnet.ID {
		var err error
		if subnet, err = o.r.DescribeSubnet(ctx, o.req.Subnet); err != nil {
			return ec2model.RouteTable{}, err
		}
	}
	return o.r.DescribeRouteTableOf(ctx, subnet.VPCID, subnet.ID)
}

// readStates reads which instances are not running: there are far fewer than of all.
func (o *observer) readStates(ctx context.Context) error {
	for _, n := range o.all {
		if n.InstanceID != "" {
			o.notRunning = map[string]string{}
			return o.r.EachNotRunning(ctx, func(instance, state string) { o.notRunning[instance] = state })
		}
	}
	return nil
}

func (o *observer) state(n *ec2model.Interface) string {
	if n == nil || n.InstanceID == "" {
		return ""
	}
	return cmp.Or(o.notRunning[n.InstanceID], running)
}

// local tells whether an interface is the node's own.
func (o *observer) local(n *ec2model.Interface) bool {
	return n.ID == o.self.ID || n.InstanceID != "" && n.InstanceID == o.self.InstanceID
}

// observation puts together what was read.
func (o *observer) observation() *Observation {
	result := &Observation{Self: o.self, Captured: o.captured()}
	for _, n := range o.all {
		observed, local := o.observed[n.ID], o.local(n)
		if !observed && !local {
			continue
		}
		for _, a := range addressesOf(n) {
			if o.req.touches(a.Address) {
				a.Interface, a.State, a.Observed, a.Local = n, o.state(n), observed, local
				result.Addresses = append(result.Addresses, a)
			}
		}
	}
	slices.SortFunc(result.Addresses, func(a, b Address) int {
		return cmp.Or(comparePrefixes(a.Address, b.Address), cmp.Compare(a.Interface.ID, b.Interface.ID))
	})
	if o.table != nil {
		result.Table, result.ToLists = o.table.ID, o.table.ToLists
		for _, r := range o.table.Routes {
			n := o.all[r.Target]
			result.Routes = append(result.Routes, Route{Route: r, Interface: n, State: o.state(n)})
		}
		slices.SortStableFunc(result.Routes, func(a, b Route) int {
			return cmp.Or(comparePrefixes(a.Destination, b.Destination), cmp.Compare(a.Target, b.Target))
		})
	}
	return result
}

// captured are the addresses that the node's own interface holds beside its primary ones, or what is
// routed to it. What is propagated to it is nobody's to let go.
func (o *observer) captured() []string {
	var all []netip.Prefix
	if !o.req.ByRoute {
		for _, a := range addressesOf(o.self) {
			if !a.Primary && !a.Delegated && o.req.touches(a.Address) {
				all = append(all, a.Address)
			}
		}
	} else {
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

// addressesOf are the addresses of an interface, its primary one first, and then the blocks that are its whole.
func addressesOf(n *ec2model.Interface) []Address {
	var all []Address
	for _, text := range append(append([]string{n.Primary}, n.Secondary...), n.IPv6...) {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, Address{Address: netip.PrefixFrom(a, a.BitLen()), Primary: n.HasAsPrimary(text)})
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
