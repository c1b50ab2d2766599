package gate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/host"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// A plan is imported, approved by one person, executed once, and rolled back. Each step is in the
// journal. The executor here stands for a runner.Process.
func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := journal.OpenOrCreate(ctx, filepath.Join(dir, "journal.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	rules, err := policy.Parse([]byte(`
apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: lab}
spec: {enabled: true, dryRunOnly: false, allowedProviders: [aws], allowUndo: true,
  allowedActions: [ensure-forwarding-enabled], maxActionsPerRun: 1}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	g := &gate.Gate{
		Store: store, Policy: rules, Registry: actions.Registry(), Provider: "aws",
		Run: runner(func(_ context.Context, r protocol.Request) (protocol.Result, error) {
			status := protocol.Say(protocol.Succeeded, r.Action)
			status.Observed = map[string]string{"priorSourceDestCheck": "true", "changed": "true"}
			status.UndoAvailable = true
			return protocol.NewResult(status), nil
		}),
		Timeout: time.Minute, Now: time.Now, Machine: host.Machine{}, Actor: "ann", Claimant: "example",
		Progress: func(o gate.Outcome) { fmt.Println(o.Action.Status, "-", o.Message) },
	}
	plans, err := gate.ParsePlans([]byte(`
provider: aws
action: ensure-forwarding-enabled
idempotencyKey: mobility-7
target: {nicRef: eni-0123456789abcdef0, region: eu-west-1}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	imported, err := g.Import(ctx, plans, "example", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := []int64{imported[0].Action.ID}
	for _, step := range []func() ([]gate.Outcome, error){
		func() ([]gate.Outcome, error) { return g.Execute(ctx, ids, gate.Options{}) },
		func() ([]gate.Outcome, error) { return g.Approve(ctx, ids, "ann", "") },
		func() ([]gate.Outcome, error) { return g.Execute(ctx, ids, gate.Options{}) },
		func() ([]gate.Outcome, error) { return g.Rollback(ctx, ids, gate.Options{}) },
	} {
		if _, err := step(); err != nil {
			fmt.Println(err)
		}
	}
	report, err := store.Verify(ctx)
	fmt.Println("faults in the journal:", len(report.Faults), err)
	// Output:
	// pending - execution refused: requireApproval: 0 of 1 approvals
	// approved - approved
	// succeeded - ensure-forwarding-enabled
	// rolledBack - rolled back: ensure-forwarding-disabled
	// faults in the journal: 0 <nil>
}
