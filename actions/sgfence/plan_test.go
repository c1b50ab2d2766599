package sgfence

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// cloud answers each describe with the next instance, and the last one over and over.
type cloud struct {
	instances []ec2model.Instance
	self      string
	asked     []string
	reads     int
}

func (c *cloud) DescribeInstance(context.Context, string) (ec2model.Instance, error) {
	i := c.instances[min(c.reads, len(c.instances)-1)]
	c.reads++
	return i, nil
}

func (c *cloud) DescribeSecurityGroups(
	_ context.Context, ids ...string,
) ([]ec2model.SecurityGroup, error) {
	c.asked = append(c.asked, ids...)
	var found []ec2model.SecurityGroup
	for _, id := range ids {
		if id != group(404) {
			found = append(found, ec2model.SecurityGroup{ID: id, VPCID: "vpc-1"})
		}
	}
	return found, nil
}

func (c *cloud) InstanceID(context.Context) (string, error) {
	if c.self == "" {
		return "", errors.New("nobody answers")
	}
	return c.self, nil
}

func nic(id string, index int, groups ...string) ec2model.InstanceInterface {
	return ec2model.InstanceInterface{ID: id, VPCID: "vpc-1", Index: index, Groups: groups}
}

func running(interfaces ...ec2model.InstanceInterface) ec2model.Instance {
	return ec2model.Instance{ID: here, VPCID: "vpc-1", State: "running", Tags: map[string]string{},
		Interfaces: interfaces}
}

func request(parameters ...string) action.Request {
	r := action.Request{Target: map[string]string{"instanceRef": here, "region": "ap-northeast-1"},
		Parameters: map[string]string{}}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		r.Parameters[name] = value
	}
	return r
}

// noon is a clock that stands still, and counts what is waited for.
type noon struct{ waited time.Duration }

func (n *noon) clock() Clock {
	return Clock{
		Now: func() time.Time { return time.Unix(1700000000, 0) },
		Wait: func(ctx context.Context, d time.Duration) error {
			n.waited += d
			return ctx.Err()
		},
	}
}

// values tells a plan's transitions as attribute of resource: from -> to.
func values(p *action.Plan) []string {
	var all []string
	for _, t := range p.Transitions {
		all = append(all, t.Attribute+" of "+t.Resource+": "+t.From+" -> "+t.To)
	}
	return all
}

