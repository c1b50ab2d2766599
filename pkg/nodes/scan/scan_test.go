package scan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
)

// The tests of this file are the rows of table A5: what a poller of nodes does wrong.

func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each way in which a region can't be read has its verdict, and its nodes stay as they are.
func TestA5Row1OneRegionFails(t *testing.T) {
	const sick = "eu-west-1"
	for _, tt := range []struct {
		name    string
		fall    func(*world)
		verdict nodes.Verdict
		reason  string
		calls   int
	}{
		{"throttled", func(w *world) {
			w.inject(always(ec2sim.Fail("DescribeInstances", "RequestLimitExceeded"), own, sick))
		}, nodes.Throttled, "EC2 says RequestLimitExceeded: Request limit exceeded.", 3},
		{"denied by a service control policy", func(w *world) {
			w.sim.Region(sick).SetDenied(true)
		}, nodes.Denied, "explicit deny in a service control policy", 1},
		{"the connection breaks", func(w *world) {
			w.inject(always(ec2sim.LoseRequest("DescribeInstances"), own, sick))
		}, nodes.Unreachable, "EC2: the connection broke", 3},
		{"no XML", func(w *world) {
			w.inject(always(ec2sim.NotXML("DescribeInstances"), own, sick))
		}, nodes.Unreachable, "was cut short or is not EC2's", 3},
		{"cut short", func(w *world) {
			w.inject(always(ec2sim.CutAnswer("DescribeInstances"), own, sick))
		}, nodes.Unreachable, "was cut short or is not EC2's", 3},
		{"an internal error", func(w *world) {
			w.inject(always(ec2sim.Fail("DescribeInstances", "InternalError"), own, sick))
		}, nodes.Unreachable, "EC2 says InternalError", 3},
		{"credentials that it does not know", func(w *world) {
			w.inject(always(ec2sim.Fail("DescribeInstances", "AuthFailure"), own, sick))
		}, nodes.Denied, "EC2 says AuthFailure", 1},
		{"no longer opted in", func(w *world) {
			w.sim.Region(sick).SetOptIn("not-opted-in")
		}, nodes.Disabled, "the account has not opted into the region", 0},
		{"opted out meanwhile", func(w *world) {
			w.inject(always(ec2sim.Fail("DescribeInstances", "OptInRequired"), own, sick))
		}, nodes.Disabled, "EC2 says OptInRequired", 1},
		{"one page of two", func(w *world) {
			f := always(ec2sim.Fail("DescribeInstances", "RequestLimitExceeded"), own, sick)
			f.Nth = 2
			w.inject(f)
		}, nodes.Throttled, "RequestLimitExceeded", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			count := 2
			if strings.Contains(tt.name, "page") {
				count = 1001
			}
			ids := w.add(own, sick, count, ec2sim.Instance{})
			well := w.add(own, "us-west-2", 2, ec2sim.Instance{})
			w.create(ec2Manager("fleet", sick, "us-*"))
			before := w.node(ids[0])
			tt.fall(w)
			w.sim.Region(sick).EditInstance(ids[0], func(i *ec2sim.Instance) { i.State = "stopped" })
			w.sim.Region("us-west-2").EditInstance(well[0], func(i *ec2sim.Instance) {
				i.State = "stopped"
			})
			results := w.scan()
			for _, r := range results {
				if r.Region != sick {
					if r.Verdict != nodes.Complete {
						t.Errorf("%s is %s: %s", r.Region, r.Verdict, r.Reason)
					}
					continue
				}
				if r.Verdict != tt.verdict || !strings.Contains(r.Reason, tt.reason) ||
					r.Calls != tt.calls {
					t.Errorf("it is %s after %d calls: %s", r.Verdict, r.Calls, r.Reason)
				}
			}
			equal(t, before, w.node(ids[0]))
			equal(t, "running/unknown fleet", w.told(ids[count-1]))
			equal(t, "stopped/unreachable fleet", w.told(well[0]))
			w.sim.ClearFaults()
			w.sim.Region(sick).SetDenied(false)
			w.sim.Region(sick).SetOptIn("")
			for _, r := range w.scan() {
				if r.Verdict != nodes.Complete {
					t.Errorf("well again, %s is %s: %s", r.Region, r.Verdict, r.Reason)
				}
			}
			equal(t, "stopped/unreachable fleet", w.told(ids[0]))
		})
	}
}

