package gate_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/selection"
)

// batch is a selection of n nodes in two regions, with its plans.
func batch(t *testing.T, key string, n int) (*selection.Document, []gate.Plan) {
	t.Helper()
	d := &selection.Document{
		Format: selection.Format, Key: key, Action: "ensure-forwarding-enabled",
		Selectors: []string{"tag:Name=web*"}, ChosenBy: "ann",
		ChosenAt: time.Date(2026, 3, 3, 11, 0, 0, 0, time.UTC),
		Regions:  []selection.Region{{Region: "eu-west-1", Nodes: 4}, {Region: "us-west-2", Nodes: 10}},
	}
	for i := range n {
		region := d.Regions[min(i/2, 1)].Region
		d.Nodes = append(d.Nodes, selection.Node{
			ID: fmt.Sprint("node", i), SourceID: fmt.Sprintf("i-0%d", i), Region: region,
			AccountID: "111122223333", State: "running", Interface: fmt.Sprintf("eni-%08x", i),
			By: []int{1},
		})
	}
	digest, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	var plans []gate.Plan
	for _, n := range d.Nodes {
		plans = append(plans, gate.Plan{
			Provider: "aws", Action: d.Action, IdempotencyKey: d.KeyOf(n),
			Target: map[string]string{
				"nicRef": n.Interface, "region": n.Region, "address": "10.88.60.9",
			},
			Selected: gate.SelectedOf(d, digest, n),
		})
	}
	return d, plans
}

func (r *rig) importedBatch(plans []gate.Plan) []int64 {
	r.t.Helper()
	outcomes, err := r.Import(context.Background(), plans, "test", false)
	if err != nil {
		r.t.Fatal(err)
	}
	var ids []int64
	for _, o := range outcomes {
		ids = append(ids, o.Action.ID)
	}
	return ids
}

func (r *rig) approvedBatch(ids []int64) {
	r.t.Helper()
	if _, err := r.Approve(context.Background(), ids, "ann", ""); err != nil {
		r.t.Fatal(err)
	}
}

// TestASelectionIsKeptWithItsPlans: once, in the log, and found by its key with its digest.
func TestASelectionIsKeptWithItsPlans(t *testing.T) {
	r := newRig(t, lab)
	d, plans := batch(t, "maint-7", 4)
	r.importedBatch(plans[:2])
	r.importedBatch(plans)
	_, others := batch(t, "maint-8", 1)
	r.importedBatch(others)
	r.imported("alone")
	events, err := r.journal.Events(t.Context(), gate.EventQuery{Kind: gate.EventSelected})
	if err != nil || len(events) != 2 || events[0].Key != "maint-7" || events[0].Data["nodes"] != "4" {
		t.Fatal(events, err)
	}
	for _, cache := range []*gate.SelectionCache{nil, {}} {
		g := r.another()
		g.Selections = cache
		for range 2 {
			found, err := g.Selection(t.Context(), "maint-7", plans[0].Selected.Digest)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := d.Digest()
			if digest, _ := found.Digest(); digest != want {
				t.Errorf("%s, want %s", digest, want)
			}
		}
		if _, err := g.Selection(t.Context(), "maint", ""); err == nil {
			t.Error("another key finds it")
		}
		if _, err := g.Selection(t.Context(), "maint-7", "sha256:0"); err == nil {
			t.Error("another digest finds it")
		}
	}
	all, err := r.journal.List(t.Context(), gate.Query{Selection: plans[0].Selected.Digest})
	if err != nil || len(all) != 4 {
		t.Error(len(all), err)
	}
	if r, err := r.journal.Verify(t.Context()); err != nil || len(r.Faults) > 0 {
		t.Error(r, err)
	}
}

