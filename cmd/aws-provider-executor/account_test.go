package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger/ledgertest"
)

// The accounts of these tests. The lab is in the first one.
const (
	ownAccount   = "123456789012"
	theirAccount = "222233334444"
)

// profiles are a role of each account, and what they are assumed with.
const profiles = `[profile keys]
aws_access_key_id = KEY
aws_secret_access_key = SECRET
[profile own]
role_arn = arn:aws:iam::` + ownAccount + `:role/executor
source_profile = keys
[profile theirs]
role_arn = arn:aws:iam::` + theirAccount + `:role/executor
source_profile = keys
`

// twoAccounts are a lab and an account beside it, and an executor with a role in each.
type twoAccounts struct {
	t   *testing.T
	sim *ec2sim.Sim
	dir string
	env []string
}

func newTwoAccounts(t *testing.T) *twoAccounts {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	for _, account := range []string{ownAccount, theirAccount} {
		sim.Account(account).AddRole(ec2sim.AccountRole{Name: "executor",
			Trusts: []string{ec2sim.LabCredential.ARN}})
	}
	sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) {
		i.Tags["lab"] = "smoke"
	})
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := &twoAccounts{t: t, sim: sim, dir: t.TempDir()}
	file := filepath.Join(c.dir, "config")
	text := strings.NewReplacer("KEY", ec2sim.LabCredential.AccessKeyID,
		"SECRET", ec2sim.LabCredential.SecretAccessKey).Replace(profiles)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.env = slices.DeleteFunc(server.Env(), func(v string) bool {
		return strings.HasPrefix(v, "AWS_ACCESS_KEY_ID=") ||
			strings.HasPrefix(v, "AWS_SECRET_ACCESS_KEY=")
	})
	c.env = append(c.env, "PATH="+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0",
		"AWS_CONFIG_FILE="+file, "EXECUTOR_STATE_DIR="+c.state(), "EXECUTOR_TIMEOUT=5s")
	return c
}

func (c *twoAccounts) state() string { return filepath.Join(c.dir, "state") }