func TestA5Row2TheRegionsCannotBeListed(t *testing.T) {
	w := newWorld(t)
	ids := w.add(own, "eu-west-1", 2, ec2sim.Instance{})
	w.create(ec2Manager("fleet", "eu-*"))
	w.inject(ec2sim.Fail("DescribeRegions", "UnauthorizedOperation").Times(ec2sim.Always))
	results := w.scan()
	equal(t, []string{"fleet/" + own + " denied 0"}, verdicts(results))
	check := w.checked("fleet")
	if check.Status != nodes.StatusUnreachable ||
		!strings.Contains(check.Reason, "the regions can't be listed: EC2 says UnauthorizedOperation") {
		t.Errorf("the manager is %+v", check)
	}
	equal(t, "running/unknown fleet", w.told(ids[0]))
}

// A manager that names its regions does without the list, where it may not have it.
func TestNamedRegionsNeedNoList(t *testing.T) {
	w := newWorld(t)
	w.add(own, "eu-west-1", 2, ec2sim.Instance{})
	w.inject(ec2sim.Fail("DescribeRegions", "UnauthorizedOperation").Times(ec2sim.Always))
	kept := w.create(ec2Manager("fleet", "eu-west-1"))
	equal(t, []string{"fleet/" + own + "/eu-west-1 complete 2"}, verdicts(kept.Results))
}

func TestA5Row3OneManagerFails(t *testing.T) {
	w := newWorld(t)
	ours := w.add(own, "eu-west-1", 1, ec2sim.Instance{})
	theirs := w.add(third, "eu-west-1", 1, ec2sim.Instance{})
	refused := inAccount(ec2Manager("a-refused", "eu-west-1"), other)
	refused.Access.ExternalID = "wrong"
	w.create(refused)
	w.create(ec2Manager("b-ours", "eu-west-1"))
	w.create(inAccount(ec2Manager("c-theirs", "eu-west-1"), third))
	equal(t, []string{
		"a-refused denied 0",
		"b-ours/" + own + "/eu-west-1 complete 1",
		"c-theirs/" + third + "/eu-west-1 complete 1",
	}, verdicts(w.scan()))
	check := w.checked("a-refused")
	for _, part := range []string{"STS says AccessDenied", "role/nodes", "the external id"} {
		if !strings.Contains(check.Reason, part) {
			t.Errorf("it does not say %q: %s", part, check.Reason)
		}
	}
	equal(t, "running/unknown b-ours", w.told(ours[0]))
	equal(t, "running/unknown c-theirs", w.told(theirs[0]))
}

func TestA5Row4AllManagersAreCheckedBothWays(t *testing.T) {
	w := newWorld(t)
	w.create(inAccount(ec2Manager("a", "eu-west-1"), other))
	w.create(inAccount(ec2Manager("b", "eu-west-1"), third))
	status := func() []nodes.Status {
		w.clock.advance(time.Minute)
		all, err := w.keeper.ConnectAll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var list []nodes.Status
		for _, m := range all[1:] {
			list = append(list, m.Checked.Status)
			equal(t, w.checked(m.Name), m.Checked)
		}
		return list
	}
	equal(t, []nodes.Status{"reachable", "reachable"}, status())
	role := ec2sim.AccountRole{Name: "nodes", ExternalID: "changed"}
	w.sim.Account(other).AddRole(role)
	equal(t, []nodes.Status{"unreachable", "reachable"}, status())
	role.ExternalID = "word-" + other
	w.sim.Account(other).AddRole(role)
	equal(t, []nodes.Status{"reachable", "reachable"}, status())
}

