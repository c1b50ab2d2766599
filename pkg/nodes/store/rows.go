package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// cell is a column of the table nodes and what a node has in it.
type cell struct {
	column string
	of     func(n *nodes.Node) any
}

func moment(of func(n *nodes.Node) time.Time) func(*nodes.Node) any {
	return func(n *nodes.Node) any { return nanos(of(n)) }
}

func text[T ~string](of func(n *nodes.Node) T) func(*nodes.Node) any {
	return func(n *nodes.Node) any { return string(of(n)) }
}

// cells are all columns but the number.
var cells = []cell{
	{"id", text(func(n *nodes.Node) string { return n.ID })},
	{"type", text(func(n *nodes.Node) nodes.Type { return n.Type })},
	{"name", text(func(n *nodes.Node) string { return n.Name })},
	{"source_id", text(func(n *nodes.Node) string { return n.Source.ID })},
	{"region", text(func(n *nodes.Node) string { return n.Region })},
	{"account_id", text(func(n *nodes.Node) string { return n.AccountID })},
	{"platform", text(func(n *nodes.Node) string { return n.Platform })},
	{"platform_release", text(func(n *nodes.Node) string { return n.PlatformRelease })},
	{"instance_type", text(func(n *nodes.Node) string { return n.InstanceType })},
	{"zone", text(func(n *nodes.Node) string { return n.Zone })},
	{"image_id", text(func(n *nodes.Node) string { return n.ImageID })},
	{"vpc_id", text(func(n *nodes.Node) string { return n.VPCID })},
	{"state", text(func(n *nodes.Node) nodes.State { return n.State })},
	{"status", text(func(n *nodes.Node) nodes.Status { return n.Status })},
	{"managed", text((*nodes.Node).Managed)},
	{"managers", text(func(n *nodes.Node) string { return strings.Join(n.Managers, ",") })},
	{"run_status", text(func(n *nodes.Node) nodes.ResultStatus { return n.Runs.Last.StatusOf() })},
	{"run_before", text(func(n *nodes.Node) nodes.ResultStatus {
		return n.Runs.Penultimate.StatusOf()
	})},
	{"scan_status", text(func(n *nodes.Node) nodes.ResultStatus { return n.Scans.Last.StatusOf() })},
	{"scan_before", text(func(n *nodes.Node) nodes.ResultStatus {
		return n.Scans.Penultimate.StatusOf()
	})},
	{"state_since", moment(func(n *nodes.Node) time.Time { return n.StateSince })},
	{"added_at", moment(func(n *nodes.Node) time.Time { return n.AddedAt })},
	{"seen_at", moment(func(n *nodes.Node) time.Time { return n.SeenAt })},
	{"last_contact", moment(func(n *nodes.Node) time.Time { return n.LastContact })},
	{"last_probe", moment(func(n *nodes.Node) time.Time { return n.LastProbe })},
	{"launch_time", moment(func(n *nodes.Node) time.Time { return n.LaunchTime })},
	{"run_at", moment(func(n *nodes.Node) time.Time { return n.Runs.Last.EndedAt() })},
	{"scan_at", moment(func(n *nodes.Node) time.Time { return n.Scans.Last.EndedAt() })},
}

var insertNode, updateNode = func() (insert, update string) {
	names := make([]string, len(cells))
	for i, c := range cells {
		names[i] = c.column
	}
	insert = "INSERT INTO nodes (" + strings.Join(names, ", ") + ") VALUES (" + marks(len(cells)) +
		") RETURNING seq"
	update = "UPDATE nodes SET " + strings.Join(names, " = ?, ") + " = ? WHERE id = ? RETURNING seq"
	return insert, update
}()

func cellsOf(n *nodes.Node) []any {
	values := make([]any, len(cells))
	for i, c := range cells {
		values[i] = c.of(n)
	}
	return values
}

// valueOf is one value of a field of which a node has several.
type valueOf struct{ field, value string }

