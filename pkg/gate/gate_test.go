package gate_test

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// rig is a gate on a real journal, with a clock and an executor of its own.
type rig struct {
	*gate.Gate
	t       *testing.T
	path    string
	journal *journal.Journal
	now     time.Time
	// machine is where the gate runs.
	machine *machine

	mu       sync.Mutex
	requests []protocol.Request
	// answer is what the executor says; nil lets everything succeed.
	answer func(protocol.Request) (protocol.Result, error)
}

const lab = `
  enabled: true
  dryRunOnly: false
  allowedProviders: [aws]
  allowedActions: [assign-secondary-ip, ensure-forwarding-enabled]
  allowedCIDRs: [10.88.60.0/24]
  maxActionsPerRun: 10
  allowUndo: true
`

func parsePolicy(t *testing.T, spec string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(
		[]byte(
			"apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\nmetadata: {name: " +
				"lab}\nspec:\n" + spec,
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// place names where a journal is made: a file, unless the tests run on a server.
var place = func(t *testing.T) string { return filepath.Join(t.TempDir(), "journal.db") }

func newRig(t *testing.T, spec string) *rig {
	t.Helper()
	path := place(t)
	j, err := journal.OpenOrCreate(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	r := &rig{t: t, path: path, journal: j, now: time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)}
	r.machine = &machine{rig: r, self: gate.Process{Host: "here", Boot: "b1", PID: 7, Start: "1"}}
	r.Gate = &gate.Gate{
		Store: j, Registry: actions.Registry(), Provider: "aws", Run: r, Timeout: time.Minute,
		Now: func() time.Time { return r.now }, Machine: r.machine,
		Actor: "tester", Claimant: "here",
	}
	if spec != "" {
		r.Policy = parsePolicy(t, spec)
	}
	return r
}

// Run is the executor.
func (r *rig) Run(_ context.Context, req protocol.Request) (protocol.Result, error) {
	r.mu.Lock()
	r.requests = append(r.requests, req)
	answer := r.answer
	r.mu.Unlock()
	if answer == nil {
		return fitting(req, succeeded(map[string]string{"changed": "true"})), nil
	}
	result, err := answer(req)
	return fitting(req, result), err
}

// fitting adds the fact without which a success is another request's, unless the result has some.
func fitting(req protocol.Request, r protocol.Result) protocol.Result {
	facts := map[string]string{
		"assign-secondary-ip": "priorAssigned", "ensure-forwarding-enabled": "priorSourceDestCheck",
		"unassign-secondary-ip": "overwrote", "ensure-forwarding-disabled": "sourceDestCheck",
		"assign-route-table-route": "routeState", "unassign-route-table-route": "unknownPrior",
	}
	if req.Target["captureStrategy"] == "route-table" {
		facts = map[string]string{
			"assign-secondary-ip": "routeState", "unassign-secondary-ip": "unknownPrior",
			"unassign-route-table-route": "unknownPrior",
		}
	}
	name := facts[req.Action]
	if r.Status.Status != protocol.Succeeded || name == "" || r.Status.Observed[name] != "" {
		return r
	}
	r.Status.Observed = maps.Clone(r.Status.Observed)
	if r.Status.Observed == nil {
		r.Status.Observed = map[string]string{}
	}
	r.Status.Observed[name] = "false"
	return r
}

// machine is one whose processes and uptime a test sets.
type machine struct {
	rig  *rig
	self gate.Process
	// lives are other processes than its own, by their ids.
	lives map[int]gate.Life
	// skew is by how much its clock was set back since the test began.
	skew time.Duration
}

func (m *machine) Self() gate.Process { return m.self }

func (m *machine) Life(p gate.Process) gate.Life {
	switch {
	case p == m.self:
		return gate.Lives
	case p.Boot == m.self.Boot:
		return m.lives[p.PID]
	}
	return gate.LifeUnknown
}

func (m *machine) Uptime() time.Duration {
	return m.rig.now.Add(m.skew).Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

func succeeded(facts map[string]string) protocol.Result {
	return protocol.NewResult(
		protocol.Status{
			Status:        protocol.Succeeded,
			Message:       "did it",
			Observed:      facts,
			UndoAvailable: true,
		},
	)
}

func failed(class protocol.FailureClass, facts map[string]string) protocol.Result {
	all := map[string]string{protocol.FactFailureClass: string(class)}
	for k, v := range facts {
		all[k] = v
	}
	s := protocol.Say(protocol.Failed, "it is "+string(class))
	s.Observed = all
	return protocol.NewResult(s)
}

func skipped(facts map[string]string) protocol.Result {
	s := protocol.Say(protocol.Skipped, "nothing")
	s.Observed = facts
	return protocol.NewResult(s)
}

func plan(key string) gate.Plan {
	return gate.Plan{Provider: "aws", Action: "assign-secondary-ip", IdempotencyKey: key,
		Target: map[string]string{
			"nicRef":  "eni-01088600000000011",
			"address": "10.88.60.9",
			"region":  "ap-northeast-1",
		}}
}

// imported imports plans with these keys and returns their ids.
func (r *rig) imported(keys ...string) []int64 {
	r.t.Helper()
	var plans []gate.Plan
	for _, k := range keys {
		plans = append(plans, plan(k))
	}
	outcomes, err := r.Import(context.Background(), plans, "test", false)
	if err != nil {
		r.t.Fatal(err)
	}
	ids := make([]int64, len(outcomes))
	for i, o := range outcomes {
		ids[i] = o.Action.ID
	}
	return ids
}

func (r *rig) approved(keys ...string) []int64 {
	r.t.Helper()
	ids := r.imported(keys...)
	r.all(r.Approve(context.Background(), ids, "ann", ""))(gate.Done)
	return ids
}

// all holds that every outcome has the verdict, and none a reason or error.
func (r *rig) all(outcomes []gate.Outcome, err error) func(want ...gate.Verdict) []gate.Outcome {
	r.t.Helper()
	return func(want ...gate.Verdict) []gate.Outcome {
		r.t.Helper()
		if err != nil || len(outcomes) == 0 {
			r.t.Fatalf("%d outcomes, %v", len(outcomes), err)
		}
		for i, o := range outcomes {
			w := want[min(i, len(want)-1)]
			if o.Verdict != w {
				r.t.Errorf("action %d: %s (%s), want %s", o.Action.ID, o.Verdict, o.Message, w)
			}
		}
		return outcomes
	}
}

func (r *rig) execute(ids ...int64) ([]gate.Outcome, error) {
	return r.Execute(context.Background(), ids, gate.Options{})
}

func (r *rig) get(id int64) gate.Action {
	r.t.Helper()
	a, err := r.Store.Get(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rig) kinds(id int64) string {
	r.t.Helper()
	events, err := r.Store.Events(context.Background(), gate.EventQuery{ActionID: id})
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, e := range events {
		all = append(all, string(e.Kind))
	}
	return strings.Join(all, " ")
}

func (r *rig) verified() {
	r.t.Helper()
	report, err := r.journal.Verify(context.Background())
	if err != nil || len(report.Faults) > 0 {
		r.t.Errorf("the journal: %v, %v", report.Faults, err)
	}
}

func TestTheWholeRoad(t *testing.T) {
	r := newRig(t, lab)
	id := r.imported("k")[0]
	r.all(r.DryRun(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	a := r.get(id)
	if a.Status != gate.Succeeded || a.ApprovedBy != "ann (self-declared)" ||
		a.ResultMessage != "did it" ||
		a.Observed["priorAssigned"] != "false" ||
		a.Claim != nil {
		t.Errorf("%+v", a)
	}
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	if a := r.get(id); a.Status != gate.RolledBack || a.Observed["priorAssigned"] != "false" {
		t.Errorf("%+v", a)
	}
	undo := r.requests[2]
	if undo.Action != "unassign-secondary-ip" || undo.IdempotencyKey != "k:undo" ||
		undo.Parameters["priorAssigned"] != "false" ||
		undo.Mode != protocol.Execute {
		t.Errorf("the undo: %+v", undo)
	}
	if got, want := r.kinds(id), "imported dry-run approved claimed result rollback-claimed "+
		"rolled-back"; got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
	r.verified()
}

func TestImportRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*gate.Plan)
		want   string
	}{
		{
			"a provider that is not ours",
			func(p *gate.Plan) { p.Provider = "gcp" },
			`provider: is "gcp", want "aws"`,
		},
		{
			"an unknown action",
			func(p *gate.Plan) { p.Action = "assign" },
			`action: is "assign", want one of assign-secondary-ip`,
		},
		{
			"an action that is nearly one",
			func(p *gate.Plan) { p.Action = "asign-secondary-ip" },
			`action: is "asign-secondary-ip" (did you mean assign-secondary-ip?), want one of `,
		},
		{
			"an undo that is none",
			func(p *gate.Plan) { p.Undo = &gate.Undo{Action: "ensure-forwarding-disabled"} },
			"what undoes assign-secondary-ip is unassign-secondary-ip",
		},
		{
			"what can't be undone",
			func(p *gate.Plan) { p.Action = "unassign-secondary-ip" },
			"undo: unassign-secondary-ip can't be undone",
		},
		{"an undo of what can't be undone", func(p *gate.Plan) {
			p.Action, p.Undo = "unassign-secondary-ip", &gate.Undo{Action: "ensure-forwarding-enabled"}
		}, "take undo out"},
		{"undo parameters that are wrong", func(p *gate.Plan) {
			p.Undo = &gate.Undo{
				Action:     "unassign-secondary-ip",
				Parameters: map[string]string{"priorAssigned": "maybe"},
			}
		}, "undo.parameters.priorAssigned"},
		{
			"a credential",
			func(p *gate.Plan) { p.Parameters = map[string]string{"secretAccessKey": "hush"} },
			"parameters.secretAccessKey: carries a credential",
		},
		{"a credential for the undo", func(p *gate.Plan) {
			p.Undo = &gate.Undo{
				Action:     "unassign-secondary-ip",
				Parameters: map[string]string{"password": "hush"},
			}
		}, "undo.parameters.password: carries a credential"},
		{"an undo's key", func(p *gate.Plan) { p.IdempotencyKey = "k:undo" },
			`idempotencyKey: is "k:undo", the key of an undo, and assign-secondary-ip takes nothing back`},
		{"a blank key", func(p *gate.Plan) { p.IdempotencyKey = " " }, "idempotencyKey: is blank"},
		{
			"several faults",
			func(p *gate.Plan) { p.Target["nicRef"] = "eni"; p.Target["address"] = "10.0.0.0/8" },
			"target.address",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, lab)
			p := plan("bad")
			tt.change(&p)
			_, err := r.Import(context.Background(), []gate.Plan{plan("good"), p}, "test", false)
			if !gate.IsRefusal(err) || !strings.Contains(err.Error(), tt.want) ||
				strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if all, _ := r.Store.List(context.Background(), gate.Query{}); len(all) != 0 {
				t.Errorf("%d of a refused import are there", len(all))
			}
			if events, _ := r.Store.Events(context.Background(),
				gate.EventQuery{Kind: gate.EventDenied}); len(
				events,
			) != 1 {
				t.Errorf("%d denials logged", len(events))
			}
		})
	}
}

func TestImportOfTwoProvidersIsRefused(t *testing.T) {
	r := newRig(t, lab)
	other := plan("b")
	other.Provider = "gcp"
	_, err := r.Import(context.Background(), []gate.Plan{plan("a"), other}, "test", false)
	if !gate.IsRefusal(err) ||
		!strings.Contains(err.Error(), "plans of several providers (aws, gcp)") {
		t.Errorf("got %v", err)
	}
}

func TestImportTakesAKeyOnce(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	again, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", false)
	r.all(again, err)(gate.Done)
	if again[0].Action.ID != id || r.get(id).Status != gate.Approved {
		t.Errorf("%+v", again)
	}
	changed := plan("k")
	changed.Parameters = map[string]string{"allowReassignment": "true"}
	if _, err := r.Import(context.Background(), []gate.Plan{changed}, "test", false); !gate.IsRefusal(
		err,
	) ||
		!strings.Contains(err.Error(), "with another plan") {
		t.Errorf("another plan: %v", err)
	}
	if _, err := r.Import(context.Background(), []gate.Plan{plan("x"), plan("x")}, "test",
		false); !gate.IsRefusal(
		err,
	) ||
		!strings.Contains(err.Error(), "that of plan 1 too") {
		t.Errorf("twice in one: %v", err)
	}
	// Requeued, it needs approval anew.
	r.now = r.now.Add(time.Second)
	if _, err := r.Import(context.Background(), []gate.Plan{changed}, "test", true); err != nil {
		t.Fatal(err)
	}
	if a := r.get(id); a.Status != gate.Pending || a.ApprovedBy != "" {
		t.Errorf("%+v", a)
	}
	r.all(r.execute(id))(gate.Refused)
	r.verified()
}

func TestApproveRefuses(t *testing.T) {
	tests := []struct {
		name, spec string
		before     func(r *rig, id int64)
		by, digest string
		want       string
	}{
		{"the same person twice", lab + "  approvals: 2\n", func(r *rig, id int64) {
			r.all(r.Approve(context.Background(), []int64{id}, "Ann", ""))(gate.Done)
		}, " ann ", "", "by: Ann has approved it already"},
		{"nobody", lab, nil, " ", "", "by: nobody is named"},
		{"another plan than was looked at", lab, nil, "ann", "sha256:0", "digest: the plan has changed"},
		{"what has succeeded", lab, func(r *rig, id int64) {
			r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Done)
			r.all(r.execute(id))(gate.Done)
		}, "ann", "", "status: it is succeeded"},
		{
			"without evidence",
			lab + "  requireEvidence: true\n",
			nil,
			"ann",
			"",
			"requireEvidence: no dry-run",
		},
		{"after a dry-run that failed", lab + "  requireEvidence: true\n", func(r *rig, id int64) {
			r.answer = func(protocol.Request) (protocol.Result, error) {
				return failed(protocol.Conflict,
					nil), nil
			}
			r.all(r.DryRun(context.Background(), []int64{id}, gate.Options{}))(gate.Unsuccessful)
		}, "ann", "", "requireEvidence: no dry-run"},
		{
			"too late",
			lab + "  maxDecisionWait: 1h\n",
			func(r *rig, _ int64) { r.now = r.now.Add(2 * time.Hour) },
			"ann",
			"",
			"maxDecisionWait: it has waited 2h0m0s",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.spec)
			id := r.imported("k")[0]
			if tt.before != nil {
				tt.before(r, id)
			}
			before := r.get(id)
			o := r.all(r.Approve(context.Background(), []int64{id}, tt.by, tt.digest))(gate.Refused)[0]
			if !strings.Contains(o.Message, tt.want) {
				t.Errorf("got %q, want %q", o.Message, tt.want)
			}
			if d := cmp.Diff(before, r.get(id)); d != "" {
				t.Error("the action was changed", d)
			}
		})
	}
}