// send runs the executor with a profile.
func (c *twoAccounts) send(
	profile, verb, mode, key string, target, parameters map[string]string,
) told {
	c.t.Helper()
	request, err := json.Marshal(map[string]any{
		"apiVersion": "provideraction.routerd.net/v1alpha1", "kind": "ExecuteActionRequest",
		"spec": map[string]any{"action": verb, "provider": "aws", "mode": mode,
			"idempotencyKey": key, "target": target, "parameters": parameters},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command("aws-provider-executor")
	cmd.Env, cmd.Dir = append(slices.Clone(c.env), "AWS_PROFILE="+profile), c.dir
	cmd.Stdin = bytes.NewReader(request)
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatal(err)
	}
	var result struct{ Status told }
	if err := json.Unmarshal(out, &result); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	return result.Status
}

// kept holds how many records are not undone.
func (c *twoAccounts) kept(want int) {
	c.t.Helper()
	keys, err := ledgertest.Open(c.state())
	if err != nil || len(keys) != want {
		c.t.Errorf("%d records (%v), want %d", len(keys), err, want)
	}
}

// age makes all records older than a minute.
func (c *twoAccounts) age() {
	c.t.Helper()
	if err := ledgertest.Age(c.state(), 90*time.Second); err != nil {
		c.t.Fatal(err)
	}
}

// remove takes resources away. An instance goes with its interfaces.
func (c *twoAccounts) remove(ids ...string) {
	lab := c.sim.Region(ec2sim.LabRegion)
	for _, id := range ids {
		for _, n := range lab.State().Interfaces {
			if n.Attachment != nil && n.Attachment.InstanceID == id {
				lab.Remove(n.ID)
			}
		}
		lab.Remove(id)
	}
}

// undoable is an action of a verb family, with what is removed to have its target gone.
type undoable struct {
	name, verb, undo   string
	target, parameters map[string]string
	gone               func(*twoAccounts) []string
}

// is returns a function that returns ids.
func is(ids ...string) func(*twoAccounts) []string {
	return func(*twoAccounts) []string { return ids }
}

func undoables() []undoable {
	db := func() map[string]string { return map[string]string{"instanceRef": ec2sim.LabDB} }
	return []undoable{
		{"address", "assign-secondary-ip", "unassign-secondary-ip",
			map[string]string{"nicRef": ec2sim.LabSpareInterface, "address": "10.88.60.9/32"}, nil,
			is(ec2sim.LabSpareInterface)},
		{"forwarding", "ensure-forwarding-enabled", "ensure-forwarding-disabled",
			map[string]string{"nicRef": ec2sim.LabSpareInterface}, nil, is(ec2sim.LabSpareInterface)},
		{"route", "assign-route-table-route", "unassign-route-table-route",
			map[string]string{"routeTableRef": ec2sim.LabRouteTable, "address": "10.98.0.0/24",
				"nicRef": ec2sim.LabRouterBInterface}, nil, is(ec2sim.LabRouteTable)},
		{"fence", "fence-security-groups", "unfence-security-groups", db(),
			map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
			is(ec2sim.LabDB)},
		{"power", "stop-instances", "start-instances", db(),
			map[string]string{"requiredTag": "lab=smoke"}, is(ec2sim.LabDB)},
		{"tags", "ensure-tags", "restore-tags",
			map[string]string{"resourceRef": ec2sim.LabSpareInterface},
			map[string]string{"tag.role": "router"}, is(ec2sim.LabSpareInterface)},
		{"interface", "ensure-network-interface", "remove-network-interface",
			map[string]string{"instanceRef": ec2sim.LabRouterA, "deviceIndex": "1"},
			map[string]string{"subnet.ap-northeast-1a": ec2sim.LabSubnetA,
				"securityGroups": ec2sim.LabGroupWeb},
			func(c *twoAccounts) (made []string) {
				for _, n := range c.sim.Region(ec2sim.LabRegion).State().Interfaces {
					if n.Tags[ec2model.Slot] != "" {
						made = append(made, n.ID)
					}
				}
				return made
			}},
	}
}

// do carries the action out, and makes its record older than a minute. It returns the facts.
func (u undoable) do(c *twoAccounts, profile string) map[string]string {
	c.t.Helper()
	got := c.send(profile, u.verb, "execute", "k", u.target, u.parameters)
	if got.Status != "succeeded" || got.Observed["changed"] != "true" {
		c.t.Fatalf("%+v", got)
	}
	c.age()
	return got.Observed
}

// undone undoes the action, which closes it.
func (u undoable) undone(c *twoAccounts, profile, changed string, facts map[string]string) {
	c.t.Helper()
	got := c.send(profile, u.undo, "execute", "k:undo", u.target, facts)
	if got.Status != "succeeded" || got.Observed["changed"] != changed {
		c.t.Errorf("%+v", got)
	}
	c.kept(0)
}

// refused holds that the undo of the other account is refused, and changes nothing.
func (u undoable) refused(c *twoAccounts, facts map[string]string) {
	c.t.Helper()
	before := c.sim.State()
	for _, mode := range []string{"dry-run", "execute"} {
		got := c.send("theirs", u.undo, mode, "k:undo", u.target, facts)
		if got.Status != "failed" || got.Observed["failureClass"] != "configuration" ||
			got.Observed["retryable"] != "false" || got.Observed["targetGone"] != "" ||
			!strings.Contains(got.Error, "identity is of the account \""+theirAccount) ||
			!strings.Contains(got.Error, "made in the account \""+ownAccount) {
			c.t.Errorf("%s: %+v", mode, got)
		}
	}
	c.kept(1)
	if diff := cmp.Diff(before, c.sim.State()); diff != "" {
		c.t.Errorf("the world changed (-before +now):\n%s", diff)
	}
}

// TestUndoInAnotherAccount: an undo does not take for gone what only another account shows. In the
// account of the action it is undone, and what is gone there is closed.
func TestUndoInAnotherAccount(t *testing.T) {
	for _, u := range undoables() {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			c := newTwoAccounts(t)
			u.target["region"] = ec2sim.LabRegion
			// EC2 tells whose all is but tags. Long-lived keys tell no account.
			own := "keys"
			if u.name == "tags" {
				own = "own"
			}
			facts := u.do(c, own)
			u.refused(c, facts)
			u.undone(c, own, "true", facts)

			facts = u.do(c, own)
			c.remove(u.gone(c)...)
			u.refused(c, facts)
			u.undone(c, own, "false", facts)
		})
	}
}

