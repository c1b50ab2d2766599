package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// mostAmbiguous is how many nodes of one name are told.
const mostAmbiguous = 10

// Find finds a node by its id, an alias, its name or its cloud's id.
func (s *Store) Find(ctx context.Context, name string) (*nodes.Node, error) {
	return s.read().find(ctx, name)
}

func (q querier) find(ctx context.Context, name string) (*nodes.Node, error) {
	n, err := scanNode(q.row(ctx, "SELECT d.document FROM node_identities i "+
		"JOIN node_documents d ON d.node = i.node WHERE i.identity = ?",
		string(nodes.IDIdentity(name))))
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return n, err
	}
	all, err := q.load(ctx, "WHERE n.name = ? OR n.source_id = ? ORDER BY n.id LIMIT ?", name, name,
		mostAmbiguous)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0 || name == "":
		return nil, &nodes.Missing{What: "node", Name: name}
	case len(all) > 1:
		ambiguous := &nodes.Ambiguous{Name: name}
		for _, n := range all {
			ambiguous.IDs = append(ambiguous.IDs, n.ID)
		}
		return nil, ambiguous
	}
	return all[0], nil
}

// History lists the changes of a node, the oldest first.
func (s *Store) History(ctx context.Context, nodeID string) ([]nodes.Change, error) {
	all := []nodes.Change{}
	return all, s.read().each(ctx, func(rows *sql.Rows) error {
		c := nodes.Change{}
		var happened, recorded int64
		var evidence string
		if err := rows.Scan(&c.NodeID, &happened, &recorded, &c.Field, &c.From, &c.To,
			&evidence); err != nil {
			return err
		}
		c.At, c.RecordedAt = fromNanos(happened), fromNanos(recorded)
		all = append(all, c)
		return json.Unmarshal([]byte(evidence), &all[len(all)-1].Evidence)
	}, "SELECT n.id, c.happened_at, c.recorded_at, c.field, c.was, c.became, c.evidence "+
		"FROM node_changes c JOIN nodes n ON n.seq = c.node WHERE n.id = ? ORDER BY c.seq", nodeID)
}

// NamedChange is a change, and how its node is called now.
type NamedChange struct {
	nodes.Change
	Name string
}

// Changes lists what changed over all nodes, the latest first, and where the list goes on.
func (s *Store) Changes(
	ctx context.Context, limit int, page string,
) ([]NamedChange, string, error) {
	from, err := before(page)
	if err != nil {
		return nil, "", err
	}
	all := []NamedChange{}
	last := make([]int64, 0, limit+1)
	err = s.read().each(ctx, func(rows *sql.Rows) error {
		var c NamedChange
		var seq, happened, recorded int64
		var evidence string
		if err := rows.Scan(&seq, &c.NodeID, &c.Name, &happened, &recorded, &c.Field, &c.From, &c.To,
			&evidence); err != nil {
			return err
		}
		c.At, c.RecordedAt = fromNanos(happened), fromNanos(recorded)
		all, last = append(all, c), append(last, seq)
		return json.Unmarshal([]byte(evidence), &all[len(all)-1].Evidence)
	}, "SELECT c.seq, n.id, n.name, c.happened_at, c.recorded_at, c.field, c.was, c.became, "+
		"c.evidence FROM node_changes c JOIN nodes n ON n.seq = c.node WHERE c.seq < ? "+
		"ORDER BY c.seq DESC LIMIT ?", from, limit+1)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], strconv.FormatInt(last[limit-1], 10), nil
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// AddManual adds machines by their addresses: all of them or none.
func (s *Store) AddManual(ctx context.Context, m nodes.Manual) ([]*nodes.Node, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	var added []*nodes.Node
	return added, s.write(ctx, func(w *writer) error {
		for _, o := range m.Observations(w.now) {
			n, _, err := w.observe(ctx, &o, nil)
			if err != nil {
				return err
			}
			added = append(added, n)
		}
		return nil
	})
}

// change reads a node, has it changed and writes it, in one transaction.
func (s *Store) change(
	ctx context.Context, id string, do func(*nodes.Node, time.Time) ([]nodes.Change, error),
) (n *nodes.Node, changes []nodes.Change, err error) {
	return n, changes, s.write(ctx, func(w *writer) error {
		if n, err = w.find(ctx, id); err != nil {
			return err
		}
		was := w.hold(n)
		if changes, err = do(n, w.now); err != nil {
			return err
		}
		return w.update(ctx, n, was, changes)
	})
}

// Command sets a node's state by a person's word.
func (s *Store) Command(
	ctx context.Context, nodeID string, state nodes.State, by string,
) (*nodes.Node, []nodes.Change, error) {
	return s.change(ctx, nodeID, func(n *nodes.Node, now time.Time) ([]nodes.Change, error) {
		return n.Command(state, by, now)
	})
}

// ApplyProbe takes over what a try to reach a node came to.
func (s *Store) ApplyProbe(ctx context.Context, p nodes.Probe) (*nodes.Node, error) {
	n, _, err := s.change(ctx, p.NodeID,
		func(n *nodes.Node, _ time.Time) ([]nodes.Change, error) { return n.ApplyProbe(p), nil })
	return n, err
}

// Due lists the manual nodes that were not probed since a time. One that was probed at a time to
// come was so by a wrong clock, and is due.
func (s *Store) Due(ctx context.Context, since time.Time) ([]*nodes.Node, error) {
	now := s.options.Now()
	all, err := s.read().load(ctx, "JOIN node_values v ON v.node = n.seq AND v.field = 'manager' "+
		"AND v.value = ? WHERE (n.last_probe <= ? OR n.last_probe > ?) AND n.state NOT IN (?, ?) "+
		"ORDER BY n.last_probe, n.id", nodes.ManualManager, nanos(since), nanos(now),
		string(nodes.StateStopped), string(nodes.StateTerminated))
	var due []*nodes.Node
	for _, n := range all {
		if n.Due(since) || n.LastProbe.After(now) && n.Due(n.LastProbe) {
			due = append(due, n)
		}
	}
	return due, err
}