func TestTwoApprovalsAreNeeded(t *testing.T) {
	r := newRig(t, lab+"  approvals: 2\n")
	id := r.approved("k")[0]
	if a := r.get(id); a.Status != gate.Pending {
		t.Errorf("%+v", a)
	}
	if o := r.all(r.execute(id))(gate.Refused)[0]; !strings.Contains(
		o.Message,
		"approvals: 1 of 2 approvals",
	) {
		t.Error(o.Message)
	}
	r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Done)
	const both = "ann (self-declared), bob (self-declared)"
	if a := r.get(id); a.Status != gate.Approved || a.ApprovedBy != both {
		t.Errorf("%+v", a)
	}
	r.all(r.execute(id))(gate.Done)
}

func TestExecuteRefuses(t *testing.T) {
	night := lab + "  executionWindow: Mon-Fri 22:00-06:00 UTC\n"
	tests := []struct {
		name, spec string
		before     func(r *rig, id int64)
		want       []string
	}{
		{"without approval", lab, nil, []string{"requireApproval: 0 of 1 approvals"}},
		{
			"every reason",
			strings.Replace(night, "dryRunOnly: false", "dryRunOnly: true", 1),
			nil,
			[]string{"dryRunOnly", "executionWindow: it is Tue 12:00 UTC", "requireApproval"},
		},
		{"an approval that expired", lab + "  approvalTTL: 1h\n", func(r *rig, id int64) {
			r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
			r.now = r.now.Add(2 * time.Hour)
		}, []string{"1 older than 1h0m0s"}},
		{"what was changed in the journal", lab, func(r *rig, id int64) {
			r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
			r.sql(`UPDATE action_executions SET target_json = replace(target_json, '60.9', '60.66')`)
		}, []string{"journal: the row of action 1 was changed: it is not as event 2 left it",
			"1 for a plan that has changed since"}},
		{"what another process is at", lab, func(r *rig, id int64) {
			r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
			r.claimed(id)
		}, []string{"claim: someone is at work on it (execute) since 2026-03-03T12:00:00Z; if that " +
			"is no more, it can be taken up in 1m0s"}},
		{"without a policy", "", nil, []string{"policy: there is none, and without one nothing runs"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.spec)
			id := r.imported("k")[0]
			if tt.before != nil {
				tt.before(r, id)
			}
			before := r.get(id)
			o := r.all(r.execute(id))(gate.Refused)[0]
			for _, want := range tt.want {
				if !strings.Contains(o.Message, want) {
					t.Errorf("got %q, want %q", o.Message, want)
				}
			}
			if d := cmp.Diff(before, r.get(id)); d != "" || len(r.requests) > 0 {
				t.Errorf("%d requests; %s", len(r.requests), d)
			}
			if !strings.HasSuffix(r.kinds(id), "denied") {
				t.Errorf("logged %q", r.kinds(id))
			}
		})
	}
}

