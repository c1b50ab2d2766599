package ec2sim

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/fault"
	"aws-provider-executor/pkg/ec2sim/internal/iam"
	"aws-provider-executor/pkg/ec2sim/internal/world"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/metrics/exporter"
)

// Sim is one stand-in. It is an http.Handler, and safe for concurrent use.
type Sim struct {
	cfg config

	mu       sync.Mutex // guards what follows and all that mem holds
	mem      *memory
	metadata []*Metadata // those that are served

	// metrics count the calls, over every reset; scrape serves them.
	metrics *metrics.Set
	scrape  func() http.Handler
}

// programName is what the stand-in is called in metrics.
const programName = "ec2sim"

// memory is all that changes. Reset makes a new one, so nothing can be forgotten; a call that is
// under way while it happens goes on with the old one.
type memory struct {
	owner      string
	worlds     map[world.Place]*world.World
	stale      map[world.Place]*fault.View
	mint       world.Minter
	requestIDs world.Minter
	sessionIDs world.Minter

	accountRoles map[string][]AccountRole
	aliases      map[string]string  // by account
	sessions     map[string]session // by access key

	calls   []*Call
	seq     int // of the last call
	hooks   []*hook
	faults  fault.Set
	buckets *fault.Buckets

	rights map[string]iam.Rights // by access key
	roles  []Role
	quotas Quotas
	// transition and shown are as in Change.
	transition, shown time.Duration

	ended chan struct{} // closed when delays are to end
	stirs chan struct{} // closed when a world changes; nil where nobody waits
}

type config struct {
	version     string
	seed        uint64
	now         func() time.Time
	owner       string
	transition  time.Duration
	shown       time.Duration
	throttling  bool
	quotas      Quotas
	log         func(Call)
	credentials map[string]Credential
	operator    Credential // the first long-term one
	rights      map[string]iam.Rights
	roles       []Role

	sameRouteRefused bool
	order            *rand.Rand // guarded by Sim.mu; nil leaves lists in their order
	seeds            []func(*Sim)
}

// Option is a setting of a new Sim.
type Option func(*config)

// WithVersion sets the version that its metrics tell.
func WithVersion(version string) Option { return func(c *config) { c.version = version } }

// WithSeed sets what ids are made from. Two Sims with one seed, given the same calls, make the same
// ids.
func WithSeed(seed uint64) Option { return func(c *config) { c.seed = seed } }

// WithClock sets the clock that dates, expiry, throttling and staleness go by. Delays take real
// time.
func WithClock(now func() time.Time) Option { return func(c *config) { c.now = now } }

// WithOwner sets the account id, of 12 digits.
func WithOwner(account string) Option { return func(c *config) { c.owner = account } }

// WithTransitionTime sets how long an instance is stopping or pending; 20 ms when not given.
func WithTransitionTime(d time.Duration) Option { return func(c *config) { c.transition = d } }

// WithTerminatedShown sets how long a terminated instance is described; an hour when not given.
func WithTerminatedShown(d time.Duration) Option { return func(c *config) { c.shown = d } }

// WithSameRouteRefused has CreateRoute refuse a route that is there already with the same target.
// What the real EC2 does has been reported both ways; without this option it is a success that
// changes nothing.
func WithSameRouteRefused() Option { return func(c *config) { c.sameRouteRefused = true } }

// WithLog has log called with every call when it is answered. It is not called concurrently, and
// must not use the Sim.
func WithLog(log func(Call)) Option { return func(c *config) { c.log = log } }

// WithThrottling makes calls cost tokens from the buckets EC2 documents.
func WithThrottling() Option { return func(c *config) { c.throttling = true } }

// SetThrottling switches token-bucket throttling on, with full buckets, or off.
func (s *Sim) SetThrottling(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.buckets = fault.NewBuckets(on)
}

