package schema_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/schema"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	nic1   = "eni-00000000000000001"
	nic2   = "eni-00000000000000002"
	nic3   = "eni-00000000000000003"
	noNIC  = "eni-0000000000000000f"
	region = "ap-northeast-1"
)

// lab is a small cloud with the methods that the verbs declare.
type lab struct {
	nics   map[string]*ec2model.NetworkInterface
	routes map[string]string
	// instance has interfaces of its own.
	instance *ec2model.Instance
	// refuse is the answer to every change.
	refuse *protocol.Failure
}

// newLab has two interfaces without and one with 10.0.0.9; the second one forwards.
func newLab() *lab {
	l := &lab{nics: map[string]*ec2model.NetworkInterface{}, routes: newRoutes(),
		instance: newInstance()}
	for i, id := range []string{nic1, nic2, nic3} {
		check := i != 1
		l.nics[id] = &ec2model.NetworkInterface{
			ID: id, SubnetID: "subnet-1", VPCID: "vpc-1", SourceDestCheck: &check,
			Primary: "10.0.0." + string(rune('4'+i)),
		}
	}
	l.nics[nic3].Secondary, l.nics[nic3].IPv6 = []string{"10.0.0.9"}, []string{"2001:db8::9"}
	return l
}

func (l *lab) Reader() any { return l }
func (l *lab) Writer() any { return l }

func (l *lab) DescribeNetworkInterfaces(
	_ context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	var all []ec2model.NetworkInterface
	for _, id := range ids {
		n := l.nics[id]
		if n == nil {
			return nil, protocol.Refuse(protocol.NotFound, "%s does not exist",
				id).With(protocol.FactAWSErrorCode, "InvalidNetworkInterfaceID.NotFound")
		}
		seen := *n
		check := *n.SourceDestCheck
		seen.SourceDestCheck, seen.Secondary = &check, slices.Clone(n.Secondary)
		seen.IPv6 = slices.Clone(n.IPv6)
		all = append(all, seen)
	}
	return all, nil
}

func (l *lab) ExistingNetworkInterfaces(
	ctx context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return l.nics[id] == nil })
	return l.DescribeNetworkInterfaces(ctx, ids...)
}

func (l *lab) DescribeNetworkInterfacesWithAddress(
	ctx context.Context, _, address string,
) ([]ec2model.NetworkInterface, error) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(l.nics)) {
		if l.nics[id].Has(address) {
			ids = append(ids, id)
		}
	}
	return l.DescribeNetworkInterfaces(ctx, ids...)
}

func (l *lab) DescribeNetworkInterfacesOfSubnet(
	ctx context.Context, _ string,
) ([]ec2model.NetworkInterface, bool, error) {
	found, err := l.DescribeNetworkInterfaces(ctx, slices.Sorted(maps.Keys(l.nics))...)
	return found, true, err
}

func (l *lab) DescribeSubnet(context.Context, string) (ec2model.Subnet, error) {
	return ec2model.Subnet{ID: "subnet-1", CIDR: "10.0.0.0/24"}, nil
}

func (l *lab) AssignPrivateIPAddress(_ context.Context, nic, address string, take bool) error {
	for _, n := range l.nics {
		if n.Has(address) && n.ID != nic && !take {
			return protocol.Refuse(protocol.Conflict, "%s is in use", address)
		}
	}
	return l.change(func() {
		for _, n := range l.nics {
			n.Secondary = slices.DeleteFunc(n.Secondary, func(a string) bool { return a == address })
		}
		l.nics[nic].Secondary = append(l.nics[nic].Secondary, address)
	})
}

func (l *lab) UnassignPrivateIPAddress(_ context.Context, nic, address string) error {
	return l.change(func() {
		n := l.nics[nic]
		n.Secondary = slices.DeleteFunc(n.Secondary, func(a string) bool { return a == address })
	})
}

func (l *lab) ModifySourceDestCheck(_ context.Context, nic string, check bool) error {
	return l.change(func() { l.nics[nic].SourceDestCheck = &check })
}

func (l *lab) change(f func()) error {
	if l.refuse != nil {
		return l.refuse
	}
	f()
	return nil
}

func (l *lab) run(t *testing.T, request any) protocol.Result {
	e := executor.Executor{
		Registry: actions.Registry(), Provider: "aws", Timeout: 10 * time.Second,
		Log: slog.New(slog.DiscardHandler),
		Connect: func(context.Context, string, time.Duration) (executor.Connection, error) {
			return l, nil
		},
	}
	return e.Run(t.Context(), io.Reader(strings.NewReader(marshal(request))))
}

