package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/service/nodesv1"
	"aws-provider-executor/pkg/nodes/store"
)

// request is a scan for a caller.
func request(ctx context.Context, revive bool) scan.Request {
	return scan.Request{Revive: revive, By: CallerOf(ctx)}
}

// keeper keeps managers in a store.
func (s *Service) keeper(on *store.Store) *scan.Keeper {
	return scan.NewKeeper(on, s.scanner.On(on))
}

// CreateManager writes a manager down and scans it.
func (s *Service) CreateManager(
	ctx context.Context, r *nodesv1.CreateManagerRequest,
) (*nodesv1.CreateManagerResponse, error) {
	given := r.GetManager()
	if given.GetId() != "" || given.GetAddedAt() != nil || given.GetChecked() != nil ||
		given.GetRevision() != 0 {
		return nil, invalid{errors.New("id, addedAt, checked and revision are the server's: " +
			"leave them out")}
	}
	m := nodes.Manager{Type: nodes.ManagerType(given.GetType())}
	for _, field := range managerFields {
		field.set(&m, given)
	}
	if err := errors.Join(m.Access.SetKind(), m.Check()); err != nil {
		return nil, invalid{err}
	}
	kept, err := s.keeper(s.as(ctx, "CreateManager", r)).Create(ctx, m, request(ctx, r.Revive))
	if err != nil {
		return nil, err
	}
	return &nodesv1.CreateManagerResponse{Manager: managerOf(kept.Manager),
		Regions: resultsOf(kept.Results), Revivable: kept.Revivable, Revived: int32(kept.Revived)}, nil
}

// managerField is one that people set.
type managerField struct {
	path string
	set  func(*nodes.Manager, *nodesv1.Manager)
}

// managerFields are all of them, by their paths in a mask.
var managerFields = []managerField{
	{"name", func(m *nodes.Manager, g *nodesv1.Manager) { m.Name = g.GetName() }},
	{"role_arn", func(m *nodes.Manager, g *nodesv1.Manager) { m.Access.RoleARN = g.GetRoleArn() }},
	{"external_id", func(m *nodes.Manager, g *nodesv1.Manager) {
		m.Access.ExternalID = g.GetExternalId()
	}},
	{"profile", func(m *nodes.Manager, g *nodesv1.Manager) { m.Access.Profile = g.GetProfile() }},
	{"secret", func(m *nodes.Manager, g *nodesv1.Manager) {
		m.Access.Secret = nodes.SecretRef(g.GetSecret())
	}},
	{"accounts", func(m *nodes.Manager, g *nodesv1.Manager) { m.Accounts = g.GetAccounts() }},
	{"regions", func(m *nodes.Manager, g *nodesv1.Manager) { m.Regions = g.GetRegions() }},
	{"excluded_regions", func(m *nodes.Manager, g *nodesv1.Manager) {
		m.ExcludedRegions = g.GetExcludedRegions()
	}},
	{"credentials", func(m *nodes.Manager, g *nodesv1.Manager) { m.Credentials = rulesOf(g) }},
	{"interval", func(m *nodes.Manager, g *nodesv1.Manager) {
		m.Interval = g.GetInterval().AsDuration()
	}},
}

func rulesOf(g *nodesv1.Manager) []nodes.CredentialRule {
	var rules []nodes.CredentialRule
	for _, given := range g.GetCredentials() {
		rule := nodes.CredentialRule{Key: given.GetKey(), Value: given.GetValue()}
		for _, ref := range given.GetReferences() {
			rule.Refs = append(rule.Refs, nodes.SecretRef(ref))
		}
		rules = append(rules, rule)
	}
	return rules
}

// apply has a manager be as is given, in the fields of a mask.
func apply(m *nodes.Manager, given *nodesv1.Manager, mask []string) error {
	var unknown []error
	for _, path := range mask {
		i := slices.IndexFunc(managerFields, func(f managerField) bool { return f.path == path })
		if i < 0 {
			unknown = append(unknown, fmt.Errorf("the mask has %q, want of %s", path,
				strings.Join(maskPaths(), ", ")))
			continue
		}
		managerFields[i].set(m, given)
	}
	if len(mask) == 0 {
		unknown = append(unknown, errors.New("the mask names the fields to change: it is empty"))
	}
	return errors.Join(unknown...)
}

func maskPaths() []string {
	all := make([]string, len(managerFields))
	for i, f := range managerFields {
		all[i] = f.path
	}
	return all
}

// ListManagers lists all managers.
func (s *Service) ListManagers(
	ctx context.Context, _ *nodesv1.ListManagersRequest,
) (*nodesv1.ListManagersResponse, error) {
	all, err := s.store.Managers(ctx)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.ListManagersResponse{}
	for _, m := range all {
		answer.Managers = append(answer.Managers, managerOf(m))
	}
	return answer, nil
}