// TestAPlanIsWhatItsSelectionSays: each way in which it is not is refused by name at the import,
// and nothing is written.
func TestAPlanIsWhatItsSelectionSays(t *testing.T) {
	for want, change := range map[string]func(*gate.Plan){
		`its target.nicRef is "eni-00000009", and the selection has "eni-00000001"`: func(p *gate.Plan) {
			p.Target["nicRef"] = "eni-00000009"
		},
		`its target.region is "us-east-1"`: func(p *gate.Plan) { p.Target["region"] = "us-east-1" },
		`its idempotencyKey is "maint-7/i-02"`: func(p *gate.Plan) {
			p.IdempotencyKey = "maint-7/i-02"
		},
		`its action is "assign-secondary-ip"`: func(p *gate.Plan) { p.Action = "assign-secondary-ip" },
		`the selection "maint-7" has no node "other"`: func(p *gate.Plan) {
			p.Selected.Node = "other"
		},
		`there is no selection "maint-7" in the journal`: func(p *gate.Plan) {
			p.Selected.Document = nil
		},
	} {
		r := newRig(t, lab)
		_, plans := batch(t, "maint-7", 4)
		change(&plans[1])
		_, err := r.Import(t.Context(), plans[:2], "test", false)
		if !gate.IsRefusal(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		all, err := r.journal.List(t.Context(), gate.Query{})
		events, _ := r.journal.Events(t.Context(), gate.EventQuery{Kind: gate.EventSelected})
		if err != nil || len(all)+len(events) > 0 {
			t.Error(all, events, err)
		}
	}
}

// TestAKeyNamesOneSelection: another one under it is refused, also with a requeue.
func TestAKeyNamesOneSelection(t *testing.T) {
	r := newRig(t, lab)
	_, plans := batch(t, "maint-7", 2)
	r.importedBatch(plans)
	_, other := batch(t, "maint-7", 3)
	for _, requeue := range []bool{false, true} {
		_, err := r.Import(t.Context(), other, "test", requeue)
		if !gate.IsRefusal(err) || !strings.Contains(err.Error(), "is that of another selection") {
			t.Error(err)
		}
	}
	_, err := r.Import(t.Context(), plans, "test", true)
	if err != nil {
		t.Error(err)
	}
}

// TestTheDigestBindsTheSelection: the same request for another set of nodes is another plan.
func TestTheDigestBindsTheSelection(t *testing.T) {
	_, two := batch(t, "maint-7", 2)
	_, three := batch(t, "maint-7", 3)
	alone := two[0]
	alone.Selected = nil
	digests := []string{two[0].Digest(), three[0].Digest(), alone.Digest()}
	slices.Sort(digests)
	if len(slices.Compact(digests)) != 3 {
		t.Error(digests)
	}
}

// TestPolicyBoundsASelection: by name and with the counts, at import, dry-run, approval and
// execution; an undo is not held to it.
func TestPolicyBoundsASelection(t *testing.T) {
	for bound, want := range map[string]string{
		"maxNodes: 3":                       "4 nodes are chosen, and 3 are allowed",
		"maxPercentPerRegion: 49":           "2 of 4 nodes in eu-west-1 are chosen, which is 50 %",
		`allowedAccounts: ["222233334444"]`: `4 of 4 nodes are of the account "111122223333"`,
	} {
		t.Run(bound, func(t *testing.T) {
			r := newRig(t, lab)
			_, plans := batch(t, "maint-7", 4)
			ids := r.importedBatch(plans)
			r.approvedBatch(ids)
			outcomes, err := r.Execute(t.Context(), ids[:1], gate.Options{})
			if gate.Refused == outcomes[0].Verdict || err != nil {
				t.Fatal(outcomes, err)
			}
			asked := len(r.requests)
			r.Policy = parsePolicy(t, lab+"  "+bound+"\n")
			refused := func(what string, outcomes []gate.Outcome, err error) {
				t.Helper()
				if err != nil || outcomes[0].Verdict != gate.Refused ||
					!strings.Contains(outcomes[0].Message, want) {
					t.Errorf("%s: %+v, %v", what, outcomes, err)
				}
			}
			outcomes, err = r.Execute(t.Context(), ids[1:], gate.Options{})
			refused("execute", outcomes, err)
			outcomes, err = r.DryRun(t.Context(), ids[1:2], gate.Options{})
			refused("dry-run", outcomes, err)
			outcomes, err = r.Approve(t.Context(), ids[1:2], "bob", "")
			refused("approve", outcomes, err)
			_, more := batch(t, "maint-8", 4)
			if _, err := r.Import(t.Context(), more, "test", false); !gate.IsRefusal(err) ||
				!strings.Contains(err.Error(), bound[:8]) || !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
			if len(r.requests) != asked {
				t.Error("the executor was asked")
			}
			r.all(r.Rollback(t.Context(), ids[:1], gate.Options{}))(gate.Done)
		})
	}
}

// TestAllowedAccountsRefuseWhatDoesNotSayIts: a plan that no selection made.
func TestAllowedAccountsRefuseWhatDoesNotSayIts(t *testing.T) {
	r := newRig(t, lab+"  allowedAccounts: [\"111122223333\"]\n")
	_, plans := batch(t, "maint-7", 1)
	r.importedBatch(plans)
	plans[0].Selected, plans[0].IdempotencyKey = nil, "alone"
	_, err := r.Import(t.Context(), plans, "test", false)
	if !gate.IsRefusal(err) || !strings.Contains(err.Error(), "the plan does not say its account") {
		t.Error(err)
	}
}

// TestWavesBeginOneAfterTheOther: nothing of a wave begins before the one before has ended, and
// after a failure nothing more does. What was not begun is not failed, and runs when it is asked
// for again; what succeeded does not run twice. Undone they are the last wave first.
func TestWavesBeginOneAfterTheOther(t *testing.T) {
	r := newRig(t, lab)
	d, plans := batch(t, "maint-7", 6)
	ids := r.importedBatch(plans)
	r.approvedBatch(ids)
	var under, most int
	broken := "eni-00000003"
	r.answer = func(q protocol.Request) (protocol.Result, error) {
		r.mu.Lock()
		under++
		most = max(most, under)
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			under--
			r.mu.Unlock()
		}()
		if q.Target["nicRef"] == broken {
			return protocol.Result{Status: protocol.Status{Status: protocol.Failed,
				Observed: map[string]string{"failureClass": "unavailable", "changed": "false"}}}, nil
		}
		return succeeded(map[string]string{"changed": "true"}), nil
	}
	var begun []int
	waves := gate.Options{Parallel: 2, Waves: []int{2, 2, 2}, Begins: func(w int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if begun = append(begun, w); under != 0 {
			t.Errorf("wave %d begins while %d are under way", w, under)
		}
	}}
	outcomes, err := r.Execute(t.Context(), ids, waves)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[gate.Verdict]int{}
	for _, o := range outcomes {
		verdicts[o.Verdict]++
	}
	want := map[gate.Verdict]int{gate.Done: 3, gate.Unsuccessful: 1, gate.NotReached: 2}
	if !maps.Equal(verdicts, want) || !slices.Equal(begun, []int{0, 1}) || most > 2 {
		t.Errorf("%v, began %v, %d at once", verdicts, begun, most)
	}
	if a := r.get(ids[5]); a.Status != gate.Approved {
		t.Errorf("what was not begun is %s", a.Status)
	}

	asked := len(r.requests)
	broken = ""
	q := gate.Query{Selection: plans[0].Selected.Digest}
	left, before, err := r.InSelection(t.Context(), d, q)
	if err != nil || !slices.Equal(left, ids[3:]) || len(before) != 3 {
		t.Fatal(left, before, err)
	}
	r.all(r.Execute(t.Context(), left, gate.Options{Parallel: 2, Waves: []int{1, 2}}))(gate.Done)
	if n := len(r.requests) - asked; n != 3 {
		t.Errorf("%d ran again", n)
	}
	r.undoneLastWaveFirst(d, ids)
}

