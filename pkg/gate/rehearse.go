package gate

import (
	"context"
	"fmt"
)

// Rehearse returns a store in which everything is as in another one and writes are dropped: what
// would be written is answered. A nil store is one that has nothing yet.
func Rehearse(s Store) Store {
	if s == nil {
		s = nothing{}
	}
	return rehearsal{s}
}

// rehearsal drops writes.
type rehearsal struct{ Store }

var _ Store = rehearsal{}

// Apply answers the actions as they would be. A new one has no ID.
func (r rehearsal) Apply(ctx context.Context, changes ...Change) ([]Action, error) {
	actions := make([]Action, len(changes))
	for i, c := range changes {
		actions[i] = c.Action
		Step(ctx)
	}
	return actions, nil
}

// ApplyEach is Apply, one by one.
func (r rehearsal) ApplyEach(
	ctx context.Context, n int, change func(int) Change, made func(int, Action),
) error {
	for i := range n {
		made(i, change(i).Action)
		Step(ctx)
	}
	return nil
}

func (rehearsal) Note(context.Context, ...Event) error { return nil }
func (rehearsal) Flush(context.Context) error          { return nil }

// nothing is a journal that is not there yet.
type nothing struct{ Store }

func (nothing) Get(_ context.Context, id int64) (Action, error) {
	return Action{}, fmt.Errorf("action %d: %w", id, ErrNotFound)
}
func (nothing) Find(context.Context, string) (Action, error)        { return Action{}, ErrNotFound }
func (nothing) List(context.Context, Query) ([]Action, error)       { return nil, nil }
func (nothing) History(context.Context, int64) ([]Event, error)     { return nil, ErrNotFound }
func (nothing) Events(context.Context, EventQuery) ([]Event, error) { return nil, nil }
func (nothing) ID() string                                          { return "" }
func (nothing) ReadOnly() bool                                      { return false }