// eventsMayChange lets the event log be changed.
const eventsMayChange = "DROP TRIGGER actionctl_events_are_not_changed"

// sql changes the journal behind the gate's back.
func (r *rig) sql(statements string) {
	r.t.Helper()
	driver, name := "sqlite", "file://"+r.journal.Path()
	if journal.OnServer(r.journal.Path()) {
		driver, name = "pgx", r.journal.Path()+"&default_query_exec_mode=simple_protocol"
		statements = strings.ReplaceAll(statements, "PRAGMA foreign_keys = 0", "SELECT 1")
		// No trigger fires for a replica.
		statements = strings.ReplaceAll(statements, eventsMayChange, "SELECT 1")
		statements = "SET session_replication_role = replica; " + statements
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		r.t.Fatal(err)
	}
}

// claimed leaves an action as a gate on another machine does that was killed.
func (r *rig) claimed(id int64) {
	r.t.Helper()
	a := r.get(id)
	a.Claim = &gate.Claim{
		Purpose: gate.ToExecute,
		By:      "someone",
		At:      r.now,
		Until:   r.now.Add(time.Minute),
		From:    a.Status,
	}
	a.Status = gate.Running
	if _, err := r.Store.Apply(context.Background(), gate.Change{Action: a,
		Event: gate.Event{At: r.now, Kind: gate.EventClaimed}}); err != nil {
		r.t.Fatal(err)
	}
}