// chosen is a target that means the route verbs.
func chosen(target map[string]string) map[string]string {
	target["captureStrategy"] = "route-table"
	return target
}

func ask(verb, mode string, target, parameters map[string]string) tree {
	return tree{"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind, "spec": tree{
		"action": verb, "provider": "aws", "mode": mode, "idempotencyKey": "k", "target": target,
		"parameters": parameters,
	}}
}

// TestResultsFollowSchema runs the verbs against the lab: each answer is of the
// schema, says only what the descriptors declare, and is what the undo takes.
func TestResultsFollowSchema(t *testing.T) {
	nicAt := func(nic, address string) map[string]string {
		m := map[string]string{"nicRef": nic, "region": region, "address": address}
		maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
		return m
	}
	routeAt := func(nic, table, address string) map[string]string {
		return map[string]string{"nicRef": nic, "region": region, "address": address,
			"routeTableRef": table}
	}
	parameters := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	s, judges := compile(t, schema.Result()), newVerdicts(t)
	denied := &protocol.Failure{Class: protocol.Authorization, Message: "EC2 refused",
		Facts: map[string]string{
			protocol.FactAWSErrorCode: "UnauthorizedOperation", protocol.FactRequestID: "r-1",
			protocol.FactPermissionHint: "ec2:AssignPrivateIpAddresses",
		}}
	for _, c := range []struct {
		name, verb         string
		target, parameters map[string]string
		refuse             *protocol.Failure
		want               protocol.State
	}{
		{name: "a free address", verb: "assign-secondary-ip", target: nicAt(nic1, "10.0.0.20/32"),
			want: protocol.Succeeded},
		{name: "an address it has", verb: "assign-secondary-ip", target: nicAt(nic3, "10.0.0.9"),
			want: protocol.Succeeded},
		{name: "another's address", verb: "assign-secondary-ip", target: nicAt(nic1, "10.0.0.9"),
			want: protocol.Failed},
		{name: "a takeover", verb: "assign-secondary-ip", target: nicAt(nic1, "10.0.0.9"),
			parameters: parameters("allowReassignment", "yes"), want: protocol.Succeeded},
		{name: "a takeover from the wrong holder", verb: "assign-secondary-ip",
			target:     nicAt(nic1, "10.0.0.9"),
			parameters: parameters("allowReassignment", "1", "expectedHolderRef", nic2),
			want:       protocol.Failed},
		{name: "no such interface", verb: "assign-secondary-ip", target: nicAt(noNIC, "10.0.0.20"),
			want: protocol.Failed},
		{name: "the primary address", verb: "assign-secondary-ip", target: nicAt(nic1, "10.0.0.4"),
			want: protocol.Failed},
		{name: "refused", verb: "assign-secondary-ip", target: nicAt(nic3, "10.0.0.20"), refuse: denied,
			want: protocol.Failed},
		{name: "let go", verb: "unassign-secondary-ip", target: nicAt(nic3, "10.0.0.9"),
			want: protocol.Succeeded},
		{name: "given back", verb: "unassign-secondary-ip", target: nicAt(nic3, "10.0.0.9"),
			parameters: parameters("priorHolder", nic2, "priorAssigned", "false"), want: protocol.Succeeded},
		{name: "was there before", verb: "unassign-secondary-ip", target: nicAt(nic3, "10.0.0.9"),
			parameters: parameters("priorAssigned", "true"), want: protocol.Skipped},
		{name: "drifted", verb: "unassign-secondary-ip", target: nicAt(nic1, "10.0.0.9"),
			parameters: parameters("priorAssigned", "false"), want: protocol.Failed},
		{name: "drifted, restored", verb: "unassign-secondary-ip", target: nicAt(nic1, "10.0.0.9"),
			parameters: parameters("priorHolder", nic2, "onDrift", "restore"), want: protocol.Succeeded},
		{name: "a free IPv6 address", verb: "assign-secondary-ip",
			target: nicAt(nic3, "2001:db8::20/128"), want: protocol.Succeeded},
		{name: "an IPv6 takeover", verb: "assign-secondary-ip", target: nicAt(nic1, "2001:DB8::9"),
			parameters: parameters("allowReassignment", "yes"), want: protocol.Succeeded},
		{name: "a new route", verb: "assign-route-table-route",
			target: routeAt(nic1, table1, "10.99.0.1"), want: protocol.Succeeded},
		{name: "a new route, by strategy", verb: "assign-secondary-ip",
			target: chosen(routeAt(nic1, table1, "10.99.0.1")), want: protocol.Succeeded},
		{name: "a route it has", verb: "assign-route-table-route",
			target: routeAt(nic3, table1, "10.99.0.3/32"), want: protocol.Succeeded},
		{name: "another's route", verb: "assign-route-table-route",
			target: routeAt(nic1, table1, "10.99.0.9/32"), want: protocol.Failed},
		{name: "a route taken", verb: "assign-route-table-route",
			target:     routeAt(nic1, table1, "2001:db8:9::/64"),
			parameters: parameters("allowReassignment", "on"), want: protocol.Succeeded},
		{name: "no such table", verb: "assign-route-table-route",
			target: routeAt(nic1, noTable, "10.99.0.1"), want: protocol.Failed},
		{name: "a route taken away", verb: "unassign-route-table-route",
			target: routeAt(nic3, table1, "10.99.0.3"), want: protocol.Succeeded},
		{name: "a route given back", verb: "unassign-route-table-route",
			target:     routeAt(nic3, table1, "10.99.0.3"),
			parameters: parameters("priorRouteTarget", "pcx-00000000000000001"), want: protocol.Succeeded},
		{name: "a route that was there", verb: "unassign-route-table-route",
			target: routeAt(nic3, table1, "10.99.0.3"), parameters: parameters("priorRouteTarget", nic3),
			want: protocol.Skipped},
		{name: "a route that drifted", verb: "unassign-route-table-route",
			target: routeAt(nic1, table1, "10.99.0.3"), parameters: parameters("priorRouteTarget", "none"),
			want: protocol.Failed},
		{name: "a route that drifted, restored", verb: "unassign-route-table-route",
			target:     routeAt(nic1, table1, "10.99.0.3"),
			parameters: parameters("priorRouteTarget", "none", "onDrift", "restore"),
			want:       protocol.Succeeded},
		{name: "fenced", verb: "fence-security-groups", target: instanceAt(instance1),
			parameters: parameters("securityGroups", groupFence, "invertSgRemoval", "true"),
			want:       protocol.Succeeded},
		{name: "fenced by interface", verb: "fence-security-groups", target: instanceAt(instance1),
			parameters: parameters("interface0Sg", groupFence, "interface1Sg", groupFence+","+groupB),
			want:       protocol.Succeeded},
		{name: "fenced through a transition", verb: "fence-security-groups",
			target: instanceAt(instance1),
			parameters: parameters("securityGroups", groupFence, "invertSgRemoval", "1",
				"transitionSecurityGroup", groupB), want: protocol.Succeeded},
		{name: "a fence that would leave nothing", verb: "fence-security-groups",
			target: instanceAt(instance1), parameters: parameters("securityGroups", groupA),
			want: protocol.Failed},
		{name: "a fence of nothing", verb: "fence-security-groups", target: instanceAt(instance1),
			parameters: parameters("securityGroups", groupFence), want: protocol.Failed},
		{name: "a fence without groups", verb: "fence-security-groups", target: instanceAt(instance1),
			want: protocol.Failed},
		{name: "no such instance", verb: "fence-security-groups", target: instanceAt(noInstance),
			parameters: parameters("securityGroups", groupA), want: protocol.Failed},
		{name: "refused to fence", verb: "fence-security-groups", target: instanceAt(instance1),
			parameters: parameters("securityGroups", groupFence, "invertSgRemoval", "true"), refuse: denied,
			want: protocol.Failed},
		{name: "not fenced", verb: "unfence-security-groups", target: instanceAt(instance1),
			want: protocol.Skipped},
		{name: "fenced before the action", verb: "unfence-security-groups", target: instanceAt(instance1),
			parameters: parameters("priorFence", "same"), want: protocol.Skipped},
		{name: "as before the fence", verb: "unfence-security-groups", target: instanceAt(instance1),
			parameters: parameters("priorSecurityGroups."+nic2, groupA), want: protocol.Succeeded},
		{name: "unfenced by interface", verb: "unfence-security-groups", target: instanceAt(instance1),
			parameters: parameters("interface0Sg", groupB, "interface1Sg", groupB),
			want:       protocol.Succeeded},
		{name: "unfenced by half of the interfaces", verb: "unfence-security-groups",
			target: instanceAt(instance1), parameters: parameters("interface0Sg", groupB),
			want: protocol.Failed},
		{name: "fence drifted", verb: "unfence-security-groups", target: instanceAt(instance1),
			parameters: parameters("priorSecurityGroups."+nic2, groupB, "fencedSecurityGroups."+nic2,
				groupFence), want: protocol.Failed},
		{name: "a route taken from no such table", verb: "unassign-route-table-route",
			target: routeAt(nic1, noTable, "10.99.0.3"), want: protocol.Failed},
		{name: "stopped", verb: "stop-instances", target: instanceAt(instance1),
			parameters: parameters("requiredTag", "Name=one"), want: protocol.Succeeded},
		{name: "another lab's", verb: "stop-instances", target: instanceAt(instance1),
			parameters: parameters("requiredTag", "Name=two"), want: protocol.Failed},
		{name: "no such instance to stop", verb: "stop-instances", target: instanceAt(noInstance),
			parameters: parameters("requiredTag", "Name=one"), want: protocol.Failed},
		{name: "refused to stop", verb: "stop-instances", target: instanceAt(instance1),
			parameters: parameters("requiredTag", "Name=one"), refuse: denied, want: protocol.Failed},
		{name: "runs already", verb: "start-instances", target: instanceAt(instance1),
			parameters: parameters("requiredTag", "Name=one", "priorInstanceState", "running"),
			want:       protocol.Succeeded},
		{name: "was stopped before", verb: "start-instances", target: instanceAt(instance1),
			parameters: parameters("requiredTag", "Name=one", "priorInstanceState", "stopped"),
			want:       protocol.Skipped},
		{name: "switched off", verb: "ensure-forwarding-enabled", target: nicAt(nic1, ""),
			want: protocol.Succeeded},
		{name: "forwards already", verb: "ensure-forwarding-enabled", target: nicAt(nic2, "10.0.0.9"),
			want: protocol.Succeeded},
		{name: "no such interface to forward", verb: "ensure-forwarding-enabled",
			target: nicAt(noNIC, ""), want: protocol.Failed},
		{name: "refused to forward", verb: "ensure-forwarding-enabled", target: nicAt(nic1, ""),
			refuse: denied, want: protocol.Failed},
		{name: "given its check back", verb: "ensure-forwarding-disabled", target: nicAt(nic2, ""),
			parameters: parameters("priorSourceDestCheck", "true"), want: protocol.Succeeded},
		{name: "forwarded before", verb: "ensure-forwarding-disabled", target: nicAt(nic2, ""),
			parameters: parameters("priorSourceDestCheck", "FALSE"), want: protocol.Skipped},
		{name: "prior unknown", verb: "ensure-forwarding-disabled", target: nicAt(nic2, ""),
			want: protocol.Failed},
	} {
		for _, mode := range []string{"dry-run", "execute"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				l := newLab()
				l.refuse = c.refuse
				answer := l.run(t, ask(c.verb, mode, c.target, c.parameters))
				if answer.Status.Status != c.want && (c.refuse == nil || mode == "execute") {
					t.Errorf("%s, want %s: %s%s", answer.Status.Status, c.want, answer.Status.Message,
						answer.Status.Error)
				}
				validResult(t, s, answer)
				onlyDeclared(t, c.verb, answer)
				if answer.Status.UndoAvailable {
					undoable(t, judges, l, c.verb, c.target, answer)
				}
			})
		}
	}
}

