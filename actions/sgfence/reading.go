package sgfence

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// The attributes of transitions.
const (
	attrGroups = "securityGroups"
	attrBackup = "fenceBackup"
	attrPower  = "power"
	// attrLastFence is the tag lastfence where it alone goes.
	attrLastFence = "lastFence"
)

// The values of an attribute.
const (
	on, off = "on", "off"
	// leftOver is the value of backup tags that no lastfence names.
	leftOver = "leftOver"
	// detached is the value of an interface that is not the instance's any more.
	detached = "detached"
)

// reading is one describe of an instance, with what its tags say.
type reading struct {
	ec2model.Instance
	// backup is that of the fence lastfence names, nil when there is none or it can't be used; why
	// says why it can't. own are that fence's tags.
	backup *backup
	why    error
	own    map[string]string
}

func read(ctx context.Context, r Reader, id string) (reading, error) {
	i, err := r.DescribeInstance(ctx, id)
	if err != nil {
		return reading{}, err
	}
	now := reading{Instance: i}
	now.backup, now.own, now.why = readBackup(id, i.Tags)
	for _, n := range i.Interfaces {
		if len(n.Groups) == 0 {
			return now, protocol.Refuse(protocol.Unavailable,
				"EC2's answer does not say which security groups %s has; try again", n.ID)
		}
	}
	return now, nil
}

// usable refuses an instance whose interfaces can't be changed.
func (now reading) usable() error {
	if len(now.Interfaces) == 0 && now.State == "shutting-down" {
		return protocol.Refuse(protocol.Unavailable,
			"%s is shutting down and has no network interface any more; try again once it is terminated",
			now.ID)
	}
	if len(now.Interfaces) == 0 {
		return protocol.Refuse(protocol.Conflict,
			"%s is %s and has no network interface: there is nothing to change", now.ID, now.State)
	}
	for _, n := range now.Interfaces {
		if n.Managed {
			return protocol.Refuse(protocol.Authorization,
				"%s of %s belongs to an AWS service, which alone may change it", n.ID, now.ID)
		}
	}
	return nil
}

// trunks are the interfaces that have branch interfaces behind them.
func (now reading) trunks() []string {
	var trunks []string
	for _, n := range now.Interfaces {
		if n.Type == "trunk" {
			trunks = append(trunks, n.ID)
		}
	}
	return trunks
}

// attached finds an interface.
func (now reading) attached(nic string) (ec2model.InstanceInterface, bool) {
	for _, n := range now.Interfaces {
		if n.ID == nic {
			return n, true
		}
	}
	return ec2model.InstanceInterface{}, false
}

// groupsText is the value of an interface's groups.
func (now reading) groupsText(nic string) string {
	n, ok := now.attached(nic)
	if !ok {
		return detached
	}
	return groupText(n.Groups)
}

// groups are the values of the groups of every interface.
func (now reading) groups() map[string]string {
	all := map[string]string{}
	for _, n := range now.Interfaces {
		all[n.ID] = groupText(n.Groups)
	}
	return all
}

// power is on for whatever is not off or on its way there.
func (now reading) power() string {
	switch now.State {
	case "stopping", "stopped", "shutting-down", "terminated":
		return off
	}
	return on
}

// seen makes the values of transitions, and the facts that any reading tells.
func (now reading) seen(
	transitions []action.Transition, value func(reading, action.Transition) string,
) action.Seen {
	s := action.Seen{Facts: map[string]string{factState: now.State}, Owner: now.OwnerID}
	for _, n := range now.Interfaces {
		s.Facts[factCurrent+n.ID] = groupText(n.Groups)
	}
	for _, t := range transitions {
		s.Values = append(s.Values, value(now, t))
	}
	return s
}

func groupText(groups []string) string { return strings.Join(groups, ",") }

// setGroups is how the groups of an interface are changed.
func setGroups(nic string) action.SetFunc {
	return action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
		return w.ModifySecurityGroups(ctx, nic, strings.Split(to, ","))
	})
}

