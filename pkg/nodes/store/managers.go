package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"aws-provider-executor/pkg/nodes"
)

// managers lists all, in the order in which they were added; the manual one is the first.
func (q querier) managers(ctx context.Context) ([]nodes.Manager, error) {
	var all []nodes.Manager
	return all, q.each(ctx, func(rows *sql.Rows) error {
		m, err := scanManager(rows)
		all = append(all, m)
		return err
	}, "SELECT document FROM node_managers ORDER BY added_at, name")
}

func scanManager(row interface{ Scan(...any) error }) (m nodes.Manager, err error) {
	var text string
	if err := row.Scan(&text); err != nil {
		return m, err
	}
	return m, json.Unmarshal([]byte(text), &m)
}

// manager finds one by its id, or by its name.
func (q querier) manager(ctx context.Context, name string) (nodes.Manager, error) {
	m, err := scanManager(q.row(ctx,
		"SELECT document FROM node_managers WHERE id = ? OR name = ? ORDER BY id <> ? LIMIT 1",
		name, name, name))
	return m, notFound(err, "manager", name)
}

func (q querier) insertManager(ctx context.Context, m nodes.Manager) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return q.exec(ctx, "INSERT INTO node_managers (id, name, added_at, revision, document) "+
		"VALUES (?, ?, ?, ?, ?)", m.ID, m.Name, nanos(m.AddedAt), m.Revision, string(text))
}

func (q querier) updateManager(ctx context.Context, m nodes.Manager) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return q.exec(ctx, "UPDATE node_managers SET name = ?, revision = ?, document = ? WHERE id = ?",
		m.Name, m.Revision, string(text), m.ID)
}

// Managers lists all, the manual one included.
func (s *Store) Managers(ctx context.Context) ([]nodes.Manager, error) {
	return s.read().managers(ctx)
}

// Manager finds a manager by its id or its name.
func (s *Store) Manager(ctx context.Context, idOrName string) (nodes.Manager, error) {
	return s.read().manager(ctx, idOrName)
}

// CreateManager adds a manager.
func (s *Store) CreateManager(ctx context.Context, m nodes.Manager) (nodes.Manager, error) {
	m.ID, m.Revision, m.AddedAt = s.options.NewID(), 1, s.options.Now().UTC()
	if err := m.Check(); err != nil {
		return m, err
	}
	return m, s.write(ctx, func(w *writer) error {
		if err := w.nameIsFree(ctx, m); err != nil {
			return err
		}
		return w.insertManager(ctx, m)
	})
}

// nameIsFree refuses a name, or an id, by which another manager is found.
func (w *writer) nameIsFree(ctx context.Context, m nodes.Manager) error {
	other, err := w.manager(ctx, m.Name)
	switch {
	case errors.Is(err, nodes.ErrNotFound):
		return nil
	case err == nil && other.ID != m.ID:
		return &nodes.Exists{Name: m.Name, ID: other.ID}
	}
	return err
}

// UpdateManager writes what people set.
func (s *Store) UpdateManager(ctx context.Context, m nodes.Manager) (nodes.Manager, error) {
	if err := m.Check(); err != nil {
		return m, err
	}
	return m, s.write(ctx, func(w *writer) error {
		was, err := w.manager(ctx, m.ID)
		switch {
		case err != nil:
			return err
		case was.ID == nodes.ManualManager:
			return nodes.ErrOwn
		case was.Revision != m.Revision:
			return fmt.Errorf("the manager %q: %w", was.Name, nodes.ErrConflict)
		case was.Type != m.Type:
			return fmt.Errorf("the manager %q is of the type %s, and stays so; delete it and create "+
				"another", was.Name, was.Type)
		}
		if err := w.nameIsFree(ctx, m); err != nil {
			return err
		}
		m.AddedAt, m.Checked, m.Revision = was.AddedAt, was.Checked, was.Revision+1
		if err := w.updateManager(ctx, m); err != nil {
			return err
		}
		return w.withdraw(ctx, m)
	})
}

