package scan_test

import (
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
)

// TestA14_1: of three managers the first one's role is refused. The others are scanned, and it says
// why.
func TestA14_1(t *testing.T) { TestA5Row3OneManagerFails(t) }

// TestA14_2: the third of five regions is throttled. Its nodes stay as they are, also though they
// are terminated meanwhile, and the next scan completes.
func TestA14_2(t *testing.T) {
	w := newWorld(t)
	regions := []string{"eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"}
	ids := map[string]string{}
	for _, r := range regions {
		ids[r] = w.add(own, r, 1, ec2sim.Instance{})[0]
	}
	w.create(ec2Manager("five", regions...))
	w.sim.Region("eu-west-1").Terminate(ids["eu-west-1"])
	w.inject(always(ec2sim.Fail("DescribeInstances", "RequestLimitExceeded"), own, "eu-west-1"))
	want := []string{"five/" + own + "/eu-central-1 complete 1",
		"five/" + own + "/eu-north-1 complete 1", "five/" + own + "/eu-west-1 throttled 0",
		"five/" + own + "/eu-west-2 complete 1", "five/" + own + "/eu-west-3 complete 1"}
	for range 3 {
		equal(t, want, verdicts(w.scan()))
	}
	for _, id := range ids {
		equal(t, "running/unknown five", w.told(id))
	}
	w.sim.ClearFaults()
	want[2] = "five/" + own + "/eu-west-1 complete 1"
	equal(t, want, verdicts(w.scan()))
	equal(t, "terminated/unreachable five", w.told(ids["eu-west-1"]))
}

// TestA14_5: a manager is deleted and its nodes are terminated. They are listed as such, another
// manager's scan revives none, and neither does adding it again until somebody asks.
func TestA14_5(t *testing.T) { TestA13Cases21And22DeleteWithAStateAndAddAgain(t) }

// TestA14_6: two managers on the ambient identity, for two roles.
func TestA14_6(t *testing.T) { TestA13Case16TwoManagersOfOneType(t) }

// TestA14_14: a tag that changes in the cloud is there after the next scan. The credentials of the
// new value follow, and those of the old one are withdrawn.
func TestA14_14(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{Tags: ec2sim.Tags{"env": "prod"}})[0]
	m := ec2Manager("fleet", "eu-west-1")
	m.Credentials = []nodes.CredentialRule{
		{Key: "env", Value: "prod", Refs: []nodes.SecretRef{"file:/prod"}},
		{Key: "env", Value: "te*", Refs: []nodes.SecretRef{"file:/test"}}}
	w.create(m)
	has := func() (refs []nodes.SecretRef) {
		managers, err := w.store.Managers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range nodes.Credentials(w.node(id), managers) {
			refs = append(refs, c.Ref)
		}
		return refs
	}
	equal(t, []nodes.SecretRef{"file:/prod"}, has())
	w.sim.Region("eu-west-1").EditInstance(id, func(i *ec2sim.Instance) {
		i.Tags = ec2sim.Tags{"env": "test"}
	})
	w.clock.advance(time.Hour)
	w.scan()
	equal(t, map[string]string{"env": "test"}, w.node(id).Tags())
	equal(t, []nodes.SecretRef{"file:/test"}, has())
}