// GetManager tells a manager, and how its regions were scanned last.
func (s *Service) GetManager(
	ctx context.Context, r *nodesv1.GetManagerRequest,
) (*nodesv1.GetManagerResponse, error) {
	m, err := s.store.Manager(ctx, r.Manager)
	if err != nil {
		return nil, err
	}
	regions, err := s.store.Regions(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.GetManagerResponse{Manager: managerOf(m)}
	for _, x := range regions {
		answer.Regions = append(answer.Regions, regionOf(x))
	}
	return answer, nil
}

// UpdateManager changes what the mask names, and scans the manager.
func (s *Service) UpdateManager(
	ctx context.Context, r *nodesv1.UpdateManagerRequest,
) (*nodesv1.UpdateManagerResponse, error) {
	given := r.GetManager()
	m, err := s.store.Manager(ctx, given.GetId())
	if err != nil {
		return nil, err
	}
	if m.ID == nodes.ManualManager {
		return nil, nodes.ErrOwn
	}
	if err := apply(&m, given, r.GetUpdateMask().GetPaths()); err != nil {
		return nil, invalid{err}
	}
	if err := errors.Join(m.Access.SetKind(), m.Check()); err != nil {
		return nil, invalid{err}
	}
	// What the caller has read decides, not what is there now.
	m.Revision = given.GetRevision()
	kept, err := s.keeper(s.as(ctx, "UpdateManager", r)).Update(ctx, m, request(ctx, r.Revive))
	if err != nil {
		return nil, err
	}
	return &nodesv1.UpdateManagerResponse{Manager: managerOf(kept.Manager),
		Regions: resultsOf(kept.Results), Revivable: kept.Revivable, Revived: int32(kept.Revived)}, nil
}

// ConnectManager finds out if a manager can look.
func (s *Service) ConnectManager(
	ctx context.Context, r *nodesv1.ConnectManagerRequest,
) (*nodesv1.ConnectManagerResponse, error) {
	m, err := s.keeper(s.as(ctx, "ConnectManager", r)).Connect(ctx, r.Manager)
	if err != nil {
		return nil, err
	}
	return &nodesv1.ConnectManagerResponse{Manager: managerOf(m)}, nil
}

// DeleteManager deletes a manager, and does with its nodes as is said.
func (s *Service) DeleteManager(
	ctx context.Context, r *nodesv1.DeleteManagerRequest,
) (*nodesv1.DeleteManagerResponse, error) {
	d, state, err := nodes.ParseFate(r.Nodes)
	if err != nil {
		return nil, invalid{err}
	}
	done, err := s.as(ctx, "DeleteManager", r).DeleteManager(ctx, r.Manager, d, state, CallerOf(ctx))
	if err != nil {
		return nil, err
	}
	return &nodesv1.DeleteManagerResponse{Shared: done.Shared, Kept: done.Kept, Changed: done.Changed,
		Deleted: done.Deleted}, nil
}

// ScanManagers reads every region of managers, and tells each as it ends.
func (s *Service) ScanManagers(
	ctx context.Context, r *nodesv1.ScanManagersRequest,
	to *connect.ServerStream[nodesv1.ScanManagersResponse],
) error {
	if err := understood(r); err != nil {
		return err
	}
	managers, err := s.managersNamed(ctx, r.Managers)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(managers, func(m nodes.Manager) bool {
		return m.Type != nodes.ManagerOfManual
	}) {
		return refused{errors.New("there is no manager to scan")}
	}
	scanning, cancel := context.WithCancel(ctx)
	defer cancel()
	var lost error
	asked := request(ctx, r.Revive)
	asked.Managers = managers
	asked.Progress = func(x scan.Result) {
		if lost != nil {
			return
		}
		// Who does not listen any more does not want more of it.
		if lost = to.Send(&nodesv1.ScanManagersResponse{Region: resultOf(x)}); lost != nil {
			cancel()
		}
	}
	_, err = s.scanner.On(s.as(ctx, "ScanManagers", r)).Scan(scanning, asked)
	return cmp.Or(err, lost, ctx.Err())
}

// managersNamed are the managers with these names, each once; all of them where none is named.
func (s *Service) managersNamed(ctx context.Context, names []string) ([]nodes.Manager, error) {
	if len(names) == 0 {
		return s.store.Managers(ctx)
	}
	var all []nodes.Manager
	for _, name := range names {
		m, err := s.store.Manager(ctx, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(x nodes.Manager) bool { return x.ID == m.ID }) {
			all = append(all, m)
		}
	}
	return all, nil
}

// AddManualNodes adds machines by their addresses.
func (s *Service) AddManualNodes(
	ctx context.Context, r *nodesv1.AddManualNodesRequest,
) (*nodesv1.AddManualNodesResponse, error) {
	t := r.GetTarget()
	if t.GetHost() != "" {
		return nil, invalid{errors.New("name the hosts in hosts, and not in target")}
	}
	m := nodes.Manual{Prefix: r.NamePrefix, Hosts: r.Hosts, Tags: r.Tags, By: CallerOf(ctx),
		Target: nodes.Target{Port: int(cmp.Or(t.GetPort(), 22)), User: t.GetUser(),
			Protocol:   nodes.Protocol(cmp.Or(t.GetProtocol(), string(nodes.TCP))),
			KnownHosts: t.GetKnownHosts(), Credential: nodes.SecretRef(t.GetCredential())}}
	if err := m.Check(); err != nil {
		return nil, invalid{err}
	}
	added, err := s.as(ctx, "AddManualNodes", r).AddManual(ctx, m)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.AddManualNodesResponse{}
	for _, n := range added {
		answer.Nodes = append(answer.Nodes, nodeOf(n))
	}
	return answer, nil
}

// SetNodeState sets a node's state by the caller's word.
func (s *Service) SetNodeState(
	ctx context.Context, r *nodesv1.SetNodeStateRequest,
) (*nodesv1.SetNodeStateResponse, error) {
	state := nodes.State(r.State)
	if !slices.Contains(nodes.CommandStates(), state) {
		return nil, invalid{fmt.Errorf("the state is %q, want one of %v", r.State, nodes.CommandStates())}
	}
	n, changes, err := s.as(ctx, "SetNodeState", r).Command(ctx, r.Node, state, CallerOf(ctx))
	if err != nil {
		return nil, fmt.Errorf("cannot set the state of %s: %w", r.Node, err)
	}
	return &nodesv1.SetNodeStateResponse{Node: nodeOf(n), Changes: changesOf(changes, n.Name)}, nil
}

// DeleteNodes forgets the nodes of a filter.
func (s *Service) DeleteNodes(
	ctx context.Context, r *nodesv1.DeleteNodesRequest,
) (*nodesv1.DeleteNodesResponse, error) {
	f, err := parse(r.Filter, r.BareTags)
	if err != nil {
		return nil, err
	}
	deleted, err := s.as(ctx, "DeleteNodes", r).Delete(ctx, f, int(r.Expected))
	if err != nil {
		return nil, err
	}
	return &nodesv1.DeleteNodesResponse{Deleted: deleted}, nil
}

// leastSilence is the least time after which a node may be called missing.
const leastSilence = time.Minute

// MarkMissing has running nodes be missing that were not heard of for a time.
func (s *Service) MarkMissing(
	ctx context.Context, r *nodesv1.MarkMissingRequest,
) (*nodesv1.MarkMissingResponse, error) {
	silence := r.GetNotHeardFor().AsDuration()
	if silence < leastSilence {
		return nil, invalid{fmt.Errorf("notHeardFor is %s, want a minute or more", silence)}
	}
	marked, err := s.as(ctx, "MarkMissing", r).MarkMissing(ctx, s.o.Now().Add(-silence))
	if err != nil {
		return nil, err
	}
	return &nodesv1.MarkMissingResponse{Marked: int32(marked)}, nil
}

// ProcessNode takes a report over.
func (s *Service) ProcessNode(
	ctx context.Context, r *nodesv1.ProcessNodeRequest,
) (*nodesv1.ProcessNodeResponse, error) {
	report := nodes.Report{
		ID: r.Uuid, Name: r.Name, Platform: r.PlatformName, PlatformRelease: r.PlatformRelease,
		JobID: r.JobUuid, LastContact: timeOf(r.LastContact), Tags: r.Tags,
		Source: nodes.Source{ID: r.SourceId, Region: r.SourceRegion, AccountID: r.SourceAccountId},
		Run:    resultIn(r.RunData), Scan: resultIn(r.ScanData), Projects: r.Projects,
		ManagerID: r.ManagerId, ManagerType: nodes.ManagerType(r.ManagerType),
	}
	if err := report.Check(); err != nil {
		return nil, invalid{err}
	}
	call := callOf(ctx, "ProcessNode", &nodesv1.ProcessNodeRequest{Uuid: r.Uuid})
	call.OnlyChanges = true
	received, err := s.store.As(call).ApplyReport(ctx, report)
	if err != nil {
		return nil, err
	}
	return &nodesv1.ProcessNodeResponse{NodeId: received.NodeID, Outcome: string(received.Outcome),
		Merged: received.Merged, Changes: changesOf(received.Changes, r.Name)}, nil
}
