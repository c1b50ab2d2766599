package ec2sim

import (
	"encoding/json"
	"net/url"
	"reflect"
	"sync"
	"testing"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// operationOf is an operation without parameters.
func operationOf(changes bool, run func(world.Change) (any, error)) api.Operation {
	return api.Operation{Changes: changes, Prepare: func(string, url.Values) (api.Prepared, error) {
		return api.Prepared{Run: run}, nil
	}}
}

// observed runs a call whose operation tries the lock, and reports whether it was free.
func observed(t *testing.T, s *Sim, changes bool) (free bool) {
	t.Helper()
	ran := false
	in := &inbound{mem: s.mem, form: url.Values{},
		call: &Call{Region: LabRegion, Operation: "Describe"}}
	in.op = operationOf(changes, func(world.Change) (any, error) {
		if ran, free = true, s.mu.TryLock(); free {
			s.mu.Unlock()
		}
		return nil, refusal.InvalidValue("no")
	})
	if out := s.effect(in); out.err == nil || !ran {
		t.Fatalf("answered %+v, ran: %t", out, ran)
	}
	return free
}

// However long a read takes, and whether it fails or not, nobody waits for it.
func TestReadsDoNotHoldTheLock(t *testing.T) {
	s := New(Lab())
	if !observed(t, s, false) {
		t.Error("a read holds the lock")
	}
	if observed(t, s, true) {
		t.Error("a change does not hold the lock")
	}
	if !s.mu.TryLock() {
		t.Fatal("a failed call left the lock held")
	}
	s.mu.Unlock()
}

// Reads at the same time look at one world, and each sees all of it.
func TestReadsAtTheSameTimeSeeAllOfIt(t *testing.T) {
	s := New(Lab())
	whole := describedInstances(t, s)
	var worlds [2]*world.World
	for i := range worlds {
		s.effect(&inbound{
			mem: s.mem, form: url.Values{}, call: &Call{Region: LabRegion, Operation: "Describe"},
			op: operationOf(false, func(c world.Change) (any, error) {
				worlds[i] = c.World
				return nil, nil
			}),
		})
	}
	if worlds[0] == worlds[1] || worlds[0] == s.mem.own(s.mem.at(LabRegion)) {
		t.Error("what one read notes in its world shows in another's")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if got := describedInstances(t, s); got != whole {
					t.Errorf("%d bytes, and %d alone", len(got), len(whole))
					return
				}
			}
		})
	}
	all.Wait()
}

// describedInstances is what DescribeInstances answers.
func describedInstances(t *testing.T, s *Sim) string {
	in := &inbound{mem: s.mem, form: url.Values{},
		call: &Call{Region: LabRegion, Operation: "DescribeInstances"}}
	in.op = api.Operations["DescribeInstances"]
	out := s.effect(in)
	text, err := json.Marshal(out.body)
	if err != nil || out.err != nil {
		t.Error(err, out.err)
	}
	return string(text)
}

// What a read looks at stays as it was, whoever changes the world meanwhile.
func TestReadsSeeOneWorld(t *testing.T) {
	s := New(Lab(), WithTransitionTime(0))
	r := s.Region(LabRegion)
	for name, happen := range map[string]func(){
		"an edit": func() {
			r.EditInterface(LabDBInterface0, func(i *Interface) { i.Description = "changed" })
		},
		"a builder": func() { r.AddInterface(Interface{SubnetID: LabSubnetA}) },
		"a removal": func() { r.Remove(LabDBInterface1) },
		"a state that settles": func() {
			s.mem.own(s.mem.at(LabRegion)).Transit(LabDB, world.Transition{To: "stopped"})
			s.State()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.Reset()
			before := s.State().Regions[LabRegion]
			in := &inbound{mem: s.mem, form: url.Values{},
				call: &Call{Region: LabRegion, Operation: "Describe"}}
			in.op = operationOf(false, func(c world.Change) (any, error) {
				happen()
				if !reflect.DeepEqual(before, c.World.Snapshot()) {
					t.Error("the change reached what is being read")
				}
				return nil, nil
			})
			s.effect(in)
			if reflect.DeepEqual(before, s.State().Regions[LabRegion]) {
				t.Error("the change did not happen")
			}
		})
	}
}
