//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestFencing fences and unfences at both places, on an instance launched from existing interfaces,
// beside the fence_aws_vpc_net agent: what boto3 sees of it judges.
func TestFencing(t *testing.T) {
	t.Parallel()
	for _, start := range []func() (*place, error){startMoto, startSim} {
		at := own(t, start)
		for name, test := range map[string]func(*testing.T, *actions){
			"groups removed, and the instance stopped and started": fenceAndStop,
			"exact groups by device index":                         fenceExactly,
			"the agent's fence is unfenced":                        unfenceTheAgents,
			"the agent unfences ours":                              theAgentUnfencesOurs,
			"a second fence returns to the first":                  fenceTwice,
			"an interface is attached to the agent's fence":        attachToTheAgents,
			"an interface is attached, and the agent unfences":     attachAndTheAgentUnfences,
			"an interface is detached from the agent's fence":      detachFromTheAgents,
			"an interface is detached, and the agent unfences":     detachAndTheAgentUnfences,
			"a fence without tags, over the agent's":               fenceWithoutTags,
			"an agent's parameters in one request":                 fenceAsAnAgent,
		} {
			t.Run(at.name+", "+name, func(t *testing.T) {
				w := at.fresh(t)
				before := w.look(t)
				test(t, w.actions(t))
				w.settle(t)
				if left := w.look(t).since(before); left != "" && left != untold {
					t.Errorf("it left %s", left)
				}
			})
		}
	}
}

// expect carries out a request and holds the result against words.
func (a *actions) expect(t *testing.T, line, want string) result {
	t.Helper()
	got := a.run(t, line)
	if missing := lacks(a.tell(got), want); len(missing) > 0 {
		t.Fatalf("%s\n%s %s\nlacks %q", line, a.tell(got), a.says(got), missing)
	}
	return got
}

// have holds the groups of the target's interfaces, as boto3 sees them, against what they are to
// be.
func (a *actions) have(t *testing.T, want map[string]string) {
	t.Helper()
	for nic, groups := range want {
		v := a.do(t, fmt.Sprintf(`describe_network_interfaces {"NetworkInterfaceIds":["@%s"]} | `+
			`NetworkInterfaces[0].Groups[].GroupId`, nic))
		var got []string
		if err := json.Unmarshal(v.OK, &got); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if told := sorted(a.roles(strings.Join(got, ","))); told != sorted(groups) {
			t.Errorf("%s has %s, want %s", nic, told, groups)
		}
	}
}

// hand has boto3 make a call that must succeed.
func (a *actions) hand(t *testing.T, call string) json.RawMessage {
	t.Helper()
	v := a.do(t, call)
	if v.OK == nil {
		t.Fatalf("%s: %s", call, v)
	}
	return json.RawMessage(v.OK)
}

func (a *actions) regroup(t *testing.T, nic string, groups ...string) {
	t.Helper()
	list, err := json.Marshal(groups)
	if err != nil {
		t.Fatal(err)
	}
	a.hand(
		t, fmt.Sprintf(`modify_network_interface_attribute {"NetworkInterfaceId":"@%s","Groups":%s}`, nic,
			list))
}

var before = map[string]string{"nic-db0": "group-default,group-web", "nic-db1": "group-web"}

const (
	aside         = " skipRaceCheck=true"
	invertedFence = "execute fence-security-groups db securityGroups=group-fence invertSgRemoval=true"
)