// valuesOf are those of a node, each once.
func valuesOf(n *nodes.Node) map[valueOf]bool {
	all := map[valueOf]bool{}
	for field, values := range n.Values() {
		for _, v := range values {
			all[valueOf{field, v}] = true
		}
	}
	return all
}

// identitiesOf are all that tell a node from others.
func identitiesOf(n *nodes.Node) map[nodes.Identity]bool {
	all := map[nodes.Identity]bool{nodes.IDIdentity(n.ID): true}
	if i := n.Source.Identity(n.Type); i != "" {
		all[i] = true
	}
	for _, i := range n.Aliases {
		all[i] = true
	}
	return all
}

// insert writes a node that is not there yet.
func (w *writer) insert(ctx context.Context, n *nodes.Node, changes []nodes.Change) error {
	document, err := json.Marshal(n)
	if err != nil {
		return err
	}
	var seq int64
	if err := w.row(ctx, insertNode, cellsOf(n)...).Scan(&seq); err != nil {
		return err
	}
	if err := w.exec(ctx, "INSERT INTO node_documents (node, document) VALUES (?, ?)", seq,
		string(document)); err != nil {
		return err
	}
	w.touch(n.ID)
	if err := w.replace(ctx, seq, &nodes.Node{}, n); err != nil {
		return err
	}
	return w.log(ctx, seq, changes)
}

// hold is a node as it was read. The node itself is held to the writer's time from now on.
func (w *writer) hold(n *nodes.Node) (was *nodes.Node) {
	was = n.Clone()
	n.HoldTo(w.now)
	return was
}

// update writes a node that was read as it was before.
func (w *writer) update(ctx context.Context, n, was *nodes.Node, changes []nodes.Change) error {
	document, err := json.Marshal(n)
	if err != nil {
		return err
	}
	before, err := json.Marshal(was)
	if err != nil || string(before) == string(document) {
		return err
	}
	w.touch(n.ID)
	var seq int64
	values, old := cellsOf(n), cellsOf(was)
	if slices.Equal(values, old) {
		err = w.row(ctx, "SELECT seq FROM nodes WHERE id = ?", n.ID).Scan(&seq)
	} else {
		err = w.row(ctx, updateNode, append(values, n.ID)...).Scan(&seq)
	}
	if err != nil {
		return err
	}
	if err := w.exec(ctx, "UPDATE node_documents SET document = ? WHERE node = ?",
		string(document), seq); err != nil {
		return err
	}
	if err := w.replace(ctx, seq, was, n); err != nil {
		return err
	}
	return w.log(ctx, seq, changes)
}

// replace brings the values and identities of a node from what they were to what they are.
func (w *writer) replace(ctx context.Context, seq int64, was, is *nodes.Node) error {
	before, after := valuesOf(was), valuesOf(is)
	for v := range before {
		if after[v] {
			continue
		}
		if err := w.exec(ctx, "DELETE FROM node_values WHERE field = ? AND value = ? AND node = ?",
			v.field, v.value, seq); err != nil {
			return err
		}
	}
	for v := range after {
		if before[v] {
			continue
		}
		if err := w.exec(ctx, "INSERT INTO node_values (field, value, node) VALUES (?, ?, ?)",
			v.field, v.value, seq); err != nil {
			return err
		}
	}
	w.resort(seq, setsOf(was, before), setsOf(is, after))
	known := identitiesOf(was)
	for i := range identitiesOf(is) {
		if known[i] && was.ID != "" {
			continue
		}
		if err := w.exec(ctx, "INSERT INTO node_identities (identity, node) VALUES (?, ?)",
			string(i), seq); err != nil {
			return fmt.Errorf("cannot give %s the identity %s: %w", is.ID, i, err)
		}
	}
	return nil
}

