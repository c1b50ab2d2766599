package scan_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
)

// The tests of this file are named scenarios: those of list A13 that concern managers and scans, by
// their number, and those of list A14.

func TestA13Case14StatesOfAPoll(t *testing.T) {
	w := newWorld(t)
	r := w.sim.Region("eu-west-1")
	running := w.add(own, "eu-west-1", 1, ec2sim.Instance{})[0]
	stopped := w.add(own, "eu-west-1", 1, ec2sim.Instance{State: "stopped"})[0]
	ending := w.add(own, "eu-west-1", 1, ec2sim.Instance{State: "shutting-down"})[0]
	ended := w.add(own, "eu-west-1", 1, ec2sim.Instance{State: "terminated"})[0]
	w.create(ec2Manager("fleet", "eu-west-1"))
	equal(t, "running/unknown fleet", w.told(running))
	// A stopped instance can be started again: it is a node.
	equal(t, "stopped/unreachable fleet", w.told(stopped))
	w.unknown(ending)
	w.unknown(ended)
	for _, state := range []string{"pending", "stopping", "shutting-down"} {
		r.EditInstance(running, func(i *ec2sim.Instance) { i.State = state })
		w.scan()
		equal(t, state+"/unreachable fleet", w.told(running))
	}
	r.EditInstance(running, func(i *ec2sim.Instance) { i.State = "terminated" })
	w.scan()
	equal(t, "terminated/unreachable fleet", w.told(running))
	if w.node(running).Said.Inferred {
		t.Error("EC2 said so itself")
	}
	r.EditInstance(running, func(i *ec2sim.Instance) { i.State = "running" })
	w.scan()
	equal(t, "terminated/unreachable fleet", w.told(running))
}

func TestA13Case15NamesOfInstances(t *testing.T) {
	w := newWorld(t)
	named := w.add(own, "eu-west-1", 1, ec2sim.Instance{Tags: ec2sim.Tags{"Name": "web"}})[0]
	nameless := w.add(own, "eu-west-1", 1, ec2sim.Instance{})[0]
	w.create(ec2Manager("fleet", "eu-west-1"))
	equal(t, "web", w.node(named).Name)
	equal(t, nameless, w.node(nameless).Name)
	equal(t, "running/unknown fleet", w.told(nameless))
}

// Two managers of one type on the ambient identity lead to two accounts.
func TestA13Case16TwoManagersOfOneType(t *testing.T) {
	w := newWorld(t)
	w.add(other, "eu-west-1", 2, ec2sim.Instance{})
	w.add(third, "eu-west-1", 3, ec2sim.Instance{})
	w.create(inAccount(ec2Manager("one", "eu-west-1"), other))
	w.create(inAccount(ec2Manager("two", "eu-west-1"), third))
	w.create(ec2Manager("ours", "eu-west-1"))
	w.create(ec2Manager("ours again", "eu-west-1"))
	equal(t, []string{
		"one/" + other + "/eu-west-1 complete 2",
		"two/" + third + "/eu-west-1 complete 3",
		"ours/" + own + "/eu-west-1 complete 0",
		"ours again/" + own + "/eu-west-1 complete 0",
	}, verdicts(w.scan()))
}

// credentials are the references that a node has now.
func (w *world) credentials(id string) []nodes.SecretRef {
	w.t.Helper()
	managers, err := w.store.Managers(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var refs []nodes.SecretRef
	for _, c := range nodes.Credentials(w.node(id), managers) {
		refs = append(refs, c.Ref)
	}
	return refs
}

// Credentials follow the tags as each scan reads them, and are withdrawn with them.
func TestA13Case17CredentialsByTags(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{Tags: ec2sim.Tags{"env": "prod"}})[0]
	without := w.add(own, "eu-west-1", 1, ec2sim.Instance{Tags: ec2sim.Tags{"env": "test"}})[0]
	m := ec2Manager("fleet", "eu-west-1")
	m.Credentials = []nodes.CredentialRule{
		{Key: "env", Value: "pr*", Refs: []nodes.SecretRef{"file:/keys/prod"}},
		{Key: "env", Value: "dev", Refs: []nodes.SecretRef{"file:/keys/dev"}},
	}
	w.create(m)
	equal(t, []nodes.SecretRef{"file:/keys/prod"}, w.credentials(id))
	equal(t, []nodes.SecretRef(nil), w.credentials(without))
	w.sim.Region("eu-west-1").EditInstance(id, func(i *ec2sim.Instance) { i.Tags["env"] = "dev" })
	w.scan()
	equal(t, []nodes.SecretRef{"file:/keys/dev"}, w.credentials(id))
}

