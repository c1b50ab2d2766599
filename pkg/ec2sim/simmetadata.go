package ec2sim

import "time"

// Metadata returns a metadata service for an instance of the Sim.
func (s *Sim) Metadata(o MetadataOptions) *Metadata { return newMetadata(simSource{s}, o) }

// simSource has a metadata service read the Sim's world.
type simSource struct{ sim *Sim }

func (s simSource) Now() time.Time { return s.sim.cfg.now() }

func (s simSource) Read(region string, read func(*world)) {
	s.sim.mu.Lock()
	defer s.sim.mu.Unlock()
	read(s.sim.mem.settled(region, s.sim.cfg.now()))
}
