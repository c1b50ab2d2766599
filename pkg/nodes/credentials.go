package nodes

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"aws-provider-executor/pkg/wildcard"
)

// SecretRef says where a secret is. It is never the secret: an ARN of Secrets Manager or of an SSM
// parameter, or a file as file:/PATH.
type SecretRef string

// Check refuses what is not a reference. The text is not told: it may be a secret.
func (r SecretRef) Check() error {
	text := string(r)
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		if !filepath.IsAbs(path) {
			return errors.New("a reference to a file is file: and an absolute path")
		}
		return nil
	}
	// arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE
	parts := strings.SplitN(text, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[3] != "" && parts[4] != "" {
		switch resource := parts[5]; parts[2] {
		case "secretsmanager":
			if name, ok := strings.CutPrefix(resource, "secret:"); ok && name != "" {
				return nil
			}
		case "ssm":
			if name, ok := strings.CutPrefix(resource, "parameter/"); ok && name != "" {
				return nil
			}
		}
	}
	return errors.New("a reference is the ARN of a Secrets Manager secret or of an SSM parameter, " +
		"or file:/PATH; a secret itself is not taken")
}

// CredentialRule has references for the nodes that have a tag.
type CredentialRule struct {
	// Key is the tag's, exactly. Value is a pattern, as in filters.
	Key   string      `json:"key"`
	Value string      `json:"value"`
	Refs  []SecretRef `json:"refs"`
}

// Check returns all that is wrong with a rule.
func (r CredentialRule) Check() error {
	var faults []error
	if r.Key == "" {
		faults = append(faults, errors.New("credentials by tag need the tag's key"))
	}
	if len(r.Refs) == 0 {
		faults = append(faults, fmt.Errorf("credentials for the tag %q name no reference", r.Key))
	}
	for _, ref := range r.Refs {
		if err := ref.Check(); err != nil {
			faults = append(faults, fmt.Errorf("credentials for the tag %q: %w", r.Key, err))
		}
	}
	return errors.Join(faults...)
}

// Credential is a reference that a node has, and why.
type Credential struct {
	Ref SecretRef `json:"ref"`
	// Manager, Key and Pattern name the rule; they are empty for the node's own reference.
	Manager string `json:"manager,omitempty"`
	Key     string `json:"key,omitempty"`
	Pattern string `json:"pattern,omitempty"`
	// Value is that of the node's tag.
	Value string `json:"value,omitempty"`
}

// Credentials are the references that a node has by its tags as they are now: in the order of the
// managers, of each one's rules, and of each rule's references. Each is there once, for its first
// reason. The node's own comes first.
func Credentials(n *Node, managers []Manager) []Credential {
	var all []Credential
	given := map[SecretRef]bool{}
	add := func(c Credential) {
		if !given[c.Ref] {
			given[c.Ref] = true
			all = append(all, c)
		}
	}
	if n.Target != nil && n.Target.Credential != "" {
		add(Credential{Ref: n.Target.Credential})
	}
	tags := n.Tags()
	for _, m := range managers {
		if !n.HasManager(m.ID) {
			continue
		}
		for _, r := range m.Credentials {
			value, ok := tags[r.Key]
			if !ok || !wildcard.Filter.Match(r.Value, value) {
				continue
			}
			for _, ref := range r.Refs {
				add(Credential{Ref: ref, Manager: m.Name, Key: r.Key, Pattern: r.Value, Value: value})
			}
		}
	}
	return all
}
