package ec2sim

import (
	"fmt"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/iam"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// WithPolicies sets the IAM policies of an access key, as JSON documents. A key without any may do
// everything. New panics on a document that cannot be read.
func WithPolicies(accessKeyID string, documents ...string) Option {
	return func(c *config) {
		policies, err := parsePolicies(documents)
		if err != nil {
			panic("ec2sim: " + err.Error())
		}
		c.policies[accessKeyID] = policies
	}
}

// SetPolicies replaces the IAM policies of an access key; without documents it may do everything.
func (s *Sim) SetPolicies(accessKeyID string, documents ...string) error {
	policies, err := parsePolicies(documents)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(policies) == 0 {
		delete(s.mem.policies, accessKeyID)
		return nil
	}
	s.mem.policies[accessKeyID] = policies
	return nil
}

func parsePolicies(documents []string) ([]iam.Policy, error) {
	var policies []iam.Policy
	for n, text := range documents {
		p, err := iam.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", n+1, err)
		}
		policies = append(policies, p)
	}
	return policies, nil
}

// authorize refuses a call that the caller's policies do not allow on everything it touches.
func (m *memory) authorize(in *inbound, w *world.World, p api.Prepared) *Error {
	policies, ok := m.policies[in.call.AccessKeyID]
	if !ok {
		return nil
	}
	resources := []string{""}
	if p.On != nil {
		resources = p.On(w)
	}
	for _, id := range resources {
		r := iam.Request{Action: "ec2:" + in.call.Operation, Resource: "*", Keys: w.ConditionKeys(id)}
		if id != "" {
			r.Resource = w.ARNOf(id)
		}
		for name, values := range p.Conditions {
			r.Keys[name] = values
		}
		switch iam.Decide(policies, r) {
		case iam.NotAllowed:
			return refusal.Unauthorized(in.arn, in.call.Operation, r.Resource,
				refusal.NotAllowed(in.call.Operation))
		case iam.Denied:
			return refusal.Unauthorized(in.arn, in.call.Operation, r.Resource,
				"with an explicit deny in an identity-based policy")
		}
	}
	return nil
}
