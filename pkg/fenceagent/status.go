package fenceagent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// standing is what an instance is to a cluster.
type standing string

const (
	isOn    standing = "on"
	offNow  standing = "off"
	unknown standing = "unknown"
)

// foresee asks what the fence would do now. It changes nothing, and may be asked of this machine.
func (r *run) foresee(t target) (protocol.Status, error) {
	i, err := r.placed(t)
	if err != nil {
		return protocol.Status{}, err
	}
	params, err := r.offParams(i)
	if err != nil {
		return protocol.Status{}, err
	}
	key := r.offKey(t.id, params)
	params = maps.Clone(params)
	params[paramSkipCheck] = "true"
	return r.ask(verbOff, protocol.DryRun, key, t.id, params)
}

// isOpen reports whether a result tells that an interface has other groups than the fence leaves.
// An instance that is starting can't be fenced yet, and only for that.
func isOpen(s protocol.Status) bool {
	return s.Status == protocol.Succeeded && s.Observed[factFenced] == "false" ||
		class(s) == string(protocol.Unavailable) && s.Observed[factState] == "pending"
}

// status tells by their groups if the instances are on or off. It is on while one is.
func (r *run) status() (int, error) {
	targets, err := r.targets()
	if err != nil {
		return exitFailed, err
	}
	all := offNow
	for _, t := range targets {
		s, err := r.foresee(t)
		switch {
		case err != nil:
			return exitFailed, err
		case isOff(s):
		case isOpen(s):
			all = isOn
		default:
			return exitFailed, refusal(s)
		}
	}
	r.say("Status: " + strings.ToUpper(string(all)))
	if all == offNow {
		return exitOff, nil
	}
	return exitDone, nil
}

// monitor asks for what a fence will need: that EC2 answers, that the groups exist and, of the
// instances that are named, that they can be fenced and that this identity may do it.
func (r *run) monitor() (int, error) {
	if len(r.plugs()) == 0 {
		return r.monitorAll()
	}
	targets, err := r.targets()
	if err != nil {
		return exitFailed, err
	}
	for _, t := range targets {
		s, err := r.foresee(t)
		switch {
		case err != nil:
			return exitFailed, err
		case !isOff(s) && !isOpen(s):
			return exitFailed, refusal(s)
		}
		i, err := r.read(t.id)
		if err == nil {
			err = r.mayFence(i)
		}
		if err != nil {
			return exitFailed, err
		}
	}
	return exitDone, nil
}

