package ec2checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// noPlan is the finding of a check that needs the executor's plan where there is none.
func noPlan() finding {
	return unknown("the executor told no plan", "mend what the check plan names, and run it again")
}

// groupsAttribute is what the executor calls the groups of an interface.
const groupsAttribute = "securityGroups"

// ends are the groups that each interface of the fence has, and would have.
type ends struct {
	instance ec2model.Instance
	now, to  map[string][]string
	rules    map[string]ec2model.GroupRules
}

// readEnds reads them. A finding that is not nil is the answer of a check without them.
func (s *subject) readEnds() (e ends, none *finding) {
	fail := func(f finding) (ends, *finding) { return e, &f }
	var err error
	if e.instance, err = s.readInstance(s.instance()); err != nil {
		return fail(unread(err))
	}
	if !s.told.hasPlan {
		return fail(noPlan())
	}
	e.now, e.to = map[string][]string{}, map[string][]string{}
	for _, n := range e.instance.Interfaces {
		e.now[n.ID], e.to[n.ID] = n.Groups, n.Groups
	}
	ids := map[string]bool{}
	for _, c := range s.told.plan {
		if _, known := e.now[c.Resource]; known && c.Attribute == groupsAttribute {
			e.to[c.Resource] = strings.Split(c.To, ",")
		}
	}
	for _, groups := range e.to {
		for _, g := range groups {
			ids[g] = true
		}
	}
	var all []string
	for id := range ids {
		all = append(all, id)
	}
	slices.Sort(all)
	if e.rules, err = s.readRules(all); err != nil {
		return fail(unread(err))
	}
	return e, nil
}

// facts are the groups, now and then, by interface.
func (e ends) facts() map[string]any {
	all := map[string]any{}
	for id, now := range e.now {
		all[id] = map[string]any{"from": sorted(now), "to": sorted(e.to[id])}
	}
	return all
}

// text tells each interface, in the order of its device.
func (e ends) text() string {
	var all []string
	for _, n := range e.instance.Interfaces {
		from, to := strings.Join(n.Groups, ","), strings.Join(e.to[n.ID], ",")
		if from == to {
			all = append(all, n.ID+" keeps "+from)
			continue
		}
		all = append(all, n.ID+": "+from+" to "+to)
	}
	return strings.Join(all, "; ")
}

// differs names an interface that the plan saw with other groups than were read.
func (e ends) differs(s *subject) string {
	for _, c := range s.told.plan {
		now, known := e.now[c.Resource]
		if known && c.Attribute == groupsAttribute && strings.Join(now, ",") != c.From {
			return c.Resource
		}
	}
	return ""
}

