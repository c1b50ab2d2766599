package nodes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/wildcard"
)

// ManagerType says what a manager's nodes are, and where it looks for them.
type ManagerType string

const (
	// ManagerEC2 has a node for each EC2 instance.
	ManagerEC2 ManagerType = "aws-ec2"
	// ManagerAWS has a node for each region of each account.
	ManagerAWS ManagerType = "aws-api"
	// ManagerVM has a node for each Azure virtual machine.
	ManagerVM ManagerType = "azure-vm"
	// ManagerAzure has a node for each Azure subscription.
	ManagerAzure ManagerType = "azure-api"
	// ManagerOfManual has the nodes that people add. There is one, with the id ManualManager.
	ManagerOfManual ManagerType = "manual"
)

// ManagerTypes are all types, in a fixed order.
func ManagerTypes() []ManagerType {
	return []ManagerType{ManagerEC2, ManagerAWS, ManagerVM, ManagerAzure, ManagerOfManual}
}

// ManualManager is the id and the name of the manager of manual nodes. Every store has it, and it
// can't be deleted. Nodes that no other manager is left for belong to it, too.
const ManualManager = "manual"

// Manager is where nodes come from.
type Manager struct {
	ID string `json:"id"`
	// Name is how people call it; no other manager has it.
	Name string      `json:"name"`
	Type ManagerType `json:"type"`
	// Access says as whom it looks.
	Access Access `json:"access"`
	// Accounts are the ids of the only accounts that it may look at, in Azure of the subscriptions;
	// empty is any.
	Accounts []string `json:"accounts,omitempty"`
	// Regions are patterns; a region that matches one of them is looked at, empty is all. Excluded
	// ones, patterns too, are not.
	Regions         []string `json:"regions,omitempty"`
	ExcludedRegions []string `json:"excludedRegions,omitempty"`
	// Credentials are for the nodes that have certain tags, in order.
	Credentials []CredentialRule `json:"credentials,omitempty"`
	// Interval is how long after a scan the next one is due.
	Interval time.Duration `json:"interval,omitempty"`
	// AddedAt is when it was added.
	AddedAt time.Time `json:"addedAt,omitzero"`
	// Checked says what the last try to look came to.
	Checked Check `json:"checked,omitzero"`
	// Revision counts the writes of what people set. An update names the one that it rests on.
	Revision int64 `json:"revision"`
}