// TestUndoThatCannotAskItsAccount: while nobody tells in which account an undo is sent, nothing is
// taken for gone. A record without an account is read as ever.
func TestUndoThatCannotAskItsAccount(t *testing.T) {
	t.Parallel()
	c := newTwoAccounts(t)
	target := map[string]string{"nicRef": ec2sim.LabSpareInterface, "region": ec2sim.LabRegion}
	got := c.send("own", "ensure-forwarding-enabled", "execute", "k", target, nil)
	if got.Status != "succeeded" {
		t.Fatalf("%+v", got)
	}
	// A fresh record tells the account, too: the undo does not wait in vain.
	fresh := c.send("theirs", "ensure-forwarding-disabled", "execute", "k:undo", target, got.Observed)
	if fresh.Observed["failureClass"] != "configuration" {
		t.Errorf("%+v", fresh)
	}
	c.age()
	c.remove(ec2sim.LabSpareInterface)
	if err := c.sim.Inject(ec2sim.Fail("GetCallerIdentity", "InternalError").Times(-1)); err != nil {
		t.Fatal(err)
	}
	undone := c.send("own", "ensure-forwarding-disabled", "execute", "k:undo", target, got.Observed)
	if undone.Status != "failed" || undone.Observed["failureClass"] != "unavailable" ||
		undone.Observed["retryable"] != "true" || !strings.Contains(undone.Error, ownAccount) {
		t.Errorf("%+v", undone)
	}
	c.kept(1)
	c.sim.ClearFaults()
	undone = c.send("own", "ensure-forwarding-disabled", "execute", "k:undo", target, got.Observed)
	if undone.Status != "succeeded" || undone.Observed["targetGone"] != "true" {
		t.Errorf("%+v", undone)
	}
	c.kept(0)
}

// TestUndoByFactsInAnotherAccount: facts hold an undo to their account where no record does.
func TestUndoByFactsInAnotherAccount(t *testing.T) {
	t.Parallel()
	c := newTwoAccounts(t)
	c.env = append(c.env, "EXECUTOR_STATE_DIR=none")
	target := map[string]string{"nicRef": ec2sim.LabSpareInterface, "region": ec2sim.LabRegion}
	undo := func(profile string, facts map[string]string) told {
		t.Helper()
		return c.send(profile, "ensure-forwarding-disabled", "execute", "k:undo", target, facts)
	}
	got := c.send("own", "ensure-forwarding-enabled", "execute", "k", target, nil)
	if got.Status != "succeeded" || got.Observed["targetAccount"] != ownAccount {
		t.Fatalf("%+v", got)
	}
	before := c.sim.State()
	refused := undo("theirs", got.Observed)
	if refused.Status != "failed" || refused.Observed["failureClass"] != "configuration" ||
		!strings.Contains(refused.Error, "made in the account \""+ownAccount) {
		t.Errorf("%+v", refused)
	}
	if diff := cmp.Diff(before, c.sim.State()); diff != "" {
		t.Errorf("the world changed (-before +now):\n%s", diff)
	}
	c.remove(ec2sim.LabSpareInterface)
	if gone := undo("own", got.Observed); gone.Status != "succeeded" ||
		gone.Observed["targetGone"] != "true" || gone.Observed["ignoredKeys"] != "" {
		t.Errorf("%+v", gone)
	}
	// Facts of an older program tell no account.
	older := maps.Clone(got.Observed)
	delete(older, "targetAccount")
	if gone := undo("theirs", older); gone.Status != "succeeded" {
		t.Errorf("%+v", gone)
	}
}

// TestNotFoundTellsWhere: what an action does not find is not found in the identity's account.
func TestNotFoundTellsWhere(t *testing.T) {
	t.Parallel()
	c := newTwoAccounts(t)
	target := map[string]string{"nicRef": ec2sim.LabSpareInterface, "region": ec2sim.LabRegion}
	for _, mode := range []string{"dry-run", "execute"} {
		got := c.send("theirs", "ensure-forwarding-enabled", mode, "k", target, nil)
		if got.Status != "failed" || got.Observed["failureClass"] != "not-found" ||
			!strings.Contains(got.Error, "in the account of this identity") {
			t.Errorf("%s: %+v", mode, got)
		}
	}
	for _, call := range c.sim.Calls() {
		if call.Operation == "GetCallerIdentity" {
			t.Error("it asked who it is")
		}
	}
}