// TestAnothersClaimIsTakenUpOnlyAfterItsTime, which is counted from the first look at it.
func TestAnothersClaimIsTakenUpOnlyAfterItsTime(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.claimed(id)
	r.now = r.now.Add(time.Hour)
	o := r.all(r.execute(id))(gate.Refused)[0]
	if !strings.Contains(o.Message, "it can be taken up in 1m0s") {
		t.Error(o.Message)
	}
	r.now = r.now.Add(time.Minute)
	r.all(r.execute(id))(gate.Refused)
	r.now = r.now.Add(time.Nanosecond)
	r.all(r.execute(id))(gate.Done)
	want := "imported approved claimed claim-seen denied denied taken-up result"
	if got := r.kinds(id); got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
	r.verified()
}

func TestALateResultIsNotLost(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.answer = func(protocol.Request) (protocol.Result, error) {
		// While the executor runs, its claim goes stale and another gate takes the action up.
		r.answer = nil
		other := *r.Gate
		there := gate.Process{Host: "there", Boot: "b2", PID: 7, Start: "1"}
		other.Machine = &machine{rig: r, self: there}
		ids := []int64{id}
		r.all(other.Execute(context.Background(), ids, gate.Options{}))(gate.Refused)
		r.now = r.now.Add(time.Hour)
		r.all(other.Execute(context.Background(), ids, gate.Options{}))(gate.Done)
		return succeeded(map[string]string{"priorAssigned": "late"}), nil
	}
	o := r.all(r.execute(id))(gate.Unsuccessful)[0]
	if !strings.HasSuffix(o.Message, "; what this run found is in the log only: did it") {
		t.Error(o.Message)
	}
	if a := r.get(id); a.Status != gate.Succeeded || a.Observed["priorAssigned"] != "false" {
		t.Errorf("%+v", a)
	}
	events, _ := r.Store.Events(
		context.Background(),
		gate.EventQuery{ActionID: id, Kind: gate.EventLateResult},
	)
	if len(events) != 1 || events[0].Data["observed"].(map[string]any)["priorAssigned"] != "late" {
		t.Errorf("%+v", events)
	}
}