func TestPlanFence(t *testing.T) {
	second := nic(eni1, 1, group(1))
	second.Card = 1
	sameIndex := nic(eni1, 0, group(1))
	sameIndex.Card = 1
	managed := nic(eni1, 1, group(1))
	managed.Managed = true
	away := nic(eni1, 1, group(1))
	away.VPCID = "vpc-2"
	bare := nic(eni1, 1)
	named := running(nic(eni0, 0, group(1), group(2)))
	named.Tags["lastfence"] = "1500000000"
	kept := backup{at: "1600000000",
		of: []saved{{eni0, []string{group(1), group(2)}}, {eni1, []string{group(5)}}}}
	halfway := running(nic(eni0, 0, group(6)), nic(eni1, 1, group(5)))
	halfway.Tags = kept.tags(here, 0)
	whole := running(nic(eni0, 0, group(5)), nic(eni1, 1, group(5)))
	whole.Tags = kept.tags(here, 0)
	usual := running(nic(eni0, 0, group(5)))
	usual.Tags = (&backup{at: "1600000000", of: []saved{{eni0, []string{group(5)}}}}).tags(here, 0)
	partly := running(nic(eni0, 0, group(2)), nic(eni1, 1, group(4)))
	both := &backup{at: "1600000000", of: []saved{
		{eni0, []string{group(1), group(2)}}, {eni1, []string{group(1), group(3)}},
	}}
	partly.Tags = both.tags(here, 0)
	taken := running(nic(eni0, 0, group(1), group(2)))
	taken.Tags["Original_SG_Backup_"+here+"_1700000000_9_0"] = "another's"
	left := running(nic(eni0, 0, group(1), group(2)))
	for i := range 20 {
		b := backup{at: strconv.Itoa(1600000000 + i), of: []saved{{eni0, []string{group(1), group(2)}}}}
		maps.Copy(left.Tags, b.tags(here, 0))
	}
	delete(left.Tags, lastFence)
	for _, c := range []struct {
		name   string
		cloud  cloud
		with   []string
		record record
		// others are entries of other keys, below those of the record.
		others []action.Recorded
		want   []string
		refuse protocol.FailureClass
		says   string
	}{
		{name: "a group is removed where it is",
			cloud: cloud{
				instances: []ec2model.Instance{
					running(nic(eni0, 0, group(1), group(2)), nic(eni1, 1, group(2)))}},
			with: []string{"securityGroups=" + group(1)},
			want: []string{
				"fenceBackup of " + here + ": none -> 1700000000 " + eni0 + "=" + group(1) + "," + group(2) +
					" " + eni1 + "=" + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
				"securityGroups of " + eni1 + ": " + group(2) + " -> " + group(2),
			}},
		{name: "a second that has tags already is not used again",
			cloud: cloud{instances: []ec2model.Instance{taken}},
			with:  []string{"securityGroups=" + group(1)},
			want: []string{
				"fenceBackup of " + here + ": none -> 1700000001 " + eni0 + "=" + group(1) + "," + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
			}},
		{name: "of several backups of fences that were put back, the last one is used again",
			cloud: cloud{instances: []ec2model.Instance{left}},
			with:  []string{"securityGroups=" + group(1)},
			want: []string{
				"fenceBackup of " + here + ": none -> 1600000019 " + eni0 + "=" + group(1) + "," + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
			}},
		{name: "or that of an earlier attempt", cloud: cloud{instances: []ec2model.Instance{left}},
			with: []string{"securityGroups=" + group(1)},
			record: record{here + " " +
				attrBackup: {From: none, To: "1600000002 " + eni0 + "=" + group(1) + "," + group(2)}},
			want: []string{
				"fenceBackup of " + here + ": none -> 1600000002 " + eni0 + "=" + group(1) + "," + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
			}},
		{name: "an earlier attempt's backup is written under its own name",
			cloud: cloud{
				instances: []ec2model.Instance{
					running(nic(eni0, 0, group(2)), nic(eni1, 1, group(1), group(3)))}},
			with: []string{"securityGroups=" + group(1)},
			record: record{
				here + " " + attrBackup: {From: none,
					To: "1600000000 " + eni0 + "=" + group(1) + "," + group(2) + " " + eni1 + "=" + group(1) +
						"," + group(3)},
				eni0 + " " + attrGroups: {From: group(1) + "," + group(2), To: group(2)},
				eni1 + " " + attrGroups: {From: group(1) + "," + group(3), To: group(3)},
			},
			want: []string{
				"fenceBackup of " + here + ": none -> 1600000000 " + eni0 + "=" + group(1) + "," + group(2) +
					" " + eni1 + "=" + group(1) + "," + group(3),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
				"securityGroups of " + eni1 + ": " + group(1) + "," + group(3) + " -> " + group(3),
			}},
		{name: "an earlier attempt's backup keeps its name, found on its way",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(9)))}},
			with: []string{"securityGroups=" + group(1), "transitionSecurityGroup=" + group(9),
				"ignoreTagWriteFailure=true"},
			record: record{
				here + " " + attrBackup: {From: none,
					To: "1600000000 " + eni0 + "=" + group(1) + "," + group(2)},
				eni0 + " " + attrGroups: {From: group(1) + "," + group(2), To: group(2), Via: group(9)},
			},
			want: []string{
				"fenceBackup of " + here + ": none -> 1600000000 " + eni0 + "=" + group(1) + "," + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
			}},
		{name: "on the way of a fence over another, it gives nothing back that the first removed",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(9)))}},
			with:  []string{"securityGroups=" + group(2), "transitionSecurityGroup=" + group(9)},
			record: record{
				here + " " + attrBackup: {From: none,
					To: "1600000000 " + eni0 + "=" + group(1) + "," + group(2) + "," + group(3)},
				eni0 + " " + attrGroups: {From: group(2) + "," + group(3), To: group(3), Via: group(9)},
			},
			others: []action.Recorded{
				entry("one", 1, eni0, group(1)+","+group(2)+","+group(3), group(2)+","+group(3))},
			want: []string{
				"fenceBackup of " + here + ": none -> 1600000000 " + eni0 + "=" + group(1) + "," + group(2) +
					"," + group(3),
				"securityGroups of " + eni0 + ": " + group(2) + "," + group(3) + " -> " + group(3),
			}},
		{name: "lastfence names what there are no tags of",
			cloud: cloud{instances: []ec2model.Instance{named}},
			with:  []string{"securityGroups=" + group(1)},
			want: []string{
				"fenceBackup of " + here + ": none -> 1700000000 " + eni0 + "=" + group(1) + "," + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
			}},
		{name: "a fence that another machine made on one interface",
			cloud: cloud{instances: []ec2model.Instance{halfway}},
			with:  []string{"securityGroups=" + group(6), "invertSgRemoval=true"},
			want: []string{
				"fenceBackup of " + here + ": " + kept.text() + " -> " + kept.text(),
				"securityGroups of " + eni0 + ": " + group(6) + " -> " + group(6),
				"securityGroups of " + eni1 + ": " + group(5) + " -> " + group(6),
			}},
		{name: "the same, and other groups asked for",
			cloud: cloud{instances: []ec2model.Instance{halfway}},
			with:  []string{"securityGroups=" + group(7), "invertSgRemoval=true"}, refuse: protocol.Conflict,
			says: "what it had before the fence"},
		{name: "another machine's fence whose groups are those that an interface had",
			cloud: cloud{instances: []ec2model.Instance{whole}},
			with:  []string{"securityGroups=" + group(6), "invertSgRemoval=true"},
			want: []string{
				"fenceBackup of " + here + ": " + kept.text() + " -> " + kept.text(),
				"securityGroups of " + eni0 + ": " + group(5) + " -> " + group(6),
				"securityGroups of " + eni1 + ": " + group(5) + " -> " + group(6),
			}},
		{name: "tags of a fence, and the groups that were there before it",
			cloud:  cloud{instances: []ec2model.Instance{usual}},
			with:   []string{"securityGroups=" + group(5), "invertSgRemoval=true"},
			refuse: protocol.InvalidRequest, says: "nothing to remove"},
		{name: "one interface as the fence leaves it, the other as nobody knows",
			cloud: cloud{instances: []ec2model.Instance{partly}},
			with:  []string{"securityGroups=" + group(1)}, refuse: protocol.InvalidRequest,
			says: "nothing to remove"},
		{name: "another's fence, on the first interface, of a group that the second never had",
			cloud: cloud{
				instances: []ec2model.Instance{running(nic(eni0, 0, group(3)), nic(eni1, 1, group(2)))}},
			with: []string{"securityGroups=" + group(1)}, record: record{},
			others: []action.Recorded{entry("other", 3, eni0, group(1)+","+group(3), group(3))},
			want: []string{
				"fenceBackup of " + here + ": none -> none",
				"securityGroups of " + eni0 + ": " + group(3) + " -> " + group(3),
				"securityGroups of " + eni1 + ": " + group(2) + " -> " + group(2),
			}},
		{name: "another's fence, on the second interface, of a group that the first never had",
			cloud: cloud{
				instances: []ec2model.Instance{running(nic(eni0, 0, group(2)), nic(eni1, 1, group(3)))}},
			with: []string{"securityGroups=" + group(1)}, record: record{},
			others: []action.Recorded{entry("other", 3, eni1, group(1)+","+group(3), group(3))},
			want: []string{
				"fenceBackup of " + here + ": none -> none",
				"securityGroups of " + eni0 + ": " + group(2) + " -> " + group(2),
				"securityGroups of " + eni1 + ": " + group(3) + " -> " + group(3),
			}},
		{name: "made on the way of another fence, and sent again",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(3)))}},
			with:  []string{"securityGroups=" + group(2)},
			record: record{eni0 + " " +
				attrGroups: {From: group(1) + "," + group(2) + "," + group(3), To: group(3)}},
			want: []string{
				"fenceBackup of " + here + ": none -> none",
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + "," + group(3) +
					" -> " + group(3),
			}},
		{name: "sent again, where what it had not to change is as it was, and what it changed is as " +
			"nobody knows",
			cloud: cloud{
				instances: []ec2model.Instance{running(nic(eni0, 0, group(2)), nic(eni1, 1, group(4)))}},
			with: []string{"securityGroups=" + group(1)},
			record: record{eni0 + " " + attrGroups: {From: group(2), To: group(2)},
				eni1 + " " + attrGroups: {From: group(1) + "," + group(3), To: group(3)}},
			refuse: protocol.InvalidRequest, says: "nothing to remove"},
		{name: "an old record that is not what is there any more is not believed",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(7)))}},
			with:  []string{"securityGroups=" + group(1)},
			record: record{
				here + " " + attrBackup: {From: none,
					To: "1600000000 " + eni0 + "=" + group(1) + "," + group(2)},
				eni0 + " " + attrGroups: {From: group(1) + "," + group(2), To: group(2)},
			},
			want: []string{
				"fenceBackup of " + here + ": none -> 1700000000 " + eni0 + "=" + group(1) + "," + group(7),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(7) + " -> " + group(7),
			}},
		{name: "one stale reading with nothing to remove",
			cloud: cloud{
				instances: []ec2model.Instance{running(nic(eni0, 0, group(2))),
					running(nic(eni0, 0, group(1), group(2)))}},
			with: []string{"securityGroups=" + group(1)},
			want: []string{
				"fenceBackup of " + here + ": none -> 1700000000 " + eni0 + "=" + group(1) + "," + group(2),
				"securityGroups of " + eni0 + ": " + group(1) + "," + group(2) + " -> " + group(2),
			}},
		{name: "one stale reading with nothing to remove, and one of what can't be fenced",
			cloud: cloud{
				instances: []ec2model.Instance{running(nic(eni0, 0, group(2))),
					running(nic(eni0, 0, group(1), group(2)), managed)}},
			with: []string{"securityGroups=" + group(1)}, refuse: protocol.Authorization, says: eni1},
		{name: "two network cards, other indexes",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1)), second)}},
			with:  []string{"interface0Sg=" + group(5), "interface1Sg=" + group(6)},
			want: []string{
				"securityGroups of " + eni0 + ": " + group(1) + " -> " + group(5),
				"securityGroups of " + eni1 + ": " + group(1) + " -> " + group(6),
			}},
		{name: "two network cards, the same index",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1)), sameIndex)}},
			with:  []string{"interface0Sg=" + group(5)}, refuse: protocol.InvalidRequest,
			says: "both " + eni0 + " and " + eni1 + " of " + here + " have the device index 0, on " +
				"different network cards: interface0Sg does not say which is meant; use securityGroups"},
		{name: "an AWS service's interface",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(2)), managed)}},
			with:  []string{"securityGroups=" + group(2)}, refuse: protocol.Authorization, says: eni1},
		{name: "interfaces in two VPCs",
			cloud:  cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1)), away)}},
			with:   []string{"securityGroups=" + group(5), "invertSgRemoval=true"},
			refuse: protocol.InvalidRequest, says: "vpc-2"},
		{name: "an answer without groups",
			cloud: cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(2)), bare)}},
			with:  []string{"securityGroups=" + group(1)}, refuse: protocol.Unavailable, says: eni1},
		{name: "a transition group that does not exist",
			cloud:  cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(2)))}},
			with:   []string{"securityGroups=" + group(1), "transitionSecurityGroup=" + group(404)},
			refuse: protocol.NotFound, says: group(404) + " does not exist"},
		{name: "this machine, though it could not be described",
			cloud: cloud{instances: []ec2model.Instance{{}}, self: here},
			with:  []string{"securityGroups=" + group(1)}, refuse: protocol.SelfFence, says: here},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(c.with...)
			if c.record != nil {
				r.Past, r.Durable = c.record.past(c.others...), true
			}
			p, err := planFence(t.Context(), &c.cloud, r, new(noon).clock())
			var f *protocol.Failure
			if errors.As(err, &f); f != nil {
				if f.Class != c.refuse || !strings.Contains(f.Message, c.says) {
					t.Errorf("%s: %s, want %s: %s", f.Class, f.Message, c.refuse, c.says)
				}
				return
			}
			if err != nil || c.refuse != "" {
				t.Fatalf("%v, want %s", err, c.refuse)
			}
			if got := values(p); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestAnInterfaceAttachedMeanwhileIsNotCalledFenced: every interface is read back, those too that