// WithQuotas sets the account's quotas.
//
// New panics on one below 0.
func WithQuotas(q Quotas) Option {
	return func(c *config) {
		mustChange(q.Check())
		c.quotas = q
	}
}

// SetQuotas replaces the account's quotas, until the Sim is reset. What is there already stays.
func (s *Sim) SetQuotas(q Quotas) error {
	if err := q.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.quotas = q
	return nil
}

// Quotas returns the account's quotas as they were set.
func (s *Sim) Quotas() Quotas {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem.quotas
}

// WithCredentials sets who may call. Without any, every well-formed signature is accepted,
// unverified.
func WithCredentials(credentials ...Credential) Option {
	return func(c *config) {
		for _, k := range credentials {
			c.credentials[k.AccessKeyID] = k
			if c.operator.AccessKeyID == "" && k.SessionToken == "" {
				c.operator = k
			}
		}
	}
}

// Seed sets what a new or reset Sim holds. Several are run in order.
func Seed(fill func(*Sim)) Option {
	return func(c *config) { c.seeds = append(c.seeds, fill) }
}

// DefaultOwner is the account of a Sim that is not told another.
const DefaultOwner = "123456789012"

// anyone is who calls where nobody is known.
func (c config) anyone() string { return "arn:aws:iam::" + c.owner + ":user/anyone" }

// New returns a Sim. It panics when a seed cannot be what it says it is.
func New(options ...Option) *Sim {
	s := &Sim{cfg: config{
		now: time.Now, owner: DefaultOwner, transition: 20 * time.Millisecond, shown: time.Hour,
		credentials: map[string]Credential{}, rights: map[string]iam.Rights{},
	}}
	for _, o := range options {
		o(&s.cfg)
	}
	s.metrics = metrics.New(programName, s.cfg.version)
	s.scrape = sync.OnceValue(func() http.Handler { return exporter.Handler(s.metrics) })
	s.Reset()
	return s
}

// Reset makes the Sim as it was when it was new: seeded world, no faults, no hooks, no calls.
// Delays under way end, and their calls have no answer. Metadata services that are served work
// again.
func (s *Sim) Reset() {
	s.forget()
	for _, fill := range s.cfg.seeds {
		fill(s)
	}
	s.mu.Lock()
	services := s.metadata
	s.mu.Unlock()
	for _, m := range services {
		// Only a port that is taken can fail this. The next client sees it.
		_ = m.SetFault(MetadataOK)
	}
}

func (s *Sim) forget() {
	s.mu.Lock()
	if s.mem != nil {
		close(s.mem.ended)
	}
	s.mem = &memory{
		owner:  s.cfg.owner,
		worlds: map[world.Place]*world.World{}, stale: map[world.Place]*fault.View{},
		buckets: fault.NewBuckets(s.cfg.throttling),
		mint:    world.NewMinter(s.cfg.seed, 1), requestIDs: world.NewMinter(s.cfg.seed, 2),
		sessionIDs:   world.NewMinter(s.cfg.seed, 3),
		accountRoles: map[string][]AccountRole{}, sessions: map[string]session{},
		aliases: map[string]string{},
		rights:  maps.Clone(s.cfg.rights), roles: slices.Clone(s.cfg.roles),
		quotas: s.cfg.quotas, ended: make(chan struct{}),
		transition: s.cfg.transition, shown: s.cfg.shown,
	}
	s.mu.Unlock()
}

// endDelays ends the delays under way; later ones are not affected.
func (s *Sim) endDelays() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.mem.ended)
	s.mem.ended = make(chan struct{})
}

// firstRegion returns the first region that holds something. One that an account has to ask for
// comes last: a session of another account, which did not ask, is not known there.
func (s *Sim) firstRegion() string {
	regions := slices.Sorted(maps.Keys(s.State().Regions))
	if len(regions) == 0 {
		return "us-east-1"
	}
	for _, region := range regions {
		if !slices.Contains(world.OptInRegions, region) {
			return region
		}
	}
	return regions[0]
}