func TestExecuteStopsAtTheFirstFailure(t *testing.T) {
	fail := func(req protocol.Request) (protocol.Result, error) {
		if req.IdempotencyKey == "b" {
			return failed(protocol.Conflict, nil), nil
		}
		return succeeded(nil), nil
	}
	r := newRig(t, lab)
	r.answer = fail
	ids := r.approved("a", "b", "c")
	r.all(r.execute(ids...))(gate.Done, gate.Unsuccessful, gate.NotReached)
	if r.get(ids[1]).Status != gate.Failed || r.get(ids[2]).Status != gate.Approved {
		t.Error(r.get(ids[1]).Status, r.get(ids[2]).Status)
	}
	r = newRig(t, lab)
	r.answer = fail
	r.all(
		r.Execute(context.Background(), r.approved("a", "b", "c"), gate.Options{KeepGoing: true}),
	)(
		gate.Done,
		gate.Unsuccessful,
		gate.Done,
	)
}

func TestNothingBeginsWhenOneIsRefused(t *testing.T) {
	r := newRig(t, lab)
	approved, pending := r.approved("a")[0], r.imported("b")[0]
	outcomes := r.all(r.execute(approved, pending))(gate.Refused, gate.NotReached)
	if outcomes[0].Action.ID != pending || len(r.requests) > 0 {
		t.Errorf("%d requests, %+v", len(r.requests), outcomes)
	}
	r.all(
		r.Execute(context.Background(), []int64{pending, approved}, gate.Options{KeepGoing: true}),
	)(
		gate.Refused,
		gate.Done,
	)
}

func TestLimitOfARun(t *testing.T) {
	r := newRig(t, strings.Replace(lab, "maxActionsPerRun: 10", "maxActionsPerRun: 2", 1))
	ids := r.approved("a", "b", "c", "d")
	outcomes := r.all(r.execute(ids...))(gate.Done, gate.Done, gate.Refused, gate.NotReached)
	if !strings.Contains(
		outcomes[2].Message,
		"maxActionsPerRun: 2 actions are allowed in a run, and this would be number 3",
	) {
		t.Error(outcomes[2].Message)
	}
	r.all(r.execute(ids[2:]...))(gate.Done)
}

