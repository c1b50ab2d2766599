package proof

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/protocol"
)

// permissionScenarios are the scenarios, and those that need a permission that no other does.
func permissionScenarios() []scenario {
	return append(slices.Clone(scenarios), scenario{
		name: "take a route, which somebody removes, and restore it", verb: "assign-route-table-route",
		target: map[string]string{"nicRef": ec2sim.LabRouterBInterface,
			"routeTableRef": ec2sim.LabRouteTable, "address": ec2sim.LabRoute},
		parameters: map[string]string{"allowReassignment": "true"},
		between: func(r *ec2sim.Region) {
			r.EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) {
				t.Routes = slices.DeleteFunc(t.Routes, func(r ec2sim.Route) bool {
					return r.Destination == ec2sim.LabRoute
				})
			})
		},
		undo: map[string]string{"onDrift": "restore"},
	}, scenario{
		name: "an interface that is put back", verb: "ensure-network-interface",
		target: map[string]string{"instanceRef": ec2sim.LabRouterA, "deviceIndex": "1"},
		parameters: map[string]string{
			"subnet.ap-northeast-1a": ec2sim.LabSubnetA, "securityGroups": ec2sim.LabGroupWeb,
		},
		fault: &ec2sim.Fault{Operation: "AttachNetworkInterface", NoEffect: true,
			Count: ec2sim.Always, Answer: ec2sim.AnswerError,
			Error: &ec2sim.Error{Code: "InvalidParameterValue", Message: "no"}},
	}, scenario{
		name: "an Elastic IP of a pool", verb: "ensure-public-address", seed: poolSeed,
		target:     map[string]string{"instanceRef": ec2sim.LabRouterB, "deviceIndex": "0"},
		parameters: map[string]string{"publicIpv4Pool": ownPool},
	}, scenario{
		name: "an Elastic IP that is put back", verb: "ensure-public-address",
		target: map[string]string{"instanceRef": ec2sim.LabRouterB, "deviceIndex": "0"},
		fault: &ec2sim.Fault{Operation: "AssociateAddress", NoEffect: true,
			Count: ec2sim.Always, Answer: ec2sim.AnswerError,
			Error: &ec2sim.Error{Code: "InvalidParameterValue", Message: "no"}},
	}, scenario{
		name: "a fence that is put back", verb: "fence-security-groups",
		target:     map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
		fault: &ec2sim.Fault{Operation: "ModifyNetworkInterfaceAttribute",
			Params: map[string]string{"NetworkInterfaceId": ec2sim.LabDBInterface1}, NoEffect: true,
			Count: ec2sim.Always, Answer: ec2sim.AnswerError,
			Error: &ec2sim.Error{Code: "InvalidParameterValue", Message: "no"}},
	})
}

// needed says of which permissions a verb was proven to need what it declares.
type needed struct {
	mu     sync.Mutex
	proven map[string]bool
	// Runs are those of the program; failed, warned and idle are what became of removals.
	runs, removals, failed, warned, idle int
}

func permissionOf(verb string, p action.Permission) string {
	return verb + ": " + p.Action + " on " + p.Resource
}

// TestEveryVerbNeedsItsPermissionsAndNoOther: under an EC2 that enforces IAM each scenario and its
// undo go as without IAM by the policy that is generated for its request. Without any one
// permission a run that needs it fails as authorization and names it, nothing is lost, and the
// same requests are carried out once it is given back.
func TestEveryVerbNeedsItsPermissionsAndNoOther(t *testing.T) {
	n := &needed{proven: map[string]bool{}}
	t.Run("scenarios", func(t *testing.T) {
		for _, s := range permissionScenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				n.prove(t, s)
			})
		}
	})
	if t.Failed() || !runsAll(t) {
		return
	}
	total := 0
	for _, v := range actions.Registry().Verbs() {
		for _, p := range v.Permissions {
			if p.Foresees {
				continue
			}
			if total++; !n.proven[permissionOf(v.Name, p)] {
				t.Errorf("nothing fails without %s: the descriptor is wrong, or a scenario is missing",
					permissionOf(v.Name, p))
			}
		}
	}
	t.Logf("%d permissions of %d verbs, each needed; %d scenarios, %d permissions removed, one at a "+
		"time: %d runs failed as authorization with the right hint, %d succeeded with a warning that "+
		"names it, %d removals met no call in their scenario; %d runs in all",
		total, len(actions.Registry().Verbs()), len(permissionScenarios()), n.removals, n.failed,
		n.warned, n.idle, n.runs)
	promised(t, "permissions taken away", int64(n.removals))
}