// State is everything a Sim holds, by region. A region that holds nothing is left out.
type State struct {
	Regions map[string]RegionState `json:"regions"` // of the Sim's own account, as Roles
	Roles   []AccountRole          `json:"roles,omitempty"`
	Alias   string                 `json:"alias,omitempty"`
	// Accounts are the others, by their ids.
	Accounts map[string]AccountState `json:"accounts,omitempty"`
	Quotas   Quotas                  `json:"quotas,omitzero"` // those that are not EC2's default
}

// State returns everything the Sim holds. It is a copy: nothing the caller does to it reaches the
// Sim.
func (s *Sim) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Regions: map[string]RegionState{}, Quotas: s.mem.quotas}
	for at, w := range s.mem.worlds {
		if w.Empty() {
			continue
		}
		region := s.mem.settled(at, s.cfg.now()).Snapshot()
		if at.Account == s.mem.owner {
			state.Regions[at.Region] = region
			continue
		}
		account := state.account(at.Account)
		if account.Regions == nil {
			account.Regions = map[string]RegionState{}
		}
		account.Regions[at.Region] = region
		state.Accounts[at.Account] = account
	}
	for id, alias := range s.mem.aliases {
		if id == s.mem.owner {
			state.Alias = alias
			continue
		}
		account := state.account(id)
		account.Alias = alias
		state.Accounts[id] = account
	}
	for id, roles := range s.mem.accountRoles {
		list := cloneRoles(roles)
		if id == s.mem.owner {
			state.Roles = list
			continue
		}
		account := state.account(id)
		account.Roles = list
		state.Accounts[id] = account
	}
	return state
}

// account returns what is known of another account.
func (s *State) account(id string) world.AccountState {
	if s.Accounts == nil {
		s.Accounts = map[string]world.AccountState{}
	}
	return s.Accounts[id]
}

func cloneRoles(roles []AccountRole) []AccountRole {
	var list []AccountRole
	for _, r := range roles {
		list = append(list, r.Clone())
	}
	slices.SortFunc(list, func(a, b AccountRole) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// at is a region of the Sim's own account.
func (m *memory) at(region string) world.Place {
	return world.Place{Account: m.owner, Region: region}
}

// settled returns the region's world in which all has happened that is due. The caller holds
// s.mu.
func (m *memory) settled(at world.Place, now time.Time) *world.World {
	w := m.world(at)
	if w.Due(now) {
		w = m.own(at)
		m.settle(w, now)
	}
	return w
}

// settle has all happen in a world that is due.
func (m *memory) settle(w *world.World, now time.Time) {
	world.Change{World: w, Now: now, Mint: m.mint, Quotas: m.quotas, Transition: m.transition,
		Shown: m.shown}.Settle()
}

// own returns the region's world to change it in place: a copy, when somebody may be reading it.
// The caller holds s.mu.
func (m *memory) own(at world.Place) *world.World {
	w := m.world(at)
	if w.Lent {
		w = w.Clone()
	}
	m.put(at, w)
	return w
}

// put has a region's world be this one, and wakes whoever waits for a change. The caller holds
// s.mu.
func (m *memory) put(at world.Place, w *world.World) {
	m.worlds[at] = w
	if m.stirs != nil {
		close(m.stirs)
		m.stirs = nil
	}
}

// world returns the region's world to read it, which is empty when nobody has filled it. The caller
// holds s.mu.
func (m *memory) world(at world.Place) *world.World {
	w := m.worlds[at]
	if w == nil {
		w = world.New(at.Region, at.Account)
		m.worlds[at] = w
	}
	return w
}

// staleWorld returns the world a read of the region is to see, or nil when it is the present one.
func (m *memory) staleWorld(now time.Time, at world.Place) *world.World {
	v := m.stale[at]
	if v == nil {
		return nil
	}
	if v.Over(now) {
		delete(m.stale, at)
		return nil
	}
	return v.Next()
}