func TestInParallelNothingRunsTwiceAndTheLimitHolds(t *testing.T) {
	r := newRig(t, lab)
	keys := strings.Fields("a b c d e f g h i j k l")
	ids := r.approved(keys...)
	outcomes, err := r.Execute(context.Background(), ids, gate.Options{Parallel: 8, KeepGoing: true})
	if err != nil {
		t.Fatal(err)
	}
	if done := len(slices.DeleteFunc(outcomes,
		func(o gate.Outcome) bool { return o.Verdict != gate.Done })); done != 10 ||
		len(r.requests) != 10 {
		t.Errorf("%d done, %d requests, want 10", done, len(r.requests))
	}
	r.verified()
}

func TestWhatTheExecutorDeniesIsRefused(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.answer = func(protocol.Request) (protocol.Result, error) {
		return failed(protocol.Denied, nil),
			nil
	}
	r.all(r.execute(id))(gate.Refused)
	if a := r.get(id); a.Status != gate.Approved || a.Claim != nil {
		t.Errorf("%+v", a)
	}
	if got, want := r.kinds(id), "imported approved claimed denied"; got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
}

func TestWithoutAResult(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("a", "b")
	r.answer = func(req protocol.Request) (protocol.Result, error) {
		if req.IdempotencyKey == "a" {
			return protocol.Result{}, &gate.NotStarted{Cause: errors.New("no such file")}
		}
		return protocol.Result{}, errors.New("killed")
	}
	r.all(r.Execute(context.Background(), ids, gate.Options{KeepGoing: true}))(gate.Unsuccessful)
	if a := r.get(ids[0]); a.Status != gate.Approved {
		t.Errorf("not started: %+v", a)
	}
	if a := r.get(ids[1]); a.Status != gate.Failed ||
		!strings.Contains(a.Error, "whether anything was changed is not known: execute it again") {
		t.Errorf("no result: %+v", a)
	}
	// Executed again under the same key, it finds out.
	r.answer = nil
	r.all(r.execute(ids...))(gate.Done)
	r.verified()
}

func TestRollback(t *testing.T) {
	tests := []struct {
		name    string
		answer  protocol.Result
		verdict gate.Verdict
		status  gate.Status
		message string
		event   string
	}{
		{"done", succeeded(nil), gate.Done, gate.RolledBack, "rolled back: did it", "rolled-back"},
		{
			"nothing to restore",
			skipped(nil),
			gate.Done,
			gate.RolledBack,
			"rolled back, nothing to restore",
			"rolled-back",
		},
		{"held by another, and nothing of its own", skipped(facts("heldBy", `["other"]`)),
			gate.Done, gate.RolledBack, "rolled back, nothing to restore", "rolled-back"},
		{
			"held by another",
			succeeded(facts("heldBy", `["other"]`, "changed", "false", "withdrawn", "true")),
			gate.Done,
			gate.RolledBack,
			"rolled back: did it",
			"rolled-back",
		},
		{
			"failed",
			failed(protocol.Drift, nil),
			gate.Unsuccessful,
			gate.Succeeded,
			"it is drift",
			"rollback-failed",
		},
		{
			"denied by the executor",
			failed(protocol.Denied, nil),
			gate.Refused,
			gate.Succeeded,
			"refused by the executor",
			"denied",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.all(r.execute(id))(gate.Done)
			observed := r.get(id).Observed
			r.answer = func(protocol.Request) (protocol.Result, error) { return tt.answer, nil }
			o := r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(tt.verdict)[0]
			a := r.get(id)
			if !strings.Contains(o.Message, tt.message) || a.Status != tt.status || a.Claim != nil ||
				!strings.HasSuffix(r.kinds(id), "rollback-claimed "+tt.event) {
				t.Errorf("%q, %+v, %s", o.Message, a, r.kinds(id))
			}
			if d := cmp.Diff(observed, a.Observed); d != "" {
				t.Error("facts were lost", d)
			}
			r.answer = nil
			want := gate.Done
			if tt.status == gate.RolledBack {
				want = gate.Refused
			}
			r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(want)
			r.verified()
		})
	}
}

func TestRollbackIsCheckedByPolicy(t *testing.T) {
	for name, tt := range map[string]struct{ from, to, want string }{
		"allowUndo":  {"allowUndo: true", "allowUndo: false", "allowUndo: undoing is not allowed"},
		"dryRunOnly": {"dryRunOnly: false", "dryRunOnly: true", "dryRunOnly"},
		"executionWindow": {"allowUndo: true", "allowUndo: true\n  executionWindow: Sun 00:00-01:00 " +
			"UTC", "executionWindow"},
		"allowedCIDRs": {"10.88.60.0/24", "10.88.61.0/24", "allowedCIDRs"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.all(r.execute(id))(gate.Done)
			r.Policy = parsePolicy(t, strings.Replace(lab, tt.from, tt.to, 1))
			o := r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)[0]
			if !strings.Contains(o.Message, tt.want) || len(r.requests) != 1 {
				t.Errorf("%q, %d requests", o.Message, len(r.requests))
			}
		})
	}
}

