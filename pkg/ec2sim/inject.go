package ec2sim

import "fmt"

// Inject puts faults in force, after those that are.
func (s *Sim) Inject(faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
		if !operationPatternKnown(f.Operation) {
			return fmt.Errorf("cannot inject the fault %q: no operation matches %q", f.label(), f.Operation)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.mem.faults.add(f)
	}
	return nil
}

func operationPatternKnown(pattern string) bool {
	for name, op := range operations {
		if operationMatches(pattern, name, op.changes) {
			return true
		}
	}
	return false
}

// ClearFaults takes every fault and every stale view away.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mem.faults = faultSet{}
	clear(s.mem.stale)
}

// Faults returns the faults in force, those that have struck all their calls among them.
func (s *Sim) Faults() []FaultState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem.faults.states()
}