// undoneLastWaveFirst undoes a batch in waves of two.
func (r *rig) undoneLastWaveFirst(d *selection.Document, ids []int64) {
	r.t.Helper()
	asked := len(r.requests)
	r.all(r.Rollback(r.t.Context(), ids, gate.Options{}))(gate.Done)
	waveOf := map[string]int{}
	for i, n := range d.Nodes {
		waveOf[n.Interface] = i / 2
	}
	last := 2
	for _, q := range r.requests[asked:] {
		if w := waveOf[q.Target["nicRef"]]; w > last {
			r.t.Errorf("wave %d is undone after wave %d", w, last)
		} else {
			last = w
		}
	}
}

// TestLimitOfARunHoldsOverWaves: maxActionsPerRun counts all of them.
func TestLimitOfARunHoldsOverWaves(t *testing.T) {
	r := newRig(t, strings.Replace(lab, "maxActionsPerRun: 10", "maxActionsPerRun: 3", 1))
	_, plans := batch(t, "maint-7", 4)
	ids := r.importedBatch(plans)
	r.approvedBatch(ids)
	outcomes, err := r.Execute(t.Context(), ids, gate.Options{Waves: []int{2, 2}})
	if err != nil || outcomes[2].Verdict != gate.Done || outcomes[3].Verdict != gate.Refused {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// TestASelectionThatWasTamperedWithRunsNothing.
func TestASelectionThatWasTamperedWithRunsNothing(t *testing.T) {
	r := newRig(t, lab)
	_, plans := batch(t, "maint-7", 2)
	ids := r.importedBatch(plans)
	r.approvedBatch(ids)
	r.sql(eventsMayChange + ";" +
		"UPDATE actionctl_events SET data_json = replace(data_json, 'i-01', 'i-0f') " +
		"WHERE kind = 'selected'")
	outcomes, err := r.Execute(t.Context(), ids, gate.Options{})
	if err != nil || outcomes[0].Verdict != gate.Refused || len(r.requests) > 0 ||
		!strings.Contains(outcomes[0].Message, gate.ErrAltered.Error()) {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// TestPlansBesideASelection are read as one document, and held to it.
func TestPlansBesideASelection(t *testing.T) {
	const text = `selection:
  format: actionctl-selection/1
  key: maint-7
  action: ensure-forwarding-enabled
  selectors: [region=eu-west-1]
  chosenAt: "2026-11-29T05:00:00Z"
  chosenBy: ann
  nodes: [{id: n1, sourceId: i-01, region: eu-west-1, interface: eni-00000001, by: [1]}]
  regions: [{region: eu-west-1, nodes: 2}]
actionPlans:
- {provider: aws, action: ensure-forwarding-enabled, idempotencyKey: maint-7/i-01,
  target: {nicRef: eni-00000001, region: eu-west-1}, selected: {digest: "%s", node: n1}}
`
	d := &selection.Document{
		Format: selection.Format, Key: "maint-7", Action: "ensure-forwarding-enabled",
		Selectors: []string{"region=eu-west-1"}, ChosenBy: "ann",
		ChosenAt: time.Date(2026, 11, 29, 5, 0, 0, 0, time.UTC),
		Nodes: []selection.Node{{ID: "n1", SourceID: "i-01", Region: "eu-west-1",
			Interface: "eni-00000001", By: []int{1}}},
		Regions: []selection.Region{{Region: "eu-west-1", Nodes: 2}},
	}
	digest, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	plans, err := gate.ParsePlans(fmt.Appendf(nil, text, digest))
	if err != nil || len(plans) != 1 || plans[0].Selected.Document == nil {
		t.Fatal(plans, err)
	}
	const node = "{id: n1, sourceId: i-01, region: eu-west-1, interface: eni-00000001, by: [1]}"
	mark := fmt.Sprintf("selected: {digest: %q, node: n1}", digest)
	for want, change := range map[string][2]string{
		"selected.digest":                      {digest, "sha256:0"},
		"is required beside a selection":       {mark, ""},
		"and says that there are 0":            {"nodes: 2", "nodes: 0"},
		"want a whole number from 1 up":        {"by: [1]", "by: [0]"},
		"is by [2], and there are 1 selectors": {"by: [1]", "by: [2]"},
		"is no time as":                        {"2026-11-29T05:00:00Z", "yesterday"},
		`want "actionctl-selection/1"`:         {"selection/1", "selection/2"},
		"the selection has no node":            {"[" + node + "]", "[]"},
		"actionPlans: is required":             {"actionPlans:", "actionPlan:"},
		`* ? and \ can't be in it`:             {"key: maint-7\n", "key: maint-*\n"},
		"nodes[0].colour: is unknown":          {"id: n1", "id: n1, colour: red"},
		"count each region of its nodes once": {
			"regions: [{region: eu-west-1", "regions: [{region: eu-west-9"},
		"nodes[0].id: is blank": {"id: n1", "id: ''"},
	} {
		broken := strings.Replace(fmt.Sprintf(text, digest), change[0], change[1], 1)
		_, err := gate.ParsePlans([]byte(broken))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
