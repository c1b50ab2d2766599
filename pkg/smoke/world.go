package smoke

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what a run reads the world with. It is another one than the executor's.
type Reader interface {
	DescribeTags(ctx context.Context, ids ...string) (map[string]map[string]string, error)
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeRouteTable(ctx context.Context, id string) (ec2model.RouteTable, error)
	EachInterface(
		ctx context.Context, what string, q ec2model.InterfaceQuery, each func(ec2model.Interface),
	) error
	DescribeNetworkInterfacesWithAddress(
		ctx context.Context, vpc, address string,
	) ([]ec2model.NetworkInterface, error)
}

// State is what was read of the world: values by "resource attribute". Resources, attributes and
// values are those that executors tell in plans.
type State map[string]string

// at is the key of an attribute.
func at(resource, attribute string) string { return resource + " " + attribute }

// Differences tells what is not as it was before, in order.
func (s State) Differences(before State) []string {
	all := maps.Clone(before)
	maps.Copy(all, s)
	var told []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, is := before.value(key), s.value(key)
		if was != is {
			told = append(told, fmt.Sprintf("%s is %s, and was %s", key, is, was))
		}
	}
	return told
}

func (s State) value(key string) string {
	if v, ok := s[key]; ok {
		return strconv.Quote(v)
	}
	return "absent"
}

// look reads everything of the world that the requests name, and what hangs on it: the instance of
// an interface, and whoever holds an address.
func look(
	ctx context.Context, r Reader, names *action.Registry, requests []protocol.Request,
) (State, error) {
	l := looking{Reader: r, state: State{}, seen: map[string]bool{}}
	for _, q := range requests {
		for _, x := range names.Resources(q.Target) {
			if err := l.resource(ctx, x.Kind, x.ID); err != nil {
				return nil, err
			}
		}
		if err := l.address(ctx, q.Target); err != nil {
			return nil, err
		}
	}
	return l.state, nil
}

// looking is one look at the world.
type looking struct {
	Reader
	state State
	seen  map[string]bool
}

func (l looking) resource(ctx context.Context, kind action.Kind, id string) error {
	if l.seen[id] {
		return nil
	}
	l.seen[id] = true
	switch kind {
	case action.NetworkInterface:
		_, err := l.nic(ctx, id)
		return err
	case action.Instance:
		return l.instance(ctx, id)
	case action.RouteTable:
		return l.table(ctx, id)
	}
	return nil
}

// nic reads an interface, and its instance.
func (l looking) nic(ctx context.Context, id string) (ec2model.Interface, error) {
	var found ec2model.Interface
	q := ec2model.InterfaceQuery{IDs: []string{id}, Expected: true}
	err := l.EachInterface(ctx, id, q, func(n ec2model.Interface) { found = n })
	if err != nil {
		return found, err
	}
	l.network(found.NetworkInterface)
	for _, t := range found.Tags {
		l.state[at(id, "tag "+t.Key)] = t.Value
	}
	if found.InstanceID == "" || l.seen[found.InstanceID] {
		return found, nil
	}
	l.seen[found.InstanceID] = true
	return found, l.instance(ctx, found.InstanceID)
}

func (l looking) network(n ec2model.NetworkInterface) {
	if n.ID == "" {
		return
	}
	addresses := slices.Concat([]string{n.Primary}, n.Secondary, n.IPv6)
	slices.Sort(addresses)
	l.state[at(n.ID, "addresses")] = strings.Join(addresses, ",")
	if n.SourceDestCheck != nil {
		l.state[at(n.ID, "sourceDestCheck")] = strconv.FormatBool(*n.SourceDestCheck)
	}
}

func (l looking) instance(ctx context.Context, id string) error {
	i, err := l.DescribeInstance(ctx, id)
	if err != nil {
		return err
	}
	power := map[string]string{"running": "on", "stopped": "off"}[i.State]
	if power == "" {
		power = i.State
	}
	l.state[at(id, "power")] = power
	l.state[at(id, "publicAddress")] = i.LostAddress
	for key, value := range i.Tags {
		l.state[at(id, "tag "+key)] = value
	}
	for _, n := range i.Interfaces {
		l.state[at(n.ID, "securityGroups")] = strings.Join(n.Groups, ",")
	}
	return nil
}

func (l looking) table(ctx context.Context, id string) error {
	t, err := l.DescribeRouteTable(ctx, id)
	if err != nil {
		return err
	}
	for _, r := range t.Routes {
		l.state[at(id+"/"+r.Destination.String(), "target")] = r.Target
	}
	return nil
}

// address reads who holds the address that a request is about, and the interface of that holder.
// What is a network, or is routed, has no holder.
func (l looking) address(ctx context.Context, target map[string]string) error {
	nic, bare := target["nicRef"], strings.TrimSuffix(target["address"], "/32")
	ip, err := netip.ParseAddr(strings.TrimSuffix(bare, "/128"))
	if err != nil || nic == "" {
		return nil
	}
	n, err := l.nic(ctx, nic)
	if err != nil {
		return err
	}
	holders, err := l.DescribeNetworkInterfacesWithAddress(ctx, n.VPCID, ip.String())
	if err != nil {
		return err
	}
	holder := "none"
	if n.Has(ip.String()) {
		holder = n.ID
	}
	for _, h := range holders {
		holder = h.ID
		if err := l.resource(ctx, action.NetworkInterface, h.ID); err != nil {
			return err
		}
	}
	l.state[at(n.VPCID+"/"+ip.String(), "holder")] = holder
	return nil
}

// reached tells what of a plan is not as it says, and which attributes no reading here shows.
func (s State) reached(plan []protocol.Change) (wrong, unseen []string) {
	for _, c := range plan {
		key := at(c.Resource, c.Attribute)
		value, known := s[key]
		// A route that is not there is in no table.
		if !known && c.Attribute == "target" {
			value, known = "none", true
		}
		switch {
		case !known:
			unseen = append(unseen, key)
		case value != c.To:
			wrong = append(wrong, fmt.Sprintf("%s is %s, want %s", key, value, c.To))
		}
	}
	return wrong, unseen
}

// changed are the resources that a plan changes or takes something from, of the kinds that have
// tags.
func changed(plan []protocol.Change) []string {
	var ids []string
	for _, c := range plan {
		for _, text := range []string{c.Resource, c.From, c.To} {
			id, _, _ := strings.Cut(text, "/")
			if owned(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// owned reports whether a text is the id of something that a lab has of its own.
func owned(id string) bool {
	for _, f := range []action.Form{action.InterfaceID, action.InstanceID, action.RouteTableID} {
		if _, err := f.Canonical(id); err == nil {
			return true
		}
	}
	return false
}
