package ec2sim

import (
	"fmt"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/fault"
)

// Inject puts faults in force, after those that are.
func (s *Sim) Inject(faults ...Fault) error {
	for _, f := range faults {
		if err := f.Check(); err != nil {
			return err
		}
		if !operationPatternKnown(f.Operation) {
			return fmt.Errorf("cannot inject the fault %q: no operation matches %q", f.Label(), f.Operation)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.mem.faults.Add(f)
	}
	return nil
}

func operationPatternKnown(pattern string) bool {
	for name, op := range api.All() {
		if fault.Matches(pattern, name, op.Changes) {
			return true
		}
	}
	return false
}

// ClearFaults takes every fault and every stale view away.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.faults = fault.Set{}
	clear(s.mem.stale)
}

// Faults returns the faults in force, those that have struck all their calls among them.
func (s *Sim) Faults() []FaultState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem.faults.States()
}