func fenceAndStop(t *testing.T, a *actions) {
	a.regroup(t, "nic-db1", "@group-web", "@group-fence")
	a.expect(t, "dry-run fence-security-groups db securityGroups=group-web onFencePoweroff=yes"+aside,
		"succeeded priorFence=none")
	a.have(
		t, map[string]string{"nic-db0": "group-default,group-web", "nic-db1": "group-web,group-fence"})
	a.expect(t, "execute fence-security-groups db securityGroups=group-web onFencePoweroff=yes"+aside,
		"succeeded changed=true priorInstanceState=running undoable")
	a.have(t, map[string]string{"nic-db0": "group-default", "nic-db1": "group-fence"})
	a.settle(t)
	state := `describe_instances {"InstanceIds":["@db"]} | Reservations[0].Instances[0].State.Name`
	if got := string(a.hand(t, state)); got != `"stopped"` {
		t.Errorf("the instance is %s", got)
	}
	a.expect(t, "execute undo powerOn=1", "succeeded changed=true")
	a.settle(t)
	if got := string(a.hand(t, state)); got != `"running"` {
		t.Errorf("the instance is %s", got)
	}
	a.have(
		t, map[string]string{"nic-db0": "group-default,group-web", "nic-db1": "group-web,group-fence"})
	a.regroup(t, "nic-db1", "@group-web")
}

func fenceExactly(t *testing.T, a *actions) {
	a.expect(
		t, "execute fence-security-groups db interface0Sg=group-fence "+
			"interface1Sg=group-fence,group-router"+aside, "succeeded changed=true")
	a.have(t, map[string]string{"nic-db0": "group-fence", "nic-db1": "group-fence,group-router"})
	a.expect(t, "execute undo", "succeeded changed=true")
	a.have(t, before)
}

// agentTags are what the agent leaves, as Python's json.dumps writes it: each interface's groups in
// chunks of one.
func (a *actions) agentTags(at string) map[string]string {
	tags := map[string]string{"lastfence": at}
	for n, nic := range []string{"nic-db0", "nic-db1"} {
		groups := strings.Split(before[nic], ",")
		for c, g := range groups {
			tags[fmt.Sprintf("Original_SG_Backup_%s_%s_%d_%d", a.ids["db"], at, n+1, c)] = fmt.Sprintf(
				`{"n": {"i": "%s", "s": ["%s"], "c": {"i": %d, "t": %d}}, "t": %s}`,
				a.ids[nic], strings.TrimPrefix(a.ids[g], "sg-"), c, len(groups), at)
		}
	}
	return tags
}

// agentFences has the agent fence: the tags, and the group that every interface is given.
func (a *actions) agentFences(t *testing.T, group string) {
	t.Helper()
	var list []map[string]string
	tags := a.agentTags("1700000000")
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, map[string]string{"Key": key, "Value": tags[key]})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	a.hand(t, `create_tags {"Resources":["@db"],"Tags":`+string(text)+`}`)
	a.regroup(t, "nic-db0", "@"+group)
	a.regroup(t, "nic-db1", "@"+group)
}

func unfenceTheAgents(t *testing.T, a *actions) {
	a.agentFences(t, "group-fence")
	a.expect(t, "dry-run unfence-security-groups db", "succeeded")
	a.expect(t, "execute unfence-security-groups db",
		"succeeded changed=true restoredSecurityGroups.nic-db1=group-web")
	a.have(t, before)
}

// untagged holds the instance against having a tag of a fence.
func (a *actions) untagged(t *testing.T) {
	t.Helper()
	for _, tag := range a.tagsOf(t) {
		if tag.Key == "lastfence" || strings.HasPrefix(tag.Key, "Original_SG_Backup_") {
			t.Errorf("the tag %s=%s is left", tag.Key, tag.Value)
		}
	}
}

func (a *actions) attachAt(t *testing.T, nic string, index int) {
	t.Helper()
	a.hand(t, fmt.Sprintf(`attach_network_interface `+
		`{"NetworkInterfaceId":"@%s","InstanceId":"@db","DeviceIndex":%d} | NetworkCardIndex`, nic,
		index))
}

// described is what boto3 tells of an interface.
func (a *actions) described(t *testing.T, nic, path string) string {
	t.Helper()
	return string(a.hand(t, fmt.Sprintf(
		`describe_network_interfaces {"NetworkInterfaceIds":["@%s"]} | NetworkInterfaces[0].%s`, nic,
		path)))
}

func (a *actions) attach(t *testing.T) {
	t.Helper()
	a.attachAt(t, "nic-spare", 5)
	a.settle(t)
}