// runsAll reports whether neither a part of the tests was chosen nor one seed.
func runsAll(t *testing.T) bool {
	t.Helper()
	return !strings.Contains(flag.Lookup("test.run").Value.String(), "/") &&
		os.Getenv("PROOF_SEED") == ""
}

// policy is the one that is generated for the scenario's request, and what it gives.
func (s scenario) policy(t *testing.T) iampolicy.Wanted {
	t.Helper()
	w := iampolicy.Wanted{Scope: iampolicy.Scope{Region: ec2sim.LabRegion,
		Account: ec2sim.DefaultOwner, VPC: ec2sim.LabVPC, IDs: map[action.Kind][]string{}}}
	inRegion := func(r request) protocol.Request {
		target := maps.Clone(r.target)
		target["region"] = ec2sim.LabRegion
		return protocol.Request{Action: r.verb, Target: target, Parameters: r.parameters,
			IdempotencyKey: r.key}
	}
	requests := []protocol.Request{inRegion(s.request("k"))}
	if !s.alone {
		undo := s.undoOf(s.request("k"), protocol.Status{})
		requests = append(requests, inRegion(undo))
	}
	faults := w.Add(actions.Registry(), requests)
	if err := w.Resolve(actions.Registry(), faults); err != nil {
		t.Fatal(err)
	}
	return w
}

// without are the permissions but one.
func without(all []action.Permission, i int) []action.Permission {
	return slices.Delete(slices.Clone(all), i, i+1)
}

// trial is one lab whose identity has some permissions.
type trial struct {
	*lab
	s scenario
	w iampolicy.Wanted
	n *needed
}

func (n *needed) trial(t *testing.T, s scenario, w iampolicy.Wanted) *trial {
	tr := &trial{lab: newLab(t, s.seed), s: s, w: w, n: n}
	if s.fault != nil {
		tr.sim.Inject(*s.fault)
	}
	return tr
}

// may lets the identity do what the permissions give, and nothing else.
func (tr *trial) may(permissions []action.Permission) {
	tr.t.Helper()
	text, err := tr.w.Scope.Policy(permissions).JSON()
	if err != nil {
		tr.t.Fatal(err)
	}
	err = tr.sim.SetPolicies(ec2sim.LabRoleCredential.AccessKeyID, string(text))
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *trial) does(r request) answer {
	tr.t.Helper()
	tr.n.mu.Lock()
	tr.n.runs++
	tr.n.mu.Unlock()
	return tr.run(r)
}

// outcome is what must be alike with and without IAM.
func outcome(a answer) string {
	return strings.TrimSpace(string(a.Status.Status) + " " + a.Observed[protocol.FactFailureClass])
}

// passage is what the runs of a scenario came to: the dry-run, the action and the undo.
type passage struct {
	outcomes [3]string
	world    ec2sim.State
}

// goes runs the whole scenario.
func (tr *trial) goes() (p passage, refused []string) {
	tr.t.Helper()
	r := tr.s.request("k")
	dry := r
	dry.dryRun = true
	answers := []answer{tr.does(dry), tr.does(r)}
	if tr.undoes(answers[1]) {
		tr.s.happens(tr.lab)
		answers = append(answers, tr.does(tr.s.undoOf(r, answers[1].Status)))
	}
	for i, a := range answers {
		p.outcomes[i] = outcome(a)
		refused = append(refused, refusals(a)...)
	}
	p.world = timeless(tr.state())
	return p, refused
}

func (tr *trial) undoes(a answer) bool {
	return !tr.s.alone && a.Status.Status == protocol.Succeeded
}

// refusals are the actions that IAM refused to a run.
func refusals(a answer) []string {
	var all []string
	for _, c := range a.calls {
		switch c.Code {
		case "UnauthorizedOperation":
			all = append(all, "ec2:"+c.Operation)
		case "AccessDeniedException":
			all = append(all, "ssm:"+c.Operation)
		}
	}
	return all
}