func TestRollbackGoesBackwards(t *testing.T) {
	for name, step := range map[string]time.Duration{"": time.Second, "a clock that stands " +
		"still": 0, "a clock that is set back": -time.Second} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			ids := r.approved("a", "b", "c")
			r.now = r.now.Add(time.Minute)
			for _, id := range []int64{ids[1], ids[0], ids[2]} {
				r.now = r.now.Add(step)
				r.all(r.execute(id))(gate.Done)
			}
			r.requests = nil
			r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Done)
			var keys []string
			for _, req := range r.requests {
				keys = append(keys, req.IdempotencyKey)
			}
			if !slices.Equal(keys, []string{"c:undo", "a:undo", "b:undo"}) {
				t.Errorf("undone in the order %v", keys)
			}
		})
	}
}

func TestTheUndosOwnParametersWin(t *testing.T) {
	r := newRig(t, lab)
	p := plan("k")
	p.Parameters = map[string]string{"allowReassignment": "true"}
	p.Undo = &gate.Undo{
		Action:     "unassign-secondary-ip",
		Parameters: map[string]string{"priorAssigned": "true", "onDrift": "restore"},
	}
	outcomes, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
	r.all(outcomes, err)(gate.Done)
	id := outcomes[0].Action.ID
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	want := map[string]string{"priorAssigned": "true", "onDrift": "restore", "changed": "true"}
	if d := cmp.Diff(want, r.requests[1].Parameters); d != "" {
		t.Error(d)
	}
}

