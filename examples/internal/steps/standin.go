package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ec2sim/simproc"
)

// StandIn is the stand-in of EC2 as a process, with its lab.
type StandIn struct {
	// Env is the environment of programs that act on it.
	Env []string
	// Describe tells what an interface has.
	Describe func(ec2sim.Interface) string
	stage    *Stage
	sim      *simproc.Process
	before   string
}

// StandIn starts the stand-in. It ends with the context.
func (s *Stage) StandIn(ctx context.Context) *StandIn {
	in := &StandIn{stage: s, Describe: Addresses}
	s.Do(func() (err error) {
		if in.sim, err = simproc.Start(ctx, filepath.Join(s.Bin, "ec2sim")); err != nil {
			return err
		}
		in.Env = append(slices.Clone(in.sim.Env), "PATH="+os.Getenv("PATH"),
			"EXECUTOR_STATE_DIR="+filepath.Join(s.Dir, "state"))
		return nil
	})
	return in
}

// Before shows interfaces as they are, and keeps all that EC2 holds to compare with.
func (in *StandIn) Before(interfaces ...string) {
	in.stage.Do(func() (err error) {
		in.before, err = in.world()
		return err
	})
	in.Look(interfaces...)
}

// AsBefore shows interfaces as they are. All that EC2 holds has to be as it was at the last Before.
func (in *StandIn) AsBefore(interfaces ...string) {
	in.Look(interfaces...)
	in.stage.Do(func() error {
		now, err := in.world()
		if err == nil && now != in.before {
			err = errors.New("EC2 does not hold what it held before")
		}
		return err
	})
	in.stage.Good("all as before")
}

// Look shows interfaces as they are.
func (in *StandIn) Look(interfaces ...string) {
	in.stage.Do(func() error {
		var state ec2sim.State
		if err := in.sim.Control("state", &state); err != nil {
			return err
		}
		held := state.Regions[ec2sim.LabRegion].Interfaces
		for _, id := range interfaces {
			at := slices.IndexFunc(held, func(i ec2sim.Interface) bool { return i.ID == id })
			if at < 0 {
				return fmt.Errorf("EC2 has no %s", id)
			}
			i := held[at]
			in.stage.Holds(fmt.Sprintf("%s (%s)  %s", i.ID, i.Tags["Name"], in.Describe(i)))
		}
		return nil
	})
}

// world is all that EC2 holds.
func (in *StandIn) world() (string, error) {
	var state json.RawMessage
	err := in.sim.Control("state", &state)
	return string(state), err
}

// Addresses describes an interface by its addresses, and says so where it forwards.
func Addresses(i ec2sim.Interface) string {
	var addresses []string
	for _, a := range i.PrivateAddresses {
		addresses = append(addresses, a.Address)
	}
	text := strings.Join(addresses, ", ")
	if !i.SourceDestCheck {
		text += "  forwards"
	}
	return text
}

// Groups describes an interface by its security groups.
func Groups(i ec2sim.Interface) string { return strings.Join(i.Groups, ", ") }