// namedGroups are the groups that the request names, in order.
func (s *subject) namedGroups() []string {
	var all []string
	for name, text := range s.req.Parameters {
		exact := strings.HasPrefix(name, "interface") && strings.HasSuffix(name, "Sg")
		if text != "" && (exact || name == groupsAttribute || name == "transitionSecurityGroup") {
			all = append(all, strings.Split(text, ",")...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// readRules reads some groups with their rules.
func (s *subject) readRules(ids []string) (map[string]ec2model.GroupRules, error) {
	return once(s, "rules "+strings.Join(ids, ","),
		func(ctx context.Context, r Reader) (map[string]ec2model.GroupRules, error) {
			return r.DescribeGroupRules(ctx, ids...)
		})
}

// wrongGroups tells what is wrong with the groups that the request names.
func (s *subject) wrongGroups() (wrong []string, err error) {
	i, err := s.readInstance(s.instance())
	if err != nil {
		return nil, err
	}
	named := s.namedGroups()
	rules, err := s.readRules(named)
	for _, id := range named {
		switch g, found := rules[id]; {
		case !found:
			wrong = append(wrong, id+" does not exist")
		case g.VPCID != i.VPCID:
			wrong = append(wrong, id+" is of "+g.VPCID+", and "+i.ID+" in "+i.VPCID)
		}
	}
	return wrong, err
}

func lookFenceGroups(s *subject) finding {
	wrong, err := s.wrongGroups()
	switch {
	case err != nil:
		return unread(err)
	case len(wrong) > 0:
		return fail(strings.Join(wrong, "; "), "name groups of the instance's VPC").
			with("named", s.namedGroups())
	}
	e, none := s.readEnds()
	switch {
	case none != nil:
		return *none
	case e.differs(s) != "":
		return unknown("the groups of "+e.differs(s)+" changed between two readings",
			"run it again").with("interfaces", e.facts())
	}
	return pass(e.text()).with("interfaces", e.facts())
}

func lookFenceLeaves(s *subject) finding {
	e, none := s.readEnds()
	if none != nil {
		return *none
	}
	left := map[string]bool{}
	rules := map[string]any{}
	for _, groups := range e.to {
		for _, id := range groups {
			g, found := e.rules[id]
			if !found {
				return unknown("the rules of "+id+" can't be seen: it is another account's, or gone",
					"ask the owner of the group what it allows")
			}
			rules[id] = map[string]any{"ingress": sorted(g.Ingress), "egress": sorted(g.Egress)}
			if n := len(g.Ingress) + len(g.Egress); n > 0 {
				left[fmt.Sprintf("%s (%s) allows %d in and %d out", id, g.Name, len(g.Ingress),
					len(g.Egress))] = true
			}
		}
	}
	if len(left) == 0 {
		return pass("no rule is left on any interface").with("rules", rules)
	}
	var told []string
	for text := range left {
		told = append(told, text)
	}
	return warn(strings.Join(sorted(told), "; "), "what these rules allow goes on: use a group "+
		"without rules, or see that it may").with("rules", rules)
}

func lookTracked(s *subject) finding {
	i, err := s.readInstance(s.instance())
	if err != nil {
		return unread(err)
	}
	switch {
	case i.State == "stopped" || i.State == "terminated":
		return pass(i.ID + " is " + i.State + ": it has no connections")
	case s.req.Bool("onFencePoweroff"):
		return pass(i.ID + " is stopped by the fence, which ends its connections")
	case s.req.Parameters["transitionSecurityGroup"] != "":
		return warn("most connections become untracked on the way by "+
			s.req.Parameters["transitionSecurityGroup"]+", and end; not those by way of load "+
			"balancers and NAT gateways", "say onFencePoweroff=true if all have to end")
	}
	return warn("connections of "+i.ID+" that are tracked already may go on, for days",
		"say onFencePoweroff=true, or name a transitionSecurityGroup, if they have to end")
}

// The quotas of groups on an interface.
const (
	defaultGroups = 5
	mostGroups    = 16
)

func lookGroupRoom(s *subject) finding {
	if !s.told.hasPlan {
		return noPlan()
	}
	most, on := 0, ""
	for _, c := range s.told.plan {
		n := len(strings.Split(c.To, ","))
		if c.Attribute == groupsAttribute && n > most {
			most, on = n, c.Resource
		}
	}
	if most == 0 {
		return pass("no interface gets other groups").with("groups", 0)
	}
	seen := on + " would have " + count(most, "group")
	switch {
	case most > mostGroups:
		return fail(seen, "EC2 grants at most 16: name fewer").with("groups", most)
	case most > defaultGroups:
		return warn(seen, "the default quota is 5: see that yours is higher").with("groups", most)
	}
	return pass(seen).with("groups", most)
}

// mostTags is how many tags a resource may have, those of AWS not counted.
const mostTags = 50

// groupsPerTag is how many groups surely fit into one backup tag.
const groupsPerTag = 8

func lookTagRoom(s *subject) finding {
	exact := s.req.Parameters["securityGroups"] == ""
	if exact || s.req.Parameters["backupTags"] == "false" {
		return pass("the fence writes no tags").with("adds", 0)
	}
	i, err := s.readInstance(s.instance())
	if err != nil {
		return unread(err)
	}
	own, adds := 0, 0
	for key := range i.Tags {
		if !strings.HasPrefix(key, "aws:") {
			own++
		}
	}
	if _, there := i.Tags["lastfence"]; !there {
		adds++
	}
	for _, n := range i.Interfaces {
		adds += max(1, (len(n.Groups)+groupsPerTag-1)/groupsPerTag)
	}
	seen := fmt.Sprintf("%s has %s, and the backup adds up to %d", i.ID, count(own, "tag"), adds)
	facts := []any{"has", own, "adds", adds}
	if own+adds > mostTags {
		return fail(seen+"; EC2 allows 50", "remove tags, or fence with backupTags=false").
			with(facts...)
	}
	return pass(seen).with(facts...)
}
