package table

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Memory is a table in memory, which keeps every promise of a Backend. It is for tests.
type Memory struct {
	mu    sync.Mutex
	items map[Place]Item
	// writes counts those that were asked for.
	writes int
}

var _ Backend = (*Memory)(nil)

// NewMemory returns a table that holds nothing.
func NewMemory() *Memory { return &Memory{items: map[Place]Item{}} }

// Read returns the items of some places.
func (m *Memory) Read(_ context.Context, places []Place) (map[Place]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[Place]Item{}
	for _, p := range places {
		if i, ok := m.items[p]; ok {
			i.Record = slices.Clone(i.Record)
			found[p] = i
		}
	}
	return found, nil
}

// List returns the sort keys of a partition, in order.
func (m *Memory) List(_ context.Context, partition string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for p := range m.items {
		if p.Partition == partition {
			names = append(names, p.Sort)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Write makes all changes, or none.
func (m *Memory) Write(_ context.Context, changes []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	places := map[Place]bool{}
	for _, c := range changes {
		if places[c.Place] {
			return errors.New("a write has one item twice")
		}
		places[c.Place] = true
		if !c.If.Met(m.items[c.Place]) {
			return ErrMoved
		}
	}
	for _, c := range changes {
		c.Apply(m.items)
	}
	return nil
}

// Snapshot is a copy of what the table holds.
func (m *Memory) Snapshot() map[Place]Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.items)
}