func TestA13Case18ANodeOfAReportIsNotAddedAgain(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{})[0]
	report := nodes.Report{ID: "0d7a4f0e-report", Name: "web", LastContact: w.clock.Now(),
		Source: nodes.Source{ID: id, Region: "eu-west-1", AccountID: own},
		Run:    &nodes.Result{ID: "run", Status: "passed", EndTime: w.clock.Now()}}
	if _, err := w.store.ApplyReport(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	kept := w.create(ec2Manager("fleet", "eu-west-1"))
	equal(t, 0, kept.Results[0].Summary.Added)
	equal(t, report.ID, w.node(id).ID)
	equal(t, "running/unknown fleet", w.told(id))
}

// pair are two managers of one account: both have what is in eu-west-1, and the first also what is
// in eu-west-2.
func pair(t *testing.T) (w *world, lone, shared string, first nodes.Manager) {
	w = newWorld(t)
	shared = w.add(own, "eu-west-1", 1, ec2sim.Instance{})[0]
	lone = w.add(own, "eu-west-2", 1, ec2sim.Instance{})[0]
	first = w.create(ec2Manager("first", "eu-west-*")).Manager
	w.clock.advance(time.Minute)
	second := w.create(ec2Manager("second", "eu-west-1"))
	equal(t, 0, second.Results[0].Summary.Added)
	equal(t, "running/unknown first,second", w.told(shared))
	return w, lone, shared, first
}

func TestA13Case19DeleteAManagerAndKeepItsNodes(t *testing.T) {
	w, lone, shared, first := pair(t)
	done, err := w.store.DeleteManager(t.Context(), first.ID, nodes.KeepNodes, "", "alice")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []string{w.node(lone).ID}, done.Kept)
	equal(t, []string{w.node(shared).ID}, done.Shared)
	equal(t, "running/unknown manual", w.told(lone))
	equal(t, "running/unknown second", w.told(shared))
}

func TestA13Case20DeleteAManagerWithItsNodes(t *testing.T) {
	w, lone, shared, first := pair(t)
	id := w.node(lone).ID
	done, err := w.store.DeleteManager(t.Context(), first.ID, nodes.DeleteNodes, "", "alice")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []string{id}, done.Deleted)
	w.unknown(lone)
	equal(t, "running/unknown second", w.told(shared))
}

// What became terminated with its manager stays so until somebody asks, whoever scans it.
func TestA13Cases21And22DeleteWithAStateAndAddAgain(t *testing.T) {
	w, lone, shared, first := pair(t)
	w.sim.Region("eu-west-2").EditInstance(lone, func(i *ec2sim.Instance) { i.State = "stopped" })
	w.scan()
	done, err := w.store.DeleteManager(t.Context(), first.ID, nodes.SetState,
		nodes.StateTerminated, "alice")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []string{w.node(lone).ID}, done.Changed)
	equal(t, "terminated/unreachable manual", w.told(lone))
	equal(t, "running/unknown second", w.told(shared))
	w.scan()
	equal(t, "terminated/unreachable manual", w.told(lone))
	gone := w.add(own, "eu-west-2", 1, ec2sim.Instance{})[0]
	w.clock.advance(time.Minute)
	again := w.create(ec2Manager("again", "eu-west-2"))
	equal(t, []string{w.node(lone).ID}, again.Revivable)
	equal(t, 0, again.Revived)
	equal(t, "terminated/unreachable again", w.told(lone))
	// What the cloud itself shows as terminated is not revived, whoever asks.
	w.sim.Region("eu-west-2").EditInstance(gone, func(i *ec2sim.Instance) { i.State = "terminated" })
	w.scan()
	w.clock.advance(time.Minute)
	m := again.Manager
	m.Name = "renamed"
	kept, err := w.keeper.Update(t.Context(), m, scan.Request{Revive: true, By: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, 1, kept.Revived)
	equal(t, "stopped/unreachable renamed", w.told(lone))
	equal(t, "terminated/unreachable renamed", w.told(gone))
	n := w.node(lone)
	history, err := w.store.History(t.Context(), n.ID)
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for _, c := range history {
		told = told || c.Evidence.Kind == nodes.ByRevival
	}
	if !told {
		t.Errorf("the history does not tell of the revival: %+v", history)
	}
}