// setPower is how an instance is stopped and started.
func setPower(instance string) action.SetFunc {
	return action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
		if to == off {
			return w.StopInstance(ctx, instance)
		}
		return w.StartInstance(ctx, instance)
	})
}

// tagless reports whether a fence neither writes nor reads tags, and its unfence neither: as it is
// told to, or by an agent's parameters, where the groups to restore are given beside those of the
// fence. In an unfence the parameter may be what the fence reported of its tags.
func tagless(parameters map[string]string) bool {
	use, err := action.Boolean.Canonical(parameters[paramTags])
	return err == nil && use == "false" || givesBoth(parameters)
}

// givesBoth reports whether the parameters are an agent's: the groups of the fence, and those to
// restore.
func givesBoth(parameters map[string]string) bool {
	return parameters[paramGroups] != "" && givesExact(parameters)
}

var exactField = action.Field{Name: paramExact, Key: action.DeviceIndex}

// givesExact reports whether any interface's groups are given by its device index.
func givesExact(parameters map[string]string) bool {
	for key := range parameters {
		if exactField.Matches(key) {
			return true
		}
	}
	return false
}

// exactGroups are the groups that each interface is given by its device index.
func exactGroups(now reading, parameters map[string]string) (map[string][]string, error) {
	byIndex := map[string][]string{}
	for key, groups := range parameters {
		if exactField.Matches(key) {
			byIndex[key] = strings.Split(groups, ",")
		}
	}
	exact, holder := map[string][]string{}, map[string]string{}
	for _, n := range now.Interfaces {
		key := exactField.Of(strconv.Itoa(n.Index))
		if other := holder[key]; other != "" {
			return nil, protocol.Refuse(protocol.InvalidRequest,
				"both %s and %s of %s have the device index %d, on different network cards: "+
					"%s does not say which is meant; use %s",
				other, n.ID, now.ID, n.Index, key, paramGroups)
		}
		holder[key] = n.ID
		if exact[n.ID] = byIndex[key]; byIndex[key] == nil {
			return nil, protocol.Refuse(protocol.InvalidRequest,
				"%s, at device index %d of %s, has no %s: every interface needs one",
				n.ID, n.Index, now.ID, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byIndex)) {
		if holder[key] == "" {
			return nil, protocol.Refuse(protocol.InvalidRequest, "%s has no interface for %s", now.ID, key)
		}
	}
	return exact, nil
}

// need is a group that has to be in a VPC.
type need struct{ group, vpc string }

// checkGroups refuses groups that do not exist or are in another VPC than what they are for. A
// group that an interface has is known to be in its VPC.
func checkGroups(ctx context.Context, r Reader, now reading, needs []need) error {
	known := map[need]bool{}
	for _, n := range now.Interfaces {
		for _, g := range n.Groups {
			known[need{g, n.VPCID}] = true
		}
	}
	var ask []string
	for _, n := range needs {
		if !known[n] && !slices.Contains(ask, n.group) {
			ask = append(ask, n.group)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	found, err := r.DescribeSecurityGroups(ctx, ask...)
	if err != nil {
		return err
	}
	home := map[string]string{}
	for _, g := range found {
		home[g.ID] = g.VPCID
	}
	return misplaced(needs, known, home)
}

// misplaced refuses groups that are not where they are needed. Known are those that are, home has
// the VPC of each other that EC2 shows.
func misplaced(needs []need, known map[need]bool, home map[string]string) error {
	// What is in another VPC can't be right; what EC2 does not show may be new.
	class, faults := protocol.NotFound, []string(nil)
	for _, n := range needs {
		fault := "the security group " + n.group + " does not exist"
		vpc, exists := home[n.group]
		if known[n] || exists && vpc == n.vpc {
			continue
		}
		if exists {
			class = protocol.InvalidRequest
			fault = n.group + " is in " + vpc + ", not in " + n.vpc + " as the interfaces are"
		}
		if !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return protocol.Refuse(class, "%s; nothing was changed", strings.Join(faults, "; "))
}