// monitorAll asks for a few instances, never for all of them. Which of them are nodes of the
// cluster only a filter tells.
func (r *run) monitorAll() (int, error) {
	ctx, cancel := r.calls()
	defer cancel()
	ec2, err := r.ec2()
	if err != nil {
		return exitFailed, err
	}
	found, err := ec2.SomeInstances(ctx, "ask for instances", r.filter()...)
	if err == nil {
		err = r.groupsExist()
	}
	isGone := func(i ec2model.Instance) bool { return i.State == terminated }
	inForce := slices.DeleteFunc(found, isGone)
	switch filter := r.in.text(optFilter); {
	case err != nil:
		return exitFailed, err
	case filter == "":
		return exitDone, nil
	case len(inForce) == 0:
		return exitFailed, errors.New("no instance has the filter " + protocol.Quote(filter))
	}
	if err := r.mayFence(inForce[0]); err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

// named are all groups that the options name.
func (in *input) named() []string {
	var all []string
	for _, o := range in.table {
		v := in.value(o.name)
		if v != "" && (o.name == optGroups || strings.HasSuffix(o.name, "_sg")) {
			all = append(all, strings.Split(groupList(v), ",")...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// groupsExist refuses options that name a group which does not exist.
func (r *run) groupsExist() error {
	ctx, cancel := r.calls()
	defer cancel()
	ec2, err := r.ec2()
	if err != nil {
		return err
	}
	named := r.in.named()
	found, err := ec2.DescribeSecurityGroups(ctx, named...)
	if err != nil {
		return err
	}
	absent := slices.DeleteFunc(named, func(id string) bool {
		return slices.ContainsFunc(found, func(g ec2model.SecurityGroup) bool { return g.ID == id })
	})
	if len(absent) > 0 {
		return fmt.Errorf("no security group is %s; look at the ids and the region",
			strings.Join(absent, ", "))
	}
	return nil
}

// list lists the instances that could be named by plug.
func (r *run) list(withStatus bool) (int, error) {
	ctx, cancel := r.calls()
	defer cancel()
	ec2, err := r.ec2()
	if err != nil {
		return exitFailed, err
	}
	found, err := ec2.FindInstances(ctx, "list instances", r.filter()...)
	if err != nil {
		return exitFailed, err
	}
	slices.SortFunc(found, func(a, b ec2model.Instance) int { return strings.Compare(a.ID, b.ID) })
	found = slices.CompactFunc(found, func(a, b ec2model.Instance) bool { return a.ID == b.ID })
	between := r.in.text(optSep)
	for _, i := range found {
		if i.State == terminated {
			continue
		}
		name := strings.ReplaceAll(i.Tags[r.in.text(optPlugTag)], between, " ")
		line := i.ID + between + name
		if withStatus {
			line += between + string(r.standing(i))
		}
		r.say(line)
	}
	return exitDone, nil
}

// standing is what an instance is by its groups and state, as they were listed.
func (r *run) standing(i ec2model.Instance) standing {
	if i.State == "stopped" && !r.in.bool(optAnyState) || i.State == terminated {
		return offNow
	}
	fence, err := r.fenceOf(i)
	if err != nil || len(i.Interfaces) == 0 {
		return unknown
	}
	closed := 0
	for _, n := range i.Interfaces {
		if fence(n) {
			closed++
		}
	}
	switch {
	case closed < len(i.Interfaces):
		return isOn
	case r.removes():
		// That no interface has the groups may be a fence, or a mistyped group.
		return unknown
	}
	return offNow
}

// removes reports whether the fence takes groups away, and does not give any.
func (r *run) removes() bool {
	return r.in.value(optGroups) != "" && !r.in.bool(optInvert)
}

// fenceOf returns a function that reports whether an interface of the instance has the groups
// that a fence leaves: those that it gives, or none of those that it removes.
func (r *run) fenceOf(i ec2model.Instance) (func(ec2model.InstanceInterface) bool, error) {
	if named := r.in.value(optGroups); named != "" {
		groups := sorted(named)
		if r.in.bool(optInvert) {
			return func(n ec2model.InstanceInterface) bool { return slices.Equal(n.Groups, groups) }, nil
		}
		return func(n ec2model.InstanceInterface) bool {
			return !slices.ContainsFunc(n.Groups, func(g string) bool { return slices.Contains(groups, g) })
		}, nil
	}
	exact, err := r.in.exactGroups(i)
	return func(n ec2model.InstanceInterface) bool {
		given := exact[exactParam(n.Index)]
		return given != "" && slices.Equal(n.Groups, sorted(given))
	}, err
}

// sorted are the groups of a list.
func sorted(list string) []string {
	groups := strings.Split(groupList(list), ",")
	slices.Sort(groups)
	return slices.Compact(groups)
}

// closed are the interfaces of an instance, read now, that have the groups that the fence gives.
// All reports whether every interface of it is one.
// Where a fence removes groups, and an interface has none of those, nothing tells that one from an
// interface that never had them; after a drift it counts as closed.
func (r *run) closed(id string) (closed []string, all bool, err error) {
	if r.in.value(optGroups) == "" && !r.in.hasExact() {
		return nil, false, nil
	}
	i, err := r.read(id)
	if err != nil {
		return nil, false, err
	}
	fence, err := r.fenceOf(i)
	if err != nil {
		return nil, false, err
	}
	for _, n := range i.Interfaces {
		if fence(n) {
			closed = append(closed, n.ID)
		}
	}
	return closed, len(closed) == len(i.Interfaces), nil
}
