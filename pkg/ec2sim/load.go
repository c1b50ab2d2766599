package ec2sim

import (
	"fmt"

	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/ec2sim/internal/fault"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// World returns the option that seeds a Sim with a world, in YAML or JSON, in the form of State;
// see Load. The error is that of Load.
func World(data []byte) (Option, error) {
	if err := New().Load(data); err != nil {
		return nil, err
	}
	return Seed(func(s *Sim) { mustChange(s.Load(data)) }), nil
}

// Load replaces everything that the Sim holds and its quotas by a world, in YAML or JSON, in the
// form of State: what State returns, as JSON, makes the same world again. Faults, policies and the
// log of calls stay.
//
// By hand less will do. What a builder fills in may be left out: ids, a VPC's default group and
// main route table, local routes, zones. An interface checks source and destination unless it says
// otherwise. A private address may be a plain string; the first one is the primary one unless
// another says so. States are taken as they are said: an instance that is stopping goes on
// stopping.
//
// The error is a document.Faults that names every fault with its line; nothing is replaced then.
func (s *Sim) Load(data []byte) error {
	doc, err := document.ParseOne(data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, err := world.Load(doc, s.mem.owner, s.mem.mint, s.cfg.now())
	if err != nil {
		return err
	}
	for account, roles := range loaded.Roles {
		for _, r := range roles {
			if err := checkRole(r); err != nil {
				return fmt.Errorf("account %s: %w", account, err)
			}
		}
	}
	s.mem.worlds, s.mem.accountRoles, s.mem.quotas = loaded.Worlds, loaded.Roles, loaded.Quotas
	s.mem.aliases = loaded.Alias
	s.mem.stale = map[world.Place]*fault.View{}
	return nil
}
