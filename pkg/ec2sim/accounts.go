package ec2sim

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/iam"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Account is an account of a Sim. Who calls with a credential of the account sees what it holds,
// and nothing of the others.
type Account struct {
	sim *Sim
	id  string
}

// Account returns an account by its id of 12 digits, the Sim's own among them. A credential is of
// the account that its ARN names; a session of a role is of the role's account.
func (s *Sim) Account(id string) *Account { return &Account{s, id} }

// Region returns the account's named region.
func (a *Account) Region(name string) *Region { return &Region{a.sim, a.id, name} }

// AddRole adds a role that STS lets those whom it trusts assume. A role of the same name is
// replaced. It panics on a policy that cannot be read, and on a role without a name.
func (a *Account) AddRole(r AccountRole) {
	mustChange(checkRole(r))
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	roles := a.sim.mem.accountRoles
	roles[a.id] = append(slices.DeleteFunc(roles[a.id], func(known AccountRole) bool {
		return known.Name == r.Name
	}), r.Clone())
}

// SetAlias sets what people call the account.
func (a *Account) SetAlias(alias string) {
	a.sim.mu.Lock()
	defer a.sim.mu.Unlock()
	a.sim.mem.aliases[a.id] = alias
}

// checkRole refuses a role that has no name, or policies that cannot be read.
func checkRole(r AccountRole) error {
	if r.Name == "" {
		return fmt.Errorf("a role has a name")
	}
	if _, err := parsePolicies(r.Policies); err != nil {
		return fmt.Errorf("the role %s: %w", r.Name, err)
	}
	return nil
}

// SetOptIn sets what the account has of the region: opt-in-not-required, opted-in or not-opted-in.
func (r *Region) SetOptIn(status string) {
	r.mark(func(w *world.World) { w.OptIn = status })
}

// SetPublicPool gives the account a pool of public addresses of its own, ipv4pool-ec2-…, with those
// of a network.
func (r *Region) SetPublicPool(id, network string) {
	r.mark(func(w *world.World) {
		pools := maps.Clone(w.PublicPools)
		if pools == nil {
			pools = map[string]string{}
		}
		pools[id], w.PublicPools = netip.MustParsePrefix(network).String(), pools
	})
}

// SetDenied has a service control policy deny every call of EC2 in the region, or not.
func (r *Region) SetDenied(denied bool) {
	r.mark(func(w *world.World) { w.Denied = denied })
}

func (r *Region) mark(set func(*world.World)) {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	set(r.sim.mem.own(r.place()))
}

func (r *Region) place() world.Place { return world.Place{Account: r.account, Region: r.name} }

// AddFleet adds instances that are alike, each with one interface. In the values of their tags {n}
// stands for the number of the instance, from 1. Without a subnet they get a VPC of their own.
func (r *Region) AddFleet(like Instance, count int) {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	r.sim.mem.own(r.place()).AddFleet(r.sim.mem.mint, like, count, r.sim.cfg.now())
}

// Launch adds instances that are alike and pending, as AddFleet does, and returns their ids. They
// run when the time of a transition has passed.
func (r *Region) Launch(like Instance, count int) []string {
	ids, err := r.launch(like, count)
	mustChange(err)
	return ids
}

func (r *Region) launch(like Instance, count int) (ids []string, err error) {
	err = r.sim.change(r.place(), false, func(c *world.Change) error {
		added, err := c.Launch(like, count)
		for _, i := range added {
			ids = append(ids, i.ID)
		}
		return err
	})
	return ids, err
}

// Terminate ends instances behind the API's back. They are shutting down until the time of a
// transition has passed, then shown as terminated for a while, and then gone.
func (r *Region) Terminate(ids ...string) {
	mustChange(r.terminate(ids))
}