// detach takes an interface off its instance, and gives it the groups it had before all.
func (a *actions) detach(t *testing.T, nic string) {
	t.Helper()
	id := a.described(t, nic, "Attachment.AttachmentId")
	a.hand(t, `detach_network_interface {"AttachmentId":`+id+`}`)
	a.settle(t)
}

// again attaches the second interface where it was.
func (a *actions) again(t *testing.T) {
	t.Helper()
	a.regroup(t, "nic-db1", "@group-web")
	a.attachAt(t, "nic-db1", 1)
	a.settle(t)
}

// spare is what the third interface has all along; moto gives it the instance's groups as well when
// it is attached.
func (a *actions) spare(t *testing.T) string {
	t.Helper()
	return a.described(t, "nic-spare", "Groups[].GroupId")
}

func attachToTheAgents(t *testing.T, a *actions) {
	a.agentFences(t, "group-fence")
	a.attach(t)
	had := a.spare(t)
	a.expect(t, "execute unfence-security-groups db",
		"succeeded changed=true restoredSecurityGroups.nic-db0=group-default,group-web")
	a.have(t, before)
	a.untagged(t)
	if has := a.spare(t); has != had {
		t.Errorf("nic-spare has %s, and had %s", has, had)
	}
	a.detach(t, "nic-spare")
	a.regroup(t, "nic-spare", "@group-default")
}

func attachAndTheAgentUnfences(t *testing.T, a *actions) {
	a.expect(t, invertedFence+aside, "succeeded changed=true fenced=true")
	a.attach(t)
	a.agentUnfences(t)
	a.have(t, before)
	a.expect(t, "execute undo", "succeeded changed=false")
	a.untagged(t)
	a.detach(t, "nic-spare")
	a.regroup(t, "nic-spare", "@group-default")
}

func detachFromTheAgents(t *testing.T, a *actions) {
	a.agentFences(t, "group-fence")
	a.detach(t, "nic-db1")
	a.expect(t, "execute unfence-security-groups db", "failed drift")
	a.have(t, map[string]string{"nic-db0": "group-fence"})
	a.expect(t, "execute unfence-security-groups db onDrift=restore",
		"succeeded changed=true priorSecurityGroups.nic-db1=group-web")
	a.have(t, map[string]string{"nic-db0": before["nic-db0"]})
	a.untagged(t)
	a.again(t)
}

func detachAndTheAgentUnfences(t *testing.T, a *actions) {
	a.expect(t, invertedFence+aside, "succeeded changed=true")
	a.detach(t, "nic-db1")
	a.agentUnfences(t)
	a.have(t, map[string]string{"nic-db0": before["nic-db0"]})
	a.expect(t, "execute undo", "failed drift")
	a.expect(t, "execute undo onDrift=restore",
		"succeeded changed=false priorSecurityGroups.nic-db1=group-web")
	a.untagged(t)
	a.again(t)
}

func fenceWithoutTags(t *testing.T, a *actions) {
	a.agentFences(t, "group-router")
	a.expect(t, invertedFence+" backupTags=false"+aside,
		"succeeded changed=true backupTags=false priorSecurityGroups.nic-db0=group-router")
	a.expect(t, "execute undo", "succeeded changed=true")
	a.have(t, map[string]string{"nic-db0": "group-router", "nic-db1": "group-router"})
	a.agentUnfences(t)
	a.have(t, before)
	a.untagged(t)
}

func fenceAsAnAgent(t *testing.T, a *actions) {
	restore := " interface0Sg=group-default,group-web interface1Sg=group-web"
	a.expect(t, invertedFence+restore+aside, "succeeded changed=true fenced=true")
	a.have(t, map[string]string{"nic-db0": "group-fence", "nic-db1": "group-fence"})
	a.untagged(t)
	a.expect(t, "execute unfence-security-groups db securityGroups=group-fence"+restore,
		"succeeded changed=true")
	a.have(t, before)
}