func TestDryRunConsumesNothing(t *testing.T) {
	r := newRig(
		t,
		strings.Replace(
			lab,
			"dryRunOnly: false",
			"dryRunOnly: true",
			1,
		)+"  executionWindow: Sun 00:00-01:00 UTC\n",
	)
	id := r.imported("k")[0]
	before := r.get(id)
	r.all(r.DryRun(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	if d := cmp.Diff(before, r.get(id)); d != "" || r.requests[0].Mode != protocol.DryRun {
		t.Error(d, r.requests)
	}
	r.Policy = parsePolicy(t, strings.Replace(lab, "[aws]", "[gcp]", 1))
	r.all(r.DryRun(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)
}

// TestIrreversibleActions: named in allowedActions they may run; covered by "*" alone they may not.
func TestIrreversibleActions(t *testing.T) {
	named := strings.Replace(
		lab,
		"[assign-secondary-ip,",
		"[unassign-secondary-ip, assign-secondary-ip,",
		1,
	)
	r := newRig(t, named)
	p := plan("k")
	p.Action = "unassign-secondary-ip"
	r.Policy = parsePolicy(t, lab)
	_, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
	if !gate.IsRefusal(err) ||
		!strings.Contains(err.Error(), "add unassign-secondary-ip to allowedActions") {
		t.Errorf("without a policy that names it: %v", err)
	}
	allowed := parsePolicy(t, named)
	r.Policy = allowed
	outcomes, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
	r.all(outcomes, err)(gate.Done)
	id := outcomes[0].Action.ID
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	for _, spec := range []string{
		strings.Replace(lab, "[assign-secondary-ip,", "['*', assign-secondary-ip,", 1),
		named + "  allowIrreversible: false\n",
	} {
		r.Policy = parsePolicy(t, spec)
		if o := r.all(r.execute(id))(gate.Refused)[0]; !strings.Contains(o.Message, "allowIrreversible") {
			t.Error(o.Message)
		}
	}
	r.Policy = allowed
	r.all(r.execute(id))(gate.Done)
	if o := r.all(r.Rollback(context.Background(), []int64{id},
		gate.Options{}))(gate.Refused)[0]; !strings.Contains(
		o.Message,
		"can't be undone",
	) {
		t.Error(o.Message)
	}
}

// TestAPlannersReleaseIsUndoneByTakingTheAddressAgain: a core's planner says so, and allowUndo
// counts.
func TestAPlannersReleaseIsUndoneByTakingTheAddressAgain(t *testing.T) {
	named := strings.Replace(
		lab,
		"[assign-secondary-ip,",
		"[unassign-secondary-ip, assign-secondary-ip,",
		1,
	)
	r := newRig(t, named)
	p := plan("k")
	p.Action, p.Undo = "unassign-secondary-ip", &gate.Undo{Action: "assign-secondary-ip"}
	outcomes, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
	r.all(outcomes, err)(gate.Done)
	id := outcomes[0].Action.ID
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	r.Policy = parsePolicy(t, strings.Replace(named, "allowUndo: true", "allowUndo: false", 1))
	if o := r.all(r.Rollback(context.Background(), []int64{id},
		gate.Options{}))(gate.Refused)[0]; !strings.Contains(
		o.Message,
		"allowUndo",
	) {
		t.Error(o.Message)
	}
	r.Policy = parsePolicy(t, named)
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	last := r.requests[len(r.requests)-1]
	if last.Action != "assign-secondary-ip" || last.IdempotencyKey != "k:undo" {
		t.Errorf("%+v", last)
	}
	p.IdempotencyKey, p.Undo = "l", &gate.Undo{Action: "ensure-forwarding-disabled"}
	if _, err := r.Import(context.Background(), []gate.Plan{p}, "test", false); !gate.IsRefusal(err) {
		t.Errorf("an undo that takes nothing again: %v", err)
	}
}

// full is a journal whose disk fills up while the executor runs.
type full struct {
	gate.Store
	writes int
}

func (f *full) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	if f.writes--; f.writes < 0 {
		return nil, errors.New("no space left on device")
	}
	return f.Store.Apply(ctx, changes...)
}

func (f *full) ApplyEach(
	ctx context.Context, n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	if f.writes--; f.writes < 0 {
		return errors.New("no space left on device")
	}
	return f.Store.ApplyEach(ctx, n, change, made)
}

func TestFactsThatCanNotBeWrittenAreTold(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.Store = &full{Store: r.Store, writes: 1}
	outcomes, err := r.execute(id)
	if len(outcomes) != 1 || outcomes[0].Verdict != gate.Unsuccessful ||
		!strings.Contains(outcomes[0].Message, `"priorAssigned":"false"`) {
		t.Errorf("it did run: %+v", outcomes)
	}
	if err == nil || !strings.Contains(err.Error(), "no space left") ||
		!strings.Contains(err.Error(), `"priorAssigned":"false"`) {
		t.Errorf("got %v", err)
	}
	// The claim is there, so that it can be taken up again.
	if a := r.get(id); a.Status != gate.Running || a.Claim == nil {
		t.Errorf("%+v", a)
	}
}

func TestTwoImportsAtOnceMakeOneAction(t *testing.T) {
	r := newRig(t, lab)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := r.Import(context.Background(), []gate.Plan{plan("a"), plan("b")}, "test",
				false); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if all, _ := r.Store.List(context.Background(), gate.Query{}); len(all) != 2 {
		t.Errorf("%d actions", len(all))
	}
}

// TestThePolicyJudgesByTheNameOfAnAction, as a core does, and not by the verb that its target
// chooses. What was allowed is undone, by either name.
func TestThePolicyJudgesByTheNameOfAnAction(t *testing.T) {
	p := plan("k")
	p.Target = map[string]string{
		"nicRef":          "eni-01088600000000011",
		"routeTableRef":   "rtb-01088000000000060",
		"address":         "10.88.60.9/32",
		"region":          "ap-northeast-1",
		"captureStrategy": "route-table",
	}
	for _, undo := range []*gate.Undo{nil, {Action: "unassign-secondary-ip"},
		{Action: "unassign-route-table-route"}} {
		r := newRig(t, lab)
		p.Undo = undo
		outcomes, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
		r.all(outcomes, err)(gate.Done)
		id := outcomes[0].Action.ID
		r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
		r.Policy = parsePolicy(
			t,
			strings.Replace(lab, "[assign-secondary-ip,", "[assign-route-table-route,", 1),
		)
		o := r.all(r.execute(id))(gate.Refused)[0]
		if !strings.Contains(o.Message, `the action "assign-secondary-ip" is not allowed`) {
			t.Error(o.Message)
		}
		r.Policy = parsePolicy(t, lab)
		r.all(r.execute(id))(gate.Done)
		r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	}
	r := newRig(t, lab)
	p.Undo = &gate.Undo{Action: "ensure-forwarding-disabled"}
	if _, err := r.Import(context.Background(), []gate.Plan{p}, "test", false); !gate.IsRefusal(err) {
		t.Errorf("another undo: %v", err)
	}
}

// TestAKeyLikeAnUndosAllowsNoMore: only the undo of forwarding may leave its address out.
func TestAKeyLikeAnUndosAllowsNoMore(t *testing.T) {
	p := plan("k:undo")
	p.Action, p.Undo = "ensure-forwarding-disabled", nil
	p.Target = map[string]string{"nicRef": "eni-01088600000000011", "region": "ap-northeast-1"}
	p.Parameters = map[string]string{"priorSourceDestCheck": "true"}
	r := newRig(t, strings.Replace(lab, "[assign-secondary-ip,", "[ensure-forwarding-disabled,", 1))
	id := r.all(r.Import(context.Background(), []gate.Plan{p}, "test", false))(gate.Done)[0].Action.ID
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	o := r.all(r.execute(id))(gate.Refused)[0]
	if !strings.Contains(o.Message, "allowedCIDRs: the target has no address to check") {
		t.Error(o.Message)
	}
}
