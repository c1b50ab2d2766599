package ec2sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/iam"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Role is a role of IAM: what its access key may do, and what IAM's own API tells of it.
type Role = world.Role

// rightsOf are what the documents of a role let it do.
func rightsOf(r Role) (iam.Rights, error) {
	var documents []string
	for _, of := range []map[string]string{r.Inline, r.Attached} {
		for _, name := range slices.Sorted(maps.Keys(of)) {
			documents = append(documents, of[name])
		}
	}
	policies, err := parsePolicies(documents)
	if err != nil || r.Boundary == "" {
		return iam.Rights{Policies: policies}, err
	}
	boundary, err := iam.Parse(r.Boundary)
	if err != nil {
		return iam.Rights{}, fmt.Errorf("the boundary: %w", err)
	}
	return iam.Rights{Policies: policies, Boundary: &boundary}, nil
}

// WithPolicies sets the IAM policies of an access key, as JSON documents. A key without any may do
// everything. New panics on a document that cannot be read.
func WithPolicies(accessKeyID string, documents ...string) Option {
	return func(c *config) {
		policies, err := parsePolicies(documents)
		if err != nil {
			panic("ec2sim: " + err.Error())
		}
		c.rights[accessKeyID] = iam.Rights{Policies: policies}
	}
}

// WithRole makes an access key one of the role: it may do what the role's policies allow within
// its boundary, and nothing without any. New panics on a document that cannot be read.
func WithRole(accessKeyID string, r Role) Option {
	return func(c *config) {
		rights, err := rightsOf(r)
		if err != nil {
			panic("ec2sim: " + err.Error())
		}
		c.rights[accessKeyID] = rights
		c.roles = append(c.roles, r)
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
		delete(s.mem.rights, accessKeyID)
		return nil
	}
	s.mem.rights[accessKeyID] = iam.Rights{Policies: policies}
	return nil
}

// SetRole is WithRole until the Sim is reset. A role of the same name is replaced.
func (s *Sim) SetRole(accessKeyID string, r Role) error {
	rights, err := rightsOf(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.rights[accessKeyID] = rights
	s.mem.roles = append(slices.DeleteFunc(s.mem.roles, func(known Role) bool {
		return known.Name == r.Name
	}), r)
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
	if in.op.Anyone {
		return nil
	}
	if w.Denied && in.service.Prefix == "ec2" {
		return refusal.Unauthorized(in.arn, in.call.Operation, in.resource,
			"with an explicit deny in a service control policy")
	}
	rights, ok := m.rights[in.call.AccessKeyID]
	if made, isSession := m.sessions[in.call.AccessKeyID]; isSession && made.rights != nil {
		rights, ok = *made.rights, true
	}
	if !ok {
		return nil
	}
	resources := []string{""}
	if p.On != nil {
		resources = p.On(w)
	}
	for _, id := range resources {
		if err := in.mayDo(rights, w, p, in.call.Operation, id, p.Conditions); err != nil {
			return err
		}
	}
	for _, id := range p.Tags {
		made := maps.Clone(p.Conditions)
		made["ec2:CreateAction"] = []string{in.call.Operation}
		if err := in.mayDo(rights, w, p, "CreateTags", id, made); err != nil {
			return err
		}
	}
	return nil
}

// mayDo refuses an operation on what has an id that the caller's policies do not allow.
func (in *inbound) mayDo(
	rights iam.Rights, w *world.World, p api.Prepared, operation, id string,
	conditions map[string][]string,
) *Error {
	r := iam.Request{Action: in.service.Prefix + ":" + operation, Resource: "*",
		Keys: w.ConditionKeys(id)}
	if world.IsNew(id) {
		r.Keys = w.KeysOfNew(id, p.Subnet)
	}
	if id != "" {
		r.Resource = w.ARNOf(id)
	}
	maps.Copy(r.Keys, conditions)
	if in.service.Prefix != api.EC2 {
		maps.DeleteFunc(r.Keys, func(key string, _ []string) bool {
			return strings.HasPrefix(key, "ec2:")
		})
	}
	because := ""
	switch rights.Decide(r) {
	case iam.NotAllowed:
		because = refusal.NotAllowed(r.Action)
	case iam.Bounded:
		because = refusal.NotBounded(r.Action)
	case iam.Denied:
		because = "with an explicit deny in an identity-based policy"
	default:
		return nil
	}
	if in.service.Prefix != "ec2" {
		return refusal.AccessDenied(in.arn, r.Action, because)
	}
	return refusal.Unauthorized(in.arn, operation, r.Resource, because)
}