// onlyDeclared holds observed to what the result's schema knows by name.
func onlyDeclared(t *testing.T, verb string, answer protocol.Result) {
	t.Helper()
	v, _ := actions.Registry().Lookup(verb)
	for fact := range answer.Status.Observed {
		own := slices.ContainsFunc(v.Facts, func(f action.Field) bool { return f.Matches(fact) })
		if !own && !strings.Contains(string(schema.Result()), `"`+fact+`": {`) {
			t.Errorf("the fact %s is declared nowhere", fact)
		}
	}
}

// undoable sends the whole observed map to the undo verb, as a core does.
func undoable(
	t *testing.T, judges verdicts, l *lab, verb string, target map[string]string,
	answer protocol.Result,
) {
	t.Helper()
	v, _ := actions.Registry().Lookup(verb)
	if target["captureStrategy"] != "" {
		// What a core does: it undoes the verb it sent.
		judges.judge(t, marshal(ask(verb, "execute", target, nil)), verb, true)
	}
	undo := ask(v.Undo, "execute", target, answer.Status.Observed)
	set(undo, "k"+protocol.UndoKeySuffix, "spec", "idempotencyKey")
	judges.judge(t, marshal(undo), v.Undo, true)
	answer = l.run(t, undo)
	if answer.Status.Status == protocol.Failed {
		t.Errorf("the undo failed: %s", answer.Status.Error)
	}
	before, after := newLab(), l
	if diff := cmp.Diff([]any{before.nics, before.routes, before.instance},
		[]any{after.nics, after.routes, after.instance}, cmpopts.EquateEmpty()); diff != "" &&
		answer.Status.Status == protocol.Succeeded {
		t.Errorf("the undo left something (-before +after):\n%s", diff)
	}
}

