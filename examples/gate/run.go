package main

import (
	"context"
	"path/filepath"
	"time"

	"aws-provider-executor/examples/internal/steps"
	"aws-provider-executor/pkg/ec2sim"
)

const routerA = ec2sim.LabRouterAInterface

// play plays the whole demo.
func play(ctx context.Context, s *steps.Stage) {
	o := newOperator(ctx, s)
	o.road()
	o.signatures(o.denials())
	o.withoutJournal()
}

// road is the whole way of two plans.
func (o *operator) road() {
	o.journal("road.db")
	o.Heading("The road of two actions: import, dry-run, approval, execution, rollback")
	o.does("policy check -f "+o.file("policy.yaml"), "well-formed")
	o.does("import -f "+o.file("plans.yaml"), "1 mobility-7/assign", "2 mobility-7/forward")
	o.ec2.Before(routerA)
	o.does("execute 1 2 --dry-run",
		"1 mobility-7/assign: would assign",
		"risk: medium. Whoever used the address loses it at once…",
		"2 mobility-7/forward: would enable",
		"risk: low. The interface then takes and sends packets…")
	o.ec2.AsBefore()
	approve := o.command(done, "approve 1 2 --by ann", "1 mobility-7/assign: approved",
		"2 mobility-7/forward: approved")
	approve.Note = "exactly these plans, by their digests"
	o.Play(approve)
	o.does("execute --all-approved", "1 mobility-7/assign: assigned",
		"2 mobility-7/forward: enabled forwarding")
	o.ec2.Look(routerA)
	o.does("show 1", "approved by ann (self-declared…", "evidence sha256:", "priorAssigned=false")
	o.does("rollback --all --yes", "2 mobility-7/forward: disabled",
		"1 mobility-7/assign: unassigned")
	o.ec2.AsBefore(routerA)
	o.does("journal --verify", "as it was written")
}

// denials meets each gate that can say no, and returns the journal that has all of it.
func (o *operator) denials() (journal string) {
	journal = o.journal("denials.db")
	o.Heading("A denial at each gate: exit code 3, and EC2 stays as it is")
	o.ec2.Before()
	o.refusedPlans()
	o.prepares("import -f "+o.file("plans.yaml"), "2 mobility-7/forward: imported")
	o.refusesUnder("", "execute 1", "policy: there is none")
	o.refusesUnder("executionWindow: office hours", "execute 1",
		"…executionWindow: \"office hours\": is not a window…")
	o.refuses("approve 1 --by ann", "before a dry-run", "requireEvidence: no dry-run")
	o.prepares("execute 1 2 --dry-run", "2 mobility-7/forward: would")
	o.refuses("execute 1", "before an approval", "requireApproval: 0 of 1 approvals")
	o.refuses("approve 1 --by ann --digest sha256:0", "for another plan", "the plan has changed")
	o.prepares("approve 1 2 --by ann", "2 mobility-7/forward: approved")
	o.refuses("approve 1 --by Ann", "the same person again", "has approved it already")
	tomorrow := time.Now().UTC().Add(36 * time.Hour).Format("Mon")
	late := o.under("executionWindow: "+tomorrow+" 00:00-24:00 UTC", o.command(refused, "execute 1",
		"executionWindow: it is …, and the window is …"))
	late.Note = "on another day than the policy's"
	o.Play(late)
	o.refusesUnder("allowedActions: [ensure-forwarding-enabled]", "execute 1",
		"allowedActions: the action \"assign-secondary-ip\" is not allowed…")
	o.refusesUnder("maxActionsPerRun: 0", "execute 1",
		"maxActionsPerRun: 0 actions are allowed in a run…")
	o.refusesUnder("deniedTags: {Name: router-*}", "execute 1",
		"…deniedTags: "+routerA+" has the tag Name=\"router-a\"…")
	o.ec2.AsBefore()
	o.prepares("execute 1", "1 mobility-7/assign: assigned")
	o.refuses("execute 1", "a second time", "nothing runs twice")
	o.refusesUnder("allowUndo: false", "rollback 1", "undoing is not allowed…")
	o.prepares("rollback 1", "1 mobility-7/assign: unassigned")
	o.ec2.AsBefore()
	o.does("journal", "…denied mobility-7/assign…")
	return journal
}

// refusedPlans are plans that no journal takes.
func (o *operator) refusedPlans() {
	plan := func(provider, verb, key string) string {
		return "---\n{provider: " + provider + ", action: " + verb + ", idempotencyKey: " + key +
			", target: {nicRef: " + routerA + ", address: 10.88.60.9, region: ap-northeast-1}}\n"
	}
	imports := func(name, plans, note, reason string) {
		o.Do(func() error { _, err := o.write(name, plans); return err })
		c := o.command(refused, "import -f "+name, reason)
		c.Dir, c.Note = o.Dir, note
		o.Play(c)
	}
	imports("mixed.yaml", plan("aws", "assign-secondary-ip", "a")+
		plan("gcp", "assign-secondary-ip", "b"), "plans of two providers",
		"plans of several providers (aws, gcp)…")
	imports("final.yaml", plan("aws", "unassign-secondary-ip", "c"), "a plan that nothing can undo",
		"…undo: unassign-secondary-ip can't be undone…")
}

// withoutJournal runs a request as a core would, which the policy still decides on.
func (o *operator) withoutJournal() {
	request := filepath.Join(o.Examples, "requests", "assign.json")
	o.Heading("A request without a journal: the policy still decides")
	o.does("run -f "+request+" --mode dry-run", "would assign")
	o.refuses("run -f "+request, "", "requireApproval: 0 of 1 approvals")
	o.ec2.AsBefore()
	o.does("run -f "+request+" --policy "+o.file("run.yaml"), "assigned 10.88.60.9")
}