// log writes changes of a node to its history.
func (w *writer) log(ctx context.Context, seq int64, changes []nodes.Change) error {
	w.logged += len(changes)
	for _, c := range changes {
		evidence, err := json.Marshal(c.Evidence)
		if err != nil {
			return err
		}
		if err := w.exec(ctx, "INSERT INTO node_changes (node, happened_at, recorded_at, field, was, "+
			"became, evidence) VALUES (?, ?, ?, ?, ?, ?, ?)", seq, nanos(c.At), nanos(w.now), c.Field,
			c.From, c.To, string(evidence)); err != nil {
			return err
		}
	}
	return nil
}

// delete removes a node as it is in the store, and all that is known of it.
func (w *writer) delete(ctx context.Context, n *nodes.Node) error {
	var seq int64
	if err := w.row(ctx, "DELETE FROM nodes WHERE id = ? RETURNING seq", n.ID).Scan(&seq); err != nil {
		return err
	}
	w.touch(n.ID)
	w.logged++
	w.resort(seq, setsOf(n, valuesOf(n)), nil)
	return nil
}

// absorb removes a node that became a part of another. Its history goes over.
func (w *writer) absorb(ctx context.Context, gone, kept *nodes.Node) error {
	const number = "(SELECT seq FROM nodes WHERE id = ?)"
	if err := w.exec(ctx, "UPDATE node_changes SET node = "+number+" WHERE node = "+number,
		kept.ID, gone.ID); err != nil {
		return err
	}
	return w.delete(ctx, gone)
}

func scanNode(row interface{ Scan(...any) error }) (*nodes.Node, error) {
	var document string
	if err := row.Scan(&document); err != nil {
		return nil, err
	}
	n := &nodes.Node{}
	return n, json.Unmarshal([]byte(document), n)
}

// load reads nodes by the end of a query over n (nodes) and d (their documents).
func (q querier) load(ctx context.Context, rest string, args ...any) ([]*nodes.Node, error) {
	var all []*nodes.Node
	return all, q.each(ctx, func(rows *sql.Rows) error {
		n, err := scanNode(rows)
		all = append(all, n)
		return err
	}, "SELECT d.document FROM nodes n JOIN node_documents d ON d.node = n.seq "+rest, args...)
}

// nodesOf are the nodes of a manager, by their ids.
func (q querier) nodesOf(ctx context.Context, manager string) ([]*nodes.Node, error) {
	return q.load(ctx, "JOIN node_values v ON v.node = n.seq AND v.field = 'manager' AND v.value = ? "+
		"ORDER BY n.id", manager)
}

// mostParameters is how many a query has at most.
const mostParameters = 500

// byIdentity finds the nodes that have the identities.
func (q querier) byIdentity(
	ctx context.Context, identities []nodes.Identity,
) (map[nodes.Identity]*nodes.Node, error) {
	found := map[nodes.Identity]*nodes.Node{}
	byID := map[string]*nodes.Node{}
	for part := range slices.Chunk(identities, mostParameters) {
		args := make([]any, len(part))
		for i, x := range part {
			args[i] = string(x)
		}
		err := q.each(ctx, func(rows *sql.Rows) error {
			var identity, document string
			if err := rows.Scan(&identity, &document); err != nil {
				return err
			}
			n := &nodes.Node{}
			if err := json.Unmarshal([]byte(document), n); err != nil {
				return err
			}
			if known := byID[n.ID]; known != nil {
				n = known
			}
			byID[n.ID] = n
			found[nodes.Identity(identity)] = n
			return nil
		}, "SELECT i.identity, d.document FROM node_identities i JOIN node_documents d "+
			"ON d.node = i.node WHERE i.identity IN ("+marks(len(part))+")", args...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// distinct are the nodes that a map leads to, the oldest first.
func distinct(found map[nodes.Identity]*nodes.Node) []*nodes.Node {
	byID := map[string]*nodes.Node{}
	for _, n := range found {
		byID[n.ID] = n
	}
	all := slices.Collect(maps.Values(byID))
	slices.SortFunc(all, func(x, y *nodes.Node) int {
		if c := x.AddedAt.Compare(y.AddedAt); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return all
}