// A manager that covers less has no longer what it does not cover; all else stays its own.
func TestA13Case23AManagerThatCoversLess(t *testing.T) {
	w, lone, shared, first := pair(t)
	first, err := w.store.Manager(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	first.ExcludedRegions = []string{"eu-west-2"}
	kept, err := w.keeper.Update(t.Context(), first, scan.Request{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "running/unknown manual", w.told(lone))
	equal(t, "running/unknown first,second", w.told(shared))
	for _, r := range kept.Results {
		if r.Region == "eu-west-2" {
			t.Error("it was scanned")
		}
	}
}

func TestA13Case24TagsAreNotDoubled(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{Tags: ec2sim.Tags{"env": "prod"}})[0]
	kept := w.create(ec2Manager("fleet", "eu-west-1"))
	w.clock.advance(time.Minute)
	if _, err := w.keeper.Update(t.Context(), kept.Manager, scan.Request{}); err != nil {
		t.Fatal(err)
	}
	equal(t, map[string]string{"env": "prod"}, w.node(id).Tags())
}

func TestA13Case25NamesOfRegions(t *testing.T) {
	w := newWorld(t)
	m := ec2Manager("regions", "eu-west-1")
	m.Type = nodes.ManagerAWS
	w.create(m)
	equal(t, own+"/eu-west-1", w.node(own+"/eu-west-1").Name)
	w.sim.Account(own).SetAlias("acme")
	w.scan()
	n := w.node("acme/eu-west-1")
	if n.Type != nodes.TypeRegion || n.State != nodes.StateRunning || n.AccountID != own {
		t.Errorf("it is %+v", n)
	}
	w.unknown(own + "/eu-west-1")
}

func TestA13Case32ManagersThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*nodes.Manager)
		want string
	}{
		{"a secret itself", func(m *nodes.Manager) {
			m.Access = nodes.Access{Kind: nodes.AccessSecret, Secret: "hunter2hunter2"}
		}, "a secret itself is not taken"},
		{"a type there is not", func(m *nodes.Manager) { m.Type = "gcp-api" },
			"want one of [aws-ec2 aws-api azure-vm azure-api manual]"},
		{"no name", func(m *nodes.Manager) { m.Name = " " }, "needs a name"},
		{"another manual one", func(m *nodes.Manager) { m.Type = nodes.ManagerOfManual },
			"every store has it"},
		{"the name of another", func(m *nodes.Manager) { m.Name = "taken" }, "already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.create(ec2Manager("taken", "eu-west-1"))
			m := ec2Manager("fleet")
			tt.edit(&m)
			_, err := w.keeper.Create(t.Context(), m, scan.Request{})
			if err == nil || !strings.Contains(err.Error(), tt.want) ||
				strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error is %v", err)
			}
			all, err := w.store.Managers(t.Context())
			if err != nil || len(all) != 2 {
				t.Errorf("there are %+v, %v", all, err)
			}
		})
	}
}

// A manager whose first scan fails stays, with its reason, and looks again when it is told to.
func TestA13Case32AManagerThatCannotLookYet(t *testing.T) {
	w := newWorld(t)
	m := inAccount(ec2Manager("fleet", "eu-west-1"), other)
	m.Access.ExternalID = "wrong"
	kept := w.create(m)
	if c := kept.Manager.Checked; c.Status != nodes.StatusUnreachable ||
		!strings.Contains(c.Reason, "AccessDenied") {
		t.Errorf("it is %+v", c)
	}
	w.sim.Account(other).AddRole(ec2sim.AccountRole{Name: "nodes", ExternalID: "wrong"})
	w.clock.advance(time.Minute)
	got, err := w.keeper.Connect(t.Context(), "fleet")
	if err != nil {
		t.Fatal(err)
	}
	if got.Checked.Status != nodes.StatusReachable || got.Checked.AccountID != other {
		t.Errorf("it is %+v", got.Checked)
	}
	before := len(w.sim.Calls())
	manual, err := w.keeper.Connect(t.Context(), nodes.ManualManager)
	if err != nil || manual.Checked != (nodes.Check{}) || len(w.sim.Calls()) != before {
		t.Errorf("the manual one is %+v, %v", manual.Checked, err)
	}
}

// An identity of another account than those allowed reads nothing.
func TestAnAccountThatIsNotAllowed(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{})[0]
	m := ec2Manager("fleet", "eu-west-1")
	m.Accounts = []string{other}
	kept := w.create(m)
	equal(t, []string{"fleet/" + own + " denied 0"}, verdicts(kept.Results))
	c := w.checked("fleet")
	if !strings.Contains(c.Reason, own) || !strings.Contains(c.Reason, other) {
		t.Errorf("the reason is %q", c.Reason)
	}
	w.unknown(id)
	for _, c := range w.sim.Calls() {
		if c.Operation != "GetCallerIdentity" {
			t.Errorf("it called %s", c.Operation)
		}
	}
}

