package inventory

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// maxFilterValues is how many ids EC2 takes in one filter.
const maxFilterValues = 200

// running is the state of an instance that is not among those that are not.
const running = "running"

// Observe reads all that the request asks for. An error means that a part of it could not be read.
func Observe(ctx context.Context, r Reader, req Request) (*Observation, error) {
	o := &observer{r: r, req: req, all: map[string]*ec2model.Interface{}, observed: map[string]bool{}}
	if err := o.readSelf(ctx); err != nil {
		return nil, err
	}
	if err := o.readScope(ctx); err != nil {
		return nil, err
	}
	if err := o.readTable(ctx); err != nil {
		return nil, err
	}
	if err := o.readStates(ctx); err != nil {
		return nil, err
	}
	return o.observation(), nil
}

type observer struct {
	r   Reader
	req Request

	self *ec2model.Interface
	// all are the interfaces read so far, and observed those in the request's scope.
	all      map[string]*ec2model.Interface
	observed map[string]bool
	table    *ec2model.RouteTable
	// notRunning are the states of instances that are not.
	notRunning map[string]string
}

func (o *observer) keep(n ec2model.Interface) *ec2model.Interface {
	if known := o.all[n.ID]; known != nil {
		return known
	}
	o.all[n.ID] = &n
	return &n
}

// readSelf finds the node's own interface, and the others of its instance where the scope may not
// have them.
func (o *observer) readSelf(ctx context.Context) error {
	instance := ""
	if nic := o.req.NIC; nic != "" {
		err := o.r.EachInterface(ctx, nic, ec2model.InterfaceQuery{IDs: []string{nic}}, func(n ec2model.Interface) { o.self = o.keep(n) })
		switch {
		case err != nil:
			return err
		case o.self == nil:
			return action.Refuse(protocol.NotFound, "cannot observe from %s, the node's own interface: it does not exist in the region", nic)
		}
		if instance = o.self.InstanceID; instance == "" || o.req.Subnet == "" && len(o.req.Tags) == 0 {
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
	err := o.r.EachInterface(ctx, "the interfaces of "+instance, ec2model.InterfaceQuery{InstanceID: instance}, func(n ec2model.Interface) {
		own = append(own, o.keep(n))
	})
	switch {
	case err != nil:
		return err
	case o.self != nil:
		return nil
	case len(own) == 0:
		return action.Refuse(protocol.NotFound, "cannot tell which interface is the node's own: EC2 shows none of %s in this region; name it in selfNicRef", instance)
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
		case o.req.Prefix.IsValid() && slices.ContainsFunc(addressesOf(n), o.req.contains):
			return 1
		}
		return 2
	}
	return slices.MinFunc(own, func(a, b *ec2model.Interface) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.DeviceIndex, b.DeviceIndex), cmp.Compare(a.ID, b.ID))
	})
}

// readScope reads the interfaces of the subnet, or else of the node's whole VPC.
func (o *observer) readScope(ctx context.Context) error {
	q, what := ec2model.InterfaceQuery{VPCID: o.self.VPCID, Tags: o.req.Tags}, "the interfaces of "+o.self.VPCID
	if o.req.Subnet != "" {
		q.VPCID, q.SubnetID, what = "", o.req.Subnet, "the interfaces of "+o.req.Subnet
	}
	err := o.r.EachInterface(ctx, what, q, func(n ec2model.Interface) {
		if !tagged(n, o.req.Tags) {
			return
		}
		o.observed[o.keep(n).ID] = true
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
		subnet := cmp.Or(o.req.Subnet, o.self.SubnetID)
		table, err = o.r.DescribeRouteTableOf(ctx, o.self.VPCID, subnet)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	table.Routes = slices.DeleteFunc(table.Routes, func(r ec2model.Route) bool { return r.Own || !o.req.covers(r.Destination) })
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
			if o.req.contains(a) {
				result.Addresses = append(result.Addresses, Address{
					Address: a, Primary: n.HasAsPrimary(a), Interface: n, State: o.state(n), Observed: observed, Local: local,
				})
			}
		}
	}
	slices.SortFunc(result.Addresses, func(a, b Address) int {
		return cmp.Or(compareAddresses(a.Address, b.Address), cmp.Compare(a.Interface.ID, b.Interface.ID))
	})
	if o.table != nil {
		result.Table = o.table.ID
		for _, r := range o.table.Routes {
			n := o.all[r.Target]
			result.Routes = append(result.Routes, Route{Route: r, Interface: n, State: o.state(n)})
		}
		slices.SortStableFunc(result.Routes, func(a, b Route) int {
			return cmp.Or(a.Destination.Addr().Compare(b.Destination.Addr()), cmp.Compare(a.Destination.Bits(), b.Destination.Bits()), cmp.Compare(a.Target, b.Target))
		})
	}
	return result
}

// captured are what the node's own interface holds beside its primary addresses, or what is routed to it.
func (o *observer) captured() []string {
	var all []string
	if !o.req.ByRoute {
		for _, a := range addressesOf(o.self) {
			if !o.self.HasAsPrimary(a) && o.req.contains(a) {
				all = append(all, a)
			}
		}
		slices.SortFunc(all, compareAddresses)
		return all
	}
	for _, r := range o.table.Routes {
		if r.Target == o.self.ID {
			all = append(all, r.Destination.String())
		}
	}
	slices.Sort(all)
	return all
}

func addressesOf(n *ec2model.Interface) []string {
	var all []string
	if n.Primary != "" {
		all = append(all, n.Primary)
	}
	return append(append(all, n.Secondary...), n.IPv6...)
}

func compareAddresses(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}