// TestFactsFitUndo: a fact that the undo takes as a parameter is of that parameter's form.
func TestFactsFitUndo(t *testing.T) {
	registry := actions.Registry()
	for _, v := range registry.Verbs() {
		undo, ok := registry.Lookup(v.Undo)
		if !ok {
			continue
		}
		for _, p := range undo.Parameters {
			i := slices.IndexFunc(v.Facts, func(f action.Field) bool { return f.Name == p.Name })
			if i < 0 {
				if p.Required {
					t.Errorf("%s requires %s, which %s does not report", undo.Name, p.Name, v.Name)
				}
				continue
			}
			if f := v.Facts[i]; f.Form.Pattern != p.Form.Pattern {
				t.Errorf("%s reports %s as %s, %s takes it as %s", v.Name, f.Name, f.Form.Name, undo.Name,
					p.Form.Name)
			}
			if _, err := p.Form.Canonical(v.Facts[i].Form.Example); err != nil {
				t.Errorf("%s of %s: %s does not take %s: %v", p.Name, v.Name, undo.Name,
					v.Facts[i].Form.Example, err)
			}
		}
	}
}

// TestFactsAreNoCredentials: a core sends every fact to the undo as a parameter, which refuses
// the names of credentials.
func TestFactsAreNoCredentials(t *testing.T) {
	for _, v := range actions.Registry().Verbs() {
		for _, f := range slices.Concat(v.Facts, v.Target, v.Parameters) {
			if _, faults := protocol.Decode(
				strings.NewReader(
					marshal(set(base(v), f.Form.Example, "spec", "parameters", f.ExampleName())))); len(
				faults) > 0 {
				t.Errorf("%s of %s: %v", f.Name, v.Name, faults)
			}
		}
	}
}