func TestA13Case33NodesHaveTheirManagerAndTags(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "us-west-2", 1, ec2sim.Instance{Tags: ec2sim.Tags{"Name": "a2"}})[0]
	w.add(own, "eu-west-1", 1, ec2sim.Instance{})
	kept := w.create(ec2Manager("fleet", "us-west*"))
	n := w.node(id)
	equal(t, []string{kept.Manager.ID}, n.Managers)
	equal(t, map[string]string{"Name": "a2"}, n.Tags())
	equal(t, []string{"fleet/" + own + "/us-west-1 complete 0",
		"fleet/" + own + "/us-west-2 complete 1"}, verdicts(kept.Results))
}

func TestA13Case34ANodePerRegion(t *testing.T) {
	w := newWorld(t)
	m := ec2Manager("regions", "eu-west-*")
	m.Type = nodes.ManagerAWS
	kept := w.create(m)
	equal(t, []string{"regions/" + own + "/eu-west-1 complete 1",
		"regions/" + own + "/eu-west-2 complete 1", "regions/" + own + "/eu-west-3 complete 1"},
		verdicts(kept.Results))
	w.inject(always(ec2sim.Fail("DescribeRegions", "UnauthorizedOperation"), own, "eu-west-2"))
	equal(t, []string{"regions/" + own + "/eu-west-1 complete 1",
		"regions/" + own + "/eu-west-2 denied 0", "regions/" + own + "/eu-west-3 complete 1"},
		verdicts(w.scan()))
}

// scanned are the regions of a manager.
func (w *world) scanned(m nodes.Manager) []string {
	w.t.Helper()
	var list []string
	for _, r := range w.create(m).Results {
		list = append(list, r.Region)
	}
	return list
}

func TestA13Case35RegionsByPattern(t *testing.T) {
	w := newWorld(t)
	equal(t, []string{"eu-west-1", "eu-west-2", "eu-west-3", "us-west-1"},
		w.scanned(ec2Manager("included", "eu-west*", "eu-w*", "us-west-1")))
	m := ec2Manager("excluded")
	m.ExcludedRegions = []string{"ap-*", "eu-*", "sa-*", "ca-central-1"}
	equal(t, []string{"us-east-1", "us-east-2", "us-west-1", "us-west-2"}, w.scanned(m))
	m = ec2Manager("whole names", "us-east-1*")
	m.ExcludedRegions = []string{"us-east-1"}
	equal(t, []string{""}, w.scanned(m))
}

// A region that is not opted in is left out, unless it is asked for by its name.
func TestARegionThatIsNotOptedIn(t *testing.T) {
	w := newWorld(t)
	equal(t, []string{""}, w.scanned(ec2Manager("pattern", "af-*")))
	kept := w.create(ec2Manager("name", "af-south-1"))
	equal(t, []string{"name/" + own + "/af-south-1 disabled 0"}, verdicts(kept.Results))
	w.sim.Region("af-south-1").SetOptIn("opted-in")
	equal(t, []string{"pattern/" + own + "/af-south-1 complete 0",
		"name/" + own + "/af-south-1 complete 0"}, verdicts(w.scan()))
	// One that was read before is told when it is taken away.
	w.sim.Region("af-south-1").SetOptIn("not-opted-in")
	equal(t, []string{"pattern/" + own + "/af-south-1 disabled 0",
		"name/" + own + "/af-south-1 disabled 0"}, verdicts(w.scan()))
	kept = w.create(ec2Manager("typo", "eu-wset-1"))
	equal(t, []string{"typo/" + own + " disabled 0"}, verdicts(kept.Results))
	const unknown = "the account's list of regions does not have eu-wset-1; did you mean eu-west-1?"
	if c := w.checked("typo"); c.Reason != unknown || c.Status != nodes.StatusUnreachable {
		t.Errorf("it is %+v", c)
	}
	// A name that is none takes nothing from the others.
	kept = w.create(ec2Manager("some", "eu-west-2", "eu-wset-1"))
	equal(t, []string{"some/" + own + "/eu-west-2 complete 0",
		"some/" + own + "/eu-wset-1 disabled 0"}, verdicts(kept.Results))
	if r := kept.Results[1].Reason; r != unknown {
		t.Error(r)
	}
	if c := w.checked("some"); c.Status != nodes.StatusReachable {
		t.Errorf("it is %+v", c)
	}
}

