package policy_test

import (
	"fmt"
	"strings"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// A denial names every reason against a request, and what to write to allow it.
func ExamplePolicy_Subject() {
	p, err := policy.Parse([]byte(`
apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: lab}
spec:
  enabled: true
  allowedProviders: [aws]
  allowedActions: [assign-secondary-ip]
  allowedCIDRs: [10.88.60.0/24]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	request := protocol.Request{
		Action: "assign-secondary-ip", Provider: "aws", Mode: protocol.DryRun, IdempotencyKey: "k",
		Target: map[string]string{
			"nicRef": "eni-0123456789abcdef0", "address": "10.88.61.9/32", "region": "eu-west-1",
		},
	}
	for _, reason := range p.Subject(policy.RequestSubject(actions.Registry(), request)) {
		fmt.Println(reason.Field + ":\n" + strings.ReplaceAll(reason.Text, "; ", "\n"))
	}
	// Output:
	// allowedCIDRs:
	// the address 10.88.61.9 is not allowed
	// allowed: 10.88.60.0/24
	// to allow it add 10.88.61.9/32 to allowedCIDRs
}

// A document means one thing or is refused, with the line of every fault.
func ExampleParse() {
	_, err := policy.Parse([]byte(`
apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: lab}
spec:
  enabled: true
  allowedCIDRs: [lab, 10.88.0.0/16]
  allowedActions: []
`))
	fmt.Println(strings.ReplaceAll(err.Error(), ": name", ":\nname"))
	// Output:
	// line 7: spec.allowedCIDRs[0]: is "lab", want a network, as in 10.88.60.0/24
	// line 8: spec.allowedActions: is an empty list:
	// name what is allowed, or take the field out, which allows none
}