// withdraw ends the associations with nodes that a manager does not cover any more, and forgets the
// scans of such regions.
func (w *writer) withdraw(ctx context.Context, m nodes.Manager) error {
	all, err := w.nodesOf(ctx, m.ID)
	if err != nil {
		return err
	}
	e := nodes.Evidence{
		Kind: nodes.ByCommand, By: m.ID, At: w.now,
		Note: "the manager does not cover its account or region any more",
	}
	for _, x := range all {
		if m.Covers(x.LookedAtAs(), x.Region) {
			continue
		}
		was := w.hold(x)
		if err := w.update(ctx, x, was, x.RemoveManager(m.ID, e)); err != nil {
			return err
		}
	}
	regions, err := w.regions(ctx, m.ID)
	if err != nil {
		return err
	}
	for _, r := range regions {
		if m.Covers(r.AccountID, r.Region) {
			continue
		}
		if err := w.exec(ctx, "DELETE FROM node_regions WHERE manager = ? AND account = ? "+
			"AND region = ?", m.ID, r.AccountID, r.Region); err != nil {
			return err
		}
	}
	return nil
}

// RecordCheck writes what a try to look came to, unless a later one is there. One of a time to come
// is none.
func (s *Store) RecordCheck(ctx context.Context, managerID string, c nodes.Check) error {
	return s.write(ctx, func(w *writer) error {
		m, err := w.manager(ctx, managerID)
		if err != nil || c.At.Before(m.Checked.At) && !m.Checked.At.After(w.now) {
			return err
		}
		m.Checked = c
		return w.updateManager(ctx, m)
	})
}

// DeleteManager deletes a manager, and does with its nodes as is said.
func (s *Store) DeleteManager(
	ctx context.Context, id string, d nodes.Disposition, state nodes.State, by string,
) (nodes.Deletion, error) {
	done := nodes.Deletion{
		Shared: []string{}, Kept: []string{}, Changed: []string{}, Deleted: []string{},
	}
	switch {
	case !slices.Contains([]nodes.Disposition{nodes.KeepNodes, nodes.SetState, nodes.DeleteNodes}, d):
		return done, fmt.Errorf("what becomes of the nodes is %q, want keep, state or nodes", d)
	case d == nodes.SetState && state != nodes.StateStopped && state != nodes.StateTerminated:
		return done, fmt.Errorf("the state is %q, want stopped or terminated", state)
	}
	return done, s.write(ctx, func(w *writer) error {
		m, err := w.manager(ctx, id)
		if err != nil {
			return err
		}
		if m.ID == nodes.ManualManager {
			return nodes.ErrOwn
		}
		all, err := w.nodesOf(ctx, m.ID)
		if err != nil {
			return err
		}
		e := nodes.Evidence{Kind: nodes.ByDeletion, By: by, At: w.now,
			Note: "the manager " + m.Name + " was deleted"}
		for _, x := range all {
			if err := w.part(ctx, x, m.ID, d, state, e, &done); err != nil {
				return err
			}
		}
		return w.exec(ctx, "DELETE FROM node_managers WHERE id = ?", m.ID)
	})
}

// part does with one node of a manager that is deleted as is said.
func (w *writer) part(
	ctx context.Context, n *nodes.Node, manager string, d nodes.Disposition, state nodes.State,
	e nodes.Evidence, done *nodes.Deletion,
) error {
	was := w.hold(n)
	list := &done.Kept
	switch {
	case len(n.Managers) > 1:
		list = &done.Shared
	case d == nodes.DeleteNodes:
		done.Deleted = append(done.Deleted, n.ID)
		return w.delete(ctx, n)
	case d == nodes.SetState:
		list = &done.Changed
	}
	changes := n.RemoveManager(manager, e)
	if list == &done.Changed {
		changes = append(changes, n.SetByDeletion(state, e)...)
	}
	*list = append(*list, n.ID)
	return w.update(ctx, n, was, changes)
}