func TestA5Row5MoreThanAHundredManagers(t *testing.T) {
	w := newWorld(t)
	w.add(own, "eu-west-1", 1, ec2sim.Instance{})
	for n := range 120 {
		m := ec2Manager("m"+string(rune('a'+n/26))+string(rune('a'+n%26)), "eu-west-1")
		if _, err := w.store.CreateManager(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	results := w.scan()
	if len(results) != 120 {
		t.Errorf("%d managers were scanned", len(results))
	}
	for _, r := range results {
		if r.Verdict != nodes.Complete || r.Summary.Seen != 1 {
			t.Errorf("%s is %s: %s", r.Manager.Name, r.Verdict, r.Reason)
		}
	}
}

// A node that is not shown any more is taken for gone only after two complete scans, and when EC2
// says by its id that there is none.
func TestA5Row6ATerminationThatNobodySaw(t *testing.T) {
	w := newWorld(t, ec2sim.WithTerminatedShown(0))
	ids := w.add(own, "eu-west-1", 3, ec2sim.Instance{})
	w.create(ec2Manager("fleet", "eu-west-1"))
	w.clock.advance(24 * time.Hour)
	w.sim.Region("eu-west-1").Terminate(ids[0], ids[1])
	w.scan()
	equal(t, "running/unknown fleet", w.told(ids[0]))
	// An incomplete scan does not count.
	w.inject(always(ec2sim.Fail("DescribeInstances", "RequestLimitExceeded"), own, "eu-west-1"))
	w.scan()
	w.sim.ClearFaults()
	equal(t, "running/unknown fleet", w.told(ids[0]))
	results := w.scan()
	equal(t, 2, results[0].Summary.Gone)
	for _, id := range ids[:2] {
		n := w.node(id)
		if n.State != nodes.StateTerminated || !n.Said.Inferred || n.Said.Kind != nodes.ByAbsence ||
			!strings.Contains(n.Said.Note, "2 complete scans") {
			t.Errorf("%s is %s by %+v", id, n.State, n.Said)
		}
	}
	equal(t, "running/unknown fleet", w.told(ids[2]))
	var asked int
	for _, c := range w.sim.Calls() {
		if c.Params["InstanceId.1"] != "" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("%d calls asked by id", asked)
	}
}

// A node that the pages do not show, and that is there by its id, is not gone.
func TestANodeThatIsThereByItsIDIsNotGone(t *testing.T) {
	w := newWorld(t, ec2sim.WithTerminatedShown(0))
	ids := w.add(own, "eu-west-1", 3, ec2sim.Instance{})
	w.create(ec2Manager("fleet", "eu-west-1"))
	w.clock.advance(24 * time.Hour)
	r := w.sim.Region("eu-west-1")
	r.Terminate(ids[1])
	r.EditInstance(ids[0], func(i *ec2sim.Instance) { i.State = "stopped" })
	w.hidden = ids[:1]
	w.scan()
	results := w.scan()
	equal(t, 1, results[0].Summary.Gone)
	equal(t, "stopped/unreachable fleet", w.told(ids[0]))
	equal(t, nodes.StateTerminated, w.node(ids[1]).State)
}

// What was just launched may not be shown by every page yet.
func TestWhatWasJustLaunchedIsNotGone(t *testing.T) {
	w := newWorld(t)
	ids := w.add(own, "eu-west-1", 2, ec2sim.Instance{LaunchTime: time.Now().UTC()})
	w.create(ec2Manager("fleet", "eu-west-1"))
	if _, err := w.store.ApplyEvent(t.Context(), nodes.Event{
		Source: nodes.Source{ID: "i-0000000000000bad1", Region: "eu-west-1", AccountID: own},
		Type:   nodes.TypeInstance, State: nodes.StatePending, At: w.clock.Now(),
		Manager: w.node(ids[0]).Managers[0],
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		managers, err := w.store.Managers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.clock.advance(2 * time.Minute)
		w.scanManagers(managers)
	}
	if n := w.node("i-0000000000000bad1"); n.State != nodes.StatePending {
		t.Errorf("it is %s after 6 minutes", n.State)
	}
	w.scan()
	w.scan()
	if n := w.node("i-0000000000000bad1"); n.State != nodes.StateTerminated || !n.Said.Inferred {
		t.Errorf("it is %s after two hours", n.State)
	}
}

// One read has all: name, tags, interfaces, addresses.
func TestA5Row7ANewInstanceIsKnownWhole(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{Type: "m5.large",
		Tags: ec2sim.Tags{"Name": "web-{n}", "env": "prod"}})[0]
	w.create(ec2Manager("fleet", "eu-west-1"))
	n := w.node(id)
	if n.Name != "web-1" || n.Tags()["env"] != "prod" || n.InstanceType != "m5.large" ||
		n.Zone != "eu-west-1a" || len(n.Interfaces) != 1 || len(n.Addresses) == 0 ||
		n.Interfaces[0].Private[0] != n.Addresses[0] || n.LaunchTime.IsZero() {
		t.Errorf("known is %+v", n)
	}
}

func TestA5Row8TagsAreReadEachTime(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{
		Tags: ec2sim.Tags{"Name": "web", "env": "prod", "old": "x"}})[0]
	w.create(ec2Manager("fleet", "eu-west-1"))
	w.sim.Region("eu-west-1").EditInstance(id, func(i *ec2sim.Instance) {
		i.Tags = ec2sim.Tags{"Name": "web", "env": "test"}
	})
	w.scan()
	equal(t, map[string]string{"Name": "web", "env": "test"}, w.node(id).Tags())
}