// TestSchemaRefusesOtherResults: the result's schema says something.
func TestSchemaRefusesOtherResults(t *testing.T) {
	s := compile(t, schema.Result())
	good := func() tree {
		return tree{"apiVersion": protocol.APIVersion, "kind": protocol.ResultKind, "status": tree{
			"status": "failed", "message": "what is so", "error": "what is so",
			"observed": tree{"failureClass": "drift", "retryable": "false"},
		}}
	}
	if err := s.Validate(good()); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(tree){
		"another apiVersion":     func(r tree) { set(r, "v1", "apiVersion") },
		"a request's kind":       func(r tree) { set(r, protocol.RequestKind, "kind") },
		"no status":              func(r tree) { set(r, absent{}, "status") },
		"another state":          func(r tree) { set(r, "done", "status", "status") },
		"another class":          func(r tree) { set(r, "oops", "status", "observed", "failureClass") },
		"failed without error":   func(r tree) { set(r, absent{}, "status", "error") },
		"failed without message": func(r tree) { set(r, absent{}, "status", "message") },
		"skipped without error": func(r tree) {
			set(r, "skipped", "status", "status")
			set(r, absent{}, "status", "error")
		},
		"failed without class": func(r tree) {
			set(r, absent{}, "status", "observed", "failureClass")
		},
		"failed without facts":    func(r tree) { set(r, absent{}, "status", "observed") },
		"an error of two lines":   func(r tree) { set(r, "a\nb", "status", "error") },
		"an empty message":        func(r tree) { set(r, "", "status", "message") },
		"an empty fact":           func(r tree) { set(r, "", "status", "observed", "x") },
		"a fact that is no text":  func(r tree) { set(r, true, "status", "observed", "changed") },
		"a fact of another form":  func(r tree) { set(r, "eth0", "status", "observed", "priorHolder") },
		"undoAvailable as text":   func(r tree) { set(r, "true", "status", "undoAvailable") },
		"succeeded with an error": func(r tree) { set(r, "succeeded", "status", "status") },
		"succeeded, no message": func(r tree) {
			set(r, "succeeded", "status", "status")
			set(r, absent{}, "status", "error")
			set(r, absent{}, "status", "message")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			edit(r)
			if s.Validate(r) == nil {
				t.Errorf("accepted: %s", marshal(r))
			}
		})
	}
}