func theAgentUnfencesOurs(t *testing.T, a *actions) {
	a.expect(t, "execute fence-security-groups db securityGroups=group-fence invertSgRemoval=true"+
		aside, "succeeded changed=true fenceTimestamp")
	a.have(t, map[string]string{"nic-db0": "group-fence", "nic-db1": "group-fence"})
	a.agentUnfences(t)
	a.have(t, before)
	a.expect(t, "execute undo", "succeeded changed=false")
}

// tagsOf are the instance's tags.
func (a *actions) tagsOf(t *testing.T) (tags []struct{ Key, Value string }) {
	t.Helper()
	if err := json.Unmarshal(
		a.hand(t, `describe_tags {"Filters":[{"Name":"resource-id","Values":["@db"]}]} | Tags[]`),
		&tags); err != nil {
		t.Fatal(err)
	}
	return tags
}

// attached are the ids of the instance's interfaces.
func (a *actions) attached(t *testing.T) (ids []string) {
	t.Helper()
	describe := `describe_instances {"InstanceIds":["@db"]}` +
		` | Reservations[0].Instances[0].NetworkInterfaces[].NetworkInterfaceId`
	if err := json.Unmarshal(a.hand(t, describe), &ids); err != nil {
		t.Fatal(err)
	}
	return ids
}

// agentUnfences restores what the tags say by the agent's own rule: the tags of lastfence, by
// interface that is attached, chunk by chunk, each group with sg- before it. It fails where there
// is no lastfence.
func (a *actions) agentUnfences(t *testing.T) {
	t.Helper()
	tags, here := a.tagsOf(t), a.attached(t)
	isLast := func(t struct{ Key, Value string }) bool { return t.Key == "lastfence" }
	i := slices.IndexFunc(tags, isLast)
	if i < 0 {
		t.Fatal("the agent finds no lastfence")
	}
	last := tags[i].Value
	type part struct {
		N struct {
			I string
			S []string
			C struct{ I, T int }
		}
		T json.Number
	}
	groups, parts := map[string][]string{}, map[string]int{}
	remove := []map[string]string{{"Key": "lastfence"}}
	for _, tag := range tags {
		if !strings.HasPrefix(tag.Key, "Original_SG_Backup_"+a.ids["db"]+"_"+last+"_") {
			continue
		}
		var p part
		if err := json.Unmarshal([]byte(tag.Value), &p); err != nil || p.T.String() != last ||
			len(tag.Value) > 254 {
			t.Fatalf("%s=%s: %v", tag.Key, tag.Value, err)
		}
		for _, g := range p.N.S {
			groups[p.N.I] = append(groups[p.N.I], "sg-"+g)
		}
		parts[p.N.I] += p.N.C.T
		remove = append(remove, map[string]string{"Key": tag.Key})
	}
	for nic, list := range groups {
		if slices.Contains(here, nic) {
			a.regroup(t, a.roles(nic), list...)
		}
	}
	text, err := json.Marshal(remove)
	if err != nil {
		t.Fatal(err)
	}
	a.hand(t, `delete_tags {"Resources":["@db"],"Tags":`+string(text)+`}`)
}

func fenceTwice(t *testing.T, a *actions) {
	a.expect(t, "execute fence-security-groups db securityGroups=group-default"+aside,
		"succeeded changed=true priorFence=none")
	a.have(t, map[string]string{"nic-db0": "group-web", "nic-db1": "group-web"})
	first, facts := a.last, a.observed
	a.expect(t, "execute fence-security-groups db securityGroups=group-fence invertSgRemoval=on "+
		"transitionSecurityGroup=group-allow-all"+aside,
		"succeeded changed=true priorFence=other priorSecurityGroups.nic-db0=group-default,group-web")
	a.have(t, map[string]string{"nic-db0": "group-fence", "nic-db1": "group-fence"})
	a.expect(t, "execute undo", "succeeded changed=true")
	a.have(t, map[string]string{"nic-db0": "group-web", "nic-db1": "group-web"})
	a.last, a.observed = first, facts
	a.expect(t, "execute undo", "succeeded changed=true")
	a.have(t, before)
}