func TestA14_3RenameAManagerWithStoppedNodes(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{State: "stopped"})[0]
	elsewhere := w.add(own, "eu-west-2", 1, ec2sim.Instance{})[0]
	m := w.create(ec2Manager("old", "eu-west-*")).Manager
	m.Name = "new"
	w.inject(always(ec2sim.Fail("DescribeInstances", "RequestLimitExceeded"), own, "eu-west-2"))
	w.clock.advance(time.Minute)
	if _, err := w.keeper.Update(t.Context(), m, scan.Request{}); err != nil {
		t.Fatal(err)
	}
	equal(t, "stopped/unreachable new", w.told(id))
	equal(t, "running/unknown new", w.told(elsewhere))
	// Who rests on what was before is refused.
	_, err := w.keeper.Update(t.Context(), m, scan.Request{})
	if !errors.Is(err, nodes.ErrConflict) {
		t.Errorf("the error is %v", err)
	}
}

func TestA14_4StoppedAndRunningAgain(t *testing.T) {
	w := newWorld(t)
	id := w.add(own, "eu-west-1", 1, ec2sim.Instance{})[0]
	w.create(ec2Manager("fleet", "eu-west-1"))
	r := w.sim.Region("eu-west-1")
	var since []time.Time
	for _, state := range []string{"stopped", "running"} {
		r.EditInstance(id, func(i *ec2sim.Instance) { i.State = state })
		w.scan()
		since = append(since, w.node(id).StateSince)
	}
	n := w.node(id)
	equal(t, "running/unknown fleet", w.told(id))
	if n.ConnectionError != "" || !since[1].After(since[0]) {
		t.Errorf("the error is %q, since %v", n.ConnectionError, since)
	}
	before := n.StateSince
	w.scan()
	if got := w.node(id).StateSince; !got.Equal(before) {
		t.Errorf("nothing changed, and the state is since %s", got)
	}
}

// Credentials come from a profile, or from a secret that is read when it is needed.
func TestManagersByProfileAndSecret(t *testing.T) {
	theirs := ec2sim.Credential{AccessKeyID: "AKIATHEIRS0000000000", SecretAccessKey: "their-secret",
		ARN: "arn:aws:iam::" + other + ":user/reader"}
	w := newWorld(t, ec2sim.WithCredentials(theirs))
	w.add(other, "eu-west-1", 2, ec2sim.Instance{})
	dir := t.TempDir()
	shared, secret := filepath.Join(dir, "credentials"), filepath.Join(dir, "secret.json")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(shared, "[theirs]\naws_access_key_id="+theirs.AccessKeyID+"\naws_secret_access_key="+
		theirs.SecretAccessKey+"\n")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", shared)
	write(secret, `{"accessKeyId":"AKIATHEIRS0000000000","secretAccessKey":"their-secret"}`)
	profile, file := ec2Manager("profile", "eu-west-1"), ec2Manager("file", "eu-west-1")
	profile.Access = nodes.Access{Kind: nodes.AccessProfile, Profile: "theirs"}
	file.Access = nodes.Access{Kind: nodes.AccessSecret, Secret: nodes.SecretRef("file:" + secret)}
	both := ec2Manager("role by a secret", "eu-west-1")
	both.Access = file.Access
	both.Access.RoleARN = "arn:aws:iam::" + third + ":role/nodes"
	both.Access.ExternalID = "word-" + third
	equal(t, []string{"profile/" + other + "/eu-west-1 complete 2"},
		verdicts(w.create(profile).Results))
	equal(t, []string{"file/" + other + "/eu-west-1 complete 2"}, verdicts(w.create(file).Results))
	equal(t, []string{"role by a secret/" + third + "/eu-west-1 complete 0"},
		verdicts(w.create(both).Results))

	for _, tt := range []struct {
		name, reason string
		fall         func()
	}{
		{"readable by others", "chmod 600", func() { _ = os.Chmod(secret, 0o644) }},
		{"not JSON", "no object in JSON", func() { write(secret, "their-secret") }},
		{"half", "has no accessKeyId or no secretAccessKey", func() {
			write(secret, `{"secretAccessKey":"their-secret"}`)
		}},
		{"gone", "no such file", func() { _ = os.Remove(secret) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(secret, "{}")
			_ = os.Chmod(secret, 0o600)
			tt.fall()
			w.scan()
			c := w.checked("file")
			if c.Status != nodes.StatusUnreachable || !strings.Contains(c.Reason, tt.reason) ||
				strings.Contains(c.Reason, "their-secret") {
				t.Errorf("it is %+v", c)
			}
			if c := w.checked("profile"); c.Status != nodes.StatusReachable {
				t.Errorf("the other is %+v", c)
			}
		})
	}
}
