package scan

import (
	"context"
	"fmt"
	"slices"

	"aws-provider-executor/pkg/nodes"
)

// ManagerStore is what a keeper of managers needs of a store.
type ManagerStore interface {
	Store
	nodes.ManagerStore
}

// Keeper does what people ask of managers: it writes them down, looks at once, and tells what came
// of it.
type Keeper struct {
	store   ManagerStore
	scanner *Scanner
}

// NewKeeper returns a keeper.
func NewKeeper(store ManagerStore, scanner *Scanner) *Keeper {
	return &Keeper{store: store, scanner: scanner}
}

// Kept is a manager that was written down, and what its first look came to.
type Kept struct {
	Manager nodes.Manager
	Results []Result
	// Revivable are the ids of terminated nodes that the cloud shows alive, sorted. They stay
	// terminated until somebody asks for them to be revived. Revived is how many somebody asked for.
	Revivable []string
	Revived   int
}

// Create writes a manager down and scans it. One whose first scan fails stays, with its reason: the
// error is the store's. With revive, terminated nodes that the cloud shows alive live again.
func (k *Keeper) Create(ctx context.Context, m nodes.Manager, r Request) (Kept, error) {
	m, err := k.store.CreateManager(ctx, m)
	if err != nil {
		return Kept{}, err
	}
	return k.look(ctx, m, r)
}

// Update writes down what people set of a manager that is there, and scans it. Its nodes stay its
// own, but for those in accounts and regions that it does not cover any more.
func (k *Keeper) Update(ctx context.Context, m nodes.Manager, r Request) (Kept, error) {
	m, err := k.store.UpdateManager(ctx, m)
	if err != nil {
		return Kept{}, err
	}
	return k.look(ctx, m, r)
}

func (k *Keeper) look(ctx context.Context, m nodes.Manager, r Request) (Kept, error) {
	r.Managers = []nodes.Manager{m}
	results, err := k.scanner.Scan(ctx, r)
	kept := Kept{Manager: m, Results: results}
	for _, x := range results {
		kept.Revivable = append(kept.Revivable, x.Summary.Revivable...)
		kept.Revived += x.Summary.Revived
	}
	slices.Sort(kept.Revivable)
	if read, again := k.store.Manager(keep(ctx), m.ID); again == nil {
		kept.Manager = read
	}
	return kept, err
}

// Connect finds out who a manager is, or why it can't look, and keeps that. For the manual manager,
// which looks nowhere, it does nothing.
func (k *Keeper) Connect(ctx context.Context, idOrName string) (nodes.Manager, error) {
	m, err := k.store.Manager(ctx, idOrName)
	if err != nil || m.Type == nodes.ManagerOfManual {
		return m, err
	}
	m.Checked = k.scanner.Connect(ctx, m)
	if ctx.Err() != nil {
		return m, fmt.Errorf("the check of %s was ended: %w", m.Name, ctx.Err())
	}
	return m, k.store.RecordCheck(ctx, m.ID, m.Checked)
}

// ConnectAll does so for all managers, both ways: it notes those that can look again, too.
func (k *Keeper) ConnectAll(ctx context.Context) ([]nodes.Manager, error) {
	all, err := k.store.Managers(ctx)
	if err != nil {
		return nil, err
	}
	for i, m := range all {
		if all[i], err = k.Connect(ctx, m.ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}
