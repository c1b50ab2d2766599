package main

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
)

// undoOf is the undo of a request, with some parameters.
func undoOf(r protocol.Request, verb string, parameters map[string]string) protocol.Request {
	r.Action, r.IdempotencyKey = verb, r.IdempotencyKey+protocol.UndoKeySuffix
	r.Parameters = parameters
	return r
}

// TestFactsOfAnUndoAreNotApproved: who may send requests, and has an approval of an action that
// was never executed, can't have the target led to what made-up facts say.
func TestFactsOfAnUndoAreNotApproved(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	fence := map[string]string{"securityGroups": ec2sim.LabGroupRouter}
	for _, tt := range []struct {
		verb, undo         string
		target, parameters map[string]string
		facts              map[string]string
	}{
		{"assign-route-table-route", "unassign-route-table-route",
			map[string]string{"nicRef": ec2sim.LabRouterAInterface,
				"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
			map[string]string{},
			map[string]string{"priorRouteTarget": ec2sim.LabRouterBInterface}},
		{"assign-secondary-ip", "unassign-secondary-ip",
			map[string]string{"nicRef": ec2sim.LabRouterBInterface,
				"address": ec2sim.LabServiceAddress + "/32"},
			map[string]string{"allowReassignment": "true"},
			map[string]string{"priorHolder": ec2sim.LabRouterAInterface, "priorAssigned": "false"}},
		{"ensure-forwarding-enabled", "ensure-forwarding-disabled",
			map[string]string{"nicRef": ec2sim.LabRouterCInterface}, map[string]string{},
			map[string]string{"priorSourceDestCheck": "true"}},
		{"fence-security-groups", "unfence-security-groups",
			map[string]string{"instanceRef": ec2sim.LabRouterA}, fence,
			map[string]string{
				"priorSecurityGroups." + ec2sim.LabRouterAInterface:  ec2sim.LabGroupAllowAll,
				"fencedSecurityGroups." + ec2sim.LabRouterAInterface: ec2sim.LabGroupRouter}},
	} {
		t.Run(tt.verb, func(t *testing.T) {
			t.Parallel()
			r := toApprove()
			r.Action, r.Target, r.Parameters = tt.verb, maps.Clone(tt.target), tt.parameters
			r.Target["region"] = ec2sim.LabRegion
			yes := ann.signedFor(t, r, signature.ApprovalNamespace, func(s *signature.Statement) {
				s.Undo = tt.undo
			})
			newGated(t, "", ann.line("")).refuses("have the undo itself approved",
				undoOf(r, tt.undo, tt.facts), yes)

			// Signed for itself, the undo goes by its facts. So the facts above would have worked.
			own := undoOf(r, tt.undo, tt.facts)
			itself := ann.signedFor(t, own, signature.ApprovalNamespace, nil)
			s := newGated(t, "", ann.line("")).runs(own, itself)
			if s.Status != protocol.Succeeded || s.Observed["changed"] != "true" {
				t.Errorf("approved itself: %s: %s", s.Status, s.Error)
			}
		})
	}
}

// TestALostLedgerNeedsAnApprovalOfTheUndo: what was executed under an approval is undone under it
// while the ledger knows the action, and after that by an approval of the undo.
func TestALostLedgerNeedsAnApprovalOfTheUndo(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	g := newGated(t, "", ann.line(""))
	before, r := g.sim.State(), toApprove()
	yes := ann.signedFor(t, r, signature.ApprovalNamespace, nil)
	did := g.runs(r, yes)
	if did.Status != protocol.Succeeded {
		t.Fatalf("%s: %s", did.Status, did.Error)
	}
	for _, setting := range g.env {
		if dir, ok := strings.CutPrefix(setting, "EXECUTOR_STATE_DIR="); ok {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	undo := undoOf(r, "unassign-secondary-ip", did.Observed)
	left := g.sim.State()
	s := g.runs(undo, yes)
	if s.Observed[protocol.FactFailureClass] != "denied" ||
		!strings.Contains(s.Error, "have the undo itself approved") {
		t.Errorf("%s: %s", s.Status, s.Error)
	}
	if diff := cmp.Diff(left, g.sim.State()); diff != "" {
		t.Errorf("it changed the world:\n%s", diff)
	}
	s = g.runs(undo, ann.signedFor(t, undo, signature.ApprovalNamespace, nil))
	if s.Status != protocol.Succeeded {
		t.Errorf("%s: %s", s.Status, s.Error)
	}
	if diff := cmp.Diff(before, g.sim.State()); diff != "" {
		t.Error(diff)
	}
	// What is done with already may be sent again under the action's approval.
	if s := g.runs(undo, yes); s.Status == protocol.Failed {
		t.Errorf("again: %s: %s", s.Status, s.Error)
	}
}

// TestAnUndoSaysNoMoreThanItsApproval: an approval of an action is none of an undo that forces.
func TestAnUndoSaysNoMoreThanItsApproval(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	for name, value := range map[string]string{"onDrift": "restore", "ignoreHolders": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGated(t, "", ann.line(""))
			r := toApprove()
			yes := ann.signedFor(t, r, signature.ApprovalNamespace, nil)
			did := g.runs(r, yes)
			if did.Status != protocol.Succeeded {
				t.Fatalf("%s: %s", did.Status, did.Error)
			}
			facts := maps.Clone(did.Observed)
			facts[name] = value
			undo := undoOf(r, "unassign-secondary-ip", facts)
			left := g.sim.State()
			s := g.runs(undo, yes)
			if s.Observed[protocol.FactFailureClass] != "denied" || !strings.Contains(s.Error, name+"=") {
				t.Errorf("%s: %s", s.Status, s.Error)
			}
			if diff := cmp.Diff(left, g.sim.State()); diff != "" {
				t.Errorf("it changed the world:\n%s", diff)
			}
			s = g.runs(undo, ann.signedFor(t, undo, signature.ApprovalNamespace, nil))
			if s.Status != protocol.Succeeded {
				t.Errorf("approved itself: %s: %s", s.Status, s.Error)
			}
		})
	}
}

// TestAnApprovalUndoesWhatItLetThrough: every verb's undo goes through under its action's approval,
// and leads back. The same with a fact that was made up changes nothing.
func TestAnApprovalUndoesWhatItLetThrough(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	for _, tt := range []struct {
		name, verb, undo   string
		target, parameters map[string]string
		// forged are facts that lead elsewhere.
		forged map[string]string
	}{
		{"address", "assign-secondary-ip", "unassign-secondary-ip",
			map[string]string{"nicRef": ec2sim.LabRouterAInterface, "address": "10.88.60.9/32"},
			nil, map[string]string{"priorAssigned": "true"}},
		{"IPv6", "assign-secondary-ip", "unassign-secondary-ip",
			map[string]string{"nicRef": ec2sim.LabRouterAInterface, "address": "2001:db8:1088:60::9/128"},
			nil, map[string]string{"priorAssigned": "true"}},
		{"take-over", "assign-secondary-ip", "unassign-secondary-ip",
			map[string]string{"nicRef": ec2sim.LabRouterAInterface,
				"address": ec2sim.LabServiceAddress + "/32"},
			map[string]string{"allowReassignment": "true"},
			map[string]string{"priorHolder": ec2sim.LabSpareInterface}},
		{"forwarding", "ensure-forwarding-enabled", "ensure-forwarding-disabled",
			map[string]string{"nicRef": ec2sim.LabRouterAInterface},
			nil, map[string]string{"priorSourceDestCheck": "false"}},
		{"route", "assign-route-table-route", "unassign-route-table-route",
			map[string]string{"nicRef": ec2sim.LabRouterBInterface,
				"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
			map[string]string{"allowReassignment": "true"},
			map[string]string{"priorRouteTarget": ec2sim.LabInternetGateway}},
		{"route by strategy", "assign-secondary-ip", "unassign-secondary-ip",
			map[string]string{"nicRef": ec2sim.LabRouterBInterface, "captureStrategy": "route-table",
				"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
			map[string]string{"allowReassignment": "true"},
			map[string]string{"priorRouteTarget": ec2sim.LabInternetGateway}},
		{"fence", "fence-security-groups", "unfence-security-groups",
			map[string]string{"instanceRef": ec2sim.LabDB},
			map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
			map[string]string{
				"priorSecurityGroups.eni-01088600000000020": ec2sim.LabGroupAllowAll}},
		{"exact groups", "fence-security-groups", "unfence-security-groups",
			map[string]string{"instanceRef": ec2sim.LabDB},
			map[string]string{"interface0Sg": ec2sim.LabGroupFence,
				"interface1Sg": ec2sim.LabGroupFence},
			map[string]string{
				"priorSecurityGroups.eni-01088600000000021": ec2sim.LabGroupAllowAll}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGated(t, "", ann.line(""))
			before, r := g.sim.State(), toApprove()
			r.Action, r.Target = tt.verb, maps.Clone(tt.target)
			r.Target["region"] = ec2sim.LabRegion
			if tt.parameters != nil {
				r.Parameters = tt.parameters
			}
			yes := ann.signedFor(t, r, signature.ApprovalNamespace, func(s *signature.Statement) {
				s.Undo = tt.undo
			})
			did := g.runs(r, yes)
			if did.Status != protocol.Succeeded || did.Observed["changed"] != "true" {
				t.Fatalf("%s: %s", did.Status, did.Error)
			}
			left := g.sim.State()
			facts := maps.Clone(did.Observed)
			maps.Copy(facts, tt.forged)
			s := g.runs(undoOf(r, tt.undo, facts), yes)
			if s.Status == protocol.Succeeded {
				t.Errorf("forged: %s: %s", s.Status, s.Message)
			}
			if diff := cmp.Diff(left, g.sim.State()); diff != "" {
				t.Errorf("forged, it changed the world:\n%s", diff)
			}
			for name := range tt.forged {
				facts[name] = did.Observed[name]
			}
			for _, changed := range []string{"true", "false"} {
				s := g.runs(undoOf(r, tt.undo, facts), yes)
				if s.Status == protocol.Failed || s.Observed["changed"] != changed {
					t.Errorf("%s (changed %s): %s%s", s.Status, s.Observed["changed"], s.Error, s.Message)
				}
				if diff := cmp.Diff(before, g.sim.State()); diff != "" {
					t.Errorf("undone, the world differs:\n%s", diff)
				}
			}
		})
	}
}