func (r *Region) terminate(ids []string) error {
	return r.sim.change(r.place(), false, func(c *world.Change) error {
		instances, err := world.FindAll(c.World.Instances, world.InstanceIDs, ids)
		if err != nil {
			return err
		}
		for _, i := range instances {
			if err := c.Terminate(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// accountOf is the account of whom an ARN names.
func (m *memory) accountOf(arn string) string {
	if account := world.AccountOf(arn); account != "" {
		return account
	}
	return m.owner
}

// regionStatuses are EC2's regions and those somebody has filled, as an account sees them.
func (s *Sim) regionStatuses(m *memory, account string) []world.RegionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]string{}
	for _, name := range slices.Concat(world.CommonRegions, world.OptInRegions) {
		known[name] = world.OptInStatus(name, false)
	}
	for at, w := range m.worlds {
		if at.Account != account {
			continue
		}
		if known[at.Region] = w.OptIn; w.OptIn == "" {
			known[at.Region] = world.OptInStatus(at.Region, !w.Empty())
		}
	}
	var list []world.RegionStatus
	for _, name := range slices.Sorted(maps.Keys(known)) {
		list = append(list, world.RegionStatus{Name: name, OptIn: known[name]})
	}
	return list
}

// served reports whether an account may call in a region. The caller holds s.mu.
func (m *memory) served(at world.Place) bool {
	w := m.worlds[at]
	if w != nil && w.OptIn != "" {
		return w.OptIn != world.NotOptedIn
	}
	return slices.Contains(world.CommonRegions, at.Region) || w != nil && !w.Empty()
}

// session is who assumed a role.
type session struct {
	credential Credential
	rights     *iam.Rights // nil may do everything
}

// assume makes a session of a role that trusts the caller.
func (s *Sim) assume(m *memory, in world.AssumeRole) (world.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := world.AccountOf(in.RoleARN)
	// A role's path is not part of its name.
	name := in.RoleARN[strings.LastIndexByte(in.RoleARN, '/')+1:]
	at := slices.IndexFunc(m.accountRoles[account], func(r AccountRole) bool {
		return r.Name == name && r.Trusted(in.Caller, in.ExternalID)
	})
	if at < 0 {
		return world.Session{}, &Error{Code: "AccessDenied", Status: http.StatusForbidden,
			Message: "User: " + in.Caller + " is not authorized to perform: sts:AssumeRole on resource: " +
				in.RoleARN}
	}
	out := m.sessionIDs.Session()
	out.ARN = "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + in.SessionName
	out.Expires = s.cfg.now().Add(in.Lasts).UTC().Truncate(time.Second)
	made := session{credential: Credential{AccessKeyID: out.AccessKeyID,
		SecretAccessKey: out.SecretAccessKey, SessionToken: out.Token, Expires: out.Expires,
		ARN: out.ARN}}
	if documents := m.accountRoles[account][at].Policies; len(documents) > 0 {
		policies, err := parsePolicies(documents)
		if err != nil {
			return world.Session{}, refusal.New("MalformedPolicyDocument", "%v", err)
		}
		made.rights = &iam.Rights{Policies: policies}
	}
	m.sessions[out.AccessKeyID] = made
	return out, nil
}

// placeJSON names a region on the control paths. What is left out is the Sim's own account, and its
// first region that holds something.
type placeJSON struct{ Account, Region string }

type launchIn struct {
	placeJSON
	Count    int
	Instance Instance
}

func (s *Sim) launchJSON(in launchIn) ([]string, error) {
	return s.regionOf(in.placeJSON).launch(in.Instance, in.Count)
}

type terminateIn struct {
	placeJSON
	IDs []string
}

func (s *Sim) terminateJSON(in terminateIn) error {
	return s.regionOf(in.placeJSON).terminate(in.IDs)
}

type regionIn struct {
	placeJSON
	OptInStatus string
	Denied      bool
}

func (s *Sim) regionJSON(in regionIn) error {
	if in.OptInStatus != "" && !slices.Contains(world.OptInStatuses, in.OptInStatus) {
		return fmt.Errorf("no opt-in status is %q, want one of %s", in.OptInStatus,
			strings.Join(world.OptInStatuses, ", "))
	}
	r := s.regionOf(in.placeJSON)
	r.mark(func(w *world.World) { w.OptIn, w.Denied = in.OptInStatus, in.Denied })
	return nil
}

func (s *Sim) regionOf(in placeJSON) *Region {
	at := s.placed(in.Account, in.Region)
	return &Region{s, at.Account, at.Region}
}