// the plan did not know.
func TestAnInterfaceAttachedMeanwhileIsNotCalledFenced(t *testing.T) {
	for _, with := range [][]string{
		{"securityGroups=" + group(1)}, {"securityGroups=" + group(2), "invertSgRemoval=true"},
		{"interface0Sg=" + group(2)},
	} {
		c := &cloud{
			instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(2))),
				running(nic(eni0, 0, group(2)), nic(eni1, 1, group(1)))}}
		p, err := planFence(t.Context(), c, request(with...), new(noon).clock())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Read(t.Context()); err == nil || !strings.Contains(err.Error(), eni1) {
			t.Errorf("%v: %v", with, err)
		}
	}
}

// record is what was recorded of each resource and attribute under the request's key, k.
type record map[string]history.Entry

func (r record) past(others ...action.Recorded) *action.Past {
	past := &action.Past{Key: "k"}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		e := action.Recorded{Entry: r[name]}
		e.Resource, e.Attribute, _ = strings.Cut(name, " ")
		e.Key, e.Seq = "k", 9
		if e.State == "" {
			e.State = history.Pending
		}
		past.Own = append(past.Own, e)
	}
	past.History = of(append(others, past.Own...)...)
	return past
}

// entry is a live one of the groups of an interface.
func entry(key string, seq int64, nic, from, to string) action.Recorded {
	return action.Recorded{
		Entry:    history.Entry{Key: key, Seq: seq, From: from, To: to, State: history.Live},
		Resource: nic, Attribute: attrGroups,
	}
}

// of reads the entries of an attribute out of some.
func of(all ...action.Recorded) func(resource, attribute string) ([]action.Recorded, error) {
	return func(resource, attribute string) ([]action.Recorded, error) {
		return slices.DeleteFunc(slices.Clone(all), func(r action.Recorded) bool {
			return r.Resource != resource || r.Attribute != attribute
		}), nil
	}
}

// TestUnfencingLeavesAnAWSServicesInterface: exact groups are not given to an interface that only
// its service may change.
func TestUnfencingLeavesAnAWSServicesInterface(t *testing.T) {
	managed := nic(eni0, 0, group(1))
	managed.Managed = true
	_, err := planUnfence(t.Context(), &cloud{instances: []ec2model.Instance{running(managed)}},
		request("interface0Sg="+group(2)))
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Authorization {
		t.Errorf("%v", err)
	}
}
