package lifecycle

import (
	"context"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// Made is what a step of the launch made, as its tag tells, or the table.
type Made struct {
	gate.Plan
	// Facts are those that the step told, as far as its undo needs them.
	Facts map[string]string
}

// absent is what was there before something was made.
const absent = "absent"

// adopt takes what the launch made into the journal, where that does not know of it: the launch was
// handled elsewhere, or its journal was lost.
func (r *run) adopt(ctx context.Context) error {
	made, err := r.made(ctx)
	if err != nil {
		return err
	}
	return r.doer.Adopt(ctx, made)
}

// made finds what the launch made. What another action made is left alone.
func (r *run) made(ctx context.Context) ([]Made, error) {
	prefix := r.event.Instance + "/"
	nics, err := r.cloud.DescribeTaggedInterfaces(ctx, ec2model.Slot, prefix)
	if err != nil {
		return nil, err
	}
	addresses, err := r.cloud.DescribeTaggedAddresses(ctx, ec2model.PublicAddress, prefix)
	if err != nil {
		return nil, err
	}
	var all []Made
	add := func(step, verb, undo, index, token string, facts map[string]string) {
		key := KeyOf(r.event, Launch, step+":"+index)
		if !action.OwnToken(key, token) {
			return
		}
		facts[protocol.FactChanged] = "true"
		all = append(all, Made{Facts: facts, Plan: gate.Plan{
			Name: step + ":" + index + " of " + r.event.Instance, Provider: ProviderAWS, Action: verb,
			Target: map[string]string{"instanceRef": r.event.Instance, "deviceIndex": index,
				"region": r.event.Region},
			IdempotencyKey: key, Undo: &gate.Undo{Action: undo},
			Description: "found by its tag"}})
	}
	for _, n := range nics {
		index, token, _ := strings.Cut(strings.TrimPrefix(n.Tags[ec2model.Slot], prefix), "/")
		add("interface", "ensure-network-interface", "remove-network-interface", index, token,
			map[string]string{"priorInterface": absent, "networkInterfaceRef": n.ID,
				"interfaceToken": token})
	}
	for _, a := range addresses {
		// index/interface/private address/token
		parts := strings.Split(strings.TrimPrefix(a.Tags[ec2model.PublicAddress], prefix), "/")
		if len(parts) != 4 {
			continue
		}
		add("address", "ensure-public-address", "remove-public-address", parts[0], parts[3],
			map[string]string{"priorPublicAddress": absent, "allocationRef": a.AllocationID,
				"publicAddressToken": parts[3], "networkInterfaceRef": parts[1],
				"privateAddress": parts[2]})
	}
	taken, err := r.takenLicense(ctx)
	if err != nil {
		return nil, err
	}
	return append(taken, all...), nil
}

// takenLicense is the licence that the instance has, as the table tells; at most one. Its undo
// reads in the ledger whether the launch took it. It leaves what another action gave.
func (r *run) takenLicense(ctx context.Context) (all []Made, err error) {
	if r.group.License == nil {
		return nil, nil
	}
	known, err := r.Licenses(ctx, r.group.License.Pool)
	if err != nil {
		return nil, err
	}
	for _, l := range known {
		if l.Holder != r.event.Instance {
			continue
		}
		s := planner{r.group, r.event, Instance{ID: r.event.Instance}}.license()
		s.Undo = &gate.Undo{Action: "release-license"}
		s.Description = "found in the table"
		all = append(all, Made{Plan: s.Plan, Facts: map[string]string{
			protocol.FactChanged: "true", "priorLicense": "none", "assignedLicense": l.ID}})
	}
	return all, nil
}

// Adopt takes what was made into the journal, where it can be rolled back. What the journal knows
// stays as it is.
func (g *Door) Adopt(ctx context.Context, made []Made) error {
	if len(made) == 0 {
		return nil
	}
	now := g.Gate.Now()
	all := make([]gate.Action, len(made))
	for i, m := range made {
		all[i] = gate.Action{Source: g.Source, Plan: m.Plan, Status: gate.Succeeded,
			ExecutedAt: now, ResultMessage: m.Description, Observed: m.Facts}
	}
	_, err := g.Gate.Adopt(ctx, all, g.Source)
	return err
}
