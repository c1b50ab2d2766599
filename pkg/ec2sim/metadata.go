package ec2sim

import (
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/imds"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Metadata returns a metadata service for an instance of the Sim.
func (s *Sim) Metadata(o MetadataOptions) *Metadata { return imds.New(simSource{s}, o) }

// simSource has a metadata service read the Sim's world.
type simSource struct{ sim *Sim }

func (s simSource) Now() time.Time { return s.sim.cfg.now() }

func (s simSource) Read(region string, read func(*world.World)) {
	s.sim.mu.Lock()
	defer s.sim.mu.Unlock()
	read(s.sim.mem.settled(s.sim.mem.at(region), s.sim.cfg.now()))
}