// Access says as whom a manager looks. It has references only, never a secret.
type Access struct {
	Kind AccessKind `json:"kind"`
	// RoleARN and ExternalID are a role's.
	RoleARN    string `json:"roleArn,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
	// Profile is one of the shared configuration's.
	Profile string `json:"profile,omitempty"`
	// Secret says where the credentials are.
	Secret SecretRef `json:"secret,omitempty"`
}

// AccessKind is the kind of it.
type AccessKind string

const (
	// AccessAmbient is as whoever runs the program.
	AccessAmbient AccessKind = "ambient"
	// AccessRole is by a role that is assumed.
	AccessRole AccessKind = "role"
	// AccessProfile is by a profile of the shared configuration.
	AccessProfile AccessKind = "profile"
	// AccessSecret is by credentials that a reference leads to.
	AccessSecret AccessKind = "secret"
)

// Check is what a try to look came to.
type Check struct {
	At     time.Time `json:"at,omitzero"`
	Status Status    `json:"status,omitempty"`
	// Reason says why it is not reachable.
	Reason string `json:"reason,omitempty"`
	// AccountID is the account that the identity turned out to be of.
	AccountID string `json:"accountId,omitempty"`
}

// SeesSeveral reports whether its identity sees several accounts, as one of Azure does
// subscriptions. Any other is of one account.
func (m *Manager) SeesSeveral() bool { return m.Type == ManagerVM || m.Type == ManagerAzure }

// Covers reports whether the manager may look at a region of an account. The empty account or
// region is one that is not known yet, which is covered.
func (m *Manager) Covers(account, region string) bool {
	isAccount := func(allowed string) bool { return strings.EqualFold(allowed, account) }
	if account != "" && len(m.Accounts) > 0 && !slices.ContainsFunc(m.Accounts, isAccount) {
		return false
	}
	if region == "" {
		return true
	}
	matches := func(pattern string) bool { return wildcard.Filter.Match(pattern, region) }
	if slices.ContainsFunc(m.ExcludedRegions, matches) {
		return false
	}
	return len(m.Regions) == 0 || slices.ContainsFunc(m.Regions, matches)
}

// Check returns all that is wrong with a manager as somebody set it.
func (m *Manager) Check() error {
	var faults faults
	if strings.TrimSpace(m.Name) == "" {
		faults.add("a manager needs a name")
	}
	if !slices.Contains(ManagerTypes(), m.Type) {
		faults.add("the type is %q, want one of %v", m.Type, ManagerTypes())
	}
	if m.Type == ManagerOfManual && m.ID != ManualManager {
		faults.add("there is one manager of the type %s, and every store has it", ManagerOfManual)
	}
	if err := m.Access.check(); err != nil {
		faults = append(faults, err)
	}
	if m.SeesSeveral() {
		m.Access.checkAzure(&faults)
	}
	for _, r := range m.Credentials {
		if err := r.Check(); err != nil {
			faults = append(faults, err)
		}
	}
	for _, list := range [][]string{m.Accounts, m.Regions, m.ExcludedRegions} {
		if slices.Contains(list, "") {
			faults.add("an empty account or region selects nothing: leave it out")
		}
	}
	if m.Type == ManagerAzure && len(m.Regions)+len(m.ExcludedRegions) > 0 {
		faults.add("a subscription is in no region: leave the regions out")
	}
	if m.Interval < 0 {
		faults.add("the interval is %s, want 0 or more", m.Interval)
	}
	return errors.Join(faults...)
}

// SetKind has the kind be that of what is set.
func (a *Access) SetKind() error {
	switch {
	case a.Profile != "" && a.Secret != "":
		return errors.New("a profile and a secret exclude each other: a manager looks with one identity")
	case a.Secret != "":
		a.Kind = AccessSecret
	case a.Profile != "":
		a.Kind = AccessProfile
	case a.RoleARN != "":
		a.Kind = AccessRole
	default:
		a.Kind = AccessAmbient
	}
	return nil
}

func (a Access) check() error {
	given := map[string]string{
		"role": a.RoleARN, "profile": a.Profile, "secret": string(a.Secret),
	}
	switch a.Kind {
	case AccessAmbient, AccessRole, AccessProfile, AccessSecret:
	default:
		return fmt.Errorf("the access is %q, want ambient, role, profile or secret", a.Kind)
	}
	var faults []error
	if a.Kind != AccessAmbient && given[string(a.Kind)] == "" {
		faults = append(faults, fmt.Errorf("access by %s names none", a.Kind))
	}
	if a.ExternalID != "" && a.RoleARN == "" {
		faults = append(faults, errors.New("an external id goes with a role"))
	}
	if a.Secret != "" {
		faults = append(faults, a.Secret.Check())
	}
	return errors.Join(faults...)
}

// checkAzure refuses what only AWS has.
func (a Access) checkAzure(faults *faults) {
	if a.RoleARN != "" || a.ExternalID != "" || a.Profile != "" {
		faults.add("a role, an external id and a profile are of AWS: in Azure a manager looks as " +
			"whoever runs the program, or by a secret")
	}
	if a.Secret != "" && !strings.HasPrefix(string(a.Secret), "file:") {
		faults.add("an Azure manager's secret is a file: file:/PATH")
	}
}

// Disposition says what becomes of the nodes of a manager that is deleted, and of no other one.
type Disposition string

const (
	// KeepNodes has them belong to the manual manager.
	KeepNodes Disposition = "keep"
	// SetState sets their state, and has them belong to the manual manager.
	SetState Disposition = "state"
	// DeleteNodes deletes them.
	DeleteNodes Disposition = "nodes"
)

// ParseFate reads what becomes of the nodes of a manager that is deleted: keep, stopped, terminated
// or delete. Stopped and terminated are a state to set.
func ParseFate(text string) (Disposition, State, error) {
	switch text {
	case "keep":
		return KeepNodes, "", nil
	case "delete":
		return DeleteNodes, "", nil
	case string(StateStopped), string(StateTerminated):
		return SetState, State(text), nil
	case "":
		return "", "", errors.New("say what becomes of its nodes: keep, stopped, terminated or delete")
	}
	return "", "", fmt.Errorf("what becomes of its nodes is %q, want keep, stopped, terminated or "+
		"delete", text)
}

// Deletion is what deleting a manager came to.
type Deletion struct {
	// Shared nodes belong to other managers as before. Kept, Changed and Deleted are those that
	// belonged to no other.
	Shared  []string `json:"shared"`
	Kept    []string `json:"kept"`
	Changed []string `json:"changed"`
	Deleted []string `json:"deleted"`
}
