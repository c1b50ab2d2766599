package ec2checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

func lookRegion(s *subject) finding {
	seen := s.region + ", from the request"
	if e := s.Expected.Region; e != "" && e != s.region {
		return fail(seen+"; expected is "+e, "mend the request, or what is expected").
			with("region", s.region)
	}
	if err := s.answers(); err != nil {
		f := failureOf(err)
		if f.Class == protocol.Configuration {
			return fail(seen+": "+f.Message, "mend the region or the environment").
				with("region", s.region)
		}
		return unread(err).with("region", s.region)
	}
	if s.OwnRegion != "" && s.OwnRegion != s.region {
		return warn(seen+"; "+s.OwnRegionName+" is "+s.OwnRegion,
			"the request's region counts: see that it is the one that is meant").
			with("region", s.region)
	}
	return pass(seen).with("region", s.region)
}

// answers returns why EC2 does not answer in the region, nil if it does. A refusal is an answer.
func (s *subject) answers() error {
	_, err := s.readTargets()
	if err == nil {
		return nil
	}
	switch failureOf(err).Class {
	case protocol.NotFound, protocol.Authorization, protocol.Throttled, protocol.InvalidRequest:
		return nil
	}
	return err
}

// readTargets reads all that the target names, and tells each.
func (s *subject) readTargets() (told []string, err error) {
	if s.nic() != "" {
		n, err := s.readInterface()
		if err != nil {
			return nil, err
		}
		told = append(told, interfaceText(n))
	}
	if s.table() != "" {
		t, err := s.readTable()
		if err != nil {
			return nil, err
		}
		told = append(told, fmt.Sprintf("%s of %s has %d routes", t.ID, t.VPCID, len(t.Routes)))
	}
	if s.instance() != "" {
		i, err := s.readInstance(s.instance())
		if err != nil {
			return nil, err
		}
		told = append(told, fmt.Sprintf("%s is %s and has %s", i.ID, i.State,
			count(len(i.Interfaces), "interface")))
	}
	return told, nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func interfaceText(n ec2model.InterfaceDetail) string {
	if n.Attachment == "" {
		return n.ID + " is " + n.Status + ", attached to nothing"
	}
	to := n.InstanceID
	if to == "" {
		to = "a service"
	}
	return fmt.Sprintf("%s is %s, %s to %s as device %d",
		n.ID, n.Status, n.Attachment, to, n.DeviceIndex)
}

func lookTarget(s *subject) finding {
	told, err := s.readTargets()
	if err != nil {
		if f := failureOf(err); f.Class == protocol.NotFound {
			return fail(f.Message, "name what exists, or wait until EC2 shows what was just made")
		}
		return unread(err)
	}
	seen := strings.Join(told, "; ")
	facts := map[string]any{"nic": s.nic(), "instance": s.instance(), "routeTable": s.table()}
	f := pass(seen)
	if s.nic() != "" {
		n, _ := s.readInterface() // it was read
		facts["interface"] = interfaceFacts(n)
		switch {
		case n.Attachment == "":
			f = warn(seen, "nobody answers there until it is attached to an instance that runs")
		case n.Attachment != "attached":
			f = warn(seen, "wait until it is attached")
		}
	}
	f.facts = facts
	return f
}

func interfaceFacts(n ec2model.InterfaceDetail) map[string]any {
	return map[string]any{
		"id": n.ID, "vpc": n.VPCID, "subnet": n.SubnetID, "type": n.Type, "status": n.Status,
		"instance": n.InstanceID, "attachment": n.Attachment, "deviceIndex": n.DeviceIndex,
		"primary": n.Primary, "secondary": sorted(n.Secondary), "ipv6": sorted(n.IPv6),
		"groups": sorted(n.Groups),
	}
}

// sorted is a copy in order, for facts. It is never nil.
func sorted(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return out
}

// instanceID is the instance that the request is about; empty for an interface that is attached to
// none.
func (s *subject) instanceID() (string, error) {
	if s.instance() != "" {
		return s.instance(), nil
	}
	n, err := s.readInterface()
	return n.InstanceID, err
}

func lookInstance(s *subject) finding {
	id, err := s.instanceID()
	if err != nil {
		return unread(err)
	}
	if id == "" {
		return warn(s.nic()+" is attached to no instance",
			"the change can be made, and nobody answers there")
	}
	i, err := s.readInstance(id)
	if err != nil {
		return unread(err)
	}
	seen := i.ID + " is " + i.State
	if i.Type != "" {
		seen += ", a " + i.Type
	}
	facts := []any{"instance", i.ID, "state", i.State, "type", i.Type}
	switch i.State {
	case "running":
		return pass(seen).with(facts...)
	case "terminated", "shutting-down":
		return fail(seen, "name an instance that goes on").with(facts...)
	}
	return warn(seen, "start it, or wait, unless it is meant to be so").with(facts...)
}

// each makes a finding of every interface of the instance, or of the one that is named.
func (s *subject) interfaces() ([]ec2model.InstanceInterface, error) {
	if s.instance() == "" {
		n, err := s.readInterface()
		return []ec2model.InstanceInterface{{
			ID: n.ID, VPCID: n.VPCID, Type: n.Type, Groups: n.Groups, Managed: n.RequesterManaged,
		}}, err
	}
	i, err := s.readInstance(s.instance())
	return i.Interfaces, err
}

// idsOf lists the ids of the interfaces that are so.
func idsOf(all []ec2model.InstanceInterface, is func(ec2model.InstanceInterface) bool) []string {
	var ids []string
	for _, n := range all {
		if is(n) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func lookManaged(s *subject) finding {
	all, err := s.interfaces()
	if err != nil {
		return unread(err)
	}
	managed := idsOf(all, func(n ec2model.InstanceInterface) bool { return n.Managed })
	if len(managed) > 0 {
		return fail("an AWS service owns "+strings.Join(managed, ", ")+", and alone may change it",
			"name an interface of your own").with("managed", sorted(managed))
	}
	return pass("no AWS service owns an interface here")
}

func lookTrunk(s *subject) finding {
	all, err := s.interfaces()
	if err != nil {
		return unread(err)
	}
	trunks := idsOf(all, func(n ec2model.InstanceInterface) bool { return n.Type == "trunk" })
	if len(trunks) == 0 {
		return pass("no interface here carries branch interfaces")
	}
	seen := strings.Join(trunks, ", ") + " carries branch interfaces, with groups of their own"
	if fences(s) && !s.req.Bool("ignoreBranchInterfaces") {
		return fail(seen, "the branches would go on: say ignoreBranchInterfaces=true if they may").
			with("trunks", sorted(trunks))
	}
	return warn(seen, "see that the branches may go on").with("trunks", sorted(trunks))
}

func lookTags(s *subject) finding {
	if s.Tags == nil {
		return pass("no policy asks for tags")
	}
	var ids []string
	for _, r := range s.Registry.Resources(s.req.Target) {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	tags, err := once(s, "tags "+strings.Join(ids, ","),
		func(ctx context.Context, r Reader) (map[string]map[string]string, error) {
			return r.DescribeTags(ctx, ids...)
		})
	if err != nil {
		return unread(err)
	}
	var against []string
	facts := map[string]any{}
	for _, id := range ids {
		against = append(against, s.Tags(id, tags[id])...)
		facts[id] = tagFacts(tags[id])
	}
	if len(against) > 0 {
		return fail(strings.Join(against, "; "), "tag it, name another target, or change the policy").
			with("tags", facts)
	}
	return pass("the policy allows the tags of "+strings.Join(ids, ", ")).with("tags", facts)
}

func tagFacts(tags map[string]string) map[string]any {
	facts := map[string]any{}
	for k, v := range tags {
		facts[k] = v
	}
	return facts
}

func lookSubnet(s *subject) finding {
	subnet, err := s.readSubnet()
	if err != nil {
		return unread(err)
	}
	blocks := append([]string{}, subnet.IPv6CIDRs...)
	if subnet.CIDR != "" {
		blocks = append([]string{subnet.CIDR}, blocks...)
	}
	return pass(subnet.ID+" of "+subnet.VPCID+" has "+strings.Join(blocks, ", ")).
		with("subnet", subnet.ID, "vpc", subnet.VPCID, "blocks", sorted(blocks))
}

func lookTables(s *subject) finding {
	n, err := s.readInterface()
	if err != nil {
		return unread(err)
	}
	t, err := once(s, "table of "+n.SubnetID,
		func(ctx context.Context, r Reader) (ec2model.SubnetTable, error) {
			return r.DescribeTableOfSubnet(ctx, n.VPCID, n.SubnetID)
		})
	if err != nil {
		return unread(err)
	}
	seen := t.ID + ", a table of its own"
	if t.Main {
		seen = t.ID + ", the VPC's main table"
	}
	var routes []string
	var defaults []ec2model.Route
	for _, r := range t.Routes {
		text := r.Destination.String() + " to " + r.Target
		if r.Blackhole {
			text += " (a black hole)"
		}
		routes = append(routes, text)
		if r.Destination.Bits() == 0 {
			defaults = append(defaults, r)
		}
	}
	facts := []any{"table", t.ID, "main", t.Main, "routes", sorted(routes)}
	if len(defaults) == 0 {
		return warn(seen+", has no default route", "see that the subnet is meant to have no way out").
			with(facts...)
	}
	for _, r := range defaults {
		seen += ", leads " + r.Destination.String() + " to " + r.Target
		if r.Blackhole {
			return warn(seen+", which is a black hole", "mend the default route").with(facts...)
		}
	}
	return pass(seen).with(facts...)
}

func lookCheck(s *subject) finding {
	n, err := s.readInterface()
	if err != nil {
		return unread(err)
	}
	if n.SourceDestCheck == nil {
		return unknown("EC2's answer does not say whether the check of "+n.ID+" is on",
			"run it again later")
	}
	state := "off: it forwards"
	if *n.SourceDestCheck {
		state = "on"
	}
	return pass(fmt.Sprintf("the check of %s is %s; priorSourceDestCheck would be %t",
		n.ID, state, *n.SourceDestCheck)).with("sourceDestCheck", *n.SourceDestCheck)
}
