package action_test

import (
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// strays looks at a request for a verb, with these keys in target and parameters.
func strays(t *testing.T, verb, key string, target, parameters []string) action.Strays {
	t.Helper()
	values := func(keys []string) map[string]string {
		m := map[string]string{}
		for _, k := range keys {
			name, value, _ := strings.Cut(k, "=")
			m[name] = value
		}
		return m
	}
	r := actions.Registry()
	req := protocol.Request{Action: verb, IdempotencyKey: key, Target: values(target),
		Parameters: values(parameters)}
	v, ok := r.Resolve(req)
	if !ok {
		t.Fatalf("there is no verb %s", verb)
	}
	return r.Strays(v, req)
}

// meant are the keys that faults suggest, with those they are about.
func meant(faults protocol.Faults) []string {
	var all []string
	for _, f := range faults {
		_, suggestion, _ := strings.Cut(f.Reason, "did you mean ")
		all = append(all, strings.TrimPrefix(f.Path, "spec.")+" > "+strings.TrimSuffix(suggestion, "?"))
	}
	return all
}

func TestNearlyAKey(t *testing.T) {
	for _, c := range []struct {
		name, verb, key    string
		target, parameters []string
		faults, doubts     []string
		ignored            []string
	}{
		{name: "a wrong letter", verb: "fence-security-groups",
			parameters: []string{"onFencePowerof", "transitionSecurityGrup", "securityGroup",
				"skip-race-check"},
			faults: []string{
				"parameters.onFencePowerof > onFencePoweroff", "parameters.securityGroup > securityGroups",
				"parameters.skip-race-check > skipRaceCheck",
				"parameters.transitionSecurityGrup > transitionSecurityGroup",
			},
			ignored: []string{"onFencePowerof", "securityGroup", "skip-race-check",
				"transitionSecurityGrup"},
		},
		{name: "a guard", verb: "assign-secondary-ip",
			parameters: []string{"expectedHolder", "expectedholderRef", "expected-holder-ref",
				"allowReassignments"},
			faults: []string{
				"parameters.allowReassignments > allowReassignment",
				"parameters.expected-holder-ref > expectedHolderRef",
				"parameters.expectedHolder > expectedHolderRef",
				"parameters.expectedholderRef > expectedHolderRef",
			},
			ignored: []string{"allowReassignments", "expected-holder-ref", "expectedHolder",
				"expectedholderRef"},
		},
		{name: "a parameter in target", verb: "assign-secondary-ip",
			target: []string{"expectedHolderRef", "expectedHolder", "allow_reassignment"},
			faults: []string{
				"target.allow_reassignment > the parameter allowReassignment",
				"target.expectedHolder > the parameter expectedHolderRef",
				"target.expectedHolderRef > the parameter expectedHolderRef",
			},
			ignored: []string{"allow_reassignment", "expectedHolder", "expectedHolderRef"},
		},
		{name: "a parameter that is a fact too, in target", verb: "unassign-secondary-ip", key: "k:undo",
			target:  []string{"priorHolder"},
			faults:  []string{"target.priorHolder > the parameter priorHolder"},
			ignored: []string{"priorHolder"},
		},
		{name: "keys of target", verb: "assign-secondary-ip",
			target: []string{"nic_ref", "Region", "adress", "capture-strategy"},
			faults: []string{"target.Region > region", "target.adress > address",
				"target.capture-strategy > captureStrategy", "target.nic_ref > nicRef"},
			ignored: []string{"Region", "adress", "capture-strategy", "nic_ref"},
		},
		{name: "keys of target among the parameters", verb: "assign-secondary-ip",
			target:     []string{"address=10.0.0.9", "region=eu-west-1"},
			parameters: []string{"captureStrategy=route-table", "address=10.0.0.9/32", "region=eu-west-2"},
			faults: []string{"parameters.captureStrategy > captureStrategy of the target",
				"parameters.region > region of the target"},
			ignored: []string{"address", "captureStrategy", "region"},
		},
		{name: "a planner's own words for what is given", verb: "assign-route-table-route",
			target: []string{"nicRef=eni-1", "nicId", "nic", "address=10.0.0.9", "addressRef", "region=r",
				"regionId", "routeTableRef=rtb-1", "routeTableId"},
			ignored: []string{"addressRef", "nic", "nicId", "regionId", "routeTableId"},
		},
		{name: "an instance's", verb: "fence-security-groups",
			target:     []string{"instanceRef=i-1", "instanceId", "instance", "interface"},
			parameters: []string{"interface", "interfaceId"},
			ignored:    []string{"instance", "instanceId", "interface", "interface", "interfaceId"},
		},
		{name: "another word for what is not given", verb: "fence-security-groups",
			target: []string{"instanceId"}, faults: []string{"target.instanceId > instanceRef"},
			ignored: []string{"instanceId"},
		},
		{name: "in the target of an undo, which is the action's", verb: "unassign-secondary-ip",
			key:     "k:undo",
			target:  []string{"nicRef=eni-1", "nicref", "addresses", "onDrift"},
			faults:  []string{"target.onDrift > the parameter onDrift"},
			doubts:  []string{"target.addresses > address", "target.nicref > nicRef"},
			ignored: []string{"addresses", "nicref", "onDrift"},
		},
		{name: "a family", verb: "fence-security-groups",
			parameters: []string{"interface16Sg", "interface00Sg", "interface-1-sg", "interfaces2Sg",
				"interfaceSg", "interface3Sg"},
			faults: []string{
				"parameters.interface-1-sg > interface<N>Sg (device index from 0 to 15)",
				"parameters.interface00Sg > interface<N>Sg (device index from 0 to 15)",
				"parameters.interface16Sg > interface<N>Sg (device index from 0 to 15)",
				"parameters.interfaceSg > interface<N>Sg (device index from 0 to 15)",
				"parameters.interfaces2Sg > interface<N>Sg (device index from 0 to 15)",
			},
			ignored: []string{"interface-1-sg", "interface00Sg", "interface16Sg", "interfaceSg",
				"interfaces2Sg"},
		},
		{name: "a choice that was made", verb: "assign-secondary-ip",
			target: []string{"captureStrategy=route-table", "routeTableRef"}},
		{name: "a planner's own", verb: "assign-secondary-ip",
			target: []string{"vnicRef", "routeTableRef", "mobilityPool", "note"},
			parameters: []string{"nextHopIPAddress", "mobilityAssignmentGeneration", "displacedHolder",
				"vpcRef", "assignmentGeneration"},
			ignored: []string{
				"mobilityPool", "note", "routeTableRef", "vnicRef",
				"assignmentGeneration", "displacedHolder", "mobilityAssignmentGeneration",
				"nextHopIPAddress", "vpcRef",
			},
		},
		{name: "facts that a core sends back", verb: "unfence-security-groups", key: "k:undo",
			parameters: []string{
				"priorSecurityGroups.eni-0123456789abcdef0", "currentSecurityGroups.eni-0123456789abcdef0",
				"restoredSecurityGroups.eni-0123456789abcdef0",
				"selfCheck", "trackedConnections", "changed", "failureClass", "retryable", "awsErrorCode",
				"requestId", "permissionHint",
				"heldBy", "warning", "calls", "ignoredKeys", "priorFactsKept", "holder", "drift", "recorded",
				"priorAssigned",
			}},
		{name: "an undo is not refused", verb: "unassign-secondary-ip", key: "k:undo",
			parameters: []string{"ignoreHolder", "priorholder", "allowReassignment"},
			doubts: []string{"parameters.ignoreHolder > ignoreHolders",
				"parameters.priorholder > priorHolder"},
			ignored: []string{"allowReassignment", "ignoreHolder", "priorholder"},
		},
		{name: "an undo under a key of its own is", verb: "unassign-secondary-ip", key: "k",
			parameters: []string{"priorholder"}, faults: []string{"parameters.priorholder > priorHolder"},
			ignored: []string{"priorholder"},
		},
		{name: "an action whose key ends like an undo's is", verb: "assign-secondary-ip", key: "k:undo",
			parameters: []string{"expectedHolder"},
			faults:     []string{"parameters.expectedHolder > expectedHolderRef"},
			ignored:    []string{"expectedHolder"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strays(t, c.verb, c.key, c.target, c.parameters)
			for what, diff := range map[string]string{
				"refused": cmp.Diff(c.faults, meant(got.Faults)), "told": cmp.Diff(c.doubts, meant(got.Doubts)),
				"ignored": cmp.Diff(c.ignored, got.Ignored),
			} {
				if diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

// TestForeignKeysAreNeverRefused: what a core and its other providers send is ignored in every
// verb, wherever it is, and so is every fact of every verb.
func TestForeignKeysAreNeverRefused(t *testing.T) {
	const foreign = "mobilityX displacedX targetRef vnicRef vpcRef eniRef nodeRef vmRef " +
		"networkInterfaceId nicName providerRef subnetRef prefix" +
		" destination nextHop nextHopRef nextHopIPAddress routeName resourceGroup ipConfigName " +
		"claimGeneration assignmentGeneration"
	r := actions.Registry()
	keys := strings.Fields(foreign)
	for _, v := range r.Verbs() {
		got := strays(t, v.Name, "k", keys, keys)
		want := slices.Concat(slices.Sorted(slices.Values(keys)), slices.Sorted(slices.Values(keys)))
		if diff := cmp.Diff(want, got.Ignored); diff != "" || len(got.Faults) > 0 {
			t.Errorf("%s: %v\nignored (-want +got):\n%s", v.Name, got.Faults, diff)
		}
		for _, reported := range r.Verbs() {
			for _, f := range reported.Facts {
				if got := strays(t, v.Name, "k", nil, []string{f.ExampleName()}); len(got.Ignored)+
					len(got.Faults) > 0 {
					t.Errorf("%s: the fact %s of %s is told: %+v", v.Name, f.ExampleName(), reported.Name, got)
				}
			}
		}
	}
}

// TestVerbsKnowTheirOwnKeys: no declared key is nearly another one of the same verb, so that a
// suggestion is clear, and no key of a verb or of its undo is refused there.
func TestVerbsKnowTheirOwnKeys(t *testing.T) {
	r := actions.Registry()
	for _, v := range r.Verbs() {
		var target, parameters []string
		for _, f := range v.Target {
			target = append(target, f.ExampleName())
		}
		for _, f := range v.Parameters {
			parameters = append(parameters, f.ExampleName())
		}
		if got := strays(t, v.Name, "k", target, parameters); len(got.Ignored)+len(got.Faults)+
			len(got.Doubts) > 0 {
			t.Errorf("%s does not know its own: %+v", v.Name, got)
		}
		if v.Undo == "" {
			continue
		}
		// A core sends the action's own parameters to its undo.
		if got := strays(t, v.Undo, "k:undo", target, parameters); len(got.Faults)+len(got.Doubts) > 0 {
			t.Errorf("%s takes the keys of %s for others: %v, %v", v.Undo, v.Name, got.Faults, got.Doubts)
		}
	}
}

// BenchmarkStrays is what a request costs that has as many unknown keys as it can.
func BenchmarkStrays(b *testing.B) {
	r := actions.Registry()
	v, _ := r.Lookup("fence-security-groups")
	req := protocol.Request{Action: v.Name, Target: map[string]string{},
		Parameters: map[string]string{}}
	for i := range 1 << 15 {
		req.Parameters["transitionSecurity"+strings.Repeat("x", i%20)+string(rune('a'+i%26))+
			strings.Repeat("y", i>>9)] = ""
	}
	for b.Loop() {
		r.Strays(v, req)
	}
}