func (n *needed) prove(t *testing.T, s scenario) {
	w := s.policy(t)
	free, _ := n.trial(t, s, w).goes()
	exact := n.trial(t, s, w)
	exact.may(w.Needed)
	got, refused := exact.goes()
	if got.outcomes != free.outcomes {
		t.Errorf("with its policy: %q, without IAM: %q", got.outcomes, free.outcomes)
	}
	if diff := sameWorld(free.world, got.world); diff != "" {
		t.Errorf("the worlds differ (-without IAM +with its policy):\n%s", diff)
	}
	for _, a := range refused {
		if !foreseen(meant(s.request("k")), a) {
			t.Errorf("%s is refused, and nothing says that it only foresees", a)
		}
	}
	for i, p := range w.Needed {
		n.remove(t, s, w, i, p, free)
	}
}

// foreseen reports whether the verb, or its undo, only foresees with the action.
func foreseen(verb, called string) bool {
	v, _ := actions.Registry().Lookup(verb)
	undo, _ := actions.Registry().Lookup(v.Undo)
	return slices.ContainsFunc(slices.Concat(v.Permissions, undo.Permissions),
		func(p action.Permission) bool { return p.Foresees && p.Action == called })
}

// remove takes one permission away from the action and then from its undo.
func (n *needed) remove(
	t *testing.T, s scenario, w iampolicy.Wanted, i int, p action.Permission, free passage,
) {
	t.Helper()
	tr := n.trial(t, s, w)
	fewer := without(w.Needed, i)
	met := false
	// lacks runs a request without the permission, and with it if it was needed.
	lacks := func(r request, want string) answer {
		tr.may(fewer)
		was := tr.state()
		a := tr.does(r)
		if !n.judge(t, tr, r, a, p, want) {
			return a
		}
		met = true
		// What an earlier stage brought about stays, and then an undo is offered.
		if a.Status.Status == protocol.Failed && !a.UndoAvailable && r.verb == s.verb &&
			outcome(a) != "failed ambiguous" {
			if diff := sameWorld(withoutBackup(was), withoutBackup(tr.state())); diff != "" {
				t.Errorf("%s without %s failed and changed (-was +is):\n%s", r.verb, p.Action, diff)
			}
		}
		tr.may(w.Needed)
		if a.Status.Status == protocol.Succeeded {
			return a
		}
		again := tr.does(r)
		if outcome(again) != want {
			t.Errorf("%s given %s back: %q, want %q: %s", r.verb, p.Action, outcome(again), want,
				again.Message)
		}
		return again
	}
	r := s.request("k")
	dry := r
	dry.dryRun = true
	lacks(dry, free.outcomes[0])
	done := lacks(r, free.outcomes[1])
	if tr.undoes(done) {
		s.happens(tr.lab)
		lacks(s.undoOf(r, done.Status), free.outcomes[2])
	}
	if diff := sameWorld(withoutBackup(free.world), withoutBackup(timeless(tr.state()))); diff != "" {
		t.Errorf("without %s for a while it ends otherwise (-want +got):\n%s", p.Action, diff)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.removals++; !met {
		n.idle++
	}
}

// judge holds the answer of a run that lacks a permission against what it must be. It reports
// whether the run needed it.
func (n *needed) judge(
	t *testing.T, tr *trial, r request, a answer, p action.Permission, want string,
) bool {
	t.Helper()
	refused := slices.DeleteFunc(refusals(a), func(called string) bool { return called != p.Action })
	warned := strings.Contains(a.Message+a.Observed["warning"], p.Action)
	class, hint := a.Observed[protocol.FactFailureClass], a.Observed[protocol.FactPermissionHint]
	n.mu.Lock()
	defer n.mu.Unlock()
	needs := true
	switch {
	case len(refused) == 0 && outcome(a) == want:
		return false
	case class == string(protocol.Authorization) && hint == p.Action:
		n.failed++
	case tr.s.final && class == string(protocol.Ambiguous) && strings.Contains(a.Error, p.Action):
		// It was sent, and what became of it can't be read.
		n.failed++
	case outcome(a) == want && len(refused) > 0 && warned:
		n.warned++
	default:
		needs = false
		t.Errorf("%s without %s (%d refused): %q, hint %q, want %q or authorization: %s",
			permissionOf(r.verb, p), p.Action, len(refused), outcome(a), hint, want,
			cmp.Or(a.Error, fmt.Sprint(a.Message, a.Observed)))
	}
	n.proven[permissionOf(meant(r), p)] = n.proven[permissionOf(meant(r), p)] || needs
	return needs
}

// meant is the verb that a request means, whatever it names.
func meant(r request) string {
	v, _ := actions.Registry().Resolve(protocol.Request{Action: r.verb, Target: r.target})
	return v.Name
}
